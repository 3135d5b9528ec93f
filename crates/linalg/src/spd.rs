//! Symmetric positive definite systems: Cholesky `H = L L^T`, with a rank decision.
//!
//! `H` is `s x s`, column-major, lower triangle used. Cost `s^3 / 3` to factor and `2 s^2` to solve.
//! The pivot ratio `min_j L_jj^2 / H_jj` is the squared sine of the smallest angle between a column of a factor `A`
//! of `H = A^T A` and the span of the earlier ones: 0 when a column depends on them. A ratio below
//! [`RANK_TOLERANCE`] is reported as deficient; [`minimum_norm_solve`] then gives the solution on the range.
//! Source: Golub and Van Loan, Matrix Computations, 4.2.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt;
use faer::{MatMut, MatRef, Par, Side};

/// Pivot ratio under which a matrix counts as rank deficient: a few hundred roundings of a Gram entry.
pub const RANK_TOLERANCE: f64 = 1e-13;

/// A Cholesky factor with its scratch, reused from system to system.
pub struct SpdFactor {
    matrix: Vec<f64>,
    size: usize,
    diagonal: Vec<f64>,
    scratch: MemBuffer,
    scratch_size: usize,
}

/// What a factorisation found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SpdStatus {
    /// Positive definite, with its smallest pivot ratio.
    Definite {
        /// `min_j L_jj^2 / H_jj`, in (0, 1].
        pivot_ratio: f64,
    },
    /// Not positive definite to working precision: do not solve with this factor.
    Deficient {
        /// The smallest pivot ratio found; 0 where a pivot was not positive.
        pivot_ratio: f64,
    },
}

impl Default for SpdFactor {
    fn default() -> Self {
        Self { matrix: Vec::new(), size: 0, diagonal: Vec::new(), scratch: scratch_for(0), scratch_size: 0 }
    }
}

fn scratch_for(size: usize) -> MemBuffer {
    MemBuffer::new(llt::factor::cholesky_in_place_scratch::<f64>(size, Par::Seq, Default::default()))
}

impl SpdFactor {
    /// Size of the system factored last.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The matrix to fill before [`SpdFactor::factor`]: `size x size`, column-major, zeroed.
    pub fn start(&mut self, size: usize) -> &mut [f64] {
        self.size = size;
        self.matrix.clear();
        self.matrix.resize(size * size, 0.0);
        &mut self.matrix
    }

    /// Factors the matrix filled in after [`SpdFactor::start`] (its lower triangle), in place.
    pub fn factor(&mut self) -> SpdStatus {
        let s = self.size;
        self.diagonal.clear();
        self.diagonal.extend((0..s).map(|j| self.matrix[j * s + j]));
        if self.diagonal.iter().any(|&h| !(h > 0.0 && h.is_finite())) {
            return SpdStatus::Deficient { pivot_ratio: 0.0 };
        }
        if s > self.scratch_size {
            self.scratch = scratch_for(s);
            self.scratch_size = s;
        }
        let matrix = MatMut::from_column_major_slice_mut(&mut self.matrix, s, s);
        let stack = MemStack::new(&mut self.scratch);
        let done =
            llt::factor::cholesky_in_place(matrix, Default::default(), Par::Seq, stack, Default::default());
        if done.is_err() {
            return SpdStatus::Deficient { pivot_ratio: 0.0 };
        }
        let ratio = |j: usize| self.matrix[j * s + j] * self.matrix[j * s + j] / self.diagonal[j];
        let pivot_ratio = (0..s).map(ratio).fold(1.0, f64::min);
        if pivot_ratio > RANK_TOLERANCE {
            SpdStatus::Definite { pivot_ratio }
        } else {
            SpdStatus::Deficient { pivot_ratio }
        }
    }

    /// Solves `H x = rhs` in place with the factor of a definite matrix.
    ///
    /// # Panics
    /// If `rhs` does not have the size of the system.
    #[track_caller]
    pub fn solve(&self, rhs: &mut [f64]) {
        let s = self.size;
        assert_eq!(rhs.len(), s, "right-hand side and system differ in size");
        for j in 0..s {
            let column = &self.matrix[j * s..(j + 1) * s];
            rhs[j] /= column[j];
            let (head, tail) = rhs.split_at_mut(j + 1);
            crate::columns::add_scaled(tail, -head[j], &column[j + 1..]);
        }
        for j in (0..s).rev() {
            let column = &self.matrix[j * s..(j + 1) * s];
            rhs[j] = (rhs[j] - crate::columns::dot(&column[j + 1..], &rhs[j + 1..])) / column[j];
        }
    }
}

/// The solution of least norm of `min |H x - rhs|` for a symmetric positive semidefinite `H` (`s x s`, column-major,
/// lower triangle), from its eigenvalues above `s 1e-15` of the largest, and the rank so found. `None` if the
/// eigenvalue iteration fails or an entry is not finite. Cost about `9 s^3`.
pub fn minimum_norm_solve(matrix: &[f64], rhs: &[f64]) -> Option<(Vec<f64>, usize)> {
    let s = rhs.len();
    if s == 0 {
        return Some((Vec::new(), 0));
    }
    if matrix.iter().chain(rhs).any(|v| !v.is_finite()) {
        return None;
    }
    let h = MatRef::from_column_major_slice(matrix, s, s);
    let eigen = h.self_adjoint_eigen(Side::Lower).ok()?;
    let (values, vectors) = (eigen.S().column_vector(), eigen.U());
    let largest = (0..s).map(|i| values[i].abs()).fold(0.0, f64::max);
    let (mut x, mut rank) = (vec![0.0; s], 0);
    for i in (0..s).filter(|&i| values[i] > largest * 1e-15 * s as f64) {
        let along: f64 = (0..s).map(|t| vectors[(t, i)] * rhs[t]).sum();
        (0..s).for_each(|t| x[t] += along / values[i] * vectors[(t, i)]);
        rank += 1;
    }
    Some((x, rank))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gram_of(values: &[f64], rows: usize, columns: usize) -> Vec<f64> {
        let g = crate::products::gram(MatRef::from_column_major_slice(values, rows, columns));
        (0..columns).flat_map(|j| (0..columns).map(move |i| (i, j))).map(|(i, j)| g[(i, j)]).collect()
    }

    #[test]
    fn solves_what_it_factored() {
        let mut factor = SpdFactor::default();
        for s in [0, 1, 2, 5, 17, 80] {
            let h = gram_of(&testkit::normal_matrix(2 * s + 1, s, 5), 2 * s + 1, s);
            factor.start(s).copy_from_slice(&h);
            assert!(matches!(factor.factor(), SpdStatus::Definite { .. }), "size {s}");
            let rhs = testkit::normal_matrix(s, 1, 6);
            let mut x = rhs.clone();
            factor.solve(&mut x);
            for i in 0..s {
                let product: f64 = (0..s).map(|j| h[j * s + i] * x[j]).sum();
                testkit::assert_close(product, rhs[i], 1e-9, 1e-9);
            }
            let (minimum_norm, rank) = minimum_norm_solve(&h, &rhs).expect("finite");
            assert_eq!(rank, s);
            testkit::assert_slices_close(&minimum_norm, &x, 1e-7, 1e-7);
        }
    }

    #[test]
    fn a_repeated_column_is_deficient_and_solved_on_the_range() {
        let mut a = testkit::normal_matrix(6, 3, 9);
        let first = a[..6].to_vec();
        a[12..].copy_from_slice(&first);
        let h = gram_of(&a, 6, 3);
        let mut factor = SpdFactor::default();
        factor.start(3).copy_from_slice(&h);
        assert!(matches!(factor.factor(), SpdStatus::Deficient { .. }));
        let rhs = [h[0], h[1], h[2]];
        let (x, rank) = minimum_norm_solve(&h, &rhs).expect("finite");
        assert_eq!(rank, 2);
        testkit::assert_slices_close(&x, &[0.5, 0.0, 0.5], 1e-12, 1e-12);
    }
}
