//! Codes are solutions: optimality conditions, agreement with other methods, closed forms.
//!
//! Optimality is checked by `common::Instance::violation`, written from the definition alone.

mod common;

use common::{EXACT, Instance, LOSSES, code_error_bound, lasso, nonsense, slope, stress, value};
use dictlearn::active_set::CoderOptions;
use dictlearn::codes::{Code, Codes};
use dictlearn::loss::Loss;
use dictlearn::lower::LowerLevel;
use faer::linalg::solvers::Solve;
use faer::{Mat, MatRef, Side};
use solvers::proximal_gradient::ProximalGradient;
use solvers::smooth::Smooth;
use solvers::step_rule::StepRule;
use std::collections::BTreeMap;

/// The penalties of the grid: `(elastic_penalty, l2_regularization)`.
fn ridges() -> impl Iterator<Item = (f64, f64)> {
    let absolute = |gamma| [(gamma, 0.0), (gamma, 0.1)];
    [0.0, 1e-3, 0.1, 10.0].into_iter().flat_map(absolute)
}

const SHARES: [f64; 6] = [1e-3, 1e-2, 0.1, 0.3, 0.7, 1.0];

fn grid(instance: &Instance) -> Vec<LowerLevel> {
    let mut problems = Vec::new();
    for loss in LOSSES {
        let largest = instance.largest_regularization(loss);
        for (elastic_penalty, l2_regularization) in ridges() {
            problems.extend(SHARES.map(|share| LowerLevel {
                elastic_penalty,
                l2_regularization,
                ..LowerLevel::new(loss, share * largest)
            }));
        }
    }
    problems
}

#[derive(Default)]
struct Cell {
    samples: usize,
    not_converged: usize,
    worst: f64,
}

#[test]
fn codes_meet_the_optimality_conditions() {
    let mut table = BTreeMap::<String, Cell>::new();
    let options = CoderOptions::default();
    for instance in stress() {
        for lower in grid(&instance) {
            let coded = instance.encode(lower, None, options);
            let violations = (0..instance.n()).map(|i| {
                let code = instance.dense(&coded.codes, i);
                instance.violation(&lower, i, &code)
            });
            let worst = violations.fold(0.0, f64::max);
            // Both compute x - D c and D^T phi'(r), each with its own rounding.
            testkit::assert_close(worst, coded.report.violation, 1e-3, 2e-11);
            let cell = table
                .entry(format!(
                    "{:?}, elastic_penalty {}, l2_regularization {}",
                    lower.loss, lower.elastic_penalty, lower.l2_regularization
                ))
                .or_default();
            cell.samples += instance.n();
            cell.not_converged += coded.report.not_converged;
            cell.worst = cell.worst.max(worst);
            assert_eq!(coded.report.not_converged, 0, "{}: {lower:?}", instance.name);
            assert!(worst <= 1.2 * options.tolerance, "{}: {lower:?}: {worst:e}", instance.name);
        }
    }
    for (name, cell) in table {
        println!(
            "{name}: {} of {} not converged, worst violation {:.1e}",
            cell.not_converged, cell.samples, cell.worst
        );
    }
}

/// Atoms that single precision cannot tell apart, and shapes at the ends of the range. Here a solve may end without having
/// reached the tolerance, and says so.
#[test]
fn at_the_edges_codes_meet_the_conditions_or_say_how_far_they_are() {
    let mut twins = Instance::random("near duplicates 1e-8", 12, 24, 4, 26);
    for j in 0..12 {
        let (copy, noise) = (twins.atom(j).to_vec(), testkit::normal_vector(12, 300 + j as u64));
        twins.atom_mut(j + 12).copy_from_slice(&copy);
        twins.atom_mut(j + 12).iter_mut().zip(noise).for_each(|(a, e)| *a += 1e-8 * e);
    }
    let instances = [
        twins,
        Instance::random("784 features", 784, 60, 2, 27),
        Instance::random("4096 atoms", 24, 4096, 2, 28),
        Instance::random("4096 atoms, one feature", 1, 4096, 2, 29),
        Instance::random("5000 atoms", 16, 5000, 2, 30),
    ];
    let (mut all, mut open) = (0, 0);
    for instance in instances {
        for loss in [Loss::Squared, Loss::Huber { delta: 0.05 }, Loss::Power { exponent: 2.1 }] {
            let largest = instance.largest_regularization(loss);
            for (share, elastic_penalty) in [(1e-3, 0.0), (0.03, 0.0), (0.03, 1e-3), (0.03, 10.0), (0.3, 0.1)]
            {
                let lower = LowerLevel { elastic_penalty, ..LowerLevel::new(loss, share * largest) };
                let coded = instance.encode(lower, None, CoderOptions::default());
                let violation = |i: usize| instance.violation(&lower, i, &instance.dense(&coded.codes, i));
                let violations: Vec<f64> = (0..instance.n()).map(violation).collect();
                let worst = violations.iter().fold(0.0_f64, |m, v| m.max(*v));
                testkit::assert_close(worst, coded.report.violation, 1e-3, 2e-11);
                let failing = violations.iter().filter(|v| **v > 1.2e-10).count();
                assert!(failing <= coded.report.not_converged, "{}: {lower:?}: {worst:e}", instance.name);
                if coded.report.not_converged > 0 {
                    println!(
                        "{}: {lower:?}: {} not converged, {worst:.1e}",
                        instance.name, coded.report.not_converged
                    );
                }
                all += instance.n();
                open += coded.report.not_converged;
            }
        }
    }
    println!("{open} of {all} not converged");
    assert!(open * 50 <= all, "{open} of {all} not converged");
}

/// Where the tolerance is coarse, codes that different methods pass to each other differ by more than rounding.
#[test]
fn coarse_certificates_are_those_of_the_codes() {
    for seed in 0..40 {
        let instance = Instance::random("supports beyond the features", 8, 129, 47, 700 + seed);
        let regularization = 1.3e-3 * instance.largest_regularization(Loss::Squared);
        for tolerance in [1e-2, 1e-4] {
            for (non_negative, l2_regularization) in [(true, 1e-4), (false, 1e-4), (true, 0.0)] {
                let lower = LowerLevel { non_negative, l2_regularization, ..lasso(regularization) };
                let options = CoderOptions { tolerance, ..CoderOptions::default() };
                let coded = instance.encode(lower, None, options);
                let violation = |i: usize| instance.violation(&lower, i, &instance.dense(&coded.codes, i));
                let worst = (0..instance.n()).map(violation).fold(0.0, f64::max);
                testkit::assert_close(worst, coded.report.violation, 1e-3, 1e-10);
            }
        }
    }
}

#[test]
fn a_cut_short_solve_says_so_with_its_violation() {
    let instance = Instance::random("cut short", 20, 60, 6, 3);
    for loss in LOSSES {
        let lower =
            LowerLevel { loss, elastic_penalty: 0.1, ..lasso(0.01 * instance.largest_regularization(loss)) };
        let options = CoderOptions { max_iterations: 2, ..CoderOptions::default() };
        let coded = instance.encode(lower, None, options);
        let violations: Vec<f64> = (0..instance.n())
            .map(|i| instance.violation(&lower, i, &instance.dense(&coded.codes, i)))
            .collect();
        let worst = violations.iter().fold(0.0_f64, |m, &v| m.max(v));
        let above = violations.iter().filter(|&&v| v > options.tolerance);
        assert_eq!(coded.report.not_converged, above.count());
        assert!(coded.report.not_converged > 0);
        testkit::assert_close(coded.report.violation, worst, 1e-11, 0.0);
    }
}

/// The smooth part of one sample's problem.
struct SmoothPart<'a> {
    instance: &'a Instance,
    lower: LowerLevel,
    sample: usize,
}

impl Smooth for SmoothPart<'_> {
    fn value(&mut self, code: &[f64]) -> f64 {
        let residual = self.instance.residual(self.sample, code);
        let fit: f64 = residual.iter().map(|&r| value(self.lower.loss, r)).sum();
        let squares: f64 = code.iter().map(|c| c * c).sum();
        fit + self.lower.l2_regularization / 2.0 * squares
    }

    fn value_and_gradient(&mut self, code: &[f64], gradient: &mut [f64]) -> f64 {
        let residual = self.instance.residual(self.sample, code);
        let v = self.instance.correlations(self.lower.loss, &residual);
        for ((g, v), c) in gradient.iter_mut().zip(v).zip(code) {
            *g = self.lower.l2_regularization * c - v;
        }
        self.value(code)
    }
}

fn proximal_gradient(instance: &Instance, lower: LowerLevel, sample: usize) -> Vec<f64> {
    let squares: f64 = instance.dictionary.iter().map(|a| a * a).sum();
    // Where P(c) <= P(0), every |r_t|^p <= P(0), and that bounds phi''; twice as much for points between the iterates.
    let curvature = match lower.loss {
        Loss::Power { exponent: p } => {
            let at_zero = instance.objective(&lower, sample, &vec![0.0; instance.k]);
            2.0 * p * (p - 1.0) * at_zero.powf((p - 2.0) / p)
        }
        _ => 1.0,
    };
    let step = StepRule::Fixed(1.0 / (curvature * squares + lower.l2_regularization));
    let method = ProximalGradient {
        restart: true,
        step,
        max_iterations: 20_000,
        tolerance: 1e-12,
        ..ProximalGradient::default()
    };
    let penalty =
        prox::ElasticNet { regularization: lower.regularization, elastic_penalty: lower.elastic_penalty };
    let mut smooth = SmoothPart { instance, lower, sample };
    method.run(&vec![0.0; instance.k], &mut smooth, &penalty).x
}

/// Plain coordinate descent, each coordinate by bisection on the slope of `P` along it, until nothing moves.
fn coordinate_descent(instance: &Instance, lower: LowerLevel, sample: usize) -> Vec<f64> {
    let (lambda, loss) = (lower.regularization, lower.loss);
    let ridge = lambda * lower.elastic_penalty + lower.l2_regularization;
    let mut code = vec![0.0; instance.k];
    let mut residual = instance.sample(sample).to_vec();
    for _ in 0..5000 {
        let mut largest_move = 0.0_f64;
        for (j, coefficient) in code.iter_mut().enumerate() {
            let atom = instance.atom(j);
            let old = *coefficient;
            let pull = |c: f64| -> f64 {
                let pairs = atom.iter().zip(&residual);
                pairs.map(|(a, r)| a * slope(loss, r - a * (c - old))).sum::<f64>() - ridge * c
            };
            let at_zero = pull(0.0);
            let new = if at_zero.abs() <= lambda {
                0.0
            } else {
                let sign = at_zero.signum();
                let beyond = |size: f64| sign * pull(sign * size) <= lambda;
                let mut high = 1.0;
                while !beyond(high) {
                    high *= 2.0;
                }
                let mut low = 0.0;
                for _ in 0..60 {
                    let middle = 0.5 * (low + high);
                    *(if beyond(middle) { &mut high } else { &mut low }) = middle;
                }
                sign * 0.5 * (low + high)
            };
            for (r, a) in residual.iter_mut().zip(atom) {
                *r -= a * (new - old);
            }
            *coefficient = new;
            largest_move = largest_move.max((new - old).abs());
        }
        if largest_move <= 1e-15 {
            break;
        }
        residual = instance.residual(sample, &code);
    }
    code
}

#[test]
fn codes_agree_with_proximal_gradient_and_coordinate_descent() {
    let instance = Instance::random("agreement", 12, 18, 2, 5);
    let mut compared = 0;
    for loss in LOSSES {
        for (elastic_penalty, share) in [(1.0, 0.05), (0.5, 0.3), (0.0, 0.1)] {
            let lower =
                LowerLevel { loss, elastic_penalty, ..lasso(share * instance.largest_regularization(loss)) };
            let coded = instance.encode(lower, None, EXACT);
            for i in 0..instance.n() {
                let code = instance.dense(&coded.codes, i);
                let objective = instance.objective(&lower, i, &code);
                for (name, other) in [
                    ("proximal gradient", proximal_gradient(&instance, lower, i)),
                    ("coordinate descent", coordinate_descent(&instance, lower, i)),
                ] {
                    let theirs = instance.objective(&lower, i, &other);
                    assert!(
                        objective <= theirs * (1.0 + 1e-14),
                        "{name}, {lower:?}: {objective:e} above {theirs:e}"
                    );
                    let bound = code_error_bound(&instance, &lower, i, &code)
                        + code_error_bound(&instance, &lower, i, &other);
                    if bound > 1e-7 {
                        continue; // No ridge, or the other method is not there yet.
                    }
                    let difference = testkit::max_abs_diff(&code, &other);
                    assert!(
                        difference <= bound + 1e-13,
                        "{name}, {lower:?}: codes differ by {difference:e}, bound {bound:e}"
                    );
                    compared += 1;
                }
            }
        }
    }
    println!("{compared} of 48 pairs of codes with a ridge compared");
    assert!(compared >= 46, "{compared} of 48 pairs of codes compared");
}

#[test]
fn codes_vanish_exactly_above_the_largest_regularization() {
    let instance = Instance::random("zero codes", 9, 20, 8, 6);
    for loss in LOSSES {
        for (elastic_penalty, l2_regularization) in ridges() {
            let largest = instance.largest_regularization(loss);
            let nonzeros = |regularization| {
                let lower = LowerLevel {
                    elastic_penalty,
                    l2_regularization,
                    ..LowerLevel::new(loss, regularization)
                };
                let coded = instance.encode(lower, None, EXACT);
                assert_eq!(coded.report.not_converged, 0);
                coded.codes.nnz()
            };
            assert_eq!(nonzeros(largest * (1.0 + 1e-9)), 0);
            assert_eq!(nonzeros(largest * (1.0 - 1e-6)), 1);
        }
    }
}

/// `D` and `X` as matrices.
fn matrices(instance: &Instance) -> (Mat<f64>, Mat<f64>) {
    let d = Mat::from_fn(instance.d, instance.k, |t, j| instance.atom(j)[t]);
    (d, instance.samples().to_owned())
}

/// Codes on the first atoms, columns of `values`.
fn sparse_codes(k: usize, values: MatRef<'_, f64>) -> Codes {
    let mut codes = Codes::new(k);
    let support: Vec<u32> = (0..values.nrows() as u32).collect();
    for i in 0..values.ncols() {
        let values: Vec<f64> = values.col(i).iter().copied().collect();
        codes.push(Code { support: &support, values: &values });
    }
    codes
}

#[test]
fn without_regularization_codes_are_ridge_or_minimum_norm_solutions() {
    let mut repeated = Instance::random("repeated atoms", 8, 6, 5, 9);
    let copy = repeated.atom(0).to_vec();
    repeated.atom_mut(5).copy_from_slice(&copy);
    for (instance, rank) in [
        (Instance::random("fewer atoms", 12, 5, 5, 7), 5),
        (Instance::random("more atoms", 7, 15, 5, 8), 7),
        (repeated, 5),
    ] {
        let (d, x) = matrices(&instance);
        let (d, x) = (d.as_ref(), x.as_ref());
        let l2_regularization = 0.1;
        let ridge = Mat::<f64>::identity(instance.k, instance.k) * faer::Scale(l2_regularization);
        let regular = d.transpose() * d + ridge;
        let closed = regular.llt(Side::Lower).expect("positive definite").solve(d.transpose() * x);
        let lower = LowerLevel { l2_regularization, ..lasso(0.0) };
        let coded = instance.encode(lower, None, EXACT);
        assert_eq!(coded.report.not_converged, 0, "{}", instance.name);
        let difference = (coded.codes.to_dense_columns() - closed).norm_max();
        assert!(difference <= 1e-13, "{}: {difference:e}", instance.name);

        let minimum_norm = d.thin_svd().expect("converges").pseudoinverse() * x;
        let random = nonsense(&instance, 3);
        // The first atoms alone fit as well, with a larger norm.
        let first = d.subcols(0, rank);
        let fit = first.thin_svd().expect("converges").pseudoinverse() * x;
        let sparse = sparse_codes(instance.k, fit.as_ref());
        for start in [None, Some(&random), Some(&sparse)] {
            let coded = instance.encode(lasso(0.0), start, EXACT);
            assert_eq!(coded.report.not_converged, 0, "{}", instance.name);
            let difference = (coded.codes.to_dense_columns() - &minimum_norm).norm_max();
            assert!(difference <= 1e-12, "{}: {difference:e}", instance.name);
        }
    }
}

#[test]
fn without_regularization_other_losses_are_minimised() {
    let instance = Instance::random("smooth", 14, 6, 5, 10);
    for loss in LOSSES {
        for l2_regularization in [0.0, 0.1] {
            let lower = LowerLevel { loss, l2_regularization, ..lasso(0.0) };
            let coded = instance.encode(lower, None, CoderOptions::default());
            assert_eq!(coded.report.not_converged, 0, "{lower:?}");
            for i in 0..instance.n() {
                let code = instance.dense(&coded.codes, i);
                assert!(instance.violation(&lower, i, &code) <= 1.1e-10, "{lower:?}");
            }
        }
    }
}

#[test]
fn exact_conditions_for_the_lasso_and_the_elastic_net() {
    let instance = Instance::random("digits", 64, 25, 30, 55);
    for elastic_penalty in [0.0, 2.0] {
        let lower =
            LowerLevel { elastic_penalty, ..lasso(0.1 * instance.largest_regularization(Loss::Squared)) };
        let options = CoderOptions { tolerance: 1e-12, ..CoderOptions::default() };
        let coded = instance.encode(lower, None, options);
        for i in 0..instance.n() {
            let code = instance.dense(&coded.codes, i);
            assert!(instance.violation(&lower, i, &code) * lower.regularization <= 1e-12);
        }
    }
}

#[test]
fn twelve_atoms_in_eight_dimensions_explain_almost_all() {
    let instance = Instance {
        samples: testkit::normal_matrix(8, 10, 57),
        ..Instance::random("overcomplete", 8, 12, 0, 56)
    };
    let coded = instance.encode(lasso(0.001), None, CoderOptions::default());
    let squares: f64 =
        (0..10).flat_map(|i| instance.residual(i, &instance.dense(&coded.codes, i))).map(|r| r * r).sum();
    assert!(coded.codes.nnz() > 0 && squares.sqrt() < 0.1, "error {}", squares.sqrt());
}
