//! Reads the values of one table: default where absent, accepted range, and a problem with its place otherwise.
//!
//! A refused value yields a stand-in, so that one pass finds all problems; the stand-ins never leave
//! [`super::resolve`], which returns the problems instead.

use super::diagnostic::{Problem, Text};
use super::keys::{self, Accepts, Default, Key};
use super::schema::Value;
use std::fmt::Display;
use std::ops::Range;

/// What one pass over a config has found wrong so far, and the text it points into.
#[derive(Debug)]
pub struct Findings<'t> {
    text: &'t Text,
    problems: Vec<Problem>,
}

impl<'t> Findings<'t> {
    /// Nothing found yet.
    pub fn new(text: &'t Text) -> Self {
        Findings { text, problems: Vec::new() }
    }

    /// Adds a problem.
    pub fn push(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Refuses more than one of several tables that exclude each other; `given` are those that were written.
    pub fn at_most_one(&mut self, given: &[(&str, Option<Range<usize>>)]) {
        if let [(first, first_span), (second, second_span), ..] = given {
            let title = format!("{first} and {second} are both given: keep one");
            let problem =
                Problem::new(title).at(second_span.clone(), "second").at(first_span.clone(), "first");
            self.push(problem);
        }
    }

    /// All problems, in the order of their places in the text; those without a place last.
    pub fn into_problems(mut self) -> Vec<Problem> {
        self.problems.sort_by_key(Problem::position);
        self.problems
    }
}

/// One table of a config: its dotted path and its place.
#[derive(Debug)]
pub struct Table<'f, 't> {
    /// Dotted path; empty for the top of the file.
    pub path: String,
    /// Place of its name; `None` when it was not written.
    pub span: Option<Range<usize>>,
    /// Where problems go.
    pub findings: &'f mut Findings<'t>,
}

impl<'f, 't> Table<'f, 't> {
    /// Opens a table; an absent one is empty.
    pub fn open<T: std::default::Default>(
        findings: &'f mut Findings<'t>,
        path: impl Into<String>,
        table: Value<T>,
    ) -> (Self, T) {
        let span = span_of(&table);
        let reader = Table { path: path.into(), span, findings };
        (reader, table.map(toml::Spanned::into_inner).unwrap_or_default())
    }

    /// A number in the key's range; its default when absent.
    pub fn number(&mut self, name: &str, value: Value<f64>) -> f64 {
        let key = self.key(name);
        match &value {
            Some(number) if key.accepts.accepts_number(*number.get_ref()) => *number.get_ref(),
            Some(_) => {
                self.refuse(name, &value);
                f64::NAN
            }
            None => self.default(name, key).unwrap_or(f64::NAN),
        }
    }

    /// An integer in the key's range; its default when absent.
    pub fn integer(&mut self, name: &str, value: Value<i64>) -> u64 {
        let key = self.key(name);
        let integer = match &value {
            Some(integer) if key.accepts.accepts_integer(*integer.get_ref()) => *integer.get_ref(),
            Some(_) => {
                self.refuse(name, &value);
                1
            }
            None => self.default(name, key).unwrap_or(1),
        };
        u64::try_from(integer).expect("no key accepts a negative integer")
    }

    /// An integer in the key's range, as a count.
    pub fn count(&mut self, name: &str, value: Value<i64>) -> usize {
        let wide = self.integer(name, value);
        usize::try_from(wide).unwrap_or(usize::MAX)
    }

    /// A flag; its default when absent.
    pub fn flag(&mut self, name: &str, value: Value<bool>) -> bool {
        let key = self.key(name);
        match value {
            Some(flag) => flag.into_inner(),
            None => self.default(name, key).unwrap_or(false),
        }
    }

    /// Says that a value is outside the key's range.
    pub fn refuse<T>(&mut self, name: &str, value: &Value<T>) {
        let key = self.key(name);
        let place = self.place(value);
        let text = self.findings.text;
        let found = place.as_ref().map_or_else(String::new, |span| text.excerpt(span));
        let path = self.path_of(name);
        let verdict = match key.accepts {
            Accepts::Number(_) | Accepts::Integer(..) => "is out of range",
            _ => "is not accepted",
        };
        let problem = Problem::new(format!("`{path}` = {found} {verdict}"))
            .at(place, format!("accepted: {}", key.accepts.sentence()))
            .help(remedy(key));
        self.findings.push(problem);
    }

    /// Says what is wrong with a value, beyond its range.
    pub fn object<T>(
        &mut self,
        value: &Value<T>,
        title: impl Into<String>,
        label: impl Display,
        help: impl Into<String>,
    ) {
        let problem = Problem::new(title).at(self.place(value), label.to_string()).help(help);
        self.findings.push(problem);
    }

    /// Says that a required key is absent.
    pub fn missing(&mut self, name: &str) {
        let key = self.key(name);
        let title = match self.path.as_str() {
            "" => format!("`{name}` is missing"),
            table => format!("[{table}] lacks the required key `{name}`"),
        };
        let add = match (&self.span, self.path.as_str()) {
            (None, table) if !table.is_empty() => format!("add a table [{table}] with"),
            _ => "add".to_owned(),
        };
        let (example, meaning, accepted) = (example(key), key.gist(), key.accepts.sentence());
        let problem = Problem::new(title)
            .at(self.span.clone(), format!("`{name}` is missing in this table"))
            .help(format!("{add} `{name} = {example}` ({meaning}: {accepted})"));
        self.findings.push(problem);
    }

    /// Place of a value, else of its table.
    pub fn place<T>(&self, value: &Value<T>) -> Option<Range<usize>> {
        span_of(value).or_else(|| self.span.clone())
    }

    /// Dotted path of a key of this table.
    pub fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn key(&self, name: &str) -> &'static Key {
        let path = self.path_of(name);
        keys::find(&path).unwrap_or_else(|| panic!("`{path}` is not in the key table"))
    }

    /// The default of a key, or a problem where the key is required.
    fn default<T: std::str::FromStr>(&mut self, name: &str, key: &Key) -> Option<T> {
        match key.default {
            Default::Value(text) => text.parse().ok(),
            Default::Required(_) => {
                self.missing(name);
                None
            }
            Default::Unset(_) => None,
        }
    }
}

/// Place of a value that was written.
pub fn span_of<T>(value: &Value<T>) -> Option<Range<usize>> {
    value.as_ref().map(toml::Spanned::span).filter(|span| !span.is_empty())
}

fn example(key: &Key) -> &'static str {
    match key.default {
        Default::Required(example) | Default::Value(example) => example,
        Default::Unset(_) => "..",
    }
}

fn remedy(key: &Key) -> String {
    let without = match key.default {
        Default::Required(example) => format!("a typical value is {example}"),
        Default::Value(default) => format!("without the key it is {default}"),
        Default::Unset(words) => format!("without the key: {words}"),
    };
    format!("{}; {without}", key.gist())
}
