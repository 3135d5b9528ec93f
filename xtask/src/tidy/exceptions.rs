//! Every exception from a lint gives its reason.

use super::code::{self, Token};
use super::finding::Finding;
use super::tree::Tree;

/// `expect` and `allow` attributes without a reason.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let code = code::bare(&file.text);
        for line in unreasoned(&code::tokens(&code)) {
            let problem = "exception from a lint without a reason";
            findings.push(Finding::error(&file.path, line, problem, "add `reason = \"..\"`"));
        }
    }
    findings
}

/// Lines of attributes that make an exception and give no reason.
fn unreasoned(tokens: &[Token<'_>]) -> Vec<usize> {
    let mut lines = Vec::new();
    for at in 0..tokens.len() {
        let attribute = &tokens[at..];
        let texts = |index: usize| attribute.get(index).map_or("", |token: &Token<'_>| token.text);
        let first = if texts(1) == "!" { 3 } else { 2 };
        let begins = texts(0) == "#" && texts(first - 1) == "[" && matches!(texts(first), "expect" | "allow");
        let mut inside = attribute.iter().take_while(|token| token.text != "]");
        if begins && !inside.any(|token| token.text == "reason") {
            lines.push(attribute[0].line);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{Tree, check};

    /// Lines of the findings.
    fn found(text: &str) -> Vec<usize> {
        check(&Tree::made_up(&[("a.rs", text)])).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn an_exception_needs_a_reason() {
        assert_eq!(found("#![expect(dead_code)]\n#[expect(clippy::a)]\nfn f() {}\n#![allow(x)]"), [1, 2, 4]);
        assert_eq!(
            found("#![expect(dead_code, reason = \"x\")]\n#[expect(\n    a,\n    reason = \"y\"\n)]\n"),
            [0; 0]
        );
        assert_eq!(found("x.expect(\"why\"); // #[expect(dead_code)]"), [0; 0]);
    }
}
