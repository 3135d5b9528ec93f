//! Losses `phi` of one residual entry `r`, summed over the entries of a residual.
//!
//! | loss | `phi(r)` | `phi'(r)` | `phi''(r)` |
//! |---|---|---|---|
//! | squared | `r^2 / 2` | `r` | `1` |
//! | power | `abs(r)^p` | `p sign(r) abs(r)^(p-1)` | `p (p-1) abs(r)^(p-2)` |
//! | huber | `r^2 / 2` if `abs(r) <= delta`, else `delta (abs(r) - delta/2)` | `clamp(r, -delta, delta)` | `1` inside, `0` outside |
//!
//! `power` has no factor 1/p: with `p = 2` it would be twice the squared loss.
//! At `abs(r) = delta` the Huber curvature is taken from inside.

/// A loss of one residual entry; the loss of a sample is the sum over its features.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    /// `r^2 / 2`.
    Squared,
    /// `abs(r)^exponent`, exponent in (1, 10]; curvature vanishes at 0 above 2 and is unbounded there below 2.
    Power {
        /// The power `p`.
        exponent: f64,
    },
    /// Quadratic up to `delta`, linear beyond.
    Huber {
        /// Residual size, in the unit of the data, from which on the loss is linear; positive.
        delta: f64,
    },
}
