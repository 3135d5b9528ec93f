//! Properties of the learner: what its descents promise on the way and at the result, and what it refuses.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod descents;
mod refusals;
mod results;
mod weights;
mod missing;

use dictlearn::active_set::CoderOptions;
use dictlearn::coder::encode;
use dictlearn::dictionary::{Constraint, Initialization};
use dictlearn::error::Error;
use dictlearn::hypergradient::hypergradient;
use dictlearn::learner::{DescentOptions, Learned, Learner, Optimizer, Project};
use dictlearn::loss::Loss;
use dictlearn::lower::{LowerLevel, Problem};
use dictlearn::objective::{Objective, TrainingData};
use dictlearn::synthetic::{Synthetic, SyntheticOptions, make_sparse_coded_signal};
use dictlearn::task::Logistic;
use dictlearn::upper::Full;
use faer::{Mat, MatRef};
use linalg::columns::{column, column_norms, norm};
use solvers::adam::Adam;
use solvers::schedule::Schedule;
use solvers::sgd::Sgd;
use std::borrow::Borrow;
use std::ops::ControlFlow;

const K: usize = 6;
const CONSTRAINTS: [Constraint; 3] =
    [Constraint::UnitSphere, Constraint::UnitBall, Constraint::FrobeniusSphere];
const TASK: Objective = Objective::Logistic(Logistic { l2: 0.01, penalize_intercept: false });

/// 60 signals of 8 entries from 6 atoms.
fn signal() -> Synthetic {
    let options =
        SyntheticOptions { n_samples: 60, n_features: 8, n_atoms: K, n_nonzero: 2, scale: 1.0, noise: 0.05 };
    make_sparse_coded_signal(&options, 3).unwrap()
}

fn data(signal: &Synthetic) -> TrainingData<'_> {
    TrainingData { samples: signal.samples.as_ref().into(), labels: Some(&signal.labels), weights: None }
}

fn start(signal: &Synthetic) -> Mat<f64> {
    Initialization::Samples.draw(signal.samples.as_ref(), K, 5).unwrap()
}

fn learner(constraint: Constraint) -> Learner {
    let lower = LowerLevel { elastic_penalty: 0.1, ..LowerLevel::new(Loss::Squared, 0.1) };
    let coder = CoderOptions { tolerance: 1e-12, ..CoderOptions::default() };
    Learner { lower, weights: None, coder, constraint }
}

fn proximal_gradient(acceleration: bool) -> Optimizer {
    Optimizer::ProximalGradient { acceleration, restart: false, initial_step: 1.0, max_halvings: 40 }
}

fn adam(step: f64) -> Optimizer {
    Optimizer::Adam(Adam { schedule: Schedule::Constant { step }, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 })
}

fn sgd(step: f64) -> Optimizer {
    Optimizer::Sgd(Sgd { schedule: Schedule::Constant { step }, momentum: 0.0, nesterov: false })
}

fn descent(optimizer: Optimizer, max_iterations: usize) -> DescentOptions {
    DescentOptions { optimizer, max_iterations, tolerance: 0.0, batch_size: None, project: Project::EachStep }
}

/// Learns without watching.
fn learn(
    learner: impl Borrow<Learner>,
    data: TrainingData<'_>,
    dictionary: MatRef<'_, f64>,
    objective: Objective,
    options: &DescentOptions,
) -> Result<Learned, Error> {
    learner.borrow().learn(data, dictionary, objective, options, 9, &mut |_| ControlFlow::Continue(()))
}

/// The full objective and its gradient in the dictionary, computed without the learner.
fn full(lower: LowerLevel, samples: MatRef<'_, f64>, dictionary: MatRef<'_, f64>) -> (f64, Mat<f64>) {
    let problem = Problem::new(lower, dictionary);
    let coder = CoderOptions { tolerance: 1e-12, ..CoderOptions::default() };
    let coded = encode(&problem, samples, None, coder).unwrap();
    let found = hypergradient(&problem, samples, &coded.codes, &Full, false);
    (found.value, found.dictionary)
}

fn flat(matrix: MatRef<'_, f64>) -> Vec<f64> {
    (0..matrix.ncols()).flat_map(|j| column(matrix, j).iter().copied()).collect()
}

/// Largest distance of a dictionary from its set, in norm.
fn distance(constraint: Constraint, dictionary: MatRef<'_, f64>) -> f64 {
    let norms = column_norms(dictionary);
    match constraint {
        Constraint::UnitSphere => norms.iter().map(|n| (n - 1.0).abs()).fold(0.0, f64::max),
        Constraint::UnitBall => norms.iter().map(|n| n - 1.0).fold(0.0, f64::max),
        Constraint::FrobeniusSphere => (norm(&norms) - 1.0).abs(),
    }
}
