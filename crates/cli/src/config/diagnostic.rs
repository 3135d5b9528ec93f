//! Errors of a config: what was found where, what is accepted, what to do.
//!
//! A [`Problem`] is a sentence, the places it speaks of, and remedies. A [`Text`] is what was read: the file, then
//! each `--set`, one after the other, so that one offset names a byte of either. Rendering is a pure function.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::fmt;
use std::ops::Range;

/// Problems shown at once; more would bury the first.
const MAX_SHOWN: usize = 5;

/// Longest excerpt of a value in a title, in characters.
const MAX_EXCERPT: usize = 40;

/// Why a config was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    text: Text,
    problems: Vec<Problem>,
}

/// The texts of a config, end to end: the file, then each `--set`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    all: String,
    parts: Vec<Part>,
}

/// One text and where it lies in [`Text`].
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    label: String,
    range: Range<usize>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    title: String,
    marks: Vec<Mark>,
    help: Vec<String>,
}

/// A place in the text and what to say about it; the first of a problem is the culprit.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    span: Range<usize>,
    label: String,
}

impl Text {
    /// Appends a text under the name by which an error points into it; returns the offset of its first byte.
    pub fn push(&mut self, label: &str, text: &str) -> usize {
        let start = self.all.len();
        self.all.push_str(text);
        self.parts.push(Part { label: label.to_owned(), range: start..self.all.len() });
        // Keeps the end of one text apart from the start of the next.
        self.all.push('\n');
        start
    }

    /// What stands at a span, for a title: one line of at most 40 characters; empty where the span is in no text.
    pub fn excerpt(&self, span: &Range<usize>) -> String {
        let Some((part, inner)) = self.locate(span) else {
            return String::new();
        };
        let line = &self.all[part.range.clone()][inner];
        let shown = match line.char_indices().nth(MAX_EXCERPT) {
            Some((end, _)) => &line[..end],
            None => line,
        };
        let is_cut = shown.len() < span.len();
        format!("{shown}{}", if is_cut { " .." } else { "" })
    }

    /// The text in which a span starts, and the span inside it, cut to its first line and to whole characters.
    fn locate(&self, span: &Range<usize>) -> Option<(&Part, Range<usize>)> {
        let part =
            self.parts.iter().find(|part| part.range.start <= span.start && span.start <= part.range.end)?;
        let text = &self.all[part.range.clone()];
        let inside = |offset: usize| offset.min(part.range.end) - part.range.start;
        let boundary = |offset: &usize| text.is_char_boundary(*offset);
        let start = (0..=inside(span.start)).rev().find(boundary)?;
        let end = (inside(span.end.max(span.start))..=text.len()).find(boundary)?;
        let line = text[start..end].lines().next().unwrap_or("");
        Some((part, start..start + line.len()))
    }
}

impl Problem {
    /// A problem without a place yet.
    pub fn new(title: impl Into<String>) -> Self {
        Problem { title: title.into(), marks: Vec::new(), help: Vec::new() }
    }

    /// Adds a place; an empty or unknown one is left out.
    pub fn at(mut self, span: Option<Range<usize>>, label: impl Into<String>) -> Self {
        if let Some(span) = span {
            let label = label.into();
            self.marks.push(Mark { span, label });
        }
        self
    }

    /// Adds a remedy.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Offset of the culprit; behind every text where there is none.
    pub fn position(&self) -> usize {
        self.marks.first().map_or(usize::MAX, |mark| mark.span.start)
    }

    fn group<'a>(&'a self, text: &'a Text) -> Group<'a> {
        let mut group = Group::with_title(Level::ERROR.primary_title(&self.title));
        for (part_idx, part) in text.parts.iter().enumerate() {
            let marks: Vec<_> = self
                .marks
                .iter()
                .enumerate()
                .filter_map(|(mark_idx, mark)| {
                    let (found, span) = text.locate(&mark.span)?;
                    let kind = if mark_idx == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
                    (found == &text.parts[part_idx]).then(|| kind.span(span).label(&mark.label))
                })
                .collect();
            if !marks.is_empty() {
                let source = &text.all[part.range.clone()];
                group = group.element(Snippet::source(source).path(&part.label).annotations(marks));
            }
        }
        for help in &self.help {
            group = group.element(Level::HELP.message(help));
        }
        group
    }
}

impl ConfigError {
    /// Problems of a text; at least one.
    pub fn new(text: Text, problems: Vec<Problem>) -> Self {
        debug_assert!(!problems.is_empty());
        ConfigError { text, problems }
    }

    /// A problem that has no place in a text, as a file that cannot be read.
    pub fn without_text(problem: Problem) -> Self {
        ConfigError::new(Text::default(), vec![problem])
    }

    /// The error as text for a terminal, at most five problems; `color` adds terminal colours.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let mut rendered: Vec<String> = self
            .problems
            .iter()
            .take(MAX_SHOWN)
            .map(|problem| renderer.render(&[problem.group(&self.text)]))
            .collect();
        let hidden = self.problems.len().saturating_sub(MAX_SHOWN);
        if hidden > 0 {
            rendered.push(format!("and {hidden} more after these"));
        }
        rendered.join("\n\n")
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for ConfigError {}
