//! The upper level as a function of its variables, flattened: dictionary (`d k` entries, atom by atom), then the head of
//! a task (`k` weights, intercept).
//!
//! Every evaluation solves the lower level for all samples of the batch at hand; the gradient goes through the codes
//! ([`crate::hypergradient`]). Mini-batch sums are scaled by `n / b`, the ridge of a task never is. Codes of the previous
//! evaluation of the same samples are where the next one starts.

use crate::active_set::CoderOptions;
use crate::coder::{Coded, encode_checked};
use crate::codes::Codes;
use crate::error::Error;
use crate::hypergradient::{Hypergradient, hypergradient};
use crate::loss::Loss;
use crate::lower::{LowerLevel, Problem};
use crate::margins::{self, Earlier, Margins, Warm};
use crate::samples::{Sample, Samples};
use crate::task::{Head, Logistic, LogisticUpper, check_labels};
use crate::upper::{Full, Reconstruction, UpperLoss, Weighted, total};
use faer::MatRef;
use linalg::columns::{column, dot};
use rayon::prelude::*;
use solvers::Smooth;

/// What the dictionary is for: the upper level, minimised over the dictionary (and the head of a task).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Objective {
    /// `sum_i sum_t phi(x_it - (c*_i D)_t)`: the loss of the residual at the code, without the penalty.
    Reconstruction,
    /// `sum_i min_c P_i(c)`: the whole lower-level objective at its minimum (classical dictionary learning).
    Full,
    /// The binary logistic loss of the codes, with its ridge.
    Logistic(Logistic),
}

/// What is learned from. Weights belong to the upper level only.
#[derive(Clone, Copy, Debug)]
pub struct TrainingData<'a> {
    /// Samples, of any kind of array.
    pub samples: Samples<'a>,
    /// Labels, 0 or 1, one a sample; needed by a task.
    pub labels: Option<&'a [f64]>,
    /// Weight of each sample in the upper level, finite and not negative; none: all 1.
    pub weights: Option<&'a [f64]>,
}

impl TrainingData<'_> {
    /// Whether there are samples, all finite, each feature observed by one of them, with labels and weights that fit.
    ///
    /// # Errors
    /// Says what does not fit and where.
    pub fn check(&self, objective: Objective) -> Result<(), Error> {
        let (d, n) = (self.samples.n_features(), self.samples.n_samples());
        if d == 0 || n == 0 {
            return Err(Error::Empty { n_samples: n, n_features: d });
        }
        self.samples.check()?;
        self.samples.observations()?;
        if let Some(weights) = self.weights {
            Error::check_length("weights", "entries", weights.len(), n, "the samples")?;
            if let Some(index) = weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
                return Err(Error::Weight { index, value: weights[index] });
            }
        }
        match objective {
            Objective::Logistic(task) => {
                task.check()?;
                check_labels(self.labels.ok_or(Error::NoLabels)?, n)
            }
            _ => Ok(()),
        }
    }
}

/// What an evaluation saw besides the value.
#[derive(Clone, Debug)]
pub(crate) struct Evaluation {
    pub coded: Coded,
    /// Of the last evaluation that took a gradient: a value alone solves no system.
    pub rank_deficient: usize,
    /// `1 - |X - C D|^2 / |X - mean|^2` over the samples of the batch; not finite where they are all the mean.
    pub explained_variance: f64,
}

/// The objective over all samples or over one batch of them.
pub(crate) struct UpperObjective<'a> {
    data: TrainingData<'a>,
    lower: LowerLevel,
    coder: CoderOptions,
    objective: Objective,
    n_components: usize,
    atom_weights: Option<&'a [f64]>,
    /// `|x_i - mean|^2` over the observed features.
    energy: Vec<f64>,
    batch: Option<Batch>,
    start: Option<Start>,
    pub last: Option<Evaluation>,
}

/// Codes of an evaluation, the problem they belong to, and their margins.
struct Start {
    codes: Codes,
    problem: Problem,
    margins: Margins,
}

impl Start {
    /// Where the next coding begins, if the dictionary is near enough for that to help: beyond, a support has to be taken
    /// down again before it grows. Codes do not depend on it.
    fn warm(&self, now: &Problem, note: bool) -> Option<Warm<'_>> {
        let nearest = if now.lower.loss == Loss::Squared { WARM_SQUARED } else { WARM_OTHERS };
        let atoms = || (0..now.n_components()).map(|j| (self.problem.atom(j), now.atom(j)));
        let moved: f64 = atoms().flat_map(|(a, b)| a.iter().zip(b)).map(|(a, b)| (a - b) * (a - b)).sum();
        let energy: f64 = atoms().map(|(_, b)| dot(b, b)).sum();
        let near = moved <= nearest * nearest * energy;
        let earlier = || note.then(|| Earlier::new(&self.problem, &self.margins, now));
        near.then(|| Warm { codes: Some(&self.codes), earlier: earlier(), note })
    }
}

/// Largest relative movement of the dictionary from which codes are used again: measured on patches, 256 and 1024 atoms.
const WARM_SQUARED: f64 = 0.02;
/// The same for the general coder.
const WARM_OTHERS: f64 = 0.2;

/// Samples of a mini-batch, gathered.
struct Batch {
    labels: Option<Vec<f64>>,
    weights: Option<Vec<f64>>,
    indices: Vec<usize>,
}

impl<'a> UpperObjective<'a> {
    /// On data that were checked.
    pub fn new(
        data: TrainingData<'a>,
        lower: LowerLevel,
        coder: CoderOptions,
        objective: Objective,
        n_components: usize,
    ) -> Self {
        let means = data.samples.feature_means().expect("every feature was checked to be observed");
        let energy = energies(data.samples, &means);
        let (atom_weights, batch, start, last) = (None, None, None, None);
        Self { data, lower, coder, objective, n_components, atom_weights, energy, batch, start, last }
    }

    /// With weights of the l1 norm that were checked, one an atom.
    pub fn with_atom_weights(self, atom_weights: Option<&'a [f64]>) -> Self {
        Self { atom_weights, ..self }
    }

    /// Number of samples over all.
    pub fn n_samples(&self) -> usize {
        self.data.samples.n_samples()
    }

    /// Number of variables: dictionary and head.
    pub fn n_variables(&self) -> usize {
        let head = if matches!(self.objective, Objective::Logistic(_)) { self.n_components + 1 } else { 0 };
        self.data.samples.n_features() * self.n_components + head
    }

    /// From here on evaluations see these samples only; `None`: all of them.
    pub fn set_batch(&mut self, indices: Option<Vec<usize>>) {
        let data = self.data;
        let pick = |values: Option<&[f64]>, indices: &[usize]| {
            values.map(|values| indices.iter().map(|&i| values[i]).collect::<Vec<f64>>())
        };
        self.start = None;
        self.batch = indices.map(|indices| {
            let (labels, weights) = (pick(data.labels, &indices), pick(data.weights, &indices));
            Batch { labels, weights, indices }
        });
    }

    /// Dictionary and head behind the flattened variables.
    pub fn unflatten<'x>(&self, x: &'x [f64]) -> (MatRef<'x, f64>, Option<Head>) {
        let (d, k) = (self.data.samples.n_features(), self.n_components);
        let (dictionary, head) = x.split_at(d * k);
        let head = head.split_last().map(|(b, w)| Head { weights: w.to_vec(), intercept: *b });
        (MatRef::from_column_major_slice(dictionary, d, k), head)
    }

    fn evaluate(&mut self, x: &[f64], gradient: Option<&mut [f64]>) -> f64 {
        if x.iter().any(|v| !v.is_finite()) {
            return f64::NAN;
        }
        let (dictionary, head) = self.unflatten(x);
        let mut problem = Problem::new(self.lower, dictionary);
        if let Some(weights) = self.atom_weights {
            problem = problem.with_weights(weights).expect("weights were checked");
        }
        let (TrainingData { samples, labels, weights }, scale) = self.view();
        let note = self.batch.is_none() && margins::pay(&problem);
        let warm = self.start.as_ref().and_then(|start| start.warm(&problem, note));
        let warm = warm.unwrap_or(Warm { note, ..Warm::default() });
        let (coded, margins) = encode_checked(&problem, samples, warm, self.coder);
        let parts = Parts { problem: &problem, samples, codes: &coded.codes, weights, scale };
        let with_gradient = gradient.is_some();
        let (value, found) = match (self.objective, head) {
            (Objective::Logistic(task), Some(head)) => {
                let labels = labels.expect("a task was checked to have labels");
                parts.logistic(task, &head, labels, gradient)
            }
            (Objective::Full, _) => parts.plain(Full, gradient),
            _ => parts.plain(Reconstruction, gradient),
        };
        let earlier = self.last.as_ref().map_or(0, |last| last.rank_deficient);
        let rank_deficient = if with_gradient { found } else { earlier };
        let energy: f64 = match &self.batch {
            Some(batch) => batch.indices.iter().map(|&i| self.energy[i]).sum(),
            None => self.energy.iter().sum(),
        };
        let explained_variance = 1.0 - residual_energy(&problem, samples, &coded.codes) / energy;
        if self.batch.is_none() {
            self.start = Some(Start { codes: coded.codes.clone(), problem: problem.without_gram(), margins });
        }
        self.last = Some(Evaluation { coded, rank_deficient, explained_variance });
        value
    }

    /// The samples at hand with their labels and weights, and the factor of their sum.
    fn view(&self) -> (TrainingData<'_>, f64) {
        match &self.batch {
            Some(batch) => {
                let data = TrainingData {
                    samples: self.data.samples.select(&batch.indices),
                    labels: batch.labels.as_deref(),
                    weights: batch.weights.as_deref(),
                };
                (data, self.n_samples() as f64 / batch.indices.len() as f64)
            }
            None => (self.data, 1.0),
        }
    }
}

impl Smooth for UpperObjective<'_> {
    fn value(&mut self, x: &[f64]) -> f64 {
        self.evaluate(x, None)
    }

    fn value_and_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> f64 {
        self.evaluate(x, Some(gradient))
    }
}

/// `1 - |X - C D|^2 / |X - mean|^2` over the observed features; not finite where all samples are the mean.
///
/// # Errors
/// Names a feature that no sample observes.
pub fn explained_variance<'a>(
    problem: &Problem,
    samples: impl Into<Samples<'a>>,
    codes: &Codes,
) -> Result<f64, Error> {
    let samples = samples.into();
    let energy: f64 = energies(samples, &samples.feature_means()?).iter().sum();
    Ok(1.0 - residual_energy(problem, samples, codes) / energy)
}

/// `|x_i - mean|^2` over the observed features, the mean of a feature being that of its observed values.
fn energies(samples: Samples<'_>, means: &[f64]) -> Vec<f64> {
    let mut sample = Sample::default();
    let mut distance = |i: usize| {
        samples.load(i, &mut sample);
        let mut centred: Vec<f64> = sample.values.iter().zip(means).map(|(x, m)| x - m).collect();
        sample.blank(&mut centred);
        dot(&centred, &centred)
    };
    (0..samples.n_samples()).map(&mut distance).collect()
}

/// `|X - C D|^2` over the observed features, summed in the order of the samples.
fn residual_energy(problem: &Problem, samples: Samples<'_>, codes: &Codes) -> f64 {
    let scratch = || (vec![0.0; problem.n_features()], Sample::default());
    let energies: Vec<f64> = (0..samples.n_samples())
        .into_par_iter()
        .with_min_len(crate::coder::BLOCK)
        .map_init(scratch, |(residual, sample), i| {
            let values = samples.values(i, sample);
            problem.residual(values, codes.row(i).iter(), residual);
            sample.blank(residual);
            dot(residual, residual)
        })
        .collect();
    energies.iter().sum()
}

/// One batch at its codes.
struct Parts<'a> {
    problem: &'a Problem,
    samples: Samples<'a>,
    codes: &'a Codes,
    weights: Option<&'a [f64]>,
    scale: f64,
}

impl Parts<'_> {
    /// Value, and the gradient in the dictionary if asked for; also the number of rank-deficient samples.
    fn plain(&self, upper: impl UpperLoss, gradient: Option<&mut [f64]>) -> (f64, usize) {
        let upper = Weighted { upper, weights: self.weights, scale: self.scale };
        let Some(gradient) = gradient else {
            return (total(self.problem, self.samples, self.codes, &upper), 0);
        };
        let found = hypergradient(self.problem, self.samples, self.codes, &upper, false);
        let Hypergradient { value, dictionary, rank_deficient, .. } = found;
        for (j, atom) in gradient.chunks_mut(dictionary.nrows()).take(dictionary.ncols()).enumerate() {
            atom.copy_from_slice(column(dictionary.as_ref(), j));
        }
        (value, rank_deficient)
    }

    fn logistic(
        &self,
        task: Logistic,
        head: &Head,
        labels: &[f64],
        mut gradient: Option<&mut [f64]>,
    ) -> (f64, usize) {
        let upper = LogisticUpper { head, labels };
        let (value, rank_deficient) = self.plain(upper, gradient.as_deref_mut());
        if let Some(gradient) = gradient {
            let weight = |i: usize| self.scale * self.weights.map_or(1.0, |weights| weights[i]);
            let along_head = task.head_gradient(head, self.codes, labels, weight);
            let start = self.problem.n_features() * self.problem.n_components();
            let (weights, intercept) = gradient[start..].split_at_mut(along_head.weights.len());
            weights.copy_from_slice(&along_head.weights);
            intercept[0] = along_head.intercept;
        }
        (value + task.ridge(head), rank_deficient)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole gradient, head and ridge included, against differences; and batches that add up.
    #[test]
    fn gradients_in_dictionary_and_head_and_the_scale_of_batches() {
        let (d, n, k) = (4, 10, 5);
        let samples = testkit::normal_matrix(d, n, 1);
        let samples = MatRef::from_column_major_slice(&samples, d, n).into();
        let labels: Vec<f64> = (0..n).map(|i| f64::from(u8::from(i % 3 == 0))).collect();
        let weights: Vec<f64> = (0..n).map(|i| 0.5 + 0.1 * i as f64).collect();
        let data = TrainingData { samples, labels: Some(&labels), weights: Some(&weights) };
        let coder = CoderOptions { tolerance: 1e-13, max_iterations: 500, ..CoderOptions::default() };
        let lower = LowerLevel { elastic_penalty: 0.1, ..LowerLevel::new(Loss::Squared, 0.1) };
        let atom_weights = [1.5, 0.5, 1.0, 0.8, 2.0];
        for (penalize_intercept, atom_weights) in
            [(false, None), (true, None), (false, Some(&atom_weights[..]))]
        {
            let objective = Objective::Logistic(Logistic { l2: 0.3, penalize_intercept });
            let mut upper =
                UpperObjective::new(data, lower, coder, objective, k).with_atom_weights(atom_weights);
            let mut x = testkit::unit_columns(d, k, 2);
            x.extend(testkit::normal_vector(k + 1, 3));
            assert_eq!(x.len(), upper.n_variables());
            let mut gradient = vec![0.0; x.len()];
            let value = upper.value_and_gradient(&x, &mut gradient);
            assert_eq!(value, upper.value(&x), "value alone has the same bits");
            let numeric = testkit::gradient(|x| upper.value(x), &x, 1e-5);
            let error = testkit::relative_error(&gradient, &numeric);
            assert!(error < 1e-8, "gradient off by {error:e}");
            let ridge = 0.15
                * (dot(&x[d * k..x.len() - 1], &x[d * k..x.len() - 1])
                    + if penalize_intercept { x[x.len() - 1] * x[x.len() - 1] } else { 0.0 });
            let mut halves = 0.0;
            for indices in [vec![0, 2, 4, 6, 8], vec![1, 3, 5, 7, 9]] {
                upper.set_batch(Some(indices));
                halves += 0.5 * (upper.value(&x) - ridge);
            }
            testkit::assert_close(halves + ridge, value, 1e-12, 0.0);
        }
    }
}
