//! Writing a file whole or not at all.
//!
//! ```text
//! temporary file in the same folder -> content -> sync_all -> rename over the target -> sync of the folder
//! ```
//!
//! The rename is atomic, so a reader sees the old file or the new one, also after a crash. A failure before it removes
//! the temporary file (`.NAME.*.tmp`) and leaves the old file as it was. The mode of a new file is 0666 less the
//! process's mask, as of any file made by `File::create`. A symbolic link is replaced, not followed.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use super::error::WriteError;

/// What content is written to, buffered.
pub type Content<'a> = BufWriter<&'a File>;

/// The temporary file beside `path`, complete and on the disk; dropping it removes it.
///
/// # Errors
/// The folder does not exist or denies access, `path` is a folder, or `content` fails; an earlier file is intact.
pub(super) fn stage(
    path: &Path,
    content: impl FnOnce(&mut Content<'_>) -> io::Result<()>,
) -> Result<NamedTempFile, WriteError> {
    if path.is_dir() {
        return Err(WriteError::Folder { path: path.to_owned() });
    }
    let error = |problem| system(path, problem);
    let temporary = create_beside(path).map_err(error)?;
    let mut writer = BufWriter::with_capacity(1 << 16, temporary.as_file());
    content(&mut writer).map_err(error)?;
    writer.flush().map_err(error)?;
    drop(writer);
    temporary.as_file().sync_all().map_err(error)?;
    Ok(temporary)
}

/// Renames the temporary file to `path`.
pub(super) fn publish(temporary: NamedTempFile, path: &Path) -> Result<(), WriteError> {
    temporary.persist(path).map(|_| ()).map_err(|failed| system(path, failed.error))
}

fn create_beside(path: &Path) -> io::Result<NamedTempFile> {
    let mut prefix = OsString::from(".");
    // A name near the system's limit leaves no room for the random part, so it is left out.
    prefix.push(path.file_name().filter(|name| name.len() <= 200).unwrap_or_default());
    prefix.push(".");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The library's own choice is 0600; the mask is applied to this one when the file is created.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder_of(path))
}

/// The folder of a path; `.` for a bare name.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Puts the renames in a folder on the disk. Some file systems cannot, and say so: that is not an error.
pub(super) fn sync_folder(folder: &Path) -> Result<(), WriteError> {
    if cfg!(unix) {
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        match synced {
            Err(problem)
                if !matches!(problem.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) =>
            {
                return Err(system(folder, problem));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Words for the common failures of a write to `path`.
pub(super) fn system(path: &Path, problem: io::Error) -> WriteError {
    let path = path.to_owned();
    match problem.kind() {
        io::ErrorKind::NotFound => WriteError::NoFolder { path },
        io::ErrorKind::NotADirectory => WriteError::NotAFolder { path: folder_of(&path).to_owned() },
        io::ErrorKind::IsADirectory => WriteError::Folder { path },
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            WriteError::Permission { path }
        }
        _ => WriteError::Io { path, problem },
    }
}
