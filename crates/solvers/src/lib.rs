//! First-order solvers.

pub mod schedule;
