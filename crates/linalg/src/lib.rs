//! Dense linear algebra for sparse coding, on faer: real matrices of `f64`, one thread, the same bits on every call.
//!
//! Matrices are `faer` views, column-major: a NumPy array of shape (n, d) in C order is the `d x n` matrix whose
//! columns are the n rows of the array, without a copy.

pub mod svd;
pub mod eigenvalue;
pub mod conjugate_gradient;
pub mod qr_update;
pub mod spd;
pub mod products;
pub mod simd;
pub mod columns;
