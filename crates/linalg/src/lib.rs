//! linalg

pub mod conjugate_gradient;
