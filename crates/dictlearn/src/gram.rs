//! Codes for the squared loss, a block of samples at a time: screened in `f32`, decided and certified in `f64`.
//!
//! Problem and symbols as in [`crate::lower`]. For the samples of a block:
//! 1. correlations `V = D^T R` of all atoms with the residuals, one `f32` product for the block;
//! 2. for each sample: atoms whose `|v_j|` exceeds lambda less a rounding bound are computed again in `f64`; where none
//!    off the support exceeds lambda, the sample is done, with that as its certificate;
//! 3. otherwise its support grows ([`growth`]): violators join one by one, each a descent step, until none is left that
//!    `f32` can see; where only `f64` sees one, that joins, and the sample is settled and screened again;
//! 4. coefficients and residuals of all supports that grew are computed in `f64` ([`settle`]), each from its own sorted
//!    support alone, sixteen at a time ([`together`], [`lanes`]). Where the last scan of the growth rules out all other
//!    atoms, or `f64` does for those that it cannot ([`sample`]), the sample is done; otherwise it is screened again.
//!
//! One product finishes nearly every sample. What single precision cannot decide (supports of nearly dependent atoms,
//! extreme scales) goes to [`crate::active_set`], from the code reached so far.
//! Samples are scaled by powers of two to a norm in [1/2, 1), so huge and tiny data are coded alike. Weights of the l1 norm
//! go to the atoms ([`dictionary`]); for non-negative codes `v_j` stands where `|v_j|` does.
//!
//! Rounding bound: `|fl(d_j . r) - d_j . r| <= (d + 8) 2^-24 |d_j| |r|` for `f32` inputs rounded from `f64`.
//! Cost a sample: a product of `2 k d` single-precision flops, `2 k s` a round of growth, `s^3 / 32` vector operations and
//! `6 s d` in `f64` to settle (`14 s d` beyond 512 atoms). Memory: `4 k^2` bytes for the Gram matrix, up to 512 atoms `8 k^2`
//! more, and `k` + `3 d` numbers for each sample of a block.
//! Source: active-set quadratic programming with a bordered inverse, as in homotopy methods (Osborne, Presnell,
//! Turlach 2000; Mairal et al. 2010), entered by the largest violators instead of along a path.

mod together;
mod sample;
mod margin;
mod growth;
mod scan;
mod settle;
mod lanes;
mod dictionary;
mod product;
mod vectors;

use crate::active_set::{CoderOptions, Fallback, SampleOutcome, Workspace};
use crate::certificate::Block;
use crate::codes::{Code, Codes};
use crate::margins::{Earlier, Margins, Warm};
use crate::optimality::certify;
use crate::phases::{Phase, Stopwatch};
use crate::samples::{self, Samples};
pub(crate) use dictionary::GramDictionary;
use dictionary::power_of_two;
use growth::Growth;
use linalg::simd::{Aligned, CHUNK, padded};
use product::Correlate;
use sample::{Sample, Verdict};
use settle::{Inverse, Settled, Settler};
use std::ops::Range;
use together::Together;

/// Samples per block.
pub(crate) const BLOCK: usize = 48;

/// One worker's memory.
#[derive(Default)]
pub(crate) struct BlockWorkspace {
    loaded: samples::Sample,
    samples: Vec<Sample>,
    active: Vec<usize>,
    /// Samples with a support to grow, then to settle.
    pending: Vec<usize>,
    /// Samples whose support one atom has joined in `f64`.
    joined: Vec<usize>,
    watch: Stopwatch,
    residuals: Aligned<f32>,
    correlations: Aligned<f32>,
    growth: Growth,
    inverse: Inverse,
    together: Together,
    settler: Settler,
    general: Workspace,
}

impl BlockWorkspace {
    /// Codes of the samples in `range`.
    pub fn encode(
        &mut self,
        dictionary: &GramDictionary,
        samples: Samples<'_>,
        warm: Warm<'_>,
        options: CoderOptions,
        range: Range<usize>,
    ) -> Block {
        let n = range.len();
        self.watch.start();
        self.samples.resize_with(n.max(self.samples.len()), Sample::default);
        self.active.clear();
        for (slot, i) in range.clone().enumerate() {
            let values = samples.values(i, &mut self.loaded);
            self.samples[slot].begin(values, &dictionary.problem.lower, dictionary.isa, warm.note);
            // Where features are missing the Gram matrix is another one: left to the general method.
            if self.loaded.missing.is_empty() {
                self.active.push(slot);
            }
        }
        self.watch.lap(Phase::Load);
        if let Some(start) = warm.codes {
            self.settle_start(dictionary, start, range.clone());
            self.watch.lap(Phase::Settle);
            self.rule_out(dictionary, start, warm.earlier, options.tolerance, range.start);
            self.watch.lap(Phase::Certify);
        }
        while !self.active.is_empty() {
            self.screen(dictionary);
            self.advance(dictionary, options);
        }
        let block = self.collect(dictionary, samples, warm, options, range);
        self.watch.lap(Phase::Collect);
        block
    }

    /// Settles the supports of earlier codes, where they can be.
    fn settle_start(&mut self, dictionary: &GramDictionary, start: &Codes, range: Range<usize>) {
        self.pending.clear();
        for &slot in &self.active {
            let code = start.row(range.start + slot);
            if !code.support.is_empty() {
                let allowed = code.iter().filter(|(_, c)| dictionary.problem.size(*c) > 0.0);
                self.samples[slot].settled.restart(allowed);
                self.pending.push(slot);
            }
        }
        self.settle(dictionary);
        for &slot in &self.pending {
            if !self.samples[slot].settled.solved {
                self.samples[slot].settled.clear();
            }
        }
    }

    /// Samples of which margins rule out all atoms off the support are finished without step 1.
    fn rule_out(
        &mut self,
        dictionary: &GramDictionary,
        start: &Codes,
        earlier: Option<Earlier<'_>>,
        tolerance: f64,
        first: usize,
    ) {
        let Some(earlier) = earlier else { return };
        for &slot in &self.active {
            let (row, sample) = (first + slot, &mut self.samples[slot]);
            if sample.settled.support.len() == start.row(row).support.len() {
                sample.rule_out(dictionary, earlier, row, start.row(row), tolerance);
            }
        }
        self.active.retain(|&slot| self.samples[slot].outcome.is_none());
    }

    /// Step 1: correlations of all atoms with the residuals of the samples under way.
    fn screen(&mut self, dictionary: &GramDictionary) {
        let (d, columns) = (dictionary.n_features, padded(dictionary.n_components));
        self.residuals.reserve(d * BLOCK);
        self.correlations.reserve(columns * BLOCK);
        for (to, &slot) in self.active.iter().enumerate() {
            self.samples[slot].narrow(dictionary, &mut self.residuals[to * d..(to + 1) * d]);
        }
        self.watch.lap(Phase::Load);
        let n = self.active.len();
        dictionary.isa.run(Correlate {
            panels: &dictionary.panels,
            residuals: &self.residuals[..d * n],
            correlations: &mut self.correlations[..columns * n],
        });
        self.watch.lap(Phase::Product);
    }

    /// Steps 2 to 4 for the samples under way; those that go on stay in `active`.
    fn advance(&mut self, dictionary: &GramDictionary, options: CoderOptions) {
        let columns = padded(dictionary.n_components);
        self.pending.clear();
        for (position, &slot) in self.active.iter().enumerate() {
            let sample = &mut self.samples[slot];
            sample.position = position;
            let correlations = &mut self.correlations[position * columns..(position + 1) * columns];
            match sample.certify(dictionary, correlations, options.tolerance) {
                Verdict::Grow => self.pending.push(slot),
                Verdict::Settle => self.joined.push(slot),
                Verdict::Done => {}
            }
        }
        self.watch.lap(Phase::Certify);
        let mut pending = std::mem::take(&mut self.pending);
        pending.retain(|&slot| self.grow(dictionary, slot, options.max_iterations));
        pending.append(&mut self.joined);
        self.pending = pending;
        self.watch.lap(Phase::Grow);
        self.settle(dictionary);
        self.watch.lap(Phase::Settle);
        self.active.clear();
        for &slot in &self.pending {
            let sample = &mut self.samples[slot];
            let scan = &self.correlations[sample.position * columns..(sample.position + 1) * columns];
            if sample.settled.solved
                && !sample.conclude(dictionary, scan, options.tolerance)
                && sample.scans < options.max_iterations
            {
                self.active.push(slot);
            }
        }
        self.watch.lap(Phase::Certify);
    }

    /// Step 3; `false` where the general method has to go on. Leaves the last scan in place of the correlations.
    fn grow(&mut self, dictionary: &GramDictionary, slot: usize, max_iterations: usize) -> bool {
        let columns = padded(dictionary.n_components);
        let position = self.samples[slot].position;
        let correlations = &mut self.correlations[position * columns..(position + 1) * columns];
        let (sample, growth, inverse) = (&mut self.samples[slot], &mut self.growth, &mut self.inverse);
        growth.scans_left = max_iterations.saturating_sub(sample.scans);
        sample.begin_growth();
        let grown = settle::invert(dictionary, &sample.settled.support, inverse)
            && growth.start(dictionary, &sample.settled, inverse)
            && growth.run(dictionary, correlations, sample.penalty);
        sample.scans = max_iterations - growth.scans_left.min(max_iterations);
        if grown {
            growth.hand_over(&mut sample.settled);
            match growth.last_scan() {
                Some(scan) => {
                    correlations.copy_from_slice(scan);
                    sample.note_growth(dictionary);
                }
                None => sample.scan_rounding = f64::INFINITY,
            }
        }
        grown
    }

    /// Step 4 for the samples in `pending`, those of like size together, what is left alone.
    fn settle(&mut self, dictionary: &GramDictionary) {
        let Self { samples, pending, together, inverse, settler, .. } = self;
        pending.sort_unstable_by_key(|&slot| samples[slot].settled.support.len());
        let small = pending.partition_point(|&slot| samples[slot].settled.support.len() <= lanes::LARGEST);
        for group in pending[..small].chunks(CHUNK) {
            together.settle(dictionary, samples, group, settler);
        }
        for (rank, &slot) in pending.iter().enumerate() {
            let Sample { values, residual, settled, penalty, .. } = &mut samples[slot];
            if rank < small && settled.solved {
                continue;
            }
            settled.solved = settled.support.len() <= dictionary.largest_support()
                && settle::invert(dictionary, &settled.support, inverse)
                && settled.solve(dictionary, values, residual, *penalty, inverse.matrix(), settler);
        }
    }

    /// Codes in the unit of the data; samples without a verdict are solved by the general method.
    fn collect(
        &mut self,
        dictionary: &GramDictionary,
        samples: Samples<'_>,
        warm: Warm<'_>,
        options: CoderOptions,
        range: Range<usize>,
    ) -> Block {
        let entries = self.samples[..range.len()].iter().map(|sample| sample.settled.support.len()).sum();
        let mut codes = Codes::with_capacity(dictionary.n_components, range.len(), entries);
        let (mut outcomes, mut margins) = (Vec::with_capacity(range.len()), Margins::default());
        for (slot, i) in range.enumerate() {
            let mut outcome = match self.samples[slot].outcome {
                Some(outcome) => outcome,
                None => {
                    samples.load(i, &mut self.loaded);
                    if self.loaded.missing.is_empty() {
                        self.finish_in_general(dictionary, options, slot)
                    } else {
                        let start =
                            warm.codes.map_or(Code { support: &[], values: &[] }, |codes| codes.row(i));
                        self.general.solve(
                            dictionary.problem,
                            &self.loaded,
                            start.iter(),
                            options,
                            Fallback::Homotopy,
                        )
                    }
                }
            };
            let sample = &mut self.samples[slot];
            if sample.outcome.is_some() {
                let Settled { support, values, .. } = &mut sample.settled;
                dictionary.unweigh(support, values);
                if !codes.push_scaled(support, values, power_of_two(sample.exponent)) {
                    samples.load(i, &mut self.loaded);
                    outcome = as_rounded(dictionary, &self.loaded.values, codes.row(slot), options);
                }
            } else {
                let general = &self.general;
                codes.push_iter(general.support().iter().map(|&j| (j, general.coefficient(j))));
            }
            outcomes.push(outcome);
            if warm.note {
                margins.push(sample.margin.slack, &sample.margin.list);
            }
        }
        Block { codes, outcomes, margins, rescued: 0 }
    }

    /// The general method, from the code reached so far; where its support settles here, that gives the code, so that
    /// it does not depend on which of the two found the support.
    fn finish_in_general(
        &mut self,
        dictionary: &GramDictionary,
        options: CoderOptions,
        slot: usize,
    ) -> SampleOutcome {
        let sample = &mut self.samples[slot];
        let max_iterations = options.max_iterations.saturating_sub(sample.scans).max(1);
        let limited = CoderOptions { max_iterations, ..options };
        dictionary.unweigh(&sample.settled.support, &mut sample.settled.values);
        let code = sample.settled.code(sample.exponent);
        let mut outcome =
            self.general.solve(dictionary.problem, &self.loaded, code, limited, Fallback::Homotopy);
        if !outcome.converged {
            return outcome;
        }
        let general = &self.general;
        sample.settled.restart(general.support().iter().map(|&j| (j, general.coefficient(j))));
        if self.settle_found(dictionary, options, slot, &mut outcome) {
            self.samples[slot].outcome = Some(outcome);
        }
        outcome
    }

    /// Settles a support that was found elsewhere, with the outcome of its code; `false` where it cannot be.
    fn settle_found(
        &mut self,
        dictionary: &GramDictionary,
        options: CoderOptions,
        slot: usize,
        outcome: &mut SampleOutcome,
    ) -> bool {
        self.pending.clear();
        self.pending.push(slot);
        self.settle(dictionary);
        let sample = &mut self.samples[slot];
        sample.settled.solved && sample.certify_found(dictionary, options.tolerance, outcome)
    }

    /// The code of a sample of the last block that homotopy found, settled here where it can be: as if it had been the
    /// start.
    pub fn adopt(
        &mut self,
        dictionary: &GramDictionary,
        options: CoderOptions,
        slot: usize,
        code: &mut Vec<(usize, f64)>,
        outcome: &mut SampleOutcome,
    ) {
        self.samples[slot].settled.restart(code.iter().copied());
        let mut settled_outcome = *outcome;
        if !outcome.converged || !self.settle_found(dictionary, options, slot, &mut settled_outcome) {
            return;
        }
        let Sample { settled, exponent, .. } = &mut self.samples[slot];
        dictionary.unweigh(&settled.support, &mut settled.values);
        // What has to be rounded to the range of numbers has lost this certificate.
        if settled.values.iter().all(|c| (c * power_of_two(*exponent)).is_normal()) {
            code.clear();
            code.extend(settled.code(*exponent));
            *outcome = settled_outcome;
        }
    }
}

/// The outcome of a code that had to be rounded to the range of numbers.
#[cold]
fn as_rounded(
    dictionary: &GramDictionary,
    sample: &[f64],
    code: Code<'_>,
    options: CoderOptions,
) -> SampleOutcome {
    let lambda = dictionary.problem.lower.regularization;
    let code: Vec<(usize, f64)> = code.iter().collect();
    certify(dictionary.problem, sample, &code, (lambda, lambda), options.tolerance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::Loss;
    use crate::lower::{LowerLevel, Problem};
    use faer::MatRef;
    use linalg::columns::column;

    /// Everyday samples are finished here: what the general method would have to repair is lost time.
    #[test]
    fn the_general_method_is_not_needed_for_ordinary_samples() {
        let (d, k) = (24, 60);
        let atoms = testkit::unit_columns(d, k, 1);
        let samples = testkit::unit_columns(d, BLOCK, 2);
        let [atoms, samples] =
            [(&atoms, k), (&samples, BLOCK)].map(|(v, n)| MatRef::from_column_major_slice(v, d, n));
        let weights: Vec<f64> = (0..k).map(|j| 0.7 + (j % 5) as f64 / 10.0).collect();
        for (ridge, non_negative) in [0.0, 1e-6, 0.01, 1.0].into_iter().flat_map(|r| [(r, false), (r, true)])
        {
            for (regularization, weighted) in [(0.05, false), (0.05, true), (0.2, false), (0.2, true)] {
                let lower = LowerLevel {
                    l2_regularization: ridge,
                    non_negative,
                    ..LowerLevel::new(Loss::Squared, regularization)
                };
                let mut problem = Problem::new(lower, atoms);
                if weighted {
                    problem = problem.with_weights(&weights).expect("positive weights");
                }
                let dictionary = GramDictionary::new(&problem).expect("atoms of norm 1");
                let mut workspace = BlockWorkspace::default();
                let options = CoderOptions::default();
                let block = workspace.encode(&dictionary, samples.into(), Warm::default(), options, 0..BLOCK);
                assert!(block.codes.nnz() > 3 * BLOCK && block.outcomes.iter().all(|o| o.converged));
                assert!(workspace.general.support().is_empty(), "ridge {ridge}");
                for (i, code) in block.codes.rows().enumerate() {
                    let code: Vec<_> = code.iter().collect();
                    let units = (regularization, regularization);
                    let found = certify(&problem, column(samples, i), &code, units, 1e-12);
                    assert!(found.converged, "ridge {ridge}, sample {i}: {:e}", found.violation);
                }
            }
        }
    }

    /// Orthogonal atoms, one of which exceeds lambda by less than single precision can tell.
    #[test]
    fn violators_below_single_precision_join_here() {
        let (d, lambda) = (24, 0.3);
        let mut atoms = vec![0.0; 3 * d];
        (0..3).for_each(|j| atoms[j * d + j] = 1.0);
        for excess in [1e-8, -1e-8] {
            for sign in [1.0, -1.0] {
                let mut sample = vec![0.0; d];
                sample[..3].copy_from_slice(&[0.1, sign * lambda * (1.0 + excess), 0.8]);
                let lower = LowerLevel::new(Loss::Squared, lambda);
                let problem = Problem::new(lower, MatRef::from_column_major_slice(&atoms, d, 3));
                let dictionary = GramDictionary::new(&problem).expect("atoms of norm 1");
                let mut workspace = BlockWorkspace::default();
                let samples = MatRef::from_column_major_slice(&sample, d, 1);
                let options = CoderOptions { tolerance: 1e-2, ..CoderOptions::default() };
                let block = workspace.encode(&dictionary, samples.into(), Warm::default(), options, 0..1);
                assert!(workspace.general.support().is_empty(), "{excess:e}");
                let (code, joined) = (block.codes.row(0), excess > 0.0);
                assert_eq!(code.support, if joined { &[1, 2][..] } else { &[2] });
                assert!(!joined || (code.values[0] / sign - lambda * excess).abs() < 1e-15);
            }
        }
    }
}
