//! What holds on the way: values fall, gradients are those of fixed codes.

use crate::{
    CONSTRAINTS, K, TASK, data, descent, flat, full, learn, learner, proximal_gradient, sgd, signal, start,
};
use dictlearn::coder::encode;
use dictlearn::dictionary::{Constraint, DictionaryProx, Initialization};
use dictlearn::learner::{Learner, Progress};
use dictlearn::lower::{LowerLevel, Problem};
use dictlearn::objective::Objective;
use faer::MatRef;
use prox::Prox;
use std::ops::ControlFlow;

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

/// Without any penalty and with more atoms than features every implicit system is singular, and every step says so: also
/// those of a line search, whose last evaluation takes no gradient.
#[test]
fn singular_systems_are_counted_at_every_step() {
    let signal = signal();
    let plain = learner(Constraint::UnitSphere);
    let lower = LowerLevel { regularization: 0.0, elastic_penalty: 0.0, ..plain.lower };
    let first = Initialization::Samples.draw(signal.samples.as_ref(), 10, 5).unwrap();
    for (objective, expected) in [(Objective::Reconstruction, 60), (TASK, 60), (Objective::Full, 0)] {
        for optimizer in [proximal_gradient(true), sgd(1e-3)] {
            let learner = Learner { lower, ..plain.clone() };
            let learned =
                learn(learner, data(&signal), first.as_ref(), objective, &descent(optimizer.clone(), 3))
                    .unwrap();
            let counts: Vec<usize> = learned.history.iter().map(|record| record.rank_deficient).collect();
            assert_eq!(counts, [expected; 3], "{objective:?} {optimizer:?}");
        }
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
