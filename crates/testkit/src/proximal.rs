//! Properties that every proximal operator has, checked on the operator's own closures.
//!
//! For convex `g`, `p = prox_{t g}(y)` is the only point with, for every `z`,
//!
//! `1/2 |z - y|^2 + t g(z) >= 1/2 |p - y|^2 + t g(p) + 1/2 |z - p|^2`,
//!
//! (strong convexity of the objective). Expanding the squares, this is the subgradient inequality
//! `(z - p) . (p - y) + t (g(z) - g(p)) >= 0`, which loses no digits where `z` is near `p`. For a non-convex `g` only
//! the minimum itself remains: `1/2 |z - p|^2` is added to the left-hand side.
//!
//! The points `z` are `p` moved by normal noise of many scales, and results of `prox` at moved points: those lie in
//! the domain of `g`, where noise alone seldom does.
//!
//! | symbol | meaning |
//! |---|---|
//! | `value(z)` | `g(z)`, infinite outside the domain |
//! | `prox(x, step)` | in place `x <- prox_{step g}(x)` |
//! | `product(d)` | in place `d <- J d`, with `J` the Jacobian of the prox at a fixed point |

use crate::close::assert_slices_close;
use crate::finite_difference::jacobian_product;
use crate::instances::normal_vector;

/// Scales of the noise, relative to the size of `y` and `p`.
const SCALES: [f64; 6] = [1e-7, 1e-4, 1e-2, 0.3, 1.0, 30.0];

/// Draws of noise for every scale.
const DRAWS: u64 = 8;

/// Asserts the inequality of a convex `g` at `y` (see the module), for 96 seeded points `z`.
#[track_caller]
pub fn assert_prox(
    value: impl Fn(&[f64]) -> f64,
    prox: impl Fn(&mut [f64], f64),
    y: &[f64],
    step: f64,
    seed: u64,
) {
    assert_minimum(value, prox, y, step, seed, 0.0);
}

/// As [`assert_prox`] for a non-convex `g`: no seeded point has a smaller objective than the prox.
#[track_caller]
pub fn assert_nonconvex_prox(
    value: impl Fn(&[f64]) -> f64,
    prox: impl Fn(&mut [f64], f64),
    y: &[f64],
    step: f64,
    seed: u64,
) {
    assert_minimum(value, prox, y, step, seed, 0.5);
}

#[track_caller]
fn assert_minimum(
    value: impl Fn(&[f64]) -> f64,
    prox: impl Fn(&mut [f64], f64),
    y: &[f64],
    step: f64,
    seed: u64,
    curvature: f64,
) {
    let mut p = y.to_vec();
    prox(&mut p, step);
    let g_p = value(&p);
    assert!(g_p.is_finite(), "the prox {p:?} of {y:?} is outside the domain");
    let size = norm(y) + norm(&p);
    for (draw, scale) in (0..DRAWS).flat_map(|draw| SCALES.map(|scale| (draw, scale))) {
        let noise = normal_vector(y.len(), seed.wrapping_mul(DRAWS).wrapping_add(draw));
        let shift = scale * if size > 0.0 { size } else { 1.0 };
        let near_p: Vec<f64> = p.iter().zip(&noise).map(|(a, n)| a + shift * n).collect();
        let mut in_domain: Vec<f64> = y.iter().zip(&noise).map(|(a, n)| a + shift * n).collect();
        prox(&mut in_domain, step);
        for z in [near_p, in_domain] {
            let g_z = value(&z);
            let (mut left, mut squares) = (step * (g_z - g_p), 0.0);
            for ((z_i, p_i), y_i) in z.iter().zip(&p).zip(y) {
                left += (z_i - p_i) * (p_i - y_i);
                squares += (z_i - p_i).powi(2);
            }
            left += curvature * squares;
            // Each of the n terms is rounded, and `z` and `p` are themselves rounded prox values.
            let terms = (norm(&z) + norm(&p)) * size + step * (g_z.abs() + g_p.abs());
            let tolerance = 4.0 * f64::EPSILON * (y.len() + 4) as f64 * terms;
            assert!(
                left >= -tolerance,
                "prox {p:?} of {y:?} with step {step} is not optimal against {z:?}: {left:e} < -{tolerance:e}"
            );
        }
    }
}

/// Asserts `|prox(a) - prox(b)| <= |a - b|` in the l2 norm, up to rounding.
#[track_caller]
pub fn assert_nonexpansive(prox: impl Fn(&mut [f64], f64), a: &[f64], b: &[f64], step: f64) {
    let (mut p, mut q) = (a.to_vec(), b.to_vec());
    prox(&mut p, step);
    prox(&mut q, step);
    let (before, after) = (distance(a, b), distance(&p, &q));
    let tolerance = 4.0 * f64::EPSILON * (a.len() + 4) as f64 * (norm(a) + norm(b) + norm(&p) + norm(&q));
    assert!(
        after <= before + tolerance,
        "distance grows from {before:e} to {after:e} between {a:?} and {b:?}"
    );
}

/// Asserts that a projection leaves its own result in place, up to rounding: `4 eps (n + 4)` of its norm.
#[track_caller]
pub fn assert_idempotent(project: impl Fn(&mut [f64]), y: &[f64]) {
    let mut once = y.to_vec();
    project(&mut once);
    let mut twice = once.clone();
    project(&mut twice);
    let tolerance = 4.0 * f64::EPSILON * (y.len() + 4) as f64 * norm(&once);
    assert_slices_close(&twice, &once, 0.0, tolerance);
}

/// Asserts `a . J b = b . J a` for seeded normal vectors, to `1e-13` of the terms.
#[track_caller]
pub fn assert_jacobian_symmetric(product: impl Fn(&mut [f64]), dimension: usize, seed: u64) {
    for draw in 0..DRAWS {
        let a = normal_vector(dimension, seed.wrapping_add(2 * draw));
        let b = normal_vector(dimension, seed.wrapping_add(2 * draw + 1));
        let (mut j_a, mut j_b) = (a.clone(), b.clone());
        product(&mut j_a);
        product(&mut j_b);
        let (left, right) = (dot(&a, &j_b), dot(&b, &j_a));
        let tolerance = 1e-13 * (norm(&a) * norm(&j_b) + norm(&b) * norm(&j_a));
        assert!((left - right).abs() <= tolerance, "a . J b = {left:e} but b . J a = {right:e}");
    }
}

/// Asserts that `product` is the Jacobian of `map` at `point` by central differences along seeded unit directions.
///
/// `map(x)` works in place and must be smooth within `2 step` of `point`; `tolerance` is absolute.
#[track_caller]
pub fn assert_jacobian_matches(
    map: impl Fn(&mut [f64]),
    product: impl Fn(&mut [f64]),
    point: &[f64],
    step: f64,
    tolerance: f64,
    seed: u64,
) {
    for draw in 0..DRAWS {
        let mut direction = normal_vector(point.len(), seed.wrapping_add(draw));
        let length = norm(&direction);
        direction.iter_mut().for_each(|d| *d /= length);
        let in_place = |x: &[f64], y: &mut [f64]| {
            y.copy_from_slice(x);
            map(y);
        };
        let expected = jacobian_product(in_place, point, &direction, step);
        product(&mut direction);
        assert_slices_close(&direction, &expected, 0.0, tolerance);
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half_square(z: &[f64]) -> f64 {
        0.5 * dot(z, z)
    }

    fn shrink(x: &mut [f64], step: f64) {
        x.iter_mut().for_each(|v| *v /= 1.0 + step);
    }

    fn indicator(z: &[f64]) -> f64 {
        if z.iter().all(|v| *v >= 0.0) { 0.0 } else { f64::INFINITY }
    }

    #[test]
    fn true_operators_pass() {
        assert_prox(half_square, shrink, &[1.0, -2.0, 0.5], 0.7, 1);
        assert_prox(indicator, |x, _| x.iter_mut().for_each(|v| *v = v.max(0.0)), &[1.0, -2.0, 0.5], 1.0, 2);
        assert_nonexpansive(shrink, &[1.0, 2.0], &[-1.0, 0.0], 1.0);
        assert_jacobian_matches(|x| shrink(x, 1.0), |d| shrink(d, 1.0), &[1.0, 2.0], 1e-3, 1e-12, 3);
    }

    #[test]
    #[should_panic(expected = "is not optimal")]
    fn a_prox_off_by_one_millionth_fails() {
        assert_prox(half_square, |x, step| shrink(x, step * (1.0 + 1e-6)), &[1.0, -2.0, 0.5], 0.7, 1);
    }

    #[test]
    #[should_panic(expected = "is not optimal")]
    fn a_feasible_point_that_is_not_nearest_fails() {
        let wrong = |x: &mut [f64], _: f64| x.iter_mut().for_each(|v| *v = v.abs());
        assert_prox(indicator, wrong, &[1.0, -2.0, 0.5], 1.0, 2);
    }

    #[test]
    #[should_panic(expected = "is not optimal")]
    fn the_far_side_of_a_sphere_fails() {
        let sphere = |z: &[f64]| {
            if (norm(z) - 1.0).abs() < 1e-14 { 0.0 } else { f64::INFINITY }
        };
        let far = |x: &mut [f64], _: f64| {
            let length = norm(x);
            x.iter_mut().for_each(|v| *v /= -length);
        };
        assert_nonconvex_prox(sphere, far, &[1.0, -2.0, 0.5], 1.0, 2);
    }

    #[test]
    #[should_panic(expected = "distance grows")]
    fn doubling_is_expansive() {
        assert_nonexpansive(|x, _| x.iter_mut().for_each(|v| *v *= 2.0), &[1.0], &[0.0], 1.0);
    }

    #[test]
    #[should_panic(expected = "is not close")]
    fn halving_is_not_a_projection() {
        assert_idempotent(|x| x.iter_mut().for_each(|v| *v *= 0.5), &[1.0]);
    }

    #[test]
    #[should_panic(expected = "but b . J a")]
    fn a_rotation_is_not_symmetric() {
        assert_jacobian_symmetric(|d| (d[0], d[1]) = (-d[1], d[0]), 2, 5);
    }
}
