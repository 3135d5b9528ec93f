//! Codes of all samples: the lower-level problems are independent given the dictionary.
//!
//! Threads take blocks of `BLOCK` samples from the pool of rayon in force; a code depends on its sample and the
//! dictionary alone, so results are the same bits for any number of threads. Cost: see [`crate::active_set`], per sample.

use crate::active_set::{CoderOptions, SampleOutcome, Workspace};
use crate::codes::{Code, Codes};
use crate::error::Error;
use crate::lower::Problem;
use faer::MatRef;
use linalg::columns::column;
use rayon::prelude::*;

/// Samples per parallel block.
pub(crate) const BLOCK: usize = 16;

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
    /// Samples whose KKT violation is above the tolerance.
    pub not_converged: usize,
    /// Largest KKT violation relative to `regularization`; NaN if a problem is not finite.
    pub violation: f64,
    /// Samples at a kink, where the code is not differentiable (see [`crate::active_set::SampleOutcome::undecided`]).
    pub undecided: usize,
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
        }
    }
}

/// Solves every sample (columns of `samples`, `d x n`) of `problem`, from `start` where given (one code a sample; the
/// result is the same up to the tolerance, sooner where the start is near).
///
/// # Errors
/// If the samples do not have the dictionary's number of features, the start not one code a sample, an entry is not
/// finite, or an option is out of range. Not converging is no error: see [`CodingReport::not_converged`].
pub fn encode(
    problem: &Problem,
    samples: MatRef<'_, f64>,
    start: Option<&Codes>,
    options: CoderOptions,
) -> Result<Coded, Error> {
    problem.lower.check()?;
    options.check()?;
    Error::check_length("samples", "features", samples.nrows(), problem.n_features(), "the dictionary")?;
    if let Some(start) = start {
        Error::check_length("start", "codes", start.n_samples(), samples.ncols(), "the samples")?;
        Error::check_length(
            "start",
            "atoms",
            start.n_components(),
            problem.n_components(),
            "the dictionary",
        )?;
    }
    Error::check_finite("samples", samples)?;
    Ok(encode_checked(problem, samples, start, options))
}

/// [`encode`] for inputs that were checked once.
pub(crate) fn encode_checked(
    problem: &Problem,
    samples: MatRef<'_, f64>,
    start: Option<&Codes>,
    options: CoderOptions,
) -> Coded {
    let n = samples.ncols();
    let blocks: Vec<Coded> = (0..n.div_ceil(BLOCK))
        .into_par_iter()
        .map_init(Workspace::default, |workspace, block| {
            let range = block * BLOCK..n.min((block + 1) * BLOCK);
            encode_block(workspace, problem, samples, start, options, range)
        })
        .collect();
    let mut all = Coded { codes: Codes::new(problem.n_components()), report: CodingReport::default() };
    for block in blocks {
        all.codes.append(&block.codes);
        all.report = all.report.merge(block.report);
    }
    all
}

fn encode_block(
    workspace: &mut Workspace,
    problem: &Problem,
    samples: MatRef<'_, f64>,
    start: Option<&Codes>,
    options: CoderOptions,
    range: std::ops::Range<usize>,
) -> Coded {
    let mut codes = Codes::new(problem.n_components());
    let mut report = CodingReport::default();
    for i in range {
        let start = start.map(|codes| codes.row(i)).unwrap_or(Code { support: &[], values: &[] });
        report = report.merge(workspace.solve(problem, column(samples, i), start.iter(), options).into());
        codes.push_iter(workspace.support().iter().map(|&j| (j, workspace.coefficient(j))));
    }
    Coded { codes, report }
}
