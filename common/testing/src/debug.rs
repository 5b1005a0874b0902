//! What `{:?}` shows of the types that can hold a secret: a test prints them all, and none may be
//! missing.

use std::{
    any::type_name,
    collections::BTreeSet,
    fmt::{Debug, Write},
    fs,
    path::Path,
};

/// What was printed so far.
#[derive(Default)]
pub struct Printed {
    types: BTreeSet<String>,
    text: String,
}

impl Printed {
    /// Prints a value that has secrets in it.
    ///
    /// # Panics
    /// When it cannot be printed.
    pub fn add<T: Debug>(&mut self, value: &T) {
        let path = type_name::<T>().split('<').next().unwrap_or_default();
        let name = path.rsplit("::").next().unwrap_or_default();
        self.types.insert(name.to_owned());
        write!(self.text, "{value:?}\n{value:#?}\n").expect("it can be printed");
    }

    /// Asserts that none of these was shown.
    ///
    /// # Panics
    /// When one was.
    pub fn assert_hides(&self, secrets: &[&str]) {
        for secret in secrets {
            let is_shown = self.text.contains(secret);
            assert!(!is_shown, "{secret} is shown:\n{}", self.text);
        }
    }

    /// Asserts that each type of a package that has a `Debug` and can hold a secret was printed,
    /// alone or inside another, or is listed as an exception with a reason.
    ///
    /// # Panics
    /// When one was not, or when an exception is needless.
    pub fn assert_has_all_of(&self, package: &Path, exceptions: &[(&str, &str)]) {
        let needed: BTreeSet<_> = ["src", "examples"]
            .iter()
            .flat_map(|folder| types_in(&package.join(folder)))
            .collect();
        assert!(!needed.is_empty(), "no types in {}", package.display());
        let is_exception = |name: &str| exceptions.iter().any(|(known, _)| *known == name);
        let missing: Vec<_> = needed
            .iter()
            .filter(|name| !self.has(name) && !is_exception(name))
            .collect();
        assert!(
            missing.is_empty(),
            "no test prints these types of {}, which can hold a secret: {missing:?}",
            package.display()
        );
        for (name, _) in exceptions {
            let is_needed = needed.contains(*name) && !self.has(name);
            assert!(is_needed, "{name} needs to be no exception");
        }
    }

    fn has(&self, name: &str) -> bool {
        let inside = [" {", "("].map(|open| format!("{name}{open}"));
        let is_inside = |start: &String| {
            self.text.match_indices(start.as_str()).any(|(at, _)| {
                let before = self.text[..at].chars().next_back();
                before.is_none_or(|before| !before.is_alphanumeric())
            })
        };
        self.types.contains(name) || inside.iter().any(is_inside)
    }
}

/// The names of the types in a folder that have a `Debug` and can hold a secret.
fn types_in(folder: &Path) -> BTreeSet<String> {
    let mut types = BTreeSet::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            types.extend(types_in(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).expect("a file in UTF-8");
            types.extend(types_of(&source));
        }
    }
    types
}

/// The same of one source, formatted as rustfmt does it.
fn types_of(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines: Vec<_> = source.lines().collect();
    let mut types = Vec::new();
    let mut derives_debug = false;
    for (at, line) in lines.iter().enumerate() {
        if let Some((_, name)) = line.split_once("Debug for ") {
            // Written by hand because there is something to hide.
            types.push(word(name).to_owned());
        } else if let Some(name) = item(line) {
            if derives_debug && can_hold_a_secret(&lines[at..]) {
                types.push(name.to_owned());
            }
            derives_debug = false;
        }
        derives_debug |= line.contains("derive(") && line.contains("Debug");
    }
    types
}

/// The name of the type that begins in this line.
fn item(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = match line.strip_prefix("pub") {
        Some(rest) => rest.split_once(' ')?.1,
        None => line,
    };
    let name = line
        .strip_prefix("struct ")
        .or_else(|| line.strip_prefix("enum "));
    name.map(word)
}

fn word(text: &str) -> &str {
    let is_no_part = |c: char| !c.is_alphanumeric() && c != '_';
    text.split(is_no_part).next().unwrap_or_default()
}

/// Whether a field of the type that begins here can be more than a number or a constant string.
fn can_hold_a_secret(lines: &[&str]) -> bool {
    let indent = lines[0].len() - lines[0].trim_start().len();
    let is_end = |line: &&str| line.trim() == "}" && line.len() == indent + 1;
    let is_whole = lines[0].ends_with(';') || lines[0].ends_with('}');
    let lines = if is_whole {
        &lines[..1]
    } else {
        let end = lines.iter().position(is_end).unwrap_or(lines.len());
        &lines[..end]
    };
    lines.iter().any(|line| fields(line).any(is_open))
}

/// The types of the fields in a line: those behind a colon, and those in the parentheses of a tuple.
fn fields(line: &str) -> impl Iterator<Item = &str> {
    let line = line.trim();
    let is_code = !line.starts_with("//") && !line.starts_with('#');
    let line = if is_code { line } else { "" };
    let named = line.split_once(": ").map(|(_, types)| types);
    let tuple = line.split_once('(').map(|(_, types)| types);
    let tuple = tuple.filter(|_| !line.starts_with("pub("));
    named.into_iter().chain(tuple)
}

/// Whether one of these types can hold a string.
fn is_open(types: &str) -> bool {
    const CLOSED: [&str; 22] = [
        "Option",
        "Vec",
        "Arc",
        "Mutex",
        "Duration",
        "Instant",
        "SocketAddr",
        "StatusCode",
        "AtomicUsize",
        "bool",
        "char",
        "u8",
        "u16",
        "u32",
        "u64",
        "usize",
        "i32",
        "i64",
        "f64",
        "pub",
        "crate",
        "super",
    ];
    let types = types.replace("&'static str", "");
    let words = types.split(|c: char| !c.is_alphanumeric() && c != '_');
    let mut words = words.filter(|word| word.starts_with(char::is_alphabetic));
    words.any(|word| !CLOSED.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_that_can_hold_a_secret_is_found() {
        for found in [
            "#[derive(Clone, Debug)]\npub struct Found {\n    id: u64,\n    /// It.\n    code: String,\n}",
            "#[derive(Debug, Default)]\nstruct Found(pub Option<Token>);",
            "#[derive(Debug)]\n#[serde(x)]\npub(crate) struct Found<T> {\n    inside: T,\n}",
            "#[derive(Debug)]\nenum Found {\n    One,\n    Two(Cow<'static, str>),\n}",
            "struct Found;\nimpl<V> fmt::Debug for Found<V> {",
            "mod inner {\n    #[derive(Debug)]\n    struct Found {\n        at: &'a str,\n    }\n}",
        ] {
            assert_eq!(types_of(found), ["Found"], "{found}");
        }
        for other in [
            "#[derive(Clone)]\npub struct Other {\n    code: String,\n}",
            "#[derive(Debug)]\npub struct Other {\n    id: u64,\n    what: [&'static str; 3],\n}",
            "#[derive(Debug)]\npub struct Other;",
            "#[derive(Debug)]\nenum Other {\n    /// Code: String\n    One,\n    Two(u8),\n}",
            "#[cfg(test)]\nmod tests {\n    #[derive(Debug)]\n    struct Other(String);\n}",
        ] {
            assert_eq!(types_of(other), [""; 0], "{other}");
        }
    }

    #[test]
    #[should_panic(expected = "hunter2 is shown")]
    fn a_secret_that_is_shown_is_found() {
        let mut printed = Printed::default();
        printed.add(&Some("hunter2"));
        printed.assert_hides(&["hunter2"]);
    }
}
