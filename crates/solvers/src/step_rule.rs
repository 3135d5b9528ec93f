//! Rules for the step of the proximal gradient method.
//!
//! An iteration takes `n = prox_{s g}(y - s grad f(y))`, from the point `y` with the step `s`: `y`, `n` of length n.
//!
//! Backtracking: from the stored step `s` (at first `initial`), while
//! `s (f(n) - f(y)) > s <grad f(y), n - y> + 1/2 |n - y|^2 + 2.2e-16` or `f(n)` is not finite, and fewer than
//! `max_halvings` halvings are done: `s <- s/2` and `n` anew. The next stored step is `initial` if
//! `s <= reset_below`, else `2 s`. When the halvings run out the last `n` is taken all the same, and counted in
//! `exhausted_line_searches`. The constant 2.2e-16 (`f64::EPSILON`) is absolute: moves shorter
//! than about 1e-8 pass with any step, so steps grow until the iterates wander by that much. Backtracking therefore
//! resolves `x` to about 1e-8 and the violation to `1e-8 L`; beyond that use a fixed step.
//!
//! Cost: one value of `f` and one prox per candidate step, the accepted one included; the other rules spend none.
//! Reference: Beck and Teboulle (2009), section 4.

use crate::error::{Error, require};
use crate::schedule::Schedule;

/// Where the step comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum StepRule {
    /// The same step always; finite, `> 0`. Safe at `1/L`.
    Fixed(f64),
    /// A step per iteration, counted from 0; it must stay `> 0`. No value of `f` is spent on it.
    Schedule(Schedule),
    /// Halve until sufficient decrease, double after each iteration.
    Backtracking {
        /// The first step, and the one after a reset; finite, `> 0`, default 1.
        initial: f64,
        /// Most halvings per iteration; default 15.
        max_halvings: u32,
        /// A used step this small or smaller is followed by `initial`; finite, `>= 0`, default `1e-6`.
        reset_below: f64,
    },
}

impl StepRule {
    /// Backtracking with its defaults.
    pub const BACKTRACKING: Self = Self::Backtracking { initial: 1.0, max_halvings: 15, reset_below: 1e-6 };

    /// Checks every field against the range documented with it.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for the first field outside its range.
    pub fn check(&self) -> Result<(), Error> {
        let positive =
            |name, value: f64| require(value > 0.0 && value.is_finite(), name, value, "finite and > 0");
        match *self {
            Self::Fixed(step) => positive("step", step),
            Self::Schedule(schedule) => {
                schedule.check()?;
                match schedule {
                    Schedule::Cosine { last, .. } => positive("last", last),
                    _ => Ok(()),
                }
            }
            Self::Backtracking { initial, reset_below, .. } => {
                positive("initial", initial)?;
                let inside = reset_below >= 0.0 && reset_below.is_finite();
                require(inside, "reset_below", reset_below, "finite and >= 0")
            }
        }
    }

    /// The step before any iteration.
    pub(crate) fn first(&self) -> f64 {
        match self {
            Self::Fixed(step) => *step,
            Self::Schedule(schedule) => schedule.at(0),
            Self::Backtracking { initial, .. } => *initial,
        }
    }
}
