//! Implicit derivatives through every kind of penalty of the `prox` crate, against finite differences.

mod common;

use common::{LeastSquares, derivative, distance, dot, noise};
use linalg::conjugate_gradient::CgOptions;
use prox::{ActiveSet, Prox};
use solvers::implicit::{FixedPoint, LinearSolve, Status, adjoint, fixed_point_adjoint};
use solvers::proximal_gradient::ProximalGradient;
use solvers::step_rule::StepRule;

const CG: CgOptions = CgOptions { tolerance: 1e-12, max_iterations: 1000 };

/// The solution, to rounding.
fn solve(problem: &LeastSquares, penalty: &impl Prox) -> Vec<f64> {
    let options = ProximalGradient {
        step: StepRule::Fixed(1.0 / problem.lipschitz()),
        restart: true,
        tolerance: 1e-15,
        max_iterations: 5_000,
        ..Default::default()
    };
    options.run(&[0.1; 6], &mut problem.clone(), penalty).x
}

/// The derivative of `v . x(b)` along a direction of `b`, by the fixed point and by differences; then `check` on the
/// same point.
fn check_slope(penalty: &impl Prox, check: impl Fn(&FixedPoint<'_>, &LeastSquares, &[f64])) {
    let problem = LeastSquares::random(41, 9, 6);
    let (solution, cotangent, along) = (solve(&problem, penalty), noise(42, 6), noise(43, 9));
    let gradient = problem.gradient(&solution);
    let step = 1.0 / problem.lipschitz();
    let point = FixedPoint { solution: &solution, gradient: &gradient, step, cotangent: &cotangent };
    let moved = |t: f64| {
        let mut problem = problem.clone();
        problem.observations.iter_mut().zip(&along).for_each(|(b, a)| *b += t * a);
        dot(&solve(&problem, penalty), &cotangent)
    };
    let expected = derivative(moved, 0.0, 1e-4);
    assert!(expected.abs() > 1e-3, "a derivative that shows");
    let found = fixed_point_adjoint(&point, &mut problem.hessian(), penalty, CG);
    assert_eq!(found.status, Status::Solved);
    let slope = dot(&problem.fit(&found.beta), &along);
    assert!((slope - expected).abs() <= 1e-8, "{found:?} {slope} {expected}");
    check(&point, &problem, &found.beta);
}

/// The same for a penalty with a support, and the systems on the support give the same adjoint.
fn check_supported(penalty: &impl ActiveSet) {
    check_slope(penalty, |point, problem, beta| {
        for solve in [LinearSolve::Cholesky, LinearSolve::ConjugateGradient(CG)] {
            let found = adjoint(point, &mut problem.hessian(), penalty, solve);
            assert_eq!(found.status, Status::Solved);
            assert!(distance(&found.beta, beta) <= 1e-10, "{solve:?} {found:?} {beta:?}");
        }
    });
}

#[test]
fn penalties_with_a_support() {
    check_supported(&prox::NoPenalty);
    check_supported(&prox::L1 { regularization: 0.4 });
    check_supported(&prox::ElasticNet { regularization: 0.4, elastic_penalty: 0.5 });
    check_supported(&prox::NonNegativeL1 { regularization: 0.1 });
    check_supported(&prox::GroupLasso::from_sizes(0.4, &[2, 1, 3]).expect("sizes above 0"));
}

#[test]
fn bounds() {
    check_supported(&prox::BoxConstraint::uniform(-0.1, 0.2).expect("an interval"));
    check_supported(&prox::NonNegative);
}

#[test]
fn sets_whose_free_directions_are_not_coordinates() {
    check_slope(&prox::L1Ball { radius: 0.5 }, |_, _, _| ());
    check_slope(&prox::L2Ball { radius: 0.1 }, |_, _, _| ());
    check_slope(&prox::Simplex { sum: 0.7 }, |_, _, _| ());
}
