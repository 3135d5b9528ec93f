//! Codes for the squared loss, a block of samples at a time: screened in `f32`, decided and certified in `f64`.
//!
//! Problem and symbols as in [`crate::lower`]. For the samples of a block:
//! 1. correlations `V = D^T R` of all atoms with the residuals, one `f32` product for the block;
//! 2. for each sample: atoms whose `|v_j|` exceeds lambda less a rounding bound are computed again in `f64`; where none
//!    off the support exceeds lambda, the sample is done, with that as its certificate;
//! 3. otherwise its support grows ([`growth`]): violators join one by one, each a descent step, until none is left that
//!    `f32` can see; then coefficients and residual are computed in `f64` from the sorted support ([`settle`]).
//!
//! Two products finish nearly every sample. What single precision cannot decide (supports of nearly dependent atoms,
//! violators below its resolution, extreme scales) goes to [`crate::active_set`], from the code reached so far.
//! Samples are scaled by powers of two to a norm in [1/2, 1), so huge and tiny data are coded alike.
//!
//! Rounding bound: `|fl(d_j . r) - d_j . r| <= (d + 8) 2^-24 |d_j| |r|` for `f32` inputs rounded from `f64`.
//! Cost a sample: two products of `2 k d` single-precision flops, `2 k s` a round of growth, `s^3` in `f32` and
//! `14 s d` in `f64` to settle. Memory: `4 k^2` bytes for the Gram matrix, `k` + `3 d` numbers for each sample of a block.
//! Source: active-set quadratic programming with a bordered inverse, as in homotopy methods (Osborne, Presnell,
//! Turlach 2000; Mairal et al. 2010), entered by the largest violators instead of along a path.

mod growth;
mod settle;
mod dictionary;
mod vectors;

use crate::active_set::{CoderOptions, SampleOutcome, Workspace};
use crate::certificate::{Coded, CodingReport};
use crate::codes::{Code, Codes};
use crate::duality::{KINK, gap_bound};
use crate::lower::{LowerLevel, Problem};
use crate::samples::{self, Samples};
pub(crate) use dictionary::GramDictionary;
use dictionary::{Penalty, power_of_two};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use growth::Growth;
use linalg::columns::{dot, norm};
use linalg::simd::padded;
use settle::Settled;
use std::ops::Range;
use vectors::{Above, Largest};

/// Samples per block.
pub(crate) const BLOCK: usize = 48;
/// Rounds before a sample goes to the general method.
const MOST_ROUNDS: usize = 8;
/// Largest share of the tolerance that rounding in `f64` may take up.
const RESOLUTION: f64 = 0.1;
/// Unit roundoff of `f32`.
const ROUNDOFF: f64 = 1.0 / 16_777_216.0;

/// A sample of the block under way.
#[derive(Default)]
struct Sample {
    /// Padded, scaled by `2^-exponent`.
    values: Vec<f64>,
    residual: Vec<f64>,
    exponent: i32,
    settled: Settled,
    rounds: usize,
    /// Scans of the growth so far.
    scans: usize,
    /// Atoms that the last screening could not rule out.
    found: Vec<u32>,
    outcome: Option<SampleOutcome>,
}

/// One worker's memory.
#[derive(Default)]
pub(crate) struct BlockWorkspace {
    loaded: samples::Sample,
    samples: Vec<Sample>,
    active: Vec<usize>,
    residuals: Vec<f32>,
    correlations: Vec<f32>,
    growth: Growth,
    inverse: settle::Inverse,
    general: Workspace,
}

impl BlockWorkspace {
    /// Codes of the samples in `range`.
    pub fn encode(
        &mut self,
        problem: &Problem,
        dictionary: &GramDictionary,
        samples: Samples<'_>,
        start: Option<&Codes>,
        options: CoderOptions,
        range: Range<usize>,
    ) -> Coded {
        let n = range.len();
        self.samples.resize_with(n.max(self.samples.len()), Sample::default);
        self.active.clear();
        for (slot, i) in range.clone().enumerate() {
            let start = start.map_or(Code { support: &[], values: &[] }, |codes| codes.row(i));
            samples.load(i, &mut self.loaded);
            self.samples[slot].begin(&self.loaded.values);
            if !self.loaded.missing.is_empty() {
                // Another system than that of the whole dictionary: left to the general method.
                self.samples[slot].keep(start);
                continue;
            }
            if !start.support.is_empty() {
                self.warm(problem, dictionary, slot, start);
            }
            self.active.push(slot);
        }
        while !self.active.is_empty() {
            self.screen(dictionary);
            self.advance(problem, dictionary, options);
        }
        self.collect(problem, dictionary, samples, options, range)
    }

    /// Settles the support of an earlier code, where it can be.
    fn warm(&mut self, problem: &Problem, dictionary: &GramDictionary, slot: usize, start: Code<'_>) {
        let sample = &mut self.samples[slot];
        let penalty = sample.penalty(&problem.lower, dictionary);
        sample.settled.restart(start.iter());
        let Sample { values, residual, settled, .. } = sample;
        let solved = settled.solve(dictionary, values, residual, penalty, &mut self.inverse);
        if !solved {
            settled.clear();
            residual.copy_from_slice(values);
        }
    }

    /// Step 1: correlations of all atoms with the residuals of the samples under way.
    fn screen(&mut self, dictionary: &GramDictionary) {
        let (d, columns) = (dictionary.n_features, padded(dictionary.n_components));
        self.residuals.resize(d * BLOCK, 0.0);
        self.correlations.resize(columns * BLOCK, 0.0);
        for (to, &slot) in self.active.iter().enumerate() {
            let residual = &self.samples[slot].residual[..d];
            let narrow = &mut self.residuals[to * d..(to + 1) * d];
            narrow.iter_mut().zip(residual).for_each(|(n, r)| *n = *r as f32);
        }
        let n = self.active.len();
        matmul(
            MatMut::from_column_major_slice_mut(&mut self.correlations[..columns * n], columns, n),
            Accum::Replace,
            MatRef::from_column_major_slice(&dictionary.narrow, d, columns).transpose(),
            MatRef::from_column_major_slice(&self.residuals[..d * n], d, n),
            1.0,
            Par::Seq,
        );
    }

    /// Steps 2 and 3 for each sample under way; those that go on stay in `active`.
    fn advance(&mut self, problem: &Problem, dictionary: &GramDictionary, options: CoderOptions) {
        let columns = padded(dictionary.n_components);
        let mut kept = 0;
        for position in 0..self.active.len() {
            let slot = self.active[position];
            let correlations = &self.correlations[position * columns..(position + 1) * columns];
            let sample = &mut self.samples[slot];
            let penalty = sample.penalty(&problem.lower, dictionary);
            let verdict = sample.certify(dictionary, correlations, penalty, options.tolerance);
            let goes_on = matches!(verdict, Verdict::Grow)
                && sample.grow(
                    dictionary,
                    correlations,
                    penalty,
                    options.max_iterations,
                    (&mut self.growth, &mut self.inverse),
                );
            if goes_on {
                self.active[kept] = slot;
                kept += 1;
            }
        }
        self.active.truncate(kept);
    }

    /// Codes in the unit of the data; samples without a verdict are solved by the general method.
    fn collect(
        &mut self,
        problem: &Problem,
        dictionary: &GramDictionary,
        samples: Samples<'_>,
        options: CoderOptions,
        range: Range<usize>,
    ) -> Coded {
        let mut codes = Codes::new(problem.n_components());
        let mut report = CodingReport::default();
        for (slot, i) in range.enumerate() {
            let outcome = match self.samples[slot].outcome {
                Some(outcome) => outcome,
                None => {
                    samples.load(i, &mut self.loaded);
                    self.finish_in_general(problem, dictionary, options, slot)
                }
            };
            let sample = &self.samples[slot];
            if sample.outcome.is_some() {
                codes.push_iter(sample.settled.code(sample.exponent));
            } else {
                let general = &self.general;
                codes.push_iter(general.support().iter().map(|&j| (j, general.coefficient(j))));
            }
            report = report.merge(outcome.into());
        }
        Coded { codes, report }
    }

    /// The general method, from the code reached so far; where its support settles here, that gives the code, so that
    /// it does not depend on which of the two found the support.
    fn finish_in_general(
        &mut self,
        problem: &Problem,
        dictionary: &GramDictionary,
        options: CoderOptions,
        slot: usize,
    ) -> SampleOutcome {
        let sample = &mut self.samples[slot];
        let max_iterations = options.max_iterations.saturating_sub(sample.scans).max(1);
        let limited = CoderOptions { max_iterations, ..options };
        let code = sample.settled.code(sample.exponent);
        let mut outcome = self.general.solve(problem, &self.loaded, code, limited);
        if !outcome.converged || !self.loaded.missing.is_empty() {
            return outcome;
        }
        let penalty = sample.penalty(&problem.lower, dictionary);
        let general = &self.general;
        sample.settled.restart(general.support().iter().map(|&j| (j, general.coefficient(j))));
        let Sample { values, residual, settled, .. } = sample;
        if settled.solve(dictionary, values, residual, penalty, &mut self.inverse)
            && sample.resolution(dictionary) <= RESOLUTION * options.tolerance * penalty.lambda
        {
            outcome.violation = outcome.violation.max(sample.settled.violation);
            outcome.duality_gap = sample.gap(penalty, 0, outcome.violation);
            sample.outcome = Some(outcome);
        }
        outcome
    }
}

/// What screening says of a sample.
enum Verdict {
    /// Finished, or left to the general method.
    Done,
    /// There are violators that single precision can see.
    Grow,
}

impl Sample {
    fn begin(&mut self, values: &[f64]) {
        let length = norm(values);
        self.exponent = if length > 0.0 { length.log2().floor() as i32 + 1 } else { 0 };
        // Powers of two up to these are exact, and so is the way back.
        self.exponent = self.exponent.clamp(-1000, 1000);
        let scale = power_of_two(-self.exponent);
        self.values.clear();
        self.values.extend(values.iter().map(|v| v * scale));
        self.values.resize(padded(values.len()), 0.0);
        self.residual.clear();
        self.residual.extend_from_slice(&self.values);
        self.settled.clear();
        (self.rounds, self.scans) = (0, 0);
        self.outcome = None;
    }

    /// Takes over a code, in the unit of the data.
    fn keep(&mut self, code: Code<'_>) {
        self.settled.restart(code.iter());
        let scale = power_of_two(-self.exponent);
        self.settled.values.extend(code.values.iter().map(|c| c * scale));
    }

    fn penalty(&self, lower: &LowerLevel, dictionary: &GramDictionary) -> Penalty {
        let lambda = lower.regularization * power_of_two(-self.exponent);
        let size = (dictionary.n_features + 8) as f64 * ROUNDOFF * dictionary.largest_norm;
        Penalty { lambda, ridge: lower.ridge(), bound: size * norm(&self.residual) + 1e-30 }
    }

    /// Step 2: decides in `f64` what `f32` cannot.
    fn certify(
        &mut self,
        dictionary: &GramDictionary,
        correlations: &[f32],
        penalty: Penalty,
        tolerance: f64,
    ) -> Verdict {
        self.rounds += 1;
        let lambda = penalty.lambda;
        let (mut excess, mut violators, mut undecided) = (0.0_f64, 0, 0);
        let threshold = (lambda - penalty.bound) as f32;
        if self.settled.support.is_empty() {
            let largest = dictionary.isa.run(Largest(correlations));
            if f64::from(largest) > lambda + 100.0 * penalty.bound {
                return self.grow_or_give_up();
            }
        }
        dictionary.isa.run(Above { correlations, threshold, found: &mut self.found });
        for &j in &self.found {
            if self.settled.holds(j as usize) {
                continue;
            }
            if f64::from(correlations[j as usize].abs()) > lambda + 100.0 * penalty.bound {
                return self.grow_or_give_up();
            }
            let exact = dot(dictionary.atom(j as usize), &self.residual).abs();
            excess = excess.max(exact - lambda);
            violators += usize::from(exact > lambda);
            undecided += usize::from(lambda - exact < KINK * lambda);
        }
        if self.resolution(dictionary) > RESOLUTION * tolerance * lambda {
            return Verdict::Done;
        }
        let violation = (excess / lambda).max(self.settled.violation);
        if violation <= tolerance {
            self.outcome = Some(SampleOutcome {
                converged: true,
                violation,
                duality_gap: self.gap(penalty, violators, violation),
                undecided: undecided + self.faint(),
                rank_deficient: false,
            });
            return Verdict::Done;
        }
        if excess > 10.0 * penalty.bound { self.grow_or_give_up() } else { Verdict::Done }
    }

    /// A bound on the duality gap relative to the objective at 0, from the KKT violation.
    fn gap(&self, penalty: Penalty, violators: usize, violation: f64) -> f64 {
        let Penalty { lambda, ridge, .. } = penalty;
        let energy = dot(&self.residual, &self.residual);
        let support = self.settled.values.iter().map(|c| (c.abs(), lambda));
        let gap = gap_bound(energy, ridge, support, violators, violation * lambda, lambda);
        if gap > 0.0 { 2.0 * gap / dot(&self.values, &self.values) } else { 0.0 }
    }

    /// Number of coefficients that vanish beside the largest.
    fn faint(&self) -> usize {
        let values = &self.settled.values;
        let largest = values.iter().fold(0.0_f64, |m, c| m.max(c.abs()));
        values.iter().filter(|c| c.abs() <= KINK * largest).count()
    }

    /// Rounding of `d_j . (x - D c)` in `f64`: what cannot be told apart in a certificate.
    fn resolution(&self, dictionary: &GramDictionary) -> f64 {
        let mass: f64 = self.settled.values.iter().map(|c| c.abs()).sum();
        4.0 * f64::EPSILON * dictionary.largest_norm * (1.0 + mass * dictionary.largest_norm)
    }

    fn grow_or_give_up(&self) -> Verdict {
        if self.rounds < MOST_ROUNDS { Verdict::Grow } else { Verdict::Done }
    }

    /// Step 3; `false` where the general method has to go on.
    fn grow(
        &mut self,
        dictionary: &GramDictionary,
        correlations: &[f32],
        penalty: Penalty,
        max_iterations: usize,
        (growth, inverse): (&mut Growth, &mut settle::Inverse),
    ) -> bool {
        growth.scans_left = max_iterations.saturating_sub(self.scans);
        let grown = settle::invert(dictionary, &self.settled.support, penalty.ridge, inverse)
            && growth.start(dictionary, &self.settled, inverse)
            && growth.run(dictionary, correlations, penalty);
        self.scans = max_iterations - growth.scans_left.min(max_iterations);
        if !grown {
            return false;
        }
        growth.hand_over(&mut self.settled);
        let Self { values, residual, settled, .. } = self;
        settled.solve(dictionary, values, residual, penalty, inverse) && growth.scans_left > 0
    }
}
