//! A dictionary and its Gram matrix in the precisions and paddings that the block coder wants.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use linalg::columns::{column, column_norms};
use linalg::simd::{Aligned, CHUNK, Isa, padded};
use rayon::prelude::*;
use std::ops::Range;

/// Largest number of atoms for which the Gram matrix is formed (64 MiB).
const MOST_ATOMS: usize = 4096;
/// Rows of the Gram matrix that one thread forms at a time.
const GRAM_BLOCK: usize = 256;
/// Range of atom norms within which single precision is safe.
const NORMS: Range<f64> = 1e-6..1e6;

/// A dictionary prepared for the squared loss.
#[derive(Clone, Debug)]
pub(crate) struct GramDictionary {
    pub n_features: usize,
    pub n_components: usize,
    /// Atoms padded to whole chunks, one after the other.
    pub atoms: Aligned<f64>,
    /// Atoms (unpadded) and zero atoms up to whole chunks of atoms.
    pub narrow: Aligned<f32>,
    /// Row `j`: `d_j . d_i` over all `i`, padded.
    pub gram: Aligned<f32>,
    pub largest_norm: f64,
    pub isa: Isa,
}

impl GramDictionary {
    /// `None` where the general method has to do: too many atoms for a Gram matrix, or norms out of range.
    pub fn new(dictionary: MatRef<'_, f64>, isa: Isa) -> Option<Self> {
        let (d, k) = (dictionary.nrows(), dictionary.ncols());
        let norms = column_norms(dictionary);
        if k > MOST_ATOMS || norms.iter().any(|n| *n != 0.0 && !NORMS.contains(n)) {
            return None;
        }
        let (rows, columns) = (padded(d), padded(k));
        let mut atoms = Aligned::zeros(k * rows);
        let mut narrow = Aligned::zeros(columns * d);
        for j in 0..k {
            let atom = column(dictionary, j);
            atoms[j * rows..j * rows + d].copy_from_slice(atom);
            (0..d).for_each(|t| narrow[t * columns + j] = atom[t] as f32);
        }
        let mut gram = Aligned::zeros(k * columns);
        let all = MatRef::from_column_major_slice(&narrow, columns, d);
        gram.par_chunks_mut((columns * GRAM_BLOCK).max(1)).enumerate().for_each(|(block, rows)| {
            let n = rows.len() / columns;
            matmul(
                MatMut::from_column_major_slice_mut(rows, columns, n),
                Accum::Replace,
                all,
                all.transpose().subcols(block * GRAM_BLOCK, n),
                1.0,
                Par::Seq,
            );
        });
        let largest_norm = norms.iter().copied().fold(0.0, f64::max);
        Some(Self { n_features: d, n_components: k, atoms, narrow, gram, largest_norm, isa })
    }

    /// Supports beyond this are left to the general method, which has better ways for them.
    pub fn largest_support(&self) -> usize {
        self.n_components.min(2 * self.n_features + CHUNK).min(1024)
    }

    #[inline(always)]
    pub fn atom(&self, j: usize) -> &[f64] {
        let rows = padded(self.n_features);
        &self.atoms[j * rows..(j + 1) * rows]
    }

    #[inline(always)]
    pub fn gram_row(&self, j: usize) -> &[f32] {
        let columns = padded(self.n_components);
        &self.gram[j * columns..(j + 1) * columns]
    }
}

/// The penalty in the unit of one scaled sample.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Penalty {
    pub lambda: f64,
    pub ridge: f64,
    /// What single precision cannot tell from lambda.
    pub bound: f64,
}

impl Penalty {
    pub fn limits(self) -> Limits {
        let lambda = self.lambda as f32;
        let floor = lambda + self.bound as f32;
        // With a ridge `|v_j|` is beyond lambda on the support.
        let clear = if self.ridge == 0.0 { floor.max(lambda * (1.0 + CLEAR)) } else { f32::INFINITY };
        Limits { lambda, floor, clear }
    }
}

/// Relative to lambda: how far rounding takes the support beyond it at most.
const CLEAR: f32 = 0.01;

/// Where the penalty of a sample begins to be violated, in `f32`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    pub lambda: f32,
    /// Lambda and what `f32` cannot tell from it.
    pub floor: f32,
    /// What is beyond this is not of the support.
    pub clear: f32,
}

/// A symmetric matrix: rows of `stride` numbers, padding zero.
#[derive(Clone, Copy, Debug)]
pub(super) struct Matrix<'a> {
    pub rows: &'a [f32],
    pub stride: usize,
}

/// `2^exponent`, for exponents from -1022 to 1023.
pub(super) fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((1023 + exponent) as u64) << 52)
}
