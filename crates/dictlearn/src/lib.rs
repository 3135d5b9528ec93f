//! Task-driven sparse dictionary learning by bilevel optimisation.

pub mod coder;
pub mod dictionary;
pub mod error;
pub mod learner;
pub mod loss;
pub mod lower;
pub mod synthetic;
pub mod task;
