//! Progress of a solve: the best code so far, and when to stop because rounds lead nowhere.
//!
//! A round `n` makes progress where `P` falls by more than what the line search grants to rounding (4 eps |P|), or the
//! violation to half, since the last progress. With `v` the smallest violation so far, a solve is stuck after
//!
//! `32 (1 + (10 tolerance / v)^2)` rounds without progress, with a safeguard sweep among them.
//!
//! The second term is for solves at their rounding: there every round draws another violation near `v`, and where `v` is
//! close to the tolerance one of them is likely to meet it; from ten times the tolerance hardly any does.
//! Where `P` has neither kinks nor bounds there is no support to be found, and the violation itself has to fall: to half in
//! 300 rounds (with the same factor). Along atoms that are nearly the same `P` falls for ever, and by next to nothing.
//!
//! Where homotopy follows (squared and Huber's loss), a solve that is not within ten tolerances after `100 + d/8` rounds is
//! slow: the path is shorter. Large supports need about `d/16` rounds to grow. With more atoms than features, and a support
//! of more than `3 d/4`, `12 + d/16` rounds are enough: there active sets change for long, and a round costs `s^2 d`.
//! Huber's loss without kinks and bounds goes there once its violation does not fall: which residuals are outliers has to
//! be found all the same, and along nearly equal atoms Newton steps find them one by one. Cost `s` a round.
//! What is returned is the code of the smallest violation, not the last one.

use super::{CoderOptions, Fallback, Workspace};
use crate::loss::Loss;
use crate::lower::Problem;

/// Rounds without progress that are granted to every solve.
const PATIENCE: f64 = 32.0;
/// Violations relative to the tolerance from which luck may still reach it.
const REACH: f64 = 10.0;
/// The same for a violation that does not halve, of a smooth problem.
const SMOOTH_PATIENCE: f64 = 300.0;
/// Rounds after which a solve is slow, and features for which it has one more.
const SLOW: usize = 100;
const FEATURES_A_ROUND: usize = 8;
/// The same where the support nears the features.
const SLOW_IF_FULL: usize = 12;
const FEATURES_A_FULL_ROUND: usize = 16;
/// Factor by which the violation must fall to count as progress: without one, roundings keep setting new minima.
const SHRINKS: f64 = 0.5;
/// Rounding of `P` relative to it, as in the line search.
const ROUNDING: f64 = 4.0 * f64::EPSILON;

/// The best code, and the last progress.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The code of the smallest violation so far.
    best: Vec<(usize, f64)>,
    /// The smallest violation so far.
    smallest: f64,
    /// Whether the Hessian was singular on the way to it.
    flat: bool,
    /// Round of the last progress.
    round: usize,
    /// Round in which the violation had fallen to half for the last time.
    halved: usize,
    /// `P` and violation that the next progress has to undercut.
    objective: f64,
    violation: f64,
    /// Round of the last safeguard sweep.
    sweep: Option<usize>,
}

impl Progress {
    /// Nothing is seen yet.
    pub fn start(&mut self) {
        let mut best = std::mem::take(&mut self.best);
        best.clear();
        let (smallest, objective, violation) = (f64::INFINITY, f64::INFINITY, f64::INFINITY);
        *self = Self { best, smallest, objective, violation, ..Self::default() };
    }

    /// Whether objective and violation of a round are progress.
    fn note(&mut self, round: usize, objective: f64, violation: f64) {
        let (falls, shrinks) =
            (objective + ROUNDING * objective.abs() < self.objective, violation <= SHRINKS * self.violation);
        if falls {
            self.objective = objective;
        }
        if shrinks {
            (self.violation, self.halved) = (violation, round);
        }
        if falls || shrinks {
            self.round = round;
        }
    }

    /// A safeguard sweep was made.
    pub fn note_sweep(&mut self, round: usize) {
        self.sweep = Some(round);
    }

    /// Whether nothing is to be expected from further rounds; a sweep has to have failed first.
    fn is_stuck(&self, round: usize, smooth: bool, tolerance: f64) -> bool {
        let luck = REACH * tolerance / self.smallest;
        let failed = |patience: f64, since: usize| {
            let swept = self.sweep.is_some_and(|sweep| sweep >= since);
            swept && (round - since) as f64 >= patience * (1.0 + luck * luck)
        };
        failed(PATIENCE, self.round) || (smooth && failed(SMOOTH_PATIENCE, self.halved))
    }

    /// Whether a path is the shorter way to a solution.
    fn is_slow(&self, round: usize, n_features: usize, full: bool, tolerance: f64) -> bool {
        let granted = if full {
            SLOW_IF_FULL + n_features / FEATURES_A_FULL_ROUND
        } else {
            SLOW + n_features / FEATURES_A_ROUND
        };
        self.smallest > REACH * tolerance && round >= granted
    }
}

/// Whether homotopy can solve the problem, and is asked to where the active set does not arrive. The squared loss without
/// kinks and bounds is one linear system.
pub(crate) fn has_path(problem: &Problem) -> bool {
    match problem.lower.loss {
        Loss::Squared => !problem.lower.is_smooth(),
        Loss::Huber { .. } => true,
        Loss::Power { .. } => false,
    }
}

impl Workspace {
    /// Whether the solve ends with this round.
    #[inline(never)]
    pub(super) fn gives_up(
        &self,
        problem: &Problem,
        round: usize,
        options: CoderOptions,
        fallback: Fallback,
    ) -> bool {
        let (d, tolerance, smooth) = (problem.n_features(), options.tolerance, problem.lower.is_smooth());
        round == options.max_iterations
            || self.progress.is_stuck(round, smooth, tolerance)
            || (fallback == Fallback::Homotopy
                && has_path(problem)
                && !smooth
                && self.progress.is_slow(round, d, self.is_full(problem), tolerance))
    }

    /// Whether there are more atoms than features, and the support has nearly as many.
    fn is_full(&self, problem: &Problem) -> bool {
        let d = problem.n_features();
        problem.n_components() > d && 4 * self.support.len() > 3 * d
    }

    /// Notes the code of a round, whose point is at hand. Not inlined, which would slow the loop of ordinary samples by 3 %.
    #[inline(never)]
    pub(super) fn note_progress(&mut self, problem: &Problem, round: usize, violation: f64) {
        if violation < self.progress.smallest {
            let Progress { best, smallest, flat, .. } = &mut self.progress;
            (*smallest, *flat) = (violation, self.flat);
            best.clear();
            best.extend(self.support.iter().map(|&j| (j, self.code[j])));
        }
        // Those at hand may be of a trial, or of a larger support.
        self.coefficients.clear();
        self.coefficients.extend(self.support.iter().map(|&j| self.code[j]));
        let objective = self.point.fit + self.penalty(problem);
        self.progress.note(round, objective, violation);
    }

    /// From the last code, of this violation, to the best one; returns the violation there. NaN stays.
    pub(super) fn return_to_best(&mut self, problem: &Problem, violation: f64) -> f64 {
        if violation.is_nan() || violation <= self.progress.smallest {
            return violation;
        }
        self.flat = self.progress.flat;
        let best = std::mem::take(&mut self.progress.best);
        let violation = self.return_to(problem, &best);
        self.progress.best = best;
        violation
    }

    /// From the code at hand to an earlier one; returns the violation there.
    #[cold]
    #[inline(never)]
    pub(super) fn return_to(&mut self, problem: &Problem, code: &[(usize, f64)]) -> f64 {
        self.support.iter().for_each(|&j| self.code[j] = 0.0);
        code.iter().for_each(|&(j, c)| self.code[j] = c);
        self.current = false;
        self.collect_support();
        self.refresh(problem);
        self.violation(problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The round in which a solve whose objective and violation stay the same is stuck, with a sweep in `sweep`.
    fn stuck_after(smallest: f64, tolerance: f64, sweep: usize) -> usize {
        let mut progress = Progress::default();
        progress.start();
        progress.smallest = smallest;
        for round in 0.. {
            progress.note(round, 1.0, smallest);
            if progress.is_stuck(round, false, tolerance) {
                return round;
            }
            if round == sweep {
                progress.note_sweep(round);
            }
        }
        unreachable!("the rounds have no end")
    }

    #[test]
    fn patience_ends_after_a_sweep_and_is_longer_near_the_tolerance() {
        assert_eq!(stuck_after(1.0, 1e-10, 12), 32);
        assert_eq!(stuck_after(1.0, 1e-10, 32), 33);
        assert_eq!(stuck_after(1.0, 1e-10, 48), 49);
        assert_eq!(stuck_after(1e-9, 1e-10, 12), 64);
        assert_eq!(stuck_after(1e-10, 1e-10, 12), 3232);
    }

    #[test]
    fn solves_are_slow_far_from_the_tolerance_alone() {
        let slow = |smallest, round, d| {
            let progress = Progress { smallest, ..Progress::default() };
            let full = progress.is_slow(round, d, true, 1e-10);
            assert_eq!(full, smallest > 1e-9 && round >= 12 + d / 16);
            progress.is_slow(round, d, false, 1e-10)
        };
        assert!(slow(1e-8, 105, 40) && !slow(1e-8, 104, 40) && !slow(1e-8, 105, 48));
        assert!(!slow(1e-9, 1000, 40));
    }

    #[test]
    fn supports_are_full_where_they_near_fewer_features_than_atoms() {
        let full = |d: usize, k: usize, s: usize| {
            let atoms = testkit::unit_columns(d, k, 1);
            let lower = crate::lower::LowerLevel::new(Loss::Squared, 0.1);
            let problem = Problem::new(lower, faer::MatRef::from_column_major_slice(&atoms, d, k));
            Workspace { support: (0..s).collect(), ..Workspace::default() }.is_full(&problem)
        };
        assert!(full(20, 21, 16) && !full(20, 21, 15) && !full(20, 20, 16));
    }

    #[test]
    fn progress_is_more_than_rounding() {
        let mut progress = Progress::default();
        progress.start();
        let (mut objective, mut violation) = (1.0, 1.0);
        progress.note(0, objective, violation);
        for round in 1..100 {
            // Neither moves far enough beyond its last progress.
            progress.note(round, objective - 2.0 * f64::EPSILON, 0.6 * violation);
            assert_eq!(progress.round, 0);
        }
        progress.note_sweep(99);
        assert!(progress.is_stuck(100, false, 1e-10));
        objective -= 16.0 * f64::EPSILON;
        progress.note(100, objective, violation);
        assert!(progress.round == 100 && !progress.is_stuck(132, false, 1e-10));
        violation *= 0.5;
        progress.note(103, objective, violation);
        assert_eq!(progress.round, 103);
        // What has no value is no progress.
        progress.note(104, f64::NAN, violation);
        assert_eq!(progress.round, 103);
    }

    /// `P` falls in every round, the violation does not.
    #[test]
    fn smooth_problems_need_violations_that_fall() {
        let mut progress = Progress::default();
        progress.start();
        (progress.smallest, progress.violation) = (1.0, 1.0);
        for round in 0..1000 {
            progress.note(round, -(round as f64), 1.0);
            assert!(!progress.is_stuck(round, false, 1e-10));
            assert_eq!(progress.is_stuck(round, true, 1e-10), round >= 300);
            progress.note_sweep(round);
        }
    }

    #[test]
    fn negative_and_vanishing_objectives_have_their_rounding() {
        for objective in [0.0, -1.0] {
            let mut progress = Progress::default();
            progress.start();
            progress.note(0, objective, 1.0);
            progress.note(1, objective, 1.0);
            assert_eq!(progress.round, 0);
            progress.note(2, objective - 1e-10, 1.0);
            assert_eq!(progress.round, 2);
        }
    }
}
