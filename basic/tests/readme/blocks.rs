//! The parts of the README: blocks of code, and the prose between them.

use serde_json::{Deserializer, Value};

pub struct Readme {
    pub blocks: Vec<Block>,
    /// The lines outside of blocks, by their numbers.
    pub prose: Vec<(usize, String)>,
}

pub struct Block {
    /// The number of its first line.
    pub line: usize,
    /// The `## ` heading that it stands under: commands of one section share a shell.
    pub section: String,
    pub language: String,
    pub text: String,
    /// The line before it.
    pub before: String,
    /// Whether there is nothing between the block before and this.
    pub follows: bool,
}

impl Readme {
    pub fn parse(text: &str) -> Self {
        let mut readme = Self {
            blocks: Vec::new(),
            prose: Vec::new(),
        };
        let (mut section, mut before, mut follows) = (String::new(), "", false);
        let mut lines = (1..).zip(text.lines());
        while let Some((number, line)) = lines.next() {
            if let Some(language) = line.trim_start().strip_prefix("```") {
                // In a list, a block is indented as its fence is.
                let indent = &line[..line.len() - line.trim_start().len()];
                let inside = lines
                    .by_ref()
                    .map(|(_, line)| line.strip_prefix(indent).unwrap_or(line));
                let inside: Vec<_> = inside.take_while(|line| !line.starts_with("```")).collect();
                readme.blocks.push(Block {
                    line: number + 1,
                    section: section.clone(),
                    language: language.to_owned(),
                    text: inside.join("\n"),
                    before: before.trim().to_owned(),
                    follows,
                });
                (before, follows) = ("", true);
                continue;
            }
            if let Some(heading) = line.strip_prefix("## ") {
                heading.clone_into(&mut section);
            }
            follows &= line.trim().is_empty();
            before = line;
            readme.prose.push((number, line.to_owned()));
        }
        readme
    }

    /// What stands in backticks in the prose, by its line.
    pub fn spans(&self) -> impl Iterator<Item = (usize, &str)> {
        let spans = |line: &str| line.matches('`').count();
        self.prose.iter().flat_map(move |(number, line)| {
            assert!(
                spans(line) % 2 == 0,
                "README.md:{number}: a backtick without its second"
            );
            line.split('`')
                .skip(1)
                .step_by(2)
                .map(|span| (*number, span))
        })
    }
}

/// Whether this is what a block shows; else the index of the first shown line that it is not.
pub fn compare(block: &Block, printed: &str) -> Result<(), usize> {
    if block.language == "json" {
        return if compare_json(&block.text, printed) {
            Ok(())
        } else {
            Err(0)
        };
    }
    compare_lines(&block.text, printed)
}

/// A line that is `…` alone stands for any lines, also none.
fn compare_lines(shown: &str, printed: &str) -> Result<(), usize> {
    let mut printed = printed
        .trim()
        .lines()
        .map(|line| line.trim_end_matches('\r'));
    let mut any = false;
    for (index, line) in shown.lines().enumerate() {
        if line == "…" {
            any = true;
            continue;
        }
        let like = |printed: &str| is_like(line, printed);
        let found = if any {
            printed.any(like)
        } else {
            printed.next().is_some_and(like)
        };
        if !found {
            return Err(index);
        }
        any = false;
    }
    if any || printed.next().is_none() {
        Ok(())
    } else {
        Err(shown.lines().count())
    }
}

/// The order of members means nothing in JSON, and differs with the features that `serde_json` is
/// built with.
fn compare_json(shown: &str, printed: &str) -> bool {
    // Outside of quotes, `…` is any number: quoted twice, to tell it from a text.
    let mut shown: Vec<_> = shown.split('"').map(str::to_owned).collect();
    for outside in shown.iter_mut().step_by(2) {
        *outside = outside.replace('…', "\"……\"");
    }
    let values = |text: &str| {
        let values = Deserializer::from_str(text).into_iter::<Value>();
        values.collect::<Result<Vec<_>, _>>().map(Value::Array)
    };
    match (values(&shown.join("\"")), values(printed)) {
        (Ok(shown), Ok(printed)) => is_like_json(&shown, &printed),
        _ => false,
    }
}

fn is_like_json(shown: &Value, printed: &Value) -> bool {
    match (shown, printed) {
        (Value::String(shown), printed) if shown == "……" => printed.is_number(),
        (Value::String(shown), Value::String(printed)) => is_like(shown, printed),
        (Value::Array(shown), Value::Array(printed)) => {
            let mut pairs = shown.iter().zip(printed);
            shown.len() == printed.len()
                && pairs.all(|(shown, printed)| is_like_json(shown, printed))
        }
        (Value::Object(shown), Value::Object(printed)) => {
            let like = |(name, shown)| {
                printed
                    .get(name)
                    .is_some_and(|printed| is_like_json(shown, printed))
            };
            shown.len() == printed.len() && shown.iter().all(like)
        }
        (shown, printed) => shown == printed,
    }
}

/// Of these lines, the index of the first that is not in the log after the one before it.
pub fn find_in_log(excerpt: &str, log: &str) -> Option<usize> {
    let mut log = log.lines();
    excerpt
        .lines()
        .position(|line| !log.any(|logged| is_like(line, logged)))
}

/// Whether a line is what is shown, where `…` stands for one or more characters of one value: a
/// quote, a comma or an ampersand begins another, and that would be one more than is shown.
fn is_like(shown: &str, printed: &str) -> bool {
    let Some((before, after)) = shown.split_once('…') else {
        return shown == printed;
    };
    let Some(printed) = printed.strip_prefix(before) else {
        return false;
    };
    let value = printed.find(['"', ',', '&']).unwrap_or(printed.len());
    (1..=value).any(|end| printed.is_char_boundary(end) && is_like(after, &printed[end..]))
}
