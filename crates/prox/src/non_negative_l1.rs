//! The non-negative lasso: `g(x) = lambda sum_i x_i` on `x >= 0`, infinite elsewhere.
//!
//! Prox, entry by entry: `p_i = max(y_i - t lambda, 0)`.
//! Optimality: `y_i - p_i = t lambda` where `p_i > 0`, `y_i <= t lambda` where `p_i = 0`.
//! Jacobian: diagonal, 1 where `y_i > t lambda`, else 0. Hessian of `g` on the support `x_i > 0`: 0.
//!
//! | symbol | name | range |
//! |---|---|---|
//! | `lambda` | `regularization` | `>= 0` |
//! | `t` | `step` | `> 0` |
//!
//! Cost: `O(n)`. Reference: Hoyer (2002), "Non-negative sparse coding".

use crate::operator::{ActiveSet, Prox, check_hessian_shape, check_lengths, indices_where, weight};
use crate::soft_threshold::{non_negative_soft_threshold, non_negative_soft_threshold_derivative};

/// `g(x) = regularization sum_i x_i` for `x >= 0`, else infinite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NonNegativeL1 {
    /// Weight of the l1 norm, `>= 0`.
    pub regularization: f64,
}

impl Prox for NonNegativeL1 {
    fn value(&self, x: &[f64]) -> f64 {
        if x.iter().all(|v| *v >= 0.0) { self.regularization * x.iter().sum::<f64>() } else { f64::INFINITY }
    }

    #[track_caller]
    fn prox(&self, x: &mut [f64], step: f64) {
        let threshold = weight(step, self.regularization);
        x.iter_mut().for_each(|v| *v = non_negative_soft_threshold(*v, threshold));
    }

    #[track_caller]
    fn jacobian_product(&self, point: &[f64], step: f64, direction: &mut [f64]) {
        check_lengths(point, direction);
        let threshold = weight(step, self.regularization);
        for (d, &y) in direction.iter_mut().zip(point) {
            *d *= non_negative_soft_threshold_derivative(y, threshold);
        }
    }
}

impl ActiveSet for NonNegativeL1 {
    fn support(&self, x: &[f64]) -> Vec<usize> {
        indices_where(x, |_, v| v > 0.0)
    }

    #[track_caller]
    fn add_hessian(&self, _x: &[f64], support: &[usize], hessian: &mut [f64]) {
        check_hessian_shape(support, hessian);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{check_active_set, check_convex, check_scalar};
    use testkit::{assert_close, normal_vector, unit_columns};

    #[test]
    fn is_the_prox_of_the_non_negative_l1_norm() {
        for regularization in [0.0, 0.3, 2.0] {
            let penalty = NonNegativeL1 { regularization };
            check_convex(&penalty);
            check_active_set(&penalty);
            check_scalar(&penalty, 0.0);
        }
    }

    #[test]
    fn value_is_infinite_below_zero() {
        let penalty = NonNegativeL1 { regularization: 2.0 };
        assert_eq!(penalty.value(&[1.0, 0.5]), 3.0);
        assert_eq!(penalty.value(&[1.0, -1e-300]), f64::INFINITY);
        assert_eq!(penalty.value(&[f64::NAN]), f64::INFINITY);
    }

    /// A fixed point of `x <- prox(x - t D^T (D x - b))` satisfies the optimality conditions of
    /// `1/2 norm2(D x - b)^2 + g(x)`: the gradient is `-lambda` where `x_j > 0` and at least `-lambda` elsewhere.
    #[test]
    fn fixed_points_solve_the_non_negative_lasso() {
        let (features, atoms, regularization, step) = (8, 6, 0.2, 0.15);
        let (dictionary, b) = (unit_columns(features, atoms, 4), normal_vector(features, 5));
        let gradient = |x: &[f64]| -> Vec<f64> {
            let mut residual: Vec<f64> = b.iter().map(|v| -v).collect();
            for (atom, x_j) in dictionary.chunks_exact(features).zip(x) {
                residual.iter_mut().zip(atom).for_each(|(r, d)| *r += d * x_j);
            }
            dictionary
                .chunks_exact(features)
                .map(|d| d.iter().zip(&residual).map(|(d, r)| d * r).sum())
                .collect()
        };
        let mut x = vec![0.0; atoms];
        for _ in 0..20_000 {
            let slopes = gradient(&x);
            x.iter_mut().zip(&slopes).for_each(|(x_j, s)| *x_j -= step * s);
            NonNegativeL1 { regularization }.prox(&mut x, step);
        }
        let support = NonNegativeL1 { regularization }.support(&x);
        assert!(!support.is_empty() && support.len() < atoms, "the instance has both kinds of coordinates");
        for (j, slope) in gradient(&x).into_iter().enumerate() {
            if support.contains(&j) {
                assert_close(slope, -regularization, 0.0, 1e-14);
            } else {
                assert!(slope >= -regularization, "atom {j}: {slope}");
            }
        }
    }
}
