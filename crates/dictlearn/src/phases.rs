//! Where the time of the block coder ([`crate::coder`], squared loss) goes, by phases of a block.
//!
//! With the feature `phases` every worker reads the clock between the phases of its blocks (a few times in 48 samples) and
//! [`take`] gives the sums over all workers since the last call. Without it no clock is read and all sums are 0.
//! `cargo xtask bench --peers` makes the table of `benchmarks/RESULTS.md` with it.

use std::sync::atomic::{AtomicU64, Ordering};
#[cfg(feature = "phases")]
use std::time::Instant;

/// What a worker is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Samples are read, scaled and rounded to `f32`.
    Load,
    /// Correlations of all atoms, one `f32` product for the block: the floor that any exact coder pays.
    Product,
    /// Supports grow.
    Grow,
    /// Coefficients are computed in `f64`.
    Settle,
    /// Atoms off the supports are ruled out, by screening or margins.
    Certify,
    /// Codes are collected; what is left is solved by the general method.
    Collect,
}

/// Every phase, in the order of the data's way.
pub const PHASES: [Phase; 6] =
    [Phase::Load, Phase::Product, Phase::Grow, Phase::Settle, Phase::Certify, Phase::Collect];

impl Phase {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Load => "load",
            Phase::Product => "product",
            Phase::Grow => "grow",
            Phase::Settle => "settle",
            Phase::Certify => "certify",
            Phase::Collect => "collect",
        }
    }
}

/// Nanoseconds of each phase, by `Phase as usize`.
static SPENT: [AtomicU64; PHASES.len()] = [const { AtomicU64::new(0) }; PHASES.len()];

/// Seconds of each of [`PHASES`] since the last call, summed over workers.
pub fn take() -> [f64; PHASES.len()] {
    PHASES.map(|phase| 1e-9 * SPENT[phase as usize].swap(0, Ordering::Relaxed) as f64)
}

/// One worker's reading of the clock.
#[derive(Default)]
pub(crate) struct Stopwatch {
    #[cfg(feature = "phases")]
    last: Option<Instant>,
}

impl Stopwatch {
    /// What comes counts, what went before does not.
    #[inline(always)]
    pub fn start(&mut self) {
        #[cfg(feature = "phases")]
        {
            self.last = Some(Instant::now());
        }
    }

    /// The time since the last reading belongs to `phase`.
    #[inline(always)]
    pub fn lap(&mut self, _phase: Phase) {
        #[cfg(feature = "phases")]
        {
            let now = Instant::now();
            if let Some(last) = self.last.replace(now) {
                SPENT[_phase as usize].fetch_add((now - last).as_nanos() as u64, Ordering::Relaxed);
            }
        }
    }
}
