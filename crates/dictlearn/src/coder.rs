//! Codes of all samples: the lower-level problems are independent given the dictionary.
//!
//! Threads take blocks of `BLOCK` samples from the pool of rayon in force; a code depends on its sample and the
//! dictionary alone, so results are the same bits for any number of threads. The squared loss is coded in blocks (module
//! `gram`) where `regularization > 0`, no weight is 0, nothing is missing, and there are at most 4096 atoms with norms over
//! their weights between 1e-6 and 1e6; everything else sample by sample: see [`crate::active_set`] for method
//! and cost. What either leaves unsolved under the squared or the Huber loss is tried by [`crate::homotopy`].
//! Other methods, and other problems than the lower level, are the options' [`Method`].

use crate::active_set::{CoderOptions, Fallback, SampleOutcome, Workspace};
use crate::certificate::Block;
use crate::codes::{Code, Codes};
use crate::error::Error;
use crate::gram::{self, BlockWorkspace, GramDictionary};
use crate::homotopy::Homotopy;
use crate::loss::Loss;
use crate::lower::Problem;
use crate::margins::{Margins, Warm};
use crate::method::Method;
use crate::methods;
use crate::samples::{Sample, Samples};
use rayon::prelude::*;
use std::ops::Range;

/// Samples per parallel block.
pub(crate) const BLOCK: usize = 16;

pub use crate::certificate::{Coded, CodingReport};

/// Solves every sample of `problem`, from `start` where given (one code a sample; the result is the same up to the
/// tolerance, sooner where the start is near). What is solved, and how: [`Method`].
///
/// # Errors
/// If the samples do not have the dictionary's number of features, the start not one code a sample, an entry is not
/// finite, an option is out of range, or the method does not take the problem. Not converging is no error: see
/// [`CodingReport::not_converged`].
pub fn encode<'a>(
    problem: &Problem,
    samples: impl Into<Samples<'a>>,
    start: Option<&Codes>,
    options: CoderOptions,
) -> Result<Coded, Error> {
    let samples = samples.into();
    problem.lower.check()?;
    options.check()?;
    options.method.check_problem(&problem.lower, problem.weights().is_some())?;
    Error::check_length("samples", "features", samples.n_features(), problem.n_features(), "the dictionary")?;
    if let Some(start) = start {
        Error::check_length("start", "codes", start.n_samples(), samples.n_samples(), "the samples")?;
        Error::check_length(
            "start",
            "atoms",
            start.n_components(),
            problem.n_components(),
            "the dictionary",
        )?;
        if let Some(index) = start.values().iter().position(|c| !c.is_finite()) {
            let row = start.indptr().partition_point(|&first| first <= index) - 1;
            let (column, value) = (start.indices()[index] as usize, start.values()[index]);
            return Err(Error::NotFinite { what: "start", row, column, value });
        }
    }
    samples.check()?;
    Ok(encode_checked(problem, samples, Warm { codes: start, ..Warm::default() }, options).0)
}

/// [`encode`] for inputs that were checked once; with the margins where `warm` asks for them and the block coder has them.
pub(crate) fn encode_checked(
    problem: &Problem,
    samples: Samples<'_>,
    warm: Warm<'_>,
    options: CoderOptions,
) -> (Coded, Margins) {
    let start = warm.codes;
    let n = samples.n_samples();
    let active_set = options.method == Method::ActiveSet;
    let screened = if active_set { screened(problem) } else { None };
    let k = problem.n_components();
    match screened {
        Some(dictionary) => in_blocks((n, k), gram::BLOCK, Default::default, |(workspace, spare), range| {
            let workspace: &mut BlockWorkspace = workspace;
            let block = workspace.encode(&dictionary, samples, warm, options, range.clone());
            methods::rescue(spare, problem, samples, options, range, block, |slot, code, outcome| {
                workspace.adopt(&dictionary, options, slot, code, outcome)
            })
        }),
        None if active_set => in_blocks((n, k), BLOCK, Default::default, |(workspace, spare), range| {
            let workspace: &mut Workspace = workspace;
            let block = one_by_one(problem, samples, start, range.clone(), |sample, start, codes| {
                let outcome = workspace.solve(problem, sample, start.iter(), options, Fallback::Homotopy);
                codes.push_iter(workspace.support().iter().map(|&j| (j, workspace.coefficient(j))));
                outcome
            });
            methods::rescue(spare, problem, samples, options, range, block, |_, _, _| {})
        }),
        None => in_blocks((n, k), BLOCK, Homotopy::default, |homotopy, range| {
            one_by_one(problem, samples, start, range, |sample, start, codes| {
                let (code, outcome) = methods::solve(homotopy, problem, sample, start, options);
                codes.push_iter(code.into_iter());
                outcome
            })
        }),
    }
}

/// The dictionary prepared for screening, where the loss is squared and there is an l1 norm to screen by.
fn screened(problem: &Problem) -> Option<GramDictionary<'_>> {
    let screens = problem.lower.loss == Loss::Squared && problem.lower.regularization > 0.0;
    screens.then(|| GramDictionary::new(problem)).flatten()
}

/// `code` on fixed blocks of the `n` samples (`k` atoms), in parallel, joined in their order.
fn in_blocks<W>(
    (n, k): (usize, usize),
    size: usize,
    workspace: impl Fn() -> W + Sync + Send,
    code: impl Fn(&mut W, Range<usize>) -> Block + Sync + Send,
) -> (Coded, Margins) {
    let blocks: Vec<_> = (0..n.div_ceil(size))
        .into_par_iter()
        .map_init(workspace, |workspace, block| {
            let block = code(workspace, block * size..n.min((block + 1) * size));
            (Coded { report: block.report(), codes: block.codes }, block.margins)
        })
        .collect();
    let codes = Codes::with_capacity(k, n, blocks.iter().map(|(block, _)| block.codes.nnz()).sum());
    let mut all = Coded { codes, report: CodingReport::default() };
    let mut all_margins = Margins::default();
    for (block, margins) in &blocks {
        all.append(block);
        all_margins.append(margins);
    }
    (all, all_margins)
}

/// The samples of `range`, each by `solve`, which appends its code.
fn one_by_one(
    problem: &Problem,
    samples: Samples<'_>,
    start: Option<&Codes>,
    range: Range<usize>,
    mut solve: impl FnMut(&Sample, Code<'_>, &mut Codes) -> SampleOutcome,
) -> Block {
    let mut codes = Codes::new(problem.n_components());
    let (mut outcomes, mut sample) = (Vec::with_capacity(range.len()), Sample::default());
    for i in range {
        samples.load(i, &mut sample);
        let start = start.map(|codes| codes.row(i)).unwrap_or(Code { support: &[], values: &[] });
        outcomes.push(solve(&sample, start, &mut codes));
    }
    Block { codes, outcomes, margins: Margins::default(), rescued: 0 }
}
