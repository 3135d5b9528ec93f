//! Symmetric positive definite systems: Cholesky `H = U E U^T`, with a rank decision.
//!
//! `H` is `s x s`, column-major, lower triangle used; `U` is lower triangular, `E` the diagonal with `e_j = 1 / U_jj`
//! (so `U E^(1/2)` is the usual factor and there are no roots to take). Cost `s^3 / 3` to factor and `2 s^2` to solve.
//! Column by column (left-looking) in chunks of the instruction set up to a size of 64, by blocks beyond.
//! The pivot ratio `min_j U_jj / H_jj` is the squared sine of the smallest angle between a column of a factor `A`
//! of `H = A^T A` and the span of the earlier ones: 0 when a column depends on them. A ratio below
//! [`RANK_TOLERANCE`] is reported as deficient; [`minimum_norm_solve`] then gives the solution on the range.
//! Source: Golub and Van Loan, Matrix Computations, 4.1 and 4.2.

use crate::simd::{CHUNK, Isa, Kernel, Simd, chunks, chunks_mut, padded};
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt;
use faer::{MatMut, MatRef, Par, Side};

/// Pivot ratio under which a matrix counts as rank deficient: a few hundred roundings of a Gram entry.
pub const RANK_TOLERANCE: f64 = 1e-13;

/// Largest size that is factored column by column: its factor stays in the first cache.
const LARGEST_PLAIN: usize = 64;

/// A Cholesky factor with its memory, reused from system to system.
pub struct SpdFactor {
    isa: Isa,
    /// `H`, kept as it was filled in.
    matrix: Vec<f64>,
    size: usize,
    /// `U`, columns padded to whole chunks; nothing is meant by the entries above the diagonal.
    factor: Vec<f64>,
    /// `1 / U_jj`.
    inverse: Vec<f64>,
    scratch: MemBuffer,
    scratch_size: usize,
}

/// What a factorisation found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SpdStatus {
    /// Positive definite, with its smallest pivot ratio.
    Definite {
        /// `min_j U_jj / H_jj`, in (0, 1].
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
        Self {
            isa: Isa::detect(),
            matrix: Vec::new(),
            size: 0,
            factor: Vec::new(),
            inverse: Vec::new(),
            scratch: MemBuffer::new(faer::dyn_stack::StackReq::EMPTY),
            scratch_size: 0,
        }
    }
}

impl SpdFactor {
    /// Sets the instruction set to factor with (at first the best one of the machine).
    pub fn use_isa(&mut self, isa: Isa) {
        self.isa = isa;
    }

    /// Size of the system filled in last.
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

    /// The matrix as it was filled in: [`SpdFactor::factor`] leaves it alone.
    pub fn matrix(&self) -> &[f64] {
        &self.matrix
    }

    /// Leaves only these rows and columns (ascending) of the matrix; to be factored anew.
    ///
    /// # Panics
    /// If one of them is not there.
    #[track_caller]
    pub fn keep(&mut self, kept: &[usize]) {
        let (old, new) = (self.size, kept.len());
        assert!(kept.last().is_none_or(|&last| last < old), "a row to keep is not there");
        for (b, &from) in kept.iter().enumerate() {
            for (a, &row) in kept.iter().enumerate().skip(b) {
                self.matrix[b * new + a] = self.matrix[from * old + row];
            }
        }
        self.matrix.truncate(new * new);
        self.size = new;
    }

    /// Factors the matrix filled in after [`SpdFactor::start`] (its lower triangle).
    pub fn factor(&mut self) -> SpdStatus {
        let s = self.size;
        let diagonal = || (0..s).map(|j| self.matrix[j * s + j]);
        if diagonal().any(|h| !(h > 0.0 && h.is_finite())) {
            return SpdStatus::Deficient { pivot_ratio: 0.0 };
        }
        let rows = padded(s);
        self.factor.resize((rows * s).max(self.factor.len()), 0.0);
        self.inverse.resize(s.max(self.inverse.len()), 0.0);
        for (to, from) in self.factor.chunks_exact_mut(rows.max(1)).zip(self.matrix.chunks_exact(s.max(1))) {
            to[..s].copy_from_slice(from);
        }
        let (factor, inverse) = (&mut self.factor[..rows * s], &mut self.inverse[..s]);
        let done = if s <= LARGEST_PLAIN {
            self.isa.run(Columns { factor, inverse })
        } else {
            if s > self.scratch_size {
                let needed = llt::factor::cholesky_in_place_scratch::<f64>(s, Par::Seq, Default::default());
                self.scratch = MemBuffer::new(needed);
                self.scratch_size = s;
            }
            factor_blocked(factor, inverse, MemStack::new(&mut self.scratch))
        };
        if !done {
            return SpdStatus::Deficient { pivot_ratio: 0.0 };
        }
        let ratios = diagonal().enumerate().map(|(j, h)| self.factor[j * rows + j] / h);
        let pivot_ratio = ratios.fold(1.0, f64::min);
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
        let (factor, inverse) = (&self.factor[..padded(s) * s], &self.inverse[..s]);
        if s <= LARGEST_PLAIN {
            self.isa.run(Solve { factor, inverse, rhs });
        } else {
            solve_by_columns(factor, inverse, rhs);
        }
    }
}

/// As [`Solve`], both sweeps along the columns of `U`.
fn solve_by_columns(factor: &[f64], inverse: &[f64], rhs: &mut [f64]) {
    let s = inverse.len();
    let column = |j: usize| &factor[j * padded(s) + j + 1..j * padded(s) + s];
    for j in 0..s {
        rhs[j] *= inverse[j];
        let (head, tail) = rhs.split_at_mut(j + 1);
        crate::columns::add_scaled(tail, -head[j], column(j));
    }
    for j in (0..s).rev() {
        rhs[j] -= crate::columns::dot(column(j), &rhs[j + 1..]) * inverse[j];
    }
}

/// `U` and `1 / U_jj` from `H` in place, by blocks; `false` where `H` is not positive definite.
fn factor_blocked(factor: &mut [f64], inverse: &mut [f64], stack: &mut MemStack) -> bool {
    let s = inverse.len();
    let rows = padded(s);
    let matrix = MatMut::from_column_major_slice_with_stride_mut(factor, s, s, rows);
    if llt::factor::cholesky_in_place(matrix, Default::default(), Par::Seq, stack, Default::default())
        .is_err()
    {
        return false;
    }
    for (j, inverse) in inverse.iter_mut().enumerate() {
        let root = factor[j * rows + j];
        factor[j * rows + j..j * rows + s].iter_mut().for_each(|u| *u *= root);
        *inverse = 1.0 / factor[j * rows + j];
    }
    true
}

/// `U` and `1 / U_jj` from `H` in place, column by column; `false` where a pivot is not positive.
struct Columns<'a> {
    factor: &'a mut [f64],
    inverse: &'a mut [f64],
}

impl Kernel for Columns<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> bool {
        let rows = padded(self.inverse.len());
        let mut scaled = [0.0; LARGEST_PLAIN];
        for b in 0..self.inverse.len() {
            let (done, rest) = self.factor.split_at_mut(b * rows);
            // Row b of U E, before the diagonal.
            for (j, value) in scaled[..b].iter_mut().enumerate() {
                *value = -done[j * rows + b] * self.inverse[j];
            }
            for first in (b / CHUNK..rows / CHUNK).step_by(2) {
                let column = &mut chunks_mut(&mut rest[..rows])[first..];
                let earlier = done.chunks_exact(rows).map(|column| &column[first * CHUNK..]);
                if column.len() > 1 {
                    add_columns::<S, 2>(simd, column, earlier, &scaled);
                } else {
                    add_columns::<S, 1>(simd, column, earlier, &scaled);
                }
            }
            let pivot = rest[b];
            if !(pivot > 0.0 && pivot.is_finite()) {
                return false;
            }
            self.inverse[b] = 1.0 / pivot;
        }
        true
    }
}

/// `column += sum_j factor_j earlier_j` for N chunks.
#[inline(always)]
fn add_columns<'a, S: Simd, const N: usize>(
    simd: S,
    column: &mut [[f64; CHUNK]],
    earlier: impl Iterator<Item = &'a [f64]>,
    factors: &[f64],
) {
    let mut sums: [S::F64; N] = std::array::from_fn(|i| simd.load64(&column[i]));
    for (earlier, factor) in earlier.zip(factors) {
        let (factor, earlier) = (simd.splat64(*factor), &chunks(earlier)[..N]);
        for i in 0..N {
            sums[i] = simd.fma64(simd.load64(&earlier[i]), factor, sums[i]);
        }
    }
    (0..N).for_each(|i| simd.store64(&mut column[i], sums[i]));
}

/// `w = E U^-1 rhs`, then `x_j = w_j - e_j sum_(i > j) U_ij x_i`; sums end with the newest entry, which is waited for.
struct Solve<'a> {
    factor: &'a [f64],
    inverse: &'a [f64],
    rhs: &'a mut [f64],
}

impl Kernel for Solve<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (s, x) = (self.inverse.len(), self.rhs);
        let rows = padded(s);
        for j in 0..s {
            let (done, rest) = x.split_at_mut(j);
            let terms = done.iter().enumerate().map(|(i, w)| self.factor[i * rows + j] * w);
            rest[0] = terms.fold(rest[0], |sum, term| sum - term) * self.inverse[j];
        }
        for j in (0..s).rev() {
            let column = &self.factor[j * rows + j + 1..j * rows + s];
            let terms = column.iter().zip(&x[j + 1..]).rev().map(|(u, x)| u * x);
            x[j] -= terms.fold(0.0, |sum, term| sum + term) * self.inverse[j];
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
        for s in [0, 1, 2, 5, 15, 16, 17, 33, 64, 65, 80, 130] {
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
    fn rows_that_are_kept_make_the_smaller_system() {
        let (kept, s) = ([0, 2, 3, 6], 7);
        let h = gram_of(&testkit::normal_matrix(12, s, 5), 12, s);
        let (mut factor, mut alone) = (SpdFactor::default(), SpdFactor::default());
        factor.start(s).copy_from_slice(&h);
        factor.factor();
        assert_eq!(factor.matrix(), h);
        factor.keep(&kept);
        let matrix = alone.start(4);
        for (b, &j) in kept.iter().enumerate() {
            kept.iter().enumerate().for_each(|(a, &i)| matrix[b * 4 + a] = h[j * s + i]);
        }
        assert_eq!((factor.size(), factor.factor()), (4, alone.factor()));
        let (mut x, mut y) = ([1.0, -2.0, 3.0, 0.5], [1.0, -2.0, 3.0, 0.5]);
        factor.solve(&mut x);
        alone.solve(&mut y);
        assert_eq!(x, y);
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
