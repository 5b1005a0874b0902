//! What a README shows against what was printed: `…` stands for whatever differs each time.

use serde_json::{Deserializer, Value};

use crate::blocks::Block;

/// Whether the block shows what was printed; if not, the index of its first line that differs.
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

/// A line that is only `…` stands for any number of lines, including none.
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

/// The order of members means nothing in JSON, and depends on the features that `serde_json` is
/// built with.
fn compare_json(shown: &str, printed: &str) -> bool {
    // Outside of quotes, `…` is any number: quoted twice, to tell it from a string.
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

/// The index of the first of these lines that the log does not have after the previous one.
pub fn find_in_log(excerpt: &str, log: &str) -> Option<usize> {
    let mut log = log.lines();
    excerpt
        .lines()
        .position(|line| !log.any(|logged| is_like(line, logged)))
}

/// Whether a line is the one shown, where `…` stands for one or more characters of one value: a
/// quote, a comma or an ampersand begins another value, and the README would have to show that.
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
