//! Synthetic sparse signals with a planted dictionary.

/// What to draw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SyntheticOptions {
    /// Number of samples, at least 1.
    pub n_samples: usize,
    /// Number of features, at least 1.
    pub n_features: usize,
    /// Number of planted atoms, at least 1.
    pub n_atoms: usize,
    /// Non-zero entries per code, 1 to `n_atoms`.
    pub n_nonzero: usize,
    /// Factor of the noise-free signal.
    pub scale: f64,
    /// Standard deviation of the Gaussian noise per entry, not negative.
    pub noise: f64,
}
