//! `.github/CHECKS.md`: each row is covered by a test that names it, or is an exception with a reason.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// The rows that are covered, each by these files.
type Covered = BTreeMap<usize, BTreeSet<String>>;

const CHECKS: &str = include_str!("../../../.github/CHECKS.md");
const SECURITY: &str = include_str!("../../../.github/SECURITY.md");

/// The numbers in the first column of the tables in a text.
fn rows(text: &str) -> Vec<usize> {
    let number = |line: &str| line.strip_prefix("| ")?.split_once(" |")?.0.parse().ok();
    text.lines().filter_map(number).collect()
}

/// The table and the exceptions.
fn parts() -> (&'static str, &'static str) {
    CHECKS
        .split_once("\n## Exceptions\n")
        .expect("a list of exceptions")
}

/// The rows that a comment names: `// check 17`, `// checks 17, 18: and why`.
fn named(line: &str) -> Vec<usize> {
    let comment = line.trim_start().strip_prefix("// check");
    let Some(list) = comment.map(|rest| rest.strip_prefix('s').unwrap_or(rest)) else {
        return Vec::new();
    };
    let Some(list) = list.strip_prefix(' ') else {
        return Vec::new();
    };
    let list = list.split(':').next().unwrap_or_default();
    list.split(", ")
        .map(|number| number.trim().parse().unwrap_or(0))
        .collect()
}

/// The sources of the workspace, by their path in it.
fn sources() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root.canonicalize().expect("the workspace");
    let mut sources = BTreeMap::new();
    for package in ["basic", "sessions", "first_party", "common"] {
        for folder in ["tests", "src", "examples"] {
            read(&root.join(package).join(folder), &root, &mut sources);
        }
    }
    // What basic and sessions run over their own apps.
    read(&root.join("common/testing/flow"), &root, &mut sources);
    sources
}

fn read(folder: &Path, root: &Path, sources: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            read(&path, root, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path
                .strip_prefix(root)
                .expect("below the root")
                .to_string_lossy();
            let source = fs::read_to_string(&path).expect("a file in UTF-8");
            sources.insert(name.replace('\\', "/"), source);
        }
    }
}

fn covered() -> Covered {
    let mut covered = Covered::new();
    for (name, source) in sources() {
        for number in source.lines().flat_map(named) {
            covered.entry(number).or_default().insert(name.clone());
        }
    }
    covered
}

#[test]
fn the_table_has_each_row_once_and_in_order() {
    assert_eq!(rows(parts().0), (1..=158).collect::<Vec<_>>());
    for line in parts().0.lines().filter(|line| rows(line).len() == 1) {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(cells.len(), 4, "{line}");
        assert!(
            cells[1]
                .split(' ')
                .all(|server| ["B", "S", "F"].contains(&server)),
            "{line}"
        );
        assert!(cells.iter().all(|cell| !cell.is_empty()), "{line}");
    }
}

#[test]
fn each_row_is_covered_or_an_exception_with_a_reason() {
    let (covered, exceptions) = (covered(), rows(parts().1));
    let mut missing = Vec::new();
    for row in 1..=158 {
        let files = covered
            .get(&row)
            .map(|files| files.iter().cloned().collect::<Vec<_>>());
        let is_exception = exceptions.contains(&row);
        println!(
            "{row:>3} {}",
            match &files {
                Some(files) => files.join(" "),
                None if is_exception => "an exception".into(),
                None => "not covered".into(),
            }
        );
        if files.is_none() && !is_exception {
            missing.push(row);
        }
    }
    println!(
        "{} rows are covered, {} are exceptions",
        covered.len(),
        exceptions.len()
    );
    assert_eq!(missing, [0; 0], "these rows are covered by no test");
    let needless: Vec<_> = exceptions
        .iter()
        .filter(|row| covered.contains_key(row))
        .collect();
    assert_eq!(needless, [&0; 0], "these exceptions are covered");
}

#[test]
fn no_comment_names_a_row_that_does_not_exist() {
    for (row, files) in covered() {
        assert!((1..=158).contains(&row), "{row} in {files:?}");
    }
    assert!(rows(parts().1).iter().all(|row| (1..=158).contains(row)));
}

#[test]
fn a_comment_is_read_as_it_is_meant() {
    assert_eq!(named("// check 17"), [17]);
    assert_eq!(named("    // checks 17, 18: and why, at length"), [17, 18]);
    assert_eq!(named("// checks 17 18"), [0], "and no such row exists");
    assert_eq!(named("// check that"), [0]);
    assert_eq!(named("// checked"), [0; 0]);
    assert_eq!(
        named("let x = 1; // check 17"),
        [0; 0],
        "a comment stands before its test"
    );
}

#[test]
fn each_proof_and_each_file_that_the_threat_model_names_exists() {
    let sources: String = sources().into_values().collect();
    let tables = SECURITY.lines().filter(|line| line.starts_with("| "));
    let names = tables.flat_map(|line| line.split('`').skip(1).step_by(2));
    let names: Vec<_> = names
        .filter(|name| name.matches('_').count() >= 3)
        .collect();
    assert!(names.len() > 80, "{}", names.len());
    for name in names {
        assert!(
            sources.contains(&format!("fn {name}(")),
            "no test is called {name}"
        );
    }
    let github = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.github");
    for link in SECURITY
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
    {
        if !link.starts_with("https:") && !link.starts_with('#') {
            assert!(github.join(link).exists(), "{link}");
        }
    }
}
