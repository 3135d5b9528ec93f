//! Reading a file by its extension: `.npy`, `.npz`, `.csv`.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use super::array::{Origin, Samples, quoted};
use super::error::{CsvError, NpyError, NpzError, ReadError};
use super::npy::{self, Values};
use super::npz;
use super::table::{self, TableOptions};

/// A file and how to read it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ArrayFile {
    /// The file.
    pub path: PathBuf,
    /// Name of the array in a `.npz`; not needed if it holds one.
    pub array: Option<String>,
    /// The key of a config that names this array, for messages; may be empty.
    pub array_key: String,
    /// For a `.csv`.
    pub table: TableOptions,
}

impl ArrayFile {
    /// A file with nothing else said.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), ..Self::default() }
    }

    /// Whether the file's name ends in this, in any case.
    pub fn has_ending(&self, ending: &str) -> bool {
        self.path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending))
    }
}

/// Reads a matrix of samples; from a table also the labels, if a label column is named.
///
/// Values may be NaN or infinite: see [`Samples::require_finite`].
///
/// # Errors
/// See [`ReadError`]; the array must be two-dimensional with at least one row and column.
pub fn read_samples(file: &ArrayFile) -> Result<Samples, ReadError> {
    let mut origin = Origin { path: file.path.clone(), ..Origin::default() };
    if extension(file)? == Extension::Csv {
        let table = table::read(&text(&file.path)?, &file.table).map_err(|problem| csv(file, problem))?;
        origin.lines = table.lines;
        origin.column_names = table.column_names;
        return Ok(Samples { array: table.array, labels: table.labels, origin });
    }
    let (name, values) = values(file)?;
    let array = values.into_array().map_err(|problem| in_array(file, name.clone(), problem))?;
    origin.array = name;
    Ok(Samples { array, labels: None, origin })
}

/// Reads a list of labels or indices: an array of shape (n,) or (n, 1), or one column of a table.
///
/// Values may be NaN or infinite.
///
/// # Errors
/// See [`ReadError`].
pub fn read_labels(file: &ArrayFile) -> Result<Vec<f64>, ReadError> {
    if extension(file)? == Extension::Csv {
        return table::read_labels(&text(&file.path)?, &file.table).map_err(|problem| csv(file, problem));
    }
    let (name, values) = values(file)?;
    values.into_labels().map_err(|problem| in_array(file, name, problem))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Extension {
    Npy,
    Npz,
    Csv,
}

/// The format, by the extension in either case; an array name goes only with `.npz`.
fn extension(file: &ArrayFile) -> Result<Extension, ReadError> {
    let path = file.path.clone();
    let found = file.path.extension().map(OsStr::to_string_lossy);
    let extension = match found.as_deref().map(str::to_ascii_lowercase).as_deref() {
        Some("npy") => Extension::Npy,
        Some("npz") => Extension::Npz,
        Some("csv") => Extension::Csv,
        // A folder or a missing file is the better news than its extension.
        _ => {
            regular_file_size(&path)?;
            let found = found.map_or("(none)".to_owned(), |found| quoted(format!(".{found}").as_bytes()));
            return Err(ReadError::Extension { path, found });
        }
    };
    match &file.array {
        Some(name) if extension != Extension::Npz => Err(ReadError::NameUnused { path, name: name.clone() }),
        _ => Ok(extension),
    }
}

/// The array of a `.npy` or `.npz` file, and its name in the latter.
fn values(file: &ArrayFile) -> Result<(Option<String>, Values), ReadError> {
    let (opened, size) = open(&file.path)?;
    let reader = BufReader::with_capacity(1 << 16, opened);
    let path = file.path.clone();
    if extension(file)? == Extension::Npy {
        let values = npy::read(reader, size, size).map_err(|problem| ReadError::Npy { path, problem })?;
        return Ok((None, values));
    }
    let named = npz::read(reader, size, file.array.as_deref());
    let (name, values) = named.map_err(|problem| {
        let problem = match problem {
            NpzError::NameNeeded { count, available, .. } => {
                NpzError::NameNeeded { key: file.array_key.clone(), count, available }
            }
            problem => problem,
        };
        ReadError::Npz { path, problem }
    })?;
    Ok((Some(name), values))
}

fn in_array(file: &ArrayFile, name: Option<String>, problem: NpyError) -> ReadError {
    let path = file.path.clone();
    match name {
        None => ReadError::Npy { path, problem },
        Some(name) => ReadError::Npz { path, problem: NpzError::Array { name, problem } },
    }
}

fn csv(file: &ArrayFile, problem: CsvError) -> ReadError {
    ReadError::Csv { path: file.path.clone(), problem }
}

fn text(path: &Path) -> Result<Vec<u8>, ReadError> {
    regular_file_size(path)?;
    fs::read(path).map_err(|problem| system(path, problem))
}

fn open(path: &Path) -> Result<(File, u64), ReadError> {
    let size = regular_file_size(path)?;
    let file = File::open(path).map_err(|problem| system(path, problem))?;
    Ok((file, size))
}

/// Checked before opening, since opening a pipe may wait for ever.
fn regular_file_size(path: &Path) -> Result<u64, ReadError> {
    let metadata = fs::metadata(path).map_err(|problem| system(path, problem))?;
    let path = path.to_owned();
    if metadata.is_dir() {
        return Err(ReadError::Folder { path });
    }
    if !metadata.is_file() {
        return Err(ReadError::NotRegular { path });
    }
    Ok(metadata.len())
}

fn system(path: &Path, problem: io::Error) -> ReadError {
    let path = path.to_owned();
    match problem.kind() {
        io::ErrorKind::NotFound => ReadError::NotFound { path },
        io::ErrorKind::PermissionDenied => ReadError::Permission { path },
        io::ErrorKind::IsADirectory => ReadError::Folder { path },
        _ => ReadError::Io { path, problem },
    }
}
