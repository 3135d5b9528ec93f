//! `D^T D` in `f64`: on and below the diagonal by products, above it by symmetry. Cost `k^2 d` flops, in parallel.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

/// Rows formed at a time, and rows and columns mirrored at a time.
const TILE: usize = 64;

/// Of `k` atoms, each padded to `rows` numbers; entry `(i, j)` at `j k + i`.
pub(super) fn gram(atoms: &[f64], rows: usize, k: usize) -> Vec<f64> {
    let mut gram = vec![0.0; k * k];
    let all = MatRef::from_column_major_slice(atoms, rows, k);
    gram.par_chunks_mut((k * TILE).max(1)).enumerate().for_each(|(block, part)| {
        let (first, n) = (block * TILE, part.len() / k);
        let below = MatMut::from_column_major_slice_mut(part, k, n).subrows_mut(first, k - first);
        let (left, right) = (all.subcols(first, k - first), all.subcols(first, n));
        matmul(below, Accum::Replace, left.transpose(), right, 1.0, Par::Seq);
    });
    for first in (TILE..k).step_by(TILE) {
        let (done, rest) = gram.split_at_mut(first * k);
        for tile in (0..first).step_by(TILE) {
            for (j, column) in rest.chunks_exact_mut(k).take(TILE).enumerate() {
                for (i, to) in column[tile..tile + TILE].iter_mut().enumerate() {
                    *to = done[(tile + i) * k + first + j];
                }
            }
        }
    }
    gram
}

#[cfg(test)]
mod tests {
    use super::*;
    use linalg::columns::dot;

    #[test]
    fn every_entry_is_a_product_of_two_atoms() {
        for (rows, k) in [(16, 0), (16, 1), (32, TILE), (16, TILE + 1), (16, 3 * TILE - 5)] {
            let atoms = testkit::normal_matrix(rows, k, k as u64);
            let gram = gram(&atoms, rows, k);
            let atom = |j: usize| &atoms[j * rows..(j + 1) * rows];
            for (i, j) in (0..k).flat_map(|i| (0..k).map(move |j| (i, j))) {
                testkit::assert_close(gram[j * k + i], dot(atom(i), atom(j)), 1e-13, 1e-13);
            }
        }
    }
}
