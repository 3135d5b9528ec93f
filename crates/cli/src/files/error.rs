//! Errors of the file layer: the place, what was found, what is accepted, and what to do about it.

use std::io;
use std::path::PathBuf;

/// A file that could not be read as an array or a table.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No file at the path.
    #[error("{path}: no such file; check the spelling, and from which folder a relative path starts", path = path.display())]
    NotFound {
        /// The path as given.
        path: PathBuf,
    },
    /// A folder where a file is needed.
    #[error("{path}: is a folder; name one file in it (.npy, .npz or .csv)", path = path.display())]
    Folder {
        /// The path as given.
        path: PathBuf,
    },
    /// A pipe, socket or device: its length is not known beforehand.
    #[error("{path}: is a pipe or a device; save the data as a regular file first", path = path.display())]
    NotRegular {
        /// The path as given.
        path: PathBuf,
    },
    /// The operating system denies access.
    #[error("{path}: permission denied; make the file readable for this user", path = path.display())]
    Permission {
        /// The path as given.
        path: PathBuf,
    },
    /// Any other failure of the operating system.
    #[error("{path}: cannot be read: {problem}", path = path.display())]
    Io {
        /// The path as given.
        path: PathBuf,
        /// What the system said.
        problem: io::Error,
    },
    /// An extension that no reader is chosen for.
    #[error("{path}: unknown extension {found}; accepted are .npy, .npz and .csv", path = path.display())]
    Extension {
        /// The path as given.
        path: PathBuf,
        /// The extension found, quoted, or "(none)".
        found: String,
    },
    /// An array name for a file that holds no named arrays.
    #[error("{path}: array {name:?} was asked for, but only .npz files have named arrays; drop the name", path = path.display())]
    NameUnused {
        /// The path as given.
        path: PathBuf,
        /// The name asked for.
        name: String,
    },
    /// A malformed or unsupported `.npy` file.
    #[error("{path}: {problem}", path = path.display())]
    Npy {
        /// The path as given.
        path: PathBuf,
        /// What is wrong inside.
        problem: NpyError,
    },
    /// A malformed or unsupported `.npz` file.
    #[error("{path}: {problem}", path = path.display())]
    Npz {
        /// The path as given.
        path: PathBuf,
        /// What is wrong inside.
        problem: NpzError,
    },
    /// A malformed table.
    #[error("{path}: {problem}", path = path.display())]
    Csv {
        /// The path as given.
        path: PathBuf,
        /// What is wrong inside.
        problem: CsvError,
    },
}

/// What is wrong inside one `.npy` stream.
#[derive(Debug, thiserror::Error)]
pub enum NpyError {
    /// The first bytes are not NumPy's magic.
    #[error("not a .npy array: it starts with {found}, expected \\x93NUMPY; save it with numpy.save")]
    Magic {
        /// The first bytes, escaped.
        found: String,
    },
    /// A format version other than 1.0, 2.0 and 3.0.
    #[error(".npy version {major}.{minor} is unknown; accepted are 1.0, 2.0 and 3.0")]
    Version {
        /// Major version found.
        major: u8,
        /// Minor version found.
        minor: u8,
    },
    /// A header longer than any array of numbers needs.
    #[error(
        "the .npy header claims {found} bytes, at most {limit} are accepted; save the array again with numpy.save"
    )]
    HeaderTooLong {
        /// Length claimed.
        found: u64,
        /// Longest length accepted.
        limit: u64,
    },
    /// A header that is not the dictionary NumPy writes.
    #[error(
        "malformed .npy header at its byte {position}: found {found}, expected {expected}; save the array again with numpy.save"
    )]
    Header {
        /// 0-based byte in the header text.
        position: usize,
        /// What stands there.
        found: String,
        /// What would be right.
        expected: &'static str,
    },
    /// The file ends within its header.
    #[error("truncated: the header takes {promised} bytes, the file has {found}; copy or save it again")]
    HeaderTruncated {
        /// Bytes from the start of the file to the end of the header.
        promised: u64,
        /// Bytes present.
        found: u64,
    },
    /// Fewer bytes of data than promised.
    #[error(
        "truncated: the header promises {promised} bytes of data, the file has {found}; copy or save it again"
    )]
    Truncated {
        /// Bytes promised.
        promised: u64,
        /// Bytes present.
        found: u64,
    },
    /// More bytes than promised.
    #[error(
        "too long: the header promises {promised} bytes of data, the file has {found}; save one array per file"
    )]
    Trailing {
        /// Bytes promised.
        promised: u64,
        /// Bytes present.
        found: u64,
    },
    /// An element type that is not a real number of 1 to 8 bytes.
    #[error(
        "dtype {found} ({kind}) is not supported; accepted are float32, float64, integers of 8 to 64 bits and bool: convert with array.astype('float64')"
    )]
    DType {
        /// `descr` of the header.
        found: String,
        /// The kind in words.
        kind: &'static str,
    },
    /// A number of dimensions that is not accepted here.
    #[error("shape {shape}, expected {expected}")]
    Dimensions {
        /// The shape as Python writes it.
        shape: String,
        /// What is accepted, with a remedy.
        expected: &'static str,
    },
    /// A shape whose size in bytes does not fit 64 bits.
    #[error("shape {shape} of dtype {dtype} is larger than any file; save the array again with numpy.save")]
    Overflow {
        /// The shape as Python writes it.
        shape: String,
        /// `descr` of the header.
        dtype: String,
    },
    /// No elements.
    #[error("shape {shape} holds no elements; at least one row and one column are needed")]
    Empty {
        /// The shape as Python writes it.
        shape: String,
    },
    /// A 64-bit integer that no float64 equals.
    #[error(
        "{dtype} value {value} at row {row}, column {column} (counted from 0) is beyond 2^53 and has no exact float64; rescale it or drop the column"
    )]
    Inexact {
        /// NumPy's name of the type.
        dtype: &'static str,
        /// The integer, in digits.
        value: String,
        /// 0-based row.
        row: usize,
        /// 0-based column (0 for a 1-D array).
        column: usize,
    },
    /// The stream broke off or failed.
    #[error("cannot be read to its end: {problem}")]
    Io {
        /// What the system (or the decompressor) said.
        problem: io::Error,
    },
}

/// What is wrong inside a `.npz` file.
#[derive(Debug, thiserror::Error)]
pub enum NpzError {
    /// Not a zip archive, or a damaged one.
    #[error("not a readable .npz (zip) file: {problem}; save it again with numpy.savez")]
    Archive {
        /// What the zip reader said.
        problem: zip::result::ZipError,
    },
    /// A zip archive without `.npy` members.
    #[error("holds no arrays (a .npz is a zip of .npy files); save it with numpy.savez")]
    NoArrays,
    /// Several arrays and no name.
    #[error("holds {count} arrays, so one must be named{}: {available}", if key.is_empty() { String::new() } else { format!(" with {key}") })]
    NameNeeded {
        /// The key that names it, where the file stands in a config; else empty.
        key: String,
        /// Number of arrays.
        count: usize,
        /// Their names, quoted.
        available: String,
    },
    /// The arrays of a sparse matrix of SciPy and no name.
    #[error(
        "this is a sparse matrix of scipy; save a dense array, as in numpy.save(\"x.npy\", matrix.toarray())"
    )]
    SparseMatrix,
    /// No array of that name.
    #[error("no array {name:?}{suggestion}; available: {available}")]
    NoSuchArray {
        /// The name asked for.
        name: String,
        /// Empty, or `, did you mean "..."?`.
        suggestion: String,
        /// Names in the file, quoted.
        available: String,
    },
    /// A member that is encrypted or compressed by an unsupported method.
    #[error(
        "array {name:?} is {found}; accepted are stored and deflated members: save it with numpy.savez_compressed"
    )]
    Method {
        /// Array name.
        name: String,
        /// "encrypted" or the compression method.
        found: String,
    },
    /// A member that would unpack to more than it can, or than is accepted.
    #[error(
        "array {name:?} claims to unpack to {found} bytes, at most {limit} are accepted here; save it as .npy"
    )]
    TooLarge {
        /// Array name.
        name: String,
        /// Unpacked size claimed.
        found: u64,
        /// Largest size accepted.
        limit: u64,
    },
    /// A malformed or unsupported array.
    #[error("array {name:?}: {problem}")]
    Array {
        /// Array name.
        name: String,
        /// What is wrong inside.
        problem: NpyError,
    },
}

/// What is wrong inside a table.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// No rows of numbers.
    #[error("the table is empty{after}; at least one row of numbers is needed")]
    Empty {
        /// Empty, or what was there instead.
        after: &'static str,
    },
    /// UTF-16 text or another encoding with a mark of its own.
    #[error("the text is {found}; save the table as UTF-8")]
    Encoding {
        /// The encoding recognised.
        found: &'static str,
    },
    /// A row with another number of cells than the first.
    #[error(
        "line {line}: {found} cell(s), but line {first_line} has {expected}; every row needs the same number{hint}"
    )]
    Ragged {
        /// 1-based line in the file.
        line: u64,
        /// Number of cells found.
        found: usize,
        /// Number of cells in the first row.
        expected: usize,
        /// 1-based line of the first row.
        first_line: u64,
        /// Empty, or a guess at the cause.
        hint: &'static str,
    },
    /// A cell that is not a number.
    #[error("line {line}, column {column}: {found} is not a number (columns count from 0){hint}")]
    Cell {
        /// 1-based line in the file.
        line: u64,
        /// 0-based index, with the name where there is a header.
        column: String,
        /// The text of the cell, quoted.
        found: String,
        /// Empty, or a guess at the cause.
        hint: &'static str,
    },
    /// An empty cell in the label column.
    #[error(
        "line {line}, column {column}: the label is missing (columns count from 0); fill it in or drop the row"
    )]
    NoLabel {
        /// 1-based line in the file.
        line: u64,
        /// 0-based index, with the name where there is a header.
        column: String,
    },
    /// A number that only infinity is near.
    #[error(
        "line {line}, column {column}: {found} is beyond the largest number, 1.8e308 (columns count from 0); rescale the \
         column or drop the row"
    )]
    TooLarge {
        /// 1-based line in the file.
        line: u64,
        /// 0-based index, with the name where there is a header.
        column: String,
        /// The text of the cell, quoted.
        found: String,
    },
    /// A first row of words and numbers.
    #[error(
        "line {line}, column {column}: {found} is not a number (columns count from 0), but {number} in the same line is: \
         set data.file.header = \"yes\" if the line names the columns, or \"no\" if it is data{hint}"
    )]
    HeaderOrData {
        /// 1-based line in the file.
        line: u64,
        /// 0-based index of the word.
        column: usize,
        /// The word, quoted.
        found: String,
        /// The number, quoted.
        number: String,
        /// Empty, or how a missing feature is written.
        hint: &'static str,
    },
    /// A blank line in a table of one column whose empty cells are NaN.
    #[error(
        "line {line} is blank: in a table of one column that could be a missing feature or nothing; write nan or \"\", \
         or remove the line"
    )]
    BlankLine {
        /// 1-based line in the file.
        line: u64,
    },
    /// A label column asked for by a name that is not in the header.
    #[error("no column {name:?}{suggestion}; available: {available}")]
    NoSuchColumn {
        /// The name asked for.
        name: String,
        /// Empty, or `, did you mean "..."?`.
        suggestion: String,
        /// Names in the header, quoted.
        available: String,
    },
    /// A label column asked for by a name that the header holds twice.
    #[error("the header holds column {name:?} {count} times; give the 0-based index of the one meant")]
    AmbiguousColumn {
        /// The name asked for.
        name: String,
        /// How often it occurs.
        count: usize,
    },
    /// A label column asked for by name in a table without header.
    #[error("column {name:?} was asked for, but the table has no header; give a 0-based index")]
    NoHeader {
        /// The name asked for.
        name: String,
    },
    /// A label column beyond the last.
    #[error("no column {index}: the table has {columns} columns, 0 to {last}", last = columns - 1)]
    ColumnRange {
        /// 0-based index asked for.
        index: usize,
        /// Number of columns, at least 1.
        columns: usize,
    },
    /// Nothing but labels.
    #[error("the label column is the only one; at least one column of features is needed")]
    OnlyLabels,
    /// Several columns where a single one of labels is needed.
    #[error("{columns} columns where labels need one; name the label column")]
    LabelsNeedOneColumn {
        /// Number of columns.
        columns: usize,
    },
}

/// An element that is NaN or infinite.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {place} is {value} (rows and columns count from 0); every value must be finite: drop the row or fill the value in", path = path.display())]
pub struct NonFinite {
    /// The file.
    pub path: PathBuf,
    /// Where, in words: array, 0-based row and column as in NumPy, and for a table the line.
    pub place: String,
    /// 0-based row.
    pub row: usize,
    /// 0-based column; `None` for a label.
    pub column: Option<usize>,
    /// The value found.
    pub value: f64,
}

/// A result that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A file where the output folder should be.
    #[error("{path}: is a file, but a folder is needed for the results; choose another name or move the file away", path = path.display())]
    NotAFolder {
        /// The folder asked for.
        path: PathBuf,
    },
    /// A folder where the output file should be.
    #[error("{path}: is a folder, so no file can be written there; choose another name or move the folder away", path = path.display())]
    Folder {
        /// The file asked for.
        path: PathBuf,
    },
    /// The folder of the output file does not exist.
    #[error("{path}: cannot be written, its folder does not exist; create it first", path = path.display())]
    NoFolder {
        /// The file asked for.
        path: PathBuf,
    },
    /// The operating system denies access.
    #[error("{path}: permission denied; choose another place or make the folder writable for this user", path = path.display())]
    Permission {
        /// The file or folder asked for.
        path: PathBuf,
    },
    /// A name that is not one plain file name.
    #[error("{name:?} is not a plain file name (no separators, not empty, not \".\" or \"..\")")]
    Name {
        /// The name asked for.
        name: String,
    },
    /// The same name twice in one set of results.
    #[error("{path}: written twice in one set of results; give each result its own name", path = path.display())]
    Twice {
        /// The file asked for.
        path: PathBuf,
    },
    /// Any other failure of the operating system.
    #[error("{path}: cannot be written: {problem}; check the free space and the disk", path = path.display())]
    Io {
        /// The file or folder asked for.
        path: PathBuf,
        /// What the system said.
        problem: io::Error,
    },
}
