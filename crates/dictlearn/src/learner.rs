//! The bilevel learner.

use solvers::schedule::Schedule;

/// The upper-level objective without a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objective {
    /// The loss of the residual at the code, `sum phi(x - c*(D) D)`.
    Reconstruction,
    /// The whole lower-level objective at its minimum.
    Full,
}

/// When a first-order method puts the dictionary back into its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Project {
    /// After every step.
    EachStep,
    /// Once, after the last step; codes come from the raw dictionary until then.
    AtEnd,
}

/// The method of the upper level.
#[derive(Clone, Debug, PartialEq)]
pub enum Optimizer {
    /// (Accelerated) proximal gradient with backtracking; the constraint is the prox.
    ProximalGradient {
        /// Nesterov momentum.
        acceleration: bool,
        /// Restart of the momentum when it points uphill.
        restart: bool,
        /// First step size.
        initial_step: f64,
        /// Largest number of halvings per line search.
        max_halvings: u32,
    },
    /// Adam.
    Adam {
        /// Step sizes.
        schedule: Schedule,
        /// Decay of the first moment.
        beta1: f64,
        /// Decay of the second moment.
        beta2: f64,
        /// Floor of the denominator.
        epsilon: f64,
    },
    /// Stochastic gradient descent with momentum.
    Sgd {
        /// Step sizes.
        schedule: Schedule,
        /// Momentum in [0, 1).
        momentum: f64,
    },
}

/// How an upper level is descended.
#[derive(Clone, Debug, PartialEq)]
pub struct DescentOptions {
    /// The method.
    pub optimizer: Optimizer,
    /// Number of steps at most (with a batch size: number of mini-batch steps).
    pub max_iterations: usize,
    /// Stop when the (projected) gradient mapping is below this times `1 + |x|`; 0 runs all steps.
    pub tolerance: f64,
    /// Samples per step for Adam and SGD; `None` takes all.
    pub batch_size: Option<usize>,
    /// When the dictionary is projected, for Adam and SGD.
    pub project: Project,
}
