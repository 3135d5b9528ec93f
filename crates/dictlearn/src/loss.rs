//! Losses `phi` of one residual entry `r`, summed over the entries of a residual.
//!
//! | loss | `phi(r)` | `phi'(r)` | `phi''(r)` |
//! |---|---|---|---|
//! | squared | `r^2 / 2` | `r` | `1` |
//! | power | `abs(r)^p` | `p sign(r) abs(r)^(p-1)` | `p (p-1) abs(r)^(p-2)` |
//! | huber | `r^2 / 2` if `abs(r) <= delta`, else `delta (abs(r) - delta/2)` | `clamp(r, -delta, delta)` | `1` inside, `0` outside |
//!
//! `power` has no factor 1/p: with `p = 2` it would be twice the squared loss.
//! At `abs(r) = delta` the Huber curvature is taken from inside, at `r = 0` the power curvature is 0 for `p > 2`.

mod terms;
mod power;

use crate::error::InvalidOption;
use linalg::simd::Isa;
use terms::Terms;

/// A loss of one residual entry; the loss of a sample is the sum over its features.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    /// `r^2 / 2`.
    Squared,
    /// `abs(r)^exponent`, exponent in [2, 10]; above 2 the curvature vanishes at 0.
    Power {
        /// The power `p`.
        exponent: f64,
    },
    /// Quadratic up to `delta`, linear beyond.
    Huber {
        /// Residual size, in the unit of the data, from which on the loss is linear; positive.
        delta: f64,
    },
}

impl Loss {
    /// `phi(r)`.
    #[inline]
    pub fn value(self, r: f64) -> f64 {
        match self {
            Loss::Squared => 0.5 * r * r,
            Loss::Power { exponent } => r.abs().powf(exponent),
            Loss::Huber { delta } if r.abs() <= delta => 0.5 * r * r,
            Loss::Huber { delta } => delta * (r.abs() - 0.5 * delta),
        }
    }

    /// `phi'(r)`.
    #[inline]
    pub fn slope(self, r: f64) -> f64 {
        match self {
            Loss::Squared => r,
            Loss::Power { exponent } => exponent * r.abs().powf(exponent - 1.0).copysign(r),
            Loss::Huber { delta } => r.clamp(-delta, delta),
        }
    }

    /// `phi''(r)`.
    #[inline]
    pub fn curvature(self, r: f64) -> f64 {
        match self {
            Loss::Squared => 1.0,
            Loss::Power { exponent } => exponent * (exponent - 1.0) * r.abs().powf(exponent - 2.0),
            Loss::Huber { delta } => f64::from(u8::from(r.abs() <= delta)),
        }
    }

    /// `sum_t phi(r_t)`.
    pub fn sum(self, residual: &[f64]) -> f64 {
        match self {
            Loss::Squared => 0.5 * linalg::columns::dot(residual, residual),
            _ => residual.iter().map(|&r| self.value(r)).sum(),
        }
    }

    /// `out_t = phi'(r_t)`.
    pub fn slopes(self, residual: &[f64], out: &mut [f64]) {
        out.iter_mut().zip(residual).for_each(|(o, &r)| *o = self.slope(r));
    }

    /// `sum_t phi(r_t)`, with `phi'(r_t)` and `phi''(r_t)`, for vectors padded to whole chunks with zeros.
    pub(crate) fn terms(self, isa: Isa, residual: &[f64], slopes: &mut [f64], curvatures: &mut [f64]) -> f64 {
        isa.run(Terms { loss: self, residual, slopes, curvatures })
    }

    /// `d/d delta sum_t phi(r_t) = sum over outliers of (abs(r_t) - delta)`; 0 for the other losses.
    pub fn delta_derivative(self, residual: &[f64]) -> f64 {
        match self {
            Loss::Huber { delta } => residual.iter().map(|r| (r.abs() - delta).max(0.0)).sum(),
            _ => 0.0,
        }
    }

    /// Whether the parameters are in their ranges.
    ///
    /// # Errors
    /// Names the parameter, its value and the accepted range.
    pub fn check(self) -> Result<(), InvalidOption> {
        match self {
            Loss::Squared => Ok(()),
            Loss::Power { exponent } => {
                let accepted = "a power from 2 to 10";
                InvalidOption::check((2.0..=10.0).contains(&exponent), "exponent", exponent, accepted)
            }
            Loss::Huber { delta } => {
                let accepted = "a positive finite residual size, in the unit of the data";
                InvalidOption::check(delta > 0.0 && delta.is_finite(), "delta", delta, accepted)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOSSES: [Loss; 4] = [
        Loss::Squared,
        Loss::Power { exponent: 2.1 },
        Loss::Power { exponent: 3.0 },
        Loss::Huber { delta: 0.7 },
    ];

    #[test]
    fn slopes_and_curvatures_are_derivatives() {
        for loss in LOSSES {
            for r in [-2.3, -0.4, 0.2, 1.9] {
                let slope = testkit::derivative(|r| loss.value(r), r, 1e-3);
                testkit::assert_close(loss.slope(r), slope, 1e-9, 1e-10);
                let curvature = testkit::derivative(|r| loss.slope(r), r, 1e-3);
                testkit::assert_close(loss.curvature(r), curvature, 1e-8, 1e-10);
            }
            assert_eq!((loss.value(0.0), loss.slope(0.0)), (0.0, 0.0));
        }
    }

    #[test]
    fn sums_and_the_derivative_in_delta_follow_the_entries() {
        let residual = testkit::normal_matrix(13, 1, 4);
        for loss in LOSSES {
            let plain: f64 = residual.iter().map(|&r| loss.value(r)).sum();
            testkit::assert_close(loss.sum(&residual), plain, 1e-14, 0.0);
        }
        let sum = |delta| Loss::Huber { delta }.sum(&residual);
        let derivative = testkit::derivative(sum, 0.5, 1e-4);
        let loss = Loss::Huber { delta: 0.5 };
        testkit::assert_close(loss.delta_derivative(&residual), derivative, 1e-9, 0.0);
    }

    #[test]
    fn terms_of_a_padded_residual_are_those_of_its_entries() {
        let mut residual = testkit::normal_vector(32, 5);
        residual[20..].fill(0.0);
        for isa in Isa::available() {
            for loss in LOSSES {
                let (mut slopes, mut curvatures) = (vec![1.0; 32], vec![1.0; 32]);
                let sum = loss.terms(isa, &residual, &mut slopes, &mut curvatures);
                testkit::assert_close(sum, loss.sum(&residual), 1e-14, 0.0);
                for (t, &r) in residual.iter().enumerate() {
                    testkit::assert_close(slopes[t], loss.slope(r), 1e-15, 0.0);
                    testkit::assert_close(curvatures[t], loss.curvature(r), 1e-15, 0.0);
                }
            }
        }
    }

    #[test]
    fn parameters_out_of_range_are_named() {
        assert!(Loss::Huber { delta: 0.0 }.check().is_err());
        assert!(Loss::Power { exponent: f64::NAN }.check().is_err());
        let error = Loss::Power { exponent: 1.5 }.check().expect_err("below 2");
        assert_eq!(error.to_string(), "exponent = 1.5: accepted is a power from 2 to 10");
    }
}
