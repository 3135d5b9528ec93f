//! Data of an experiment: read or drawn, labelled, split, preprocessed.
//!
//! Order: read -> labels to 0 and 1 -> held-out part -> preprocessing fitted on the training part and applied to both.
//! Samples are columns of a `d x n` matrix (rows of the file). Errors name the file, row and column where they are.

use crate::config::Experiment;
use crate::config::experiment::{FileSource, Init, Source};
use crate::files::array::Samples;
use crate::files::digits::{digits, split};
use crate::files::error::{NonFinite, ReadError};
use crate::files::read::{ArrayFile, read_labels, read_samples};
use dictlearn::dictionary::Initialization;
use dictlearn::error::Error;
use dictlearn::evaluation::hold_out;
use dictlearn::synthetic::make_sparse_coded_signal;
use faer::{Mat, MatRef};
use linalg::columns::{column, column_mut};
use std::path::{Path, PathBuf};

/// Data that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file that cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A value that is NaN or infinite.
    #[error(transparent)]
    NonFinite(#[from] NonFinite),
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
        "{}: weight {value} at row {row} (counted from 0): weights must be finite and not negative",
        path.display()
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
        "{origin}: row {row} (counted from 0) holds {value} after data.preprocessing: \
         bring data.preprocessing.scale nearer to 0"
    )]
    Overflow {
        /// The file, or the kind of data.
        origin: String,
        /// 0-based row.
        row: usize,
        /// What the value became.
        value: f64,
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

/// Data ready to be learned from.
#[derive(Clone, Debug)]
pub struct Data {
    /// What is learned from.
    pub training: Part,
    /// What is only scored.
    pub held_out: Option<Part>,
    /// The planted dictionary, where there is one and no preprocessing moved it.
    pub planted: Option<Mat<f64>>,
    /// Where the data come from, for messages.
    pub origin: String,
}

/// Some of the samples.
#[derive(Clone, Debug)]
pub struct Part {
    /// Preprocessed samples, `d x n`.
    pub samples: Mat<f64>,
    /// Labels 0 and 1.
    pub labels: Option<Vec<f64>>,
    /// Weights of the upper level.
    pub weights: Option<Vec<f64>>,
    /// Rows of the data (counted from 0) that these samples are.
    pub rows: Vec<usize>,
}

/// Samples as read, before split and preprocessing.
struct Raw {
    origin: String,
    samples: Mat<f64>,
    labels: Option<Vec<f64>>,
    weights: Option<Vec<f64>>,
    planted: Option<Mat<f64>>,
    training: Vec<usize>,
    held_out: Vec<usize>,
}

/// Reads or draws the data of `experiment`.
///
/// # Errors
/// See [`LoadError`].
pub fn load(experiment: &Experiment) -> Result<Data, LoadError> {
    let raw = match &experiment.source {
        Source::Synthetic { options, test_fraction } => {
            let origin = "data.synthetic".to_string();
            let signal = make_sparse_coded_signal(options, experiment.seed)
                .map_err(|error| LoadError::Data { origin: origin.clone(), error })?;
            let (training, held_out) =
                hold_out(options.n_samples, Some(&signal.labels), *test_fraction, experiment.seed);
            let (samples, planted) = (signal.samples, Some(signal.dictionary));
            Raw { origin, samples, labels: Some(signal.labels), weights: None, planted, training, held_out }
        }
        Source::Digits { split, positive } => embedded_digits(*split, positive),
        Source::File(source) => from_files(source, experiment.seed)?,
    };
    check_split(&raw, experiment)?;
    preprocess(raw, experiment)
}

/// Whether the training part has what the run will ask of it, so that no work is lost to an error at its end.
fn check_split(raw: &Raw, experiment: &Experiment) -> Result<(), LoadError> {
    let origin = raw.origin.clone();
    let (n, held_out) = (raw.training.len(), raw.held_out.len());
    let refuse = |problem: String| Err(LoadError::Split { origin: raw.origin.clone(), problem });
    if n == 0 {
        return refuse(format!(
            "all {held_out} samples are held out, none is left to learn from: lower test_fraction"
        ));
    }
    let Some(labels) = &raw.labels else {
        return if experiment.task.is_some() { Err(LoadError::NoLabels { origin }) } else { Ok(()) };
    };
    let ones = raw.training.iter().filter(|&&row| labels[row] == 1.0).count();
    let (smaller, folds) = (ones.min(n - ones), experiment.evaluation.folds);
    if experiment.task.is_some() && smaller == 0 {
        let label = if ones == 0 { 0 } else { 1 };
        return refuse(format!(
            "all {n} training samples have label {label}, the task needs both: take other samples or \
             lower test_fraction"
        ));
    }
    if held_out > 0 && smaller < folds {
        return refuse(format!(
            "the smaller class has {smaller} training samples, too few for evaluation.folds = {folds}: \
             lower one of evaluation.folds and test_fraction, or take more samples"
        ));
    }
    Ok(())
}

fn embedded_digits(index: usize, positive: &[u8]) -> Raw {
    let data = digits();
    let labels = data.labels.iter().map(|y| f64::from(u8::from(positive.contains(y)))).collect();
    let (training, held_out) = split(index);
    let pixels = &data.pixels;
    let samples = MatRef::from_column_major_slice(&pixels.data, pixels.columns, pixels.rows).to_owned();
    let origin = "data.digits".to_string();
    Raw { origin, samples, labels: Some(labels), weights: None, planted: None, training, held_out }
}

fn from_files(source: &FileSource, seed: u64) -> Result<Raw, LoadError> {
    let path = &source.samples.path;
    let read = read_samples(&source.samples)?;
    read.require_finite()?;
    let Samples { array, labels: column, .. } = read;
    let samples = MatRef::from_column_major_slice(&array.data, array.columns, array.rows).to_owned();
    let one_a_sample = |file: &ArrayFile, what| -> Result<Vec<f64>, LoadError> {
        let values = read_labels(file)?;
        let (found, expected) = (values.len(), array.rows);
        let (from, samples) = (file.path.clone(), path.clone());
        if found != expected {
            return Err(LoadError::Length { path: from, what, found, expected, samples });
        }
        Ok(values)
    };
    let (labels, label_path) = match &source.labels {
        Some(file) => (Some(one_a_sample(file, "labels")?), file.path.as_path()),
        None => (column, path.as_path()),
    };
    let labels = labels.map(|values| classes(values, source.positive.as_deref(), label_path)).transpose()?;
    let weights = source.weights.as_ref().map(|file| one_a_sample(file, "weights")).transpose()?;
    if let (Some(weights), Some(file)) = (&weights, &source.weights) {
        check_weights(weights, &file.path)?;
    }
    let (training, held_out) = hold_out(array.rows, labels.as_deref(), source.test_fraction, seed);
    Ok(Raw {
        origin: path.display().to_string(),
        samples,
        labels,
        weights,
        planted: None,
        training,
        held_out,
    })
}

/// All of them, though those of held-out samples are not used: the row is the file's.
fn check_weights(weights: &[f64], path: &Path) -> Result<(), LoadError> {
    match weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
        None => Ok(()),
        Some(row) => Err(LoadError::Weight { path: path.to_owned(), row, value: weights[row] }),
    }
}

/// Label values to 1 (those in `positive`, or the larger of exactly two) and 0.
fn classes(values: Vec<f64>, positive: Option<&[f64]>, path: &Path) -> Result<Vec<f64>, LoadError> {
    let refuse = |problem: String| LoadError::Classes { path: path.to_owned(), problem };
    if let Some(row) = values.iter().position(|v| !v.is_finite()) {
        let value = values[row];
        return Err(refuse(format!("label {value} at row {row} (counted from 0): labels must be finite")));
    }
    let mut distinct = values.clone();
    distinct.sort_by(f64::total_cmp);
    distinct.dedup();
    let is_positive = |value: f64| match positive {
        Some(positive) => positive.contains(&value),
        None => Some(&value) == distinct.last(),
    };
    let several = positive.is_none() && distinct.len() > 2;
    if several {
        let shown: Vec<String> = distinct.iter().take(6).map(f64::to_string).collect();
        let more = if distinct.len() > 6 { ", ..." } else { "" };
        let count = distinct.len();
        return Err(refuse(format!(
            "{count} different labels ({}{more}): name those of class 1 with data.file.positive",
            shown.join(", ")
        )));
    }
    let labels: Vec<f64> = values.iter().map(|&v| f64::from(u8::from(is_positive(v)))).collect();
    match (distinct.len(), labels.contains(&1.0), labels.contains(&0.0)) {
        (1, ..) => Err(refuse(format!("all labels are {}: two classes are needed", distinct[0]))),
        (_, false, _) => Err(refuse("no label is in data.file.positive: two classes are needed".to_string())),
        (_, _, false) => {
            Err(refuse("every label is in data.file.positive: two classes are needed".to_string()))
        }
        _ => Ok(labels),
    }
}

fn preprocess(raw: Raw, experiment: &Experiment) -> Result<Data, LoadError> {
    let rows = |part: &[usize]| gather(raw.samples.as_ref(), part);
    let refuse = |error: Error, part: &[usize]| {
        if let Error::NotFinite { what: "preprocessed samples", row, value, .. } = error {
            let row = part[row];
            return LoadError::Overflow { origin: raw.origin.clone(), row, value };
        }
        // The library counts within the part; the user in the file.
        let error = match error {
            Error::ZeroNorm { what: "sample", index, remedy } => {
                Error::ZeroNorm { what: "sample", index: part[index], remedy }
            }
            Error::NotFinite { what, row, column, value } => {
                Error::NotFinite { what, row: part[row], column, value }
            }
            other => other,
        };
        LoadError::Data { origin: raw.origin.clone(), error }
    };
    let fitted = experiment.preprocessing.fit(rows(&raw.training).as_ref());
    let fitted = fitted.map_err(|error| refuse(error, &raw.training))?;
    let part = |indices: &[usize]| -> Result<Part, LoadError> {
        let samples = fitted.apply(rows(indices).as_ref()).map_err(|error| refuse(error, indices))?;
        let pick = |values: &Option<Vec<f64>>| {
            values.as_ref().map(|values| indices.iter().map(|&i| values[i]).collect())
        };
        Ok(Part { samples, labels: pick(&raw.labels), weights: pick(&raw.weights), rows: indices.to_vec() })
    };
    let held_out = if raw.held_out.is_empty() { None } else { Some(part(&raw.held_out)?) };
    let moved = experiment.preprocessing.center || experiment.preprocessing.unit_norm;
    Ok(Data {
        training: part(&raw.training)?,
        held_out,
        planted: if moved { None } else { raw.planted.clone() },
        origin: raw.origin.clone(),
    })
}

fn gather(samples: MatRef<'_, f64>, rows: &[usize]) -> Mat<f64> {
    let mut out = Mat::zeros(samples.nrows(), rows.len());
    for (to, &from) in rows.iter().enumerate() {
        column_mut(out.as_mut(), to).copy_from_slice(column(samples, from));
    }
    out
}

/// The initial dictionary of `experiment` for the training samples.
///
/// # Errors
/// See [`LoadError`].
pub fn initial_dictionary(experiment: &Experiment, data: &Data) -> Result<Mat<f64>, LoadError> {
    let (initialization, origin) = match &experiment.dictionary.init {
        Init::Svd => (Initialization::Svd, data.origin.clone()),
        Init::Samples => (Initialization::Samples, data.origin.clone()),
        Init::Random => (Initialization::Random, data.origin.clone()),
        Init::File(file) => {
            let atoms = read_samples(file)?;
            atoms.require_finite()?;
            let array = atoms.array;
            let atoms = MatRef::from_column_major_slice(&array.data, array.columns, array.rows);
            (Initialization::Given(atoms.to_owned()), file.path.display().to_string())
        }
    };
    let (samples, k) = (data.training.samples.as_ref(), experiment.dictionary.n_components);
    let drawn = initialization.draw(samples, k, experiment.seed);
    let checked = drawn.and_then(|atoms| {
        experiment.dictionary.constraint.check(atoms.as_ref())?;
        Ok(atoms)
    });
    checked.map_err(|error| LoadError::Data { origin, error })
}
