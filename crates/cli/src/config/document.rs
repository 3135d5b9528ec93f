//! The document of a config: the file's TOML with every `--set KEY=VALUE` put in its place.
//!
//! Each override is parsed behind as many blanks as the texts before it have bytes, so that its spans are
//! offsets into the one [`Text`], and a later error points into the file or into the override it comes from.

use super::diagnostic::{Problem, Text};
use super::keys;
use std::borrow::Cow;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A name of a dotted path, with its place.
type Name<'t> = Spanned<Cow<'t, str>>;

/// The texts of a config, laid out for parsing.
#[derive(Debug)]
pub struct Layout {
    file: String,
    overrides: Vec<Override>,
}

/// One `--set`, behind blanks.
#[derive(Debug)]
struct Override {
    /// Offset of its first byte.
    start: usize,
    /// Offset of the value, behind the first `=`, and the value without blanks around it.
    value: Option<(usize, String)>,
    /// Blanks, then the whole text.
    assignment: String,
    /// Blanks, then the key with a value of 0.
    key: String,
}

impl Layout {
    /// Appends the file and the overrides to `text`; `label` names the file in errors.
    pub fn new(text: &mut Text, label: &str, file: &str, overrides: &[String]) -> Self {
        text.push(label, file);
        let overrides = overrides.iter().map(|set| Override::new(text.push("--set", set), set)).collect();
        Layout { file: file.to_owned(), overrides }
    }

    /// Parses the file and puts each override into it, in order; a later one wins.
    pub fn parse(&self) -> Result<DeTable<'_>, Problem> {
        let mut document = DeTable::parse(&self.file).map_err(|error| syntax(&error))?.into_inner();
        for set in &self.overrides {
            let (path, value) = set.parse()?;
            let written = set.value.as_ref().map_or("..", |(_, text)| text);
            insert(&mut document, "", &path, value, written)?;
        }
        check_tables(&document, "")?;
        Ok(document)
    }
}

impl Override {
    fn new(start: usize, set: &str) -> Self {
        let blanks = " ".repeat(start);
        let (key, value) = match set.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (set, None),
        };
        let value = value.map(|value| {
            let blanks = value.len() - value.trim_start().len();
            (start + key.len() + 1 + blanks, value.trim().to_owned())
        });
        Override { start, value, assignment: format!("{blanks}{set}"), key: format!("{blanks}{key}=0") }
    }

    fn parse(&self) -> Result<(Vec<Name<'_>>, Spanned<DeValue<'_>>), Problem> {
        let whole = self.start..self.assignment.len();
        let Some((value_start, value)) = &self.value else {
            return Err(Problem::new("--set has no value")
                .at(Some(whole), "no `=` here")
                .help("write --set KEY=VALUE, as in --set coding.regularization=0.1"));
        };
        if self.assignment.contains(['\n', '\r']) {
            return Err(Problem::new("--set holds a line break")
                .at(Some(whole), "one key and one value are accepted")
                .help("repeat --set for a second key"));
        }
        if value.is_empty() {
            return Err(Problem::new("--set has no value")
                .at(Some(*value_start..*value_start), "nothing behind the `=`")
                .help("write --set KEY=VALUE; leave --set out for the value of the file"));
        }
        let table = DeTable::parse(&self.key).map_err(|error| override_syntax(&error))?;
        let mut path = Vec::new();
        if !take_leaf(table.into_inner(), &mut path) {
            return Err(Problem::new("--set has no key")
                .at(Some(whole), "a comment or a table")
                .help("write --set KEY=VALUE, as in --set coding.regularization=0.1"));
        }
        let leaf = match DeTable::parse(&self.assignment) {
            Ok(table) => {
                let mut value = Spanned::new(whole, DeValue::Table(table.into_inner()));
                for name in &path {
                    value = step_into(value, name);
                }
                value
            }
            Err(_) if is_word(value) => {
                let span = *value_start..value_start + value.len();
                Spanned::new(span, DeValue::String(Cow::Borrowed(value)))
            }
            Err(error) => return Err(override_syntax(&error)),
        };
        Ok((path, leaf))
    }
}

/// A word that needs no quotes behind `--set KEY=`: an identifier or a path.
fn is_word(value: &str) -> bool {
    !value.is_empty()
        && value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'))
}

/// Collects the names down to the only value of nested tables that hold one entry each; whether there is a value.
fn take_leaf<'t>(table: DeTable<'t>, path: &mut Vec<Name<'t>>) -> bool {
    let Some((name, value)) = table.into_iter().next() else {
        return false;
    };
    path.push(name);
    match value.into_inner() {
        DeValue::Table(inner) => take_leaf(inner, path),
        _ => true,
    }
}

fn step_into<'t>(value: Spanned<DeValue<'t>>, name: &Name<'t>) -> Spanned<DeValue<'t>> {
    let span = value.span();
    match value.into_inner() {
        DeValue::Table(mut table) => table.remove(name.get_ref().as_ref()),
        _ => None,
    }
    .unwrap_or_else(|| Spanned::new(span, DeValue::Table(DeTable::new())))
}

/// Sets the value at a path, creating the tables on the way; `prefix` is the path of `table`, `written` the value's text.
fn insert<'t>(
    table: &mut DeTable<'t>,
    prefix: &str,
    path: &[Name<'t>],
    value: Spanned<DeValue<'t>>,
    written: &str,
) -> Result<(), Problem> {
    let (name, rest) = path.split_first().expect("a path that ends in a value has at least one name");
    let chosen = table.iter().next().filter(|_| is_choice(prefix));
    if let (Some((other, _)), false) = (chosen, table.contains_key(name.get_ref().as_ref())) {
        let title = format!("--set adds `{}` to `{prefix}`, which is `{}`", name.get_ref(), other.get_ref());
        return Err(Problem::new(title)
            .at(Some(name.span()), "a second choice")
            .at(Some(other.span()), "the first")
            .help(whole_value(prefix, path, written)));
    }
    if rest.is_empty() {
        // A map keeps the old key, and with it the old place: take it out first.
        table.remove(name.get_ref().as_ref());
        table.insert(name.clone(), value);
        return Ok(());
    }
    let here = join(prefix, name.get_ref());
    let next = table
        .entry(name.clone())
        .or_insert_with(|| Spanned::new(name.span(), DeValue::Table(DeTable::new())));
    let found = next.span();
    match next.get_mut() {
        DeValue::Table(inner) => insert(inner, &here, rest, value, written),
        other => {
            let so_far = format!("{} so far", with_article(other.type_str()));
            let problem = Problem::new(format!("--set goes through `{here}`, which is no table"))
                .at(Some(name.span()), so_far)
                .at(Some(found), "its value");
            Err(match keys::find(&here) {
                Some(key) => {
                    let problem = problem.help(format!("`{here}` accepts {}", key.accepts.sentence()));
                    if is_choice(&here) { problem.help(whole_value(&here, rest, written)) } else { problem }
                }
                None => problem.help("set the whole value, or take it out of the file"),
            })
        }
    }
}

/// Whether one of several choices stands at a path, which may have parameters.
fn is_choice(path: &str) -> bool {
    keys::find(path).is_some_and(|key| matches!(key.accepts, keys::Accepts::OneOf(_)))
}

/// The remedy where a parameter of one choice is set over another choice.
fn whole_value(choice: &str, path: &[Name<'_>], written: &str) -> String {
    let wrap = |inner: String, name: &Name<'_>| format!("{{ {} = {inner} }}", name.get_ref());
    let value = path.iter().rev().fold(written.to_owned(), wrap);
    format!("to replace it: --set '{choice}={value}'")
}

/// Refuses values where the config has tables; deserialising would take an array for a table.
fn check_tables(table: &DeTable<'_>, prefix: &str) -> Result<(), Problem> {
    for (name, value) in table.iter() {
        let path = join(prefix, name.get_ref());
        match value.get_ref() {
            DeValue::Table(inner) => check_tables(inner, &path)?,
            other if keys::is_table(&path) => {
                let given = with_article(other.type_str());
                let problem = Problem::new(format!("`{path}` is a table; {given} was given"))
                    .at(Some(value.span()), "not a table");
                return Err(match keys::find(prefix) {
                    Some(choice) => problem.help(format!("accepted: {}", choice.accepts.sentence())),
                    None => problem.help(format!("write its keys below a line [{path}]")),
                });
            }
            _ => {}
        }
    }
    Ok(())
}

/// The dotted path of the key or value at a span: of those that contain it, the shortest in text.
pub fn path_at(document: &DeTable<'_>, span: &Range<usize>) -> Option<String> {
    let mut best: Option<(usize, String)> = None;
    visit(document, "", &mut |path, places| {
        for place in places {
            let contains = place.start <= span.start && span.end <= place.end;
            if contains && best.as_ref().is_none_or(|(length, _)| place.len() <= *length) {
                best = Some((place.len(), path.to_owned()));
            }
        }
    });
    best.map(|(_, path)| path)
}

fn visit(table: &DeTable<'_>, prefix: &str, see: &mut impl FnMut(&str, [Range<usize>; 2])) {
    for (name, value) in table.iter() {
        let path = join(prefix, name.get_ref());
        see(&path, [name.span(), value.span()]);
        if let DeValue::Table(inner) = value.get_ref() {
            visit(inner, &path, see);
        }
    }
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

fn with_article(type_name: &str) -> String {
    let article = if type_name.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {type_name}")
}

fn syntax(error: &toml::de::Error) -> Problem {
    let help = match error.message() {
        message if message.starts_with("string values must be quoted") => {
            "texts stand in quotes, as in loss = \"squared\"; numbers and true, false without"
        }
        "duplicate key" => "keep one of the two",
        _ => "TOML has lines `key = value` and `[table]`",
    };
    Problem::new("this is not TOML").at(error.span(), error.message()).help(help)
}

fn override_syntax(error: &toml::de::Error) -> Problem {
    Problem::new("--set cannot be read").at(error.span(), error.message()).help(
        "write --set KEY=VALUE: a dotted path, then a TOML value, as in --set coding.regularization=0.1",
    )
}
