//! Misuse of the library, as values: every variant holds the numbers found and says what is accepted.

use std::fmt::Display;

/// An option outside its range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} = {value}: accepted is {accepted}")]
pub struct InvalidOption {
    /// The option's name, as in TOML and in the API.
    pub name: &'static str,
    /// The value found, as text.
    pub value: String,
    /// The accepted range in words.
    pub accepted: &'static str,
}

impl InvalidOption {
    /// `Ok` where `holds`, else the error with these fields.
    pub(crate) fn check(
        holds: bool,
        name: &'static str,
        value: impl Display,
        accepted: &'static str,
    ) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self { name, value: value.to_string(), accepted }) }
    }
}

impl From<solvers::Error> for Error {
    fn from(error: solvers::Error) -> Self {
        let solvers::Error::OutOfRange { name, value, accepted } = error;
        Error::Option(InvalidOption { name, value: value.to_string(), accepted })
    }
}

/// Data, labels or a dictionary that cannot be learned from. Indices count from 0.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// An option is out of range.
    #[error(transparent)]
    Option(#[from] InvalidOption),
    /// No samples, or samples without features.
    #[error(
        "the data are empty: {n_samples} samples of {n_features} features; at least one of each is needed"
    )]
    Empty {
        /// Samples found.
        n_samples: usize,
        /// Features found.
        n_features: usize,
    },
    /// A value that is not a number one can learn from.
    #[error(
        "{what} holds {value} at row {row}, column {column} (counted from 0): every value must be finite; \
         remove or impute it"
    )]
    NotFinite {
        /// Which array.
        what: &'static str,
        /// Its first row with such a value.
        row: usize,
        /// The column there.
        column: usize,
        /// The value.
        value: f64,
    },
    /// Two arrays that must agree in a length do not.
    #[error("{what} has {found} {unit}, expected {expected} as in {reference}")]
    Shape {
        /// The array that does not fit.
        what: &'static str,
        /// What is counted.
        unit: &'static str,
        /// Its length.
        found: usize,
        /// The length needed.
        expected: usize,
        /// The array that sets the length.
        reference: &'static str,
    },
    /// A sample or an atom of norm 0 that has to be divided by its norm.
    #[error("{what} {index} (counted from 0) is zero, so it cannot be scaled to norm 1: {remedy}")]
    ZeroNorm {
        /// "sample" or "atom".
        what: &'static str,
        /// Its index.
        index: usize,
        /// What the user can do.
        remedy: &'static str,
    },
    /// A whole dictionary of zeros under the Frobenius constraint.
    #[error("the dictionary is zero, so it cannot be scaled to Frobenius norm 1: start from another one")]
    ZeroDictionary,
    /// More atoms asked for than samples can supply.
    #[error(
        "{missing} atoms are still to be drawn from the samples, but only {available} distinct nonzero samples are \
         left: reduce n_components or choose init = \"random\""
    )]
    TooFewSamples {
        /// Atoms still needed.
        missing: usize,
        /// Samples left.
        available: usize,
    },
    /// A task without labels.
    #[error("the task needs labels, and the data have none")]
    NoLabels,
    /// A sample weight that is negative or not finite.
    #[error("weight {value} of sample {index} (counted from 0): weights are finite and not negative")]
    Weight {
        /// The sample.
        index: usize,
        /// Its weight.
        value: f64,
    },
    /// Arrays that are no compressed sparse rows.
    #[error(
        "sparse samples: {} must have ascending indices below {n_features}, each at most once",
        .row.map_or("indptr must rise from 0 to the number of entries, and every row".to_string(), |row| format!("row {row} (counted from 0)"))
    )]
    SparseRows {
        /// The first row with wrong indices; none where `indptr` is wrong.
        row: Option<usize>,
        /// Number of features.
        n_features: usize,
    },
    /// A weight of an atom in the l1 norm that is negative or not finite.
    #[error("weight {value} of atom {index} (counted from 0): weights are finite and not negative")]
    AtomWeight {
        /// The atom.
        index: usize,
        /// Its weight.
        value: f64,
    },
    /// A feature that is missing in every sample: nothing determines the atoms there.
    #[error(
        "feature {column} (counted from 0) is observed in none of the {n_samples} samples, so nothing determines the \
         atoms there: leave the feature out, or take samples that observe it"
    )]
    Unobserved {
        /// The first such feature.
        column: usize,
        /// Number of samples.
        n_samples: usize,
    },
    /// Labels of a single class.
    #[error("all {n_samples} labels are {label}: a classifier needs samples of both classes, 0 and 1")]
    OneClass {
        /// Number of labels.
        n_samples: usize,
        /// The only label.
        label: f64,
    },
    /// A label that is neither 0 nor 1.
    #[error("label {value} of sample {index} (counted from 0): binary labels are 0 and 1")]
    Label {
        /// The sample.
        index: usize,
        /// Its label.
        value: f64,
    },
}

impl Error {
    /// First entry of a column-major `matrix` (rows of the user's array are its columns) that is not finite.
    pub(crate) fn check_finite(what: &'static str, matrix: faer::MatRef<'_, f64>) -> Result<(), Self> {
        for row in 0..matrix.ncols() {
            let values = linalg::columns::column(matrix, row);
            if let Some(column) = values.iter().position(|v| !v.is_finite()) {
                return Err(Error::NotFinite { what, row, column, value: values[column] });
            }
        }
        Ok(())
    }

    /// `Ok` where the lengths agree.
    pub(crate) fn check_length(
        what: &'static str,
        unit: &'static str,
        found: usize,
        expected: usize,
        reference: &'static str,
    ) -> Result<(), Self> {
        if found == expected { Ok(()) } else { Err(Error::Shape { what, unit, found, expected, reference }) }
    }
}
