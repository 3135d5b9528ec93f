//! A Rust file begins with a `//!` header, and sources are ASCII.

use super::finding::Finding;
use super::tree::{File, Tree};

/// Missing headers and characters beyond ASCII.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<Finding> = tree.rust().filter_map(header).collect();
    let is_source = |file: &&File| file.path.ends_with(".rs") || file.path.ends_with(".toml");
    findings.extend(tree.files.iter().filter(is_source).flat_map(beyond_ascii));
    findings
}

/// A finding if the file does not begin with a header that says something.
fn header(file: &File) -> Option<Finding> {
    let first = file.text.lines().next().unwrap_or_default();
    let has_header = first.strip_prefix("//!").is_some_and(|rest| !rest.trim().is_empty());
    let remedy = "begin with `//!`: what the file is about, its formulas, symbols and source";
    (!has_header).then(|| Finding::error(&file.path, 1, "no `//!` header", remedy))
}

/// One finding for each line with other characters.
fn beyond_ascii(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        if let Some(c) = line.chars().find(|c| !c.is_ascii()) {
            let problem = format!("character U+{:04X} is not ASCII", u32::from(c));
            findings.push(Finding::error(
                &file.path,
                index + 1,
                problem,
                "write it in words or as an escape",
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{Tree, check};

    /// `line problem` of every finding.
    fn found(path: &str, text: &str) -> Vec<String> {
        let findings = check(&Tree::made_up(&[(path, text)]));
        findings.iter().map(|finding| format!("{} {}", finding.line, finding.problem)).collect()
    }

    #[test]
    fn a_header_must_come_first_and_say_something() {
        assert_eq!(found("a.rs", "//! Says something.\nfn f() {}\n"), [""; 0]);
        for text in ["", "fn f() {}\n//! Late.\n", "//!\n", "// Plain.\n", "\n//! Second line.\n"] {
            assert_eq!(found("a.rs", text), ["1 no `//!` header"], "{text:?}");
        }
        assert_eq!(found("a.md", "text"), [""; 0]);
    }

    #[test]
    fn other_characters_are_found_in_sources_only() {
        assert_eq!(found("a.toml", "# a\n# \u{3bb}\n"), ["2 character U+03BB is not ASCII"]);
        assert_eq!(found("a.md", "\u{3bb}"), [""; 0]);
    }
}
