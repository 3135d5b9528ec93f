//! The properties of operators, at seeded points of several magnitudes: what each operator's tests call.

use proptest::test_runner::{Config, RngSeed};
use testkit::{
    assert_close, assert_idempotent, assert_jacobian_matches, assert_jacobian_symmetric,
    assert_nonconvex_prox, assert_nonexpansive, assert_prox, assert_slices_close, derivative, golden_section,
    gradient, normal_vector,
};

use crate::operator::{ActiveSet, Prox};

/// Number of coordinates of all points.
pub(crate) const DIMENSION: usize = 6;

const STEPS: [f64; 3] = [0.2, 1.0, 3.0];

/// Seeds of the points of size one, at which derivatives are compared; all are further than `2 DIFFERENCE` from kinks.
const SEEDS: std::ops::Range<u64> = 0..6;

/// Step of the differences. Truncation is below `DIFFERENCE^4 = 1e-16` times a fifth derivative, rounding about
/// `3/2 eps / DIFFERENCE = 3e-12` times the size of the result.
const DIFFERENCE: f64 = 1e-4;

/// Seeded, bounded, and without files of failures.
pub(crate) fn config() -> Config {
    Config { cases: 64, failure_persistence: None, rng_seed: RngSeed::Fixed(20_240_229), ..Config::default() }
}

/// The prox of a convex function: optimal, nonexpansive, its Jacobian symmetric and right, edge cases defined.
#[track_caller]
pub(crate) fn check_convex(g: &impl Prox) {
    let points = points();
    for step in STEPS {
        for (seed, y) in points.iter().enumerate() {
            assert_prox(|z| g.value(z), |x, t| g.prox(x, t), y, step, seed as u64);
            assert_nonexpansive(|x, t| g.prox(x, t), y, &points[(seed + 1) % points.len()], step);
        }
    }
    check_jacobian(g);
}

/// The projection on a convex set: as [`check_convex`], feasible, idempotent, the same for every step.
#[track_caller]
pub(crate) fn check_convex_projection(g: &impl Prox) {
    check_convex(g);
    check_feasible(g);
}

/// The projection on a set that is not convex: nearest, feasible, idempotent, its Jacobian symmetric and right.
#[track_caller]
pub(crate) fn check_sphere(g: &impl Prox) {
    for (seed, y) in points().iter().enumerate().filter(|(_, y)| y.iter().all(|v| *v != 0.0)) {
        assert_nonconvex_prox(|z| g.value(z), |x, t| g.prox(x, t), y, 1.0, seed as u64);
    }
    check_jacobian(g);
    check_feasible(g);
}

/// Support and Hessian: the support of a prox is where its Jacobian is not 0, and there the Hessian is the derivative
/// of the gradient of the value.
#[track_caller]
pub(crate) fn check_active_set(g: &impl ActiveSet) {
    for (step, seed) in STEPS.into_iter().zip(SEEDS) {
        let y = normal_vector(DIMENSION, seed);
        let mut p = y.clone();
        g.prox(&mut p, step);
        let support = g.support(&p);
        let moving: Vec<usize> = (0..DIMENSION).filter(|j| column(g, &y, step, *j)[*j] != 0.0).collect();
        assert_eq!(support, moving, "the support of the prox is where its Jacobian is not 0");
        // A short step from a large point: few coordinates are pinned, and the others are far from their kinks.
        let mut x: Vec<f64> = y.iter().map(|v| 3.0 * v).collect();
        g.prox(&mut x, 1e-3);
        check_hessian(g, &x, &g.support(&x));
    }
}

/// Agreement of the prox of one number with a search for the minimum on `[lower, ..)`.
#[track_caller]
pub(crate) fn check_scalar(g: &impl Prox, lower: f64) {
    for y in [-4.0, -1.1, -0.2, 0.0, 0.15, 0.9, 5.0_f64] {
        for step in STEPS {
            let objective = |z: f64| 0.5 * (z - y) * (z - y) + step * g.value(&[z]);
            let mut p = [y];
            g.prox(&mut p, step);
            let found = golden_section(objective, lower.max(-10.0), 10.0);
            // The curvature is at least 1: values equal up to a few roundings are sqrt(2 eps |f|) apart.
            let tolerance = 4.0 * (f64::EPSILON * (1.0 + objective(p[0]))).sqrt();
            assert_close(p[0], found, 0.0, tolerance);
        }
    }
}

#[track_caller]
fn check_jacobian(g: &impl Prox) {
    for step in STEPS {
        for seed in SEEDS {
            let y = normal_vector(DIMENSION, seed);
            let product = |d: &mut [f64]| g.jacobian_product(&y, step, d);
            assert_jacobian_symmetric(product, DIMENSION, seed);
            let mut size = y.clone();
            g.prox(&mut size, step);
            let size = size.iter().fold(1.0_f64, |largest, v| largest.max(v.abs()));
            assert_jacobian_matches(|x| g.prox(x, step), product, &y, DIFFERENCE, 3e-11 * size, seed);
        }
    }
}

#[track_caller]
fn check_feasible(g: &impl Prox) {
    for y in points().iter().filter(|y| y.iter().all(|v| *v != 0.0)) {
        let (mut p, mut q) = (y.clone(), y.clone());
        g.prox(&mut p, 0.1);
        g.prox(&mut q, 10.0);
        assert_eq!(p, q, "the step plays no part in a projection");
        assert_eq!(g.value(&p), 0.0, "{p:?} is the projection of {y:?}");
        assert_idempotent(|x| g.prox(x, 1.0), y);
    }
}

/// Differences of differences with the step `h = 2e-3`: truncation is `h^4 / 30 = 5e-13` times a sixth derivative (of
/// at most some hundreds for norms of size one), rounding `(3/2)^2 eps / h^2 = 1.3e-10` times the value.
#[track_caller]
fn check_hessian(g: &impl ActiveSet, x: &[f64], support: &[usize]) {
    let h = 2e-3;
    let tolerance = 1e-9 * (1.0 + g.value(x));
    let s = support.len();
    let mut hessian = vec![1.0; s * s];
    g.add_hessian(x, support, &mut hessian);
    let on_support = |free: &[f64]| {
        let mut z = x.to_vec();
        support.iter().zip(free).for_each(|(i, v)| z[*i] = *v);
        z
    };
    let free: Vec<f64> = support.iter().map(|i| x[*i]).collect();
    for column in 0..s {
        for row in 0..s {
            let slope = |v: f64| {
                let mut moved = free.clone();
                moved[column] = v;
                gradient(|z| g.value(&on_support(z)), &moved, h)[row]
            };
            let expected = 1.0 + derivative(slope, free[column], h);
            assert_close(hessian[column * s + row], expected, 0.0, tolerance);
        }
    }
    let mut again = hessian.clone();
    g.add_hessian(x, support, &mut again);
    let twice: Vec<f64> = hessian.iter().map(|h| 2.0 * h - 1.0).collect();
    assert_slices_close(&again, &twice, 1e-14, 1e-14);
}

fn column(g: &impl Prox, y: &[f64], step: f64, j: usize) -> Vec<f64> {
    let mut direction = vec![0.0; DIMENSION];
    direction[j] = 1.0;
    g.jacobian_product(y, step, &mut direction);
    direction
}

/// Normal points of magnitudes from denormal to 1e9, the zero point, and points with zeros and equal entries.
fn points() -> Vec<Vec<f64>> {
    let scales = [1.0, 1.0, 1.0, 1e-2, 30.0, 1e-9, 1e9, 1e-310];
    let mut points: Vec<Vec<f64>> = scales
        .iter()
        .zip(10..)
        .map(|(scale, seed)| normal_vector(DIMENSION, seed).iter().map(|v| scale * v).collect())
        .collect();
    points.push(vec![0.0; DIMENSION]);
    points.push(vec![1.0, 1.0, -1.0, 0.0, 0.5, 0.5]);
    points.push(vec![0.7; DIMENSION]);
    points
}
