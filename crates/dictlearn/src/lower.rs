//! The lower-level problem of one sample.

use crate::loss::Loss;

/// `P(c) = sum_t phi(r_t) + regularization (|c|_1 + elastic_penalty/2 |c|^2) + l2_regularization/2 |c|^2`, `r = x - c D`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LowerLevel {
    /// The loss `phi` of a residual entry.
    pub loss: Loss,
    /// Weight of the l1 norm, in the unit of (gradient of the loss) x (norm of an atom); not negative.
    pub regularization: f64,
    /// Ridge relative to `regularization` (the ridge is `regularization * elastic_penalty / 2 |c|^2`); not negative.
    pub elastic_penalty: f64,
    /// Absolute ridge `l2_regularization / 2 |c|^2`; not negative.
    pub l2_regularization: f64,
}
