//! The tests of the workspace, and which rows they prove for which server.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use crate::rows::{SERVERS, root};

/// The tests behind each row of each server.
pub type Proven = BTreeMap<(usize, char), BTreeSet<String>>;

/// What a comment such as `// checks 17, 18` says, and the test right below it.
#[derive(Debug, PartialEq, Eq)]
pub struct Proof<'a> {
    pub rows: Vec<usize>,
    /// The servers that the comment names, as in `// check 230 for B S`: `B S`.
    pub servers: Option<&'a str>,
    /// None: the comment is above something else, and proves nothing.
    pub test: Option<&'a str>,
}

/// The proofs in one file.
pub fn proofs(source: &str) -> Vec<Proof<'_>> {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let mut proofs = Vec::new();
    for (at, line) in lines.iter().copied().enumerate() {
        if let Some((rows, servers)) = claim(line) {
            let test = test_below(&lines[at + 1..]);
            proofs.push(Proof {
                rows,
                servers,
                test,
            });
        }
    }
    proofs
}

/// The names of all tests in one file.
pub fn tests(source: &str) -> Vec<&str> {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let starts = (0..lines.len()).filter(|at| is_test(lines[*at]));
    starts.filter_map(|at| test_below(&lines[at..])).collect()
}

/// `// check 17`, `// checks 17, 18: why`, `// check 230 for B S: why`. A number that cannot be
/// read is row 0, which does not exist.
fn claim(line: &str) -> Option<(Vec<usize>, Option<&str>)> {
    let claim = line.strip_prefix("// check")?;
    let claim = claim.strip_prefix('s').unwrap_or(claim).strip_prefix(' ')?;
    let claim = claim.split(':').next().unwrap_or_default();
    let (rows, servers) = match claim.split_once(" for ") {
        Some((rows, servers)) => (rows, Some(servers)),
        None => (claim, None),
    };
    let rows = rows
        .split(", ")
        .map(|row| row.trim().parse().unwrap_or(0))
        .collect();
    Some((rows, servers))
}

/// The test whose attributes and comments begin here, without an empty line before its `fn`.
fn test_below<'a>(lines: &[&'a str]) -> Option<&'a str> {
    let name = |line: &&'a str| {
        let line = line.strip_prefix("async ").unwrap_or(line);
        Some(line.strip_prefix("fn ")?.split(['(', '<']).next()?.trim())
    };
    let lines = lines.iter().take_while(|line| !line.is_empty());
    let mut is_run = false;
    for line in lines {
        if let Some(name) = name(line) {
            return is_run.then_some(name);
        }
        if line.starts_with("#[ignore") {
            return None;
        }
        is_run |= is_test(line);
    }
    None
}

fn is_test(line: &str) -> bool {
    line == "#[test]" || line.starts_with("#[tokio::test]") || line.starts_with("#[tokio::test(")
}

/// The sources that can hold tests, by their path in the workspace.
pub fn sources() -> BTreeMap<String, String> {
    let mut sources = BTreeMap::new();
    for package in [
        "basic",
        "sessions",
        "first_party",
        "common",
        "common/testing",
    ] {
        for folder in ["tests", "src", "examples", "flow", "process", "browser"] {
            read(&root().join(package).join(folder), &mut sources);
        }
    }
    sources
}

fn read(folder: &Path, sources: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            read(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root()).expect("below the root");
            let name = name.to_string_lossy().replace('\\', "/");
            let source = fs::read_to_string(&path).expect("a file in UTF-8");
            sources.insert(name, source);
        }
    }
}

/// The servers that the tests of a file run on, unless a comment names others.
///
/// A test of `common` alone runs on none; one that several servers share, on all that include it.
pub fn servers_of(file: &str, sources: &BTreeMap<String, String>) -> BTreeSet<char> {
    let example = [
        ("authorization_server", 'A'),
        ("resource_server", 'A'),
        ("replicas", 'R'),
    ];
    let package = [("basic/", 'B'), ("sessions/", 'S'), ("first_party/", 'F')];
    if let Some((_, server)) = example.iter().find(|(name, _)| file.contains(name)) {
        return BTreeSet::from([*server]);
    }
    if let Some((_, server)) = package.iter().find(|(name, _)| file.starts_with(name)) {
        return BTreeSet::from([*server]);
    }
    let path = format!("#[path = \"../../{file}\"]");
    let including = sources.iter().filter(|(_, source)| source.contains(&path));
    including
        .flat_map(|(including, _)| servers_of(including, &BTreeMap::new()))
        .collect()
}

/// The tests behind each row and server, and what is wrong with the comments.
pub fn proven() -> (Proven, Vec<String>) {
    let (sources, mut proven, mut wrong) = (sources(), Proven::new(), Vec::new());
    for (file, source) in &sources {
        for proof in proofs(source) {
            let Some(test) = proof.test else {
                wrong.push(format!("{file}: {:?} is above no test", proof.rows));
                continue;
            };
            let servers = proof.servers.map(letters);
            let servers = servers.unwrap_or_else(|| servers_of(file, &sources));
            if !servers.iter().all(|server| SERVERS.contains(server)) {
                wrong.push(format!("{file}: {test} names no server"));
            }
            for (row, server) in product(&proof.rows, &servers) {
                let tests = proven.entry((row, server)).or_default();
                tests.insert(format!("{file}::{test}"));
            }
        }
    }
    (proven, wrong)
}

fn letters(names: &str) -> BTreeSet<char> {
    let letter = |name: &str| name.parse().unwrap_or('?');
    names.split(' ').map(letter).collect()
}

fn product(rows: &[usize], servers: &BTreeSet<char>) -> Vec<(usize, char)> {
    let of = |row: &usize| {
        servers
            .iter()
            .map(|server| (*row, *server))
            .collect::<Vec<_>>()
    };
    rows.iter().flat_map(of).collect()
}
