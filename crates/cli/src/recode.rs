//! Codes by a method that no dictionary is learned through: learn with one method, code with another.
//!
//! A hypergradient differentiates the conditions of the lower level, so a dictionary is learned by a method that minimises
//! it: `coding.method` where it does, `active_set` otherwise. In the latter case all that a run hands out is of the codes
//! `c_i` by `coding.method` under the learned dictionary: the codes, their nonzeros, `1 - |X - C D|^2 / |X - mean|^2`, and
//! the objective `sum_i weight_i L_i(c_i)` with the ridge of the head. Cost: one coding pass.

use crate::config::Experiment;
use crate::load::Data;
use dictlearn::coder::{Coded, CodingReport, encode};
use dictlearn::codes::Codes;
use dictlearn::error::Error;
use dictlearn::learner::{Learned, Status};
use dictlearn::lower::{LowerLevel, Problem};
use dictlearn::method::Method;
use dictlearn::objective::{Objective, TrainingData, explained_variance};
use dictlearn::task::{Head, LogisticUpper};
use dictlearn::upper::{Full, Reconstruction, UpperLoss, Weighted, total};
use faer::MatRef;
use linalg::columns::column;

/// The method by which a dictionary is learned whose codes are to be by `method`.
pub fn learning_method(method: Method) -> Method {
    if method.minimizes_the_lower_level() { method } else { Method::ActiveSet }
}

/// Whether the codes that a run hands out are by another method than those that the dictionary is learned through.
pub fn recodes(method: Method) -> bool {
    learning_method(method) != method
}

/// The lower level with a learned dictionary.
pub(crate) fn problem(data: &Data, lower: LowerLevel, learned: &Learned) -> Result<Problem, Error> {
    let problem = Problem::new(lower, learned.dictionary.as_ref());
    match &data.atom_weights {
        Some(weights) => problem.with_weights(weights),
        None => Ok(problem),
    }
}

/// What the violation of a method's codes is called (see [`dictlearn::method`]).
pub fn violation_name(method: Method) -> &'static str {
    if method.minimizes_the_lower_level() { "KKT violation" } else { "violation" }
}

/// What to do about samples that are not converged under `dictionary`.
pub fn remedy(experiment: &Experiment, data: &Data, dictionary: MatRef<'_, f64>) -> &'static str {
    let (method, regularization) = (experiment.coding.options.method, experiment.coding.lower.regularization);
    if method.minimizes_the_lower_level() && is_lost_in_rounding(regularization, data, dictionary) {
        return "raise coding.regularization, which is lost in the rounding of the correlations d_j . x, or set it to 0";
    }
    match method {
        Method::Error { .. } => {
            "raise coding.max_iterations, or the error where it is below that of least squares"
        }
        Method::Omp { .. } => "raise the error, which is below that of least squares, or add n_nonzero",
        Method::ActiveSet => "raise coding.max_iterations or coding.tolerance, or add a ridge",
        _ => "raise coding.max_iterations",
    }
}

/// Whether a positive regularization is below `1e-10 max |D_tj| max |x_ti|`: the rounding of `d_j . x`, some 1e-16 of its
/// size, is no small part of it then.
fn is_lost_in_rounding(regularization: f64, data: &Data, dictionary: MatRef<'_, f64>) -> bool {
    // NaN, a missing feature, is passed over.
    let largest = |matrix: MatRef<'_, f64>| {
        let entries = (0..matrix.ncols()).flat_map(|j| column(matrix, j));
        entries.fold(0.0_f64, |largest, entry| largest.max(entry.abs()))
    };
    let samples = data.training.samples.as_ref();
    regularization > 0.0 && regularization < 1e-10 * largest(dictionary) * largest(samples)
}

/// The result of no step at all; codes and what follows from them are [`recode`]'s.
pub(crate) fn unlearned(dictionary: MatRef<'_, f64>) -> Learned {
    Learned {
        dictionary: dictionary.to_owned(),
        head: None,
        status: Status::MaxIterations,
        history: Vec::new(),
        objective: f64::NAN,
        explained_variance: f64::NAN,
        coded: Coded { codes: Codes::new(dictionary.ncols()), report: CodingReport::default() },
    }
}

/// The same dictionary and head with the training codes by `coding.method`.
pub(crate) fn recode(
    experiment: &Experiment,
    data: &Data,
    objective: Objective,
    learned: Learned,
) -> Result<Learned, Error> {
    let training = data.training.data();
    training.check(objective)?;
    let problem = problem(data, experiment.coding.lower, &learned)?;
    let coded = encode(&problem, training.samples, None, experiment.coding.options)?;
    let explained_variance = explained_variance(&problem, training.samples, &coded.codes)?;
    let objective = value(&problem, training, objective, learned.head.as_ref(), &coded.codes);
    Ok(Learned { objective, explained_variance, coded, ..learned })
}

/// The upper level at these codes.
fn value(
    problem: &Problem,
    training: TrainingData<'_>,
    objective: Objective,
    head: Option<&Head>,
    codes: &Codes,
) -> f64 {
    let TrainingData { samples, labels, weights } = training;
    match (objective, head, labels) {
        (Objective::Logistic(task), Some(head), Some(labels)) => {
            let loss = weighted(LogisticUpper { head, labels }, weights);
            total(problem, samples, codes, &loss) + task.ridge(head)
        }
        (Objective::Full, ..) => total(problem, samples, codes, &weighted(Full, weights)),
        _ => total(problem, samples, codes, &weighted(Reconstruction, weights)),
    }
}

fn weighted<U: UpperLoss>(upper: U, weights: Option<&[f64]>) -> Weighted<'_, U> {
    Weighted { upper, weights, scale: 1.0 }
}
