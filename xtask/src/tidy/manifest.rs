//! The part of a `Cargo.toml` that the checks read.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::finding::Finding;
use super::tree::{File, Tree};

/// A package's manifest.
#[derive(Deserialize)]
pub struct Manifest {
    /// Name and version fields.
    pub package: Package,
    /// Normal dependencies.
    #[serde(default)]
    pub dependencies: Table,
    /// Dependencies of tests, examples and benchmarks.
    #[serde(default, rename = "dev-dependencies")]
    pub dev_dependencies: Table,
    /// Dependencies of the build script.
    #[serde(default, rename = "build-dependencies")]
    pub build_dependencies: Table,
    /// Dependencies of one platform.
    #[serde(default)]
    pub target: BTreeMap<String, Platform>,
    /// Lint levels.
    #[serde(default)]
    pub lints: Table,
}

/// A table with values of any kind.
pub type Table = BTreeMap<String, toml::Value>;

/// The `[package]` table.
#[derive(Deserialize)]
pub struct Package {
    /// The package's name.
    pub name: String,
    /// A version or `{ workspace = true }`.
    #[serde(rename = "rust-version")]
    pub rust_version: Option<toml::Value>,
}

/// The dependencies of one platform.
#[derive(Default, Deserialize)]
pub struct Platform {
    /// Normal dependencies.
    #[serde(default)]
    pub dependencies: Table,
}

impl Manifest {
    /// The packages that the product needs: normal, build and platform dependencies, renamed ones by their own name.
    pub fn needed(&self) -> Vec<String> {
        let platforms = self.target.values().map(|platform| &platform.dependencies);
        let tables = [&self.dependencies, &self.build_dependencies].into_iter().chain(platforms);
        tables.flat_map(package_names).collect()
    }

    /// The packages that only tests, examples and benchmarks need.
    pub fn needed_by_tests(&self) -> Vec<String> {
        package_names(&self.dev_dependencies).collect()
    }
}

/// The names of the packages behind a dependency table.
fn package_names(table: &Table) -> impl Iterator<Item = String> {
    table.iter().map(|(key, value)| {
        let renamed = value.get("package").and_then(toml::Value::as_str);
        renamed.unwrap_or(key).to_owned()
    })
}

/// The manifests of the packages in `crates/` and `xtask/`; those that cannot be read become findings.
pub fn manifests<'a>(tree: &'a Tree, findings: &mut Vec<Finding>) -> Vec<(&'a File, Manifest)> {
    let is_package = |path: &str| {
        let parts: Vec<&str> = path.split('/').collect();
        matches!(parts.as_slice(), ["crates", _, "Cargo.toml"] | ["xtask", "Cargo.toml"])
    };
    let mut manifests = Vec::new();
    for file in tree.files.iter().filter(|file| is_package(&file.path)) {
        match toml::from_str(&file.text) {
            Ok(manifest) => manifests.push((file, manifest)),
            Err(error) => {
                let problem = format!("unreadable manifest: {}", error.message());
                findings.push(Finding::error(&file.path, 1, problem, "correct the manifest"));
            }
        }
    }
    manifests
}

/// The first line that begins with `key`, counted from 1; 1 if there is none.
pub fn line_of(text: &str, key: &str) -> usize {
    let begins = |line: &str| {
        let rest = line.trim_start().strip_prefix(key);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '-'))
    };
    text.lines().position(begins).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::{Manifest, line_of};

    #[test]
    fn every_kind_of_dependency_is_seen_by_its_own_name() {
        let text = "[package]\nname = \"x\"\n[dependencies]\na.workspace = true\nb = { package = \"c\", version = \"1\" }\n\
                    [build-dependencies]\nd = \"1\"\n[target.'cfg(unix)'.dependencies]\ne = \"1\"\n\
                    [dev-dependencies]\nf = \"1\"\n";
        let manifest: Manifest = toml::from_str(text).expect("a manifest");
        assert_eq!(manifest.needed(), ["a", "c", "d", "e"]);
        assert_eq!(manifest.needed_by_tests(), ["f"]);
    }

    #[test]
    fn lines_are_found_by_whole_keys() {
        assert_eq!(line_of("ab = 1\na-b = 1\na.b = 1\n", "a"), 3);
        assert_eq!(line_of("ab = 1\n", "z"), 1);
    }
}
