//! How well codes solve their problems, for one sample or many.

use crate::active_set::SampleOutcome;
use crate::codes::Codes;
use crate::margins::Margins;

/// Codes with their certificate.
#[derive(Clone, Debug, PartialEq)]
pub struct Coded {
    /// One row a sample.
    pub codes: Codes,
    /// How well they solve their problems.
    pub report: CodingReport,
}

impl Coded {
    /// Appends the samples of `other`.
    pub(crate) fn append(&mut self, other: &Self) {
        self.codes.append(&other.codes);
        self.report = self.report.merge(other.report);
    }
}

/// Codes of a block of samples with the outcome of each.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub codes: Codes,
    pub outcomes: Vec<SampleOutcome>,
    /// Empty unless asked for.
    pub margins: Margins,
    /// See [`CodingReport::rescued`].
    pub rescued: usize,
}

impl Block {
    /// The report of all its samples.
    pub fn report(&self) -> CodingReport {
        let whole = CodingReport { rescued: self.rescued, ..CodingReport::default() };
        self.outcomes.iter().fold(whole, |report, outcome| report.merge((*outcome).into()))
    }
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
    /// Largest duality gap of a sample, relative to its objective at the code 0; infinite where there is no bound.
    pub duality_gap: f64,
    /// Atoms (and Huber residuals) that the certificates leave open, over all samples (see
    /// [`crate::active_set::SampleOutcome::undecided`]).
    pub undecided: usize,
    /// Samples whose support has a singular system.
    pub rank_deficient: usize,
    /// Samples that `active_set` left unsolved and homotopy solved (see [`crate::homotopy`]).
    pub rescued: usize,
}

impl CodingReport {
    /// The report of both sets of samples together.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        // Unlike `f64::max`, what is not a number stays.
        let largest = |a: f64, b: f64| if a.is_nan() || a > b { a } else { b };
        Self {
            n_samples: self.n_samples + other.n_samples,
            not_converged: self.not_converged + other.not_converged,
            violation: largest(self.violation, other.violation),
            duality_gap: largest(self.duality_gap, other.duality_gap),
            undecided: self.undecided + other.undecided,
            rank_deficient: self.rank_deficient + other.rank_deficient,
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
            duality_gap: outcome.duality_gap,
            undecided: outcome.undecided,
            rank_deficient: usize::from(outcome.rank_deficient),
            rescued: 0,
        }
    }
}
