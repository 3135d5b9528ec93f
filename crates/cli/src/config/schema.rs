//! A config as it is typed: TOML tables as structs, every key optional, every value with its place in the text.
//!
//! Nothing is checked here but names and types; ranges, required keys and exclusive tables are [`super::resolve`]'s.
//! Defaults, accepted values and units stand in one place, [`super::keys::KEYS`]. Integers are `i64`, so that
//! a negative count is a range error with a sentence of ours.
//! No `flatten`, no `untagged`: they lose the place of an error.

use super::forms::{AtomFile, AtomWeights, Column, Missing};
use serde::Deserialize;
use toml::Spanned;

/// A value that may be absent, with its place in the text.
pub type Value<T> = Option<Spanned<T>>;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the experiment; default: the file's stem.
    pub name: Value<String>,
    /// Seed of everything random.
    pub seed: Value<i64>,
    /// Where samples come from. Required.
    pub data: Value<Data>,
    /// The dictionary to learn. Required.
    pub dictionary: Value<Dictionary>,
    /// The lower level. Required.
    pub coding: Value<Coding>,
    /// The upper level without a task.
    pub learn: Value<Learn>,
    /// A task on the codes; default: none.
    pub task: Value<Task>,
    /// Heads on fixed features.
    pub evaluation: Value<Evaluation>,
    /// What is written.
    pub output: Value<Output>,
}

/// `[data]`: exactly one source.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// Sparse signals with a planted dictionary.
    pub synthetic: Value<Synthetic>,
    /// 8x8 images of handwritten digits.
    pub digits: Value<Digits>,
    /// Samples from files.
    pub file: Value<File>,
    /// What is done to the samples first.
    pub preprocessing: Value<Preprocessing>,
}

/// `[data.synthetic]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Synthetic {
    /// Number of samples, at least 1. Required.
    pub n_samples: Value<i64>,
    /// Entries of a sample, at least 1. Required.
    pub n_features: Value<i64>,
    /// Planted atoms, at least 1. Required.
    pub n_atoms: Value<i64>,
    /// Non-zero entries of a code, 1 to `n_atoms`. Required.
    pub n_nonzero: Value<i64>,
    /// Factor of the noise-free signal.
    pub scale: Value<f64>,
    /// Standard deviation of the noise, in the unit of the samples.
    pub noise: Value<f64>,
    /// Share of samples held out.
    pub test_fraction: Value<f64>,
}

/// `[data.digits]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digits {
    /// Which of the fixed splits.
    pub split: Value<i64>,
    /// Digits with label 1.
    pub positive: Value<Vec<i64>>,
}

/// `[data.file]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Path of the samples, one a row. Required.
    pub samples: Value<String>,
    /// Array inside the samples' .npz.
    pub array: Value<String>,
    /// Path of the labels.
    pub labels: Value<String>,
    /// Array inside the labels' .npz.
    pub labels_array: Value<String>,
    /// Column of the samples' .csv that holds the labels.
    pub label_column: Value<Column>,
    /// Whether the first line of a .csv names the columns.
    pub header: Value<Header>,
    /// Separator of the fields of a .csv.
    pub delimiter: Value<String>,
    /// Label values of class 1.
    pub positive: Value<Vec<f64>>,
    /// Path of the weights of the samples.
    pub weights: Value<String>,
    /// Array inside the weights' .npz.
    pub weights_array: Value<String>,
    /// What NaN in the samples is.
    pub missing: Value<Missing>,
    /// Path of the mask of the samples.
    pub mask: Value<String>,
    /// Array inside the mask's .npz.
    pub mask_array: Value<String>,
    /// Share of samples held out.
    pub test_fraction: Value<f64>,
}

/// Whether the first line of a .csv names the columns.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Header {
    /// It does when none of its fields is a number.
    Auto,
    /// It does.
    Yes,
    /// It does not.
    No,
}

/// `[data.preprocessing]`, applied in this order.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// Factor of every sample.
    pub scale: Value<f64>,
    /// Subtract the mean of the training samples.
    pub center: Value<bool>,
    /// Divide each sample by its norm.
    pub unit_norm: Value<bool>,
}

/// `[dictionary]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dictionary {
    /// Atoms to learn, at least 1. Required.
    pub n_components: Value<i64>,
    /// Where the dictionary starts.
    pub init: Value<Init>,
    /// The set in which it lives.
    pub constraint: Value<Constraint>,
}

/// Where the dictionary starts.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// Leading right singular vectors of the samples.
    Svd,
    /// Random distinct samples.
    Samples,
    /// Gaussian atoms.
    Random,
    /// Atoms from a file.
    File(AtomFile),
}

/// The set in which a dictionary lives.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Constraint {
    /// Every atom has norm 1.
    UnitSphere,
    /// Every atom has norm at most 1.
    UnitBall,
    /// The whole matrix has Frobenius norm 1.
    FrobeniusSphere,
}

/// `[coding]`: the lower level.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coding {
    /// Loss of a residual entry.
    pub loss: Value<Loss>,
    /// Which code is meant, and how it is found.
    pub method: Value<Method>,
    /// Weight of the l1 norm. Required, but for methods without it where nothing is learned.
    pub regularization: Value<f64>,
    /// Ridge relative to `regularization`.
    pub elastic_penalty: Value<f64>,
    /// Absolute ridge.
    pub l2_regularization: Value<f64>,
    /// Codes are not negative.
    pub non_negative: Value<bool>,
    /// Weights of the l1 norm.
    pub weights: Value<AtomWeights>,
    /// Largest accepted KKT violation relative to `regularization`.
    pub tolerance: Value<f64>,
    /// Iterations per sample at most.
    pub max_iterations: Value<i64>,
    /// Exit code 3 when a sample is not converged.
    pub require_convergence: Value<bool>,
}

/// Loss of a residual entry.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// `r^2 / 2`.
    Squared,
    /// Quadratic, then linear.
    Huber(Huber),
    /// `abs(r)^exponent`.
    Power(Power),
}

/// Parameters of the Huber loss.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Huber {
    /// Residual size from which on it is linear, positive. Required.
    pub delta: Value<f64>,
}

/// Parameters of the power loss.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Power {
    /// Power of the absolute residual, in [2, 10]. Required.
    pub exponent: Value<f64>,
}

/// Which code is meant, and how it is found.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The lower level, by active sets.
    ActiveSet,
    /// The lower level, along its path.
    Homotopy,
    /// The lower level, one coefficient after the other.
    CoordinateDescent,
    /// Orthogonal matching pursuit.
    Omp(Omp),
    /// Soft thresholding of the correlations.
    Threshold,
    /// A bound on the l1 norm.
    L1Ball(L1Ball),
    /// A bound on the residual.
    Error(ErrorBound),
}

/// Limits of orthogonal matching pursuit, at least one of them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Omp {
    /// Atoms at most.
    pub n_nonzero: Value<i64>,
    /// Squared norm of the residual at which to stop.
    pub error: Value<f64>,
}

/// Parameters of the bound on the l1 norm.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct L1Ball {
    /// The bound. Required.
    pub radius: Value<f64>,
}

/// Parameters of the bound on the residual.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorBound {
    /// The bound on its squared norm. Required.
    pub error: Value<f64>,
}

/// `[learn]` and `[task.learn]`: how an upper level is descended; at most one method.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Learn {
    /// What the dictionary minimises; refused in `[task.learn]`.
    pub objective: Value<Objective>,
    /// Steps at most.
    pub max_iterations: Value<i64>,
    /// Size of the gradient mapping at which to stop.
    pub tolerance: Value<f64>,
    /// Samples per step.
    pub batch_size: Value<i64>,
    /// When the dictionary is put back into its set.
    pub project: Value<Project>,
    /// Exit code 3 when `tolerance` is not reached.
    pub require_convergence: Value<bool>,
    /// Accelerated proximal gradient.
    pub proximal_gradient: Value<ProximalGradient>,
    /// Adam.
    pub adam: Value<Adam>,
    /// Stochastic gradient descent.
    pub sgd: Value<Sgd>,
}

/// What the dictionary minimises without a task.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// The loss of the residuals.
    Reconstruction,
    /// The whole lower-level objective.
    Full,
}

/// When the dictionary is put back into its set.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Project {
    /// After every step.
    EachStep,
    /// Once, after the last step.
    AtEnd,
}

/// `[learn.proximal_gradient]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProximalGradient {
    /// Nesterov momentum.
    pub acceleration: Value<bool>,
    /// Restart of the momentum.
    pub restart: Value<bool>,
    /// First step size.
    pub initial_step: Value<f64>,
    /// Halvings per line search at most.
    pub max_halvings: Value<i64>,
}

/// `[learn.adam]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adam {
    /// Step size.
    pub step: Value<f64>,
    /// Step size over the iterations.
    pub schedule: Value<Schedule>,
    /// Decay of the first moment.
    pub beta1: Value<f64>,
    /// Decay of the second moment.
    pub beta2: Value<f64>,
    /// Floor of the denominator.
    pub epsilon: Value<f64>,
}

/// `[learn.sgd]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sgd {
    /// Step size.
    pub step: Value<f64>,
    /// Step size over the iterations.
    pub schedule: Value<Schedule>,
    /// Momentum.
    pub momentum: Value<f64>,
}

/// Step size over the iterations.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// The same for all.
    Constant,
    /// Geometric decay.
    Exponential(Exponential),
    /// Half a cosine over `max_iterations`.
    Cosine(Cosine),
    /// Constant, then decay with 1/t.
    InverseTime(InverseTime),
}

/// Parameters of the exponential schedule.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exponential {
    /// Factor per iteration, in (0, 1]. Required.
    pub decay: Value<f64>,
}

/// Parameters of the cosine schedule.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cosine {
    /// Last step size.
    pub last: Value<f64>,
}

/// Parameters of the inverse-time schedule.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InverseTime {
    /// Iterations before the decay sets in, positive. Required.
    pub t0: Value<f64>,
}

/// `[task]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Dictionary from which the task starts.
    pub start: Value<TaskStart>,
    /// Binary logistic regression. Required: the only task.
    pub logistic: Value<Logistic>,
    /// How the task is descended.
    pub learn: Value<Learn>,
}

/// Dictionary from which the task starts.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskStart {
    /// That of `dictionary.init`.
    Init,
    /// The one learned without the task.
    Learned,
}

/// `[task.logistic]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logistic {
    /// Ridge of the head, counted once.
    pub l2: Value<f64>,
    /// Whether the intercept is part of the ridge.
    pub penalize_intercept: Value<bool>,
}

/// `[evaluation]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Cross-validation folds that choose the ridge.
    pub folds: Value<i64>,
    /// Ridges to choose from.
    pub ridges: Value<Vec<f64>>,
}

/// `[output]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// How codes are written.
    pub codes: Value<CodesFormat>,
}

/// How codes are written.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodesFormat {
    /// Compressed sparse rows.
    Csr,
    /// Dense.
    Dense,
    /// Not at all.
    None,
}
