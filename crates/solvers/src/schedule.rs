//! Step sizes as a function of the iteration.

/// A step-size schedule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Schedule {
    /// `step`.
    Constant {
        /// The step.
        step: f64,
    },
    /// `step * decay^t`.
    Exponential {
        /// First step.
        step: f64,
        /// Factor per iteration, in (0, 1].
        decay: f64,
    },
    /// `last + (step - last) (1 + cos(pi t / iterations)) / 2`.
    Cosine {
        /// First step.
        step: f64,
        /// Last step.
        last: f64,
        /// Length of the schedule.
        iterations: u64,
    },
    /// `step * min(1, t0 / t)`.
    InverseTime {
        /// First step.
        step: f64,
        /// Iterations before the decay sets in.
        t0: f64,
    },
}
