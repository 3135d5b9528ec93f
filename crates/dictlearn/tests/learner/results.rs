//! What holds at the result: constraint, stopping rule, status, weights, and the same bits for any number of threads.

use crate::{
    CONSTRAINTS, K, TASK, adam, data, descent, distance, flat, full, learn, learner, proximal_gradient, sgd,
    signal, start,
};
use dictlearn::active_set::CoderOptions;
use dictlearn::dictionary::{Constraint, DictionaryProx};
use dictlearn::learner::{DescentOptions, Learner, Progress, Project, Status};
use dictlearn::objective::{Objective, TrainingData};
use faer::Mat;
use linalg::columns::{column_norms, norm};
use prox::Prox;
use std::ops::ControlFlow;

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
            let learned = learn(&learner, data(&signal), first.as_ref(), Objective::Full, &options).unwrap();
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

/// A batch's sum is scaled by `n / b`: undone, the batches of an epoch add up to the objective of all samples.
#[test]
fn batches_are_scaled_to_the_whole_and_the_result_is_of_all_samples() {
    let signal = signal();
    let learner = learner(Constraint::UnitSphere);
    let first = start(&signal);
    let options = DescentOptions { batch_size: Some(16), ..descent(adam(1e-13), 4) };
    let learned = learn(&learner, data(&signal), first.as_ref(), Objective::Full, &options).unwrap();
    let records = learned.history.iter().zip([16.0, 16.0, 16.0, 12.0]);
    let epoch: f64 = records.map(|(record, b)| record.objective * b / 60.0).sum();
    let whole = full(learner.lower, signal.samples.as_ref(), first.as_ref()).0;
    testkit::assert_close(epoch, whole, 1e-10, 0.0);
    testkit::assert_close(learned.objective, whole, 1e-10, 0.0);
    assert_eq!(learned.coded.codes.n_samples(), 60);
}

#[test]
fn mini_batches_reduce_the_objective_with_the_same_bits_for_any_number_of_threads() {
    let signal = signal();
    let options = DescentOptions { batch_size: Some(16), ..descent(adam(0.02), 60) };
    let run = |threads, objective| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (first, learner) = (start(&signal), learner(Constraint::UnitSphere));
        pool.install(|| learn(&learner, data(&signal), first.as_ref(), objective, &options).unwrap())
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

/// Samples whose energy overflows: not one step is finite, and the start comes back.
#[test]
fn a_descent_that_diverges_at_once_returns_its_start() {
    let signal = signal();
    let huge = Mat::from_fn(8, 60, |t, i| 1e200 * signal.samples[(t, i)]);
    let coder = CoderOptions { max_iterations: 5, ..CoderOptions::default() };
    let learner = Learner { coder, ..learner(Constraint::UnitSphere) };
    let huge = TrainingData { samples: huge.as_ref().into(), ..data(&signal) };
    for optimizer in [proximal_gradient(true), adam(0.01)] {
        let (first, options) = (start(&signal), descent(optimizer, 5));
        let learned = learn(&learner, huge, first.as_ref(), Objective::Full, &options).unwrap();
        assert_eq!((learned.status, learned.history.len()), (Status::Diverged, 0));
        assert_eq!(learned.dictionary, first);
    }
}

/// A weight of 2 is the sample twice: same objective on the way, same dictionary.
#[test]
fn weights_of_two_equal_samples_given_twice() {
    let signal = signal();
    let n = signal.samples.ncols();
    let twice: Vec<usize> = (0..n).flat_map(|i| std::iter::repeat_n(i, 1 + i % 2)).collect();
    let samples = Mat::from_fn(8, twice.len(), |t, c| signal.samples[(t, twice[c])]);
    let labels: Vec<f64> = twice.iter().map(|&i| signal.labels[i]).collect();
    let repeated = TrainingData { samples: samples.as_ref().into(), labels: Some(&labels), weights: None };
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
