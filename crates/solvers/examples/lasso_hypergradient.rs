//! A problem of one's own: a lasso whose regularization and observations are differentiated through the solution.
//!
//! Inner problem:   `x = argmin 1/2 |b - A x|^2 + lam |x|_1`        (A 20 x 8)
//! Outer loss:      `L(lam, b) = 1/2 |x - x_true|^2`
//!
//! `ProximalGradient` solves, `implicit::adjoint` gives `beta`, and then `dL/dlam = -beta . sign(x)`, `dL/db = A beta`.
//! Everything is checked against central differences.
//!
//! Run with `cargo run -p solvers --example lasso_hypergradient`.

use prox::{ActiveSet, Prox};
use solvers::Smooth;
use solvers::implicit::{FixedPoint, LinearSolve, adjoint};
use solvers::proximal_gradient::{Outcome, ProximalGradient, StepRule};

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
        rows.map(|row| row.iter().zip(x).map(|(a, x)| a * x).sum())
            .collect()
    }

    fn residual(&self, x: &[f64]) -> Vec<f64> {
        self.fit(x)
            .iter()
            .zip(&self.observations)
            .map(|(p, b)| p - b)
            .collect()
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

/// The proximable part, `g(x) = lam |x|_1`, with what implicit differentiation asks of it.
struct Lasso {
    lam: f64,
}

impl Prox for Lasso {
    fn value(&self, x: &[f64]) -> f64 {
        self.lam * x.iter().map(|x| x.abs()).sum::<f64>()
    }

    fn prox(&self, x: &mut [f64], step: f64) {
        for x in x {
            *x = x.signum() * (x.abs() - step * self.lam).max(0.0);
        }
    }

    fn jacobian_product(&self, point: &[f64], step: f64, direction: &mut [f64]) {
        for (d, y) in direction.iter_mut().zip(point) {
            if y.abs() <= step * self.lam {
                *d = 0.0;
            }
        }
    }
}

impl ActiveSet for Lasso {
    fn support(&self, x: &[f64]) -> Vec<usize> {
        (0..x.len()).filter(|&j| x[j] != 0.0).collect()
    }

    /// The l1 norm is linear around its support.
    fn add_hessian(&self, _: &[f64], _: &[usize], _: &mut [f64]) {}
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
    solver.run(&[0.0; COLUMNS], problem, &Lasso { lam })
}

fn outer_loss(x: &[f64], truth: &[f64]) -> f64 {
    0.5 * x
        .iter()
        .zip(truth)
        .map(|(x, t)| (x - t) * (x - t))
        .sum::<f64>()
}

fn main() {
    let wave = |i: usize, scale: f64| (i as f64 * scale).sin();
    let truth = [1.5, 0.0, 0.0, -2.0, 0.0, 0.0, 0.7, 0.0];
    let design = (0..ROWS * COLUMNS)
        .map(|i| wave(i * i + 3, 0.731))
        .collect();
    let mut problem = LeastSquares {
        design,
        observations: Vec::new(),
    };
    problem.observations = problem.fit(&truth);
    for (i, b) in problem.observations.iter_mut().enumerate() {
        *b += 0.1 * wave(i, 5.3);
    }
    let lam = 0.4;

    let outcome = solve(&mut problem, lam);
    println!(
        "{:?} in {} iterations, violation {:.1e}",
        outcome.status, outcome.iterations, outcome.violation
    );
    println!("x = {:.4?}", outcome.x);

    let mut gradient = [0.0; COLUMNS];
    problem.value_and_gradient(&outcome.x, &mut gradient);
    let cotangent: Vec<f64> = outcome.x.iter().zip(&truth).map(|(x, t)| x - t).collect();
    let point = FixedPoint {
        solution: &outcome.x,
        gradient: &gradient,
        step: safe_step(&problem),
        cotangent: &cotangent,
    };
    let mut hessian = |direction: &[f64], out: &mut [f64]| {
        problem.transposed_product(&problem.fit(direction), out);
    };
    let found = adjoint(&point, &mut hessian, &Lasso { lam }, LinearSolve::default());
    println!("adjoint: {:?}", found.status);

    let along_signs = found
        .beta
        .iter()
        .zip(&outcome.x)
        .filter(|(_, x)| **x != 0.0);
    let d_lam = -along_signs.map(|(b, x)| b * x.signum()).sum::<f64>();
    let d_observations = problem.fit(&found.beta);

    let h = 1e-5;
    let loss = |problem: &mut LeastSquares, lam: f64| outer_loss(&solve(problem, lam).x, &truth);
    let differences = (loss(&mut problem, lam + h) - loss(&mut problem, lam - h)) / (2.0 * h);
    println!("dL/dlam   implicit {d_lam:+.9}   differences {differences:+.9}");
    let mut worst = (d_lam - differences).abs();
    for (i, d) in d_observations.iter().enumerate() {
        let b = problem.observations[i];
        let mut at = |b: f64| {
            problem.observations[i] = b;
            loss(&mut problem, lam)
        };
        let differences = (at(b + h) - at(b - h)) / (2.0 * h);
        at(b);
        println!("dL/db[{i:2}] implicit {d:+.9}   differences {differences:+.9}");
        worst = worst.max((d - differences).abs());
    }
    println!("largest difference {worst:.1e}");
    assert!(
        worst < 1e-8,
        "the implicit derivatives must agree with the differences"
    );
}
