//! `A = Q R` for a matrix whose columns come and go: `Q` with orthonormal columns (`m x s`), `R` upper triangular (`s x s`).
//!
//! `R` is the transposed Cholesky factor of `A^T A`, found without forming it: a column at the angle 1e-8 to the span of
//! the others is told apart, which the Gram matrix (1e-16 = one rounding) cannot do.
//! Appending is Gram-Schmidt, repeated until nothing is left along `Q` (`4 m s` flops a pass, two passes as a rule);
//! deleting column `i` restores the triangle by Givens rotations (`6 (s - i)(m + s)`).
//! Source: Daniel, Gragg, Kaufman, Stewart (1976), reorthogonalization and stable algorithms for updating QR.

use crate::columns::{add_scaled, dot, norm};

/// The factors of the columns appended and not deleted, in the order they came.
#[derive(Clone, Debug, Default)]
pub struct UpdatableQr {
    rows: usize,
    /// Columns of `Q`.
    basis: Vec<Vec<f64>>,
    /// Columns of `R`; column `i` has `i + 1` entries.
    upper: Vec<Vec<f64>>,
}

/// Passes of Gram-Schmidt at most.
const PASSES: usize = 4;

impl UpdatableQr {
    /// No columns, of `rows` entries each.
    pub fn start(&mut self, rows: usize) {
        self.rows = rows;
        self.basis.clear();
        self.upper.clear();
    }

    /// Number of columns `s`.
    pub fn size(&self) -> usize {
        self.basis.len()
    }

    /// Number of rows `m`.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Adds a row of zeros.
    pub fn add_row(&mut self) {
        self.rows += 1;
        self.basis.iter_mut().for_each(|q| q.push(0.0));
    }

    /// Sets row `t` of `Q` to zero: what it is up to rounding once the columns with an entry there have been deleted.
    pub fn clear_row(&mut self, t: usize) {
        self.basis.iter_mut().for_each(|q| q[t] = 0.0);
    }

    /// Appends a column; `false`, and nothing changed, where it depends on the others: the part outside their span is
    /// below `8 sqrt(m)` roundings of the column (or the column is zero or not finite).
    ///
    /// # Panics
    /// If the column does not have `m` entries.
    #[track_caller]
    pub fn append(&mut self, column: &[f64]) -> bool {
        assert_eq!(column.len(), self.rows, "column and factor differ in their number of rows");
        let floor = 8.0 * f64::EPSILON * (self.rows as f64).sqrt() * norm(column);
        let mut rest = column.to_vec();
        let mut along = vec![0.0; self.size() + 1];
        let mut height = norm(column);
        for _ in 0..PASSES {
            for (q, total) in self.basis.iter().zip(&mut along) {
                let part = dot(q, &rest);
                add_scaled(&mut rest, -part, q);
                *total += part;
            }
            let before = height;
            height = norm(&rest);
            if !(height > floor && height.is_finite()) {
                return false;
            }
            if height > 0.7 * before {
                break;
            }
        }
        rest.iter_mut().for_each(|v| *v /= height);
        along[self.basis.len()] = height;
        self.basis.push(rest);
        self.upper.push(along);
        true
    }

    /// Deletes column `position`; the later ones move up by one.
    ///
    /// # Panics
    /// If there is no such column.
    #[track_caller]
    pub fn delete(&mut self, position: usize) {
        self.upper.remove(position);
        for l in position..self.upper.len() {
            let (a, b) = (self.upper[l][l], self.upper[l][l + 1]);
            let length = a.hypot(b);
            let (cosine, sine) = (a / length, b / length);
            for column in &mut self.upper[l..] {
                (column[l], column[l + 1]) = rotated(column[l], column[l + 1], cosine, sine);
            }
            self.upper[l].truncate(l + 1);
            let (head, tail) = self.basis.split_at_mut(l + 1);
            for (p, q) in head[l].iter_mut().zip(&mut tail[0]) {
                (*p, *q) = rotated(*p, *q, cosine, sine);
            }
        }
        self.basis.pop();
    }

    /// `Q^T vector`, `s` numbers. Cost `2 m s`.
    pub fn project(&self, vector: &[f64]) -> Vec<f64> {
        self.basis.iter().map(|q| dot(q, vector)).collect()
    }

    /// `Q y`, `m` numbers. Cost `2 m s`.
    pub fn combine(&self, y: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; self.rows];
        self.basis.iter().zip(y).for_each(|(q, &factor)| add_scaled(&mut out, factor, q));
        out
    }

    /// `R^T z` relative to the norms of the columns of `A`, the largest of `s` entries: what `z = Q^T r` says of
    /// `A^T r`. Cost `2 s^2`.
    pub fn largest_correlation(&self, z: &[f64]) -> f64 {
        let sizes = self.upper.iter().map(|column| dot(column, &z[..column.len()]).abs() / norm(column));
        sizes.fold(0.0, f64::max)
    }

    /// Solves `R^T y = rhs` in place. Cost `s^2`.
    pub fn solve_transposed(&self, rhs: &mut [f64]) {
        for (i, column) in self.upper.iter().enumerate() {
            rhs[i] = (rhs[i] - dot(&column[..i], &rhs[..i])) / column[i];
        }
    }

    /// Solves `R x = rhs` in place. Cost `s^2`.
    pub fn solve(&self, rhs: &mut [f64]) {
        for (i, column) in self.upper.iter().enumerate().rev() {
            rhs[i] /= column[i];
            let (head, tail) = rhs.split_at_mut(i);
            add_scaled(head, -tail[0], &column[..i]);
        }
    }
}

fn rotated(a: f64, b: f64, cosine: f64, sine: f64) -> (f64, f64) {
    (cosine * a + sine * b, cosine * b - sine * a)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `Q^T Q = I` and `Q R = A`, entry by entry.
    fn check(factor: &UpdatableQr, columns: &[&[f64]]) {
        assert_eq!(factor.size(), columns.len());
        for (i, column) in columns.iter().enumerate() {
            let unit = factor.project(&factor.basis[i]);
            let expected: Vec<f64> = (0..columns.len()).map(|l| f64::from(u8::from(l == i))).collect();
            testkit::assert_slices_close(&unit, &expected, 0.0, 1e-14);
            let mut weights = factor.upper[i].clone();
            weights.resize(columns.len(), 0.0);
            testkit::assert_slices_close(&factor.combine(&weights), column, 0.0, 1e-13);
        }
    }

    #[test]
    fn columns_come_and_go() {
        let values = testkit::normal_matrix(12, 10, 3);
        let all: Vec<&[f64]> = values.chunks(12).collect();
        let mut factor = UpdatableQr::default();
        factor.start(12);
        let mut kept: Vec<&[f64]> = Vec::new();
        for round in 0..60_usize {
            if kept.len() < 3 || !(round * 7).is_multiple_of(3) {
                let Some(new) = all.iter().find(|a| !kept.contains(a)) else { continue };
                assert!(factor.append(new));
                kept.push(new);
            } else {
                let position = round * 5 % kept.len();
                factor.delete(position);
                kept.remove(position);
            }
            check(&factor, &kept);
        }
    }

    #[test]
    fn the_triangles_solve_the_normal_equations() {
        let (columns, x) = (testkit::normal_matrix(9, 4, 5), testkit::normal_vector(9, 6));
        let mut factor = UpdatableQr::default();
        factor.start(9);
        assert!(columns.chunks(9).all(|column| factor.append(column)));
        let correlations: Vec<f64> = columns.chunks(9).map(|a| dot(a, &x)).collect();
        let mut by_normal_equations = correlations.clone();
        factor.solve_transposed(&mut by_normal_equations);
        testkit::assert_slices_close(&by_normal_equations, &factor.project(&x), 1e-13, 1e-13);
        let cosines = columns.chunks(9).zip(&correlations).map(|(a, v)| v.abs() / norm(a));
        let largest = factor.largest_correlation(&by_normal_equations);
        testkit::assert_close(largest, cosines.fold(0.0, f64::max), 1e-14, 0.0);
        factor.solve(&mut by_normal_equations);
        let mut residual = x.clone();
        let pairs = columns.chunks(9).zip(&by_normal_equations);
        pairs.for_each(|(a, &c)| add_scaled(&mut residual, -c, a));
        let left: Vec<f64> = columns.chunks(9).map(|a| dot(a, &residual)).collect();
        testkit::assert_slices_close(&left, &[0.0; 4], 0.0, 1e-13);
    }

    #[test]
    fn dependent_columns_are_refused_and_nearly_dependent_ones_resolved() {
        let values = testkit::normal_matrix(7, 3, 8);
        let (first, second, noise) = (&values[..7], &values[7..14], &values[14..]);
        let mixed = |size: f64| -> Vec<f64> {
            (0..7).map(|t| 2.0 * first[t] - second[t] + size * noise[t]).collect()
        };
        let mut factor = UpdatableQr::default();
        factor.start(7);
        assert!(factor.append(first) && factor.append(second));
        for column in [mixed(0.0), vec![0.0; 7], vec![f64::NAN; 7], first.to_vec()] {
            assert!(!factor.append(&column));
            check(&factor, &[first, second]);
        }
        for size in [1e-4, 1e-8, 1e-11] {
            let near = mixed(size);
            assert!(factor.append(&near), "{size:e}");
            check(&factor, &[first, second, &near]);
            factor.delete(2);
        }
        factor.add_row();
        let longer: Vec<f64> = first.iter().copied().chain([1.0]).collect();
        assert!(factor.append(&longer), "told apart by the new row");
        factor.delete(2);
        factor.clear_row(7);
        assert_eq!((factor.rows(), factor.size()), (8, 2));
    }
}
