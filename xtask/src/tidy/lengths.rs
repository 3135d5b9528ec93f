//! A file holds one idea and a function fits a screen.

use super::code::{self, Token};
use super::finding::Finding;
use super::tree::{File, Tree};

/// Lines above which a file is an error.
const LONGEST_FILE: usize = 600;
/// Lines above which a file usually holds two ideas.
const LONG_FILE: usize = 400;
/// Lines above which a function leaves the screen.
const LONG_FUNCTION: usize = 60;

/// Long files and functions.
pub fn check(tree: &Tree) -> Vec<Finding> {
    tree.rust().flat_map(|file| long_file(file).into_iter().chain(long_functions(file))).collect()
}

/// A finding if the file is long.
fn long_file(file: &File) -> Option<Finding> {
    let n_lines = file.text.lines().count();
    let remedy = "one idea, one file: split it";
    if n_lines > LONGEST_FILE {
        let problem = format!("{n_lines} lines, more than {LONGEST_FILE}");
        return Some(Finding::error(&file.path, 1, problem, remedy));
    }
    let problem = || format!("{n_lines} lines, more than {LONG_FILE}");
    (n_lines > LONG_FILE).then(|| Finding::hint(&file.path, 1, problem(), remedy))
}

/// A hint for each long function.
fn long_functions(file: &File) -> Vec<Finding> {
    let code = code::bare(&file.text);
    let tokens = code::tokens(&code);
    let mut findings = Vec::new();
    for at in 0..tokens.len().saturating_sub(1) {
        if tokens[at].text != "fn" || !tokens[at + 1].is_word() {
            continue;
        }
        let n_lines = end_line(&tokens[at..]) + 1 - tokens[at].line;
        if n_lines > LONG_FUNCTION {
            let problem =
                format!("function `{}` has {n_lines} lines, more than {LONG_FUNCTION}", tokens[at + 1].text);
            let remedy = "name its steps as functions of their own";
            findings.push(Finding::hint(&file.path, tokens[at].line, problem, remedy));
        }
    }
    findings
}

/// The last line of the function that the tokens begin with.
fn end_line(tokens: &[Token<'_>]) -> usize {
    let mut depth = 0_usize;
    for token in tokens {
        match token.text {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && matches!(token.text, "}" | ";") {
            return token.line;
        }
    }
    tokens.last().map_or(0, |token| token.line)
}

#[cfg(test)]
mod tests {
    use super::{Tree, check};
    use crate::tidy::finding::Severity;

    /// Severity, line and problem of every finding.
    fn found(text: &str) -> Vec<(Severity, usize, String)> {
        let findings = check(&Tree::made_up(&[("a.rs", text)]));
        findings.into_iter().map(|finding| (finding.severity, finding.line, finding.problem)).collect()
    }

    #[test]
    fn files_get_a_hint_and_then_an_error() {
        let severities =
            |n_lines| found(&"//\n".repeat(n_lines)).into_iter().map(|found| found.0).collect::<Vec<_>>();
        assert_eq!(severities(400), []);
        assert_eq!(severities(401), [Severity::Hint]);
        assert_eq!(severities(600), [Severity::Hint]);
        assert_eq!(severities(601), [Severity::Error]);
    }

    #[test]
    fn long_functions_get_a_hint() {
        let with_body = |n_lines| {
            format!("trait T {{ fn g(&self); }}\nfn f(x: [u8; 2]) {{\n{}}}\n", "x;\n".repeat(n_lines))
        };
        assert_eq!(found(&with_body(58)), []);
        let problem = "function `f` has 61 lines, more than 60".to_owned();
        assert_eq!(found(&with_body(59)), [(Severity::Hint, 2, problem)]);
    }
}
