//! The l2 norm as a product `scale norm`, so that neither it nor quotients by it overflow or underflow.
//!
//! With `m = max_i |x_i|`, `norm2(x) = m norm2(x / m)`. The scale is `m` where the squares could leave the range of
//! `f64`, and 1 (the plain formula) elsewhere.
//!
//! Cost: two passes over `x`, no allocation. Reference: Blue (1978), "A portable Fortran program to find the
//! Euclidean norm of a vector".

/// Largest entries between these bounds have sums of squares in range, up to 1e20 entries.
const PLAIN_RANGE: std::ops::RangeInclusive<f64> = 1e-140..=1e140;

/// The norm of a vector, as `scale norm`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScaledNorm {
    scale: f64,
    norm: f64,
}

impl ScaledNorm {
    /// The norm of `x`; not-a-number where an entry is infinite or not a number.
    pub(crate) fn of(x: &[f64]) -> Self {
        let largest = max_abs(x);
        if largest == 0.0 {
            return Self { scale: 1.0, norm: 0.0 };
        }
        if PLAIN_RANGE.contains(&largest) {
            return Self { scale: 1.0, norm: x.iter().map(|v| v * v).sum::<f64>().sqrt() };
        }
        Self { scale: largest, norm: x.iter().map(|v| (v / largest).powi(2)).sum::<f64>().sqrt() }
    }

    /// The norm itself; infinite only where it exceeds the range of `f64`.
    pub(crate) fn value(self) -> f64 {
        self.scale * self.norm
    }

    /// Whether all entries are zero.
    pub(crate) fn is_zero(self) -> bool {
        self.norm == 0.0
    }

    /// `numerator / norm2(x)`.
    pub(crate) fn divide(self, numerator: f64) -> f64 {
        numerator / self.scale / self.norm
    }

    /// `u . direction`, with `u = x / norm2(x)`.
    pub(crate) fn radial_part(self, x: &[f64], direction: &[f64]) -> f64 {
        x.iter().zip(direction).map(|(&x_i, d_i)| self.divide(x_i) * d_i).sum()
    }
}

/// `max_i |x_i|`; 0 for an empty slice, not-a-number where an entry is.
pub(crate) fn max_abs(x: &[f64]) -> f64 {
    x.iter().fold(
        0.0,
        |largest, v| {
            if v.abs() <= largest || f64::is_nan(largest) { largest } else { v.abs() }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::assert_close;

    #[test]
    fn norms_of_all_magnitudes() {
        for scale in [1.0, 1e200, 1e307, 1e-200, 1e-300] {
            assert_close(
                ScaledNorm::of(&[3.0 * scale, -4.0 * scale]).value(),
                5.0 * scale,
                4.0 * f64::EPSILON,
                0.0,
            );
        }
        let denormal = f64::from_bits(1);
        assert_eq!(ScaledNorm::of(&[3.0 * denormal, -4.0 * denormal]).value(), 5.0 * denormal);
        assert_eq!(ScaledNorm::of(&[f64::MAX; 4]).divide(f64::MAX), 0.5);
        assert_eq!(ScaledNorm::of(&[f64::MAX; 4]).value(), f64::INFINITY);
    }

    #[test]
    fn zeros_and_non_numbers() {
        assert!(ScaledNorm::of(&[]).is_zero());
        assert!(ScaledNorm::of(&[0.0, -0.0]).is_zero());
        assert!(ScaledNorm::of(&[1.0, f64::NAN, 2.0]).value().is_nan());
        assert!(ScaledNorm::of(&[1.0, f64::INFINITY]).value().is_nan());
        assert!(max_abs(&[f64::NAN, 1.0]).is_nan());
        assert_eq!(max_abs(&[1.0, -2.0]), 2.0);
    }
}
