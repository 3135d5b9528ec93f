//! Solves that do not reach the tolerance: they return the best code they saw, and stop where rounds lead nowhere.

mod common;

use common::{Instance, coherent, lasso};
use dictlearn::active_set::{CoderOptions, Fallback, SampleOutcome, Workspace};
use dictlearn::loss::Loss;
use dictlearn::lower::LowerLevel;
use dictlearn::samples::Sample;

/// Atoms in pairs that differ by `distance` in every feature.
fn near_duplicates(distance: f64, seed: u64) -> Instance {
    twins(12, 24, distance, seed)
}

/// The same with `d` features and `k` atoms.
fn twins(d: usize, k: usize, distance: f64, seed: u64) -> Instance {
    let mut instance = Instance::random("near duplicates", d, k, 4, seed);
    for j in 0..k / 2 {
        let (copy, noise) = (instance.atom(j).to_vec(), testkit::normal_vector(d, seed + 300 + j as u64));
        let twin = instance.atom_mut(j + k / 2).iter_mut().zip(copy).zip(noise);
        twin.for_each(|((a, copy), e)| *a = copy + distance * e);
    }
    instance
}

/// Problems whose violation rises and falls on the way, or ends at its rounding.
fn problems() -> Vec<(Instance, LowerLevel)> {
    let mut problems = Vec::new();
    for loss in [Loss::Squared, Loss::Huber { delta: 0.01 }, Loss::Power { exponent: 2.1 }] {
        for instance in
            [near_duplicates(1e-5, 41), near_duplicates(1e-8, 42), coherent("cosine .99", 0.99, 43)]
        {
            let largest = instance.largest_regularization(loss);
            for share in [0.0, 1e-4, 1e-2] {
                let lower = LowerLevel { loss, ..lasso(share * largest) };
                problems.push((instance.clone(), lower));
                problems.push((instance.clone(), LowerLevel { non_negative: true, ..lower }));
            }
        }
    }
    problems
}

/// Sample `i` by the active set alone, to the end, from the code 0; its outcome and dense code.
fn solve(
    instance: &Instance,
    lower: LowerLevel,
    i: usize,
    options: CoderOptions,
) -> (SampleOutcome, Vec<f64>) {
    let sample = Sample { values: instance.sample(i).to_vec(), missing: Vec::new() };
    let (problem, mut workspace) = (instance.problem(lower), Workspace::default());
    let outcome = workspace.solve(&problem, &sample, std::iter::empty(), options, Fallback::None);
    let mut code = vec![0.0; instance.k];
    workspace.support().iter().for_each(|&j| code[j] = workspace.coefficient(j));
    (outcome, code)
}

#[test]
fn more_rounds_never_report_a_larger_violation() {
    let (mut open, mut kept) = (0, 0);
    for (instance, lower) in problems() {
        for i in 0..instance.n() {
            let mut before: Option<(f64, Vec<f64>)> = None;
            for max_iterations in 1..40 {
                let options = CoderOptions { max_iterations, ..CoderOptions::default() };
                let (outcome, code) = solve(&instance, lower, i, options);
                let measured = instance.violation(&lower, i, &code);
                testkit::assert_close(outcome.violation, measured, 1e-3, 2e-11);
                if outcome.converged {
                    break;
                }
                if let Some((violation, earlier)) = &before {
                    let (rounds, reached) = (max_iterations, outcome.violation);
                    assert!(
                        reached <= *violation,
                        "{lower:?}: {reached:e} after {rounds} rounds, {violation:e} before"
                    );
                    kept += usize::from(*earlier == code);
                }
                open += 1;
                before = Some((outcome.violation, code));
            }
        }
    }
    assert!(open > 2000 && kept > 500, "{open} open solves, {kept} of them with an earlier code");
}

/// Tolerances far below the rounding of the violation are out of reach, and any budget ends with the same bits.
#[test]
fn a_solve_at_its_rounding_stops_whatever_the_budget() {
    let mut stopped = 0;
    for (instance, lower) in problems() {
        if lower.regularization == 0.0 || matches!(lower.loss, Loss::Power { .. }) {
            continue;
        }
        let by = |i, max_iterations| {
            let options = CoderOptions { tolerance: 1e-14, max_iterations, ..CoderOptions::default() };
            solve(&instance, lower, i, options)
        };
        for i in 0..instance.n() {
            let (outcome, code) = by(i, 500);
            // Ten times the tolerance is where luck ends.
            if outcome.violation > 1e-13 {
                assert_eq!(by(i, 3000), (outcome, code), "{lower:?}");
                stopped += 1;
            }
        }
    }
    assert!(stopped > 20, "{stopped} solves stopped at their rounding");
}

/// Where a path is the shorter way, the active set gives up and homotopy finds what it would have found.
#[test]
fn slow_solves_are_left_to_homotopy() {
    let (loss, mut slow) = (Loss::Huber { delta: 0.01 }, 0);
    for seed in 0..5 {
        let instance = Instance::random("slow", 40, 80, 4, 60 + seed);
        let lower = LowerLevel { loss, ..lasso(1e-3 * instance.largest_regularization(loss)) };
        let options = CoderOptions::default();
        let (problem, mut workspace) = (instance.problem(lower), Workspace::default());
        let coded = instance.encode(lower, None, options);
        let mut left = 0;
        for i in 0..instance.n() {
            let sample = Sample { values: instance.sample(i).to_vec(), missing: Vec::new() };
            let none = std::iter::empty();
            let handed_over = workspace.solve(&problem, &sample, none, options, Fallback::Homotopy);
            let given_up = !handed_over.converged;
            let (outcome, code) = solve(&instance, lower, i, options);
            if given_up && outcome.converged {
                left += 1;
                assert!(testkit::max_abs_diff(&instance.dense(&coded.codes, i), &code) <= 1e-9);
            }
        }
        assert_eq!(coded.report.not_converged, 0, "seed {seed}");
        assert_eq!(coded.report.rescued, left, "seed {seed}");
        slow += left;
    }
    assert!(slow > 5, "{slow} slow solves");
}

/// Without kinks and bounds the outliers of Huber's loss are still to be found. Newton steps along nearly equal atoms find
/// them one by one, and homotopy all of them.
#[test]
fn smooth_problems_are_left_to_homotopy_as_well() {
    let (loss, mut rescued) = (Loss::Huber { delta: 3e-4 }, 0);
    for seed in 0..20 {
        for l2_regularization in [0.0, 1e-12] {
            let instance = twins(20, 12, 1e-5, 500 + seed);
            let lower = LowerLevel { loss, l2_regularization, ..lasso(0.0) };
            let report = instance.encode(lower, None, CoderOptions::default()).report;
            // Codes are as large as 1e5 here, and their roundings relative to delta.
            assert!(report.violation <= 1e-8, "seed {seed}, ridge {l2_regularization:e}: {report:?}");
            rescued += report.rescued;
        }
    }
    assert!(rescued > 2, "{rescued} codes by homotopy");
}

/// A ridge below the rounding of the atoms, with more atoms than features: what is quadratic takes few Newton steps.
#[test]
fn vanishing_ridges_leave_newton_steps_their_digits() {
    for (loss, cosine) in
        [(Loss::Squared, 0.9), (Loss::Power { exponent: 2.0 }, 0.9), (Loss::Power { exponent: 2.0 }, 0.997)]
    {
        let instance = coherent("wide", cosine, 700);
        for l2_regularization in [1e-15, 1e-14, 1e-13] {
            let lower = LowerLevel { loss, l2_regularization, ..lasso(0.0) };
            for i in 0..instance.n() {
                let options = CoderOptions { max_iterations: 5, ..CoderOptions::default() };
                let (outcome, code) = solve(&instance, lower, i, options);
                assert!(outcome.converged, "{lower:?}, cosine {cosine}: {outcome:?}");
                assert!(instance.violation(&lower, i, &code) <= options.tolerance);
            }
        }
    }
}
