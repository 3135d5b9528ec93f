//! Below the command line no files, environment, formats or printing.
//!
//! The library computes on values that it is given; it can be used whole without the program.

use super::code::{self, Token};
use super::crate_order::ORDER;
use super::finding::Finding;
use super::paths;
use super::tree::Tree;

/// Paths that only the highest crate names.
const PATHS: &[&[&str]] =
    &[&["serde"], &["serde_json"], &["toml"], &["clap"], &["std", "fs"], &["std", "env"]];

/// Macros that only the highest crate calls.
const MACROS: &[&str] = &["println", "eprintln", "print", "eprint"];

/// Outer things inside the library.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let inner = &ORDER[..ORDER.len() - 1];
    let files = tree
        .rust()
        .filter(|file| file.is_product() && file.krate().is_some_and(|name| inner.contains(&name)));
    let mut findings = Vec::new();
    for file in files {
        let code = file.product_code();
        let tokens = code::tokens(&code);
        for (line, what) in named(&tokens).into_iter().chain(printed(&tokens)) {
            let remedy = "do it in the cli crate, and pass values or bytes down or return them";
            findings.push(Finding::error(&file.path, line, format!("`{what}` below the cli crate"), remedy));
        }
    }
    findings
}

/// Lines that name a path of `PATHS`.
fn named(tokens: &[Token<'_>]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for path in paths::names(tokens).paths {
        let is_path = path.segments.len() > 1 || path.import.is_some();
        let begins = |outer: &&&[&str]| {
            path.segments.len() >= outer.len() && path.segments.iter().zip(**outer).all(|(a, b)| a == b)
        };
        if let Some(outer) = PATHS.iter().find(begins).filter(|_| is_path) {
            found.push((path.line, outer.join("::")));
        }
    }
    found
}

/// Lines that call a macro of `MACROS`.
fn printed(tokens: &[Token<'_>]) -> Vec<(usize, String)> {
    let calls = tokens.windows(2).filter(|pair| pair[1].text == "!" && MACROS.contains(&pair[0].text));
    calls.map(|pair| (pair[0].line, format!("{}!", pair[0].text))).collect()
}

#[cfg(test)]
mod tests {
    use super::{Tree, check};

    /// Problems in a file.
    fn found(path: &str, text: &str) -> Vec<String> {
        check(&Tree::made_up(&[(path, text)])).into_iter().map(|finding| finding.problem).collect()
    }

    #[test]
    fn outer_things_in_the_library_are_found() {
        for (text, what) in [
            ("use std::{fs, io};", "std::fs"),
            ("fn f() { std::env::args() }", "std::env"),
            ("use serde::Deserialize;", "serde"),
            ("fn f() { println!(\"\") }", "println!"),
        ] {
            assert_eq!(
                found("crates/solvers/src/a.rs", text),
                [format!("`{what}` below the cli crate")],
                "{text}"
            );
        }
    }

    #[test]
    fn tests_documents_and_the_cli_may() {
        let text = "/// println!(\"\")\nfn toml() { toml }\n#[cfg(test)]\nmod tests { use std::fs; }";
        assert_eq!(found("crates/solvers/src/a.rs", text), [""; 0]);
        for path in ["crates/solvers/tests/a.rs", "crates/solvers/examples/a.rs", "crates/cli/src/a.rs"] {
            assert_eq!(found(path, "use std::fs;"), [""; 0]);
        }
    }
}
