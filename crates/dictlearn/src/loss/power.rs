//! `a^q` for chunks of magnitudes `a >= 0` and an exponent `q` in [0, 8], in plain arithmetic that compiles to vectors.
//!
//! `a = 2^k m` with `m` in [1/sqrt 2, sqrt 2): `log2 a = k + L`, `L = log2 m = 2/ln 2 artanh f`, `f = (m - 1) / (m + 1)`;
//! `q log2 a = n + t` with `n` an integer and `|t| <= 1/2`; `a^q = 2^n exp(t ln 2)`. The exponent is cut into
//! `q = high + low`, so that `high k - n` is exact. Both series stop below 1e-17. Relative error below
//! `4 2^-53 (1 + q)`: the rounding of `L`, times `q`, and that of the last steps.
//! `0^q = 0` for `q > 0`, `a^0 = 1`. Magnitudes or results out of the normal range go to the scalar function.

use linalg::simd::CHUNK;

/// An exponent `q`, prepared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exponent {
    value: f64,
    /// `value` without its last 12 bits.
    high: f64,
    low: f64,
    /// `0^q`.
    at_zero: f64,
}

/// `2^52`: added to an integer below it, the integer is in the last bits.
const SHIFT: f64 = 4_503_599_627_370_496.0;
/// Bits of `1/sqrt 2`.
const ROOT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
const BIAS: u64 = 1023;
const EXPONENT_BITS: u64 = 0xfff << 52;
/// Largest `|q log2 a|` for which the result is surely normal.
const LARGEST: f64 = 1000.0;

impl Exponent {
    pub fn new(value: f64) -> Self {
        let high = f64::from_bits(value.to_bits() & !0xfff);
        Self { value, high, low: value - high, at_zero: if value == 0.0 { 1.0 } else { 0.0 } }
    }

    /// `a^q` of sixteen magnitudes.
    #[inline(always)]
    pub fn of(self, magnitudes: &[f64; CHUNK]) -> [f64; CHUNK] {
        let (mut out, mut plain) = ([0.0; CHUNK], true);
        for (out, &a) in out.iter_mut().zip(magnitudes) {
            let b = if a == 0.0 { 1.0 } else { a };
            let shifted = b.to_bits().wrapping_sub(ROOT_HALF).wrapping_add(BIAS << 52);
            let k = f64::from_bits(SHIFT.to_bits() | (shifted >> 52)) - (SHIFT + BIAS as f64);
            let power = (shifted & EXPONENT_BITS).wrapping_sub(BIAS << 52);
            let fraction = log2_near_one(f64::from_bits(b.to_bits().wrapping_sub(power)));
            let scaled = self.value * (k + fraction);
            plain &= (f64::MIN_POSITIVE..f64::INFINITY).contains(&b) & (scaled.abs() < LARGEST);
            let n = (scaled + 1.5 * SHIFT) - 1.5 * SHIFT;
            let t = (self.high * k - n) + (self.low * k + self.value * fraction);
            let two_to_n = f64::from_bits((n + (SHIFT + BIAS as f64)).to_bits() << 52);
            let power = exp2_near_zero(t) * two_to_n;
            *out = if a == 0.0 { self.at_zero } else { power };
        }
        if !plain {
            out = magnitudes.map(|a| a.powf(self.value));
        }
        out
    }
}

/// `log2 m` for `m` in [1/sqrt 2, sqrt 2).
#[inline(always)]
fn log2_near_one(m: f64) -> f64 {
    let f = (m - 1.0) / (m + 1.0);
    let z = f * f;
    let mut sum = 1.0 / 23.0;
    for odd in [21.0, 19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0] {
        sum = sum * z + 1.0 / odd;
    }
    // 2 f/ln 2 (1 + z sum), the small part added last.
    let leading = f * (2.0 * std::f64::consts::LOG2_E);
    leading + leading * (z * sum)
}

/// `2^t` for `|t| <= 1/2`.
#[inline(always)]
fn exp2_near_zero(t: f64) -> f64 {
    let y = t * std::f64::consts::LN_2;
    let mut sum = 1.0;
    for n in [14.0, 13.0, 12.0, 11.0, 10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0] {
        sum = 1.0 + sum * y * (1.0 / n);
    }
    1.0 + y * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_agree_with_the_scalar_function() {
        let mut worst = 0.0_f64;
        for q in [0.0, 0.1, 0.25, 0.5, 1.0, 1.3, 2.0, 3.7, 8.0] {
            let exponent = Exponent::new(q);
            for seed in 0..200 {
                let wide = testkit::normal_vector(CHUNK, seed);
                let magnitudes: [f64; CHUNK] =
                    std::array::from_fn(|i| (wide[i] * f64::from(1 + (seed % 7) as u32 * 6)).exp());
                for (power, a) in exponent.of(&magnitudes).iter().zip(magnitudes) {
                    let expected = a.powf(q);
                    if !expected.is_normal() {
                        assert_eq!(*power, expected, "{a:e}^{q}");
                        continue;
                    }
                    let error = (power - expected).abs() / expected;
                    assert!(error <= 4.0 * (1.0 + q) * 0.5 * f64::EPSILON, "{a:e}^{q}: {error:e}");
                    worst = worst.max(error / (1.0 + q));
                }
            }
        }
        println!("worst error {worst:e} (1 + q)");
    }

    #[test]
    fn the_ends_of_the_range_are_those_of_the_scalar_function() {
        let mut magnitudes = [0.0; CHUNK];
        let ends = [1.0, f64::MIN_POSITIVE, 5e-324, f64::MAX, f64::INFINITY, 1e200, 1e-200];
        magnitudes[1..=ends.len()].copy_from_slice(&ends);
        for q in [0.0, 0.1, 1.0, 8.0] {
            for (power, a) in Exponent::new(q).of(&magnitudes).iter().zip(magnitudes) {
                assert_eq!(*power, a.powf(q), "{a:e}^{q}");
            }
            let zeros = [0.0; CHUNK];
            assert_eq!(Exponent::new(q).of(&zeros), zeros.map(|a: f64| a.powf(q)));
            assert_eq!(Exponent::new(q).of(&[1.0; CHUNK]), [1.0; CHUNK]);
            magnitudes[9] = f64::NAN;
            assert_eq!(Exponent::new(q).of(&magnitudes)[9].is_nan(), q != 0.0);
            magnitudes[9] = 0.0;
        }
    }
}
