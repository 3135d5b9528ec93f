//! Golden-section search: the minimiser of a unimodal function of one variable, by comparisons alone.
//!
//! A bracket shrinks by `(sqrt(5) - 1) / 2` a step until it no longer does in floating point. Values that differ by
//! less than their rounding cannot be told apart, so for a function of curvature `c` around its minimum the error
//! is about `sqrt(2 eps |f| / c)`: 1e-8 for numbers of order one. At a kink it is about `eps |f| / slope`.
//!
//! Reference: Kiefer (1953), "Sequential minimax search for a maximum".

/// The minimiser of `f`, unimodal and finite on `[low, high]`; at most 200 evaluations.
#[track_caller]
pub fn golden_section(mut f: impl FnMut(f64) -> f64, low: f64, high: f64) -> f64 {
    assert!(low <= high, "empty bracket [{low}, {high}]");
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (low, high);
    let (mut left, mut right) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut f_left, mut f_right) = (f(left), f(right));
    for _ in 0..198 {
        if f_left <= f_right {
            (high, right, f_right) = (right, left, f_left);
            left = high - ratio * (high - low);
            f_left = f(left);
        } else {
            (low, left, f_left) = (left, right, f_right);
            right = low + ratio * (high - low);
            f_right = f(right);
        }
    }
    low + (high - low) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::close::assert_close;

    #[test]
    fn finds_smooth_minima_kinks_and_ends() {
        assert_close(golden_section(|x| (x - 0.3).powi(2), -2.0, 5.0), 0.3, 0.0, 1e-7);
        assert_close(golden_section(|x| (x + 1.5).abs(), -2.0, 5.0), -1.5, 0.0, 1e-14);
        assert_close(golden_section(|x| x, -2.0, 5.0), -2.0, 0.0, 1e-14);
    }
}
