//! Why data cannot be used: the file, the place in it, what was found, what is accepted and what to do.

use crate::config::keys::short;
use crate::files::error::{NonFinite, ReadError};
use dictlearn::error::Error;
use std::path::PathBuf;

/// Data that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file that cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A value that is NaN or infinite.
    #[error(transparent)]
    NonFinite(#[from] NonFinite),
    /// A feature that is NaN where none may be missing.
    #[error("{0}, or set data.file.missing = \"nan\" if it is a missing feature")]
    Missing(Box<NonFinite>),
    /// An empty field where no feature may be missing.
    #[error("{0}, or set data.file.missing = \"nan\" if it is a missing feature")]
    EmptyField(Box<ReadError>),
    /// A feature that no training sample observes.
    #[error(
        "{origin}{}: {column} is missing in all {n_samples} training samples (columns count from 0), so nothing determines \
         the atoms there: leave the column out, or take training samples that observe it",
        mask.as_ref().map_or(String::new(), |mask| format!(" with the mask {}", mask.display()))
    )]
    Unobserved {
        /// The file of the samples.
        origin: String,
        /// The file of their mask, where there is one.
        mask: Option<PathBuf>,
        /// The column, in words.
        column: String,
        /// Number of training samples.
        n_samples: usize,
    },
    /// A mask of another shape than the samples.
    #[error(
        "{}: a mask of shape ({}, {}) for samples of shape ({}, {}) in {}: one entry for every feature of every sample \
         is needed",
        path.display(), found.0, found.1, expected.0, expected.1, samples.display()
    )]
    MaskShape {
        /// The file of the mask.
        path: PathBuf,
        /// Its rows and columns.
        found: (usize, usize),
        /// Those of the samples.
        expected: (usize, usize),
        /// The file of the samples.
        samples: PathBuf,
    },
    /// An entry of a mask that is neither 0 nor 1.
    #[error(
        "{}: {place} is {} (rows and columns count from 0); a mask holds 1 or true where a feature is observed and \
         0 or false where it is missing",
        path.display(), short(*value)
    )]
    MaskValue {
        /// The file of the mask.
        path: PathBuf,
        /// Where, in words.
        place: String,
        /// The value found.
        value: f64,
    },
    /// Weights of the l1 norm that are not one an atom.
    #[error(
        "{}: {found} atom weights for dictionary.n_components = {expected}: one an atom is needed",
        path.display()
    )]
    AtomWeights {
        /// The file.
        path: PathBuf,
        /// Weights found.
        found: usize,
        /// Number of atoms.
        expected: usize,
    },
    /// The library refuses the data.
    #[error("{origin}: {error}")]
    Data {
        /// The file, or the kind of data.
        origin: String,
        /// What is wrong.
        error: Error,
    },
    /// Labels or weights that are not one a sample.
    #[error(
        "{}: {found} {what} for {expected} samples of {}: one a sample is needed, in the same order",
        path.display(),
        samples.display()
    )]
    Length {
        /// The file.
        path: PathBuf,
        /// "labels" or "weights".
        what: &'static str,
        /// Entries found.
        found: usize,
        /// Number of samples.
        expected: usize,
        /// The file of the samples.
        samples: PathBuf,
    },
    /// A weight that is negative or not finite.
    #[error(
        "{}: weight {} at row {row} (counted from 0): weights must be finite and not negative",
        path.display(), short(*value)
    )]
    Weight {
        /// The file.
        path: PathBuf,
        /// 0-based row.
        row: usize,
        /// The weight found.
        value: f64,
    },
    /// A task without labels.
    #[error("{origin}: the task needs labels: name them with data.file.labels or data.file.label_column")]
    NoLabels {
        /// The file of the samples.
        origin: String,
    },
    /// A sample that preprocessing carries beyond the range of f64.
    #[error(
        "{origin}: row {row} (counted from 0) holds {} after data.preprocessing: \
         bring data.preprocessing.scale nearer to 0",
        short(*value)
    )]
    Overflow {
        /// The file, or the kind of data.
        origin: String,
        /// 0-based row.
        row: usize,
        /// What the value became.
        value: f64,
    },
    /// Shapes that memory is not likely to hold.
    #[error("{origin}: {what} take {:.1} GB, and at most 8 GB are accepted: {remedy}", (*entries as f64 * 8e-8).ceil() / 10.0)]
    Memory {
        /// The file, or the kind of data.
        origin: String,
        /// What takes it.
        what: String,
        /// Its entries, of 8 bytes each.
        entries: usize,
        /// What the user can do.
        remedy: String,
    },
    /// A training part too small to learn from or to choose a ridge in.
    #[error("{origin}: {problem}")]
    Split {
        /// The file, or the kind of data.
        origin: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// Labels that do not make two classes.
    #[error("{}: {problem}", path.display())]
    Classes {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
}
