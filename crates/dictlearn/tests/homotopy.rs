//! Homotopy: solutions on hard problems, the same as other methods', and the whole path between its kinks.

mod common;

use common::{EXACT, Instance, code_error_bound, coherent, lasso, rounding, stress};
use dictlearn::active_set::CoderOptions;
use dictlearn::coder::encode;
use dictlearn::homotopy::{Kink, regularization_path};
use dictlearn::loss::Loss;
use dictlearn::lower::LowerLevel;
use dictlearn::method::Method;
use proptest::prelude::*;
use std::collections::BTreeMap;

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

/// Ties everywhere: atoms and samples of small integers, many of them equal up to sign.
fn integers() -> Instance {
    let mut instance = Instance::random("integers", 6, 30, 6, 90);
    let round = |v: &mut f64| *v = (1.2 * *v * 6.0_f64.sqrt()).round().clamp(-1.0, 1.0);
    instance.dictionary.iter_mut().for_each(round);
    instance.samples.iter_mut().for_each(round);
    instance
}

/// Atoms in pairs at a small distance.
fn pairs(d: usize, distance: f64) -> Instance {
    let (k, mut instance) = (4 * d, Instance::random("pairs", d, 4 * d, 8, 91));
    for j in 0..k / 2 {
        let noise = testkit::normal_vector(d, 300 + j as u64);
        let near: Vec<f64> = instance.atom(j).iter().zip(noise).map(|(a, e)| a + distance * e).collect();
        instance.atom_mut(j + k / 2).copy_from_slice(&near);
    }
    instance
}

#[test]
fn codes_meet_the_optimality_conditions_to_rounding() {
    let hard = [1e-8, 1e-10, 1e-12, 1e-14, 1e-15]
        .map(|distance| pairs(10, distance))
        .into_iter()
        .chain([integers()]);
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
                    let place = || format!("{} sample {i}: {lower:?}", instance.name);
                    assert!(violation <= bound, "{}: {violation:e} above {bound:e}", place());
                    worst = worst.max(violation / bound);
                    solved += 1;
                }
                assert_eq!(coded.report.not_converged, 0, "{}: {lower:?}", instance.name);
            }
        }
    }
    println!("{solved} codes, at most {worst:.2} of the rounding bound");
}

/// The path's code as a dense vector.
fn dense(k: usize, kink: &Kink) -> Vec<f64> {
    let mut code = vec![0.0; k];
    kink.support.iter().zip(&kink.values).for_each(|(&j, &c)| code[j as usize] = c);
    code
}

#[test]
fn the_path_solves_every_problem_on_it() {
    let mut checked = 0;
    for instance in [Instance::random("wide", 10, 30, 3, 92), coherent("cosine .8", 0.8, 93), integers()] {
        for weights in weightings(instance.k) {
            for lower in lowers(&instance, &[1e-2]) {
                let problem = instance.problem(lower).with_weights(&weights).expect("valid weights");
                // The ridge is the same all along the path.
                let ridge = lower.ridge();
                let fixed = LowerLevel { elastic_penalty: 0.0, l2_regularization: ridge, ..lower };
                for i in 0..instance.n() {
                    let path =
                        regularization_path(&problem, instance.sample(i), HOMOTOPY).expect("valid input");
                    let (first, last) = (&path.kinks[0], &path.kinks[path.kinks.len() - 1]);
                    assert!(path.complete && last.regularization == lower.regularization);
                    let beyond = 2.0 * first.regularization;
                    assert_eq!(path.at(beyond), Kink { regularization: beyond, ..first.clone() });
                    let mut check = |kink: &Kink| {
                        let (lambda, code) = (kink.regularization, dense(instance.k, kink));
                        let violation = instance.weighted_violation(&fixed, lambda, &weights, i, &code);
                        let bound = 4.0 * rounding(&instance, lambda, i, &code);
                        assert!(violation <= bound, "{}: {lambda:e}: {violation:e}", instance.name);
                        checked += 1;
                    };
                    path.kinks.iter().for_each(&mut check);
                    for pair in path.kinks.windows(2) {
                        let (high, low) = (pair[0].regularization, pair[1].regularization);
                        assert!(high > low);
                        for share in [0.1, 0.5, 0.9] {
                            check(&path.at(high + share * (low - high)));
                        }
                        assert_eq!(path.at(low), pair[1]);
                    }
                }
            }
        }
    }
    assert!(checked > 5000, "{checked} codes on paths");
}

#[test]
fn the_path_goes_through_the_codes_of_the_active_set() {
    let instance = Instance::random("kinks", 14, 40, 3, 94);
    let lower = lasso(0.02 * instance.largest_regularization(Loss::Squared));
    for i in 0..instance.n() {
        let path =
            regularization_path(&instance.problem(lower), instance.sample(i), HOMOTOPY).expect("valid");
        let alone = Instance { samples: instance.sample(i).to_vec(), ..instance.clone() };
        testkit::assert_close(path.kinks[0].regularization, alone.largest_correlation(0), 1e-15, 0.0);
        assert!(path.kinks.len() > 10);
        for pair in path.kinks.windows(2) {
            // Halfway, where the support is unambiguous.
            let regularization = 0.5 * (pair[0].regularization + pair[1].regularization);
            let coded = alone.encode(lasso(regularization), None, EXACT);
            let kink = path.at(regularization);
            assert_eq!(coded.codes.row(0).support, kink.support);
            testkit::assert_slices_close(coded.codes.row(0).values, &kink.values, 1e-10, 1e-12);
        }
    }
}

#[test]
fn the_three_methods_agree() {
    let (mut compared, options) = (0, CoderOptions { tolerance: 1e-12, max_iterations: 50_000, ..HOMOTOPY });
    // Atoms of norm 1e3 next to 1e-3 take coordinate descent too long.
    for instance in stress().into_iter().filter(|instance| !instance.name.starts_with("norms")) {
        for mut lower in lowers(&instance, &[0.05, 0.4]) {
            lower.l2_regularization += 0.01;
            let methods = [Method::Homotopy, Method::ActiveSet, Method::CoordinateDescent];
            let coded =
                methods.map(|method| instance.encode(lower, None, CoderOptions { method, ..options }));
            for (other, method) in coded[1..].iter().zip(&methods[1..]) {
                assert_eq!(other.report.not_converged, 0, "{method:?}: {}: {lower:?}", instance.name);
                for i in 0..instance.n() {
                    let [one, two] = [&coded[0], other].map(|coded| instance.dense(&coded.codes, i));
                    let [a, b] = [&one, &two].map(|code| code_error_bound(&instance, &lower, i, code));
                    let difference = testkit::max_abs_diff(&one, &two);
                    let bound = (a + b + 1e-13).min(1e-9);
                    assert!(difference <= bound, "{method:?}: {}: {lower:?}: {difference:e}", instance.name);
                    compared += 1;
                }
            }
        }
    }
    assert_eq!(compared, 15 * 12 * 4 * 2);
}

#[test]
fn dense_codes_of_many_features() {
    let instance = Instance::random("dense", 64, 256, 3, 95);
    let largest = instance.largest_regularization(Loss::Squared);
    for non_negative in [false, true] {
        let lower = LowerLevel { non_negative, ..lasso(1e-3 * largest) };
        let coded = instance.encode(lower, None, HOMOTOPY);
        assert_eq!(coded.report.not_converged, 0);
        for i in 0..instance.n() {
            let code = instance.dense(&coded.codes, i);
            let bound = rounding(&instance, lower.regularization, i, &code);
            assert!(instance.violation(&lower, i, &code) <= bound);
            assert!(coded.codes.row(i).support.len() > 30);
        }
    }
}

#[test]
fn too_few_steps_are_reported() {
    let instance = Instance::random("few steps", 12, 30, 5, 96);
    let lower = lasso(0.01 * instance.largest_regularization(Loss::Squared));
    let options = CoderOptions { max_iterations: 4, ..HOMOTOPY };
    let coded = instance.encode(lower, None, options);
    assert_eq!(coded.report.not_converged, 5);
    let worst = (0..5).map(|i| instance.violation(&lower, i, &instance.dense(&coded.codes, i)));
    testkit::assert_close(coded.report.violation, worst.fold(0.0, f64::max), 1e-10, 0.0);
    let path =
        regularization_path(&instance.problem(lower), instance.sample(0), options).expect("valid input");
    assert!(!path.complete && path.kinks.len() <= 4);
}

/// Near duplicates that rounds of Newton on a Gram matrix cannot tell apart: the active set leaves some, homotopy
/// solves them.
#[test]
fn what_the_active_set_leaves_homotopy_solves() {
    let mut rescued = BTreeMap::<String, usize>::new();
    for distance in [1e-8, 1e-9, 1e-10] {
        let instance = pairs(16, distance);
        for loss in [Loss::Squared, Loss::Huber { delta: 0.05 }] {
            for (share, non_negative) in [(1e-4, false), (1e-3, false), (1e-3, true)] {
                let regularization = share * instance.largest_regularization(loss);
                let lower = LowerLevel { non_negative, ..LowerLevel::new(loss, regularization) };
                let coded = instance.encode(lower, None, CoderOptions::default());
                assert_eq!(coded.report.not_converged, 0, "{distance:e}: {lower:?}");
                *rescued.entry(format!("{loss:?}")).or_default() += coded.report.rescued;
                for i in 0..instance.n() {
                    let code = instance.dense(&coded.codes, i);
                    let violation = instance.violation(&lower, i, &code);
                    assert!(violation <= 1.2e-10, "{distance:e}: {lower:?}: {violation:e}");
                }
            }
        }
    }
    println!("rescued: {rescued:?}");
    assert!(rescued.values().all(|&n| n > 0), "{rescued:?}");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(30),
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_small_problem_is_solved(
        d in 1_usize..12, k in 1_usize..20, n in 1_usize..4, seed in 0_u64..1000, share in 0.0..1.2_f64,
        ridge in 0_usize..3, weighting in 0_usize..3, non_negative: bool, rounded: bool,
    ) {
        let mut instance = Instance::random("any", d, k, n, seed);
        if rounded {
            // Many equal atoms, zeros and ties.
            let round = |v: &mut f64| *v = (2.0 * *v).round();
            instance.dictionary.iter_mut().for_each(round);
            instance.samples.iter_mut().for_each(round);
        }
        let lower = LowerLevel {
            l2_regularization: [0.0, 1e-6, 0.1][ridge],
            non_negative,
            ..lasso(share * share * instance.largest_regularization(Loss::Squared))
        };
        let weights = &weightings(k)[weighting];
        let problem = instance.problem(lower).with_weights(weights).expect("valid weights");
        let coded = encode(&problem, instance.samples(), None, HOMOTOPY).expect("valid input");
        for i in 0..n {
            let code = instance.dense(&coded.codes, i);
            let violation = instance.weighted_violation(&lower, lower.regularization, weights, i, &code);
            let bound = rounding(&instance, lower.regularization, i, &code);
            prop_assert!(violation <= bound, "sample {}: {:e} above {:e}", i, violation, bound);
        }
    }
}
