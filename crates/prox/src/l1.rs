//! The l1 norm (lasso): `g(x) = lambda norm1(x)`.
//!
//! Prox, entry by entry: `p_i = sign(y_i) max(|y_i| - t lambda, 0)`.
//! Optimality: `y_i - p_i = t lambda sign(p_i)` where `p_i != 0`, `|y_i| <= t lambda` where `p_i = 0`.
//! Jacobian: diagonal, 1 where `|y_i| > t lambda`, else 0. Hessian of `g` on the support `x_i != 0`: 0.
//!
//! | symbol | name | range |
//! |---|---|---|
//! | `lambda` | `regularization` | `>= 0` |
//! | `t` | `step` | `> 0` |
//!
//! Cost: `O(n)`. References: Tibshirani (1996), "Regression shrinkage and selection via the lasso"; Parikh and Boyd
//! (2014), "Proximal algorithms", section 6.5.2.

use crate::operator::{ActiveSet, Prox, check_hessian_shape, check_lengths, indices_where, weight};
use crate::soft_threshold::{soft_threshold, soft_threshold_derivative};

/// `g(x) = regularization norm1(x)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct L1 {
    /// Weight of the l1 norm, `>= 0`.
    pub regularization: f64,
}

impl Prox for L1 {
    fn value(&self, x: &[f64]) -> f64 {
        self.regularization * x.iter().map(|v| v.abs()).sum::<f64>()
    }

    #[track_caller]
    fn prox(&self, x: &mut [f64], step: f64) {
        let threshold = weight(step, self.regularization);
        x.iter_mut().for_each(|v| *v = soft_threshold(*v, threshold));
    }

    #[track_caller]
    fn jacobian_product(&self, point: &[f64], step: f64, direction: &mut [f64]) {
        check_lengths(point, direction);
        let threshold = weight(step, self.regularization);
        for (d, &y) in direction.iter_mut().zip(point) {
            *d *= soft_threshold_derivative(y, threshold);
        }
    }
}

impl ActiveSet for L1 {
    fn support(&self, x: &[f64]) -> Vec<usize> {
        indices_where(x, |_, v| v != 0.0)
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

    #[test]
    fn is_the_prox_of_the_l1_norm() {
        for regularization in [0.0, 0.3, 2.0] {
            let penalty = L1 { regularization };
            check_convex(&penalty);
            check_active_set(&penalty);
            check_scalar(&penalty, f64::NEG_INFINITY);
        }
    }

    #[test]
    fn value_sums_magnitudes() {
        assert_eq!(L1 { regularization: 2.0 }.value(&[1.0, -3.0, 0.0]), 8.0);
        assert_eq!(L1 { regularization: 2.0 }.value(&[]), 0.0);
    }

    #[test]
    #[should_panic(expected = "step NaN times coefficient 1 is not a non-negative number")]
    fn a_step_that_is_no_number_panics() {
        L1 { regularization: 1.0 }.prox(&mut [1.0], f64::NAN);
    }
}
