//! Derivatives of solutions against finite differences of exact solutions, and the cases without a derivative.

mod common;

use common::{Ball, ElasticNet, LeastSquares, derivative, distance, dot, noise, norm};
use linalg::conjugate_gradient::CgOptions;
use proptest::prelude::*;
use prox::Prox;
use solvers::implicit::{Adjoint, FixedPoint, LinearSolve, Status, adjoint, fixed_point_adjoint};
use solvers::proximal_gradient::ProximalGradient;
use solvers::step_rule::StepRule;

const CG: CgOptions = CgOptions { tolerance: 1e-12, max_iterations: 1000 };
const SOLVES: [LinearSolve; 3] =
    [LinearSolve::Cholesky, LinearSolve::ConjugateGradient(CG), LinearSolve::NormalConjugateGradient(CG)];

fn adjoint_of(
    problem: &LeastSquares,
    penalty: ElasticNet,
    x: &[f64],
    cotangent: &[f64],
    solve: LinearSolve,
) -> Adjoint {
    let gradient = problem.gradient(x);
    let step = 1.0 / problem.lipschitz();
    let point = FixedPoint { solution: x, gradient: &gradient, step, cotangent };
    adjoint(&point, &mut problem.hessian(), &penalty, solve)
}

/// `dL/dlam`, `dL/dgam`, `dL/db` and `dL/dA` (row-major) from the adjoint, as the module documents them.
fn gradients(
    problem: &LeastSquares,
    penalty: ElasticNet,
    x: &[f64],
    beta: &[f64],
) -> (f64, f64, Vec<f64>, Vec<f64>) {
    let pull: Vec<f64> =
        x.iter().map(|x| if *x == 0.0 { 0.0 } else { x.signum() } + penalty.gam * x).collect();
    let (residual, fit) = (problem.residual(x), problem.fit(beta));
    let rows = residual.iter().zip(&fit);
    let design = rows.flat_map(|(r, p)| beta.iter().zip(x).map(move |(b, x)| r * b - p * x)).collect();
    (-dot(beta, &pull), -penalty.lam * dot(beta, x), fit.clone(), design)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(3),
        ..ProptestConfig::default()
    })]

    /// The condition of the fixed-point system is at most `L / mu < 48 / .05`: residuals of 1e-12 leave 1e-9.
    #[test]
    fn the_three_solves_agree(
        design in prop::collection::vec(-1.0_f64..1.0, 48),
        observations in prop::collection::vec(-2.0_f64..2.0, 8),
        cotangent in prop::collection::vec(-1.0_f64..1.0, 6),
        lam in 0.1_f64..1.0,
        gam in 0.5_f64..2.0,
    ) {
        let penalty = ElasticNet { lam, gam };
        let problem = LeastSquares { design, observations, n: 6 };
        let x = problem.coordinate_descent(penalty);
        let found = SOLVES.map(|solve| adjoint_of(&problem, penalty, &x, &cotangent, solve));
        for other in &found {
            prop_assert_eq!(other.status, Status::Solved);
            prop_assert!(distance(&other.beta, &found[0].beta) <= 1e-9, "{:?}", found);
        }
        prop_assert!(x.iter().zip(&found[0].beta).all(|(x, b)| *x != 0.0 || *b == 0.0));
    }
}

/// Differences of order 4 with `h = 1e-4`: `h^4 = 1e-16` in the formula, `1e-15 / 1e-4 = 1e-11` from rounding, times
/// constants of some hundreds. Each problem is checked to keep its support over the differences.
#[test]
fn lasso_and_elastic_net_against_finite_differences() {
    for (seed, gam) in [(1, 0.0), (2, 0.0), (3, 0.5), (4, 2.0)] {
        let penalty = ElasticNet { lam: 0.7, gam };
        let problem = LeastSquares::random(seed, 15, 8);
        let cotangent = noise(seed + 50, 8);
        let x = problem.coordinate_descent(penalty);
        let zeros = x.iter().filter(|x| **x == 0.0).count();
        assert!(zeros > 0 && zeros < 7, "seed {seed}: {zeros} zeros");
        let loss = |problem: &LeastSquares, penalty| {
            let moved = problem.coordinate_descent(penalty);
            assert!(moved.iter().zip(&x).all(|(a, b)| (*a == 0.0) == (*b == 0.0)), "seed {seed}: support");
            dot(&moved, &cotangent)
        };
        let beta = adjoint_of(&problem, penalty, &x, &cotangent, LinearSolve::default()).beta;
        let (d_lam, d_gam, d_observations, d_design) = gradients(&problem, penalty, &x, &beta);
        let close =
            |found: f64, expected: f64| assert!((found - expected).abs() <= 1e-8, "{found} {expected}");
        close(d_lam, derivative(|lam| loss(&problem, ElasticNet { lam, ..penalty }), penalty.lam, 1e-4));
        if gam > 0.0 {
            close(d_gam, derivative(|gam| loss(&problem, ElasticNet { gam, ..penalty }), gam, 1e-4));
        }
        for (i, found) in d_observations.iter().enumerate() {
            let f = |b: f64| {
                let mut moved = problem.clone();
                moved.observations[i] = b;
                loss(&moved, penalty)
            };
            close(*found, derivative(f, problem.observations[i], 1e-4));
        }
        for k in (0..120).step_by(7) {
            let f = |a: f64| {
                let mut p = problem.clone();
                p.design[k] = a;
                loss(&p, penalty)
            };
            close(d_design[k], derivative(f, problem.design[k], 1e-4));
        }
    }
}

/// Ridge: `x = (A'A + mu I)^-1 A'b` for all `b`, so the Jacobian in `b` is a matrix known by n solves.
#[test]
fn ridge_jacobian_in_the_observations() {
    struct Ridge(f64);
    impl Prox for Ridge {
        fn value(&self, x: &[f64]) -> f64 {
            0.5 * self.0 * dot(x, x)
        }
        fn prox(&self, x: &mut [f64], step: f64) {
            x.iter_mut().for_each(|x| *x /= 1.0 + step * self.0);
        }
        fn jacobian_product(&self, _: &[f64], step: f64, direction: &mut [f64]) {
            self.prox(direction, step);
        }
    }
    let (ridge, n, m) = (Ridge(0.7), 4, 6);
    let mut problem = LeastSquares::random(9, m, n);
    let solver = ProximalGradient {
        step: StepRule::Fixed(1.0 / problem.lipschitz()),
        tolerance: 1e-14,
        max_iterations: 10_000,
        ..Default::default()
    };
    let x = solver.run(&[0.0; 4], &mut problem, &ridge).x;
    let gradient = problem.gradient(&x);
    // Row j of the Jacobian from the adjoint of the unit cotangent e_j.
    let jacobian: Vec<Vec<f64>> = (0..n)
        .map(|j| {
            let mut cotangent = vec![0.0; n];
            cotangent[j] = 1.0;
            let point = FixedPoint { solution: &x, gradient: &gradient, step: 0.3, cotangent: &cotangent };
            let found = fixed_point_adjoint(&point, &mut problem.hessian(), &ridge, CG);
            assert_eq!(found.status, Status::Solved);
            problem.fit(&found.beta)
        })
        .collect();
    // Linear in b: it gives back the solution itself, and that of other observations.
    for seed in [0, 31, 32] {
        if seed > 0 {
            problem.observations = noise(seed, m);
        }
        let exact = solver.run(&[0.0; 4], &mut problem, &ridge).x;
        let product: Vec<f64> = jacobian.iter().map(|row| dot(row, &problem.observations)).collect();
        assert!(distance(&product, &exact) <= 1e-11, "{product:?} {exact:?}");
    }
}

/// `f = 1/2 |b - A x|^2` on the ball and on the sphere, where the minimum lies on the surface: derivatives in `b` from
/// `beta`, in the radius from the adjoint of the residual, `d/dr prox(y) = y / |y|`.
#[test]
fn ball_and_sphere_against_finite_differences() {
    for surface in [false, true] {
        let problem = LeastSquares::random(21, 7, 4);
        let (radius, step) = (0.2, 0.8 / problem.lipschitz());
        let cotangent = noise(22, 4);
        let solve = |problem: &LeastSquares, radius: f64| {
            let options = ProximalGradient {
                acceleration: false,
                step: StepRule::Fixed(step),
                tolerance: 1e-15,
                max_iterations: 20_000,
                restart: false,
            };
            options.run(&[radius, 0.0, 0.0, 0.0], &mut problem.clone(), &Ball { radius, surface }).x
        };
        let x = solve(&problem, radius);
        assert!((norm(&x) - radius).abs() <= 1e-15);
        let gradient = problem.gradient(&x);
        assert!(dot(&x, &gradient) < -0.01, "the constraint is active");
        let point = FixedPoint { solution: &x, gradient: &gradient, step, cotangent: &cotangent };
        let ball = Ball { radius, surface };
        let found = fixed_point_adjoint(&point, &mut problem.hessian(), &ball, CG);
        assert_eq!(found.status, Status::Solved);
        for (i, slope) in problem.fit(&found.beta).iter().enumerate() {
            let f = |b: f64| {
                let mut moved = problem.clone();
                moved.observations[i] = b;
                dot(&solve(&moved, radius), &cotangent)
            };
            let expected = derivative(f, problem.observations[i], 1e-3);
            assert!((slope - expected).abs() <= 1e-9, "{surface} {slope} {expected}");
        }
        let forward: Vec<f64> = x.iter().zip(&gradient).map(|(x, g)| x - step * g).collect();
        let slope = -dot(&found.residual_adjoint, &forward) / norm(&forward);
        let expected = derivative(|r| dot(&solve(&problem, r), &cotangent), radius, 1e-3);
        assert!((slope - expected).abs() <= 1e-9, "{surface} {slope} {expected}");
    }
}

/// Two equal columns, both in the support, no ridge: the solution is a segment.
#[test]
fn equal_columns_are_rank_deficient() {
    let mut problem = LeastSquares::random(5, 10, 3);
    for row in problem.design.chunks_exact_mut(3) {
        row[2] = row[0];
    }
    let lasso = ElasticNet { lam: 0.1, gam: 0.0 };
    let mut x = problem.coordinate_descent(lasso);
    assert!(x[0] != 0.0 && x[1] != 0.0);
    x[2] = 0.5 * x[0];
    x[0] -= x[2];
    let found = adjoint_of(&problem, lasso, &x, &[1.0, 0.0, 0.0], LinearSolve::default());
    assert!(
        matches!(found.status, Status::RankDeficient { pivot_ratio } if (0.0..=1e-13).contains(&pivot_ratio))
    );
    assert!(found.beta.iter().all(|b| b.is_nan()));
    // The cotangent is not in the range of the Hessian: the iterative solves notice too.
    for solve in &SOLVES[1..] {
        let found = adjoint_of(&problem, lasso, &x, &[1.0, 0.0, 0.0], *solve);
        assert!(matches!(found.status, Status::NotConverged { residual } if residual > 0.1), "{found:?}");
    }
    let ridge = ElasticNet { lam: 0.1, gam: 1.0 };
    let x = problem.coordinate_descent(ridge);
    assert_eq!(
        adjoint_of(&problem, ridge, &x, &[1.0, 0.0, 0.0], LinearSolve::default()).status,
        Status::Solved
    );
}

#[test]
fn an_empty_support_has_a_zero_adjoint() {
    let problem = LeastSquares::random(6, 10, 3);
    let lasso = ElasticNet { lam: 100.0, gam: 0.0 };
    for solve in SOLVES {
        let found = adjoint_of(&problem, lasso, &[0.0; 3], &[1.0, 2.0, 3.0], solve);
        assert_eq!((found.status, norm(&found.beta)), (Status::Solved, 0.0), "{solve:?}");
    }
}

#[test]
fn too_few_iterations_and_values_that_are_not_finite_are_statuses() {
    let problem = LeastSquares::random(7, 20, 8);
    let penalty = ElasticNet { lam: 0.1, gam: 0.1 };
    let x = problem.coordinate_descent(penalty);
    let few = CgOptions { tolerance: 1e-12, max_iterations: 2 };
    for solve in [LinearSolve::ConjugateGradient(few), LinearSolve::NormalConjugateGradient(few)] {
        let found = adjoint_of(&problem, penalty, &x, &noise(1, 8), solve);
        assert!(matches!(found.status, Status::NotConverged { residual } if residual > 1e-6), "{found:?}");
    }
    for solve in SOLVES {
        let found = adjoint_of(&problem, penalty, &x, &[f64::NAN; 8], solve);
        assert_eq!(found.status, Status::NotFinite, "{solve:?}");
        assert!(found.beta.iter().all(|b| b.is_nan()));
    }
}

#[test]
fn a_hessian_that_is_not_finite_is_a_status() {
    let penalty = ElasticNet { lam: 0.1, gam: 0.1 };
    let x = [1.0, -2.0, 0.0];
    let point = FixedPoint { solution: &x, gradient: &[-0.1, 0.1, 0.0], step: 0.5, cotangent: &[1.0; 3] };
    for solve in SOLVES {
        let mut poisoned = |_: &[f64], out: &mut [f64]| out.fill(f64::NAN);
        let found = adjoint(&point, &mut poisoned, &penalty, solve);
        assert_eq!(found.status, Status::NotFinite, "{solve:?}");
        assert!(found.beta.iter().all(|b| b.is_nan()));
    }
}

/// On `H = -I` with an l1 penalty no Cholesky factor exists: a stationary point that is no minimum.
#[test]
fn negative_curvature_is_not_silent() {
    let penalty = ElasticNet { lam: 0.1, gam: 0.0 };
    let x = [1.0, -2.0];
    let point = FixedPoint { solution: &x, gradient: &[-0.1, 0.1], step: 0.5, cotangent: &[1.0, 0.5] };
    let mut negative = |d: &[f64], out: &mut [f64]| out.copy_from_slice(&[-d[0], -d[1]]);
    let found = adjoint(&point, &mut negative, &penalty, LinearSolve::Cholesky);
    assert_eq!(found.status, Status::RankDeficient { pivot_ratio: 0.0 });
    let found = adjoint(&point, &mut negative, &penalty, LinearSolve::ConjugateGradient(CG));
    assert_eq!(found.status, Status::NotConverged { residual: 1.0 });
    // The fixed point is isolated all the same, and the normal equations differentiate it.
    let found = adjoint(&point, &mut negative, &penalty, LinearSolve::NormalConjugateGradient(CG));
    assert_eq!(found.status, Status::Solved);
    assert!(distance(&found.beta, &[-1.0, -0.5]) <= 1e-12);
}

#[test]
#[should_panic(expected = "implicit: lengths of the solution and of the cotangent")]
fn lengths_that_differ_are_refused() {
    let point = FixedPoint { solution: &[1.0, 2.0], gradient: &[0.0; 2], step: 1.0, cotangent: &[1.0] };
    let mut identity = |d: &[f64], out: &mut [f64]| out.copy_from_slice(d);
    adjoint(&point, &mut identity, &ElasticNet { lam: 0.1, gam: 0.0 }, LinearSolve::Cholesky);
}
