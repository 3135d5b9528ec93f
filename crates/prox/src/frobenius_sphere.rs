//! The Frobenius sphere: the indicator of the matrices with `norm_F(X) = r`, the slice being all entries of `X`.
//!
//! Projection: `P = r Y / norm_F(Y)`. Jacobian: `J D = r / norm_F(Y) (D - U <U, D>)`, with `U = Y / norm_F(Y)` and
//! `<U, D> = sum_ij U_ij D_ij`. The norm is the l2 norm of the entries, so this is the l2 sphere of the whole slice;
//! optimality, extremes and the zero matrix are as there ([`L2Sphere`]).
//!
//! | symbol | name | range |
//! |---|---|---|
//! | `r` | `radius` | `>= 0` |
//!
//! Cost: `O(n)` for `n` entries. Reference: Golub and Van Loan (2013), "Matrix computations", section 2.3.1.

use crate::error::ProxError;
use crate::l2_sphere::{L2Sphere, project_l2_sphere};
use crate::operator::Prox;

/// The indicator of the matrices of Frobenius norm `radius`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FrobeniusSphere {
    /// Radius, `>= 0`.
    pub radius: f64,
}

impl Prox for FrobeniusSphere {
    /// 0 up to the rounding of [`L2Sphere`], else infinite.
    #[track_caller]
    fn value(&self, x: &[f64]) -> f64 {
        L2Sphere { radius: self.radius }.value(x)
    }

    #[track_caller]
    fn prox(&self, x: &mut [f64], step: f64) {
        L2Sphere { radius: self.radius }.prox(x, step);
    }

    #[track_caller]
    fn jacobian_product(&self, point: &[f64], step: f64, direction: &mut [f64]) {
        L2Sphere { radius: self.radius }.jacobian_product(point, step, direction);
    }
}

/// Projects the matrix with the entries `matrix` on the Frobenius sphere of the given radius, in place.
///
/// # Errors
/// As [`project_l2_sphere`]: a zero matrix, an entry that is not finite, an invalid radius.
pub fn project_frobenius_sphere(matrix: &mut [f64], radius: f64) -> Result<(), ProxError> {
    project_l2_sphere(matrix, radius)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::check_sphere;

    #[test]
    fn is_the_projection_on_the_frobenius_sphere() {
        check_sphere(&FrobeniusSphere { radius: 3.0 });
    }

    #[test]
    fn a_zero_matrix_is_an_error() {
        assert_eq!(project_frobenius_sphere(&mut [0.0; 6], 1.0), Err(ProxError::ZeroVector { radius: 1.0 }));
        let mut matrix = [1.0; 4];
        assert_eq!(project_frobenius_sphere(&mut matrix, 1.0), Ok(()));
        assert_eq!(matrix, [0.5; 4]);
    }
}
