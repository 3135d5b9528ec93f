//! A problem of one's own: a lasso whose regularization and observations are differentiated through the solution.
//!
//! Inner problem:   `x = argmin 1/2 |b - A x|^2 + lam |x|_1`        (A 20 x 8)
//! Outer loss:      `L(lam, b) = 1/2 |x - x_true|^2`
//!
//! `ProximalGradient` solves, `implicit::adjoint` gives `beta`, and then `dL/dlam = -beta . sign(x)`, `dL/db = A beta`.
//! Everything is checked against central differences.
//!
//! Run with `cargo run -p solvers --example lasso_hypergradient`.

use prox::L1;
use solvers::Smooth;
use solvers::implicit::{FixedPoint, LinearSolve, adjoint};
use solvers::proximal_gradient::{Outcome, ProximalGradient};
use solvers::step_rule::StepRule;

const ROWS: usize = 20;
const COLUMNS: usize = 8;

/// The smooth part, `f(x) = 1/2 |b - A x|^2`; `A` row-major.
struct LeastSquares {
    design: Vec<f64>,
    observations: Vec<f64>,
}

impl LeastSquares {
    fn fit(&self, x: &[f64]) -> Vec<f64> {
        let rows = self.design.chunks_exact(COLUMNS);
        rows.map(|row| row.iter().zip(x).map(|(a, x)| a * x).sum()).collect()
    }

    fn residual(&self, x: &[f64]) -> Vec<f64> {
        self.fit(x).iter().zip(&self.observations).map(|(p, b)| p - b).collect()
    }

    fn transposed_product(&self, r: &[f64], out: &mut [f64]) {
        out.fill(0.0);
        for (row, r) in self.design.chunks_exact(COLUMNS).zip(r) {
            out.iter_mut().zip(row).for_each(|(o, a)| *o += a * r);
        }
    }
}

impl Smooth for LeastSquares {
    fn value(&mut self, x: &[f64]) -> f64 {
        0.5 * self.residual(x).iter().map(|r| r * r).sum::<f64>()
    }

    fn value_and_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let residual = self.residual(x);
        self.transposed_product(&residual, gradient);
        0.5 * residual.iter().map(|r| r * r).sum::<f64>()
    }
}

/// A step below `1/L`: the squared Frobenius norm of `A` bounds `L`.
fn safe_step(problem: &LeastSquares) -> f64 {
    1.0 / problem.design.iter().map(|a| a * a).sum::<f64>()
}

fn solve(problem: &mut LeastSquares, lam: f64) -> Outcome {
    let solver = ProximalGradient {
        step: StepRule::Fixed(safe_step(problem)),
        tolerance: 1e-13,
        max_iterations: 100_000,
        ..Default::default()
    };
    solver.run(&[0.0; COLUMNS], problem, &L1 { regularization: lam })
}

fn outer_loss(x: &[f64], truth: &[f64]) -> f64 {
    0.5 * x.iter().zip(truth).map(|(x, t)| (x - t) * (x - t)).sum::<f64>()
}

/// The problem, with a known sparse vector behind its observations.
fn planted() -> (LeastSquares, [f64; COLUMNS]) {
    let wave = |i: usize, scale: f64| (i as f64 * scale).sin();
    let truth = [1.5, 0.0, 0.0, -2.0, 0.0, 0.0, 0.7, 0.0];
    let design = (0..ROWS * COLUMNS).map(|i| wave(i * i + 3, 0.731)).collect();
    let mut problem = LeastSquares { design, observations: Vec::new() };
    problem.observations = problem.fit(&truth);
    for (i, b) in problem.observations.iter_mut().enumerate() {
        *b += 0.1 * wave(i, 5.3);
    }
    (problem, truth)
}

/// `(dL/dlam, dL/db)` at the solution `x` by implicit differentiation.
fn hypergradient(problem: &mut LeastSquares, lam: f64, x: &[f64], truth: &[f64]) -> (f64, Vec<f64>) {
    let mut gradient = [0.0; COLUMNS];
    problem.value_and_gradient(x, &mut gradient);
    let cotangent: Vec<f64> = x.iter().zip(truth).map(|(x, t)| x - t).collect();
    let step = safe_step(problem);
    let point = FixedPoint { solution: x, gradient: &gradient, step, cotangent: &cotangent };
    let mut hessian = |direction: &[f64], out: &mut [f64]| {
        problem.transposed_product(&problem.fit(direction), out);
    };
    let penalty = L1 { regularization: lam };
    let found = adjoint(&point, &mut hessian, &penalty, LinearSolve::default());
    println!("adjoint: {:?}", found.status);
    // `beta` is zero wherever `x` is, so the sign of those entries does not matter.
    let d_lam = -found.beta.iter().zip(x).map(|(b, x)| b * x.signum()).sum::<f64>();
    (d_lam, problem.fit(&found.beta))
}

/// The central difference of `f` at `x`.
fn difference(mut f: impl FnMut(f64) -> f64, x: f64) -> f64 {
    let h = 1e-5;
    (f(x + h) - f(x - h)) / (2.0 * h)
}

fn main() {
    let (mut problem, truth) = planted();
    let lam = 0.4;
    let outcome = solve(&mut problem, lam);
    println!("{:?} in {} iterations", outcome.status, outcome.iterations);
    println!("violation {:.1e}, x = {:.4?}", outcome.violation, outcome.x);
    let (d_lam, d_observations) = hypergradient(&mut problem, lam, &outcome.x, &truth);

    let loss = |problem: &mut LeastSquares, lam: f64| outer_loss(&solve(problem, lam).x, &truth);
    let expected = difference(|lam| loss(&mut problem, lam), lam);
    println!("dL/dlam    implicit {d_lam:+.9}   difference {expected:+.9}");
    let mut worst = (d_lam - expected).abs();
    for (i, slope) in d_observations.iter().enumerate() {
        let here = problem.observations[i];
        let at = |b: f64| {
            problem.observations[i] = b;
            loss(&mut problem, lam)
        };
        let expected = difference(at, here);
        problem.observations[i] = here;
        println!("dL/db[{i:2}]  implicit {slope:+.9}   difference {expected:+.9}");
        worst = worst.max((slope - expected).abs());
    }
    println!("largest disagreement {worst:.1e}");
    assert!(worst < 1e-8, "the implicit derivatives must agree with the differences");
}
