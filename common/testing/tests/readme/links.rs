//! The links and paths of a README.

use std::path::Path;

use crate::{blocks::Readme, read, root};

/// The links within the repository that lead nowhere.
pub fn problems(readme: &Readme) -> Vec<String> {
    let mut problems = Vec::new();
    for (number, line) in &readme.prose {
        for (_, text, target) in of_line(line).filter(|(_, _, target)| !target.contains("://")) {
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let what = if !readme.resolve(path).exists() {
                format!("the link leads nowhere: {target}")
            } else if !anchor.is_empty() && !has_heading(readme, path, anchor) {
                format!("there is no such heading: {target}")
            } else if is_path(text) && text.trim_end_matches('/') != path && !path.starts_with(text)
            {
                format!("the link says {text} and leads to {path}")
            } else {
                continue;
            };
            problems.push(format!("{}: {what}", readme.at(*number)));
        }
    }
    let paths = readme.spans().filter(|(_, span)| is_path(span));
    let missing =
        paths.filter(|(_, path)| !readme.resolve(path).exists() && !root().join(path).exists());
    problems
        .extend(missing.map(|(line, path)| format!("{}: there is no `{path}`", readme.at(line))));
    problems
}

/// The links of a line: what comes before each, its text, and its target.
pub fn of_line(line: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    line.match_indices("](").filter_map(|(middle, _)| {
        let start = line[..middle].rfind('[')?;
        let target = line[middle + 2..].split(')').next()?;
        Some((&line[..start], &line[start + 1..middle], target))
    })
}

/// Whether a document has a heading with this anchor, as GitHub makes them.
fn has_heading(readme: &Readme, path: &str, anchor: &str) -> bool {
    let other = (!path.is_empty()).then(|| {
        let path = readme.resolve(path);
        let path = path.strip_prefix(root()).unwrap_or(&path).display();
        Readme::parse("", &read(&path.to_string()))
    });
    let prose = &other.as_ref().unwrap_or(readme).prose;
    let mut headings = prose.iter().filter(|(_, line)| line.starts_with('#'));
    headings.any(|(_, line)| {
        let kept = line.trim_start_matches('#').trim().to_lowercase();
        let kept = kept
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let slug: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        slug == anchor
    })
}

/// Whether it is a path in this repository: by where it begins, or by what it ends with.
pub fn is_path(text: &str) -> bool {
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
