//! Samples as they come: `f64` or `f32` arrays or sparse rows, converted one at a time, never as a whole.
//!
//! A C-order array of shape (n, d) is a `d x n` matrix whose columns are the samples, without a copy. Features may be
//! missing: with [`Samples::with_missing`] an entry that is NaN is not observed, and everything said of a sample is said
//! of its observed features only (losses sum over these, never over the others).

use crate::error::Error;
use faer::{Mat, MatRef};
use linalg::columns::{column, column_mut};
use rayon::prelude::*;

/// Samples that one thread checks at a time.
const CHECKED_TOGETHER: usize = 512;

/// A view of samples, cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a> {
    values: Values<'a>,
    /// Which samples, in which order; none: all.
    selection: Option<&'a [usize]>,
    missing: bool,
}

#[derive(Clone, Copy, Debug)]
enum Values<'a> {
    Double(MatRef<'a, f64>),
    Single(MatRef<'a, f32>),
    Sparse(SparseRows<'a>),
}

/// Samples as compressed sparse rows, as SciPy's `csr_matrix` has them: sample `i` has the entries
/// `values[indptr[i]..indptr[i + 1]]` at the features `indices[..]`, ascending, and 0 elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct SparseRows<'a> {
    n_features: usize,
    indptr: &'a [usize],
    indices: &'a [u32],
    values: &'a [f64],
}

impl<'a> SparseRows<'a> {
    /// Checks and wraps the three arrays.
    ///
    /// # Errors
    /// If they do not describe rows of `n_features` entries with ascending indices.
    pub fn new(
        n_features: usize,
        indptr: &'a [usize],
        indices: &'a [u32],
        values: &'a [f64],
    ) -> Result<Self, Error> {
        Error::check_length("sparse values", "entries", values.len(), indices.len(), "the sparse indices")?;
        let rising = indptr.first() == Some(&0) && indptr.windows(2).all(|pair| pair[0] <= pair[1]);
        if !rising || indptr.last() != Some(&indices.len()) {
            return Err(Error::SparseRows { row: None, n_features });
        }
        let ascending = |row: &[u32]| row.windows(2).all(|pair| pair[0] < pair[1]);
        let inside = |row: &[u32]| row.last().is_none_or(|&t| (t as usize) < n_features);
        let mut rows = indptr.windows(2).map(|pair| &indices[pair[0]..pair[1]]);
        if let Some(row) = rows.position(|row| !(ascending(row) && inside(row))) {
            return Err(Error::SparseRows { row: Some(row), n_features });
        }
        Ok(Self { n_features, indptr, indices, values })
    }
}

impl<'a> From<MatRef<'a, f64>> for Samples<'a> {
    fn from(columns: MatRef<'a, f64>) -> Self {
        Self { values: Values::Double(columns), selection: None, missing: false }
    }
}

impl<'a> From<MatRef<'a, f32>> for Samples<'a> {
    fn from(columns: MatRef<'a, f32>) -> Self {
        Self { values: Values::Single(columns), selection: None, missing: false }
    }
}

impl<'a> From<SparseRows<'a>> for Samples<'a> {
    fn from(rows: SparseRows<'a>) -> Self {
        Self { values: Values::Sparse(rows), selection: None, missing: false }
    }
}

/// One sample, in memory that is used again for the next.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Its `d` values, 0 where missing.
    pub values: Vec<f64>,
    /// Its missing features, ascending.
    pub missing: Vec<usize>,
}

impl Sample {
    /// Sets the missing features of a vector over the features to 0.
    pub fn blank(&self, vector: &mut [f64]) {
        self.missing.iter().for_each(|&t| vector[t] = 0.0);
    }

    /// The observed entries of a vector over the features.
    pub(crate) fn observed(&self, vector: &[f64]) -> Vec<f64> {
        let mut missing = self.missing.iter().peekable();
        let seen = |t: &usize| missing.next_if(|m| **m == *t).is_none();
        (0..vector.len()).filter(seen).map(|t| vector[t]).collect()
    }
}

impl<'a> Samples<'a> {
    /// Entries that are NaN count as missing features instead of being refused.
    #[must_use]
    pub fn with_missing(self) -> Self {
        Self { missing: true, ..self }
    }

    /// The samples of these indices, in this order.
    pub(crate) fn select(self, selection: &'a [usize]) -> Self {
        assert!(self.selection.is_none(), "samples are selected once");
        Self { selection: Some(selection), ..self }
    }

    /// Number of samples `n`.
    pub fn n_samples(&self) -> usize {
        match (self.selection, self.values) {
            (Some(selection), _) => selection.len(),
            (None, Values::Double(columns)) => columns.ncols(),
            (None, Values::Single(columns)) => columns.ncols(),
            (None, Values::Sparse(rows)) => rows.indptr.len() - 1,
        }
    }

    /// Number of features `d`.
    pub fn n_features(&self) -> usize {
        match self.values {
            Values::Double(columns) => columns.nrows(),
            Values::Single(columns) => columns.nrows(),
            Values::Sparse(rows) => rows.n_features,
        }
    }

    /// Sample `i`, in `f64`.
    pub fn load(&self, i: usize, out: &mut Sample) {
        let i = self.selection.map_or(i, |selection| selection[i]);
        let values = &mut out.values;
        values.clear();
        match self.values {
            Values::Double(columns) => values.extend_from_slice(column(columns, i)),
            Values::Single(columns) => values.extend(columns.col(i).iter().map(|&x| f64::from(x))),
            Values::Sparse(rows) => {
                values.resize(rows.n_features, 0.0);
                let range = rows.indptr[i]..rows.indptr[i + 1];
                let entries = rows.indices[range.clone()].iter().zip(&rows.values[range]);
                entries.for_each(|(&t, &x)| values[t as usize] = x);
            }
        }
        out.missing.clear();
        if self.missing {
            out.missing.extend((0..values.len()).filter(|&t| values[t].is_nan()));
            out.missing.iter().for_each(|&t| values[t] = 0.0);
        }
    }

    /// The values of sample `i`, 0 where missing, without a copy where they are at hand; then `scratch.missing` is empty.
    pub(crate) fn values<'s>(&self, i: usize, scratch: &'s mut Sample) -> &'s [f64]
    where
        'a: 's,
    {
        match self.values {
            Values::Double(columns) if !self.missing => {
                scratch.missing.clear();
                column(columns, self.selection.map_or(i, |selection| selection[i]))
            }
            _ => {
                self.load(i, scratch);
                &scratch.values
            }
        }
    }

    /// How many samples observe each feature, at least one.
    ///
    /// # Errors
    /// Names a feature that no sample observes.
    pub fn observations(&self) -> Result<Vec<f64>, Error> {
        let n_samples = self.n_samples();
        let mut counts = vec![n_samples as f64; self.n_features()];
        if self.missing {
            let mut sample = Sample::default();
            for i in 0..n_samples {
                self.load(i, &mut sample);
                sample.missing.iter().for_each(|&t| counts[t] -= 1.0);
            }
        }
        match counts.iter().position(|&count| count == 0.0) {
            Some(column) => Err(Error::Unobserved { column, n_samples }),
            None => Ok(counts),
        }
    }

    /// The mean of the observed values of each feature.
    ///
    /// # Errors
    /// Names a feature that no sample observes.
    pub fn feature_means(&self) -> Result<Vec<f64>, Error> {
        let counts = self.observations()?;
        let (mut sums, mut sample) = (vec![0.0; self.n_features()], Sample::default());
        for i in 0..self.n_samples() {
            self.load(i, &mut sample);
            linalg::columns::add_scaled(&mut sums, 1.0, &sample.values);
        }
        Ok(sums.iter().zip(&counts).map(|(sum, count)| sum / count).collect())
    }

    /// A copy, `d x n`, in which missing entries have the value given for their feature.
    pub fn filled(&self, values: &[f64]) -> Mat<f64> {
        let (mut out, mut sample) = (Mat::zeros(self.n_features(), self.n_samples()), Sample::default());
        for i in 0..self.n_samples() {
            self.load(i, &mut sample);
            let to = column_mut(out.as_mut(), i);
            to.copy_from_slice(&sample.values);
            sample.missing.iter().for_each(|&t| to[t] = values[t]);
        }
        out
    }

    /// The matrix itself where it is one of `f64`, whole and without missing features.
    pub(crate) fn as_matrix(&self) -> Option<MatRef<'a, f64>> {
        match self.values {
            Values::Double(columns) if self.selection.is_none() && !self.missing => Some(columns),
            _ => None,
        }
    }

    /// Whether every entry is finite, or missing where that is allowed.
    ///
    /// # Errors
    /// Names the first sample and feature that are neither.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let spoilt = (0..self.n_samples())
            .into_par_iter()
            .with_min_len(CHECKED_TOGETHER)
            .map_init(Sample::default, |sample, row| {
                let values = self.values(row, sample);
                // Whole vectors first: nearly every sample is finite.
                if values.iter().fold(true, |finite, x| finite & x.is_finite()) {
                    return None;
                }
                let column = values.iter().position(|x| !x.is_finite())?;
                Some(Error::NotFinite { what: "samples", row, column, value: values[column] })
            })
            .find_first(Option::is_some);
        spoilt.flatten().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(samples: Samples<'_>) -> Vec<Sample> {
        let load = |i| {
            let mut sample = Sample::default();
            samples.load(i, &mut sample);
            sample
        };
        (0..samples.n_samples()).map(load).collect()
    }

    #[test]
    fn every_kind_of_array_loads_the_same_samples() {
        let values = [1.0, 0.0, -2.5, 0.0, 0.0, 0.25];
        let narrow = values.map(|x: f64| x as f32);
        let (double, single) = (
            MatRef::from_column_major_slice(&values, 3, 2),
            MatRef::from_column_major_slice(&narrow[..], 3, 2),
        );
        let sparse = SparseRows::new(3, &[0, 2, 3], &[0, 2, 2], &[1.0, -2.5, 0.25]).expect("valid rows");
        for samples in [Samples::from(double), Samples::from(single), Samples::from(sparse)] {
            assert_eq!((samples.n_samples(), samples.n_features()), (2, 3));
            let found: Vec<f64> = loaded(samples).into_iter().flat_map(|sample| sample.values).collect();
            assert_eq!(found, values);
            assert_eq!(loaded(samples.select(&[1, 1]))[0].values, values[3..]);
            assert!(samples.check().is_ok());
        }
    }

    #[test]
    fn missing_features_are_zero_and_listed() {
        let values = [1.0, f64::NAN, 3.0, f64::NAN, f64::NAN, 6.0];
        let samples = Samples::from(MatRef::from_column_major_slice(&values, 3, 2));
        let error = samples.check().expect_err("not finite").to_string();
        assert!(error.contains("row 0, column 1"), "{error}");
        let samples = samples.with_missing();
        assert!(samples.check().is_ok());
        let [first, second] = loaded(samples).try_into().expect("two samples");
        assert_eq!((first.values.as_slice(), first.missing.as_slice()), (&[1.0, 0.0, 3.0][..], &[1][..]));
        assert_eq!(second.missing, [0, 1]);
        assert_eq!(second.observed(&[7.0, 8.0, 9.0]), [9.0]);
        assert_eq!(first.observed(&[7.0, 8.0, 9.0]), [7.0, 9.0]);
        assert_eq!(samples.observations(), Err(Error::Unobserved { column: 1, n_samples: 2 }));
        let values = [1.0, f64::NAN, 3.0, f64::NAN, 5.0, 6.0];
        let samples = Samples::from(MatRef::from_column_major_slice(&values, 3, 2)).with_missing();
        assert_eq!(samples.observations(), Ok(vec![1.0, 1.0, 2.0]));
        let means = samples.feature_means().expect("every feature is observed");
        assert_eq!(means, [1.0, 5.0, 4.5]);
        let filled = samples.filled(&means);
        assert_eq!(
            (column(filled.as_ref(), 0), column(filled.as_ref(), 1)),
            (&[1.0, 5.0, 3.0][..], &[1.0, 5.0, 6.0][..])
        );
        let infinite = [f64::INFINITY];
        let samples = Samples::from(MatRef::from_column_major_slice(&infinite, 1, 1)).with_missing();
        assert!(samples.check().is_err());
    }

    #[test]
    fn rows_that_are_none_are_refused() {
        for (indptr, indices) in [
            (vec![0, 1], vec![3]),
            (vec![0, 2], vec![1, 1]),
            (vec![1, 2], vec![0, 1]),
            (vec![0, 1], vec![0, 1]),
        ] {
            let values = vec![1.0; indices.len()];
            assert!(SparseRows::new(3, &indptr, &indices, &values).is_err());
        }
        let error = SparseRows::new(3, &[0, 0, 1], &[3], &[1.0]).expect_err("index out of range");
        assert_eq!(
            error.to_string(),
            "sparse samples: row 1 (counted from 0) must have ascending indices below 3, each at most once"
        );
    }
}
