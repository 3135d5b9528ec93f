//! Leading right singular vectors of the data, as initial atoms.
//!
//! For samples `X` (n x d; here its transpose, the `d x n` matrix whose columns are samples) with `X = U S V^T`, the
//! first columns of `V` (directions in feature space). Sign rule: the entry of largest magnitude is positive, the
//! first one on ties. Only directions above the numerical rank, `s_i > max(n, d) eps s_1`, are returned: fewer than
//! asked for where the rank is smaller. Cost about `6 n d min(n, d)`.
//! Source: thin SVD of faer; where it does not converge, the eigenvectors of `X^T X` (`d x d`), whose rank is decided on the
//! squares `s_i^2`.

use faer::{Mat, MatRef, Side};

/// At most `count` leading directions of the columns of `samples`, one a column, fewer where the rank is smaller.
pub fn leading_directions(samples: MatRef<'_, f64>, count: usize) -> Mat<f64> {
    if samples.nrows() == 0 || samples.ncols() == 0 {
        return Mat::zeros(samples.nrows(), 0);
    }
    let (values, vectors) = match samples.thin_svd() {
        Ok(svd) => (singular_values(svd.S().column_vector()), svd.U().to_owned()),
        Err(_) => from_gram(samples),
    };
    let largest = values.first().copied().unwrap_or(0.0);
    let threshold = largest * f64::EPSILON * samples.nrows().max(samples.ncols()) as f64;
    let rank = values.iter().take_while(|&&s| s > threshold).count();
    let mut out = vectors.subcols(0, rank.min(count)).to_owned();
    (0..out.ncols()).for_each(|j| fix_sign(&mut out, j));
    out
}

fn singular_values(values: faer::ColRef<'_, f64>) -> Vec<f64> {
    values.iter().copied().collect()
}

/// Singular values (from the squares: half the digits) and left vectors by the eigenvectors of `samples samples^T`.
/// Squares within rounding of the largest count as 0.
fn from_gram(samples: MatRef<'_, f64>) -> (Vec<f64>, Mat<f64>) {
    let d = samples.nrows();
    let outer = samples * samples.transpose();
    match outer.self_adjoint_eigen(Side::Lower) {
        Ok(eigen) => {
            let values = eigen.S().column_vector();
            let size = samples.nrows().max(samples.ncols()) as f64;
            let rounding = values.iter().fold(0.0, |largest: f64, v| largest.max(*v)) * f64::EPSILON * size;
            let square = |i: usize| if values[i] > rounding { values[i] } else { 0.0 };
            let singular = (0..d).rev().map(|i| square(i).sqrt()).collect();
            let vectors = Mat::from_fn(d, d, |t, i| eigen.U()[(t, d - 1 - i)]);
            (singular, vectors)
        }
        Err(_) => (Vec::new(), Mat::zeros(d, 0)),
    }
}

fn fix_sign(matrix: &mut Mat<f64>, j: usize) {
    let largest = (0..matrix.nrows())
        .fold(0, |best, t| if matrix[(t, j)].abs() > matrix[(best, j)].abs() { t } else { best });
    if matrix.nrows() > 0 && matrix[(largest, j)] < 0.0 {
        (0..matrix.nrows()).for_each(|t| matrix[(t, j)] = -matrix[(t, j)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Orthonormal, sign rule kept, and the captured energy equals the sum of the largest eigenvalues.
    fn check(directions: &Mat<f64>, samples: MatRef<'_, f64>) {
        let k = directions.ncols();
        let g = crate::products::gram(directions.as_ref());
        for j in 0..k {
            for i in 0..k {
                testkit::assert_close(g[(i, j)], f64::from(u8::from(i == j)), 0.0, 1e-12);
            }
            let column: Vec<f64> = (0..directions.nrows()).map(|t| directions[(t, j)]).collect();
            let largest = column.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
            assert!(column.contains(&largest), "the entry of largest magnitude is positive");
        }
        let outer = samples * samples.transpose();
        let eigenvalues = outer.self_adjoint_eigenvalues(Side::Lower).expect("finite");
        let top: f64 = eigenvalues.iter().rev().take(k).sum();
        let captured = (directions.transpose() * samples).squared_norm_l2();
        testkit::assert_close(captured, top, 1e-12, 0.0);
    }

    #[test]
    fn directions_are_orthonormal_leading_and_signed() {
        let values = testkit::normal_matrix(6, 20, 1);
        let samples = MatRef::from_column_major_slice(&values, 6, 20);
        let directions = leading_directions(samples, 4);
        assert_eq!(directions.ncols(), 4);
        check(&directions, samples);
        let (singular, vectors) = from_gram(samples);
        assert_eq!(singular.len(), 6);
        let mut fallback = vectors.subcols(0, 4).to_owned();
        (0..4).for_each(|j| fix_sign(&mut fallback, j));
        check(&fallback, samples);
    }

    #[test]
    fn no_more_directions_than_the_rank() {
        let mut values = testkit::normal_matrix(5, 2, 2);
        values.extend(testkit::normal_matrix(5, 2, 2));
        let samples = MatRef::from_column_major_slice(&values, 5, 4);
        assert_eq!(leading_directions(samples, 5).ncols(), 2);
        assert_eq!(from_gram(samples).0.iter().filter(|s| **s > 0.0).count(), 2);
        assert_eq!(leading_directions(Mat::zeros(5, 0).as_ref(), 3).ncols(), 0);
        assert_eq!(leading_directions(Mat::zeros(5, 4).as_ref(), 3).ncols(), 0);
    }
}
