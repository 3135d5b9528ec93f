//! Task-driven sparse dictionary learning by bilevel optimisation.

pub mod learner;
pub mod synthetic;
pub mod preprocessing;
pub mod dictionary;
pub mod random;
pub mod hypergradient;
pub mod task;
pub mod upper;
pub mod coder;
pub mod active_set;
pub mod lower;
pub mod loss;
pub mod codes;
pub mod error;
