//! The code of one sample: block active set with orthant-projected Newton steps.
//!
//! Problem and symbols as in [`crate::lower`]. State: code `c` with support `S` and signs `s`. Repeat:
//! 1. `g = D^T phi'(r) - ridge c`; stop when the KKT violation is within the tolerance.
//! 2. Let the worst violators off the support join `S` (at most 16) with the sign of `g_j`.
//! 3. Newton direction on `S`: `(D_S^T diag(phi''(r)) D_S + ridge I) p = g_S - lambda s_S`; newcomers whose `p_j` points
//!    out of their orthant leave again.
//! 4. `t = 1, 1/2, ...`: coordinates of `c + t p` that left their orthant are set to zero; accept by Armijo's rule on `P`.
//!    Where the loss is quadratic in pieces (squared, Huber) and this fails, or `H` was singular: the `t` that minimises
//!    `P(c + t p)`, exactly. Along a null direction of `H` it moves on until a coefficient vanishes or a residual bends.
//! 5. Safeguard where 4 fails, and now and then: majorised coordinate-descent sweeps, which always decrease `P`.
//!
//! A solution is then computed anew from its sorted support, signs and (Huber) outliers, with a fresh factor, so that
//! codes do not depend on the way they were reached. Cost per round `2 k d + s^3/3` (and `s^2 d` where there is no Gram
//! matrix); a handful of rounds where `s` is well below `d`.
//! Source: active sets as in Lee, Battle, Raina, Ng (2007), feature-sign search; projection as in Bertsekas (1982).

mod exact_line;
mod settle;

use crate::error::InvalidOption;
use crate::loss::Loss;
use crate::lower::Problem;
use crate::method::Method;
use crate::samples::Sample;
use exact_line::{Event, first_root, push_residual};
use linalg::columns::{add_scaled, column, dot};
use linalg::spd::{SpdFactor, SpdStatus, minimum_norm_solve};

/// How far one sample's code is solved, and by which method.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CoderOptions {
    /// Largest accepted KKT violation relative to `regularization`; in [1e-14, 1e-2], default 1e-10.
    pub tolerance: f64,
    /// Largest number of rounds per sample before "not converged"; at least 1, default 1000.
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

/// What a solve reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleOutcome {
    /// Whether the tolerance was reached.
    pub converged: bool,
    /// Largest KKT violation relative to `regularization`.
    pub violation: f64,
    /// Kinks: atoms off the support with `lambda - |g_j| < 1e-9 lambda`, and Huber residuals with
    /// `abs(abs(r_t) - delta) < 1e-9 delta`. There the code is not differentiable in the dictionary.
    pub undecided: usize,
}

/// Newcomers per round.
const BLOCK: usize = 16;
/// Round of the first safeguard sweep; the next come at twice the round each: near `s = d` a sweep brings in more atoms
/// than a solution has, and every one of them costs a round to leave.
const FIRST_SWEEP: usize = 12;
/// Lengths `1, 1/2, ..` of a projected step that are tried before the safeguard.
const HALVINGS: i32 = 40;
/// The same where an exact line search comes next.
const HALVINGS_BEFORE_EXACT: i32 = 8;
/// Violation above which `g` from the Gram matrix is good enough: its rounding is far below for codes of moderate size.
const QUICK: f64 = 1e-6;
/// Relative distance from a kink below which it is counted.
pub(crate) const KINK: f64 = 1e-9;

/// One worker's memory, reused from sample to sample; after a solve it holds the code.
#[derive(Default)]
pub struct Workspace {
    code: Vec<f64>,
    support: Vec<usize>,
    signs: Vec<f64>,
    residual: Vec<f64>,
    slopes: Vec<f64>,
    gradient: Vec<f64>,
    /// `g` at the code 0, if the solve began there.
    at_zero: Vec<f64>,
    direction: Vec<f64>,
    trial: Vec<f64>,
    trial_residual: Vec<f64>,
    events: Vec<Event>,
    factor: SpdFactor,
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

    /// Solves one sample to `options`, from the given code (pairs of atom and coefficient; none: from zero).
    pub fn solve(
        &mut self,
        problem: &Problem,
        sample: &Sample,
        start: impl Iterator<Item = (usize, f64)>,
        options: CoderOptions,
    ) -> SampleOutcome {
        if sample.missing.is_empty() {
            return self.solve_complete(problem, &sample.values, start, options);
        }
        self.solve_complete(&problem.observed(sample), &sample.observed(&sample.values), start, options)
    }

    fn solve_complete(
        &mut self,
        problem: &Problem,
        sample: &[f64],
        start: impl Iterator<Item = (usize, f64)>,
        options: CoderOptions,
    ) -> SampleOutcome {
        self.reset(problem, start);
        self.scale = self.unit(problem, sample);
        let (mut violation, mut next_sweep) = (f64::INFINITY, FIRST_SWEEP);
        for round in 0..=options.max_iterations {
            violation = self.refresh_at(problem, sample, round);
            if violation <= options.tolerance {
                violation = self.settle(problem, sample, violation);
                return self.outcome(problem, true, violation);
            }
            if violation.is_nan() || round == options.max_iterations {
                break;
            }
            let moved = self.newton_round(problem, sample);
            if !moved || round == next_sweep {
                self.sweeps(problem, sample);
                next_sweep = next_sweep.max(2 * round);
            }
        }
        self.outcome(problem, false, violation)
    }

    /// Residual, slopes and `g` of a round, and the violation. In the first rounds from zero, `g = D^T x - G c - ridge c`
    /// where there is a Gram matrix `G`: `2 k s` flops; what looks near a solution is computed from its residual.
    fn refresh_at(&mut self, problem: &Problem, sample: &[f64], round: usize) -> f64 {
        let by_gram = (1..FIRST_SWEEP).contains(&round)
            && self.at_zero.len() == problem.n_components()
            && self.support.len() < problem.n_features();
        if let (Some(gram), true) = (problem.gram(), by_gram) {
            self.refresh_residual(problem, sample);
            self.gradient.copy_from_slice(&self.at_zero);
            for &j in &self.support {
                add_scaled(&mut self.gradient, -self.code[j], column(gram, j));
            }
            self.subtract_ridge(problem);
            let violation = self.violation(problem);
            if violation > QUICK {
                return violation;
            }
        }
        self.refresh(problem, sample);
        if round == 0 {
            self.at_zero.clear();
            if self.support.is_empty() {
                self.at_zero.extend_from_slice(&self.gradient);
            }
        }
        self.violation(problem)
    }

    fn reset(&mut self, problem: &Problem, start: impl Iterator<Item = (usize, f64)>) {
        let (d, k) = (problem.n_features(), problem.n_components());
        for vector in [&mut self.code, &mut self.gradient] {
            vector.clear();
            vector.resize(k, 0.0);
        }
        for vector in [&mut self.residual, &mut self.slopes, &mut self.trial_residual] {
            vector.clear();
            vector.resize(d, 0.0);
        }
        let allowed = |c: f64| if problem.lower.non_negative { c.max(0.0) } else { c };
        start.for_each(|(j, c)| self.code[j] = allowed(c));
        self.collect_support();
    }

    /// The violation's unit: lambda, or the largest correlation of the sample where lambda is 0 (1 where that is 0 too).
    fn unit(&mut self, problem: &Problem, sample: &[f64]) -> f64 {
        if problem.lower.regularization > 0.0 {
            return problem.lower.regularization;
        }
        problem.lower.loss.slopes(sample, &mut self.slopes);
        problem.correlations(&self.slopes, &mut self.gradient);
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
    fn refresh(&mut self, problem: &Problem, sample: &[f64]) {
        self.refresh_residual(problem, sample);
        problem.correlations(&self.slopes, &mut self.gradient);
        self.subtract_ridge(problem);
    }

    fn refresh_residual(&mut self, problem: &Problem, sample: &[f64]) {
        let code = &self.code;
        let pairs = self.support.iter().map(|&j| (j, code[j]));
        problem.residual(sample, pairs, &mut self.residual);
        problem.lower.loss.slopes(&self.residual, &mut self.slopes);
    }

    fn subtract_ridge(&mut self, problem: &Problem) {
        let ridge = problem.lower.ridge();
        for &j in &self.support {
            self.gradient[j] -= ridge * self.code[j];
        }
    }

    /// Largest KKT violation in the unit of the sample; NaN if an entry is not a number.
    fn violation(&self, problem: &Problem) -> f64 {
        let mut worst = 0.0_f64;
        for (j, (&c, &g)) in self.code.iter().zip(&self.gradient).enumerate() {
            let lambda = problem.threshold(j);
            let distance =
                if c == 0.0 { (problem.size(g) - lambda).max(0.0) } else { (g - lambda * c.signum()).abs() };
            if g.is_nan() {
                return f64::NAN;
            }
            worst = worst.max(distance);
        }
        worst / self.scale
    }

    fn outcome(&self, problem: &Problem, converged: bool, violation: f64) -> SampleOutcome {
        let near = |j: usize, g: f64| {
            let lambda = problem.threshold(j);
            let unit = if lambda > 0.0 { lambda } else { self.scale };
            !problem.is_free(j) && lambda - problem.size(g) < KINK * unit
        };
        let pairs = self.code.iter().zip(&self.gradient).enumerate();
        let mut undecided = pairs.filter(|&(j, (&c, &g))| c == 0.0 && near(j, g)).count();
        if let Loss::Huber { delta } = problem.lower.loss {
            undecided += self.residual.iter().filter(|r| (r.abs() - delta).abs() < KINK * delta).count();
        }
        SampleOutcome { converged, violation, undecided }
    }

    /// Steps 2 to 4; `false` where no step decreased the objective.
    fn newton_round(&mut self, problem: &Problem, sample: &[f64]) -> bool {
        self.admit_violators(problem);
        self.newton_direction(problem);
        self.line_search(problem, sample)
    }

    /// Step 2: the support, ascending, with the worst violators and their signs.
    fn admit_violators(&mut self, problem: &Problem) {
        let room = (problem.n_features() * 9 / 10).saturating_sub(self.support.len()).clamp(1, BLOCK);
        let (code, gradient) = (&self.code, &self.gradient);
        let excess = |j: usize| problem.size(gradient[j]) - problem.threshold(j);
        let violators = (0..code.len()).filter(|&j| code[j] == 0.0 && excess(j) > 0.0);
        // A free atom has no orthant to leave again: all of them join at once.
        let (free, mut candidates): (Vec<usize>, Vec<usize>) = violators.partition(|&j| problem.is_free(j));
        if candidates.len() > room {
            candidates.sort_by(|&a, &b| excess(b).total_cmp(&excess(a)).then(a.cmp(&b)));
            candidates.truncate(room);
        }
        self.support.extend(free);
        self.support.extend(candidates);
        self.support.sort_unstable();
        self.signs.clear();
        let sign = |&j: &usize| {
            if code[j] == 0.0 { gradient[j].signum() } else { code[j].signum() }
        };
        self.signs.extend(self.support.iter().map(sign));
    }

    /// Step 3, into `direction`; newcomers that would leave their orthant are taken out of the support.
    fn newton_direction(&mut self, problem: &Problem) {
        loop {
            self.direction.clear();
            let pairs = self.support.iter().zip(&self.signs);
            self.direction.extend(pairs.map(|(&j, s)| self.gradient[j] - problem.threshold(j) * s));
            self.solve_hessian(problem);
            let wrong = |a: usize| {
                let j = self.support[a];
                !problem.is_free(j) && self.code[j] == 0.0 && self.direction[a] * self.signs[a] <= 0.0
            };
            let kept: Vec<usize> = (0..self.support.len()).filter(|&a| !wrong(a)).collect();
            if kept.len() == self.support.len() {
                return;
            }
            self.support = kept.iter().map(|&a| self.support[a]).collect();
            self.signs = kept.iter().map(|&a| self.signs[a]).collect();
        }
    }

    /// `direction <- H^-1 direction` on the support. A deficient `H` gets a relative shift of 1e-10 (still a descent
    /// direction); where all atoms are free the solution of least norm is taken instead, if there is one.
    fn solve_hessian(&mut self, problem: &Problem) {
        let s = self.support.len();
        problem.hessian(&self.support, &self.residual, &[], self.factor.start(s));
        self.flat = !matches!(self.factor.factor(), SpdStatus::Definite { .. });
        if !self.flat {
            self.factor.solve(&mut self.direction);
            return;
        }
        let mut hessian = vec![0.0; s * s];
        problem.hessian(&self.support, &self.residual, &[], &mut hessian);
        let least_norm =
            problem.lower.is_smooth().then(|| minimum_norm_solve(&hessian, &self.direction)).flatten();
        match least_norm {
            Some((solution, _)) if solves(&hessian, &solution, &self.direction) => {
                self.direction = solution;
            }
            _ => self.solve_shifted(&hessian),
        }
    }

    /// `direction <- (H + shift I)^-1 direction` with the smallest shift that makes it definite.
    fn solve_shifted(&mut self, hessian: &[f64]) {
        let s = self.support.len();
        let largest = (0..s).map(|a| hessian[a * s + a]).fold(0.0, f64::max);
        let mut shift = if largest > 0.0 { 1e-10 * largest } else { 1.0 };
        loop {
            let matrix = self.factor.start(s);
            matrix.copy_from_slice(hessian);
            (0..s).for_each(|a| matrix[a * s + a] += shift);
            if matches!(self.factor.factor(), SpdStatus::Definite { .. }) || shift > largest.max(1.0) {
                break;
            }
            shift *= 10.0;
        }
        self.factor.solve(&mut self.direction);
    }

    /// Step 4: moves the code; `false` (code unchanged) where no step length decreases the objective.
    fn line_search(&mut self, problem: &Problem, sample: &[f64]) -> bool {
        let objective = self.objective(problem, &self.residual, self.support.iter().map(|&j| self.code[j]));
        let exact = !matches!(problem.lower.loss, Loss::Power { .. });
        let halvings = if exact { HALVINGS_BEFORE_EXACT } else { HALVINGS };
        let moved = (exact && self.flat && self.exact_step(problem))
            || (0..halvings).any(|h| self.projected_step(problem, sample, objective, f64::from(-h).exp2()))
            || (exact && self.exact_step(problem));
        self.collect_support();
        moved
    }

    /// `c <- c + t p`, coordinates that left their orthant at zero, if that decreases the objective enough.
    fn projected_step(&mut self, problem: &Problem, sample: &[f64], before: f64, t: f64) -> bool {
        self.trial.clear();
        let mut expected = 0.0;
        for (a, &j) in self.support.iter().enumerate() {
            let moved = self.code[j] + t * self.direction[a];
            let inside = problem.is_free(j) || moved * self.signs[a] > 0.0;
            let kept = if inside { moved } else { 0.0 };
            expected += (self.gradient[j] - problem.threshold(j) * self.signs[a]) * (kept - self.code[j]);
            self.trial.push(kept);
        }
        let pairs = self.support.iter().copied().zip(self.trial.iter().copied());
        problem.residual(sample, pairs, &mut self.trial_residual);
        let after = self.objective(problem, &self.trial_residual, self.trial.iter().copied());
        let accepted =
            expected > 0.0 && after - before <= -1e-4 * expected + 4.0 * f64::EPSILON * before.abs();
        if accepted {
            let pairs = self.support.iter().zip(&self.trial);
            pairs.for_each(|(&j, &c)| self.code[j] = c);
        }
        accepted
    }

    /// `c <- c + t p` with the `t > 0` that minimises `P` over the allowed codes, for losses that are quadratic in pieces; a
    /// coefficient that stops at zero is exactly zero.
    fn exact_step(&mut self, problem: &Problem) -> bool {
        let ridge = problem.lower.ridge();
        let movement = &mut self.trial_residual;
        movement.fill(0.0);
        let (mut slope, mut curvature) = (0.0, 0.0);
        self.events.clear();
        for (a, &j) in self.support.iter().enumerate() {
            let (c, p) = (self.code[j], self.direction[a]);
            add_scaled(movement, p, problem.atom(j));
            slope -= p * (self.gradient[j] - problem.threshold(j) * self.signs[a]);
            curvature += ridge * p * p;
            if !problem.is_free(j) && c * p < 0.0 {
                // Codes may not become negative: the slope beyond that is infinite.
                let jump = if problem.lower.non_negative {
                    f64::INFINITY
                } else {
                    2.0 * problem.threshold(j) * p.abs()
                };
                self.events.push(Event::jump(-c / p, jump));
            }
        }
        for (&r, &q) in self.residual.iter().zip(movement.iter()) {
            curvature += push_residual(problem.lower.loss, r, q, &mut self.events);
        }
        let Some(t) = first_root(slope, curvature, &mut self.events) else {
            return false;
        };
        for (a, &j) in self.support.iter().enumerate() {
            let (c, p) = (self.code[j], self.direction[a]);
            let stops = !problem.is_free(j) && c * p < 0.0 && -c / p == t;
            self.code[j] = if stops { 0.0 } else { c + t * p };
        }
        true
    }

    /// `P` at coefficients of the support.
    fn objective(&self, problem: &Problem, residual: &[f64], code: impl Iterator<Item = f64>) -> f64 {
        let ridge = problem.lower.ridge();
        let pairs = self.support.iter().zip(code);
        let penalty: f64 = pairs.map(|(&j, c)| problem.threshold(j) * c.abs() + 0.5 * ridge * c * c).sum();
        problem.lower.loss.sum(residual) + penalty
    }

    /// Step 5: three sweeps of coordinate descent over the support and the violators.
    fn sweeps(&mut self, problem: &Problem, sample: &[f64]) {
        self.refresh(problem, sample);
        let (code, gradient) = (&self.code, &self.gradient);
        let violates = |j: usize| problem.size(gradient[j]) > problem.threshold(j);
        let near: Vec<usize> = (0..code.len()).filter(|&j| code[j] != 0.0 || violates(j)).collect();
        for _ in 0..3 {
            near.iter().for_each(|&j| self.coordinate_step(problem, j));
        }
        self.collect_support();
    }

    /// `c_j <- soft(h c_j + g_j, lambda) / h` with `h >= |d_j|^2 max phi'' + ridge`, doubled until the loss is majorised.
    fn coordinate_step(&mut self, problem: &Problem, j: usize) {
        let (loss, ridge, atom) = (problem.lower.loss, problem.lower.ridge(), problem.atom(j));
        let (c, g) = (self.code[j], dot(atom, &self.slopes) - ridge * self.code[j]);
        let steepest = match loss {
            Loss::Squared | Loss::Huber { .. } => 1.0,
            Loss::Power { .. } => self.residual.iter().map(|&r| loss.curvature(r)).fold(1e-300, f64::max),
        };
        let mut h = dot(atom, atom) * steepest + ridge;
        let before = loss.sum(&self.residual);
        while h > 0.0 && h.is_finite() {
            let moved = h * c + g;
            let next = (problem.size(moved) - problem.threshold(j)).max(0.0).copysign(moved) / h;
            let change = next - c;
            self.trial_residual.copy_from_slice(&self.residual);
            add_scaled(&mut self.trial_residual, -change, atom);
            let bound = before - (g + ridge * c) * change + 0.5 * (h - ridge) * change * change;
            if loss.sum(&self.trial_residual) <= bound + 4.0 * f64::EPSILON * before.abs() {
                self.code[j] = next;
                std::mem::swap(&mut self.residual, &mut self.trial_residual);
                loss.slopes(&self.residual, &mut self.slopes);
                return;
            }
            h *= 2.0;
        }
    }
}

/// Whether `H solution = rhs` to 1e-8 of the largest entry (lower triangle of `H`, column-major).
fn solves(hessian: &[f64], solution: &[f64], rhs: &[f64]) -> bool {
    let s = rhs.len();
    let mut rest = rhs.to_vec();
    for b in 0..s {
        rest[b] -= hessian[b * s + b] * solution[b];
        for a in b + 1..s {
            rest[a] -= hessian[b * s + a] * solution[b];
            rest[b] -= hessian[b * s + a] * solution[a];
        }
    }
    let largest = |v: &[f64]| v.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    largest(&rest) <= 1e-8 * largest(rhs)
}
