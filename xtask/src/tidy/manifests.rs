//! Packages share lints and the Rust version; every outside dependency says what it is for.

use super::finding::Finding;
use super::manifest::{line_of, manifests};
use super::tree::{File, Tree};

/// Packages that leave the workspace's rules, and dependencies without a comment.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut ignored = Vec::new();
    let mut findings = Vec::new();
    for (file, manifest) in manifests(tree, &mut ignored) {
        let inherits = |value: Option<&toml::Value>| value.and_then(toml::Value::as_bool) == Some(true);
        if !inherits(manifest.lints.get("workspace")) {
            findings.push(departure(file, "[lints]", "no `[lints] workspace = true`"));
        }
        let rust_version = manifest.package.rust_version.as_ref();
        if !inherits(rust_version.and_then(|value| value.get("workspace"))) {
            findings.push(departure(file, "rust-version", "no `rust-version.workspace = true`"));
        }
    }
    findings.extend(tree.get("Cargo.toml").map(uncommented).unwrap_or_default());
    findings
}

/// The finding for a package that does not inherit.
fn departure(file: &File, key: &str, problem: &str) -> Finding {
    Finding::error(&file.path, line_of(&file.text, key), problem, "inherit it from the workspace")
}

/// Outside dependencies of the workspace whose group of lines (no blank line between) has no comment above them.
fn uncommented(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (mut in_table, mut commented) = (false, false);
    for (index, line) in file.text.lines().map(str::trim).enumerate() {
        if line.starts_with('[') {
            in_table = line == "[workspace.dependencies]";
        }
        let key = line.split_once('=').map(|(key, _)| key.trim());
        match key {
            _ if line.is_empty() || line.starts_with('[') => commented = false,
            _ if line.starts_with('#') => commented = true,
            Some(key) if in_table && !commented && !is_path(line) && is_name(key) => {
                let remedy = "say in a comment above it what it is for";
                findings.push(Finding::error(
                    &file.path,
                    index + 1,
                    format!("dependency `{key}` has no comment"),
                    remedy,
                ));
            }
            _ => {}
        }
    }
    findings
}

/// Whether the entry is a crate of the workspace.
fn is_path(line: &str) -> bool {
    line.contains("path =") || line.contains("path=")
}

/// Whether a key is a dependency's name, possibly dotted.
fn is_name(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
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
    fn packages_inherit_lints_and_rust_version() {
        let kept = "[package]\nname = \"a\"\nrust-version.workspace = true\n[lints]\nworkspace = true\n";
        assert_eq!(found("crates/a/Cargo.toml", kept), [""; 0]);
        let broken = "[package]\nname = \"a\"\nrust-version = \"1.90\"\n";
        let wanted = ["1 no `[lints] workspace = true`", "3 no `rust-version.workspace = true`"];
        assert_eq!(found("xtask/Cargo.toml", broken), wanted);
    }

    #[test]
    fn outside_dependencies_say_what_they_are_for() {
        let kept = "[workspace.dependencies]\na = { path = \"a\" }\n\n# Numbers.\nb = \"1\"\nc = \"1\"\n\n[profile.dev]\nd = 1\n";
        assert_eq!(found("Cargo.toml", kept), [""; 0]);
        let broken = "[workspace.dependencies]\n# Numbers.\nb = \"1\"\n\nc = \"1\"\n";
        assert_eq!(found("Cargo.toml", broken), ["5 dependency `c` has no comment"]);
    }
}
