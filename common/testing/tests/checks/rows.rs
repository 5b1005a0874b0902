//! `.github/CHECKS.md`: its rows, those that are open, and the exceptions.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

const CHECKS: &str = include_str!("../../../../.github/CHECKS.md");

/// The three servers, and the examples that are servers of their own.
pub const SERVERS: [char; 5] = ['B', 'S', 'F', 'A', 'R'];

/// The repository.
pub fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the workspace")
}

/// A row of a table that begins with its number and its servers.
#[derive(Debug)]
pub struct Row {
    pub number: usize,
    pub servers: Vec<char>,
    pub cells: Vec<&'static str>,
}

impl Row {
    fn parse(line: &'static str) -> Option<Self> {
        let line = line.strip_prefix("| ")?.strip_suffix(" |")?;
        let cells: Vec<_> = line.split(" | ").collect();
        let number = cells[0].parse().ok()?;
        let names = cells.get(1)?.split(' ');
        let server = |name: &str| name.parse().unwrap_or('?');
        Some(Self {
            number,
            servers: names.map(server).collect(),
            cells,
        })
    }
}

/// The checks.
pub fn all() -> Vec<Row> {
    rows(section("# Checks", "## Open"))
}

/// What has to be proven: each row for each of its servers.
pub fn needed() -> BTreeSet<(usize, char)> {
    pairs(&all())
}

/// What no test proves yet.
pub fn open() -> BTreeSet<(usize, char)> {
    pairs(&rows(section("## Open", "## Exceptions")))
}

/// What no test here can prove.
pub fn exceptions() -> BTreeSet<(usize, char)> {
    pairs(&rows(section("## Exceptions", "\0")))
}

/// The table of these, as it stands in the document.
pub fn table(pairs: &BTreeSet<(usize, char)>) -> String {
    let rows: BTreeSet<_> = pairs.iter().map(|(row, _)| row).collect();
    let line = |row: &usize| {
        let is_open = |server: &char| pairs.contains(&(*row, *server));
        let servers: Vec<_> = SERVERS.into_iter().filter(is_open).collect();
        let servers: Vec<_> = servers.iter().map(char::to_string).collect();
        format!("| {row} | {} |\n", servers.join(" "))
    };
    rows.into_iter().map(line).collect()
}

fn section(begin: &str, end: &str) -> &'static str {
    let (_, section) = CHECKS.split_once(begin).expect("such a section");
    section.split(end).next().unwrap_or_default()
}

fn rows(text: &'static str) -> Vec<Row> {
    text.lines().filter_map(Row::parse).collect()
}

fn pairs(rows: &[Row]) -> BTreeSet<(usize, char)> {
    let pairs = |row: &Row| {
        row.servers
            .iter()
            .map(|server| (row.number, *server))
            .collect::<Vec<_>>()
    };
    rows.iter().flat_map(pairs).collect()
}
