//! Words that do not belong in the repository, each with the place where it is looked for.
//!
//! This file spells the words out, so it is not searched itself.

use super::code;
use super::finding::Finding;
use super::tree::{File, Tree};

/// Where a word is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// Text of every file, comments and strings included.
    Text,
    /// As `Text`, tests aside.
    TextOutsideTests,
    /// Rust code: no comments, no literals.
    Code,
    /// Rust code below `crates/`, tests included.
    CodeOfCrates,
    /// Rust code of crates, tests aside.
    ProductCode,
}

use Scope::{Code, CodeOfCrates, ProductCode, Text, TextOutsideTests};

const FINISH: &str = "finish it, or leave it out";
const OWN_PATH: &str = "use a path relative to the file, the workspace or an argument";
const NO_HOST: &str = "name the package, not the place it comes from: that is the user's configuration";

/// Word, scope and remedy. Words that begin or end with a letter match whole words only.
const WORDS: &[(&str, Scope, &str)] = &[
    ("TODO", Text, FINISH),
    ("FIXME", Text, FINISH),
    ("XXX", Text, FINISH),
    ("todo!(", Code, FINISH),
    ("unimplemented!(", Code, FINISH),
    ("dbg!(", Code, "remove it"),
    ("#[ignore", Code, "make the test fast and sound enough to run always"),
    ("#[allow(", Code, "use `#[expect(.., reason = \"..\")]`, or do what the lint says"),
    ("macro_rules!", CodeOfCrates, "write functions, types or a trait"),
    (".unwrap()", ProductCode, "return an error, or `expect(\"why it cannot fail\")`"),
    ("/tmp/", TextOutsideTests, OWN_PATH),
    ("/home/", Text, OWN_PATH),
    ("/work/", Text, OWN_PATH),
    ("/root/", Text, OWN_PATH),
    (concat!("crates", ".io"), Text, NO_HOST),
    ("sparse+http", Text, NO_HOST),
    ("registry+http", Text, NO_HOST),
    (concat!("pypi", ".org"), Text, NO_HOST),
    (concat!("pythonhosted", ".org"), Text, NO_HOST),
    ("index-url", Text, NO_HOST),
    (concat!("registry.npmjs", ".org"), Text, NO_HOST),
    (concat!("proxy.golang", ".org"), Text, NO_HOST),
];

/// Files that are not searched: this one (where even so no host is named in one piece), the lock file that cargo writes, and a text that is not ours.
const UNSEARCHED: &[&str] = &["xtask/src/tidy/words.rs", "Cargo.lock", "LICENSE-APACHE"];

/// Forbidden words.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let files = tree.files.iter().filter(|file| !UNSEARCHED.contains(&file.path.as_str()));
    files.flat_map(check_file).collect()
}

/// The forbidden words of one file.
fn check_file(file: &File) -> Vec<Finding> {
    let code = if file.path.ends_with(".rs") { code::bare(&file.text) } else { String::new() };
    let product_code = code::without_tests(&code);
    let mut findings = Vec::new();
    for &(word, scope, remedy) in WORDS {
        let searched = match scope {
            Text => &file.text,
            TextOutsideTests if file.is_test() => continue,
            TextOutsideTests => &file.text,
            Code => &code,
            CodeOfCrates if file.krate().is_some() => &code,
            ProductCode if file.is_product() => &product_code,
            CodeOfCrates | ProductCode => continue,
        };
        for (index, line) in searched.lines().enumerate().filter(|(_, line)| contains(line, word)) {
            let in_test_module =
                scope == TextOutsideTests && inside_test_module(&code, &product_code, index, line);
            if !in_test_module {
                findings.push(Finding::error(&file.path, index + 1, format!("`{word}`"), remedy));
            }
        }
    }
    findings
}

/// Whether the line holds code, but none outside of test modules.
fn inside_test_module(code: &str, product_code: &str, index: usize, line: &str) -> bool {
    let is_blank = |text: &str| text.lines().nth(index).is_none_or(|line| line.trim().is_empty());
    !line.trim_start().starts_with("//") && !is_blank(code) && is_blank(product_code)
}

/// Whether the line contains the word as a whole word, or the path as an absolute one.
fn contains(line: &str, word: &str) -> bool {
    let is_path = word.starts_with('/');
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let joins_before = match before {
            Some(c) if is_path => code::is_word_character(c) || "./~-+}>)*$".contains(c),
            Some(c) => code::is_word_character(c) && word.starts_with(code::is_word_character),
            None => false,
        };
        let joins_after =
            after.is_some_and(code::is_word_character) && word.ends_with(code::is_word_character);
        !joins_before && (!joins_after || word.ends_with("http"))
    })
}

#[cfg(test)]
mod tests {
    use super::{Tree, WORDS, check};

    /// `line problem` of every finding.
    fn found(path: &str, text: &str) -> Vec<String> {
        let findings = check(&Tree::made_up(&[(path, text)]));
        findings.iter().map(|finding| format!("{} {}", finding.line, finding.problem)).collect()
    }

    #[test]
    fn every_word_is_found_in_library_code() {
        for (word, ..) in WORDS {
            assert_eq!(found("crates/prox/src/a.rs", &format!("a\n {word}\n")), [format!("2 `{word}`")]);
        }
    }

    #[test]
    fn texts_are_searched_for_words_but_not_for_code() {
        assert_eq!(found("README.md", "Never `todo!(`, `#[allow(` or `.unwrap()`.\n"), [""; 0]);
        assert_eq!(found("README.md", "Run it in /home/me/x.\nTODO: more\n"), ["2 `TODO`", "1 `/home/`"]);
        assert_eq!(found("a.toml", "x = \"sparse+https://example\"\n"), ["1 `sparse+http`"]);
    }

    #[test]
    fn comments_and_strings_hold_no_code() {
        let text = "/// Never `x.unwrap()`.\nconst A: &str = \"todo!(\";\n#[expect(dead_code, reason = \"x\")]\nfn f() {}\n";
        assert_eq!(found("crates/prox/src/a.rs", text), [""; 0]);
    }

    #[test]
    fn tests_may_unwrap_and_name_temporary_paths() {
        let text = "fn f() {}\n#[cfg(test)]\nmod tests {\n    fn g() { h(\"/tmp/x\").unwrap() }\n}\n";
        assert_eq!(found("crates/prox/src/a.rs", text), [""; 0]);
        assert_eq!(found("crates/prox/tests/a.rs", "fn f() { g(\"/tmp/x\").unwrap() }"), [""; 0]);
        assert_eq!(found("crates/prox/src/a.rs", "fn f() { g(\"/tmp/x\").unwrap() }").len(), 2);
        assert_eq!(found("crates/prox/src/a.rs", "// In /tmp/x.\n"), ["1 `/tmp/`"]);
    }

    #[test]
    fn parts_of_words_and_of_relative_paths_do_not_count() {
        for line in
            ["XXXX", "TODOS", "my_dbg!()", "src/work/x", "./root/x", "~/work/x", "https://a.org/home/x"]
        {
            assert_eq!(found("crates/prox/src/a.rs", line), [""; 0], "{line}");
        }
        assert_eq!(found("xtask/src/a.rs", "macro_rules! x {}"), [""; 0]);
    }
}
