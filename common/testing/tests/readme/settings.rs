//! The settings that the servers have, against those in the READMEs and in `.env.example`.

use std::{collections::BTreeMap, path::Path, process::Command};

use crate::{SERVERS, blocks::Readme, built};

/// The settings of a program and their defaults, as its `--help` lists them.
pub fn settings_of(program: &Path) -> Vec<(String, String)> {
    let output = Command::new(program)
        .env_clear()
        .arg("--help")
        .output()
        .expect("it starts");
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    let settings = help.split("\n\n").filter_map(|entry| {
        let (name, rest) = entry.split_once('\n')?;
        let (_, default) = rest.trim_end().split_once("\n    Default: ")?;
        Some((name.to_owned(), default.strip_suffix('.')?.to_owned()))
    });
    settings.collect()
}

/// What is wrong in a README's table of settings and in the example of a `.env` file.
pub fn problems(readmes: &[Readme], file: &str) -> Vec<String> {
    let known = known();
    let has_table = |readme: &&Readme| table(readme).next().is_some();
    let in_readme = match readmes.iter().find(has_table) {
        Some(readme) => in_readme(readme, &known),
        None => vec!["no README has a table of settings".to_owned()],
    };
    [in_readme, in_file(file, &known)].concat()
}

/// The default of each setting, and the servers that have it.
type Known = BTreeMap<String, (String, Vec<&'static str>)>;

fn known() -> Known {
    let mut known = Known::new();
    for server in SERVERS {
        let settings = settings_of(&built(Path::new(server)));
        assert!(
            !settings.is_empty(),
            "--help of {server} lists its settings"
        );
        for (name, default) in settings {
            known
                .entry(name)
                .or_insert((default, Vec::new()))
                .1
                .push(server);
        }
    }
    known
}

/// The rows of the table of settings, with their lines.
fn table(readme: &Readme) -> impl Iterator<Item = &(usize, String)> {
    let from_head = readme
        .prose
        .iter()
        .skip_while(|(_, line)| !line.starts_with("| setting |"));
    from_head
        .take_while(|(_, line)| line.starts_with('|'))
        .skip(2)
}

fn in_readme(readme: &Readme, known: &Known) -> Vec<String> {
    let mut problems = Vec::new();
    let mut listed = Vec::new();
    for (number, row) in table(readme) {
        let mut cells = row.split('|').skip(1).map(str::trim);
        let mut cell = || cells.next().unwrap_or_default();
        let (name, servers, default) = (cell().trim_matches('`'), cell(), cell());
        listed.push((*number, name));
        let Some((known_default, known_servers)) = known.get(name) else {
            continue;
        };
        let known_servers = match known_servers[..] {
            [_, _, _] => "all".to_owned(),
            _ => format!("`{}`", known_servers.join("`, `")),
        };
        if (servers, default) != (&known_servers, known_default) {
            problems.push(format!(
                "{}: `{name}` | {known_servers} | {known_default} | is what the code says\n  \
                 shown:   {row}",
                readme.at(*number)
            ));
        }
    }
    problems.append(&mut names(&readme.file, &listed, known));
    problems
}

fn in_file(file: &str, known: &Known) -> Vec<String> {
    let mut problems = Vec::new();
    let mut listed = Vec::new();
    for (number, line) in (1..).zip(file.lines()) {
        let setting = line.trim_start_matches("# ").split_once('=');
        let Some((name, value)) = setting.filter(|(name, _)| !name.contains(' ')) else {
            continue;
        };
        listed.push((number, name));
        // A default of several words is a description, and the value an example.
        if let Some((default, _)) = known.get(name)
            && !default.contains(' ')
            && default != value
        {
            problems.push(format!(
                ".env.example:{number}: {name}={default} is what the code says\n  shown:   {line}"
            ));
        }
    }
    problems.append(&mut names(".env.example", &listed, known));
    problems
}

/// Settings that are not listed or are listed twice, and names that are not settings.
fn names(file: &str, listed: &[(usize, &str)], known: &Known) -> Vec<String> {
    let count = |name: &str| listed.iter().filter(|(_, listed)| *listed == name).count();
    let missing = known.keys().filter(|name| count(name) == 0);
    let missing = missing.map(|name| format!("{file}: `{name}` is not listed"));
    let unknown = listed.iter().filter(|(_, name)| !known.contains_key(*name));
    let unknown = unknown.map(|(number, name)| format!("{file}:{number}: `{name}` is no setting"));
    let twice = known.keys().filter(|name| count(name) > 1);
    let twice = twice.map(|name| format!("{file}: `{name}` stands twice"));
    missing.chain(unknown).chain(twice).collect()
}
