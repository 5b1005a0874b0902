//! The `.env` file.

use std::{
    collections::{HashMap, HashSet},
    fs,
    io::ErrorKind,
    path::Path,
};

use dotenvy::Error;

/// What a `.env` file sets.
#[derive(Default)]
pub(super) struct EnvFile {
    pub(super) vars: HashMap<String, String>,
    /// The names whose value is not exactly the text after the `=`: `$` is replaced, `#` begins a
    /// comment, quotes and backslashes have a meaning. A secret would be cut silently.
    pub(super) changed: HashSet<String>,
}

impl EnvFile {
    /// Reads a file that need not exist. An error is a name and what is wrong with it; the line is
    /// not quoted, as it may hold a secret.
    pub(super) fn read(path: &Path) -> Result<Self, (String, &'static str)> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(_) => return Err((".env".into(), "cannot be read")),
        };
        let vars: Result<HashMap<_, _>, _> = dotenvy::from_read_iter(text.as_bytes()).collect();
        let vars = vars.map_err(|error| match &error {
            Error::LineParse(part, _) => {
                let line = text.lines().find(|line| line.contains(part));
                match line.and_then(written) {
                    Some((name, _)) => (name.to_owned(), HAS_A_MEANING),
                    None => (".env".into(), "has a line that is not NAME=value"),
                }
            }
            _ => (".env".into(), "cannot be read"),
        })?;

        let written: HashMap<_, _> = text.lines().filter_map(written).collect();
        let is_changed = |(name, value): &(&String, &String)| {
            written.get(name.as_str()).copied() != Some(value.as_str())
        };
        let changed = vars.iter().filter(is_changed);
        let changed = changed.map(|(name, _)| name.clone()).collect();
        Ok(Self { vars, changed })
    }
}

/// What to do about such a value.
pub(super) const HAS_A_MEANING: &str = "has a character with a special meaning in .env files ($, #, a quote, \
                                        a backslash or a space); put the value in single quotes";

/// The name and the value of a line as they are written, without the quotes around the value.
fn written(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=')?;
    let value = value.trim();
    let in_quotes = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    let value = in_quotes('\'').or_else(|| in_quotes('"')).unwrap_or(value);
    Some((name.trim(), value))
}
