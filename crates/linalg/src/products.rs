//! Matrix products: correlations of atoms with samples or with each other. One thread: blocks of columns are the caller's to
//! spread.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

/// `out = A^T B`.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn transpose_product(out: MatMut<'_, f64>, a: MatRef<'_, f64>, b: MatRef<'_, f64>) {
    assert!(
        a.nrows() == b.nrows() && out.nrows() == a.ncols() && out.ncols() == b.ncols(),
        "transpose_product: shapes do not fit"
    );
    matmul(out, Accum::Replace, a.transpose(), b, 1.0, Par::Seq);
}

/// `D^T D`.
#[cfg(test)]
pub(crate) fn gram(dictionary: MatRef<'_, f64>) -> faer::Mat<f64> {
    let mut out = faer::Mat::zeros(dictionary.ncols(), dictionary.ncols());
    transpose_product(out.as_mut(), dictionary, dictionary);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::{column, dot};

    #[test]
    fn entries_are_products_of_columns() {
        let (a, b) = (testkit::normal_matrix(7, 5, 3), testkit::normal_matrix(7, 4, 4));
        let (a, b) = (MatRef::from_column_major_slice(&a, 7, 5), MatRef::from_column_major_slice(&b, 7, 4));
        let mut out = faer::Mat::zeros(5, 4);
        transpose_product(out.as_mut(), a, b);
        for (i, j) in (0..5).flat_map(|i| (0..4).map(move |j| (i, j))) {
            testkit::assert_close(out[(i, j)], dot(column(a, i), column(b, j)), 1e-14, 1e-14);
        }
    }
}
