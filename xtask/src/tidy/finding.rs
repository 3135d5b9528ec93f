//! What a check reports: a place, a problem, a remedy.

use std::fmt;

/// Whether a finding fails the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Printed only.
    Hint,
    /// Fails the run.
    Error,
}

/// One deviation from the rules.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Path below the workspace's root.
    pub path: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Whether it fails the run.
    pub severity: Severity,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

impl Finding {
    /// A finding that fails the run.
    pub fn error(path: &str, line: usize, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        let (problem, remedy) = (problem.into(), remedy.into());
        Self { path: path.to_owned(), line, severity: Severity::Error, problem, remedy }
    }

    /// A finding that is only printed.
    pub fn hint(path: &str, line: usize, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: Severity::Hint, ..Self::error(path, line, problem, remedy) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, problem, remedy, .. } = self;
        let severity = match self.severity {
            Severity::Hint => "hint",
            Severity::Error => "error",
        };
        write!(f, "{path}:{line}: {severity}: {problem}\n    remedy: {remedy}")
    }
}

#[cfg(test)]
mod tests {
    use super::Finding;

    #[test]
    fn the_text_names_place_problem_and_remedy() {
        let text = Finding::error("a/b.rs", 7, "x is off", "put x right").to_string();
        assert_eq!(text, "a/b.rs:7: error: x is off\n    remedy: put x right");
        assert!(Finding::hint("a", 1, "p", "r").to_string().starts_with("a:1: hint: p"));
    }
}
