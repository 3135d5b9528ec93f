//! The l2 sphere: the indicator of `norm2(x) = r`, a set that is not convex.
//!
//! Projection: `p = r y / norm2(y)`. Optimality: `p` is the point of the sphere nearest to `y`; `y - p` is normal to the
//! sphere, a multiple `(norm2(y) - r) / r` of `p`.
//! Jacobian, with `u = y / norm2(y)`: `J = r / norm2(y) (I - u u^T)`.
//!
//! The projection of 0 is undefined, all points of the sphere being equally near. The operator then leaves 0 in place
//! (so that `value` of its result is infinite) and takes the Jacobian 0; [`project_l2_sphere`] reports an error.
//!
//! | symbol | name | range |
//! |---|---|---|
//! | `r` | `radius` | `>= 0`; the sphere of radius 0 is the point 0 |
//!
//! Cost: `O(n)`. Entries of any finite magnitude are handled without overflow or underflow.
//! Reference: Absil, Mahony and Sepulchre (2008), "Optimization algorithms on matrix manifolds", section 4.1.1.

use crate::error::ProxError;
use crate::operator::{Prox, check_lengths, check_size, feasibility_tolerance, indicator};
use crate::scaled_norm::ScaledNorm;

/// The indicator of the vectors of l2 norm `radius`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct L2Sphere {
    /// Radius, `>= 0`.
    pub radius: f64,
}

impl Prox for L2Sphere {
    /// 0 where `|norm2(x) - radius|` is at most [`feasibility_tolerance`] times `radius`, else infinite.
    #[track_caller]
    fn value(&self, x: &[f64]) -> f64 {
        check_size("radius", self.radius);
        let norm = ScaledNorm::of(x).value();
        indicator((norm - self.radius).abs() <= feasibility_tolerance(x.len()) * self.radius)
    }

    #[track_caller]
    fn prox(&self, x: &mut [f64], _step: f64) {
        check_size("radius", self.radius);
        let norm = ScaledNorm::of(x);
        if !norm.is_zero() {
            x.iter_mut().for_each(|v| *v = norm.divide(*v) * self.radius);
        }
    }

    #[track_caller]
    fn jacobian_product(&self, point: &[f64], _step: f64, direction: &mut [f64]) {
        check_size("radius", self.radius);
        check_lengths(point, direction);
        let norm = ScaledNorm::of(point);
        if norm.is_zero() {
            return direction.fill(0.0);
        }
        let radial = norm.radial_part(point, direction);
        for (d, &y) in direction.iter_mut().zip(point) {
            *d = norm.divide(*d - radial * norm.divide(y)) * self.radius;
        }
    }
}

/// Projects `x` on the sphere of the given radius, in place.
///
/// # Errors
/// `x` is zero (and `radius` is not) or has an entry that is not finite, or `radius` is not finite and `>= 0`; `x` is
/// then left as it was.
pub fn project_l2_sphere(x: &mut [f64], radius: f64) -> Result<(), ProxError> {
    check_projectable(x, radius)?;
    if radius > 0.0 && ScaledNorm::of(x).is_zero() {
        return Err(ProxError::ZeroVector { radius });
    }
    L2Sphere { radius }.prox(x, 1.0);
    Ok(())
}

/// Whether a radius and the entries of `x` are finite, and the radius non-negative.
pub(crate) fn check_projectable(x: &[f64], radius: f64) -> Result<(), ProxError> {
    if !(radius >= 0.0 && radius.is_finite()) {
        return Err(ProxError::InvalidRadius { radius });
    }
    match x.iter().position(|v| !v.is_finite()) {
        Some(index) => Err(ProxError::NotFinite { index, value: x[index] }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::check_sphere;
    use testkit::assert_slices_close;

    #[test]
    fn is_the_projection_on_the_sphere() {
        for radius in [1e-3, 1.0, 50.0] {
            check_sphere(&L2Sphere { radius });
        }
    }

    #[test]
    fn extreme_magnitudes_keep_their_direction() {
        for scale in [1e200, 5e307, 1e-200, 1e-300, 1.0] {
            let mut x = [3.0 * scale, -3.0 * scale, 0.0];
            assert_eq!(project_l2_sphere(&mut x, 2.0), Ok(()));
            let expected = 2.0_f64.sqrt();
            assert_slices_close(&x, &[expected, -expected, 0.0], 4.0 * f64::EPSILON, 0.0);
        }
        let mut x = [f64::from_bits(3), f64::from_bits(4)];
        assert_eq!(project_l2_sphere(&mut x, 1e-5), Ok(()));
        assert_slices_close(&x, &[0.6e-5, 0.8e-5], 4.0 * f64::EPSILON, 0.0);
    }

    #[test]
    fn zero_stays_and_is_infeasible_or_an_error() {
        let sphere = L2Sphere { radius: 1.0 };
        let (mut x, mut direction) = ([0.0, 0.0], [1.0, 2.0]);
        sphere.prox(&mut x, 1.0);
        sphere.jacobian_product(&x, 1.0, &mut direction);
        assert_eq!((x, direction, sphere.value(&x)), ([0.0; 2], [0.0; 2], f64::INFINITY));
        assert_eq!(project_l2_sphere(&mut x, 1.0), Err(ProxError::ZeroVector { radius: 1.0 }));
        assert_eq!(project_l2_sphere(&mut [], 1.0), Err(ProxError::ZeroVector { radius: 1.0 }));
    }

    #[test]
    fn the_sphere_of_radius_zero_is_a_point() {
        let mut x = [3.0, 4.0];
        assert_eq!(project_l2_sphere(&mut x, 0.0), Ok(()));
        assert_eq!((x, L2Sphere { radius: 0.0 }.value(&x)), ([0.0; 2], 0.0));
        assert_eq!(project_l2_sphere(&mut x, 0.0), Ok(()));
    }

    #[test]
    fn misuse_is_an_error_that_leaves_the_point() {
        let mut x = [3.0, f64::INFINITY];
        assert_eq!(
            project_l2_sphere(&mut x, 1.0),
            Err(ProxError::NotFinite { index: 1, value: f64::INFINITY })
        );
        assert_eq!(x[0], 3.0);
        assert_eq!(project_l2_sphere(&mut [3.0], -1.0), Err(ProxError::InvalidRadius { radius: -1.0 }));
        assert!(matches!(project_l2_sphere(&mut [3.0], f64::NAN), Err(ProxError::InvalidRadius { .. })));
    }
}
