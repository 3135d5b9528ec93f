//! Data of an experiment: read or drawn, labelled, split, preprocessed.
//!
//! Order: read -> labels to 0 and 1 -> held-out part -> preprocessing fitted on the training part and applied to both.
//! Samples are columns of a `d x n` matrix (rows of the file), NaN where features are missing. Errors name the file, row
//! and column where they are.

mod sources;
mod memory;
mod error;

pub use error::LoadError;

use crate::config::Experiment;
use crate::config::experiment::{Init, Source};
use crate::config::keys::short;
use crate::files::digits::{digits, split};
use crate::files::read::read_samples;
use dictlearn::dictionary::Initialization;
use dictlearn::error::Error;
use dictlearn::evaluation::hold_out;
use dictlearn::objective::TrainingData;
use dictlearn::samples::Samples;
use dictlearn::synthetic::make_sparse_coded_signal;
use faer::{Mat, MatRef};
use linalg::columns::{column, column_mut};
use sources::{atom_weights, from_files};
use std::path::PathBuf;

/// Data ready to be learned from.
#[derive(Clone, Debug)]
pub struct Data {
    /// What is learned from.
    pub training: Part,
    /// What is only scored.
    pub held_out: Option<Part>,
    /// The planted dictionary, where there is one and no preprocessing moved it.
    pub planted: Option<Mat<f64>>,
    /// Weights of the l1 norm, one an atom; `None`: all 1.
    pub atom_weights: Option<Vec<f64>>,
    /// Where the data come from, for messages.
    pub origin: String,
}

/// Some of the samples.
#[derive(Clone, Debug)]
pub struct Part {
    /// Preprocessed samples, `d x n`; NaN where features are missing.
    pub samples: Mat<f64>,
    /// Number of missing entries.
    pub n_missing: usize,
    /// Labels 0 and 1.
    pub labels: Option<Vec<f64>>,
    /// Weights of the upper level.
    pub weights: Option<Vec<f64>>,
    /// Rows of the data (counted from 0) that these samples are.
    pub rows: Vec<usize>,
}

impl Part {
    /// The samples as the library takes them.
    pub fn view(&self) -> Samples<'_> {
        view(self.samples.as_ref(), self.n_missing > 0)
    }

    /// Samples, labels and weights as the library takes them.
    pub fn data(&self) -> TrainingData<'_> {
        let (labels, weights) = (self.labels.as_deref(), self.weights.as_deref());
        TrainingData { samples: self.view(), labels, weights }
    }
}

impl Data {
    /// Number of missing entries, held-out samples included.
    pub fn n_missing(&self) -> usize {
        self.training.n_missing + self.held_out.as_ref().map_or(0, |part| part.n_missing)
    }
}

fn view(samples: MatRef<'_, f64>, may_be_missing: bool) -> Samples<'_> {
    let samples = Samples::from(samples);
    if may_be_missing { samples.with_missing() } else { samples }
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
    /// Whether features may be missing.
    missing: bool,
    /// The file that says which.
    mask: Option<PathBuf>,
    /// The features in words; empty where nothing is missing.
    column_names: Vec<String>,
}

impl Raw {
    /// Samples with labels of which nothing is missing and which all weigh the same.
    fn complete(
        origin: &str,
        samples: Mat<f64>,
        labels: Vec<f64>,
        (training, held_out): (Vec<usize>, Vec<usize>),
    ) -> Self {
        Self {
            origin: origin.to_string(),
            samples,
            labels: Some(labels),
            weights: None,
            planted: None,
            training,
            held_out,
            missing: false,
            mask: None,
            column_names: Vec::new(),
        }
    }
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
            let parts = hold_out(options.n_samples, Some(&signal.labels), *test_fraction, experiment.seed);
            let planted = Some(signal.dictionary);
            Raw { planted, ..Raw::complete(&origin, signal.samples, signal.labels, parts) }
        }
        Source::Digits { split, positive } => embedded_digits(*split, positive),
        Source::File(source) => from_files(source, experiment)?,
    };
    check_split(&raw, experiment)?;
    memory::check(&raw, experiment)?;
    let atom_weights = atom_weights(experiment)?;
    Ok(Data { atom_weights, ..preprocess(raw, experiment)? })
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
    if held_out == 0 && experiment.test_fraction() > 0.0 {
        let (fraction, least) = (short(experiment.test_fraction()), short(least_fraction(raw)));
        return refuse(format!(
            "test_fraction = {fraction} holds out none of {n} samples: accepted are 0 and fractions from {least} on"
        ));
    }
    let weight = |&row: &usize| raw.weights.as_ref().map_or(1.0, |weights| weights[row]);
    if raw.training.iter().map(weight).all(|weight| weight == 0.0) {
        return refuse(format!(
            "all {n} training samples have the weight 0 in data.file.weights, so there is nothing to learn from: give \
             one of them a weight > 0"
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

/// The least fraction, with three digits, of which one sample is held out: half a sample of the larger class.
fn least_fraction(raw: &Raw) -> f64 {
    let n = raw.training.len();
    let ones = raw.labels.iter().flatten().filter(|&&label| label == 1.0).count();
    let least = 0.5 / ones.max(n - ones) as f64;
    let unit = 10_f64.powi(2 - least.log10().floor() as i32);
    (least * unit).ceil() / unit
}

fn embedded_digits(index: usize, positive: &[u8]) -> Raw {
    let data = digits();
    let labels = data.labels.iter().map(|y| f64::from(u8::from(positive.contains(y)))).collect();
    let pixels = &data.pixels;
    let samples = MatRef::from_column_major_slice(&pixels.data, pixels.columns, pixels.rows).to_owned();
    Raw::complete("data.digits", samples, labels, split(index))
}

fn preprocess(raw: Raw, experiment: &Experiment) -> Result<Data, LoadError> {
    let rows = |part: &[usize]| gather(raw.samples.as_ref(), part);
    let refuse = |error: Error, part: &[usize]| {
        if let Error::NotFinite { what: "preprocessed samples", row, value, .. } = error {
            let row = part[row];
            return LoadError::Overflow { origin: raw.origin.clone(), row, value };
        }
        if let Error::Unobserved { column, n_samples } = error {
            let column = raw.column_names[column].clone();
            let (origin, mask) = (raw.origin.clone(), raw.mask.clone());
            return LoadError::Unobserved { origin, mask, column, n_samples };
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
    let fitted = experiment.preprocessing.fit(view(rows(&raw.training).as_ref(), raw.missing));
    let fitted = fitted.map_err(|error| refuse(error, &raw.training))?;
    let part = |indices: &[usize]| -> Result<Part, LoadError> {
        let samples = fitted.apply(view(rows(indices).as_ref(), raw.missing));
        let samples = samples.map_err(|error| refuse(error, indices))?;
        let n_missing =
            (0..samples.ncols()).flat_map(|i| column(samples.as_ref(), i)).filter(|x| x.is_nan()).count();
        let pick = |values: &Option<Vec<f64>>| {
            values.as_ref().map(|values| indices.iter().map(|&i| values[i]).collect())
        };
        let (labels, weights) = (pick(&raw.labels), pick(&raw.weights));
        Ok(Part { samples, n_missing, labels, weights, rows: indices.to_vec() })
    };
    let held_out = if raw.held_out.is_empty() { None } else { Some(part(&raw.held_out)?) };
    let moved = experiment.preprocessing.center || experiment.preprocessing.unit_norm;
    Ok(Data {
        training: part(&raw.training)?,
        held_out,
        planted: if moved { None } else { raw.planted.clone() },
        atom_weights: None,
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
            let origin = file.path.display().to_string();
            if !experiment.learns() {
                return given(atoms, experiment, data).map_err(|error| LoadError::Data { origin, error });
            }
            (Initialization::Given(atoms.to_owned()), origin)
        }
    };
    let (samples, k) = (data.training.view(), experiment.dictionary.n_components);
    let drawn = initialization.draw(samples, k, experiment.seed);
    let checked = drawn.and_then(|atoms| {
        experiment.dictionary.constraint.check(atoms.as_ref())?;
        Ok(atoms)
    });
    checked.map_err(|error| LoadError::Data { origin, error })
}

/// Atoms from which nothing is learned, as they are: nothing is scaled to a norm, so any of them may be zero.
fn given(atoms: MatRef<'_, f64>, experiment: &Experiment, data: &Data) -> Result<Mat<f64>, Error> {
    let mut nonzero = atoms.to_owned();
    for j in 0..nonzero.ncols() {
        if column(atoms, j).iter().all(|x| *x == 0.0) {
            column_mut(nonzero.as_mut(), j).fill(1.0);
        }
    }
    // Of the right shape and finite?
    let k = experiment.dictionary.n_components;
    Initialization::Given(nonzero).draw(data.training.view(), k, experiment.seed)?;
    Ok(atoms.to_owned())
}
