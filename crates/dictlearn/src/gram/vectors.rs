//! Vector operations of the block coder.

use linalg::simd::{CHUNK, Kernel, Simd, chunks, chunks_mut};

/// The largest magnitude.
pub(super) struct Largest<'a>(pub &'a [f32]);

impl Kernel for Largest<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f32 {
        let mut largest = simd.splat32(0.0);
        for chunk in chunks(self.0) {
            largest = simd.max_abs32(largest, simd.load32(chunk));
        }
        simd.max32(largest)
    }
}

/// Indices of the entries above a threshold in magnitude, ascending.
pub(super) struct Above<'a> {
    pub correlations: &'a [f32],
    pub threshold: f32,
    pub found: &'a mut Vec<u32>,
}

impl Kernel for Above<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        self.found.clear();
        let bound = simd.splat32(self.threshold);
        for (index, chunk) in chunks(self.correlations).iter().enumerate() {
            let mut above = simd.above32(simd.load32(chunk), bound);
            while above != 0 {
                self.found.push((index * CHUNK) as u32 + above.trailing_zeros());
                above &= above - 1;
            }
        }
    }
}

/// `out = sum_a factor_a row(a)`, chunk by chunk; rows are as long as `out` at least.
#[inline(always)]
pub(super) fn combine<'a, S: Simd>(
    simd: S,
    out: &mut [f32],
    factors: &[f32],
    row: impl Fn(usize) -> &'a [f32],
) {
    for (index, to) in chunks_mut(out).iter_mut().enumerate() {
        // Two chains of sums, so that one need not wait for the other.
        let mut even = simd.splat32(0.0);
        let mut odd = simd.splat32(0.0);
        let mut pairs = factors.chunks_exact(2);
        let mut a = 0;
        for pair in &mut pairs {
            even = simd.fma32(simd.splat32(pair[0]), simd.load32(&chunks(row(a))[index]), even);
            odd = simd.fma32(simd.splat32(pair[1]), simd.load32(&chunks(row(a + 1))[index]), odd);
            a += 2;
        }
        if let [last] = pairs.remainder() {
            even = simd.fma32(simd.splat32(*last), simd.load32(&chunks(row(a))[index]), even);
        }
        simd.store32(to, simd.fma32(odd, simd.splat32(1.0), even));
    }
}
