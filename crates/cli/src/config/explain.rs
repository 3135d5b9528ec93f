//! What deserialising refused, in the words of the key table.
//!
//! Serde says "unknown field `a`, expected one of `b`, `c`" or "invalid type: string \"x\", expected f64"; the names
//! are taken from its message, the accepted values from [`keys`].

use super::diagnostic::{Problem, Text};
use super::document::path_at;
use super::keys;
use std::ops::Range;
use toml::de::DeTable;

/// The problem behind an error of deserialising.
pub fn explain(error: &toml::de::Error, document: &DeTable<'_>, text: &Text) -> Problem {
    let span = error.span().filter(|span| !span.is_empty());
    let path = span.as_ref().and_then(|span| path_at(document, span)).unwrap_or_default();
    let message = error.message();
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    match names.split_first() {
        Some((found, expected)) if message.starts_with("unknown field") => {
            unknown_key(found, expected, &path, span)
        }
        Some((found, expected)) if message.starts_with("unknown variant") => {
            unknown_choice(found, expected, &path, span)
        }
        _ => wrong_type(message, &path, span, text),
    }
}

fn unknown_key(found: &str, expected: &[&str], path: &str, span: Option<Range<usize>>) -> Problem {
    let table = path.strip_suffix(found).map_or("", |table| table.trim_end_matches('.'));
    let place = match table {
        "" => "the config".to_owned(),
        _ => format!("[{table}]"),
    };
    let problem = Problem::new(format!("{place} has no key `{found}`")).at(span, "unknown key");
    // The parameters of a choice are its own, whatever other tables have a key of this name.
    let of_choice = table.rsplit_once('.').is_some_and(|(choice, _)| keys::find(choice).is_some());
    let elsewhere = if of_choice { Vec::new() } else { keys::tables_with(found) };
    if let Some(name) = keys::nearest(found, expected.iter().copied()) {
        problem.help(format!("did you mean `{name}`?"))
    } else if !elsewhere.is_empty() {
        let tables: Vec<String> = elsewhere.iter().map(|table| format!("[{table}]")).collect();
        problem.help(format!("`{found}` belongs into {}", tables.join(" or ")))
    } else {
        problem.help(format!("accepted here: {}", quoted(expected)))
    }
}

fn unknown_choice(found: &str, expected: &[&str], path: &str, span: Option<Range<usize>>) -> Problem {
    // The place of `{ name = { .. } }` is that of the name, which is one step too deep.
    let key = path.strip_suffix(&format!(".{found}")).unwrap_or(path);
    let problem = Problem::new(format!("`{key}` cannot be `{found}`")).at(span, "unknown choice");
    let problem = match keys::nearest(found, expected.iter().copied()) {
        Some(name) => problem.help(format!("did you mean `{name}`?")),
        None => problem,
    };
    problem.help(format!("accepted: {}", accepted(key).unwrap_or_else(|| quoted(expected))))
}

fn wrong_type(message: &str, path: &str, span: Option<Range<usize>>, text: &Text) -> Problem {
    let found = span.as_ref().map_or_else(String::new, |span| text.excerpt(span));
    match accepted(path) {
        Some(accepted) if message.contains("newtype variant") => {
            Problem::new(format!("`{path}` = {found} lacks its parameters"))
                .at(span, "parameters stand in a table")
                .help(format!("accepted: {accepted}"))
        }
        Some(accepted) if message.contains("exactly 1 element") => {
            Problem::new(format!("`{path}` takes exactly one choice"))
                .at(span, message.replace("wanted exactly 1 element, ", ""))
                .help(format!("accepted: {accepted}"))
        }
        Some(accepted) => {
            let is_text = ["string", "file ="].iter().any(|words| accepted.contains(words));
            let quotes = found.starts_with(['"', '\'']) && !is_text;
            let hint = if quotes {
                "; take the quotes off"
            } else if found.parse::<i128>().is_ok_and(|integer| i64::try_from(integer).is_err()) {
                "; integers end at 2^63 - 1"
            } else {
                ""
            };
            Problem::new(format!("`{path}` cannot be {found}"))
                .at(span, format!("accepted: {accepted}"))
                .help(format!("`{path}`: {}{hint}", meaning(path)))
        }
        None => Problem::new(format!("`{path}` cannot be {found}")).at(span, message),
    }
}

/// Accepted values of a key; of a parameter's table, those of its choice.
fn accepted(path: &str) -> Option<String> {
    keys::find(path).or_else(|| keys::find(path.rsplit_once('.')?.0)).map(|key| key.accepts.sentence())
}

fn meaning(path: &str) -> &'static str {
    keys::find(path).or_else(|| keys::find(path.rsplit_once('.')?.0)).map_or("", keys::Key::gist)
}

fn quoted(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
