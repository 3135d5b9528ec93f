//! Soft thresholding of one number: the prox of the absolute value.
//!
//! `soft_threshold(y, t) = sign(y) max(|y| - t, 0) = argmin_z 1/2 (z - y)^2 + t |z|`, and on the half-line
//! `z >= 0` the minimiser of the same objective is `max(y - t, 0)`.
//!
//! Optimality of `p = soft_threshold(y, t)`: `y - p = t sign(p)` where `p != 0`, `|y| <= t` where `p = 0`.
//! Derivative in `y`: 1 where the result is not 0, else 0 (also at the kinks `|y| = t`); derivative in `t`: minus the
//! sign of the result.
//!
//! Cost: a few operations. Reference: Donoho and Johnstone (1994), "Ideal spatial adaptation by wavelet shrinkage".

/// `sign(y) max(|y| - threshold, 0)`; exact up to one rounding, not-a-number for a `y` that is.
///
/// Panics where `threshold` is negative or not a number.
#[track_caller]
pub fn soft_threshold(y: f64, threshold: f64) -> f64 {
    // `y` minus its projection on [-threshold, threshold]: Moreau's decomposition.
    y - y.clamp(-threshold, threshold)
}

/// The derivative of [`soft_threshold`] in `y`: 1 where `|y| > threshold`, else 0.
pub fn soft_threshold_derivative(y: f64, threshold: f64) -> f64 {
    if y.abs() > threshold { 1.0 } else { 0.0 }
}

/// `max(y - threshold, 0)`; not-a-number for a `y` that is.
pub fn non_negative_soft_threshold(y: f64, threshold: f64) -> f64 {
    let excess = y - threshold;
    if excess < 0.0 { 0.0 } else { excess }
}

/// The derivative of [`non_negative_soft_threshold`] in `y`: 1 where `y > threshold`, else 0.
pub fn non_negative_soft_threshold_derivative(y: f64, threshold: f64) -> f64 {
    if y > threshold { 1.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::config;
    use proptest::prelude::*;
    use testkit::{assert_close, derivative};

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn the_subgradient_condition_holds(y in -1e3..1e3_f64, t in 0.0..1e3_f64) {
            let p = soft_threshold(y, t);
            if p == 0.0 {
                prop_assert!(y.abs() <= t);
            } else {
                // One rounding of p, and one of y - p.
                assert_close(y - p, t * p.signum(), 0.0, f64::EPSILON * f64::abs(y));
            }
        }

        #[test]
        fn slopes_agree_with_differences(y in -3.0..3.0_f64, t in 0.0..3.0_f64) {
            prop_assume!((f64::abs(y) - t).abs() > 2e-3);
            // Rounding: 3/2 eps |f| / h, with |f| <= 3.
            let tolerance = 1e-12;
            assert_close(soft_threshold_derivative(y, t), derivative(|v| soft_threshold(v, t), y, 1e-3), 0.0, tolerance);
            assert_close(
                non_negative_soft_threshold_derivative(y, t),
                derivative(|v| non_negative_soft_threshold(v, t), y, 1e-3),
                0.0,
                tolerance,
            );
        }

        #[test]
        fn the_slope_in_the_threshold_is_minus_the_sign(y in -3.0..3.0_f64, t in 0.01..3.0_f64) {
            prop_assume!((f64::abs(y) - t).abs() > 2e-3);
            let result = soft_threshold(y, t);
            let expected = if result == 0.0 { 0.0 } else { -result.signum() };
            assert_close(expected, derivative(|t| soft_threshold(y, t), t, 1e-3), 0.0, 1e-12);
        }

        #[test]
        fn the_half_line_keeps_the_positive_part(y in -3.0..3.0_f64, t in 0.0..3.0_f64) {
            prop_assert_eq!(non_negative_soft_threshold(y, t), soft_threshold(y, t).max(0.0));
        }
    }

    #[test]
    fn kinks_count_as_inactive() {
        for y in [-2.0, 2.0] {
            assert_eq!(soft_threshold(y, 2.0).to_bits(), 0.0_f64.to_bits());
            assert_eq!(soft_threshold_derivative(y, 2.0), 0.0);
            assert_eq!(non_negative_soft_threshold_derivative(y, 2.0), 0.0);
        }
        assert_eq!(soft_threshold_derivative(0.0, 0.0), 0.0);
    }

    #[test]
    fn extremes() {
        let denormal = f64::from_bits(2);
        assert_eq!(soft_threshold(denormal, f64::from_bits(1)), f64::from_bits(1));
        assert_eq!(soft_threshold(-1e300, 1.0), -1e300);
        assert_eq!(soft_threshold(1e300, f64::INFINITY), 0.0);
        assert_eq!(non_negative_soft_threshold(f64::NEG_INFINITY, 1.0), 0.0);
        assert!(soft_threshold(f64::NAN, 1.0).is_nan());
        assert!(non_negative_soft_threshold(f64::NAN, 1.0).is_nan());
    }

    #[test]
    #[should_panic]
    fn a_negative_threshold_panics() {
        soft_threshold(1.0, -1.0);
    }
}
