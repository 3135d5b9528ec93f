//! Which code of a sample is meant, and by which method it is found.
//!
//! Symbols as in [`crate::lower`]: `x` a sample (`d`), `D` the dictionary (`d x k`), `c` its code (`k`), `w` the weights of
//! the l1 norm, `lambda = regularization`, `ridge = regularization elastic_penalty + l2_regularization`. The first three
//! minimise the same `P(c)`; the others solve another problem, written out at each. No sum is a mean.
//! With `non_negative` codes, `c >= 0` is added to each problem ([`Method::Omp`] refuses it).
//!
//! | method | a sample has converged where this `violation` is within the tolerance |
//! |---|---|
//! | `active_set`, `homotopy`, `coordinate_descent` | the KKT violation of [`crate::lower`], relative to lambda |
//! | `l1_ball`, `error` | the same at the multiplier of the constraint, relative to it (below 1e-5 of the largest correlation `abs(d_j . x)`: relative to that), and the constraint: the excess of `sum_j w_j abs(c_j)` relative to the radius, that of `norm(x - D c)` over `sqrt(error)` relative to `norm(x)` |
//! | `omp` | `max_S abs(d_j . r - l2_regularization c_j)` relative to `max_j abs(d_j . x)`, and where `error` alone is given the excess of `norm(x - D c)` over `sqrt(error)` relative to `norm(x)` |
//! | `threshold` | 0: a formula |
//!
//! An error out of reach (below that of least squares) is not converged, with the closest code.
//! `max_iterations` counts rounds of the active set and of coordinate descent, and steps of a path. Only the
//! active set and coordinate descent make use of a start.

use crate::error::InvalidOption;
use crate::loss::Loss;
use crate::lower::LowerLevel;

/// Problem and method of the codes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Method {
    /// `active_set`: `minimise sum_t phi(r_t) + lambda sum_j w_j |c_j| + ridge/2 |c|^2` for every loss, by
    /// [`crate::active_set`]. Samples it leaves unsolved are tried by homotopy where the loss is squared or Huber's.
    #[default]
    ActiveSet,
    /// `homotopy`: `minimise 1/2 |x - D c|^2 + lambda sum_j w_j |c_j| + ridge/2 |c|^2`, by following the exact solution
    /// from the largest lambda down ([`crate::homotopy`]): the squared loss alone. It takes as many steps as there are
    /// changes of the support. Where lambda is 0: the end of the path, a least-squares solution of small l1 norm.
    Homotopy,
    /// `coordinate_descent`: the problem of `active_set`, one coefficient after the other
    /// ([`crate::coordinate_descent`]). Slow to high accuracy where atoms are correlated; for comparison.
    CoordinateDescent,
    /// `omp`: orthogonal matching pursuit ([`crate::omp`]). Greedily, atoms by the largest `|d_j . r| / |d_j|`, and after
    /// each one `c = argmin 1/2 |x - D c|^2 + l2_regularization/2 |c|^2` over the atoms chosen. `regularization` and
    /// `elastic_penalty` play no part. At least one of the two limits has to be given.
    Omp {
        /// Stop at this many atoms; at least 1.
        n_nonzero: Option<usize>,
        /// Stop where `|x - D c|^2` (no factor 1/2) is at most this; not negative.
        error: Option<f64>,
    },
    /// `threshold`: `c_j = soft(d_j . x, lambda w_j) / (1 + ridge)` ([`crate::threshold`]), the minimiser of `P` for the
    /// squared loss if the atoms are orthonormal, else only a cheap code.
    Threshold,
    /// `l1_ball`: `minimise 1/2 |x - D c|^2 + ridge/2 |c|^2 subject to sum_j w_j |c_j| <= radius`, on the path of
    /// `homotopy` at the lambda where the norm reaches the radius. Apart from the ridge, `regularization` plays no part.
    L1Ball {
        /// The bound on the weighted l1 norm, in the unit of the codes; not negative.
        radius: f64,
    },
    /// `error`: `minimise sum_j w_j |c_j| subject to |x - D c|^2 <= error` (no factor 1/2), on the path of `homotopy` at the
    /// lambda where the residual reaches the error. There must be no ridge; `regularization` plays no part.
    Error {
        /// The bound on the squared norm of the residual; not negative.
        error: f64,
    },
}

impl Method {
    /// The method's name, as in TOML.
    pub fn name(self) -> &'static str {
        match self {
            Method::ActiveSet => "active_set",
            Method::Homotopy => "homotopy",
            Method::CoordinateDescent => "coordinate_descent",
            Method::Omp { .. } => "omp",
            Method::Threshold => "threshold",
            Method::L1Ball { .. } => "l1_ball",
            Method::Error { .. } => "error",
        }
    }

    /// Whether its codes minimise the lower-level problem `P` of [`crate::lower`].
    pub fn minimizes_the_lower_level(self) -> bool {
        matches!(self, Method::ActiveSet | Method::Homotopy | Method::CoordinateDescent)
    }

    /// Whether its parameters are in their ranges.
    ///
    /// # Errors
    /// Names the parameter, its value and the accepted range.
    pub fn check(self) -> Result<(), InvalidOption> {
        let bound = |name, value: f64| {
            let accepted = "a finite number that is not negative";
            InvalidOption::check(value >= 0.0 && value.is_finite(), name, value, accepted)
        };
        match self {
            Method::L1Ball { radius } => bound("radius", radius),
            Method::Error { error } => bound("error", error),
            Method::Omp { n_nonzero, error } => {
                let limited = n_nonzero.is_some() || error.is_some();
                InvalidOption::check(limited, "method", self.name(), "omp with n_nonzero, error or both")?;
                InvalidOption::check(n_nonzero != Some(0), "n_nonzero", 0, "a number of at least 1")?;
                error.map_or(Ok(()), |error| bound("error", error))
            }
            Method::ActiveSet | Method::Homotopy | Method::CoordinateDescent | Method::Threshold => Ok(()),
        }
    }

    /// Whether the method takes this lower level; `weighted`: with weights of the l1 norm other than 1.
    ///
    /// # Errors
    /// Names what the method does not take, and what it does.
    pub fn check_problem(self, lower: &LowerLevel, weighted: bool) -> Result<(), InvalidOption> {
        let any_loss = matches!(self, Method::ActiveSet | Method::CoordinateDescent);
        let accepted = "active_set or coordinate_descent for losses other than the squared one";
        InvalidOption::check(any_loss || lower.loss == Loss::Squared, "method", self.name(), accepted)?;
        match self {
            Method::Omp { .. } => {
                let accepted =
                    "false with omp: use active_set, homotopy or l1_ball for codes that are not negative";
                InvalidOption::check(!lower.non_negative, "non_negative", true, accepted)?;
                let accepted = "a method with an l1 norm where its weights are given: omp has none";
                InvalidOption::check(!weighted, "method", self.name(), accepted)
            }
            Method::Error { .. } => {
                let accepted = "none with the method error: set elastic_penalty and l2_regularization to 0";
                InvalidOption::check(lower.ridge() == 0.0, "ridge", lower.ridge(), accepted)
            }
            _ => Ok(()),
        }
    }

    /// Whether a dictionary can be learned through its codes: hypergradients differentiate the conditions of the lower level.
    ///
    /// # Errors
    /// Names the method and what is accepted.
    pub fn check_learning(self) -> Result<(), InvalidOption> {
        let accepted = "active_set, homotopy or coordinate_descent for learning, whose gradients are those of the lower \
                        level's minimisers: learn with one of these, then encode with another method";
        InvalidOption::check(self.minimizes_the_lower_level(), "method", self.name(), accepted)
    }
}
