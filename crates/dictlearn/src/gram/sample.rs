//! A sample on its way through the rounds of a block: scaled, screened, certified.
//!
//! Scale: `x <- 2^-e x` with `|x|` in [1/2, 1), and lambda likewise, so that `f32` neither overflows nor vanishes.
//! Screening reads `v_j = d_j . r` in `f32`; what lies within its rounding of lambda is computed again in `f64`. The last
//! scan of a growth does as well: `g_j` at its coefficients `c'` differs from `d_j . r` at the settled `c` by at most
//! `(d + m + 20) 2^-24 (a |r_0| + a^2 m_1) + a^2 |c - c'|_1`, with `a` the largest norm of an atom, `r_0` the residual that
//! was screened, `m` the number of coefficients before and after the growth (with a ridge those before it twice) and `m_1`
//! the sum of their magnitudes.
//! Cost: a few passes over the `d` features and one over the `k` correlations a round.

use super::dictionary::{GramDictionary, Penalty, power_of_two};
use super::margin::Margin;
use super::settle::Settled;
use super::vectors::Above;
use crate::active_set::SampleOutcome;
use crate::codes::Code;
use crate::duality::{KINK, gap_bound};
use crate::lower::LowerLevel;
use crate::margins::Earlier;
use linalg::columns::{dot, norm};
use linalg::simd::{Aligned, CHUNK, Isa, Kernel, Simd, chunks, chunks_mut, padded};

/// Rounds before a sample goes to the general method.
const MOST_ROUNDS: usize = 8;
/// Largest share of the tolerance that rounding in `f64` may take up.
const RESOLUTION: f64 = 0.1;
/// Violators beyond this join also where the tolerance is coarser: codes then depend on it and on the start no more.
const SHARP: f64 = 1e-10;
/// Share of lambda beyond which the rounding of a scan is too coarse to decide by.
const COARSE: f64 = 0.1;
/// Unit roundoff of `f32`.
const ROUNDOFF: f64 = 1.0 / 16_777_216.0;

/// A sample of the block under way.
#[derive(Default)]
pub(super) struct Sample {
    /// Padded, scaled by `2^-exponent`.
    pub values: Aligned<f64>,
    /// `values - D c` of the settled code, unless its support is empty.
    pub residual: Aligned<f64>,
    pub exponent: i32,
    pub settled: Settled,
    pub penalty: Penalty,
    pub outcome: Option<SampleOutcome>,
    /// Scans of the growth so far.
    pub scans: usize,
    rounds: usize,
    /// Number of coefficients before the growth and the sum of their magnitudes.
    before: (usize, f64),
    /// Atoms that the last screening could not rule out.
    found: Vec<u32>,
    /// Correlations of the support, while they are set aside.
    aside: Vec<f32>,
    /// Among the active samples of the block.
    pub position: usize,
    /// See [`Sample::note_growth`]; infinite where there was no scan.
    pub scan_rounding: f64,
    pub margin: Margin,
}

/// Atoms off the support whose `|d_j . r|` is near lambda.
#[derive(Clone, Copy, Default)]
struct Near {
    /// The largest `|d_j . r| - lambda` (`d_j . r - lambda` for non-negative codes), at least 0.
    excess: f64,
    /// The same with each of them times its weight.
    weighted: f64,
    /// The atom with the largest, and its sign.
    worst: Option<(u32, f64)>,
    violators: usize,
    /// At a kink.
    undecided: usize,
}

/// What screening says of a sample.
pub(super) enum Verdict {
    /// Finished, or left to the general method.
    Done,
    /// There are violators that single precision can see.
    Grow,
    /// A violator that it cannot see has joined the support, which has to be settled.
    Settle,
}

impl Sample {
    pub fn begin(&mut self, values: &[f64], lower: &LowerLevel, isa: Isa, with_margin: bool) {
        if self.values.len() != padded(values.len()) {
            self.values = Aligned::zeros(padded(values.len()));
            self.residual = Aligned::zeros(padded(values.len()));
        }
        self.values[..values.len()].copy_from_slice(values);
        self.exponent = isa.run(Scale { values: &mut self.values });
        self.penalty.lambda = lower.regularization * power_of_two(-self.exponent);
        self.settled.clear();
        (self.rounds, self.scans) = (0, 0);
        self.outcome = None;
        self.scan_rounding = f64::INFINITY;
        self.margin.begin(with_margin);
    }

    /// The residual in `f32`, for screening; what that cannot tell from lambda goes to the penalty.
    pub fn narrow(&mut self, dictionary: &GramDictionary, to: &mut [f32]) {
        let from = if self.settled.support.is_empty() { &self.values } else { &self.residual };
        let squares = dictionary.isa.run(Narrow { from, to });
        let size = (dictionary.n_features + 8) as f64 * ROUNDOFF * dictionary.largest_norm;
        self.penalty.bound = size * squares.sqrt() + 1e-30;
    }

    /// Step 2: decides in `f64` what `f32` cannot. The correlations are left as they are.
    pub fn certify(
        &mut self,
        dictionary: &GramDictionary,
        correlations: &mut [f32],
        tolerance: f64,
    ) -> Verdict {
        self.rounds += 1;
        let Penalty { lambda, bound, .. } = self.penalty;
        if bound > COARSE * lambda {
            return Verdict::Done;
        }
        if self.settled.support.is_empty() {
            let bound = (lambda + 100.0 * bound) as f32;
            if dictionary.isa.run(Exceeds { correlations, bound, least: dictionary.least() }) {
                return self.grow_or_give_up();
            }
        }
        // On the support they are lambda and the ridge's part, and certified already.
        self.aside.clear();
        for &j in &self.settled.support {
            self.aside.push(std::mem::take(&mut correlations[j as usize]));
        }
        let threshold = (lambda - bound) as f32;
        let (least, found) = (dictionary.least(), &mut self.found);
        dictionary.isa.run(Above { correlations, threshold, least, found });
        let verdict = self.decide(dictionary, correlations, tolerance);
        for (&j, v) in self.settled.support.iter().zip(&self.aside) {
            correlations[j as usize] = *v;
        }
        verdict
    }

    fn decide(&mut self, dictionary: &GramDictionary, correlations: &[f32], tolerance: f64) -> Verdict {
        let Penalty { lambda, bound, .. } = self.penalty;
        let far =
            |j: &u32| dictionary.problem.size(f64::from(correlations[*j as usize])) > lambda + 100.0 * bound;
        if self.found.iter().any(far) {
            return self.grow_or_give_up();
        }
        let Some(sharp) = self.sharp(dictionary, tolerance) else { return Verdict::Done };
        let near = self.near_lambda(dictionary);
        if self.accept(dictionary, near, sharp) {
            self.margin.note(dictionary, correlations, lambda, bound);
            return Verdict::Done;
        }
        if near.excess > 10.0 * bound {
            return self.grow_or_give_up();
        }
        match near.worst {
            Some(violator) if self.rounds < MOST_ROUNDS => {
                self.settled.join(violator);
                self.scan_rounding = f64::INFINITY;
                Verdict::Settle
            }
            _ => Verdict::Done,
        }
    }

    /// The residual of the settled code.
    fn remainder(&self) -> &[f64] {
        if self.settled.support.is_empty() { &self.values } else { &self.residual }
    }

    /// The atoms found, in `f64`.
    fn near_lambda(&self, dictionary: &GramDictionary) -> Near {
        let lambda = self.penalty.lambda;
        let mut near = Near::default();
        for &j in &self.found {
            let product = dot(dictionary.atom(j as usize), self.remainder());
            let exact = dictionary.problem.size(product);
            if exact - lambda > near.excess {
                (near.excess, near.worst) = (exact - lambda, Some((j, product.signum())));
            }
            near.weighted = near.weighted.max(dictionary.problem.weight(j as usize) * (exact - lambda));
            near.violators += usize::from(exact > lambda);
            near.undecided += usize::from(lambda - exact <= KINK * lambda);
        }
        near
    }

    /// The certificate of a settled support that was found elsewhere, with all other atoms in `f64`: violation and gap go
    /// to the outcome; `false` where the tolerance is not met. Cost `2 k d`.
    pub fn certify_found(
        &mut self,
        dictionary: &GramDictionary,
        tolerance: f64,
        outcome: &mut SampleOutcome,
    ) -> bool {
        let support = &self.settled.support;
        self.found.clear();
        self.found.extend((0..dictionary.n_components as u32).filter(|j| support.binary_search(j).is_err()));
        let near = self.near_lambda(dictionary);
        let violation = self.violation(near);
        let certain = violation <= tolerance && self.sharp(dictionary, tolerance).is_some();
        if certain {
            outcome.violation = violation;
            outcome.duality_gap = self.gap(dictionary, near.violators, violation);
        }
        certain
    }

    /// That of the settled code, with what is near lambda off its support.
    fn violation(&self, near: Near) -> f64 {
        (near.weighted / self.penalty.lambda).max(self.settled.violation)
    }

    fn accept(&mut self, dictionary: &GramDictionary, near: Near, sharp: f64) -> bool {
        let violation = self.violation(near);
        let accepted = violation <= sharp;
        if accepted {
            self.outcome = Some(SampleOutcome {
                converged: true,
                violation,
                duality_gap: self.gap(dictionary, near.violators, violation),
                undecided: near.undecided + self.faint(dictionary),
                rank_deficient: false,
            });
        }
        accepted
    }

    /// A bound on the duality gap relative to the objective at 0, from the KKT violation.
    pub fn gap(&self, dictionary: &GramDictionary, violators: usize, violation: f64) -> f64 {
        let lambda = self.penalty.lambda;
        if violation == 0.0 {
            return 0.0;
        }
        let energy = dot(self.remainder(), self.remainder());
        let weight = |j: &u32| dictionary.problem.weight(*j as usize);
        let pairs = self.settled.values.iter().zip(&self.settled.support);
        let support = pairs.map(|(c, j)| (c.abs() / weight(j), lambda * weight(j)));
        let (ridge, smallest) = (dictionary.problem.lower.ridge(), lambda * dictionary.smallest_weight);
        let gap = gap_bound(energy, ridge, support, violators, violation * lambda, smallest);
        2.0 * gap / dot(&self.values, &self.values)
    }

    /// Number of coefficients that vanish beside the largest.
    fn faint(&self, dictionary: &GramDictionary) -> usize {
        let pairs = self.settled.values.iter().zip(&self.settled.support);
        let sizes = pairs.map(|(c, &j)| c.abs() / dictionary.problem.weight(j as usize));
        let largest = sizes.clone().fold(0.0, f64::max);
        sizes.filter(|c| *c <= KINK * largest).count()
    }

    /// The support grows from its settled coefficients.
    pub fn begin_growth(&mut self) {
        let Settled { values, grown, .. } = &mut self.settled;
        self.before = (values.len(), values.iter().map(|c| c.abs()).sum());
        grown.clear();
        grown.extend(values.iter().map(|c| *c as f32));
    }

    /// Notes how far the last scan of a growth may be from `d_j . r` at its coefficients.
    pub fn note_growth(&mut self, dictionary: &GramDictionary) {
        // With a ridge, what left the support has carried its share of the diagonal through as many sums again.
        let ridges = if dictionary.has_ridge() { self.before.0 } else { 0 };
        let moved = self.before.0 + ridges + self.settled.grown.len();
        let mass = self.before.1 + self.settled.grown.iter().map(|c| f64::from(c.abs())).sum::<f64>();
        let terms = (dictionary.n_features + moved + 20) as f64;
        let square = dictionary.largest_norm * dictionary.largest_norm;
        self.scan_rounding = terms / (dictionary.n_features + 8) as f64 * self.penalty.bound
            + terms * ROUNDOFF * square * mass;
    }

    /// After growth and settling: whether the last scan, zero on the support, is certificate enough.
    pub fn conclude(&mut self, dictionary: &GramDictionary, scan: &[f32], tolerance: f64) -> bool {
        let pairs = self.settled.values.iter().zip(&self.settled.grown);
        let distance: f64 = pairs.map(|(c, grown)| (c - f64::from(*grown)).abs()).sum();
        let change = distance * dictionary.largest_norm * dictionary.largest_norm;
        let lambda = self.penalty.lambda;
        let open = self.scan_rounding + 1.01 * change;
        if open > COARSE * lambda {
            return false;
        }
        let Some(sharp) = self.sharp(dictionary, tolerance) else { return false };
        let threshold = (lambda - open) as f32 * (1.0 - f32::EPSILON);
        let (least, found) = (dictionary.least(), &mut self.found);
        dictionary.isa.run(Above { correlations: scan, threshold, least, found });
        let near = self.near_lambda(dictionary);
        let accepted = self.accept(dictionary, near, sharp);
        if accepted {
            self.margin.note(dictionary, scan, lambda, open);
        }
        accepted
    }

    /// Finishes a settled sample if the margins at its earlier code, whose support it has, rule out all other atoms.
    pub fn rule_out(
        &mut self,
        dictionary: &GramDictionary,
        earlier: Earlier<'_>,
        row: usize,
        code: Code<'_>,
        tolerance: f64,
    ) {
        let (slack, list) = earlier.margins.of(row);
        if slack == f64::NEG_INFINITY {
            return;
        }
        let Some(sharp) = self.sharp(dictionary, tolerance) else { return };
        let Self { values, residual, settled, margin, .. } = self;
        let residual = if settled.support.is_empty() { &*values } else { &*residual };
        let used_up = margin.used_up(dictionary, earlier, code, self.exponent, (values, residual));
        let slack = slack - used_up;
        // Beyond the kinks that are counted.
        if slack.is_nan() || slack <= 10.0 * KINK * self.penalty.lambda {
            return;
        }
        self.found.clear();
        self.found.extend_from_slice(list);
        let near = self.near_lambda(dictionary);
        // With a violator, even within the tolerance, screening has the word: it might let it join.
        if near.violators == 0 && self.accept(dictionary, near, sharp) {
            self.margin.keep(slack, list);
        }
    }

    /// The violation that is accepted: the tolerance, or [`SHARP`] where that is smaller and well above the rounding of
    /// `d_j . (x - D c)` in `f64`, which a certificate cannot tell apart; none where the tolerance is not.
    fn sharp(&self, dictionary: &GramDictionary, tolerance: f64) -> Option<f64> {
        let mass: f64 = self.settled.values.iter().map(|c| c.abs()).sum();
        let rounding = 4.0 * f64::EPSILON * dictionary.largest_atom * (1.0 + mass * dictionary.largest_norm);
        let resolution = rounding / (RESOLUTION * self.penalty.lambda);
        (resolution <= tolerance).then(|| resolution.max(SHARP).min(tolerance))
    }

    fn grow_or_give_up(&self) -> Verdict {
        if self.rounds < MOST_ROUNDS { Verdict::Grow } else { Verdict::Done }
    }
}

/// Scales to a norm in [1/2, 1) by a power of two; gives its exponent.
struct Scale<'a> {
    values: &'a mut [f64],
}

impl Kernel for Scale<'_> {
    type Output = i32;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> i32 {
        let mut sum = simd.zero64();
        for chunk in chunks(self.values) {
            let v = simd.load64(chunk);
            sum = simd.fma64(v, v, sum);
        }
        let squares = simd.sum64(sum);
        let length = if (1e-290..1e300).contains(&squares) { squares.sqrt() } else { norm(self.values) };
        // Powers of two up to these are exact, and so is the way back.
        let exponent =
            if length > 0.0 { ((length.to_bits() >> 52) as i32 - 1022).clamp(-1000, 1000) } else { 0 };
        let scale = simd.splat64(power_of_two(-exponent));
        for chunk in chunks_mut(self.values) {
            let v = simd.fma64(simd.load64(chunk), scale, simd.zero64());
            simd.store64(chunk, v);
        }
        exponent
    }
}

/// Rounds to `f32`; gives the sum of squares. `from` is `to` padded with zeros.
struct Narrow<'a> {
    from: &'a [f64],
    to: &'a mut [f32],
}

impl Kernel for Narrow<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f64 {
        let mut sum = simd.zero64();
        let (whole, rest) = self.to.as_chunks_mut::<CHUNK>();
        let from = chunks(self.from);
        for (to, from) in whole.iter_mut().zip(from) {
            let v = simd.load64(from);
            sum = simd.fma64(v, v, sum);
            simd.store32(to, simd.narrow64(v));
        }
        if let (false, Some(from)) = (rest.is_empty(), from.last()) {
            let v = simd.load64(from);
            sum = simd.fma64(v, v, sum);
            let mut last = [0.0; CHUNK];
            simd.store32(&mut last, simd.narrow64(v));
            rest.copy_from_slice(&last[..rest.len()]);
        }
        simd.sum64(sum)
    }
}

/// Whether any entry exceeds a bound in magnitude.
struct Exceeds<'a> {
    correlations: &'a [f32],
    bound: f32,
    /// As in [`Above`].
    least: f32,
}

impl Kernel for Exceeds<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> bool {
        let (bound, least) = (simd.splat32(self.bound), simd.splat32(self.least));
        let above = |chunk| simd.above32(simd.at_least32(simd.load32(chunk), least), bound) != 0;
        chunks(self.correlations).iter().any(above)
    }
}
