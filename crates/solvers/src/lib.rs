//! First-order solvers and the derivatives of their solutions.
//!
//! Reading order: [`implicit`] differentiates the solution of a composite problem `min f(x) + g(x)`,
//! [`proximal_gradient`] finds it, [`adam`] and [`sgd`] are the plain gradient methods, [`schedule`] gives their
//! steps. The smooth part `f` is a [`Smooth`], the proximable part `g` a [`prox::Prox`].
//!
//! Denoising by the lasso, `x(lam, b) = argmin 1/2 |x - b|^2 + lam |x|_1`, and `dL/dlam` for `L = sum_j x_j`:
//!
//! ```
//! use solvers::Smooth;
//! use solvers::implicit::{FixedPoint, LinearSolve, Status, adjoint};
//! use solvers::proximal_gradient::ProximalGradient;
//!
//! struct Distance([f64; 3]);
//!
//! impl Smooth for Distance {
//!     fn value(&mut self, x: &[f64]) -> f64 {
//!         0.5 * x.iter().zip(self.0).map(|(x, b)| (x - b) * (x - b)).sum::<f64>()
//!     }
//!
//!     fn value_and_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> f64 {
//!         for ((g, x), b) in gradient.iter_mut().zip(x).zip(self.0) {
//!             *g = x - b;
//!         }
//!         self.value(x)
//!     }
//! }
//!
//! let mut distance = Distance([3.0, -0.5, -2.0]);
//! let penalty = prox::L1 { regularization: 1.0 };
//! let x = ProximalGradient::default().run(&[0.0; 3], &mut distance, &penalty).x;
//! assert_eq!(x, [2.0, 0.0, -1.0]);
//!
//! let mut gradient = [0.0; 3];
//! distance.value_and_gradient(&x, &mut gradient);
//! let point = FixedPoint { solution: &x, gradient: &gradient, step: 1.0, cotangent: &[1.0; 3] };
//! let mut identity = |direction: &[f64], out: &mut [f64]| out.copy_from_slice(direction);
//! let found = adjoint(&point, &mut identity, &penalty, LinearSolve::default());
//! assert_eq!((found.status, found.beta.as_slice()), (Status::Solved, &[1.0, 0.0, 1.0][..]));
//! // dL/dlam = -beta . sign(x): one coordinate falls as the other rises.
//! assert_eq!(-(found.beta[0] * x[0].signum() + found.beta[2] * x[2].signum()), 0.0);
//! ```

pub mod implicit;
pub mod proximal_gradient;

pub mod adam;
pub mod sgd;

pub mod step_rule;

pub mod schedule;
pub mod smooth;

mod vector;

pub mod error;

pub use error::Error;
pub use smooth::Smooth;
