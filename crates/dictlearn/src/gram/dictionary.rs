//! A dictionary and its Gram matrix in the precisions and paddings that the block coder wants.
//!
//! Weights of the l1 norm go to the atoms: with `d_j / w_j`, `w_j c_j` and `ridge / w_j^2` in place of `d_j`, `c_j` and
//! `ridge` all weights are 1. A number of the weighted problem's KKT conditions is `w_j` times that of this one.

use super::product::Panels;
use crate::lower::{Problem, fill_gram};
use faer::MatRef;
use linalg::simd::{Aligned, CHUNK, Isa, padded};
use std::borrow::Cow;
use std::ops::Range;

/// Largest number of atoms for which the Gram matrix is formed (64 MiB).
const MOST_ATOMS: usize = 4096;
/// Largest number of atoms for which it is formed in `f64` as well (2 MiB): beyond, fetching its entries costs what they
/// save.
const MOST_EXACT: usize = 512;
/// Range of atom norms within which single precision is safe.
const NORMS: Range<f64> = 1e-6..1e6;

/// A problem of the squared loss with its dictionary prepared.
#[derive(Clone, Debug)]
pub(crate) struct GramDictionary<'a> {
    pub problem: &'a Problem,
    pub n_features: usize,
    pub n_components: usize,
    /// Atoms over their weights, padded to whole chunks, one after the other.
    pub atoms: Aligned<f64>,
    /// Atoms over their weights, for products with residuals.
    pub panels: Panels,
    /// Row `j`: `d_j . d_i` over all `i`, padded; the ridge is added to the diagonal.
    pub gram: Aligned<f32>,
    /// The same in `f64`, not padded, where there are not too many atoms for it to pay.
    exact: Option<Cow<'a, [f64]>>,
    /// The largest norm of an atom.
    pub largest_atom: f64,
    /// The largest norm of an atom over its weight.
    pub largest_norm: f64,
    pub smallest_weight: f64,
    pub isa: Isa,
}

fn in_range(norm: f64) -> bool {
    norm == 0.0 || NORMS.contains(&norm)
}

impl<'a> GramDictionary<'a> {
    /// `None` where the general method has to do: too many atoms for a Gram matrix, weights of 0, or norms out of range.
    pub fn new(problem: &'a Problem) -> Option<Self> {
        let (d, k) = (problem.n_features(), problem.n_components());
        let norms: Vec<f64> = (0..k).map(|j| problem.norm(j) / problem.weight(j)).collect();
        let smallest_weight = (0..k).map(|j| problem.weight(j)).fold(f64::INFINITY, f64::min);
        if k > MOST_ATOMS || smallest_weight == 0.0 || !norms.iter().copied().all(in_range) {
            return None;
        }
        let (rows, columns) = (padded(d), padded(k));
        let mut atoms = Aligned::zeros(k * rows);
        for j in 0..k {
            let to = &mut atoms[j * rows..j * rows + d];
            to.iter_mut().zip(problem.atom(j)).for_each(|(to, v)| *to = v / problem.weight(j));
        }
        let panels = Panels::new(columns, d, |j, t| if j < k { atoms[j * rows + t] as f32 } else { 0.0 });
        let mut prepared = Self {
            problem,
            n_features: d,
            n_components: k,
            gram: Aligned::default(),
            exact: None,
            atoms,
            panels,
            largest_atom: (0..k).map(|j| problem.norm(j)).fold(0.0, f64::max),
            largest_norm: norms.into_iter().fold(0.0, f64::max),
            smallest_weight,
            isa: problem.isa(),
        };
        prepared.form_gram();
        Some(prepared)
    }

    fn form_gram(&mut self) {
        let (k, columns) = (self.n_components, padded(self.n_components));
        let in_range = (0..k).all(|j| in_range(self.problem.norm(j)));
        let gram_of_all = if k <= MOST_EXACT && in_range { self.problem.gram() } else { None };
        self.exact = gram_of_all.map(|gram| self.exact_gram(gram));
        self.gram = Aligned::zeros(k * columns);
        if let Some(exact) = &self.exact {
            let rows = self.gram.chunks_exact_mut(columns.max(1)).zip(exact.chunks_exact(k.max(1)));
            rows.for_each(|(to, row)| to.iter_mut().zip(row).for_each(|(to, entry)| *to = *entry as f32));
        } else {
            let narrow: Vec<f32> = self.atoms.iter().map(|v| *v as f32).collect();
            let atoms = MatRef::from_column_major_slice(&narrow, padded(self.n_features), k);
            fill_gram(&mut self.gram, columns, atoms.subrows(0, self.n_features));
            for j in 0..k {
                self.gram[j * columns + j] += self.ridge(j) as f32;
            }
        }
    }

    /// From `d_j . d_i` to what weights and ridge make of it.
    fn exact_gram(&self, gram: &'a [f64]) -> Cow<'a, [f64]> {
        if self.problem.weights().is_none() && !self.has_ridge() {
            return Cow::Borrowed(gram);
        }
        let (k, mut own) = (self.n_components, gram.to_vec());
        let weight = |j: usize| self.problem.weight(j);
        for (j, row) in own.chunks_exact_mut(k.max(1)).enumerate() {
            row.iter_mut().enumerate().for_each(|(i, entry)| *entry = *entry / weight(i) / weight(j));
            row[j] += self.ridge(j);
        }
        Cow::Owned(own)
    }

    /// The ridge of `w_j c_j`.
    #[inline(always)]
    pub fn ridge(&self, j: usize) -> f64 {
        self.problem.lower.ridge() / self.problem.weight(j) / self.problem.weight(j)
    }

    pub fn has_ridge(&self) -> bool {
        self.problem.lower.ridge() > 0.0
    }

    /// What correlations are raised to before their magnitudes are compared: with 0, negative ones never violate.
    #[inline(always)]
    pub fn least(&self) -> f32 {
        if self.problem.lower.non_negative { 0.0 } else { f32::NEG_INFINITY }
    }

    /// From `w_j c_j` to `c_j`.
    pub fn unweigh(&self, support: &[u32], values: &mut [f64]) {
        if self.problem.weights().is_some() {
            values.iter_mut().zip(support).for_each(|(c, &j)| *c /= self.problem.weight(j as usize));
        }
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

    /// The Gram matrix in `f64`, if there is one: row `j` at `j k`.
    pub fn exact(&self) -> Option<&[f64]> {
        self.exact.as_deref()
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
    /// What single precision cannot tell from lambda.
    pub bound: f64,
}

impl Penalty {
    pub fn limits(self) -> Limits {
        let lambda = self.lambda as f32;
        let floor = lambda + self.bound as f32;
        Limits { lambda, floor, clear: floor.max(lambda * (1.0 + CLEAR)) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::Loss;
    use crate::lower::LowerLevel;
    use linalg::columns::dot;

    #[test]
    fn both_gram_matrices_hold_all_products() {
        for (d, k) in [(3, 1), (17, 63), (5, 64), (20, 130), (4, MOST_EXACT), (4, MOST_EXACT + 1)] {
            let atoms = testkit::unit_columns(d, k, k as u64);
            let weights: Vec<f64> = (0..k).map(|j| 0.5 + (j % 7) as f64).collect();
            let lower = LowerLevel { l2_regularization: 0.25, ..LowerLevel::new(Loss::Squared, 1.0) };
            let problem = Problem::new(lower, MatRef::from_column_major_slice(&atoms, d, k));
            let problem = problem.with_weights(&weights).expect("positive weights");
            let dictionary = GramDictionary::new(&problem).expect("norms in range");
            assert_eq!(dictionary.exact().is_some(), k <= MOST_EXACT);
            let atom = |j: usize| &atoms[j * d..(j + 1) * d];
            for (i, j) in (0..k).flat_map(|i| (0..k).step_by(1 + k / 70).map(move |j| (i, j))) {
                let ridge = if i == j { 0.25 } else { 0.0 };
                let entry = (dot(atom(i), atom(j)) + ridge) / weights[i] / weights[j];
                testkit::assert_close(f64::from(dictionary.gram_row(j)[i]), entry, 1e-6, 1e-6);
                if let Some(exact) = dictionary.exact() {
                    testkit::assert_close(exact[j * k + i], entry, 1e-14, 1e-14);
                }
            }
        }
    }
}
