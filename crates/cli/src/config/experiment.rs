//! A checked experiment: plain types, no text, no places, nothing left to validate.

use dictlearn::active_set::CoderOptions;
use dictlearn::dictionary::Constraint;
use dictlearn::learner::DescentOptions;
use dictlearn::lower::LowerLevel;
use dictlearn::preprocessing::Preprocessing;
use dictlearn::synthetic::SyntheticOptions;
use dictlearn::task::Logistic;
use std::path::PathBuf;

/// All that a run needs to know.
#[derive(Clone, Debug, PartialEq)]
pub struct Experiment {
    /// Name of the experiment and of its folder.
    pub name: String,
    /// Seed of everything random, below 2^63.
    pub seed: u64,
    /// Where samples come from.
    pub source: Source,
    /// What is done to the samples first.
    pub preprocessing: Preprocessing,
    /// The dictionary to learn.
    pub dictionary: Dictionary,
    /// The lower level.
    pub coding: Coding,
    /// The upper level without a task.
    pub learn: Learn,
    /// A task on the codes.
    pub task: Option<Task>,
    /// Heads on fixed features, fitted where there are labels and held-out samples.
    pub evaluation: Evaluation,
    /// How codes are written.
    pub codes: CodesFormat,
}

/// Where samples come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// Sparse signals with a planted dictionary.
    Synthetic {
        /// What to draw.
        options: SyntheticOptions,
        /// Share of samples held out, in [0, 1).
        test_fraction: f64,
    },
    /// 8x8 images of handwritten digits.
    Digits {
        /// Which of the fixed splits, 0 to 4.
        split: usize,
        /// Digits with label 1: ascending, neither none nor all.
        positive: Vec<u8>,
    },
    /// Samples from files.
    File(FileSource),
}

/// Samples, labels and weights in files.
#[derive(Clone, Debug, PartialEq)]
pub struct FileSource {
    /// The samples, one a row.
    pub samples: ArrayFile,
    /// The labels.
    pub labels: Option<Labels>,
    /// Label values of class 1 (not empty); `None` takes the larger of exactly two values.
    pub positive: Option<Vec<f64>>,
    /// Weights of the samples in the upper level.
    pub weights: Option<ArrayFile>,
    /// How .csv files are read.
    pub csv: CsvOptions,
    /// Share of samples held out, in [0, 1).
    pub test_fraction: f64,
}

/// A .npy, .npz or .csv file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrayFile {
    /// Where it is.
    pub path: PathBuf,
    /// Name of the array in a .npz; `None` takes the only one.
    pub array: Option<String>,
}

impl ArrayFile {
    /// Whether the file's name ends in this, in any case.
    pub fn has_ending(&self, ending: &str) -> bool {
        self.path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending))
    }
}

impl FileSource {
    /// The file of the labels, where they have one of their own.
    pub fn label_file(&self) -> Option<&ArrayFile> {
        match &self.labels {
            Some(Labels::File(file)) => Some(file),
            _ => None,
        }
    }

    /// Whether any file is a .csv, so that [`CsvOptions`] matter.
    pub fn reads_csv(&self) -> bool {
        let files = [Some(&self.samples), self.label_file(), self.weights.as_ref()];
        files.into_iter().flatten().any(|file| file.has_ending("csv"))
    }
}

/// Where labels come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Labels {
    /// A file of their own.
    File(ArrayFile),
    /// The column of this name of the samples' .csv.
    ColumnName(String),
    /// The column of this index, from 0, of the samples' .csv.
    ColumnIndex(usize),
}

/// How .csv files are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CsvOptions {
    /// Whether the first line names the columns.
    pub header: Header,
    /// Separator of the fields, ASCII.
    pub delimiter: u8,
}

/// Whether the first line of a .csv names the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// It does when one of its fields is no number.
    Auto,
    /// It does.
    Yes,
    /// It does not.
    No,
}

/// The dictionary to learn.
#[derive(Clone, Debug, PartialEq)]
pub struct Dictionary {
    /// Number of atoms, at least 1.
    pub n_components: usize,
    /// Where it starts.
    pub init: Init,
    /// The set in which it lives.
    pub constraint: Constraint,
}

/// Where the dictionary starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Init {
    /// Leading right singular vectors of the samples.
    Svd,
    /// Random distinct samples, normalised.
    Samples,
    /// Gaussian atoms, normalised.
    Random,
    /// Atoms from a file, one a row.
    File(ArrayFile),
}

/// The lower level.
#[derive(Clone, Debug, PartialEq)]
pub struct Coding {
    /// The problem of one sample.
    pub lower: LowerLevel,
    /// How far it is solved.
    pub options: CoderOptions,
    /// Whether a sample that is not converged fails the run.
    pub require_convergence: bool,
}

/// The upper level without a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Learn {
    /// What the dictionary minimises.
    pub objective: Unsupervised,
    /// How it is descended.
    pub descent: DescentOptions,
    /// Whether not reaching the (then positive) tolerance fails the run.
    pub require_convergence: bool,
}

/// What a dictionary minimises without a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsupervised {
    /// The loss of the residuals alone.
    Reconstruction,
    /// The whole lower-level objective.
    Full,
}

/// A task on the codes.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Dictionary from which it starts.
    pub start: TaskStart,
    /// The task's loss.
    pub logistic: Logistic,
    /// How it is descended.
    pub descent: DescentOptions,
    /// Whether not reaching the (then positive) tolerance fails the run.
    pub require_convergence: bool,
}

/// Dictionary from which a task starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskStart {
    /// That of `dictionary.init`.
    Init,
    /// The one learned without the task.
    Learned,
}

/// Heads on fixed features.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Cross-validation folds, at least 2.
    pub folds: usize,
    /// Ridges to choose from: positive, at least one.
    pub ridges: Vec<f64>,
}

/// How codes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodesFormat {
    /// Compressed sparse rows.
    Csr,
    /// Dense.
    Dense,
    /// Not at all.
    None,
}
