//! A support grows to the optimum in `f32`: violators join one at a time, with a bordered inverse of their system.
//!
//! State: support `S` in slots, signs `s`, coefficients `c` optimal on `S`, `M = G_SS^-1`, `G = D^T D` with the ridge on
//! its diagonal. `|g_j|` stands for `g_j` where codes are not negative.
//! The largest few violators of a scan ([`super::scan`]) are tried in turn: `h = G_jS`, `g_j` anew; if still
//! `|g_j| > lambda`, atom `j` joins with coefficient 0 and
//! 1. border: `u = M h`, `e = G_jj - h.u`, `M <- [M + u u^T / e, -u / e; -u^T / e, 1 / e]`;
//! 2. move: `c <- c + a rho M_j` with `rho = g_j - lambda s_j` and the largest `a <= 1` that changes no sign;
//!    if `a < 1` the coefficient that vanished leaves (`M <- M - m m^T / m_ii`), `rho <- (1 - a) rho`, and again.
//!
//! Each move decreases the objective, so supports do not repeat (up to rounding, which the caller certifies).
//! Cost: `s k / 16` vector operations a scan, `s^2 / 8` an atom.

use super::dictionary::{GramDictionary, Limits, Penalty};
use super::scan::{Candidates, Scan};
use super::settle::{Inverse, Settled};
use super::vectors::{add_multiples, combine};
use linalg::simd::{Aligned, Kernel, Simd, padded};

/// Smallest accepted `e / G_jj`: below it atoms are nearly dependent and `f32` is not enough.
const SMALLEST_PIVOT: f32 = 1e-4;

/// One worker's memory; between [`Growth::start`] and [`Growth::hand_over`] the state of one sample.
#[derive(Clone, Debug, Default)]
pub(super) struct Growth {
    support: Vec<u32>,
    signs: Vec<f32>,
    values: Vec<f32>,
    /// `M`: rows of `stride` numbers, zero beyond the slots in use.
    inverse: Aligned<f32>,
    stride: usize,
    row: Aligned<f32>,
    image: Aligned<f32>,
    scan: Scan,
    candidates: Candidates,
    /// Scans that may still be made.
    pub scans_left: usize,
    /// Largest number of slots in use since `inverse` was last cleared.
    high: usize,
}

impl Growth {
    /// From a support and its coefficients in `f32`; `false` where it is too large for the memory at hand.
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
        self.support.clear();
        self.support.extend_from_slice(&settled.support);
        self.signs.clear();
        self.signs.extend(settled.signs.iter().map(|s| *s as f32));
        self.values.clear();
        self.values.extend_from_slice(&settled.grown);
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
    /// The correlations become those at zero coefficients.
    pub fn run(&mut self, dictionary: &GramDictionary, correlations: &mut [f32], penalty: Penalty) -> bool {
        dictionary.isa.run(Run { growth: self, dictionary, correlations, penalty })
    }

    /// Support, ascending, signs and the coefficients reached.
    pub fn hand_over(&mut self, settled: &mut Settled) {
        let Self { scan, support, values, signs, .. } = self;
        scan.terms.clear();
        let signed = values.iter().zip(&*signs).map(|(c, s)| c.copysign(*s));
        scan.terms.extend(support.iter().copied().zip(signed));
        settled.grow_to(&scan.terms);
    }

    /// `g` of the last scan, zero on the support, if that found no violator.
    pub fn last_scan(&self) -> Option<&[f32]> {
        (self.candidates.count == 0).then_some(&self.scan.gradient)
    }
}

struct Run<'a> {
    growth: &'a mut Growth,
    dictionary: &'a GramDictionary<'a>,
    correlations: &'a mut [f32],
    penalty: Penalty,
}

impl Kernel for Run<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> bool {
        let Self { growth, dictionary, correlations, penalty } = self;
        let limits = penalty.limits();
        if !growth.support.is_empty() {
            growth.scan.terms.clear();
            growth.scan.terms.extend(growth.support.iter().copied().zip(growth.values.iter().copied()));
            growth.scan.add(simd, dictionary, correlations, f32::NEG_INFINITY);
            correlations.copy_from_slice(&growth.scan.gradient);
            if dictionary.has_ridge() {
                for (&j, &c) in growth.support.iter().zip(&growth.values) {
                    correlations[j as usize] -= dictionary.ridge(j as usize) as f32 * c;
                }
            }
        }
        while growth.scans_left > 0 {
            growth.scans_left -= 1;
            growth.scan.terms.clear();
            let terms = growth.support.iter().copied().zip(growth.values.iter().map(|c| -c));
            growth.scan.terms.extend(terms);
            growth.candidates = growth.scan.run(simd, dictionary, correlations, limits);
            if growth.candidates.count == 0 {
                return true;
            }
            let mut joined = false;
            for index in 0..growth.candidates.count {
                let j = growth.candidates.atoms[index];
                match growth.join(simd, dictionary, correlations[j as usize], j, limits) {
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
    /// Atom `j` joins, if it still violates, and the coefficients move to the optimum of the new support.
    #[inline(always)]
    fn join<S: Simd>(
        &mut self,
        simd: S,
        dictionary: &GramDictionary,
        correlation: f32,
        j: u32,
        limits: Limits,
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
        if gradient.max(dictionary.least()).abs() <= limits.floor {
            return Joined::No;
        }
        let (stride, inverse) = (self.stride, &self.inverse);
        combine(simd, &mut self.image[..used], &self.row[..s], inverse, stride);
        let projected: f32 = self.row[..s].iter().zip(self.image.iter()).map(|(h, u)| h * u).sum();
        let whole = gram[j as usize];
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
        self.travel(simd, gradient - limits.lambda * sign)
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

#[cfg(test)]
mod tests {
    use super::super::settle::{Settler, invert};
    use super::*;
    use crate::loss::Loss;
    use crate::lower::{LowerLevel, Problem};
    use faer::MatRef;
    use linalg::columns::dot;

    /// From every atom that violates at zero; many of them leave again, and their share of the ridge with them.
    #[test]
    fn the_last_scan_is_the_gradient_at_the_coefficients_reached() {
        let (d, k, lambda) = (16, 20, 0.1);
        let atoms = testkit::unit_columns(d, k, 31);
        let sample = testkit::unit_columns(d, 1, 32);
        let lower = LowerLevel { l2_regularization: 0.5, ..LowerLevel::new(Loss::Squared, lambda) };
        let problem = Problem::new(lower, MatRef::from_column_major_slice(&atoms, d, k));
        let dictionary = GramDictionary::new(&problem).expect("atoms of norm 1");
        let penalty = Penalty { lambda, bound: 1e-6 };
        let mut left = 0;
        for first in 0..k {
            let correlation = dot(dictionary.atom(first), &sample);
            if correlation.abs() <= lambda {
                continue;
            }
            let (mut settled, mut inverse) = (Settled::default(), Inverse::default());
            let (mut settler, mut residual) = (Settler::default(), vec![0.0; d]);
            settled.restart([(first, correlation)].into_iter());
            assert!(invert(&dictionary, &settled.support, &mut inverse));
            let matrix = inverse.matrix();
            assert!(settled.solve(&dictionary, &sample, &mut residual, penalty, matrix, &mut settler));
            settled.grown = settled.values.iter().map(|c| *c as f32).collect();
            let mut correlations = Aligned::zeros(padded(k));
            (0..k).for_each(|j| correlations[j] = dot(dictionary.atom(j), &residual) as f32);

            let mut growth = Growth { scans_left: 100, ..Growth::default() };
            assert!(growth.start(&dictionary, &settled, &inverse));
            assert!(growth.run(&dictionary, &mut correlations, penalty));
            growth.hand_over(&mut settled);
            let mut remainder = sample.clone();
            for (&j, &c) in settled.support.iter().zip(&settled.grown) {
                let atom = dictionary.atom(j as usize);
                remainder.iter_mut().zip(atom).for_each(|(r, a)| *r -= f64::from(c) * a);
            }
            let scan = growth.last_scan().expect("it found no violator");
            for j in (0..k).filter(|j| !settled.support.contains(&(*j as u32))) {
                let exact = dot(dictionary.atom(j), &remainder);
                testkit::assert_close(f64::from(scan[j]), exact, 0.0, 1e-6);
            }
            left += usize::from(!settled.support.contains(&(first as u32)));
        }
        assert!(left > 0, "no atom left");
    }
}
