//! Column norms and scaling of a dictionary or of samples.
//!
//! Norms are scaled by the largest magnitude, so entries of 1e200 or 1e-200 neither overflow nor vanish.
//! Cost: two passes over the entries.

use faer::{MatMut, MatRef};

/// Euclidean norm of a slice, safe against overflow and underflow; 0 for an empty slice, NaN if an entry is NaN.
pub fn norm(values: &[f64]) -> f64 {
    let squares = dot(values, values);
    if squares.is_normal() && squares < 1e300 {
        return squares.sqrt();
    }
    let largest = values.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    if squares.is_nan() || largest == 0.0 || largest.is_infinite() {
        return if squares.is_nan() { f64::NAN } else { largest };
    }
    largest * values.iter().map(|v| (v / largest) * (v / largest)).sum::<f64>().sqrt()
}

/// The norm of every column, in order.
///
/// # Panics
/// If the columns are not contiguous.
#[track_caller]
pub fn column_norms(matrix: MatRef<'_, f64>) -> Vec<f64> {
    (0..matrix.ncols()).map(|j| norm(column(matrix, j))).collect()
}

/// Divides every column by its norm; the index of the first column of norm 0 (or not finite), if any, is returned
/// and such columns are left as they are.
///
/// # Panics
/// If the columns are not contiguous.
#[track_caller]
pub fn normalize_columns(mut matrix: MatMut<'_, f64>) -> Option<usize> {
    let mut first_bad = None;
    for j in 0..matrix.ncols() {
        let values = column_mut(matrix.as_mut(), j);
        let length = norm(values);
        if length > 0.0 && length.is_finite() {
            values.iter_mut().for_each(|v| *v /= length);
        } else if first_bad.is_none() {
            first_bad = Some(j);
        }
    }
    first_bad
}

/// Column `j` as a slice.
///
/// # Panics
/// If the columns are not contiguous or `j` is out of range.
#[track_caller]
pub fn column(matrix: MatRef<'_, f64>, j: usize) -> &[f64] {
    matrix.col(j).try_as_col_major().expect("columns are contiguous").as_slice()
}

/// Column `j` as a mutable slice.
///
/// # Panics
/// If the columns are not contiguous or `j` is out of range.
#[track_caller]
pub fn column_mut(matrix: MatMut<'_, f64>, j: usize) -> &mut [f64] {
    matrix.col_mut(j).try_as_col_major_mut().expect("columns are contiguous").as_slice_mut()
}

/// `sum_t a_t b_t`, in eight interleaved partial sums (a fixed order, so the same bits on every machine).
///
/// # Panics
/// If the lengths differ.
#[track_caller]
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "dot: lengths differ");
    let mut sums = [0.0_f64; 8];
    let (a_blocks, a_rest) = a.as_chunks::<8>();
    let (b_blocks, b_rest) = b.as_chunks::<8>();
    for (x, y) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..8 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    let pairs = [sums[0] + sums[4], sums[1] + sums[5], sums[2] + sums[6], sums[3] + sums[7]];
    (pairs[0] + pairs[2]) + (pairs[1] + pairs[3]) + rest
}

/// `y += factor x`.
///
/// # Panics
/// If the lengths differ.
#[track_caller]
pub fn add_scaled(y: &mut [f64], factor: f64, x: &[f64]) {
    assert_eq!(x.len(), y.len(), "add_scaled: lengths differ");
    y.iter_mut().zip(x).for_each(|(y, x)| *y += factor * x);
}

#[cfg(test)]
mod tests {
    use super::*;
    use faer::Mat;

    #[test]
    fn norms_survive_huge_and_tiny_entries() {
        testkit::assert_close(norm(&[3e200, 4e200]), 5e200, 1e-15, 0.0);
        testkit::assert_close(norm(&[3e-200, 4e-200]), 5e-200, 1e-15, 0.0);
        assert_eq!(norm(&[]), 0.0);
        assert_eq!(norm(&[0.0, 0.0]), 0.0);
        assert!(norm(&[f64::NAN, 1.0]).is_nan());
        assert_eq!(norm(&[f64::INFINITY, 1.0]), f64::INFINITY);
    }

    #[test]
    fn columns_are_normalised_and_the_first_zero_one_is_named() {
        let mut matrix = Mat::from_fn(2, 3, |i, j| [[3.0, 4.0], [0.0, 0.0], [0.0, -2.0]][j][i]);
        assert_eq!(column_norms(matrix.as_ref()), vec![5.0, 0.0, 2.0]);
        assert_eq!(normalize_columns(matrix.as_mut()), Some(1));
        assert_eq!(column(matrix.as_ref(), 0), &[0.6, 0.8]);
        assert_eq!(column(matrix.as_ref(), 2), &[0.0, -1.0]);
    }

    #[test]
    fn dot_agrees_with_the_plain_sum() {
        for n in 0..40 {
            let a: Vec<f64> = (0..n).map(|i| f64::from(i) - 7.5).collect();
            let b: Vec<f64> = (0..n).map(|i| 1.0 / (f64::from(i) + 1.0)).collect();
            let plain: f64 = a.iter().zip(&b).map(|(x, y)| x * y).sum();
            testkit::assert_close(dot(&a, &b), plain, 1e-13, 1e-13);
        }
    }
}
