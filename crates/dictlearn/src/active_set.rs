//! The code of one sample: block active set with orthant-projected Newton steps.
//!
//! Problem and symbols as in [`crate::lower`]. State: code `c` with support `S` and signs `s`. Repeat:
//! 1. `g = D^T phi'(r) - ridge c`; stop when the KKT violation is within the tolerance.
//! 2. Let the worst violators off the support join `S` (6 at first, then up to `s`, at most 16) with the sign of `g_j`.
//! 3. Newton direction on `S`: `(D_S^T diag(phi''(r)) D_S + ridge I) p = g_S - lambda s_S`; newcomers whose `p_j` points
//!    out of their orthant leave again.
//! 4. `t = 1, 1/2, ...`: coordinates of `c + t p` that left their orthant are set to zero; accept by Armijo's rule on `P`.
//!    Where the loss is quadratic in pieces (squared, Huber) and this fails, or `H` was singular: the `t` that minimises
//!    `P(c + t p)`, exactly. Along a null direction of `H` it moves on until a coefficient vanishes or a residual bends.
//! 5. Safeguard where 4 fails, and now and then: majorised coordinate-descent sweeps, which always decrease `P`.
//! 6. Stop as not converged, with the code of the smallest violation, where rounds lead nowhere or a path is the shorter way
//!    (module `progress`).
//!
//! A solution is then computed anew from its sorted support, signs and (Huber) outliers, with a fresh factor, so that
//! codes do not depend on the way they were reached (for powers: up to rounding). Cost per round `2 k d + s^2 d + s^3/3`;
//! a handful of rounds where `s` is well below `d`.
//! Source: active sets as in Lee, Battle, Raina, Ng (2007), feature-sign search; projection as in Bertsekas (1982).

mod settle;
mod sweeps;
mod progress;
mod line_search;
mod exact_line;
mod newton;
mod wide;
mod point;

use crate::duality::Evidence;
use crate::error::InvalidOption;
use crate::lower::{All, Problem, extreme_exponent};
use crate::method::Method;
use crate::samples::Sample;
use exact_line::Event;
use newton::System;
use point::Point;
use progress::Progress;
pub(crate) use progress::has_path;
use wide::Wide;

/// How far one sample's code is solved, and by which method.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CoderOptions {
    /// Largest accepted KKT violation relative to `regularization`; in [1e-14, 1e-2], default 1e-10. Violations can be told
    /// to about `1e-16 a (|x| + a |c|_1) / regularization`, `a` the largest norm of an atom: tolerances below that are
    /// reached by luck or not at all.
    pub tolerance: f64,
    /// Largest number of rounds per sample before "not converged"; at least 1, default 1000. Solves that no longer get
    /// anywhere end sooner, and slow ones are left to homotopy.
    pub max_iterations: usize,
    /// Which code is meant, and how it is found; default `active_set`.
    pub method: Method,
}

impl Default for CoderOptions {
    fn default() -> Self {
        Self { tolerance: 1e-10, max_iterations: 1000, method: Method::ActiveSet }
    }
}

impl CoderOptions {
    /// Whether the options are in their ranges.
    ///
    /// # Errors
    /// Names the option, its value and the accepted range.
    pub fn check(self) -> Result<(), InvalidOption> {
        let (tolerance, rounds) = (self.tolerance, self.max_iterations);
        InvalidOption::check((1e-14..=1e-2).contains(&tolerance), "tolerance", tolerance, "1e-14 to 1e-2")?;
        InvalidOption::check(rounds > 0, "max_iterations", rounds, "a number of at least 1")?;
        self.method.check()
    }
}

/// What follows a solve that does not converge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// Nothing: slow solves go on.
    None,
    /// Homotopy, as in [`crate::coder::encode`].
    Homotopy,
}

/// What a solve reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleOutcome {
    /// Whether the tolerance was reached.
    pub converged: bool,
    /// Largest KKT violation relative to `regularization`.
    pub violation: f64,
    /// Upper bound on `P(c) - min P`, relative to `P(0)` (see [`crate::duality`]).
    pub duality_gap: f64,
    /// Atoms of which it is not certain whether they are in the support of the solution, and Huber residuals of which it
    /// is not certain whether they are outliers: those within 1e-9 of a kink (relative to the threshold, the largest
    /// coefficient or delta), where the code is not differentiable, and those that the duality gap leaves open (without a
    /// ridge it bounds no coefficient: then atoms off the support alone). For the squared loss, whose codes are exact on
    /// their support whatever the tolerance, blocks of samples count the kinks only.
    pub undecided: usize,
    /// Whether the system of the support is singular: then the solution is not a point, or not a smooth function.
    pub rank_deficient: bool,
}

/// Round of the first safeguard sweep; the next come at twice the round each: near `s = d` a sweep brings in more atoms
/// than a solution has, and every one of them costs a round to leave.
const FIRST_SWEEP: usize = 12;

/// One worker's memory, reused from sample to sample; after a solve it holds the code. Vectors over the features are
/// padded to whole chunks.
#[derive(Default)]
pub struct Workspace {
    sample: Vec<f64>,
    code: Vec<f64>,
    support: Vec<usize>,
    signs: Vec<f64>,
    /// Coefficients of the support, those of a trial during a line search.
    coefficients: Vec<f64>,
    /// Residual, slopes and curvatures at the code.
    point: Point,
    /// Whether `point` is that of the code as it is.
    current: bool,
    trial: Point,
    gradient: Vec<f64>,
    /// `|g_j|` less its threshold off the support, minus infinity on it.
    excess: Vec<f64>,
    direction: Vec<f64>,
    /// `D_S` times the direction.
    movement: Vec<f64>,
    events: Vec<Event>,
    system: System,
    wide: Wide,
    /// Violators with their excess.
    newcomers: Vec<(f64, usize)>,
    kept: Vec<usize>,
    /// The code reached before it is settled.
    reached: Vec<(usize, f64)>,
    progress: Progress,
    /// Whether the last Hessian was singular.
    flat: bool,
    /// The violation's unit.
    scale: f64,
}

impl Workspace {
    /// Support (ascending) of the code solved last.
    pub fn support(&self) -> &[usize] {
        &self.support
    }

    /// Coefficient of atom `j` in the code solved last.
    pub fn coefficient(&self, j: usize) -> f64 {
        self.code[j]
    }

    /// Solves one sample to `options`, from the given code (pairs of atom and coefficient; none: from zero). Where homotopy
    /// follows and can finish the solve, a slow one is given up.
    pub fn solve(
        &mut self,
        problem: &Problem,
        sample: &Sample,
        start: impl Iterator<Item = (usize, f64)>,
        options: CoderOptions,
        fallback: Fallback,
    ) -> SampleOutcome {
        if sample.missing.is_empty() {
            return self.solve_scaled(problem, &sample.values, start, options, fallback);
        }
        // With nothing observed only the penalty is left: zero.
        let start = start.filter(|_| sample.missing.len() < sample.values.len());
        self.solve_scaled(
            &problem.observed(sample),
            &sample.observed(&sample.values),
            start,
            options,
            fallback,
        )
    }

    /// Huge and tiny samples, whose loss would leave the range of numbers, are divided by a power of two first.
    fn solve_scaled(
        &mut self,
        problem: &Problem,
        sample: &[f64],
        start: impl Iterator<Item = (usize, f64)>,
        options: CoderOptions,
        fallback: Fallback,
    ) -> SampleOutcome {
        let Some(exponent) = extreme_exponent(problem.lower.loss, sample) else {
            return self.solve_complete(problem, sample, start, options, fallback);
        };
        let scale = exponent.exp2();
        let scaled: Vec<f64> = sample.iter().map(|x| x / scale).collect();
        let start = start.map(|(j, c)| (j, c / scale));
        let lower = problem.lower.divided(exponent);
        let mut scaled_problem = problem.clone();
        scaled_problem.lower = lower;
        let mut outcome = self.solve_complete(&scaled_problem, &scaled, start, options, fallback);
        let rounded = |j: usize| self.code[j] * scale / scale;
        if self.support.iter().any(|&j| rounded(j) != self.code[j]) {
            // The certificate is that of the code as it can be represented.
            let code: Vec<(usize, f64)> = self.support.iter().map(|&j| (j, rounded(j))).collect();
            let violation = self.return_to(&scaled_problem, &code);
            outcome = self.outcome(&scaled_problem, violation <= options.tolerance, violation);
        }
        self.support.iter().for_each(|&j| self.code[j] *= scale);
        if lower.regularization == 0.0 && problem.lower.regularization > 0.0 {
            // Too small beside the sample for a violation relative to it.
            (outcome.converged, outcome.violation) = (false, f64::INFINITY);
        }
        outcome
    }

    fn solve_complete(
        &mut self,
        problem: &Problem,
        sample: &[f64],
        start: impl Iterator<Item = (usize, f64)>,
        options: CoderOptions,
        fallback: Fallback,
    ) -> SampleOutcome {
        self.reset(problem, sample, start);
        self.forget_bad_start(problem);
        self.scale = self.unit(problem);
        let (mut violation, mut next_sweep) = (f64::INFINITY, FIRST_SWEEP);
        for round in 0..=options.max_iterations {
            self.refresh(problem);
            violation = self.violation(problem);
            if violation <= options.tolerance {
                violation = self.settle(problem, violation, options.tolerance);
                return self.outcome(problem, true, violation);
            }
            if violation.is_nan() {
                break;
            }
            self.note_progress(problem, round, violation);
            if self.gives_up(problem, round, options, fallback) {
                break;
            }
            let moved = self.newton_round(problem);
            if !moved || round == next_sweep {
                self.sweeps(problem);
                self.progress.note_sweep(round);
                next_sweep = next_sweep.max(2 * round);
            }
        }
        violation = self.return_to_best(problem, violation);
        self.outcome(problem, false, violation)
    }

    /// Steps 2 to 4; `false` where no step decreased the objective.
    fn newton_round(&mut self, problem: &Problem) -> bool {
        self.admit_violators(problem);
        self.newton_direction(problem);
        self.line_search(problem)
    }

    fn reset(&mut self, problem: &Problem, sample: &[f64], start: impl Iterator<Item = (usize, f64)>) {
        let k = problem.n_components();
        self.sample.clear();
        self.sample.extend_from_slice(sample);
        self.sample.resize(problem.rows(), 0.0);
        self.code.clear();
        self.code.resize(k, 0.0);
        self.gradient.resize(k, 0.0);
        self.excess.resize(k, 0.0);
        self.system.forget(problem.isa());
        let allowed = |c: f64| if problem.lower.non_negative { c.max(0.0) } else { c };
        start.for_each(|(j, c)| self.code[j] = allowed(c));
        self.collect_support();
        self.current = false;
        self.flat = false;
        self.progress.start();
    }

    /// A start that is worse than the code 0 only costs rounds, or leads out of the range of numbers.
    fn forget_bad_start(&mut self, problem: &Problem) {
        if self.support.is_empty() {
            return;
        }
        self.coefficients.clear();
        self.coefficients.extend(self.support.iter().map(|&j| self.code[j]));
        self.trial.move_to(problem, &self.sample, &self.support, &self.coefficients);
        let started = self.trial.fit + self.penalty(problem);
        self.trial.move_to(problem, &self.sample, &[], &[]);
        if started.is_nan() || started > self.trial.fit {
            self.code.fill(0.0);
            self.collect_support();
        }
    }

    /// The violation's unit: lambda, or the largest correlation of the sample where lambda is 0 (1 where that is 0 too).
    fn unit(&mut self, problem: &Problem) -> f64 {
        if problem.lower.regularization > 0.0 {
            return problem.lower.regularization;
        }
        self.trial.move_to(problem, &self.sample, &[], &[]);
        problem.correlate(All, &self.trial.slopes, &mut self.gradient);
        let largest = self.gradient.iter().fold(0.0_f64, |m, g| m.max(g.abs()));
        if largest > 0.0 { largest } else { 1.0 }
    }

    fn collect_support(&mut self) {
        let code = &self.code;
        self.support.clear();
        self.support.extend((0..code.len()).filter(|&j| code[j] != 0.0));
        self.signs.clear();
        self.signs.extend(self.support.iter().map(|&j| code[j].signum()));
    }

    /// Residual, slopes and `g` at the code.
    fn refresh(&mut self, problem: &Problem) {
        self.refresh_point(problem);
        problem.correlate(All, &self.point.slopes, &mut self.gradient);
        self.subtract_ridge(problem);
    }

    /// Residual, slopes and curvatures at the code.
    fn refresh_point(&mut self, problem: &Problem) {
        if !self.current {
            self.coefficients.clear();
            self.coefficients.extend(self.support.iter().map(|&j| self.code[j]));
            self.point.move_to(problem, &self.sample, &self.support, &self.coefficients);
            self.current = true;
        }
    }

    fn subtract_ridge(&mut self, problem: &Problem) {
        let ridge = problem.lower.ridge();
        for &j in &self.support {
            self.gradient[j] -= ridge * self.code[j];
        }
    }

    /// Largest KKT violation in the unit of the sample, with the excess of every atom; NaN if an entry is not a number.
    fn violation(&mut self, problem: &Problem) -> f64 {
        problem.excess(&self.gradient, &mut self.excess);
        let mut worst = 0.0_f64;
        for &j in &self.support {
            let (c, g) = (self.code[j], self.gradient[j]);
            if c != 0.0 {
                let distance = (g - problem.threshold(j) * c.signum()).abs();
                worst = if distance > worst || distance.is_nan() { distance } else { worst };
                self.excess[j] = f64::NEG_INFINITY;
            }
        }
        match largest(&self.excess) {
            Some(largest) if !worst.is_nan() => worst.max(largest) / self.scale,
            _ => f64::NAN,
        }
    }

    /// The certificate at the code, whose `g` is at hand.
    fn outcome(&self, problem: &Problem, converged: bool, violation: f64) -> SampleOutcome {
        let lower = &problem.lower;
        let (residual, fit) = (&self.point.residual, self.point.fit);
        let (code, gradient, unit) = (&self.code, &self.gradient, self.scale);
        let (gap, undecided) = Evidence { problem, lower, residual, fit, code, gradient, unit }.weigh();
        SampleOutcome {
            converged,
            violation,
            duality_gap: gap.relative(lower.loss.sum(&self.sample)),
            undecided,
            rank_deficient: self.flat && !self.support.is_empty(),
        }
    }
}

/// The largest number; `None` if one is not a number.
fn largest(values: &[f64]) -> Option<f64> {
    let (mut lanes, mut lost) = ([f64::NEG_INFINITY; 8], [false; 8]);
    let (blocks, rest) = values.as_chunks::<8>();
    for block in blocks {
        for (i, &value) in block.iter().enumerate() {
            lanes[i] = if value > lanes[i] { value } else { lanes[i] };
            lost[i] |= value.is_nan();
        }
    }
    let lost = lost.contains(&true) || rest.iter().any(|value| value.is_nan());
    (!lost).then(|| lanes.iter().chain(rest).fold(f64::NEG_INFINITY, |m, &value| m.max(value)))
}
