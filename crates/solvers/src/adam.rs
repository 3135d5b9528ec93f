//! Adam: gradient descent scaled by running moments of the gradient.
//!
//! ```text
//! m <- beta1 m + (1 - beta1) g            m_hat = m / (1 - beta1^t)
//! v <- beta2 v + (1 - beta2) g g          v_hat = v / (1 - beta2^t)
//! x <- x - step m_hat / (sqrt(v_hat) + epsilon)
//! ```
//!
//! | symbol | shape | meaning |
//! |---|---|---|
//! | `x`, `g` | n | variables, gradient at `x` |
//! | `m`, `v` | n | running mean of the gradient and of its squares, from 0 |
//! | `t` | | iterations so far, this one included: 1 at the first |
//! | `step` | | `schedule.at(t - 1)` |
//!
//! Products, roots and quotients of vectors are per entry. Cost: about `12 n` flops per iteration, memory `2 n`.
//! Reference: Kingma and Ba (2015), algorithm 1, with `epsilon` outside the root.

use crate::error::{Error, require};
use crate::schedule::Schedule;

/// Options of Adam.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adam {
    /// Step sizes; default constant `1e-3`.
    pub schedule: Schedule,
    /// Memory of the mean; in `[0, 1)`, default 0.9.
    pub beta1: f64,
    /// Memory of the mean of squares; in `[0, 1)`, default 0.999.
    pub beta2: f64,
    /// Added to the root; finite, `> 0` (so that a gradient of zero moves nothing), default `1e-8`.
    pub epsilon: f64,
}

impl Default for Adam {
    fn default() -> Self {
        Self { schedule: Schedule::Constant { step: 1e-3 }, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}

/// What Adam remembers between iterations.
#[derive(Debug, Clone, PartialEq)]
pub struct AdamState {
    /// Running mean of the gradients, length n.
    pub mean: Vec<f64>,
    /// Running mean of the squared gradients, length n.
    pub square: Vec<f64>,
    /// Iterations done.
    pub iteration: u64,
}

impl AdamState {
    /// Before the first iteration on `n` variables.
    pub fn new(n: usize) -> Self {
        Self { mean: vec![0.0; n], square: vec![0.0; n], iteration: 0 }
    }
}

impl Adam {
    /// Checks every field against the range documented with it.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for the first field outside its range.
    pub fn check(&self) -> Result<(), Error> {
        self.schedule.check()?;
        require((0.0..1.0).contains(&self.beta1), "beta1", self.beta1, "in [0, 1)")?;
        require((0.0..1.0).contains(&self.beta2), "beta2", self.beta2, "in [0, 1)")?;
        let epsilon = self.epsilon;
        require(epsilon > 0.0 && epsilon.is_finite(), "epsilon", epsilon, "finite and > 0")
    }

    /// One iteration: moves `x` by the `gradient` at `x`.
    ///
    /// # Panics
    /// When the lengths of `x`, `gradient` and the state differ.
    #[track_caller]
    pub fn advance(&self, state: &mut AdamState, x: &mut [f64], gradient: &[f64]) {
        assert_eq!(x.len(), gradient.len(), "Adam: lengths of the variables and of the gradient");
        assert_eq!(x.len(), state.mean.len(), "Adam: lengths of the variables and of the state");
        let step = self.schedule.at(state.iteration);
        state.iteration += 1;
        let t = state.iteration as f64;
        let mean_weight = 1.0 - self.beta1.powf(t);
        let square_weight = 1.0 - self.beta2.powf(t);
        let moments = state.mean.iter_mut().zip(&mut state.square);
        for ((x, g), (m, v)) in x.iter_mut().zip(gradient).zip(moments) {
            *m = self.beta1 * *m + (1.0 - self.beta1) * g;
            *v = self.beta2 * *v + (1.0 - self.beta2) * g * g;
            *x -= step * (*m / mean_weight) / ((*v / square_weight).sqrt() + self.epsilon);
        }
    }
}
