//! The non-negative elastic net: `g(x) = lambda (sum_i x_i + rho/2 norm2(x)^2)` on `x >= 0`, infinite elsewhere.
//!
//! Prox, entry by entry: `p_i = max(y_i - t lambda, 0) / (1 + t lambda rho)`.
//! Optimality: `y_i - p_i = t lambda (1 + rho p_i)` where `p_i > 0`, `y_i <= t lambda` where `p_i = 0`.
//! Jacobian: diagonal, `1 / (1 + t lambda rho)` where `y_i > t lambda`, else 0.
//! Hessian of `g` on the support `x_i > 0`: `lambda rho I`.
//!
//! | symbol | name | range |
//! |---|---|---|
//! | `lambda` | `regularization` | `>= 0` |
//! | `rho` | `elastic_penalty` | `>= 0`; 0 is the non-negative lasso |
//! | `t` | `step` | `> 0` |
//!
//! Cost: `O(n)`. References: Zou and Hastie (2005), "Regularization and variable selection via the elastic net";
//! Mairal, Bach and Ponce (2012), "Task-driven dictionary learning", for the non-negative codes.

use crate::operator::{ActiveSet, Prox, add_diagonal, check_lengths, indices_where, weight};
use crate::soft_threshold::{non_negative_soft_threshold, non_negative_soft_threshold_derivative};

/// `g(x) = regularization (sum_i x_i + elastic_penalty/2 norm2(x)^2)` for `x >= 0`, else infinite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NonNegativeElasticNet {
    /// Weight of the whole penalty, `>= 0`.
    pub regularization: f64,
    /// Weight of the half squared l2 norm relative to the l1 norm, `>= 0`.
    pub elastic_penalty: f64,
}

impl Prox for NonNegativeElasticNet {
    fn value(&self, x: &[f64]) -> f64 {
        if x.iter().all(|v| *v >= 0.0) {
            self.regularization * x.iter().map(|v| v + 0.5 * self.elastic_penalty * v * v).sum::<f64>()
        } else {
            f64::INFINITY
        }
    }

    #[track_caller]
    fn prox(&self, x: &mut [f64], step: f64) {
        let threshold = weight(step, self.regularization);
        let divisor = 1.0 + weight(threshold, self.elastic_penalty);
        x.iter_mut().for_each(|v| *v = non_negative_soft_threshold(*v, threshold) / divisor);
    }

    #[track_caller]
    fn jacobian_product(&self, point: &[f64], step: f64, direction: &mut [f64]) {
        check_lengths(point, direction);
        let threshold = weight(step, self.regularization);
        let divisor = 1.0 + weight(threshold, self.elastic_penalty);
        for (d, &y) in direction.iter_mut().zip(point) {
            *d *= non_negative_soft_threshold_derivative(y, threshold) / divisor;
        }
    }
}

impl ActiveSet for NonNegativeElasticNet {
    fn support(&self, x: &[f64]) -> Vec<usize> {
        indices_where(x, |_, v| v > 0.0)
    }

    #[track_caller]
    fn add_hessian(&self, _x: &[f64], support: &[usize], hessian: &mut [f64]) {
        add_diagonal(self.regularization * self.elastic_penalty, support, hessian);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{check_active_set, check_convex, check_scalar};

    #[test]
    fn is_the_prox_of_the_non_negative_elastic_net() {
        for (regularization, elastic_penalty) in [(0.0, 1.0), (0.3, 0.0), (0.3, 0.7), (2.0, 5.0)] {
            let penalty = NonNegativeElasticNet { regularization, elastic_penalty };
            check_convex(&penalty);
            check_active_set(&penalty);
            check_scalar(&penalty, 0.0);
        }
    }

    #[test]
    fn value_is_infinite_below_zero() {
        let penalty = NonNegativeElasticNet { regularization: 2.0, elastic_penalty: 3.0 };
        assert_eq!(penalty.value(&[1.0, 2.0]), 2.0 * (3.0 + 7.5));
        assert_eq!(penalty.value(&[1.0, -1e-300]), f64::INFINITY);
    }
}
