//! Tasks: losses of the codes with a head of their own.

/// Binary logistic loss `sum_i softplus(z_i) - y_i z_i + l2/2 (|w|^2 + b^2)`, `z = C w + b`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Logistic {
    /// Ridge of the head, counted once whatever the batch; not negative.
    pub l2: f64,
    /// Whether `b^2` is part of the ridge.
    pub penalize_intercept: bool,
}
