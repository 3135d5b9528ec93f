//! The derivative in one atom: a sum over the samples that use it, in their order.
//!
//! `sum += sum_i beta_i phi'(r_i) + c_i (q_i - u_i)`; vectors over the features are padded to whole chunks. Cost `4 d` a use.

use linalg::simd::{CHUNK, Kernel, Simd, chunks, chunks_mut};

/// Chunks of the sum held in registers at a time.
const GROUP: usize = 4;

/// `sum += sum_i beta_i slopes_i + value_i pulled_i` over the uses `(i, position)` of an atom, counted from `first`.
pub(super) struct AtomSum<'a> {
    pub sum: &'a mut [f64],
    pub uses: &'a [(usize, usize)],
    pub first: (usize, usize),
    pub beta: &'a [f64],
    pub slopes: &'a [f64],
    pub values: &'a [f64],
    pub pulled: &'a [f64],
}

impl Kernel for AtomSum<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let n = self.sum.len() / CHUNK;
        let whole = n / GROUP * GROUP;
        for first in (0..whole).step_by(GROUP) {
            self.chunks::<S, GROUP>(simd, first);
        }
        for first in whole..n {
            self.chunks::<S, 1>(simd, first);
        }
    }
}

impl AtomSum<'_> {
    #[inline(always)]
    fn chunks<S: Simd, const N: usize>(&mut self, simd: S, first: usize) {
        let n = self.sum.len() / CHUNK;
        let out = &mut chunks_mut(self.sum)[first..first + N];
        let (slopes, pulled) = (chunks(self.slopes), chunks(self.pulled));
        let mut sums: [S::F64; N] = std::array::from_fn(|i| simd.load64(&out[i]));
        for (i, position) in self.uses {
            let (place, position) = ((i - self.first.0) * n + first, position - self.first.1);
            let (slopes, pulled) = (&slopes[place..place + N], &pulled[place..place + N]);
            let (beta, value) = (simd.splat64(self.beta[position]), simd.splat64(self.values[position]));
            for i in 0..N {
                sums[i] = simd.fma64(beta, simd.load64(&slopes[i]), sums[i]);
                sums[i] = simd.fma64(value, simd.load64(&pulled[i]), sums[i]);
            }
        }
        (0..N).for_each(|i| simd.store64(&mut out[i], sums[i]));
    }
}
