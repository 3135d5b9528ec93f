//! Gradient descent with momentum, on exact or stochastic gradients.
//!
//! ```text
//! m <- mu m + g
//! x <- x - step m                (heavy ball)
//! x <- x - step (g + mu m)       (Nesterov)
//! ```
//!
//! | symbol | shape | meaning |
//! |---|---|---|
//! | `x`, `g` | n | variables, gradient at `x` |
//! | `m` | n | momentum, from 0; the gradient enters with weight 1, not `1 - mu` |
//! | `mu` | | `momentum`; 0 is plain gradient descent |
//! | `step` | | `schedule.at(t)`, `t` iterations so far: 0 at the first |
//!
//! So a constant gradient ends up moving `x` by `step / (1 - mu)` times it per iteration.
//! Cost: about `4 n` flops per iteration, memory `n`. References: Polyak (1964), Sutskever et al. (2013).

use crate::error::{Error, require};
use crate::schedule::Schedule;

/// Options of gradient descent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sgd {
    /// Step sizes; default constant `1e-3`.
    pub schedule: Schedule,
    /// Weight `mu` of the past; in `[0, 1)`, default 0.9.
    pub momentum: f64,
    /// Nesterov's variant; default `false`.
    pub nesterov: bool,
}

impl Default for Sgd {
    fn default() -> Self {
        Self { schedule: Schedule::Constant { step: 1e-3 }, momentum: 0.9, nesterov: false }
    }
}

/// What gradient descent remembers between iterations.
#[derive(Debug, Clone, PartialEq)]
pub struct SgdState {
    /// The momentum `m`, length n.
    pub momentum: Vec<f64>,
    /// Iterations done.
    pub iteration: u64,
}

impl SgdState {
    /// Before the first iteration on `n` variables.
    pub fn new(n: usize) -> Self {
        Self { momentum: vec![0.0; n], iteration: 0 }
    }
}

impl Sgd {
    /// Checks every field against the range documented with it.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for the first field outside its range.
    pub fn check(&self) -> Result<(), Error> {
        self.schedule.check()?;
        require((0.0..1.0).contains(&self.momentum), "momentum", self.momentum, "in [0, 1)")
    }

    /// One iteration: moves `x` by the `gradient` at `x`.
    ///
    /// # Panics
    /// When the lengths of `x`, `gradient` and the state differ.
    #[track_caller]
    pub fn advance(&self, state: &mut SgdState, x: &mut [f64], gradient: &[f64]) {
        assert_eq!(x.len(), gradient.len(), "SGD: lengths of the variables and of the gradient");
        assert_eq!(x.len(), state.momentum.len(), "SGD: lengths of the variables and of the state");
        let step = self.schedule.at(state.iteration);
        state.iteration += 1;
        for ((x, g), m) in x.iter_mut().zip(gradient).zip(&mut state.momentum) {
            *m = self.momentum * *m + g;
            *x -= step * if self.nesterov { g + self.momentum * *m } else { *m };
        }
    }
}
