//! Codes of many samples as a compressed sparse matrix, one row a sample (CSR).
//!
//! Row i holds the nonzero entries of the code of sample i: `indices[indptr[i]..indptr[i+1]]`, ascending, and their
//! `values`. Memory: 12 bytes per nonzero and 8 per sample.

use faer::{Mat, MatRef};
use std::ops::Range;

/// Sparse codes, `n_samples x n_components`.
#[derive(Clone, Debug, PartialEq)]
pub struct Codes {
    n_components: usize,
    indptr: Vec<usize>,
    indices: Vec<u32>,
    values: Vec<f64>,
}

/// The code of one sample: support (ascending) and values, of equal length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Code<'a> {
    /// Indices of the atoms in use, ascending.
    pub support: &'a [u32],
    /// Their coefficients.
    pub values: &'a [f64],
}

impl Code<'_> {
    /// Pairs of atom index and coefficient.
    pub fn iter(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        self.support.iter().map(|&j| j as usize).zip(self.values.iter().copied())
    }

    /// Inner product with a dense vector over the atoms.
    pub fn dot(&self, weights: &[f64]) -> f64 {
        self.iter().map(|(j, c)| c * weights[j]).sum()
    }
}

impl Codes {
    /// No samples yet, `n_components` atoms.
    pub fn new(n_components: usize) -> Self {
        Self { n_components, indptr: vec![0], indices: Vec::new(), values: Vec::new() }
    }

    /// No samples yet, with room for some.
    pub(crate) fn with_capacity(n_components: usize, n_samples: usize, entries: usize) -> Self {
        let mut indptr = Vec::with_capacity(n_samples + 1);
        indptr.push(0);
        Self {
            n_components,
            indptr,
            indices: Vec::with_capacity(entries),
            values: Vec::with_capacity(entries),
        }
    }

    /// Appends the code of the next sample.
    ///
    /// # Panics
    /// If the support is not ascending, out of range or not as long as the values.
    #[track_caller]
    pub fn push(&mut self, code: Code<'_>) {
        assert_eq!(code.support.len(), code.values.len(), "support and values differ in length");
        let ascending = code.support.windows(2).all(|w| w[0] < w[1]);
        let in_range = code.support.last().is_none_or(|&j| (j as usize) < self.n_components);
        assert!(ascending && in_range, "support must be ascending and below n_components");
        self.indices.extend_from_slice(code.support);
        self.values.extend_from_slice(code.values);
        self.indptr.push(self.indices.len());
    }

    /// Appends the code of the next sample, as ascending pairs of atom and coefficient.
    pub(crate) fn push_iter(&mut self, pairs: impl Iterator<Item = (usize, f64)>) {
        for (j, c) in pairs {
            self.indices.push(j as u32);
            self.values.push(c);
        }
        self.indptr.push(self.indices.len());
    }

    /// Appends the code of the next sample, coefficients times `scale`, a power of two; those that vanish are left out.
    /// `false` where one of them leaves the range in which that is exact.
    pub(crate) fn push_scaled(&mut self, support: &[u32], values: &[f64], scale: f64) -> bool {
        let exact = values.iter().all(|c| (c * scale).is_normal());
        if exact {
            self.indices.extend_from_slice(support);
            self.values.extend(values.iter().map(|c| c * scale));
            self.indptr.push(self.indices.len());
        } else {
            let pairs = support.iter().zip(values).map(|(&j, c)| (j as usize, c * scale));
            self.push_iter(pairs.filter(|(_, c)| *c != 0.0));
        }
        exact
    }

    /// Appends the samples of `other`.
    ///
    /// # Panics
    /// If the numbers of atoms differ.
    #[track_caller]
    pub fn append(&mut self, other: &Self) {
        assert_eq!(self.n_components, other.n_components, "numbers of atoms differ");
        let offset = self.nnz();
        self.indices.extend_from_slice(&other.indices);
        self.values.extend_from_slice(&other.values);
        self.indptr.extend(other.indptr[1..].iter().map(|p| p + offset));
    }

    /// The columns of a dense `n_features x n_samples` matrix as codes, every entry stored: fixed features for a head.
    pub fn from_dense_columns(columns: MatRef<'_, f64>) -> Self {
        let support: Vec<u32> = (0..columns.nrows() as u32).collect();
        let mut codes = Self::new(columns.nrows());
        for i in 0..columns.ncols() {
            codes.push(Code { support: &support, values: linalg::columns::column(columns, i) });
        }
        codes
    }

    /// Number of samples.
    pub fn n_samples(&self) -> usize {
        self.indptr.len() - 1
    }

    /// Number of atoms.
    pub fn n_components(&self) -> usize {
        self.n_components
    }

    /// Stored entries over all samples.
    pub fn nnz(&self) -> usize {
        self.indices.len()
    }

    /// The code of sample `i`.
    pub fn row(&self, i: usize) -> Code<'_> {
        let range = self.indptr[i]..self.indptr[i + 1];
        Code { support: &self.indices[range.clone()], values: &self.values[range] }
    }

    /// All codes in order.
    pub fn rows(&self) -> impl Iterator<Item = Code<'_>> + '_ {
        (0..self.n_samples()).map(|i| self.row(i))
    }

    /// The codes of the given samples, in that order.
    pub fn select(&self, samples: &[usize]) -> Self {
        let mut out = Self::new(self.n_components);
        samples.iter().for_each(|&i| out.push(self.row(i)));
        out
    }

    /// Row starts, `n_samples + 1` of them (as in SciPy).
    pub fn indptr(&self) -> &[usize] {
        &self.indptr
    }

    /// Atom indices of the stored entries (as in SciPy).
    pub fn indices(&self) -> &[u32] {
        &self.indices
    }

    /// Stored entries (as in SciPy).
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Dense `n_components x n_samples` matrix: column i is the code of sample i.
    pub fn to_dense_columns(&self) -> Mat<f64> {
        let mut out = Mat::zeros(self.n_components, self.n_samples());
        for (i, code) in self.rows().enumerate() {
            code.iter().for_each(|(j, c)| out[(j, i)] = c);
        }
        out
    }

    /// The transpose of the samples in `range` in compressed form: for atom j, the samples that use it, ascending, each
    /// with the position of its entry in [`Codes::values`]. Cost O(entries in the range + n_components).
    pub fn by_atom(&self, range: Range<usize>) -> ByAtom {
        let stored = self.indptr[range.start]..self.indptr[range.end];
        let mut starts = vec![0_usize; self.n_components + 1];
        self.indices[stored.clone()].iter().for_each(|&j| starts[j as usize + 1] += 1);
        (0..self.n_components).for_each(|j| starts[j + 1] += starts[j]);
        let mut next = starts.clone();
        let mut entries = vec![(0_usize, 0_usize); stored.len()];
        for i in range {
            for position in self.indptr[i]..self.indptr[i + 1] {
                let slot = &mut next[self.indices[position] as usize];
                entries[*slot] = (i, position);
                *slot += 1;
            }
        }
        ByAtom { starts, entries }
    }
}

/// Codes seen from the atoms.
#[derive(Clone, Debug)]
pub struct ByAtom {
    starts: Vec<usize>,
    entries: Vec<(usize, usize)>,
}

impl ByAtom {
    /// Samples that use atom `j`, ascending, with the position of the entry in the codes' values.
    pub fn uses(&self, j: usize) -> &[(usize, usize)] {
        &self.entries[self.starts[j]..self.starts[j + 1]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Codes {
        let mut codes = Codes::new(4);
        codes.push(Code { support: &[1, 3], values: &[0.5, -2.0] });
        codes.push(Code { support: &[], values: &[] });
        codes.push(Code { support: &[0, 1, 3], values: &[1.0, 2.0, 3.0] });
        codes
    }

    #[test]
    fn rows_dense_and_transpose_agree() {
        let codes = example();
        assert_eq!((codes.n_samples(), codes.nnz()), (3, 5));
        let dense = codes.to_dense_columns();
        let by_atom = codes.by_atom(0..3);
        for j in 0..4 {
            let mut column = vec![0.0; 3];
            for &(i, position) in by_atom.uses(j) {
                column[i] = codes.values()[position];
            }
            assert_eq!(column, (0..3).map(|i| dense[(j, i)]).collect::<Vec<_>>());
        }
        assert_eq!(codes.row(2).dot(&[1.0, 10.0, 0.0, 100.0]), 321.0);
        assert_eq!(codes.select(&[2, 0]).row(1), codes.row(0));
        assert_eq!(Codes::from_dense_columns(dense.as_ref()).to_dense_columns(), dense);
    }

    #[test]
    #[should_panic(expected = "ascending")]
    fn an_unordered_support_is_refused() {
        Codes::new(3).push(Code { support: &[2, 1], values: &[1.0, 1.0] });
    }
}
