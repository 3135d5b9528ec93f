//! The other problems: codes within an l1 ball, codes within an error, greedy codes, thresholded correlations; and what
//! the methods refuse.

mod common;

use common::{Instance, lasso, on_threads, rounding, stress};
use dictlearn::active_set::CoderOptions;
use dictlearn::coder::{Coded, encode};
use dictlearn::codes::Codes;
use dictlearn::dictionary::Constraint;
use dictlearn::learner::{DescentOptions, Learner, Optimizer, Project};
use dictlearn::loss::Loss;
use dictlearn::lower::LowerLevel;
use dictlearn::method::Method;
use dictlearn::objective::{Objective, TrainingData};
use dictlearn::samples::Samples;
use faer::MatRef;
use proptest::prelude::*;
use std::ops::ControlFlow;

fn options(method: Method) -> CoderOptions {
    CoderOptions { method, tolerance: 1e-10, max_iterations: 2000 }
}

/// Every sample coded alone by a method of its own.
fn one_by_one(
    instance: &Instance,
    lower: LowerLevel,
    weights: &[f64],
    method: impl Fn(usize) -> Method,
) -> Vec<Coded> {
    let problem = instance.problem(lower).with_weights(weights).expect("valid weights");
    let alone = |i: usize| MatRef::from_column_major_slice(instance.sample(i), instance.d, 1);
    let code = |i| encode(&problem, alone(i), None, options(method(i))).expect("valid input");
    (0..instance.n()).map(code).collect()
}

fn weighted_norm(weights: &[f64], code: &[f64]) -> f64 {
    weights.iter().zip(code).map(|(w, c)| w * c.abs()).sum()
}

fn square(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum()
}

fn mixed_weights(k: usize) -> Vec<f64> {
    (0..k).map(|j| [0.5, 1.0, 2.0][j % 3]).collect()
}

/// The multiplier that explains a code: `g_j / w_j` at its largest coefficient.
fn multiplier(instance: &Instance, ridge: f64, weights: &[f64], i: usize, code: &[f64]) -> f64 {
    let v = instance.correlations(Loss::Squared, &instance.residual(i, code));
    let largest = (0..code.len()).max_by(|&a, &b| code[a].abs().total_cmp(&code[b].abs())).expect("atoms");
    (v[largest] - ridge * code[largest]).abs() / weights[largest]
}

#[test]
fn a_ball_as_large_as_a_solution_gives_that_solution() {
    for instance in [Instance::random("ball", 12, 30, 6, 110), Instance::random("few", 20, 8, 6, 111)] {
        let mut free = mixed_weights(instance.k);
        free[1] = 0.0;
        free[instance.k - 1] = 0.0;
        for weights in [vec![1.0; instance.k], mixed_weights(instance.k), free] {
            for (share, l2_regularization) in [(0.02, 0.0), (0.02, 0.1), (0.3, 0.0), (0.3, 0.1)] {
                for non_negative in [false, true] {
                    let largest = instance.largest_regularization(Loss::Squared);
                    let lower = LowerLevel { l2_regularization, non_negative, ..lasso(share * largest) };
                    let penalized = one_by_one(&instance, lower, &weights, |_| Method::ActiveSet);
                    let dense = |coded: &Coded| instance.dense(&coded.codes, 0);
                    let radius = |i: usize| weighted_norm(&weights, &dense(&penalized[i]));
                    let ball = |i| Method::L1Ball { radius: radius(i) };
                    let inside = one_by_one(&instance, lower, &weights, ball);
                    for (i, (one, other)) in penalized.iter().zip(&inside).enumerate() {
                        assert_eq!(other.report.not_converged, 0);
                        let difference = testkit::max_abs_diff(&dense(one), &dense(other));
                        assert!(difference <= 1e-9, "radius {}: {difference:e}", radius(i));
                    }
                    if l2_regularization > 0.0 {
                        continue;
                    }
                    let error = |i: usize| square(&instance.residual(i, &dense(&penalized[i])));
                    let within = |i| Method::Error { error: error(i) };
                    let within = one_by_one(&instance, lower, &weights, within);
                    for (i, (one, other)) in penalized.iter().zip(&within).enumerate() {
                        assert_eq!(other.report.not_converged, 0);
                        let difference = testkit::max_abs_diff(&dense(one), &dense(other));
                        assert!(difference <= 1e-9, "error {}: {difference:e}", error(i));
                    }
                }
            }
        }
    }
}

#[test]
fn codes_in_a_ball_meet_their_conditions() {
    let mut bound_by_the_ball = 0;
    for instance in stress() {
        let weights = mixed_weights(instance.k);
        for radius in [0.0, 1e-3, 0.1, 0.5, 1.0, 3.0, 1e3] {
            for l2_regularization in [0.0, 0.1] {
                let lower = LowerLevel { l2_regularization, ..lasso(0.0) };
                let coded = one_by_one(&instance, lower, &weights, |_| Method::L1Ball { radius });
                for (i, coded) in coded.iter().enumerate() {
                    let place = || format!("{}, radius {radius}, {coded:?}", instance.name);
                    let code = instance.dense(&coded.codes, 0);
                    let norm = weighted_norm(&weights, &code);
                    assert!(norm <= radius * (1.0 + 1e-12), "{}", place());
                    if radius == 0.0 || square(instance.sample(i)) == 0.0 {
                        assert!(coded.codes.nnz() == 0 && coded.report.not_converged == 0);
                        continue;
                    }
                    let binds = norm >= radius * (1.0 - 1e-12);
                    bound_by_the_ball += usize::from(binds);
                    let lambda = if binds {
                        multiplier(&instance, l2_regularization, &weights, i, &code)
                    } else {
                        0.0
                    };
                    let violation = instance.weighted_violation(&lower, lambda, &weights, i, &code);
                    let bound = 2.0 * rounding(&instance, lambda, i, &code);
                    assert!(violation <= bound, "{}: {violation:e}", place());
                    assert!(coded.report.not_converged == 0 || bound > 1e-10, "{}", place());
                }
            }
        }
    }
    assert!(bound_by_the_ball > 400, "{bound_by_the_ball}");
}

#[test]
fn codes_within_an_error_meet_their_conditions() {
    let (mut bound_by_the_error, mut out_of_reach) = (0, 0);
    for instance in stress() {
        let weights = mixed_weights(instance.k);
        for share in [1e-4, 0.01, 0.1, 0.5, 0.9, 1.5] {
            let error = |i: usize| share * square(instance.sample(i));
            let coded = one_by_one(&instance, lasso(0.0), &weights, |i| Method::Error { error: error(i) });
            let best = one_by_one(&instance, lasso(0.0), &weights, |_| Method::ActiveSet);
            for (i, coded) in coded.iter().enumerate() {
                let place = || format!("{}, share {share}, {coded:?}", instance.name);
                let code = instance.dense(&coded.codes, 0);
                let reached = square(&instance.residual(i, &code));
                let least = square(&instance.residual(i, &instance.dense(&best[i].codes, 0)));
                if share >= 1.0 || error(i) == 0.0 {
                    assert!(coded.codes.nnz() == 0 && coded.report.not_converged == 0, "{}", place());
                } else if least > error(i) {
                    // The closest code, and how far off it is.
                    assert_eq!(coded.report.not_converged, 1, "{}", place());
                    testkit::assert_close(reached, least, 1e-9, 0.0);
                    let miss = (reached.sqrt() - error(i).sqrt()) / square(instance.sample(i)).sqrt();
                    testkit::assert_close(coded.report.violation, miss, 1e-9, 0.0);
                    out_of_reach += 1;
                } else {
                    testkit::assert_close(reached, error(i), 1e-9, 0.0);
                    let lambda = multiplier(&instance, 0.0, &weights, i, &code);
                    let violation = instance.weighted_violation(&lasso(0.0), lambda, &weights, i, &code);
                    let bound = 2.0 * rounding(&instance, lambda, i, &code);
                    assert!(violation <= bound, "{}: {violation:e}", place());
                    assert!(coded.report.not_converged == 0 || bound > 1e-10, "{}", place());
                    bound_by_the_error += 1;
                }
            }
        }
    }
    assert!(bound_by_the_error > 200 && out_of_reach > 20, "{bound_by_the_error}, {out_of_reach}");
}

#[test]
fn thresholds_follow_their_formula_and_solve_the_lasso_for_orthonormal_atoms() {
    let instance = Instance::random("threshold", 9, 20, 5, 127);
    let weights = mixed_weights(20);
    let lower = LowerLevel { l2_regularization: 0.25, ..lasso(0.3) };
    for non_negative in [false, true] {
        let lower = LowerLevel { non_negative, ..lower };
        let coded = one_by_one(&instance, lower, &weights, |_| Method::Threshold);
        for (i, coded) in coded.iter().enumerate() {
            let v = instance.correlations(Loss::Squared, instance.sample(i));
            let soft = |j: usize| {
                let size = if non_negative { v[j] } else { v[j].abs() };
                v[j].signum() * (size - 0.3 * weights[j]).max(0.0) / 1.25
            };
            let expected: Vec<f64> = (0..20).map(soft).collect();
            testkit::assert_slices_close(&instance.dense(&coded.codes, 0), &expected, 1e-14, 1e-15);
        }
    }
    let mut orthonormal = Instance::random("orthonormal", 9, 9, 5, 128);
    let basis = faer::Mat::from_fn(9, 9, |t, j| orthonormal.atom(j)[t]).qr().compute_Q();
    (0..9).for_each(|j| (0..9).for_each(|t| orthonormal.dictionary[j * 9 + t] = basis[(t, j)]));
    for non_negative in [false, true] {
        let lower = LowerLevel { non_negative, elastic_penalty: 0.5, ..lasso(0.2) };
        let threshold = orthonormal.encode(lower, None, options(Method::Threshold));
        let solution = orthonormal.encode(lower, None, options(Method::ActiveSet));
        let difference = threshold.codes.to_dense_columns() - solution.codes.to_dense_columns();
        assert!(threshold.codes.nnz() > 5 && difference.norm_max() <= 1e-13);
    }
}

#[test]
fn coordinate_descent_solves_every_loss() {
    let instance = Instance::random("coordinates", 10, 18, 3, 129);
    let options = CoderOptions { max_iterations: 20_000, ..options(Method::CoordinateDescent) };
    for loss in common::LOSSES {
        for non_negative in [false, true] {
            let largest = instance.largest_regularization(loss);
            let lower = LowerLevel { loss, elastic_penalty: 0.5, non_negative, ..lasso(0.1 * largest) };
            let coded = instance.encode(lower, None, options);
            assert_eq!(coded.report.not_converged, 0, "{lower:?}");
            for i in 0..instance.n() {
                let code = instance.dense(&coded.codes, i);
                assert!(instance.violation(&lower, i, &code) <= 1.1e-10, "{lower:?}");
                assert!(code.iter().any(|c| *c != 0.0));
            }
            // From the solution there is nothing left to do.
            let again = CoderOptions { max_iterations: 1, ..options };
            assert_eq!(instance.encode(lower, Some(&coded.codes), again).codes, coded.codes);
        }
    }
}

const METHODS: [Method; 6] = [
    Method::Homotopy,
    Method::CoordinateDescent,
    Method::Omp { n_nonzero: Some(4), error: None },
    Method::Threshold,
    Method::L1Ball { radius: 0.7 },
    Method::Error { error: 0.2 },
];

#[test]
fn the_number_of_threads_does_not_matter() {
    let instance = Instance::random("threads", 10, 25, 75, 97);
    let lower = lasso(0.1 * instance.largest_regularization(Loss::Squared));
    for method in METHODS {
        let encode = || instance.encode(lower, None, options(method));
        let one = on_threads(1, encode);
        assert!(one.codes.nnz() > 0 && one.report.not_converged == 0, "{method:?}");
        for threads in [2, 3, 8] {
            assert_eq!(on_threads(threads, encode), one, "{method:?}");
        }
    }
}

#[test]
fn missing_features_are_left_out() {
    let instance = Instance::random("missing", 12, 20, 6, 130);
    let mut holed = instance.clone();
    let missing = |i: usize, t: usize| (t * 7 + i * 5).is_multiple_of(4);
    for i in 0..instance.n() {
        (0..12).filter(|&t| missing(i, t)).for_each(|t| holed.samples[i * 12 + t] = f64::NAN);
    }
    let lower = lasso(0.1);
    for method in METHODS {
        let samples = Samples::from(holed.samples()).with_missing();
        let coded = encode(&instance.problem(lower), samples, None, options(method)).expect("valid input");
        for i in 0..instance.n() {
            let seen = |vector: &[f64]| -> Vec<f64> {
                (0..12).filter(|&t| !missing(i, t)).map(|t| vector[t]).collect()
            };
            let dictionary: Vec<f64> = (0..20).flat_map(|j| seen(instance.atom(j))).collect();
            let samples = seen(instance.sample(i));
            let smaller = Instance { d: samples.len(), dictionary, samples, ..instance.clone() };
            let alone = smaller.encode(lower, None, options(method));
            assert_eq!(coded.codes.row(i), alone.codes.row(0), "{method:?}");
        }
    }
}

#[test]
fn a_sample_without_features_has_the_code_zero() {
    let instance = Instance::random("nothing observed", 5, 8, 1, 133);
    let holed = Instance { samples: vec![f64::NAN; 5], ..instance.clone() };
    for method in METHODS {
        let samples = Samples::from(holed.samples()).with_missing();
        let coded =
            encode(&instance.problem(lasso(0.1)), samples, None, options(method)).expect("valid input");
        assert_eq!((coded.codes.nnz(), coded.report.not_converged), (0, 0), "{method:?}");
    }
}

#[test]
fn a_dictionary_that_is_not_finite_is_reported() {
    let mut instance = Instance::random("not finite", 6, 9, 3, 134);
    instance.atom_mut(4)[2] = f64::NAN;
    for method in METHODS {
        let coded = instance.encode(lasso(0.1), None, options(method));
        assert_eq!(coded.report.not_converged, 3, "{method:?}");
        assert!(coded.report.violation.is_nan(), "{method:?}");
    }
}

#[test]
fn beyond_the_range_of_squares_a_code_is_right_or_reported() {
    let instance = Instance::random("range", 10, 25, 6, 135);
    for factor in [1e-300, 1e-200, 1e-100, 1e100, 1e200, 1e300] {
        let samples = instance.samples.iter().map(|x| factor * x).collect();
        let other = Instance { samples, ..instance.clone() };
        let lower = lasso(0.1 * other.largest_regularization(Loss::Squared));
        for method in [Method::Homotopy, Method::CoordinateDescent] {
            let coded = other.encode(lower, None, options(method));
            let fails = |&i: &usize| {
                let violation = other.violation(&lower, i, &other.dense(&coded.codes, i));
                violation.is_nan() || violation > 1.1e-10
            };
            let failing = (0..other.n()).filter(fails).count();
            assert_eq!(coded.report.not_converged, failing, "{method:?}, factor {factor:e}");
            assert!(failing == 0 || !(1e-150..1e150).contains(&factor), "{method:?}, factor {factor:e}");
        }
        // The pursuit chooses atoms by correlations alone, whatever the scale.
        let pursuit = omp_codes(&other);
        assert_eq!(pursuit.indices(), omp_codes(&instance).indices());
    }
}

fn omp_codes(instance: &Instance) -> Codes {
    let coded = instance.encode(lasso(0.0), None, options(METHODS[2]));
    assert_eq!(coded.report.not_converged, 0);
    coded.codes
}

fn refusal(lower: LowerLevel, weights: &[f64], method: Method) -> Option<String> {
    let instance = Instance::random("refused", 4, 3, 2, 131);
    let problem = instance.problem(lower).with_weights(weights).expect("valid weights");
    encode(&problem, instance.samples(), None, options(method)).err().map(|error| error.to_string())
}

#[test]
fn what_a_method_does_not_solve_is_refused() {
    let (ones, lower) = ([1.0; 3], lasso(0.1));
    let omp = |n_nonzero, error| Method::Omp { n_nonzero, error };
    let huber = LowerLevel { loss: Loss::Huber { delta: 0.1 }, ..lower };
    let non_negative = LowerLevel { non_negative: true, ..lower };
    let ridge = LowerLevel { elastic_penalty: 0.1, ..lower };
    for (lower, weights, method, text) in [
        (
            huber,
            ones,
            Method::Homotopy,
            "method = homotopy: accepted is active_set or coordinate_descent for",
        ),
        (
            huber,
            ones,
            Method::Threshold,
            "method = threshold: accepted is active_set or coordinate_descent for",
        ),
        (lower, ones, omp(None, None), "method = omp: accepted is omp with n_nonzero, error or both"),
        (lower, ones, omp(Some(0), None), "n_nonzero = 0: accepted is a number of at least 1"),
        (lower, ones, omp(None, Some(-1.0)), "error = -1: accepted is a finite number that is not negative"),
        (lower, ones, Method::L1Ball { radius: f64::NAN }, "radius = NaN: accepted is a finite number"),
        (lower, ones, Method::Error { error: f64::INFINITY }, "error = inf: accepted is a finite number"),
        (non_negative, ones, omp(Some(1), None), "non_negative = true: accepted is false with omp"),
        (lower, [1.0, 2.0, 1.0], omp(Some(1), None), "method = omp: accepted is a method with an l1 norm"),
        (ridge, ones, Method::Error { error: 0.1 }, "accepted is none with the method error"),
    ] {
        let found = refusal(lower, &weights, method).expect("refused");
        assert!(found.contains(text), "{found}");
    }
    for method in METHODS {
        assert_eq!(refusal(lower, &ones, method), None);
    }
    assert_eq!(refusal(huber, &ones, Method::CoordinateDescent), None);
}

#[test]
fn dictionaries_are_learned_through_minimisers_alone() {
    let instance = Instance::random("learned", 6, 8, 20, 132);
    let data = TrainingData { samples: instance.samples().into(), labels: None, weights: None };
    let start = MatRef::from_column_major_slice(&instance.dictionary, 6, 8);
    let optimizer = Optimizer::ProximalGradient {
        acceleration: true,
        restart: true,
        initial_step: 1.0,
        max_halvings: 30,
    };
    let descent = DescentOptions {
        optimizer,
        max_iterations: 20,
        tolerance: 0.0,
        batch_size: None,
        project: Project::EachStep,
    };
    let learn = |method| {
        let coder = CoderOptions { max_iterations: 100_000, ..options(method) };
        let lower = LowerLevel { elastic_penalty: 0.5, ..lasso(0.1) };
        let learner = Learner { lower, weights: None, coder, constraint: Constraint::UnitSphere };
        learner.learn(data, start, Objective::Full, &descent, 0, &mut |_| ControlFlow::Continue(()))
    };
    let reference = learn(Method::ActiveSet).expect("valid input").dictionary;
    for method in METHODS {
        match learn(method) {
            Ok(learned) => {
                assert!(method.minimizes_the_lower_level());
                assert!((learned.dictionary - &reference).norm_max() <= 1e-6, "{method:?}");
            }
            Err(error) => {
                assert!(!method.minimizes_the_lower_level());
                let text = error.to_string();
                assert!(text.contains(method.name()) && text.contains("then encode with another"), "{text}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 128,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(40),
        ..ProptestConfig::default()
    })]

    #[test]
    fn larger_balls_and_larger_errors_cost_less(
        d in 1_usize..12, k in 1_usize..20, seed in 0_u64..1000, radius in 1e-3..2.0_f64, share in 1e-3..0.9_f64,
        non_negative: bool,
    ) {
        let instance = Instance::random("any", d, k, 1, seed);
        let lower = LowerLevel { non_negative, ..lasso(0.0) };
        let ball = |radius| instance.dense(&instance.encode(lower, None, options(Method::L1Ball { radius })).codes, 0);
        let fit = |code: &[f64]| square(&instance.residual(0, code));
        let (small, large) = (ball(radius), ball(1.5 * radius));
        prop_assert!(fit(&large) <= fit(&small) * (1.0 + 1e-12));
        prop_assert!(weighted_norm(&vec![1.0; k], &small) <= radius * (1.0 + 1e-12));
        prop_assert!(!non_negative || small.iter().all(|c| *c >= 0.0));

        let error = share * square(instance.sample(0));
        let within = |error| instance.encode(lower, None, options(Method::Error { error }));
        let (tight, loose) = (within(error), within(1.5 * error));
        let size = |coded: &Coded| coded.codes.values().iter().map(|c| c.abs()).sum::<f64>();
        prop_assert!(size(&loose) <= size(&tight) * (1.0 + 1e-12));
        if tight.report.not_converged == 0 {
            prop_assert!(fit(&instance.dense(&tight.codes, 0)) <= error * (1.0 + 1e-9));
            // The shortest code: one of that size in the ball fits as well.
            prop_assert!((fit(&ball(size(&tight))) - error).abs() <= 1e-9 * error);
        }
    }
}

/// Where a constraint hardly binds, its multiplier is a rounding, and codes that meet it are solutions.
#[test]
fn constraints_that_hardly_bind_are_converged() {
    let d = 8;
    let mut dictionary = vec![0.0; d * 17];
    for j in 0..d {
        dictionary[j * d + j] = 1.0;
        (0..d).filter(|&t| t != j).for_each(|t| dictionary[(d + j) * d + t] = 1.0);
        dictionary[16 * d + j] = 1.0;
    }
    let samples = vec![0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0];
    let instance = Instance { name: "zeros and ones", d, k: 17, dictionary, samples };
    let by = |instance: &Instance, method| {
        instance.encode(lasso(0.0), None, CoderOptions { method, ..CoderOptions::default() })
    };
    assert_eq!(by(&instance, Method::L1Ball { radius: 2.0 }).report.not_converged, 0);
    let random = Instance::random("tight", 12, 30, 20, 77);
    for error in [0.0, 1e-20, 1e-12, 1e-6] {
        let coded = by(&random, Method::Error { error });
        assert_eq!(coded.report.not_converged, 0, "error {error:e}: {:?}", coded.report);
        let coded = by(&random, Method::Omp { n_nonzero: None, error: Some(error) });
        assert_eq!(coded.report.not_converged, 0, "omp, error {error:e}: {:?}", coded.report);
    }
}
