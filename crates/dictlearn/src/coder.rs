//! Codes of all samples.

/// How far one sample's code is solved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CoderOptions {
    /// Largest accepted KKT violation relative to `regularization`; in [1e-14, 1e-2], default 1e-10.
    pub tolerance: f64,
    /// Largest number of iterations per sample before "not converged"; at least 1, default 1000.
    pub max_iterations: usize,
}
