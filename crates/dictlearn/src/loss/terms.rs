//! `sum_t phi(r_t)`, `phi'(r_t)` and `phi''(r_t)` of a padded residual in one pass.
//!
//! For powers one `u = |r|^(p-2)` gives all three: `phi = u r^2`, `phi' = p u r`, `phi'' = p (p-1) u`.

use super::Loss;
use super::power::Exponent;
use linalg::simd::{CHUNK, Kernel, Simd, chunks, chunks_mut};

/// The terms of a loss; its output is the sum of the values. Zeros behind the residual add nothing to it.
pub(super) struct Terms<'a> {
    pub loss: Loss,
    pub residual: &'a [f64],
    pub slopes: &'a mut [f64],
    pub curvatures: &'a mut [f64],
}

/// Values, slopes and curvatures of a chunk.
type Chunk = ([f64; CHUNK], [f64; CHUNK], [f64; CHUNK]);

/// A loss, prepared.
trait Entries {
    /// Its terms; mark it `#[inline(always)]`.
    fn terms(&self, residual: &[f64; CHUNK]) -> Chunk;
}

struct Squared;

impl Entries for Squared {
    #[inline(always)]
    fn terms(&self, residual: &[f64; CHUNK]) -> Chunk {
        (std::array::from_fn(|i| 0.5 * residual[i] * residual[i]), *residual, [1.0; CHUNK])
    }
}

struct Huber {
    delta: f64,
}

impl Entries for Huber {
    #[inline(always)]
    fn terms(&self, residual: &[f64; CHUNK]) -> Chunk {
        let (mut values, mut slopes, mut curvatures) = ([0.0; CHUNK], [0.0; CHUNK], [0.0; CHUNK]);
        for (i, &r) in residual.iter().enumerate() {
            let below = if r > self.delta { self.delta } else { r };
            slopes[i] = if r < -self.delta { -self.delta } else { below };
            values[i] = slopes[i] * (r - 0.5 * slopes[i]);
            curvatures[i] = if r.abs() <= self.delta { 1.0 } else { 0.0 };
        }
        (values, slopes, curvatures)
    }
}

struct Power {
    exponent: f64,
    /// Power of `u`.
    less_two: Exponent,
}

impl Entries for Power {
    #[inline(always)]
    fn terms(&self, residual: &[f64; CHUNK]) -> Chunk {
        let mut magnitudes = *residual;
        for r in &mut magnitudes {
            *r = r.abs();
        }
        let (mut values, mut slopes, mut curvatures) = ([0.0; CHUNK], [0.0; CHUNK], [0.0; CHUNK]);
        let u = self.less_two.of(&magnitudes);
        for (i, &r) in residual.iter().enumerate() {
            values[i] = u[i] * r * r;
            slopes[i] = self.exponent * (u[i] * r);
            curvatures[i] = self.exponent * (self.exponent - 1.0) * u[i];
        }
        (values, slopes, curvatures)
    }
}

impl Kernel for Terms<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f64 {
        match self.loss {
            Loss::Squared => self.each(simd, &Squared),
            Loss::Huber { delta } => self.each(simd, &Huber { delta }),
            Loss::Power { exponent } => {
                self.each(simd, &Power { exponent, less_two: Exponent::new(exponent - 2.0) })
            }
        }
    }
}

impl Terms<'_> {
    /// Writes slopes and curvatures and sums the values, chunk by chunk.
    #[inline(always)]
    fn each<S: Simd>(self, simd: S, loss: &impl Entries) -> f64 {
        let mut sum = simd.zero64();
        let outputs = chunks_mut(self.slopes).iter_mut().zip(chunks_mut(self.curvatures));
        for (r, (slopes, curvatures)) in chunks(self.residual).iter().zip(outputs) {
            let values;
            (values, *slopes, *curvatures) = loss.terms(r);
            sum = simd.fma64(simd.load64(&values), simd.splat64(1.0), sum);
        }
        simd.sum64(sum)
    }
}
