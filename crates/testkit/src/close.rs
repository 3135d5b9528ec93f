//! Comparison of numbers: `|actual - expected| <= absolute + relative |expected|`, entry by entry.
//!
//! Two equal infinities are close; not-a-number is close to nothing.

/// Asserts `|actual - expected| <= absolute + relative |expected|`.
#[track_caller]
pub fn assert_close(actual: f64, expected: f64, relative: f64, absolute: f64) {
    assert!(
        is_close(actual, expected, relative, absolute),
        "actual {actual:e} is not close to expected {expected:e}: error {:e} > {:e}",
        (actual - expected).abs(),
        absolute + relative * expected.abs(),
    );
}

/// Asserts [`assert_close`] for every pair of entries, and equal lengths; names the first index that fails.
#[track_caller]
pub fn assert_slices_close(actual: &[f64], expected: &[f64], relative: f64, absolute: f64) {
    assert_eq!(actual.len(), expected.len(), "lengths of actual and expected differ");
    for (index, (&a, &e)) in actual.iter().zip(expected).enumerate() {
        assert!(
            is_close(a, e, relative, absolute),
            "index {index}: actual {a:e} is not close to expected {e:e}: error {:e} > {:e}",
            (a - e).abs(),
            absolute + relative * e.abs(),
        );
    }
}

/// `max_i |a_i - b_i|`; 0 for empty slices, not-a-number where any difference is.
#[track_caller]
pub fn max_abs_diff(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "lengths of a and b differ");
    a.iter().zip(b).fold(0.0, |largest, (x, y)| larger(largest, (x - y).abs()))
}

/// `max_i |a_i - b_i| / max_i |b_i|`; 0 where both maxima are 0, infinite where only the second is.
#[track_caller]
pub fn relative_error(a: &[f64], b: &[f64]) -> f64 {
    let error = max_abs_diff(a, b);
    if error == 0.0 { 0.0 } else { error / b.iter().fold(0.0, |largest, y| larger(largest, y.abs())) }
}

fn is_close(actual: f64, expected: f64, relative: f64, absolute: f64) -> bool {
    actual == expected
        || (expected.is_finite() && (actual - expected).abs() <= absolute + relative * expected.abs())
}

/// The maximum that, unlike `f64::max`, keeps a not-a-number.
fn larger(largest: f64, candidate: f64) -> f64 {
    if largest.is_nan() || candidate <= largest { largest } else { candidate }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closeness_is_absolute_plus_relative() {
        assert_close(1.0 + 1e-9, 1.0, 1.1e-9, 0.0);
        assert_close(1e-9, 0.0, 0.0, 1.1e-9);
        assert_close(f64::INFINITY, f64::INFINITY, 0.0, 0.0);
        assert!(!is_close(1.0 + 1e-9, 1.0, 0.9e-9, 0.0));
        assert!(!is_close(1.0, f64::INFINITY, 1.0, 1.0));
        assert!(!is_close(f64::NAN, f64::NAN, 1.0, 1.0));
    }

    #[test]
    #[should_panic(expected = "index 1: actual 2e0 is not close to expected 3e0: error 1e0")]
    fn a_failure_names_index_values_and_error() {
        assert_slices_close(&[1.0, 2.0], &[1.0, 3.0], 0.1, 0.0);
    }

    #[test]
    fn errors_of_slices() {
        assert_eq!(max_abs_diff(&[1.0, 5.0], &[2.0, 3.0]), 2.0);
        assert_eq!(relative_error(&[1.0, 5.0], &[2.0, 4.0]), 0.25);
        assert_eq!(relative_error(&[], &[]), 0.0);
        assert_eq!(relative_error(&[1.0], &[0.0]), f64::INFINITY);
        assert!(max_abs_diff(&[f64::NAN, 1.0], &[0.0, 0.0]).is_nan());
    }
}
