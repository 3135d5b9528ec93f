//! Crates form a total order; a crate uses only crates before it.
//!
//! Without circles a reader goes from the command line down to linear algebra once, and each layer can be read,
//! tested and used without those above it.

use super::finding::Finding;
use super::manifest::{Manifest, line_of, manifests};
use super::tree::{File, Tree};

/// The crates, lowest first.
pub const ORDER: &[&str] = &["linalg", "prox", "solvers", "dictlearn", "cli"];

/// The crate that only tests use, and that uses no other crate of the workspace.
const TEST_CRATE: &str = "testkit";

/// The package of the project's own tasks: nothing uses it, and it uses no crate.
const TASKS: &str = "xtask";

/// Packages that only the highest crate uses: formats, files, the command line and the terminal.
const OUTERMOST: &[&str] = &[
    "annotate-snippets",
    "clap",
    "csv",
    "ctrlc",
    "indicatif",
    "npyz",
    "serde",
    "serde_json",
    "tempfile",
    "toml",
    "zip",
];

/// Dependencies that point up or sideways.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, manifest) in manifests(tree, &mut findings) {
        let name = manifest.package.name.as_str();
        let needed = manifest.needed().into_iter().map(|other| (other, false));
        let needed_by_tests = manifest.needed_by_tests().into_iter().map(|other| (other, true));
        findings.extend(known(file, name));
        for (other, by_tests) in needed.chain(needed_by_tests) {
            if let Some((problem, remedy)) = offence(name, &other, by_tests) {
                findings.push(Finding::error(
                    &file.path,
                    line_of_dependency(file, &manifest, &other),
                    problem,
                    remedy,
                ));
            }
        }
    }
    findings
}

/// A finding if the order does not place the crate.
fn known(file: &File, name: &str) -> Option<Finding> {
    let is_known = ORDER.contains(&name) || name == TEST_CRATE || name == TASKS;
    let remedy = "add it to ORDER in xtask/src/tidy/crate_order.rs";
    (!is_known)
        .then(|| Finding::error(&file.path, 1, format!("crate `{name}` has no place in the order"), remedy))
}

/// What is wrong with `name` using `other`, and the remedy.
fn offence(name: &str, other: &str, by_tests: bool) -> Option<(String, String)> {
    let rank = |krate: &str| ORDER.iter().position(|&known| known == krate);
    let order = ORDER.join(" < ");
    if other == TASKS {
        return Some((format!("`{name}` uses `{TASKS}`"), "no crate uses the project's tasks".to_owned()));
    }
    if other == TEST_CRATE && !by_tests {
        return Some((format!("`{name}` uses `{TEST_CRATE}`"), "move it to [dev-dependencies]".to_owned()));
    }
    if let Some(theirs) = rank(other) {
        let is_lower = rank(name).is_some_and(|mine| theirs < mine);
        let remedy = format!("move the shared part down; the order is {order}");
        return (!is_lower).then(|| (format!("`{name}` uses `{other}`, which is not below it"), remedy));
    }
    let is_inner = rank(name).is_some_and(|mine| mine + 1 < ORDER.len());
    let remedy =
        "only the highest crate knows formats, files, arguments and the terminal: pass values or bytes down";
    let is_offence = is_inner && !by_tests && OUTERMOST.contains(&other);
    is_offence.then(|| (format!("`{name}` uses `{other}`"), remedy.to_owned()))
}

/// The line of the manifest that names the package `other`.
fn line_of_dependency(file: &File, manifest: &Manifest, other: &str) -> usize {
    let tables = [&manifest.dependencies, &manifest.dev_dependencies, &manifest.build_dependencies];
    let renamed = tables.into_iter().flatten().find(|(_, value)| {
        value.get("package").and_then(toml::Value::as_str).is_some_and(|package| package == other)
    });
    line_of(&file.text, renamed.map_or(other, |(key, _)| key))
}

#[cfg(test)]
mod tests {
    use super::{Tree, check};

    /// Findings for a crate with these manifest lines after its name, as `line problem`.
    fn found(name: &str, rest: &str) -> Vec<String> {
        let text = format!("[package]\nname = \"{name}\"\n{rest}");
        let path = format!("crates/{name}/Cargo.toml");
        let findings = check(&Tree::made_up(&[(&path, &text)]));
        findings.iter().map(|finding| format!("{} {}", finding.line, finding.problem)).collect()
    }

    #[test]
    fn lower_crates_and_outside_packages_are_fine() {
        assert_eq!(found("dictlearn", "[dependencies]\nlinalg.workspace = true\nrayon = \"1\"\n"), [""; 0]);
        assert_eq!(found("cli", "[dependencies]\ndictlearn.workspace = true\nserde = \"1\"\n"), [""; 0]);
        assert_eq!(found("prox", "[dev-dependencies]\ntestkit.workspace = true\nnpyz = \"1\"\n"), [""; 0]);
    }

    #[test]
    fn upward_and_sideways_uses_are_found() {
        let upward = found("prox", "[dependencies]\nsolvers.workspace = true\n");
        assert_eq!(upward, ["4 `prox` uses `solvers`, which is not below it"]);
        let renamed = found("prox", "[build-dependencies]\nx = { package = \"cli\", path = \"..\" }\n");
        assert_eq!(renamed, ["4 `prox` uses `cli`, which is not below it"]);
        assert_eq!(found("prox", "[dev-dependencies]\ncli.workspace = true\n").len(), 1);
        assert_eq!(found("testkit", "[dependencies]\nlinalg.workspace = true\n").len(), 1);
    }

    #[test]
    fn the_test_crate_the_tasks_and_formats_stay_where_they_belong() {
        assert_eq!(found("prox", "[dependencies]\ntestkit.workspace = true\n"), ["4 `prox` uses `testkit`"]);
        assert_eq!(found("cli", "[dev-dependencies]\nxtask = { path = \"..\" }\n"), ["4 `cli` uses `xtask`"]);
        assert_eq!(found("dictlearn", "[dependencies]\nserde = \"1\"\n"), ["4 `dictlearn` uses `serde`"]);
    }

    #[test]
    fn a_crate_without_a_place_and_an_unreadable_manifest_are_found() {
        assert_eq!(found("extra", ""), ["1 crate `extra` has no place in the order"]);
        assert_eq!(found("prox", "= 3").len(), 1);
    }
}
