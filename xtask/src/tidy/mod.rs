//! Tidy: the invariants of the architecture and of the style that a machine can hold.
//!
//! One check is one file with one function `check`, from the files of the tree to findings.
//! A finding names a place, the problem and the remedy. Errors fail the run; hints are only printed.

mod module_order;
mod layers;
mod crate_order;
mod headers;
mod words;
mod exceptions;
mod lengths;
mod configs;
mod manifests;
mod manifest;
mod paths;
mod tree;
mod code;
mod finding;

use finding::{Finding, Severity};
use tree::Tree;

/// A check: from the files of the tree to what is wrong with them.
type Check = fn(&Tree) -> Vec<Finding>;

/// All checks, in the order in which their findings are printed.
const CHECKS: &[Check] = &[
    module_order::check,
    layers::check,
    crate_order::check,
    headers::check,
    words::check,
    exceptions::check,
    lengths::check,
    configs::check,
    manifests::check,
];

/// Checks the workspace, prints hints and errors; the error value counts the errors.
pub fn run() -> Result<(), String> {
    let tree = Tree::of_workspace(&crate::workspace::root())?;
    let findings = findings(&tree);
    for finding in &findings {
        println!("{finding}");
    }
    let n_errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let n_hints = findings.len() - n_errors;
    println!("tidy: files {}, errors {n_errors}, hints {n_hints}", tree.files.len());
    match n_errors {
        0 => Ok(()),
        _ => Err(format!("tidy found errors: {n_errors}")),
    }
}

/// The findings of all checks: hints first, so that errors are next to the last line.
fn findings(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<Finding> = CHECKS.iter().flat_map(|check| check(tree)).collect();
    findings.sort_by_key(|finding| finding.severity == Severity::Error);
    findings
}

#[cfg(test)]
mod tests {
    use super::{Severity, Tree, findings};

    #[test]
    fn the_workspace_is_tidy() {
        let tree = Tree::of_workspace(&crate::workspace::root()).expect("the workspace is readable");
        let errors: Vec<String> = findings(&tree)
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .map(ToString::to_string)
            .collect();
        assert!(errors.is_empty(), "\n{}", errors.join("\n"));
    }

    #[test]
    fn hints_come_before_errors() {
        let long = "//! Header.\n".repeat(401);
        let tree = Tree::made_up(&[("crates/a/src/bare.rs", "fn f() {}\n"), ("crates/a/src/long.rs", &long)]);
        let severities: Vec<Severity> = findings(&tree).iter().map(|finding| finding.severity).collect();
        assert_eq!(severities, [Severity::Hint, Severity::Error]);
    }
}
