//! Bounded atoms: the indicator of the matrices whose columns `d_j` all have `norm2(d_j) <= r`.
//!
//! Projection, column by column: `p_j = y_j` where `norm2(y_j) <= r`, else `r y_j / norm2(y_j)`. The Jacobian is block
//! diagonal, with the blocks of [`L2Ball`]; so are optimality and extremes. Zero columns are feasible.
//!
//! | symbol | name | range |
//! |---|---|---|
//! | `r` | `radius` | `>= 0` |
//! | `m` | `column_length` | divides the number of entries |
//!
//! Cost: `O(n)` for `n` entries. Reference: Mairal, Bach, Ponce and Sapiro (2010), "Online learning for matrix
//! factorization and sparse coding", whose dictionaries are this set.

use crate::columns::{columns, columns_mut};
use crate::l2_ball::L2Ball;
use crate::operator::{Prox, check_lengths};

/// The indicator of the column-major matrices with all columns of l2 norm at most `radius`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColumnBalls {
    /// Entries of one column.
    pub column_length: usize,
    /// Largest norm of a column, `>= 0`.
    pub radius: f64,
}

impl Prox for ColumnBalls {
    /// 0 where every column is in its ball up to the rounding of [`L2Ball`], else infinite.
    #[track_caller]
    fn value(&self, x: &[f64]) -> f64 {
        columns(x, self.column_length).map(|column| L2Ball { radius: self.radius }.value(column)).sum()
    }

    #[track_caller]
    fn prox(&self, x: &mut [f64], step: f64) {
        for column in columns_mut(x, self.column_length) {
            L2Ball { radius: self.radius }.prox(column, step);
        }
    }

    #[track_caller]
    fn jacobian_product(&self, point: &[f64], step: f64, direction: &mut [f64]) {
        check_lengths(point, direction);
        for (y, d) in columns(point, self.column_length).zip(columns_mut(direction, self.column_length)) {
            L2Ball { radius: self.radius }.jacobian_product(y, step, d);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::check_convex_projection;
    use testkit::assert_slices_close;

    #[test]
    fn is_the_projection_on_a_product_of_balls() {
        for (column_length, radius) in [(1, 0.5), (2, 1.0), (3, 1.5), (6, 0.0)] {
            check_convex_projection(&ColumnBalls { column_length, radius });
        }
    }

    #[test]
    fn only_long_columns_move() {
        let mut matrix = [0.3, 0.4, 0.0, 0.0, 3e200, 4e200];
        ColumnBalls { column_length: 2, radius: 1.0 }.prox(&mut matrix, 1.0);
        assert_slices_close(&matrix, &[0.3, 0.4, 0.0, 0.0, 0.6, 0.8], 4.0 * f64::EPSILON, 0.0);
    }
}
