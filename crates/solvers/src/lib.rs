//! First-order solvers and the derivatives of their solutions.
//!
//! Reading order: [`implicit`] differentiates the solution of a composite problem `min f(x) + g(x)`,
//! [`proximal_gradient`] finds it, [`adam`] and [`sgd`] are the plain gradient methods, [`schedule`] gives their
//! steps. The smooth part `f` is a [`Smooth`], the proximable part `g` a [`prox::Prox`].

pub mod implicit;
pub mod proximal_gradient;

pub mod adam;
pub mod sgd;

pub mod schedule;
pub mod smooth;

mod positive_definite;
mod vector;

pub mod error;

pub use error::Error;
pub use smooth::Smooth;
