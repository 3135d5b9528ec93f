//! Properties of the learner: what its descents promise on the way and at the result, and what it refuses.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use dictlearn::active_set::CoderOptions;
use dictlearn::coder::encode;
use dictlearn::dictionary::{Constraint, DictionaryProx, Initialization};
use dictlearn::error::Error;
use dictlearn::hypergradient::hypergradient;
use dictlearn::learner::{DescentOptions, Learned, Learner, Optimizer, Progress, Project, Status};
use dictlearn::loss::Loss;
use dictlearn::lower::{LowerLevel, Problem};
use dictlearn::objective::{Objective, TrainingData};
use dictlearn::synthetic::{Synthetic, SyntheticOptions, make_sparse_coded_signal};
use dictlearn::task::Logistic;
use dictlearn::upper::Full;
use faer::{Mat, MatRef};
use linalg::columns::{column, column_norms, norm};
use prox::Prox;
use solvers::adam::Adam;
use solvers::schedule::Schedule;
use solvers::sgd::Sgd;
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
    TrainingData { samples: signal.samples.as_ref(), labels: Some(&signal.labels), weights: None }
}

fn start(signal: &Synthetic) -> Mat<f64> {
    Initialization::Samples.draw(signal.samples.as_ref(), K, 5).unwrap()
}

fn learner(constraint: Constraint) -> Learner {
    let lower =
        LowerLevel { loss: Loss::Squared, regularization: 0.1, elastic_penalty: 0.1, l2_regularization: 0.0 };
    Learner { lower, coder: CoderOptions { tolerance: 1e-12, ..CoderOptions::default() }, constraint }
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
    learner: Learner,
    data: TrainingData<'_>,
    dictionary: MatRef<'_, f64>,
    objective: Objective,
    options: &DescentOptions,
) -> Result<Learned, Error> {
    learner.learn(data, dictionary, objective, options, 9, &mut |_| ControlFlow::Continue(()))
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

/// Without momentum every accepted step lowers the objective; what is recorded is the objective at the dictionary shown.
#[test]
fn accepted_proximal_gradient_steps_decrease_the_full_objective() {
    let signal = signal();
    for constraint in CONSTRAINTS {
        let learner = learner(constraint);
        let mut values = Vec::new();
        let mut watch = |progress: Progress<'_>| {
            let value = full(learner.lower, signal.samples.as_ref(), progress.dictionary).0;
            testkit::assert_close(progress.record.objective, value, 1e-10, 0.0);
            values.push(value);
            ControlFlow::Continue(())
        };
        // The projection of the first dictionary is where the descent can be compared from.
        let mut first = flat(start(&signal).as_ref());
        DictionaryProx { constraint, n_features: 8, n_components: K }.prox(&mut first, 1.0);
        let first = MatRef::from_column_major_slice(&first, 8, K);
        let options = descent(proximal_gradient(false), 25);
        let learned = learner.learn(data(&signal), first, Objective::Full, &options, 0, &mut watch).unwrap();
        let initial = full(learner.lower, signal.samples.as_ref(), first).0;
        assert_eq!(values.len(), 25);
        let all: Vec<f64> = [initial].into_iter().chain(values).collect();
        let rises = all.windows(2).filter(|pair| pair[1] > pair[0] * (1.0 + 1e-12)).count();
        assert_eq!(rises, 0, "{constraint:?}: {all:?}");
        assert!(learned.objective < 0.95 * initial, "{constraint:?}: the descent moves");
    }
}

/// Envelope theorem: a step of plain gradient descent is `P(D - t sum_i -phi'(r_i) c_i^T)`, codes held fixed.
#[test]
fn gradient_steps_of_the_full_objective_hold_the_codes_fixed() {
    let signal = signal();
    let (samples, step) = (signal.samples.as_ref(), 0.01);
    for constraint in CONSTRAINTS {
        let learner = learner(constraint);
        let mut expected = start(&signal);
        let mut watch = |progress: Progress<'_>| {
            let problem = Problem::new(learner.lower, expected.as_ref());
            let codes = encode(&problem, samples, None, learner.coder).unwrap().codes.to_dense_columns();
            let residual = &signal.samples - &expected * &codes;
            let mut next = flat((&expected + step * (&residual * codes.transpose())).as_ref());
            DictionaryProx { constraint, n_features: 8, n_components: K }.prox(&mut next, step);
            testkit::assert_slices_close(&flat(progress.dictionary), &next, 0.0, 1e-9);
            expected = progress.dictionary.to_owned();
            ControlFlow::Continue(())
        };
        let (first, options) = (start(&signal), descent(sgd(step), 8));
        learner.learn(data(&signal), first.as_ref(), Objective::Full, &options, 0, &mut watch).unwrap();
    }
}

#[test]
fn results_lie_in_their_set() {
    let signal = signal();
    for constraint in CONSTRAINTS {
        for objective in [Objective::Reconstruction, Objective::Full, TASK] {
            for project in [Project::EachStep, Project::AtEnd] {
                for optimizer in [adam(0.05), sgd(0.01), proximal_gradient(true)] {
                    let options = DescentOptions { project, ..descent(optimizer, 7) };
                    let first = start(&signal);
                    let learned =
                        learn(learner(constraint), data(&signal), first.as_ref(), objective, &options);
                    let learned = learned.unwrap();
                    let off = distance(constraint, learned.dictionary.as_ref());
                    assert!(off <= 1e-14, "{constraint:?} {options:?}: off by {off:e}");
                    assert_eq!(learned.head.is_some(), objective == TASK);
                }
            }
        }
    }
}

/// With the projection left to the end, the dictionaries on the way are off the set: the two modes differ.
#[test]
fn a_projection_at_the_end_leaves_the_way_free() {
    let signal = signal();
    let off_on_the_way = |project| {
        let options = DescentOptions { project, ..descent(adam(0.05), 5) };
        let mut largest = 0.0_f64;
        let mut watch = |progress: Progress<'_>| {
            largest = largest.max(distance(Constraint::UnitSphere, progress.dictionary));
            ControlFlow::Continue(())
        };
        let first = start(&signal);
        learner(Constraint::UnitSphere)
            .learn(data(&signal), first.as_ref(), Objective::Reconstruction, &options, 0, &mut watch)
            .unwrap();
        largest
    };
    assert!(off_on_the_way(Project::EachStep) <= 1e-14);
    assert!(off_on_the_way(Project::AtEnd) > 1e-2);
}

/// Inside the ball atoms may shrink; a task makes use of it, and no atom leaves it.
#[test]
fn balls_allow_smaller_atoms_and_no_larger_ones() {
    let signal = signal();
    let first = Mat::from_fn(8, K, |t, j| 0.8 * start(&signal)[(t, j)]);
    let options = descent(adam(0.03), 40);
    let learned =
        learn(learner(Constraint::UnitBall), data(&signal), first.as_ref(), TASK, &options).unwrap();
    let norms = column_norms(learned.dictionary.as_ref());
    assert!(norms.iter().all(|&n| n <= 1.0 + 1e-15), "{norms:?}");
    assert!(norms.iter().any(|&n| n < 0.99), "the sphere would have been enough: {norms:?}");
}

/// `|D - P(D - t G)| / t <= tolerance (1 + |D|)` at the result, with codes, gradient and projection computed anew.
#[test]
fn converged_means_that_the_stopping_rule_holds_at_the_result() {
    let signal = signal();
    for constraint in CONSTRAINTS {
        for optimizer in [proximal_gradient(false), proximal_gradient(true), sgd(0.01)] {
            let tolerance = 1e-3;
            let options = DescentOptions { tolerance, ..descent(optimizer, 5000) };
            let first = start(&signal);
            let learner = learner(constraint);
            let learned = learn(learner, data(&signal), first.as_ref(), Objective::Full, &options).unwrap();
            assert_eq!(learned.status, Status::Converged, "{constraint:?} {options:?}");
            assert!(learned.history.len() < 5000);
            let (value, gradient) = full(learner.lower, signal.samples.as_ref(), learned.dictionary.as_ref());
            testkit::assert_close(learned.objective, value, 1e-10, 0.0);
            let step = learned.history.last().unwrap().step;
            let x = flat(learned.dictionary.as_ref());
            let mut moved: Vec<f64> =
                x.iter().zip(flat(gradient.as_ref())).map(|(x, g)| x - step * g).collect();
            DictionaryProx { constraint, n_features: 8, n_components: K }.prox(&mut moved, step);
            moved.iter_mut().zip(&x).for_each(|(m, x)| *m -= x);
            let mapping = norm(&moved) / step;
            let bound = tolerance * (1.0 + norm(&x));
            assert!(mapping <= bound * (1.0 + 1e-6), "{constraint:?} {options:?}: {mapping} > {bound}");
        }
    }
}

/// Without a tolerance every step is taken.
#[test]
fn a_tolerance_of_zero_takes_all_steps() {
    let signal = signal();
    let (first, options) = (start(&signal), descent(proximal_gradient(true), 13));
    let learned =
        learn(learner(Constraint::UnitSphere), data(&signal), first.as_ref(), Objective::Full, &options);
    let learned = learned.unwrap();
    assert_eq!((learned.status, learned.history.len()), (Status::MaxIterations, 13));
}

#[test]
fn mini_batches_reduce_the_objective_with_the_same_bits_for_any_number_of_threads() {
    let signal = signal();
    let options = DescentOptions { batch_size: Some(16), ..descent(adam(0.02), 60) };
    let run = |threads, objective| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (first, learner) = (start(&signal), learner(Constraint::UnitSphere));
        pool.install(|| learn(learner, data(&signal), first.as_ref(), objective, &options).unwrap())
    };
    let initial =
        full(learner(Constraint::UnitSphere).lower, signal.samples.as_ref(), start(&signal).as_ref());
    let one = run(1, Objective::Full);
    assert!(one.objective < 0.9 * initial.0, "{} from {}", one.objective, initial.0);
    for objective in [Objective::Full, TASK] {
        let one = run(1, objective);
        for threads in [2, 3, 8] {
            let many = run(threads, objective);
            let same = |a: &Mat<f64>, b: &Mat<f64>| {
                let bits = |m: &Mat<f64>| flat(m.as_ref()).into_iter().map(f64::to_bits).collect::<Vec<_>>();
                bits(a) == bits(b)
            };
            assert!(same(&one.dictionary, &many.dictionary), "{threads} threads");
            assert_eq!(one.head, many.head);
            assert_eq!(one.history, many.history);
            assert_eq!(one.coded, many.coded);
            assert_eq!(one.objective.to_bits(), many.objective.to_bits());
        }
    }
}

#[test]
fn an_observer_stops_the_descent() {
    let signal = signal();
    for optimizer in [proximal_gradient(true), adam(0.01)] {
        let mut seen = Vec::new();
        let mut watch = |progress: Progress<'_>| {
            seen.push(progress.dictionary.to_owned());
            if progress.record.iteration == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let (first, options) = (start(&signal), descent(optimizer, 50));
        let learned = learner(Constraint::UnitSphere)
            .learn(data(&signal), first.as_ref(), Objective::Full, &options, 0, &mut watch)
            .unwrap();
        assert_eq!((learned.status, learned.history.len()), (Status::Stopped, 4));
        assert_eq!(learned.dictionary, seen[3]);
    }
}

/// Steps of 1e155 in a ridge `l2/2 |w|^2` overflow: the last finite point comes back, evaluated.
#[test]
fn a_diverging_descent_returns_the_last_finite_point() {
    let signal = signal();
    let mut last = None;
    let mut watch = |progress: Progress<'_>| {
        last = Some((progress.dictionary.to_owned(), progress.head.cloned()));
        ControlFlow::Continue(())
    };
    let (first, options) = (start(&signal), descent(sgd(1e155), 50));
    let learned = learner(Constraint::UnitSphere)
        .learn(data(&signal), first.as_ref(), TASK, &options, 0, &mut watch)
        .unwrap();
    assert_eq!(learned.status, Status::Diverged);
    assert!(learned.history.len() < 50);
    let (dictionary, head) = last.unwrap();
    assert_eq!((&learned.dictionary, &learned.head), (&dictionary, &head));
    let head = learned.head.unwrap();
    assert!(flat(learned.dictionary.as_ref()).iter().chain(&head.weights).all(|v| v.is_finite()));
}

/// A weight of 2 is the sample twice: same objective on the way, same dictionary.
#[test]
fn weights_of_two_equal_samples_given_twice() {
    let signal = signal();
    let n = signal.samples.ncols();
    let twice: Vec<usize> = (0..n).flat_map(|i| std::iter::repeat_n(i, 1 + i % 2)).collect();
    let samples = Mat::from_fn(8, twice.len(), |t, c| signal.samples[(t, twice[c])]);
    let labels: Vec<f64> = twice.iter().map(|&i| signal.labels[i]).collect();
    let repeated = TrainingData { samples: samples.as_ref(), labels: Some(&labels), weights: None };
    let weights: Vec<f64> = (0..n).map(|i| 1.0 + (i % 2) as f64).collect();
    let weighted = TrainingData { weights: Some(&weights), ..data(&signal) };
    for objective in [Objective::Reconstruction, Objective::Full, TASK] {
        let options = descent(adam(0.01), 10);
        let first = start(&signal);
        let run =
            |data| learn(learner(Constraint::UnitSphere), data, first.as_ref(), objective, &options).unwrap();
        let (one, other) = (run(weighted), run(repeated));
        testkit::assert_close(one.objective, other.objective, 1e-11, 0.0);
        for (a, b) in one.history.iter().zip(&other.history) {
            testkit::assert_close(a.objective, b.objective, 1e-11, 0.0);
        }
        let (one, other) = (flat(one.dictionary.as_ref()), flat(other.dictionary.as_ref()));
        testkit::assert_slices_close(&one, &other, 0.0, 1e-9);
    }
}

#[test]
fn data_that_cannot_be_learned_from_are_errors() {
    let signal = signal();
    let (first, options) = (start(&signal), descent(adam(0.01), 3));
    let attempt = |data: TrainingData<'_>, objective| {
        learn(learner(Constraint::UnitSphere), data, first.as_ref(), objective, &options).err()
    };
    let whole = data(&signal);
    assert_eq!(attempt(whole, TASK), None);
    let mut spoilt = signal.samples.clone();
    spoilt[(2, 7)] = f64::NAN;
    let samples = TrainingData { samples: spoilt.as_ref(), ..whole };
    assert!(matches!(attempt(samples, TASK), Some(Error::NotFinite { row: 7, column: 2, .. })));
    let empty = Mat::zeros(8, 0);
    let samples = TrainingData { samples: empty.as_ref(), ..whole };
    assert_eq!(attempt(samples, TASK), Some(Error::Empty { n_samples: 0, n_features: 8 }));

    assert_eq!(attempt(TrainingData { labels: None, ..whole }, TASK), Some(Error::NoLabels));
    assert_eq!(attempt(TrainingData { labels: None, ..whole }, Objective::Full), None);
    let labelled = |labels: &[f64]| attempt(TrainingData { labels: Some(labels), ..whole }, TASK);
    assert!(matches!(labelled(&[1.0; 59]), Some(Error::Shape { found: 59, expected: 60, .. })));
    assert_eq!(labelled(&[1.0; 60]), Some(Error::OneClass { n_samples: 60, label: 1.0 }));
    let mut labels = signal.labels.clone();
    labels[4] = -1.0;
    assert_eq!(labelled(&labels), Some(Error::Label { index: 4, value: -1.0 }));

    let weighted = |weights: &[f64]| attempt(TrainingData { weights: Some(weights), ..whole }, TASK);
    assert!(matches!(weighted(&[1.0; 61]), Some(Error::Shape { found: 61, .. })));
    let mut weights = vec![1.0; 60];
    weights[11] = -0.5;
    assert_eq!(weighted(&weights), Some(Error::Weight { index: 11, value: -0.5 }));
}

#[test]
fn dictionaries_that_do_not_fit_are_errors() {
    let signal = signal();
    let attempt = |constraint, dictionary: &Mat<f64>| {
        let options = descent(adam(0.01), 3);
        learn(learner(constraint), data(&signal), dictionary.as_ref(), Objective::Full, &options).err()
    };
    for constraint in CONSTRAINTS {
        let other = Mat::from_fn(7, K, |_, _| 1.0);
        assert!(matches!(attempt(constraint, &other), Some(Error::Shape { found: 7, expected: 8, .. })));
        assert!(matches!(attempt(constraint, &Mat::zeros(8, 0)), Some(Error::Option(_))));
        let mut spoilt = start(&signal);
        spoilt[(1, 3)] = f64::INFINITY;
        assert!(matches!(attempt(constraint, &spoilt), Some(Error::NotFinite { row: 3, column: 1, .. })));
    }
    let mut holed = start(&signal);
    (0..8).for_each(|t| holed[(t, 2)] = 0.0);
    assert!(matches!(attempt(Constraint::UnitSphere, &holed), Some(Error::ZeroNorm { index: 2, .. })));
    assert_eq!(attempt(Constraint::UnitBall, &holed), None);
    assert_eq!(attempt(Constraint::FrobeniusSphere, &holed), None);
    assert_eq!(attempt(Constraint::FrobeniusSphere, &Mat::zeros(8, K)), Some(Error::ZeroDictionary));
    assert_eq!(attempt(Constraint::UnitBall, &Mat::zeros(8, K)), None);
}

#[test]
fn options_out_of_range_are_errors() {
    let signal = signal();
    let first = start(&signal);
    let attempt = |learner, options: DescentOptions| {
        let error = learn(learner, data(&signal), first.as_ref(), Objective::Full, &options).err()?;
        let Error::Option(option) = error else { panic!("{error}") };
        Some(option.name)
    };
    let (good, steps) = (learner(Constraint::UnitSphere), descent(adam(0.01), 3));
    let with = |regularization| Learner { lower: LowerLevel { regularization, ..good.lower }, ..good };
    assert_eq!(attempt(with(f64::NAN), steps.clone()), Some("regularization"));
    let coder = CoderOptions { tolerance: 0.0, ..good.coder };
    assert_eq!(attempt(Learner { coder, ..good }, steps.clone()), Some("tolerance"));
    assert_eq!(attempt(good, DescentOptions { tolerance: -1.0, ..steps.clone() }), Some("tolerance"));
    assert_eq!(attempt(good, DescentOptions { batch_size: Some(0), ..steps }), Some("batch_size"));
    let batches = DescentOptions { batch_size: Some(4), ..descent(proximal_gradient(true), 3) };
    assert_eq!(attempt(good, batches), Some("batch_size"));
    assert_eq!(attempt(good, descent(sgd(f64::NAN), 3)), Some("step"));
}
