//! Dictionaries: where they start and the set they live in.

use faer::Mat;

/// Where the dictionary starts.
#[derive(Clone, Debug)]
pub enum Initialization {
    /// Leading right singular vectors of the data.
    Svd,
    /// Random distinct samples, normalised.
    Samples,
    /// Gaussian atoms, normalised.
    Random,
    /// Given atoms (one a column), used as they are.
    Given(Mat<f64>),
}

/// The set in which a dictionary lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Constraint {
    /// Every atom has norm 1.
    UnitSphere,
    /// Every atom has norm at most 1.
    UnitBall,
    /// The whole matrix has Frobenius norm 1.
    FrobeniusSphere,
}
