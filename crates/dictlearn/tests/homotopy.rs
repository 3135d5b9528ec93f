//! Homotopy: solutions on hard problems, the same as other methods', and the whole path between its kinks.

mod common;

use common::{EXACT, Instance, lasso, stress};
use dictlearn::active_set::CoderOptions;
use dictlearn::coder::encode;
use dictlearn::homotopy::regularization_path;
use dictlearn::loss::Loss;
use dictlearn::lower::{LowerLevel, Problem};
use dictlearn::method::Method;
use proptest::prelude::*;

const HOMOTOPY: CoderOptions =
    CoderOptions { tolerance: 1e-11, max_iterations: 2000, method: Method::Homotopy };

/// `w`: all 1, of three sizes, and with two zeros.
fn weightings(k: usize) -> [Vec<f64>; 3] {
    let mixed: Vec<f64> = (0..k).map(|j| [0.3, 1.0, 2.5][j % 3]).collect();
    let mut free = mixed.clone();
    free[k / 3] = 0.0;
    free[2 * k / 3] = 0.0;
    [vec![1.0; k], mixed, free]
}

fn lowers(instance: &Instance, shares: &[f64]) -> Vec<LowerLevel> {
    let largest = instance.largest_regularization(Loss::Squared);
    let mut all = Vec::new();
    for &share in shares {
        for (elastic_penalty, l2_regularization) in [(0.0, 0.0), (1e-3, 0.0), (0.1, 0.1)] {
            for non_negative in [false, true] {
                all.push(LowerLevel {
                    elastic_penalty,
                    l2_regularization,
                    non_negative,
                    ..lasso(share * largest)
                });
            }
        }
    }
    all
}

/// What rounding alone can make of a violation: `d_j . (x - D c)` to `(d + s) eps |d_j| (|x| + sum |c_j| |d_j|)`, twice.
fn rounding(instance: &Instance, lambda: f64, i: usize, code: &[f64]) -> f64 {
    let length = |v: &[f64]| v.iter().map(|a| a * a).sum::<f64>().sqrt();
    let lengths: Vec<f64> = (0..instance.k).map(|j| length(instance.atom(j))).collect();
    let largest = lengths.iter().fold(0.0_f64, |m, &a| m.max(a));
    let mass: f64 = code.iter().zip(&lengths).map(|(c, a)| c.abs() * a).sum();
    let unit = if lambda > 0.0 { lambda } else { instance.largest_correlation(i) };
    let terms = (instance.d + code.iter().filter(|c| **c != 0.0).count()) as f64;
    if mass == 0.0 {
        1e-15
    } else {
        2.0 * terms * f64::EPSILON * largest * (length(instance.sample(i)) + mass) / unit
    }
}

/// Ties everywhere: atoms and samples of small integers, many of them equal up to sign.
fn integers() -> Instance {
    let mut instance = Instance::random("integers", 6, 30, 6, 90);
    let round = |v: &mut f64| *v = (1.2 * *v * 6.0_f64.sqrt()).round().clamp(-1.0, 1.0);
    instance.dictionary.iter_mut().for_each(round);
    instance.samples.iter_mut().for_each(round);
    instance
}

/// Atoms in pairs at a small distance.
fn pairs(distance: f64) -> Instance {
    let mut instance = Instance::random(Box::leak(format!("pairs{distance:e}").into_boxed_str()), 12, 24, 4, 91);
    for j in 0..12 {
        let noise = testkit::normal_vector(12, 300 + j as u64);
        let near: Vec<f64> = instance.atom(j).iter().zip(noise).map(|(a, e)| a + distance * e).collect();
        instance.atom_mut(j + 12).copy_from_slice(&near);
    }
    instance
}

#[test]
fn codes_meet_the_optimality_conditions_to_rounding() {
    let hard = [1e-8, 1e-10, 1e-12, 1e-14, 1e-15].map(pairs).into_iter().chain([integers()]);
    let (mut solved, mut worst) = (0, 0.0_f64);
    for instance in stress().into_iter().chain(hard) {
        for weights in weightings(instance.k) {
            for lower in lowers(&instance, &[0.0, 1e-3, 1e-2, 0.1, 0.3, 0.7, 1.0, 1.5]) {
                let problem = instance.problem(lower).with_weights(&weights).expect("valid weights");
                let coded = encode(&problem, instance.samples(), None, HOMOTOPY).expect("valid input");
                for i in 0..instance.n() {
                    let code = instance.dense(&coded.codes, i);
                    let lambda = lower.regularization;
                    let violation = instance.weighted_violation(&lower, lambda, &weights, i, &code);
                    let bound = rounding(&instance, lambda, i, &code);
                    if !(violation <= bound) {
                        println!(
                            "{violation:e} {bound:e} {} sample {i}: {lower:?} {:?}",
                            instance.name,
                            &weights[..2]
                        );
                    }
                    worst = worst.max(violation / bound);
                    solved += 1;
                }
                if coded.report.not_converged != 0 {
                    println!("{} {lower:?} {}", instance.name, coded.report.violation);
                }
            }
        }
    }
    println!("{solved} codes, at most {worst:.2} of the rounding bound");
    assert!(worst <= 1.0);
}

#[test]
fn debug() {
    let instance = pairs(1e-10);
    let lower = lasso(5.8e-4);
    let p = instance.problem(lower);
    let path = regularization_path(&p, instance.sample(0), CoderOptions{max_iterations: 80, ..HOMOTOPY}).unwrap();
    println!("{}", path.kinks.len());
}
