//! The functions, types and settings that a README names.

use std::fs;

use crate::{
    blocks::Readme,
    links::{is_path, of_line},
    root,
};

pub const CRATES: [&str; 4] = ["basic", "sessions", "first_party", "common"];

/// The functions, types and settings that do not exist, or are not where the README says.
pub fn problems(readme: &Readme) -> Vec<String> {
    let mut problems = Vec::new();
    for (number, line) in &readme.prose {
        for (before, _, path) in of_line(line).filter(|(_, _, path)| is_path(path)) {
            // The names before the link, and, in "[file](file): `this` and `that`", after it.
            let after = line
                .split_once(&format!("({path}): "))
                .unwrap_or_default()
                .1;
            let names = names_at_the_end(before).into_iter();
            let names = names.chain(
                after
                    .split('`')
                    .skip(1)
                    .step_by(2)
                    .filter(|name| is_name(name)),
            );
            let source = fs::read_to_string(readme.resolve(path)).unwrap_or_default();
            let missing = names.filter(|name| !defines(&source, name));
            problems.extend(
                missing.map(|name| format!("{}: {path} has no `{name}`", readme.at(*number))),
            );
        }
    }
    let sources = sources(&CRATES, &["src", "examples", "templates"]).concat();
    for (number, name) in readme.spans() {
        // One lower-case word can be anything.
        let ours =
            is_name(name) && name.contains(|c: char| c.is_uppercase() || c == '_' || c == ':');
        if ours && !name.split("::").all(|part| has_word(&sources, part)) {
            problems.push(format!(
                "{}: there is no `{name}` in the code",
                readme.at(number)
            ));
        }
    }
    problems
}

/// The names before a link: of "see `form` and `submit` in " both.
fn names_at_the_end(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = text.strip_suffix(" in ").or(text.strip_suffix(", "));
    while let Some((before, name)) = rest.and_then(|rest| rest.strip_suffix('`')?.rsplit_once('`'))
    {
        names.push(name);
        rest = before.strip_suffix(", ").or(before.strip_suffix(" and "));
    }
    names.retain(|name| is_name(name));
    names
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .replace("::", "")
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn defines(source: &str, name: &str) -> bool {
    let (of, name) = name.rsplit_once("::").unwrap_or((name, name));
    let kinds = [
        "fn", "struct", "enum", "trait", "const", "static", "type", "mod",
    ];
    has_word(source, of)
        && kinds
            .iter()
            .any(|kind| has_word(source, &format!("{kind} {name}")))
}

pub fn has_word(text: &str, word: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(part_of_word) && !text[at + word.len()..].starts_with(part_of_word)
    })
}

/// The texts of the files in these folders of these crates.
pub fn sources(crates: &[&str], folders: &[&str]) -> Vec<String> {
    let paths = crates
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| [name, folder]));
    let mut paths: Vec<_> = paths
        .map(|[name, folder]| root().join(name).join(folder))
        .collect();
    let mut sources = Vec::new();
    while let Some(path) = paths.pop() {
        if let Ok(entries) = fs::read_dir(&path) {
            paths.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else if let Ok(source) = fs::read_to_string(&path) {
            sources.push(source);
        }
    }
    sources
}
