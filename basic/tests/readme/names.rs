//! What the README names: links, paths, functions and types, routes, examples.

use std::{fs, path::Path};

use crate::{SERVERS, blocks::Readme, read, root};

const CRATES: [&str; 4] = ["basic", "sessions", "first_party", "common"];

/// The links within the repository that lead nowhere.
pub fn links(readme: &Readme) -> Vec<String> {
    let mut problems = Vec::new();
    let mut problem = |line: usize, what: &str| problems.push(format!("README.md:{line}: {what}"));
    for (number, line) in &readme.prose {
        for (_, text, target) in links_of(line).filter(|(_, _, target)| !target.contains("://")) {
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            if !root().join(path).exists() {
                problem(*number, &format!("the link leads nowhere: {target}"));
            } else if !anchor.is_empty()
                && !headings(readme, path).iter().any(|slug| slug == anchor)
            {
                problem(*number, &format!("there is no such heading: {target}"));
            } else if is_path(text) && text.trim_end_matches('/') != path && !path.starts_with(text)
            {
                problem(
                    *number,
                    &format!("the link says {text} and leads to {path}"),
                );
            }
        }
    }
    problems
}

/// The links of a line: what stands before it, its text, and its target.
fn links_of(line: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    line.match_indices("](").filter_map(|(middle, _)| {
        let start = line[..middle].rfind('[')?;
        let target = line[middle + 2..].split(')').next()?;
        Some((&line[..start], &line[start + 1..middle], target))
    })
}

/// The anchors of a document, as GitHub makes them of its headings.
fn headings(readme: &Readme, path: &str) -> Vec<String> {
    let other = (!path.is_empty()).then(|| Readme::parse(&read(path)));
    let prose = &other.as_ref().unwrap_or(readme).prose;
    let headings = prose.iter().filter(|(_, line)| line.starts_with('#'));
    let slug = |heading: &str| {
        let kept = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = kept
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(|(_, line)| slug(line)).collect()
}

/// The paths in backticks that do not exist.
pub fn paths(readme: &Readme) -> Vec<String> {
    let paths = readme.spans().filter(|(_, span)| is_path(span));
    let missing = paths.filter(|(_, path)| !root().join(path).exists());
    missing
        .map(|(line, path)| format!("README.md:{line}: there is no `{path}`"))
        .collect()
}

/// Whether it is a path in this repository: by where it begins, or by what it ends with.
fn is_path(text: &str) -> bool {
    let extension = Path::new(text)
        .extension()
        .and_then(|extension| extension.to_str());
    let known = matches!(
        extension,
        Some("html" | "md" | "rs" | "sql" | "toml" | "yml")
    );
    let inside = text
        .split_once('/')
        .is_some_and(|(top, _)| !top.is_empty() && root().join(top).is_dir());
    !text.starts_with('/') && !text.contains([' ', ':', '*', '…']) && (known || inside)
}

/// The functions, types and settings that do not exist, or not where the README says.
pub fn items(readme: &Readme) -> Vec<String> {
    let mut problems = Vec::new();
    for (number, line) in &readme.prose {
        for (before, _, path) in links_of(line).filter(|(_, _, path)| is_path(path)) {
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
            let source = fs::read_to_string(root().join(path)).unwrap_or_default();
            let missing = names.filter(|name| !defines(&source, name));
            problems
                .extend(missing.map(|name| format!("README.md:{number}: {path} has no `{name}`")));
        }
    }
    let sources = sources(&CRATES, &["src", "examples", "templates"]).concat();
    for (number, name) in readme.spans() {
        // One lower-case word can be anything.
        let ours =
            is_name(name) && name.contains(|c: char| c.is_uppercase() || c == '_' || c == ':');
        if ours && !name.split("::").all(|part| has_word(&sources, part)) {
            problems.push(format!(
                "README.md:{number}: there is no `{name}` in the code"
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

fn has_word(text: &str, word: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(part_of_word) && !text[at + word.len()..].starts_with(part_of_word)
    })
}

/// The files in these folders of these crates.
fn sources(crates: &[&str], folders: &[&str]) -> Vec<String> {
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

/// The routes of the servers that are not in the README, and those in the README that are none.
pub fn routes(readme: &Readme) -> Vec<String> {
    let mut problems = Vec::new();
    let prose = readme.prose.iter().map(|(_, line)| &**line);
    let text = prose.chain(readme.blocks.iter().map(|block| &*block.text));
    let text = text.collect::<Vec<_>>().join("\n");
    for server in SERVERS {
        let source = sources(&[server], &["src"]).concat();
        let code = source.lines().filter(|line| !line.starts_with("//"));
        let source = code.collect::<Vec<_>>().join("\n");
        let routes = source
            .split(".route(\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        let missing = routes.filter(|route| !names_route(&text, route));
        problems.extend(missing.map(|route| format!("README.md: {route} of {server} is missing")));
    }

    let known = sources(&CRATES, &["src", "examples"]).concat();
    let known: Vec<_> = known
        .split('"')
        .filter(|text| text.starts_with('/'))
        .collect();
    let in_spans = readme.spans().map(|(line, span)| {
        let without_method = span.strip_prefix("GET ").or(span.strip_prefix("POST "));
        (line, without_method.unwrap_or(span))
    });
    let opened = readme.prose.iter().flat_map(|(line, text)| {
        text.split("<http://127.0.0.1:5000")
            .skip(1)
            .map(|rest| (*line, rest))
    });
    for (line, path) in in_spans
        .chain(opened)
        .filter(|(_, path)| path.starts_with('/'))
    {
        let path = path.split(['?', '#', ' ', '>']).next().unwrap_or_default();
        if !known
            .iter()
            .any(|route| is_route(path.trim_end_matches('/'), route))
        {
            problems.push(format!("README.md:{line}: no server has `{path}`"));
        }
    }
    problems
}

/// Whether a text has this route, as a whole: in backticks, after a method or in a URL.
fn names_route(text: &str, route: &str) -> bool {
    text.match_indices(route).any(|(at, _)| {
        let before = text[..at].chars().next_back().unwrap_or(' ');
        let after = text[at + route.len()..].chars().next().unwrap_or(' ');
        (before.is_ascii_digit() || before == '`' || before == ' ')
            && !(after.is_alphanumeric() || matches!(after, '_' | '/' | '{'))
    })
}

/// Whether a path is of this route, or is the end of it: the README leaves out the `/api` of Discord.
fn is_route(path: &str, route: &str) -> bool {
    let route = route.trim_end_matches('/');
    let mut parts = path.split('/').zip(route.split('/'));
    let same_length = path.split('/').count() == route.split('/').count();
    route.ends_with(path)
        || same_length && parts.all(|(part, of)| part == of || of.starts_with('{'))
}

/// The Cargo examples whose command is not in the README.
pub fn examples(readme: &Readme) -> Vec<String> {
    let mut problems = Vec::new();
    for package in SERVERS {
        let Ok(entries) = fs::read_dir(root().join(package).join("examples")) else {
            continue;
        };
        let paths = entries.map(|entry| entry.expect("an entry").path());
        // The rules of Cargo: a file, or a folder with a `main.rs`.
        let examples = paths.filter(|path| {
            path.extension().is_some_and(|extension| extension == "rs")
                || path.join("main.rs").exists()
        });
        for example in examples {
            let name = example.file_stem().expect("a name").display().to_string();
            let command = format!("cargo run -p {package} --example {name}");
            if !readme
                .blocks
                .iter()
                .any(|block| has_word(&block.text, &command))
            {
                problems.push(format!("README.md: nothing shows `{command}`"));
            }
        }
    }
    problems
}
