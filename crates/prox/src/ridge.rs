//! The squared l2 norm (ridge, Tikhonov): `g(x) = mu/2 norm2(x)^2`.
//!
//! Prox: `p = y / (1 + t mu)`. Optimality: `y - p = t mu p`. Jacobian: `I / (1 + t mu)`.
//! Hessian of `g`: `mu I`, on all coordinates.
//!
//! | symbol | name | range |
//! |---|---|---|
//! | `mu` | `l2` | `>= 0` |
//! | `t` | `step` | `> 0` |
//!
//! Cost: `O(n)`. Reference: Parikh and Boyd (2014), "Proximal algorithms", section 6.1.1.

use crate::operator::{ActiveSet, Prox, add_diagonal, check_lengths, weight};

/// `g(x) = l2/2 norm2(x)^2`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ridge {
    /// Weight of the half squared norm, `>= 0`.
    pub l2: f64,
}

impl Prox for Ridge {
    fn value(&self, x: &[f64]) -> f64 {
        0.5 * self.l2 * x.iter().map(|v| v * v).sum::<f64>()
    }

    #[track_caller]
    fn prox(&self, x: &mut [f64], step: f64) {
        let divisor = 1.0 + weight(step, self.l2);
        x.iter_mut().for_each(|v| *v /= divisor);
    }

    #[track_caller]
    fn jacobian_product(&self, point: &[f64], step: f64, direction: &mut [f64]) {
        check_lengths(point, direction);
        self.prox(direction, step);
    }
}

impl ActiveSet for Ridge {
    fn support(&self, x: &[f64]) -> Vec<usize> {
        (0..x.len()).collect()
    }

    #[track_caller]
    fn add_hessian(&self, _x: &[f64], support: &[usize], hessian: &mut [f64]) {
        add_diagonal(self.l2, support, hessian);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{check_active_set, check_convex, check_scalar};

    #[test]
    fn is_the_prox_of_the_half_squared_norm() {
        for l2 in [0.0, 0.3, 20.0] {
            check_convex(&Ridge { l2 });
            check_active_set(&Ridge { l2 });
            check_scalar(&Ridge { l2 }, f64::NEG_INFINITY);
        }
    }

    #[test]
    fn value_has_the_factor_one_half() {
        assert_eq!(Ridge { l2: 3.0 }.value(&[1.0, -2.0]), 7.5);
    }
}
