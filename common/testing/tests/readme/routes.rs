//! Routes and examples: the READMEs show all of them, and no others.

use std::fs;

use crate::{
    SERVERS,
    blocks::Readme,
    names::{CRATES, has_word, sources},
    root,
};

/// The routes that no README shows, and those shown that no server has.
pub fn problems(readmes: &[Readme]) -> Vec<String> {
    let mut problems = missing(readmes);
    for readme in readmes {
        problems.append(&mut unknown(readme));
    }
    problems
}

fn missing(readmes: &[Readme]) -> Vec<String> {
    let prose = readmes.iter().flat_map(|readme| &readme.prose);
    let blocks = readmes.iter().flat_map(|readme| &readme.blocks);
    let lines = prose.map(|(_, line)| &**line);
    let text: Vec<_> = lines.chain(blocks.map(|block| &*block.text)).collect();
    let text = text.join("\n");
    let mut problems = Vec::new();
    for server in SERVERS {
        let source = sources(&[server], &["src"]).concat();
        let code = source.lines().filter(|line| !line.starts_with("//"));
        let source = code.collect::<Vec<_>>().join("\n");
        let routes = source
            .split(".route(\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        let missing = routes.filter(|route| !names_route(&text, route));
        problems.extend(missing.map(|route| format!("no README shows {route} of {server}")));
    }
    problems
}

fn unknown(readme: &Readme) -> Vec<String> {
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
    let shown = in_spans
        .chain(opened)
        .filter(|(_, path)| path.starts_with('/'))
        .map(|(line, path)| (line, path.split(['?', '#', ' ', '>']).next().unwrap_or("")));
    let is_known = |path: &str| known.iter().any(|route| is_route(path, route));
    shown
        .filter(|(_, path)| !is_known(path.trim_end_matches('/')))
        .map(|(line, path)| format!("{}: no server has `{path}`", readme.at(line)))
        .collect()
}

/// Whether a text names this whole route: in backticks, after a method or in a URL.
fn names_route(text: &str, route: &str) -> bool {
    text.match_indices(route).any(|(at, _)| {
        let before = text[..at].chars().next_back().unwrap_or(' ');
        let after = text[at + route.len()..].chars().next().unwrap_or(' ');
        (before.is_ascii_digit() || before == '`' || before == ' ')
            && !(after.is_alphanumeric() || matches!(after, '_' | '/' | '{'))
    })
}

/// Whether a path belongs to this route or ends it: the README leaves out the `/api` of Discord.
fn is_route(path: &str, route: &str) -> bool {
    let route = route.trim_end_matches('/');
    let mut parts = path.split('/').zip(route.split('/'));
    let same_length = path.split('/').count() == route.split('/').count();
    route.ends_with(path)
        || same_length && parts.all(|(part, of)| part == of || of.starts_with('{'))
}

/// The Cargo examples whose command is in no README.
pub fn examples(readmes: &[Readme]) -> Vec<String> {
    let blocks: Vec<_> = readmes.iter().flat_map(|readme| &readme.blocks).collect();
    let mut problems = Vec::new();
    for package in SERVERS {
        let Ok(entries) = fs::read_dir(root().join(package).join("examples")) else {
            continue;
        };
        let paths = entries.map(|entry| entry.expect("an entry").path());
        // Cargo's rule: a file, or a folder with a `main.rs`.
        let examples = paths.filter(|path| {
            path.extension().is_some_and(|extension| extension == "rs")
                || path.join("main.rs").exists()
        });
        for example in examples {
            let name = example.file_stem().expect("a name").display().to_string();
            let command = format!("cargo run -p {package} --example {name}");
            if !blocks.iter().any(|block| has_word(&block.text, &command)) {
                problems.push(format!("no README shows `{command}`"));
            }
        }
    }
    problems
}
