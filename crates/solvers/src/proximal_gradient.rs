//! Proximal gradient, plain (ISTA) or accelerated (FISTA), for `min f(x) + g(x)` with `f` smooth and `g` proximable.
//!
//! ```text
//! x_0 = y_0 given (not projected),  t_0 = 1
//! n = prox_{s g}(y - s grad f(y))                              with a step s by the rule
//! t' = (1 + sqrt(1 + 4 t^2)) / 2,  y <- n + (t - 1)/t' (n - x),  x <- n,  t <- t'        accelerated
//! y <- n,  x <- n                                                                        plain
//! ```
//!
//! | symbol | shape | meaning |
//! |---|---|---|
//! | `x` | n | iterate |
//! | `y` | n | extrapolated point, where the gradient is taken; `x` itself in the plain method |
//! | `n` | n | next iterate |
//! | `s` | | step |
//! | `t` | | momentum sequence |
//!
//! **Step.** By [`StepRule`]; [`crate::step_rule`] has the exact test of backtracking and the accuracy that it can reach.
//!
//! **Restart.** With `restart`, an iteration with `<y - n, n - x> > 0` sets `t <- 1, y <- n` instead: the momentum
//! points uphill. Convergence turns linear on strongly convex problems.
//!
//! **Violation.** `|x - prox_{s g}(x - s grad f(x))| / s`, zero exactly at solutions; for `g = 0` it is the norm of the
//! gradient. An iteration knows it for free at its own `y`: `|y - n| / s`, which is [`ProximalGradientState::violation`].
//! [`ProximalGradient::run`] stops only when the violation *at `x`*, computed for one more gradient once the free one
//! is small enough, is at most `tolerance (1 + |x|)`. Rounding leaves `2.2e-16 |x| / s` in it, so a step below
//! `2.2e-16 / tolerance` certifies nothing and does not stop the run.
//!
//! Convergence for convex `f` with `L`-Lipschitz gradient and `s <= 1/L`: the objective falls as `1/k` (plain),
//! `1/k^2` (accelerated); backtracking finds such a step. Cost per iteration: one gradient, one prox, and one value of
//! `f` and one prox more per halving (plus the value of the accepted step) with backtracking; memory `4 n`.
//!
//! References: Beck and Teboulle (2009); O'Donoghue and Candes (2015), the restart by gradient.

use linalg::columns::norm;
use prox::Prox;

use crate::error::{Error, require};
use crate::smooth::Smooth;
use crate::step_rule::StepRule;
use crate::vector::{all_finite, distance};

/// Options of the proximal gradient method.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProximalGradient {
    /// Extrapolate (FISTA); default `true`.
    pub acceleration: bool,
    /// Drop the momentum when it points uphill; default `false`. Without effect on the plain method.
    pub restart: bool,
    /// The step; default [`StepRule::BACKTRACKING`].
    pub step: StepRule,
    /// Most iterations of one run; default 1000.
    pub max_iterations: u64,
    /// Violation to reach, relative to `1 + |x|`; `>= 0`, default `1e-6`. 0 runs all iterations.
    pub tolerance: f64,
}

impl Default for ProximalGradient {
    fn default() -> Self {
        Self {
            acceleration: true,
            restart: false,
            step: StepRule::BACKTRACKING,
            max_iterations: 1000,
            tolerance: 1e-6,
        }
    }
}

/// Everything that lives between iterations.
#[derive(Debug, Clone, PartialEq)]
pub struct ProximalGradientState {
    /// The iterate, length n.
    pub x: Vec<f64>,
    /// Where the next iteration takes the gradient, length n.
    pub y: Vec<f64>,
    /// The `t` of the momentum, 1 at the start.
    pub momentum: f64,
    /// `f(x)`, when the line search of the last iteration computed it.
    pub value: Option<f64>,
    /// `f` where the last iteration took the gradient (its own `y`, no longer stored); not a number before the first.
    pub value_at_y: f64,
    /// The step from which the next iteration starts.
    pub step: f64,
    /// The step that the last iteration took; 0 before the first.
    pub last_step: f64,
    /// Iterations done.
    pub iteration: u64,
    /// `|n - y| / s` of the last iteration, at its own `y`; infinite before the first.
    pub violation: f64,
    /// Iterations whose line search ran out of halvings.
    pub exhausted_line_searches: u64,
    /// A value, a gradient or an iterate was not finite; `x` and `y` are still the last finite ones.
    pub diverged: bool,
    gradient: Vec<f64>,
    next: Vec<f64>,
}

/// Why a run stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The violation at `x` is at most `tolerance (1 + |x|)`.
    Converged,
    /// The iterations ran out first.
    MaxIterations,
    /// A value that is not finite turned up; `x` is the last finite iterate.
    Diverged,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The last iterate, length n.
    pub x: Vec<f64>,
    /// Why the run stopped.
    pub status: Status,
    /// Violation at `x`, with the last step that was taken; infinite where a gradient is not finite.
    pub violation: f64,
    /// Iterations, those done in the state before this run included.
    pub iterations: u64,
    /// `f(x) + g(x)`; infinite when `x` is outside the domain of `g`.
    pub value: f64,
    /// Iterations whose line search ran out of halvings.
    pub exhausted_line_searches: u64,
}

impl ProximalGradient {
    /// Checks every field against the range documented with it.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for the first field outside its range.
    pub fn check(&self) -> Result<(), Error> {
        self.step.check()?;
        require(self.tolerance >= 0.0, "tolerance", self.tolerance, ">= 0")
    }

    /// The state before the first iteration from `x0`.
    ///
    /// # Panics
    /// When [`ProximalGradient::check`] finds an option out of range.
    #[track_caller]
    pub fn start(&self, x0: &[f64]) -> ProximalGradientState {
        if let Err(error) = self.check() {
            panic!("proximal gradient: {error}");
        }
        ProximalGradientState {
            x: x0.to_vec(),
            y: x0.to_vec(),
            momentum: 1.0,
            value: None,
            value_at_y: f64::NAN,
            step: self.step.first(),
            last_step: 0.0,
            iteration: 0,
            violation: f64::INFINITY,
            exhausted_line_searches: 0,
            diverged: false,
            gradient: vec![0.0; x0.len()],
            next: vec![0.0; x0.len()],
        }
    }

    /// One iteration. After it, look at [`ProximalGradientState::diverged`] and, to stop, at
    /// [`ProximalGradientState::violation`].
    pub fn advance(&self, state: &mut ProximalGradientState, smooth: &mut impl Smooth, penalty: &impl Prox) {
        state.value_at_y = smooth.value_and_gradient(&state.y, &mut state.gradient);
        state.diverged = !state.value_at_y.is_finite() || !all_finite(&state.gradient);
        if !state.diverged {
            self.step(state, smooth, penalty);
            state.diverged = !all_finite(&state.next) || state.value.is_some_and(|v| !v.is_finite());
        }
        if state.diverged {
            state.violation = f64::INFINITY;
            state.value = None;
            return;
        }
        state.violation = distance(&state.next, &state.y) / state.last_step;
        state.iteration += 1;
        self.extrapolate(state);
    }

    /// Runs from `x0` until the tolerance holds or the iterations run out.
    ///
    /// # Panics
    /// When [`ProximalGradient::check`] finds an option out of range.
    #[track_caller]
    pub fn run(&self, x0: &[f64], smooth: &mut impl Smooth, penalty: &impl Prox) -> Outcome {
        self.resume(&mut self.start(x0), smooth, penalty)
    }

    /// Runs on from `state`, at most `max_iterations` more. Step and momentum go on where they were.
    pub fn resume(
        &self,
        state: &mut ProximalGradientState,
        smooth: &mut impl Smooth,
        penalty: &impl Prox,
    ) -> Outcome {
        for _ in 0..self.max_iterations {
            self.advance(state, smooth, penalty);
            if state.diverged {
                return state.outcome(Status::Diverged, smooth, penalty);
            }
            if self.meets_tolerance(state.violation, state) {
                let outcome = state.outcome(Status::Converged, smooth, penalty);
                if self.meets_tolerance(outcome.violation, state) {
                    return outcome;
                }
            }
        }
        let mut outcome = state.outcome(Status::MaxIterations, smooth, penalty);
        if self.meets_tolerance(outcome.violation, state) {
            outcome.status = Status::Converged;
        }
        outcome
    }

    /// `violation <= tolerance (1 + |x|)`, with a step that can tell.
    fn meets_tolerance(&self, violation: f64, state: &ProximalGradientState) -> bool {
        violation <= self.tolerance * (1.0 + norm(&state.x))
            && state.measuring_step() * self.tolerance >= f64::EPSILON
    }

    /// Sets `next`, `last_step`, the stored step and, where it is computed, `value`.
    fn step(&self, state: &mut ProximalGradientState, smooth: &mut impl Smooth, penalty: &impl Prox) {
        let (initial, max_halvings, reset_below) = match self.step {
            StepRule::Backtracking { initial, max_halvings, reset_below } => {
                (initial, max_halvings, reset_below)
            }
            StepRule::Fixed(step) => return state.take(step, step, penalty),
            StepRule::Schedule(schedule) => {
                let (now, then) = (state.iteration, state.iteration + 1);
                return state.take(schedule.at(now), schedule.at(then), penalty);
            }
        };
        let mut step = state.step;
        forward_backward(&mut state.next, &state.y, &state.gradient, step, penalty);
        let mut value = smooth.value(&state.next);
        let mut halvings = 0;
        while !state.decreases_enough(step, value) {
            if halvings == max_halvings {
                state.exhausted_line_searches += 1;
                break;
            }
            halvings += 1;
            step *= 0.5;
            forward_backward(&mut state.next, &state.y, &state.gradient, step, penalty);
            value = smooth.value(&state.next);
        }
        state.value = Some(value);
        state.last_step = step;
        state.step = if step <= reset_below { initial } else { 2.0 * step };
    }

    /// `x <- n`, and `y` ahead of it.
    fn extrapolate(&self, state: &mut ProximalGradientState) {
        let ProximalGradientState { x, y, next, momentum: t, .. } = state;
        let uphill = |y: &[f64], x: &[f64]| {
            let terms = y.iter().zip(next.iter()).zip(x).map(|((y, n), x)| (y - n) * (n - x));
            terms.sum::<f64>() > 0.0
        };
        if !self.acceleration || (self.restart && uphill(y, x)) {
            *t = 1.0;
            y.copy_from_slice(next);
        } else {
            let t_next = 0.5 * (1.0 + (1.0 + 4.0 * *t * *t).sqrt());
            let weight = (*t - 1.0) / t_next;
            for ((y, n), x) in y.iter_mut().zip(next.iter()).zip(x.iter()) {
                *y = n + weight * (n - x);
            }
            *t = t_next;
        }
        std::mem::swap(x, next);
    }
}

impl ProximalGradientState {
    /// A step that needs no value of `f`.
    fn take(&mut self, step: f64, stored: f64, penalty: &impl Prox) {
        forward_backward(&mut self.next, &self.y, &self.gradient, step, penalty);
        self.value = None;
        self.last_step = step;
        self.step = stored;
    }

    /// The test of the line search for `next`, with `value = f(next)`. Infinity and not a number fail it.
    fn decreases_enough(&self, step: f64, value: f64) -> bool {
        let moves = || self.next.iter().zip(&self.y).map(|(n, y)| n - y);
        let slope: f64 = moves().zip(&self.gradient).map(|(m, g)| m * g).sum();
        let square: f64 = moves().map(|m| m * m).sum();
        let excess = step * (value - self.value_at_y);
        excess <= step * slope + 0.5 * square + f64::EPSILON
    }

    /// The step with which violations are measured: the last one taken, or the first to come.
    fn measuring_step(&self) -> f64 {
        if self.last_step > 0.0 { self.last_step } else { self.step }
    }

    /// Value and violation at `x`, for one gradient and one prox; the scratch vectors are overwritten.
    fn outcome(&mut self, status: Status, smooth: &mut impl Smooth, penalty: &impl Prox) -> Outcome {
        let value = smooth.value_and_gradient(&self.x, &mut self.gradient);
        let step = self.measuring_step();
        forward_backward(&mut self.next, &self.x, &self.gradient, step, penalty);
        let violation = distance(&self.x, &self.next) / step;
        Outcome {
            x: self.x.clone(),
            status,
            violation: if violation.is_nan() { f64::INFINITY } else { violation },
            iterations: self.iteration,
            value: value + penalty.value(&self.x),
            exhausted_line_searches: self.exhausted_line_searches,
        }
    }
}

/// `next <- prox_{step g}(y - step gradient)`.
fn forward_backward(next: &mut [f64], y: &[f64], gradient: &[f64], step: f64, penalty: &impl Prox) {
    for ((n, y), g) in next.iter_mut().zip(y).zip(gradient) {
        *n = y - step * g;
    }
    penalty.prox(next, step);
}
