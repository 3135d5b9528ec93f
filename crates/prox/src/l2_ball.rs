//! The l2 ball: the indicator of `norm2(x) <= r`.
//!
//! Projection: `p = y` inside, `p = r y / norm2(y)` outside. Optimality: `y - p = m p` with `m >= 0`, and `m = 0` inside.
//! Jacobian, with `u = y / norm2(y)`: `I` inside and on the boundary, `r / norm2(y) (I - u u^T)` outside.
//!
//! | symbol | name | range |
//! |---|---|---|
//! | `r` | `radius` | `>= 0`; the ball of radius 0 is the point 0 |
//!
//! Cost: `O(n)`. Entries of any finite magnitude are handled without overflow or underflow.
//! Reference: Parikh and Boyd (2014), "Proximal algorithms", section 6.5.1.

use crate::l2_sphere::L2Sphere;
use crate::operator::{Prox, check_lengths, check_size, feasibility_tolerance, indicator};
use crate::scaled_norm::ScaledNorm;

/// The indicator of the vectors of l2 norm at most `radius`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct L2Ball {
    /// Radius, `>= 0`.
    pub radius: f64,
}

impl L2Ball {
    fn contains(&self, x: &[f64]) -> bool {
        ScaledNorm::of(x).value() <= self.radius
    }
}

impl Prox for L2Ball {
    /// 0 where `norm2(x) - radius` is at most [`feasibility_tolerance`] times `radius`, else infinite.
    #[track_caller]
    fn value(&self, x: &[f64]) -> f64 {
        check_size("radius", self.radius);
        indicator(ScaledNorm::of(x).value() <= (1.0 + feasibility_tolerance(x.len())) * self.radius)
    }

    #[track_caller]
    fn prox(&self, x: &mut [f64], step: f64) {
        check_size("radius", self.radius);
        if !self.contains(x) {
            L2Sphere { radius: self.radius }.prox(x, step);
        }
    }

    #[track_caller]
    fn jacobian_product(&self, point: &[f64], step: f64, direction: &mut [f64]) {
        check_size("radius", self.radius);
        check_lengths(point, direction);
        if !self.contains(point) {
            L2Sphere { radius: self.radius }.jacobian_product(point, step, direction);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::check_convex_projection;
    use testkit::assert_slices_close;

    #[test]
    fn is_the_projection_on_the_ball() {
        for radius in [0.0, 1e-3, 1.0, 2.0, 50.0] {
            check_convex_projection(&L2Ball { radius });
        }
    }

    #[test]
    fn the_boundary_counts_as_inside() {
        let mut direction = [1.0, 2.0];
        L2Ball { radius: 5.0 }.jacobian_product(&[3.0, 4.0], 1.0, &mut direction);
        assert_eq!(direction, [1.0, 2.0]);
    }

    #[test]
    fn extreme_magnitudes() {
        let mut x = [3e300, -4e300];
        L2Ball { radius: 1.0 }.prox(&mut x, 1.0);
        assert_slices_close(&x, &[0.6, -0.8], 4.0 * f64::EPSILON, 0.0);
        let mut x = [3e-300, -4e-300];
        L2Ball { radius: 1e-300 }.prox(&mut x, 1.0);
        assert_slices_close(&x, &[0.6e-300, -0.8e-300], 4.0 * f64::EPSILON, 0.0);
        let mut x = [f64::MAX; 4];
        L2Ball { radius: f64::MAX }.prox(&mut x, 1.0);
        assert_eq!(x, [f64::MAX / 2.0; 4]);
        L2Ball { radius: f64::INFINITY }.prox(&mut x, 1.0);
        assert_eq!(x, [f64::MAX / 2.0; 4]);
    }

    #[test]
    fn entries_that_are_no_numbers_stay_visible() {
        let mut x = [1.0, f64::NAN];
        L2Ball { radius: 1.0 }.prox(&mut x, 1.0);
        assert!(x[1].is_nan());
        assert_eq!(L2Ball { radius: 1.0 }.value(&x), f64::INFINITY);
    }
}
