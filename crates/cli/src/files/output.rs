//! A folder of results that appear together.
//!
//! Each file is first written whole to a temporary one in the folder; [`OutputFolder::commit`] then renames them one by
//! one. A failure or an interrupt before the commit leaves earlier results as they were: dropping the value removes the
//! temporaries, and the folder too if it was made for them and is empty. (A killed process cannot clean up: it leaves
//! files called `.NAME.*.tmp`.)

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use tempfile::NamedTempFile;

use super::atomic::{self, Content};
use super::error::WriteError;

/// Files staged in a folder, not yet visible under their names.
#[derive(Debug)]
pub struct OutputFolder {
    folder: PathBuf,
    /// Folders made by `open`, the innermost first.
    made: Vec<PathBuf>,
    staged: Vec<(PathBuf, NamedTempFile)>,
}

impl OutputFolder {
    /// Opens the folder, making it (and those above it) if needed.
    ///
    /// # Errors
    /// A file stands in the way, or access is denied.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, WriteError> {
        let folder = folder.into();
        let missing = folder.ancestors().take_while(|p| !p.as_os_str().is_empty() && !p.exists());
        let made = missing.map(Path::to_owned).collect();
        if folder.exists() && !folder.is_dir() {
            return Err(WriteError::NotAFolder { path: folder });
        }
        let opened = Self { folder, made, staged: Vec::new() };
        fs::create_dir_all(&opened.folder).map_err(|problem| {
            match atomic::system(&opened.folder, problem) {
                WriteError::NotAFolder { path } => WriteError::NotAFolder { path: first_file(&path) },
                error => error,
            }
        })?;
        Ok(opened)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Writes one result, to become visible as `name` at the commit.
    ///
    /// # Errors
    /// `name` is no plain file name or was staged before, a folder of that name exists, or writing fails.
    pub fn stage(
        &mut self,
        name: &str,
        content: impl FnOnce(&mut Content<'_>) -> io::Result<()>,
    ) -> Result<(), WriteError> {
        let mut components = Path::new(name).components();
        let plain = matches!((components.next(), components.next()), (Some(Component::Normal(only)), None) if only == name);
        if !plain {
            return Err(WriteError::Name { name: name.to_owned() });
        }
        let path = self.folder.join(name);
        if self.staged.iter().any(|(other, _)| *other == path) {
            return Err(WriteError::Twice { path });
        }
        let temporary = atomic::stage(&path, content)?;
        self.staged.push((path, temporary));
        Ok(())
    }

    /// Renames all staged files, in the order of staging; returns their paths.
    ///
    /// # Errors
    /// A rename fails. Files before it in the order are new then, it and those after it as they were.
    pub fn commit(mut self) -> Result<Vec<PathBuf>, WriteError> {
        if let Some((path, _)) = self.staged.iter().find(|(path, _)| path.is_dir()) {
            return Err(WriteError::Folder { path: path.clone() });
        }
        let mut paths = Vec::with_capacity(self.staged.len());
        for (path, temporary) in self.staged.drain(..) {
            atomic::publish(temporary, &path)?;
            paths.push(path);
        }
        self.made.clear();
        atomic::sync_folder(&self.folder)?;
        Ok(paths)
    }
}

impl Drop for OutputFolder {
    fn drop(&mut self) {
        self.staged.clear();
        for folder in &self.made {
            // Refused by the system unless empty, which is what is wanted.
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
}

/// The outermost part of a path that is a file.
fn first_file(path: &Path) -> PathBuf {
    let parts: Vec<_> = path.ancestors().collect();
    parts.into_iter().rev().find(|part| part.is_file()).unwrap_or(path).to_owned()
}
