//! The margin of one sample: noted where its code is accepted, used up by movements since (see [`crate::margins`]).

use super::dictionary::{GramDictionary, power_of_two};
use super::vectors::Above;
use crate::codes::Code;
use crate::margins::Earlier;
use linalg::simd::{Aligned, Kernel, Simd, chunks, chunks_mut};

/// Slacks noted, relative to lambda: the first whose list is short enough.
const SLACKS: [f64; 4] = [0.2, 0.1, 0.05, 0.02];

/// Slack and list, and scratch.
#[derive(Clone, Debug, Default)]
pub(super) struct Margin {
    /// Whether it is asked for.
    asked: bool,
    /// Minus infinity where none is known.
    pub slack: f64,
    pub list: Vec<u32>,
    /// `r' - r`.
    change: Aligned<f64>,
    /// The code before, in the unit of the scaled sample.
    support: Vec<usize>,
    coefficients: Vec<f64>,
}

impl Margin {
    pub fn begin(&mut self, asked: bool) {
        self.asked = asked;
        self.forget();
    }

    fn forget(&mut self) {
        self.slack = f64::NEG_INFINITY;
        self.list.clear();
    }

    /// From correlations within `rounding` at the code accepted, zero on its support.
    pub fn note(&mut self, dictionary: &GramDictionary, correlations: &[f32], lambda: f64, rounding: f64) {
        if !self.asked {
            return;
        }
        let most = (dictionary.n_components / 64).clamp(4, 32);
        for share in SLACKS {
            let threshold = (lambda * (1.0 - share)) as f32 * (1.0 - f32::EPSILON);
            let (least, found) = (dictionary.least(), &mut self.list);
            dictionary.isa.run(Above { correlations, threshold, least, found });
            self.slack = lambda * share - rounding;
            if self.list.len() <= most {
                return;
            }
        }
        self.forget();
    }

    /// What an earlier margin has come to.
    pub fn keep(&mut self, slack: f64, list: &[u32]) {
        if self.asked {
            self.slack = slack;
            self.list.clear();
            self.list.extend_from_slice(list);
        }
    }

    /// How much slack movements of dictionary and residual can have used up since the earlier code of a sample `values`,
    /// whose residual is `residual` now; all padded.
    pub fn used_up(
        &mut self,
        dictionary: &GramDictionary,
        earlier: Earlier<'_>,
        code: Code<'_>,
        exponent: i32,
        (values, residual): (&[f64], &[f64]),
    ) -> f64 {
        let Self { change, support, coefficients, .. } = self;
        change.reserve(values.len());
        let to = &mut change[..values.len()];
        dictionary.isa.run(Subtract { from: residual, values, to });
        support.clear();
        support.extend(code.support.iter().map(|&j| j as usize));
        coefficients.clear();
        coefficients.extend(code.values.iter().map(|c| c * power_of_two(-exponent)));
        earlier.problem.combine(1.0, support, coefficients, to);
        let (before, changed) = dictionary.isa.run(Norms { residual, change: to });
        // The bounds are far from tight: a millionth more is for their own rounding.
        1.000_001 * (earlier.moved * before + dictionary.largest_norm * (changed + 1e-14))
    }
}

/// `to = from - values`.
struct Subtract<'a> {
    from: &'a [f64],
    values: &'a [f64],
    to: &'a mut [f64],
}

impl Kernel for Subtract<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let minus = simd.splat64(-1.0);
        let pairs = chunks(self.from).iter().zip(chunks(self.values));
        for (to, (from, value)) in chunks_mut(self.to).iter_mut().zip(pairs) {
            simd.store64(to, simd.fma64(simd.load64(value), minus, simd.load64(from)));
        }
    }
}

/// `|r' - change|` and `|change|`.
struct Norms<'a> {
    residual: &'a [f64],
    change: &'a [f64],
}

impl Kernel for Norms<'_> {
    type Output = (f64, f64);

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> (f64, f64) {
        let (mut before, mut changed) = (simd.zero64(), simd.zero64());
        let minus = simd.splat64(-1.0);
        for (residual, change) in chunks(self.residual).iter().zip(chunks(self.change)) {
            let change = simd.load64(change);
            let earlier = simd.fma64(change, minus, simd.load64(residual));
            before = simd.fma64(earlier, earlier, before);
            changed = simd.fma64(change, change, changed);
        }
        (simd.sum64(before).sqrt(), simd.sum64(changed).sqrt())
    }
}
