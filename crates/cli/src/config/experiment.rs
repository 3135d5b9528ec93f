//! A checked experiment: plain types, no text, no places, nothing left to validate.

use crate::files::read::ArrayFile;
use dictlearn::active_set::CoderOptions;
use dictlearn::dictionary::Constraint;
use dictlearn::learner::DescentOptions;
use dictlearn::lower::LowerLevel;
use dictlearn::method::Method;
use dictlearn::preprocessing::Preprocessing;
use dictlearn::synthetic::SyntheticOptions;
use dictlearn::task::Logistic;

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

impl Experiment {
    /// Whether there is anything to learn: else the dictionary is the initial one.
    pub fn learns(&self) -> bool {
        self.task.is_some() || self.learn.descent.max_iterations > 0
    }

    /// Share of samples held out, in [0, 1); 0 where the split is fixed.
    pub fn test_fraction(&self) -> f64 {
        match &self.source {
            Source::Synthetic { test_fraction, .. } => *test_fraction,
            Source::File(source) => source.test_fraction,
            Source::Digits { .. } => 0.0,
        }
    }

    /// Weight of the l1 norm; `None` where it is 0 because nothing asks for it.
    pub fn regularization(&self) -> Option<f64> {
        let Coding { lower, options, .. } = &self.coding;
        let needed = needs_regularization(options.method, lower.elastic_penalty, self.learns());
        (needed || lower.regularization > 0.0).then_some(lower.regularization)
    }
}

/// Whether something depends on the regularization: the codes, their ridge relative to it, or the dictionary.
pub fn needs_regularization(method: Method, elastic_penalty: f64, learns: bool) -> bool {
    learns
        || match method {
            Method::Omp { .. } | Method::Error { .. } => false,
            Method::L1Ball { .. } => elastic_penalty > 0.0,
            Method::ActiveSet | Method::Homotopy | Method::CoordinateDescent | Method::Threshold => true,
        }
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
    File(Box<FileSource>),
}

/// Samples, labels and weights in files.
#[derive(Clone, Debug, PartialEq)]
pub struct FileSource {
    /// The samples, one a row; from a table also the labels, where it names their column.
    pub samples: ArrayFile,
    /// The labels, where they have a file of their own; the table of the samples names no column then.
    pub labels: Option<ArrayFile>,
    /// Label values of class 1 (not empty); `None` takes the larger of exactly two values.
    pub positive: Option<Vec<f64>>,
    /// Weights of the samples in the upper level.
    pub weights: Option<ArrayFile>,
    /// Whether NaN in the samples is a missing feature instead of an error.
    pub missing: bool,
    /// Which features are observed; what is masked is missing.
    pub mask: Option<ArrayFile>,
    /// Share of samples held out, in [0, 1).
    pub test_fraction: f64,
}

impl FileSource {
    /// Whether there are labels: in a file of their own or in a column of the samples.
    pub fn has_labels(&self) -> bool {
        self.labels.is_some() || self.samples.table.label.is_some()
    }

    /// Whether any file is a .csv, so that delimiter and header matter (the same for all of them).
    pub fn reads_csv(&self) -> bool {
        let others = [&self.labels, &self.weights, &self.mask].map(Option::as_ref);
        others.into_iter().chain([Some(&self.samples)]).flatten().any(|file| file.has_ending("csv"))
    }
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
    /// Weights of the l1 norm; `None`: all 1.
    pub weights: Option<AtomWeights>,
    /// Which code is meant, and how far it is solved.
    pub options: CoderOptions,
    /// Whether a sample that is not converged fails the run.
    pub require_convergence: bool,
}

/// Weights of the l1 norm, one an atom.
#[derive(Clone, Debug, PartialEq)]
pub enum AtomWeights {
    /// Finite numbers that are not negative, as many as atoms.
    List(Vec<f64>),
    /// From a file.
    File(ArrayFile),
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
