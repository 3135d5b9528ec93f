//! Weights of the l1 norm: `w_j |c_j|` for the atom `d_j` is `|c_j w_j|` for the atom `d_j / w_j`, without a ridge.

use super::*;
use testkit::{assert_close, assert_slices_close};

const WEIGHTS: [f64; K] = [0.5, 2.0, 1.0, 1.5, 0.25, 3.0];

fn lasso(weights: Option<&[f64]>) -> Learner {
    let plain = learner(Constraint::UnitBall);
    let lower = LowerLevel { elastic_penalty: 0.0, ..plain.lower };
    Learner { lower, weights: weights.map(<[f64]>::to_vec), ..plain }
}

#[test]
fn they_are_lengths_of_atoms() {
    let signal = signal();
    let first = start(&signal);
    let scaled = Mat::from_fn(8, K, |t, j| first[(t, j)] / WEIGHTS[j]);
    let still = descent(proximal_gradient(true), 0);
    for objective in [Objective::Full, Objective::Reconstruction] {
        let weighted =
            learn(lasso(Some(&WEIGHTS)), data(&signal), first.as_ref(), objective, &still).unwrap();
        let other = learn(lasso(None), data(&signal), scaled.as_ref(), objective, &still).unwrap();
        assert_close(weighted.objective, other.objective, 1e-11, 0.0);
        for (code, expected) in weighted.coded.codes.rows().zip(other.coded.codes.rows()) {
            let lengths: Vec<f64> = code.iter().map(|(j, c)| c * WEIGHTS[j]).collect();
            assert_eq!(code.support, expected.support);
            assert_slices_close(&lengths, expected.values, 0.0, 1e-9);
        }
        let plain = learn(lasso(None), data(&signal), first.as_ref(), objective, &still).unwrap();
        assert!((plain.objective - weighted.objective).abs() > 1e-2, "the weights do something");
    }
}

/// Weights of 1 are no weights, bit by bit; an atom that weighs much is not used.
#[test]
fn they_act_in_every_step() {
    let signal = signal();
    let (first, steps) = (start(&signal), descent(adam(0.01), 5));
    let run = |weights: Option<&[f64]>| {
        learn(lasso(weights), data(&signal), first.as_ref(), Objective::Full, &steps).unwrap()
    };
    assert_eq!(run(None).dictionary, run(Some(&[1.0; K])).dictionary);
    let mut weights = [1.0; K];
    weights[2] = 1e3;
    let learned = run(Some(&weights));
    assert!(learned.coded.codes.rows().all(|code| !code.support.contains(&2)));
    // Without codes there is no gradient: the atom stays.
    assert_slices_close(column(learned.dictionary.as_ref(), 2), column(first.as_ref(), 2), 0.0, 1e-15);
}

#[test]
fn what_is_no_weight_is_refused() {
    let signal = signal();
    let (first, steps) = (start(&signal), descent(adam(0.01), 1));
    let refused = |weights: &[f64]| {
        let learner = lasso(Some(weights));
        assert!(learner.problem(first.as_ref()).is_err());
        learn(learner, data(&signal), first.as_ref(), Objective::Full, &steps).unwrap_err()
    };
    assert!(matches!(
        refused(&[1.0; K - 1]),
        Error::Shape { what: "atom weights", found: 5, expected: K, .. }
    ));
    let mut weights = [1.0; K];
    weights[4] = -0.5;
    assert_eq!(refused(&weights), Error::AtomWeight { index: 4, value: -0.5 });
    weights[4] = f64::NAN;
    assert!(matches!(refused(&weights), Error::AtomWeight { index: 4, .. }));
}
