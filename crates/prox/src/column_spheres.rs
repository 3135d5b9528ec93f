//! Unit-norm atoms: the indicator of the matrices whose columns `d_j` all have `norm2(d_j) = r`.
//!
//! Projection, column by column: `p_j = r y_j / norm2(y_j)`. Jacobian, block diagonal:
//! `J_j = r / norm2(y_j) (I - u_j u_j^T)` with `u_j = y_j / norm2(y_j)`. Optimality and extremes are those of
//! [`L2Sphere`]; zero columns are left in place, and are an error of [`project_column_spheres`].
//!
//! | symbol | name | range |
//! |---|---|---|
//! | `r` | `radius` | `>= 0` |
//! | `m` | `column_length` | divides the number of entries |
//!
//! Cost: `O(n)` for `n` entries. Reference: Engan, Aase and Husoy (1999), "Method of optimal directions for frame
//! design".

use crate::columns::{columns, columns_mut, divides};
use crate::error::ProxError;
use crate::l2_sphere::{L2Sphere, check_projectable};
use crate::operator::{Prox, check_lengths};
use crate::scaled_norm::ScaledNorm;

/// The indicator of the column-major matrices with all columns of l2 norm `radius`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColumnSpheres {
    /// Entries of one column.
    pub column_length: usize,
    /// Norm of every column, `>= 0`.
    pub radius: f64,
}

impl Prox for ColumnSpheres {
    /// 0 where every column is on its sphere up to the rounding of [`L2Sphere`], else infinite.
    #[track_caller]
    fn value(&self, x: &[f64]) -> f64 {
        columns(x, self.column_length).map(|column| L2Sphere { radius: self.radius }.value(column)).sum()
    }

    #[track_caller]
    fn prox(&self, x: &mut [f64], step: f64) {
        for column in columns_mut(x, self.column_length) {
            L2Sphere { radius: self.radius }.prox(column, step);
        }
    }

    #[track_caller]
    fn jacobian_product(&self, point: &[f64], step: f64, direction: &mut [f64]) {
        check_lengths(point, direction);
        for (y, d) in columns(point, self.column_length).zip(columns_mut(direction, self.column_length)) {
            L2Sphere { radius: self.radius }.jacobian_product(y, step, d);
        }
    }
}

/// Projects every column of a column-major matrix on the sphere of the given radius, in place.
///
/// # Errors
/// A column is zero (and `radius` is not), an entry is not finite, the entries do not divide into columns, or `radius`
/// is not finite and `>= 0`; the matrix is then left as it was.
pub fn project_column_spheres(
    matrix: &mut [f64],
    column_length: usize,
    radius: f64,
) -> Result<(), ProxError> {
    if !divides(matrix.len(), column_length) {
        return Err(ProxError::ColumnLength { column_length, length: matrix.len() });
    }
    check_projectable(matrix, radius)?;
    let zero = columns(matrix, column_length).position(|d| ScaledNorm::of(d).is_zero());
    if let Some(column) = zero.filter(|_| radius > 0.0) {
        return Err(ProxError::ZeroColumn { column, radius });
    }
    ColumnSpheres { column_length, radius }.prox(matrix, 1.0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::check_sphere;
    use testkit::assert_slices_close;

    #[test]
    fn is_the_projection_on_a_product_of_spheres() {
        for column_length in [1, 2, 3, 6] {
            check_sphere(&ColumnSpheres { column_length, radius: 0.7 });
        }
    }

    #[test]
    fn columns_of_all_magnitudes_become_unit() {
        let mut matrix = [3e200, 4e200, 3.0, -4.0, 3e-200, 4e-200];
        assert_eq!(project_column_spheres(&mut matrix, 2, 1.0), Ok(()));
        assert_slices_close(&matrix, &[0.6, 0.8, 0.6, -0.8, 0.6, 0.8], 4.0 * f64::EPSILON, 0.0);
        assert_eq!(ColumnSpheres { column_length: 2, radius: 1.0 }.value(&matrix), 0.0);
    }

    #[test]
    fn errors_name_the_column_and_leave_the_matrix() {
        let mut matrix = [3.0, 4.0, 0.0, 0.0];
        assert_eq!(
            project_column_spheres(&mut matrix, 2, 1.0),
            Err(ProxError::ZeroColumn { column: 1, radius: 1.0 })
        );
        assert_eq!(matrix, [3.0, 4.0, 0.0, 0.0]);
        let length = |column_length| Err(ProxError::ColumnLength { column_length, length: 4 });
        assert_eq!(project_column_spheres(&mut matrix, 3, 1.0), length(3));
        assert_eq!(project_column_spheres(&mut matrix, 0, 1.0), length(0));
        assert_eq!(project_column_spheres(&mut [], 0, 1.0), Ok(()));
    }

    #[test]
    fn a_zero_column_is_infeasible() {
        let mut matrix = [3.0, 4.0, 0.0, 0.0];
        let spheres = ColumnSpheres { column_length: 2, radius: 1.0 };
        spheres.prox(&mut matrix, 1.0);
        assert_slices_close(&matrix, &[0.6, 0.8, 0.0, 0.0], f64::EPSILON, 0.0);
        assert_eq!(spheres.value(&matrix), f64::INFINITY);
    }

    #[test]
    #[should_panic(expected = "4 entries do not divide into columns of 3")]
    fn entries_that_do_not_divide_panic() {
        ColumnSpheres { column_length: 3, radius: 1.0 }.prox(&mut [1.0; 4], 1.0);
    }
}
