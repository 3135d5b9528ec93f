//! A support grows to the optimum in `f32`: violators join one at a time, with a bordered inverse of their system.
//!
//! State: support `S` in slots, signs `s`, coefficients `c` optimal on `S`, `M = (D_S^T D_S + ridge I)^-1`.
//! Scan: `g = v - sum_S (c_j - c0_j) G_j` over all atoms (`v` the correlations at `c0`). The largest few violators are
//! then tried in turn: `h = G_jS`, `g_j` anew; if still `|g_j| > lambda`, atom `j` joins with coefficient 0 and
//! 1. border: `u = M h`, `e = G_jj + ridge - h.u`, `M <- [M + u u^T / e, -u / e; -u^T / e, 1 / e]`;
//! 2. move: `c <- c + a rho M_j` with `rho = g_j - lambda s_j` and the largest `a <= 1` that changes no sign;
//!    if `a < 1` the coefficient that vanished leaves (`M <- M - m m^T / m_ii`), `rho <- (1 - a) rho`, and again.
//!
//! Each move decreases the objective, so supports do not repeat (up to rounding, which the caller certifies).
//! Cost: `s k / 16` vector operations a scan, `s^2 / 8` an atom.

use super::dictionary::{GramDictionary, Penalty};
use super::settle::{Inverse, Settled};
use super::vectors::{add_multiples, combine};
use linalg::simd::{Aligned, CHUNK, Kernel, Simd, chunks, chunks_mut, padded};

/// Violators tried between two scans.
const CANDIDATES: usize = 4;
/// Candidates are above lambda by at least this share of the largest excess.
const SHARE: f32 = 0.4;
/// Smallest accepted `e / (G_jj + ridge)`: below it atoms are nearly dependent and `f32` is not enough.
const SMALLEST_PIVOT: f32 = 1e-4;

/// One worker's memory; between [`Growth::start`] and [`Growth::hand_over`] the state of one sample.
#[derive(Clone, Debug, Default)]
pub(super) struct Growth {
    support: Vec<u32>,
    signs: Vec<f32>,
    values: Vec<f32>,
    /// Minus the change of the coefficients since the correlations were taken, for atoms that were or are in support.
    moved: Vec<(u32, f32)>,
    /// `M`: rows of `stride` numbers, zero beyond the slots in use.
    inverse: Aligned<f32>,
    stride: usize,
    gradient: Aligned<f32>,
    row: Aligned<f32>,
    image: Aligned<f32>,
    candidates: Candidates,
    /// Scans that may still be made.
    pub scans_left: usize,
    began: Vec<(u32, f32)>,
    /// Largest number of slots in use since `inverse` was last cleared.
    high: usize,
}

impl Growth {
    /// From a settled support; `false` where it is too large for the memory at hand or its system cannot be inverted.
    pub fn start(&mut self, dictionary: &GramDictionary, settled: &Settled, inverse: &Inverse) -> bool {
        let largest = dictionary.largest_support();
        let stride = padded(largest + 1);
        if stride != self.stride {
            self.stride = stride;
            self.inverse = Aligned::zeros(stride * stride);
        }
        let used = padded(self.high);
        self.inverse.chunks_exact_mut(stride).take(self.high).for_each(|row| row[..used].fill(0.0));
        self.row.reserve(self.stride);
        self.image.reserve(self.stride);
        if self.gradient.len() != padded(dictionary.n_components) {
            self.gradient = Aligned::zeros(padded(dictionary.n_components));
        }
        self.support.clear();
        self.support.extend_from_slice(&settled.support);
        self.signs.clear();
        self.signs.extend(settled.signs.iter().map(|s| *s as f32));
        self.values.clear();
        self.values.extend(settled.values.iter().map(|c| *c as f32));
        self.began.clear();
        self.began.extend(self.support.iter().copied().zip(self.values.iter().copied()));
        let s = self.support.len();
        if s > largest {
            return false;
        }
        self.high = s;
        for a in 0..s {
            let from = &inverse.rows[a * inverse.stride..a * inverse.stride + s];
            self.inverse[a * self.stride..a * self.stride + s].copy_from_slice(from);
        }
        true
    }

    /// Grows until no violator is left that `f32` can see or no scan; `false` where the general method has to take over.
    pub fn run(&mut self, dictionary: &GramDictionary, correlations: &[f32], penalty: Penalty) -> bool {
        dictionary.isa.run(Run { growth: self, dictionary, correlations, penalty })
    }

    /// Support, ascending, signs and the coefficients reached.
    pub fn hand_over(&mut self, settled: &mut Settled) {
        settled.clear();
        self.moved.clear();
        let signed = self.values.iter().zip(&self.signs).map(|(c, s)| c.copysign(*s));
        self.moved.extend(self.support.iter().copied().zip(signed));
        self.moved.sort_unstable_by_key(|(j, _)| *j);
        settled.support.extend(self.moved.iter().map(|(j, _)| *j));
        settled.signs.extend(self.moved.iter().map(|(_, c)| f64::from(c.signum())));
        settled.grown.extend(self.moved.iter().map(|(_, c)| *c));
    }

    /// `g` of the last scan, zero on the support, if that found no violator.
    pub fn last_scan(&self) -> Option<&[f32]> {
        (self.candidates.count == 0).then_some(&self.gradient)
    }
}

/// The few largest violators, largest first; of equals the first.
#[derive(Clone, Copy, Debug, Default)]
struct Candidates {
    best: [(f32, u32); CANDIDATES],
    count: usize,
}

impl Candidates {
    #[inline(always)]
    fn offer(&mut self, size: f32, j: u32) {
        if self.count == CANDIDATES && size <= self.best[CANDIDATES - 1].0 {
            return;
        }
        let mut place = self.count.min(CANDIDATES - 1);
        self.count = (self.count + 1).min(CANDIDATES);
        while place > 0 && self.best[place - 1].0 < size {
            self.best[place] = self.best[place - 1];
            place -= 1;
        }
        self.best[place] = (size, j);
    }
}

struct Run<'a> {
    growth: &'a mut Growth,
    dictionary: &'a GramDictionary,
    correlations: &'a [f32],
    penalty: Penalty,
}

impl Kernel for Run<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> bool {
        let Self { growth, dictionary, correlations, penalty } = self;
        let (lambda, ridge) = (penalty.lambda as f32, penalty.ridge as f32);
        let floor = lambda + penalty.bound as f32;
        while growth.scans_left > 0 {
            growth.scans_left -= 1;
            growth.scan(simd, dictionary, correlations);
            growth.pick(simd, floor, lambda);
            if growth.candidates.count == 0 {
                return true;
            }
            let mut joined = false;
            for index in 0..growth.candidates.count {
                let j = growth.candidates.best[index].1;
                match growth.join(simd, dictionary, correlations[j as usize], j, floor, lambda, ridge) {
                    Joined::Yes => joined = true,
                    Joined::No => {}
                    Joined::Dependent => return false,
                }
            }
            if !joined {
                return false;
            }
        }
        true
    }
}

enum Joined {
    Yes,
    /// It no longer violates, or is in the support already.
    No,
    /// Nearly dependent on the support, or no room.
    Dependent,
}

impl Growth {
    /// `gradient = correlations - sum (c_j - c0_j) G_j`, zero on the support.
    #[inline(always)]
    fn scan<S: Simd>(&mut self, simd: S, dictionary: &GramDictionary, correlations: &[f32]) {
        self.moved.clear();
        for (&j, &c) in self.support.iter().zip(&self.values) {
            self.moved.push((j, -c));
        }
        for &(j, c) in &self.began {
            match self.moved.iter_mut().find(|(other, _)| *other == j) {
                Some((_, moved)) => *moved += c,
                None => self.moved.push((j, c)),
            }
        }
        let columns = padded(dictionary.n_components) / CHUNK;
        let (gram, moved) = (chunks(&dictionary.gram), &self.moved);
        let (from, to) = (chunks(correlations), chunks_mut(&mut self.gradient));
        let mut first = 0;
        while first + 4 <= columns {
            let at: &[_; 4] = from[first..first + 4].try_into().expect("four chunks");
            let mut sums =
                [simd.load32(&at[0]), simd.load32(&at[1]), simd.load32(&at[2]), simd.load32(&at[3])];
            for &(j, c) in moved {
                let offset = j as usize * columns + first;
                let row: &[_; 4] = gram[offset..offset + 4].try_into().expect("four chunks");
                let c = simd.splat32(c);
                sums[0] = simd.fma32(c, simd.load32(&row[0]), sums[0]);
                sums[1] = simd.fma32(c, simd.load32(&row[1]), sums[1]);
                sums[2] = simd.fma32(c, simd.load32(&row[2]), sums[2]);
                sums[3] = simd.fma32(c, simd.load32(&row[3]), sums[3]);
            }
            let at: &mut [_; 4] = (&mut to[first..first + 4]).try_into().expect("four chunks");
            simd.store32(&mut at[0], sums[0]);
            simd.store32(&mut at[1], sums[1]);
            simd.store32(&mut at[2], sums[2]);
            simd.store32(&mut at[3], sums[3]);
            first += 4;
        }
        for chunk in first..columns {
            let mut sum = simd.load32(&from[chunk]);
            for &(j, c) in moved {
                let row = &gram[j as usize * columns + chunk];
                sum = simd.fma32(simd.splat32(c), simd.load32(row), sum);
            }
            simd.store32(&mut to[chunk], sum);
        }
        for &j in &self.support {
            self.gradient[j as usize] = 0.0;
        }
    }

    /// The few largest violators, largest first, of those that lead their lane of the vectors.
    #[inline(always)]
    fn pick<S: Simd>(&mut self, simd: S, floor: f32, lambda: f32) {
        self.candidates.count = 0;
        let zero = simd.splat32(0.0);
        // Two chains, so that one need not wait for the other. Chunk numbers are exact in f32.
        let (mut best, mut tag, mut best_odd, mut tag_odd) = (zero, zero, zero, zero);
        let mut number = 0.0_f32;
        let (pairs, rest) = chunks(&self.gradient).as_chunks::<2>();
        for [even, odd] in pairs {
            (best, tag) = simd.keep_larger32(best, tag, simd.load32(even), simd.splat32(number));
            (best_odd, tag_odd) =
                simd.keep_larger32(best_odd, tag_odd, simd.load32(odd), simd.splat32(number + 1.0));
            number += 2.0;
        }
        (best, tag) = simd.keep_larger32(best, tag, best_odd, tag_odd);
        for chunk in rest {
            (best, tag) = simd.keep_larger32(best, tag, simd.load32(chunk), simd.splat32(number));
        }
        let largest = simd.max32(best);
        if largest <= floor {
            return;
        }
        // Strictly below the largest, so that there is a candidate.
        let threshold = (lambda + SHARE * (largest - lambda)).max(floor).min(largest * (1.0 - f32::EPSILON));
        let (mut sizes, mut numbers) = ([0.0; CHUNK], [0.0; CHUNK]);
        simd.store32(&mut sizes, best);
        simd.store32(&mut numbers, tag);
        let mut above = simd.above32(best, simd.splat32(threshold));
        while above != 0 {
            let lane = above.trailing_zeros() as usize;
            above &= above - 1;
            self.candidates.offer(sizes[lane], (numbers[lane] as usize * CHUNK + lane) as u32);
        }
    }

    /// Atom `j` joins, if it still violates, and the coefficients move to the optimum of the new support.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "one step of the algorithm with its numbers")]
    fn join<S: Simd>(
        &mut self,
        simd: S,
        dictionary: &GramDictionary,
        correlation: f32,
        j: u32,
        floor: f32,
        lambda: f32,
        ridge: f32,
    ) -> Joined {
        let s = self.support.len();
        if self.support.contains(&j) {
            return Joined::No;
        }
        if s + 1 > self.stride - 1 {
            return Joined::Dependent;
        }
        let gram = dictionary.gram_row(j as usize);
        let used = padded(s + 1);
        self.row[..used].fill(0.0);
        let mut gradient = correlation;
        for (a, (&i, &c)) in self.support.iter().zip(&self.values).enumerate() {
            let h = gram[i as usize];
            self.row[a] = h;
            gradient -= h * c;
        }
        for &(i, c) in &self.began {
            gradient += gram[i as usize] * c;
        }
        if gradient.abs() <= floor {
            return Joined::No;
        }
        let (stride, inverse) = (self.stride, &self.inverse);
        combine(simd, &mut self.image[..used], &self.row[..s], inverse, stride);
        let projected: f32 = self.row[..s].iter().zip(self.image.iter()).map(|(h, u)| h * u).sum();
        let whole = gram[j as usize] + ridge;
        let pivot = whole - projected;
        if pivot.is_nan() || pivot <= SMALLEST_PIVOT * whole {
            return Joined::Dependent;
        }
        self.border(simd, pivot, used);
        self.high = self.high.max(s + 1);
        let sign = gradient.signum();
        self.support.push(j);
        self.signs.push(sign);
        self.values.push(0.0);
        self.travel(simd, gradient - lambda * sign)
    }

    /// Step 1: the inverse with one more slot.
    #[inline(always)]
    fn border<S: Simd>(&mut self, simd: S, pivot: f32, used: usize) {
        let (s, stride) = (self.support.len(), self.stride);
        let reciprocal = 1.0 / pivot;
        self.image[s] = -1.0;
        let image = &self.image[..used];
        add_multiples(simd, &mut self.inverse, stride, s + 1, image, |a, _| image[a] * reciprocal);
    }

    /// Step 2: along the newcomer's column of the inverse, dropping what reaches zero.
    #[inline(always)]
    fn travel<S: Simd>(&mut self, simd: S, mut rho: f32) -> Joined {
        let mut newcomer = self.support.len() - 1;
        loop {
            let (s, stride) = (self.support.len(), self.stride);
            let column = &self.inverse[newcomer * stride..newcomer * stride + s];
            let (mut share, mut leaving) = (1.0_f32, usize::MAX);
            for (a, ((value, sign), along)) in self.values.iter().zip(&self.signs).zip(column).enumerate() {
                let moved = rho * along;
                if (value + moved) * sign <= 0.0 && a != newcomer {
                    let at = -value / moved;
                    if at < share {
                        (share, leaving) = (at.max(0.0), a);
                    }
                }
            }
            self.values.iter_mut().zip(column).for_each(|(value, along)| *value += share * rho * along);
            if leaving == usize::MAX {
                return Joined::Yes;
            }
            rho *= 1.0 - share;
            self.drop_slot(simd, leaving);
            if newcomer == s - 1 {
                newcomer = if leaving == s - 1 { return Joined::Yes } else { leaving };
            }
        }
    }

    /// The inverse without one slot; the last slot takes its place.
    #[inline(always)]
    fn drop_slot<S: Simd>(&mut self, simd: S, leaving: usize) {
        let (s, stride) = (self.support.len(), self.stride);
        let (last, used) = (s - 1, padded(s));
        self.image[..used].copy_from_slice(&self.inverse[leaving * stride..leaving * stride + used]);
        let factor = -1.0 / self.image[leaving];
        let image = &self.image[..used];
        add_multiples(simd, &mut self.inverse, stride, s, image, |a, _| image[a] * factor);
        // Rows and columns: the last slot moves to the free one, then its old place is cleared.
        if leaving != last {
            let (head, tail) = self.inverse.split_at_mut(last * stride);
            head[leaving * stride..leaving * stride + used].copy_from_slice(&tail[..used]);
            for a in 0..last {
                self.inverse[a * stride + leaving] = self.inverse[a * stride + last];
            }
        }
        self.inverse[last * stride..last * stride + used].fill(0.0);
        for a in 0..last {
            self.inverse[a * stride + last] = 0.0;
        }
        self.support.swap_remove(leaving);
        self.signs.swap_remove(leaving);
        self.values.swap_remove(leaving);
    }
}
