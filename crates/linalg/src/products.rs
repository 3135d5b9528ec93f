//! Matrix products: Gram matrices of a dictionary and correlations of atoms with samples.
//!
//! `gram(D) = D^T D` (`k x k` for a `d x k` dictionary) costs `k^2 d` multiply-adds' worth half of a product, since
//! only the lower triangle is computed and then mirrored. One thread: blocks of columns are the caller's to spread.

use faer::linalg::matmul::{matmul, triangular};
use faer::{Accum, Mat, MatMut, MatRef, Par};

/// `D^T D`, exactly symmetric.
pub fn gram(dictionary: MatRef<'_, f64>) -> Mat<f64> {
    let k = dictionary.ncols();
    let mut out = Mat::zeros(k, k);
    triangular::matmul(
        out.as_mut(),
        triangular::BlockStructure::TriangularLower,
        Accum::Replace,
        dictionary.transpose(),
        triangular::BlockStructure::Rectangular,
        dictionary,
        triangular::BlockStructure::Rectangular,
        1.0,
        Par::Seq,
    );
    for j in 0..k {
        for i in j + 1..k {
            out[(j, i)] = out[(i, j)];
        }
    }
    out
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gram_is_symmetric_and_agrees_with_the_product() {
        let values = testkit::normal_matrix(7, 5, 3);
        let d = MatRef::from_column_major_slice(&values, 7, 5);
        let g = gram(d);
        let mut full = Mat::zeros(5, 5);
        transpose_product(full.as_mut(), d, d);
        for j in 0..5 {
            for i in 0..5 {
                assert_eq!(g[(i, j)], g[(j, i)]);
                testkit::assert_close(g[(i, j)], full[(i, j)], 1e-14, 1e-14);
            }
        }
    }
}
