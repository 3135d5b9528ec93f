//! Step sizes as functions of the iteration `t = 0, 1, 2, ...`
//!
//! | schedule | step at `t` |
//! |---|---|
//! | constant | `step` |
//! | exponential | `step decay^t` |
//! | cosine | `last + (step - last) (1 + cos(pi t / iterations)) / 2`, and `last` from `iterations` on |
//! | inverse time | `step min(1, t0 / t)` |
//!
//! References: Loshchilov and Hutter (2017), cosine; Robbins and Monro (1951), inverse time.

use crate::error::{Error, require};

/// A rule for the step size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Schedule {
    /// The same step always.
    Constant {
        /// The step; finite, `> 0`.
        step: f64,
    },
    /// Geometric decay, `step decay^t`.
    Exponential {
        /// The step at `t = 0`; finite, `> 0`.
        step: f64,
        /// Factor per iteration; in `(0, 1]`.
        decay: f64,
    },
    /// Half a cosine from `step` down (or up) to `last`.
    Cosine {
        /// The step at `t = 0`; finite, `> 0`.
        step: f64,
        /// The step at `t >= iterations`; finite, `>= 0`.
        last: f64,
        /// Length of the half wave; `>= 1`.
        iterations: u64,
    },
    /// `step min(1, t0 / t)`: constant up to `t0`, then falling as `1 / t`.
    InverseTime {
        /// The step for `t <= t0`; finite, `> 0`.
        step: f64,
        /// The iteration from which the step falls; finite, `> 0`.
        t0: f64,
    },
}

impl Schedule {
    /// The step at `iteration`, counted from 0.
    pub fn at(&self, iteration: u64) -> f64 {
        let t = iteration as f64;
        match *self {
            Self::Constant { step } => step,
            Self::Exponential { step, decay } => step * decay.powf(t),
            Self::Cosine { last, iterations, .. } if iteration >= iterations => last,
            Self::Cosine { step, last, iterations } => {
                let angle = std::f64::consts::PI * t / iterations as f64;
                last + (step - last) * 0.5 * (1.0 + angle.cos())
            }
            Self::InverseTime { step, t0 } => step * (t0 / t).min(1.0),
        }
    }

    /// Checks every field against the range documented with it.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for the first field outside its range.
    pub fn check(&self) -> Result<(), Error> {
        let (Self::Constant { step }
        | Self::Exponential { step, .. }
        | Self::Cosine { step, .. }
        | Self::InverseTime { step, .. }) = *self;
        require(step > 0.0 && step.is_finite(), "step", step, "finite and > 0")?;
        match *self {
            Self::Constant { .. } => Ok(()),
            Self::Exponential { decay, .. } => {
                require(decay > 0.0 && decay <= 1.0, "decay", decay, "in (0, 1]")
            }
            Self::Cosine { last, iterations, .. } => {
                require(last >= 0.0 && last.is_finite(), "last", last, "finite and >= 0")?;
                require(iterations >= 1, "iterations", iterations as f64, ">= 1")
            }
            Self::InverseTime { t0, .. } => require(t0 > 0.0 && t0.is_finite(), "t0", t0, "finite and > 0"),
        }
    }
}
