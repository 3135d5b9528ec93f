//! The text files of the workspace, read once.
//!
//! In a git checkout these are the files that git tracks or would track; elsewhere every file below the root
//! outside of build and run folders. Binary and very large files are left out.

use std::path::Path;
use std::process::Command;

use super::code;

/// Files above this many bytes are data, not text to be read.
const LARGEST_TEXT: u64 = 1 << 20;

/// Folders that a walk does not enter.
const SKIPPED_FOLDERS: &[&str] = &["target", "runs", ".git"];

/// The files of a workspace, in the order of their paths.
pub struct Tree {
    /// All text files.
    pub files: Vec<File>,
}

/// One text file.
pub struct File {
    /// Path below the root, with `/` between folders.
    pub path: String,
    /// The whole text.
    pub text: String,
}

impl Tree {
    /// Reads the workspace at `root`.
    pub fn of_workspace(root: &Path) -> Result<Self, String> {
        let paths = match listed_by_git(root) {
            Some(paths) => paths,
            None => walked(root)?,
        };
        let mut files: Vec<File> = paths.into_iter().filter_map(|path| read(root, path)).collect();
        files.sort_by(|left, right| left.path.cmp(&right.path));
        files.dedup_by(|left, right| left.path == right.path);
        Ok(Self { files })
    }

    /// A tree of made-up files, for tests of the checks.
    #[cfg(test)]
    pub fn made_up(files: &[(&str, &str)]) -> Self {
        let file = |&(path, text): &(&str, &str)| File { path: path.to_owned(), text: text.to_owned() };
        Self { files: files.iter().map(file).collect() }
    }

    /// The file at `path`.
    pub fn get(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The Rust files.
    pub fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }
}

impl File {
    /// The crate (folder below `crates/`) that the file belongs to.
    pub fn krate(&self) -> Option<&str> {
        self.path.strip_prefix("crates/")?.split('/').next()
    }

    /// Whether only tests, examples or benchmarks use the file.
    ///
    /// A test module in a file of its own is known by its name `tests`.
    pub fn is_test(&self) -> bool {
        let in_folder = |part| matches!(part, "tests" | "examples" | "benches" | "tests.rs");
        self.path.split('/').any(in_folder)
    }

    /// Whether the file belongs to a library or a program: a crate's `src` without its test modules.
    pub fn is_product(&self) -> bool {
        let in_src = self.krate().is_some_and(|name| self.path.starts_with(&format!("crates/{name}/src/")));
        in_src && self.path.ends_with(".rs") && !self.is_test()
    }

    /// The Rust code without comments, literals and test modules; lines stay where they are.
    pub fn product_code(&self) -> String {
        code::without_tests(&code::bare(&self.text))
    }
}

/// The paths that git tracks or would track, if `root` is the workspace of a checkout.
fn listed_by_git(root: &Path) -> Option<Vec<String>> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").arg("-C").arg(root).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let paths: Vec<String> = text.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
    (output.status.success() && paths.iter().any(|path| path == "Cargo.toml")).then_some(paths)
}

/// The paths of all files below `root`, build and run folders aside.
fn walked(root: &Path) -> Result<Vec<String>, String> {
    let mut paths = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let place = root.join(&folder);
        let unreadable = |error| format!("tidy: cannot list {}: {error}", place.display());
        for entry in std::fs::read_dir(&place).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            let kind = entry.file_type().map_err(unreadable)?;
            if kind.is_dir() && !SKIPPED_FOLDERS.contains(&name.as_str()) {
                folders.push(path);
            } else if kind.is_file() {
                paths.push(path);
            }
        }
    }
    Ok(paths)
}

/// The file at `path`, unless it is gone, large or binary.
fn read(root: &Path, path: String) -> Option<File> {
    let place = root.join(&path);
    let metadata = place.symlink_metadata().ok()?;
    if !metadata.is_file() || metadata.len() > LARGEST_TEXT {
        return None;
    }
    let bytes = std::fs::read(place).ok()?;
    if path.ends_with(".rs") || path.ends_with(".toml") {
        return Some(File { path, text: String::from_utf8_lossy(&bytes).into_owned() });
    }
    let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))?;
    Some(File { path, text })
}

#[cfg(test)]
mod tests {
    use super::{Tree, listed_by_git, walked};

    #[test]
    fn a_walk_finds_every_file_that_git_lists() {
        let root = crate::workspace::root();
        let found = walked(&root).expect("the workspace is readable");
        assert!(found.iter().any(|path| path == "xtask/src/tidy/tree.rs"));
        for path in listed_by_git(&root).unwrap_or_default() {
            assert!(found.contains(&path) || !root.join(&path).is_file(), "{path}");
        }
    }

    #[test]
    fn product_code_is_src_without_test_modules() {
        let paths = ["crates/a/src/x.rs", "crates/a/src/x/tests.rs", "crates/a/tests/x.rs", "xtask/src/x.rs"];
        let tree = Tree::made_up(&paths.map(|path| (path, "")));
        let product: Vec<bool> = tree.files.iter().map(super::File::is_product).collect();
        assert_eq!(product, [true, false, false, false]);
        assert_eq!(tree.files[0].krate(), Some("a"));
    }
}
