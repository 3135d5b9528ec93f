//! The few vector operations that the solvers share.

/// `|a - b|`, Euclidean.
pub(crate) fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

/// Whether every entry is a finite number.
pub(crate) fn all_finite(a: &[f64]) -> bool {
    a.iter().all(|a| a.is_finite())
}
