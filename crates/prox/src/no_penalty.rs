//! No penalty: `g(x) = 0`.
//!
//! The prox is the identity, and so is its Jacobian; the Hessian of `g` is 0 and every coordinate is free.
//!
//! Cost: `O(1)`; `O(n)` for the support.

use crate::operator::{ActiveSet, Prox, check_hessian_shape, check_lengths};

/// `g(x) = 0`: what remains is the smooth problem.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NoPenalty;

impl Prox for NoPenalty {
    fn value(&self, _x: &[f64]) -> f64 {
        0.0
    }

    fn prox(&self, _x: &mut [f64], _step: f64) {}

    #[track_caller]
    fn jacobian_product(&self, point: &[f64], _step: f64, direction: &mut [f64]) {
        check_lengths(point, direction);
    }
}

impl ActiveSet for NoPenalty {
    fn support(&self, x: &[f64]) -> Vec<usize> {
        (0..x.len()).collect()
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
    fn is_the_prox_of_zero() {
        check_convex(&NoPenalty);
        check_active_set(&NoPenalty);
        check_scalar(&NoPenalty, f64::NEG_INFINITY);
    }
}
