//! Task-driven sparse dictionary learning by bilevel optimisation.

pub mod learner;
pub mod task;
pub mod synthetic;
pub mod dictionary;
pub mod coder;
pub mod lower;
pub mod loss;
pub mod error;
