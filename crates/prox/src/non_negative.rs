//! The non-negative cone: the indicator of `x >= 0`.
//!
//! Projection, entry by entry: `p_i = max(y_i, 0)`. Optimality: `p >= 0`, `p >= y`, `p . (p - y) = 0`.
//! Jacobian: diagonal, 1 where `y_i > 0`, else 0. Hessian of `g` on the support `x_i > 0`: 0.
//!
//! Cost: `O(n)`. Reference: Parikh and Boyd (2014), "Proximal algorithms", section 6.3.1.

use crate::operator::{ActiveSet, Prox, check_hessian_shape, check_lengths, indicator, indices_where};
use crate::soft_threshold::{non_negative_soft_threshold, non_negative_soft_threshold_derivative};

/// The indicator of the vectors without negative entries.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NonNegative;

impl Prox for NonNegative {
    /// 0 where every entry is `>= 0` (without tolerance), else infinite.
    fn value(&self, x: &[f64]) -> f64 {
        indicator(x.iter().all(|v| *v >= 0.0))
    }

    fn prox(&self, x: &mut [f64], _step: f64) {
        x.iter_mut().for_each(|v| *v = non_negative_soft_threshold(*v, 0.0));
    }

    #[track_caller]
    fn jacobian_product(&self, point: &[f64], _step: f64, direction: &mut [f64]) {
        check_lengths(point, direction);
        for (d, &y) in direction.iter_mut().zip(point) {
            *d *= non_negative_soft_threshold_derivative(y, 0.0);
        }
    }
}

impl ActiveSet for NonNegative {
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
    use crate::checks::{check_active_set, check_convex_projection, check_scalar};

    #[test]
    fn is_the_projection_on_the_cone() {
        check_convex_projection(&NonNegative);
        check_active_set(&NonNegative);
        check_scalar(&NonNegative, 0.0);
    }

    #[test]
    fn entries_that_are_no_numbers_stay_visible() {
        let mut x = [f64::NAN, -1.0, 1.0];
        NonNegative.prox(&mut x, 1.0);
        assert!(x[0].is_nan());
        assert_eq!(x[1..], [0.0, 1.0]);
    }
}
