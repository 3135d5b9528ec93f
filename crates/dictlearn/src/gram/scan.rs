//! Scan: the gradient of all atoms under a growing support, and its largest violators.
//!
//! `g = b - sum_S c_j G_j`, with `b` the correlations at zero coefficients and the ridge on the diagonal of
//! `G`; zero on the support `S`, where it is lambda. Where codes are not negative, a negative `g_j` is raised to 0.
//! The largest few `|g_j|` above lambda are the candidates to join. Cost: `s k / 16` vector operations.

use super::dictionary::{GramDictionary, Limits};
use linalg::simd::{Aligned, CHUNK, Simd, chunks, chunks_mut};

/// Most violators tried between two scans.
pub(super) const CANDIDATES: usize = 4;
/// Candidates are above lambda by at least this share of the largest excess.
const SHARE: f32 = 0.4;

/// One worker's memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Scan {
    /// The atoms of the support, each with minus its coefficient.
    pub terms: Vec<(u32, f32)>,
    pub gradient: Aligned<f32>,
}

/// The few largest violators, largest first.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Candidates {
    pub atoms: [u32; CANDIDATES],
    pub count: usize,
}

/// The largest violator of each lane of the vectors: its size and the number of its chunk, exact in `f32`.
#[derive(Clone, Copy)]
pub(super) struct Lead<V> {
    sizes: V,
    numbers: V,
}

impl Scan {
    /// The gradient and its largest violators; where there are none it is zero on the support.
    #[inline(always)]
    pub fn run<S: Simd>(
        &mut self,
        simd: S,
        dictionary: &GramDictionary,
        base: &[f32],
        limits: Limits,
    ) -> Candidates {
        let lead = self.add(simd, dictionary, base, dictionary.least());
        let largest = simd.max32(lead.sizes);
        if largest > limits.clear {
            return lead.candidates(simd, largest, limits);
        }
        for &(j, _) in &self.terms {
            self.gradient[j as usize] = 0.0;
        }
        if largest <= limits.floor {
            return Candidates::default();
        }
        let zero = simd.splat32(0.0);
        let mut lead = Lead { sizes: zero, numbers: zero };
        for (number, chunk) in chunks(&self.gradient).iter().enumerate() {
            lead = lead.larger(simd, simd.load32(chunk), number);
        }
        lead.candidates(simd, simd.max32(lead.sizes), limits)
    }

    /// `gradient = base + sum (terms)`, at `least`, and its largest entries.
    #[inline(always)]
    pub fn add<S: Simd>(
        &mut self,
        simd: S,
        dictionary: &GramDictionary,
        base: &[f32],
        least: f32,
    ) -> Lead<S::F32> {
        if self.gradient.len() != base.len() {
            self.gradient = Aligned::zeros(base.len());
        }
        let zero = simd.splat32(0.0);
        let mut leads = [Lead { sizes: zero, numbers: zero }; 4];
        let (length, mut first) = (base.len() / CHUNK, 0);
        while S::REGISTERS >= 16 && first + 8 <= length {
            self.group::<S, 8>(simd, dictionary, base, first, least, &mut leads);
            first += 8;
        }
        while first + 4 <= length {
            self.group::<S, 4>(simd, dictionary, base, first, least, &mut leads);
            first += 4;
        }
        while first < length {
            self.group::<S, 1>(simd, dictionary, base, first, least, &mut leads);
            first += 1;
        }
        let [a, b, c, d] = leads;
        a.merge(simd, b).merge(simd, c.merge(simd, d))
    }

    /// `N` chunks of atoms, their sums held in registers over all terms.
    #[inline(always)]
    fn group<S: Simd, const N: usize>(
        &mut self,
        simd: S,
        dictionary: &GramDictionary,
        base: &[f32],
        first: usize,
        least: f32,
        leads: &mut [Lead<S::F32>; 4],
    ) {
        let (length, gram) = (base.len() / CHUNK, chunks(&dictionary.gram));
        let base: &[_; N] = chunks(base)[first..first + N].try_into().expect("N chunks");
        let mut sums = [simd.splat32(0.0); N];
        for (sum, base) in sums.iter_mut().zip(base) {
            *sum = simd.load32(base);
        }
        for &(j, c) in &self.terms {
            let offset = j as usize * length + first;
            let row: &[_; N] = gram[offset..offset + N].try_into().expect("N chunks");
            let c = simd.splat32(c);
            for (sum, row) in sums.iter_mut().zip(row) {
                *sum = simd.fma32(c, simd.load32(row), *sum);
            }
        }
        let to: &mut [_; N] =
            (&mut chunks_mut(&mut self.gradient)[first..first + N]).try_into().expect("N chunks");
        let least = simd.splat32(least);
        for i in 0..N {
            let sum = simd.at_least32(sums[i], least);
            simd.store32(&mut to[i], sum);
            leads[i % 4] = leads[i % 4].larger(simd, sum, first + i);
        }
    }
}

impl<V: Copy> Lead<V> {
    #[inline(always)]
    fn larger<S: Simd<F32 = V>>(self, simd: S, values: V, number: usize) -> Self {
        let number = simd.splat32(number as f32);
        let (sizes, numbers) = simd.keep_larger32(self.sizes, self.numbers, values, number);
        Self { sizes, numbers }
    }

    #[inline(always)]
    fn merge<S: Simd<F32 = V>>(self, simd: S, other: Self) -> Self {
        let (sizes, numbers) = simd.keep_larger32(self.sizes, self.numbers, other.sizes, other.numbers);
        Self { sizes, numbers }
    }

    /// The few largest, of those that lead their lane.
    #[inline(always)]
    fn candidates<S: Simd<F32 = V>>(self, simd: S, largest: f32, limits: Limits) -> Candidates {
        let Limits { lambda, floor, .. } = limits;
        if largest <= floor {
            return Candidates::default();
        }
        // Strictly below the largest, so that there is a candidate.
        let threshold = (lambda + SHARE * (largest - lambda)).max(floor).min(largest * (1.0 - f32::EPSILON));
        let (mut sizes, mut numbers) = ([0.0_f32; CHUNK], [0.0; CHUNK]);
        simd.store32(&mut sizes, self.sizes);
        simd.store32(&mut numbers, self.numbers);
        let mut above = simd.above32(self.sizes, simd.splat32(threshold));
        let count = (above.count_ones() as usize).min(CANDIDATES);
        // Sizes are positive, so their bits are in their order.
        let mut best = [0_u64; CANDIDATES];
        while above != 0 {
            let lane = above.trailing_zeros() as usize;
            above &= above - 1;
            let atom = numbers[lane] as usize * CHUNK + lane;
            let mut key = u64::from(sizes[lane].to_bits()) << 32 | atom as u64;
            for kept in &mut best {
                (*kept, key) = ((*kept).max(key), (*kept).min(key));
            }
        }
        let mut atoms = [0; CANDIDATES];
        for (atom, key) in atoms.iter_mut().zip(best) {
            *atom = key as u32;
        }
        Candidates { atoms, count }
    }
}
