//! `D^T D`: on and below the diagonal by products, above it by symmetry. Cost `k^2 d` flops, in parallel.

use faer::linalg::matmul::matmul;
use faer::traits::ComplexField;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

/// Rows formed at a time, and mirrored at a time.
const TILE: usize = 64;
/// Columns mirrored at a time: a cache line of the rows that they come from.
const STRIP: usize = 16;

/// Of the `k` columns of `atoms`, in the precision of these; entry `(i, j)` goes to `j columns + i` of `gram`.
pub(crate) fn fill_gram<T: ComplexField + Copy + Send + Sync>(
    gram: &mut [T],
    columns: usize,
    atoms: MatRef<'_, T>,
) {
    let k = atoms.ncols();
    gram.par_chunks_mut((columns * TILE).max(1)).enumerate().for_each(|(block, part)| {
        let (first, n) = (block * TILE, part.len() / columns);
        let below = MatMut::from_column_major_slice_mut(part, columns, n).subrows_mut(first, k - first);
        let (left, right) = (atoms.subcols(first, k - first), atoms.subcols(first, n));
        matmul(below, Accum::Replace, left.transpose(), right, T::one_impl(), Par::Seq);
    });
    for first in (TILE..k).step_by(TILE) {
        let (done, rest) = gram.split_at_mut(first * columns);
        let block = &mut rest[..TILE.min(k - first) * columns];
        block.par_chunks_mut(columns * STRIP).enumerate().for_each(|(strip, part)| {
            mirror(part, done, columns, first, first + strip * STRIP);
        });
    }
}

/// The first `first` entries of the columns from `j` on, which lie in `part`, from the rows above.
fn mirror<T: Copy>(part: &mut [T], done: &[T], columns: usize, first: usize, j: usize) {
    for tile in (0..first).step_by(TILE) {
        for (b, column) in part.chunks_exact_mut(columns).enumerate() {
            for (i, to) in column[tile..tile + TILE].iter_mut().enumerate() {
                *to = done[(tile + i) * columns + j + b];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use linalg::columns::dot;

    #[test]
    fn every_entry_is_a_product_of_two_atoms() {
        for (d, k) in [(16, 0), (16, 1), (32, TILE), (16, TILE + 1), (16, 3 * TILE - 5)] {
            let atoms = testkit::normal_matrix(d, k, k as u64);
            let columns = k.next_multiple_of(16);
            let mut gram = vec![0.0; k * columns];
            fill_gram(&mut gram, columns, MatRef::from_column_major_slice(&atoms, d, k));
            let atom = |j: usize| &atoms[j * d..(j + 1) * d];
            for (i, j) in (0..k).flat_map(|i| (0..k).map(move |j| (i, j))) {
                testkit::assert_close(gram[j * columns + i], dot(atom(i), atom(j)), 1e-13, 1e-13);
            }
        }
    }
}
