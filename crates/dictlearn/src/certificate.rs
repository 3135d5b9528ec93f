//! How well codes solve their problems, for one sample or many.

use crate::active_set::SampleOutcome;
use crate::codes::Codes;

/// Codes with their certificate.
#[derive(Clone, Debug, PartialEq)]
pub struct Coded {
    /// One row a sample.
    pub codes: Codes,
    /// How well they solve their problems.
    pub report: CodingReport,
}

/// How well a set of codes solves its problems.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CodingReport {
    /// Number of samples coded.
    pub n_samples: usize,
    /// Samples whose violation is above the tolerance.
    pub not_converged: usize,
    /// Largest KKT violation relative to `regularization` (other methods: see [`crate::method`]); NaN if a problem is not finite.
    pub violation: f64,
    /// Samples at a kink, where the code is not differentiable (see [`crate::active_set::SampleOutcome::undecided`]).
    pub undecided: usize,
    /// Samples that `active_set` left unsolved and homotopy solved (see [`crate::homotopy`]).
    pub rescued: usize,
}

impl CodingReport {
    /// The report of both sets of samples together.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let nan = self.violation.is_nan() || other.violation.is_nan();
        Self {
            n_samples: self.n_samples + other.n_samples,
            not_converged: self.not_converged + other.not_converged,
            violation: if nan { f64::NAN } else { self.violation.max(other.violation) },
            undecided: self.undecided + other.undecided,
            rescued: self.rescued + other.rescued,
        }
    }
}

impl From<SampleOutcome> for CodingReport {
    fn from(outcome: SampleOutcome) -> Self {
        Self {
            n_samples: 1,
            not_converged: usize::from(!outcome.converged),
            violation: outcome.violation,
            undecided: usize::from(outcome.undecided > 0),
            rescued: 0,
        }
    }
}
