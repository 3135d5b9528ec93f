//! The code of one sample by any method but the active set, and homotopy where the active set did not arrive.

use crate::active_set::{CoderOptions, Fallback, SampleOutcome, Workspace, has_path};
use crate::certificate::Block;
use crate::codes::{Code, Codes};
use crate::coordinate_descent::descend;
use crate::homotopy::{Homotopy, Quadratic, Stop};
use crate::lower::Problem;
use crate::method::Method;
use crate::omp::{Limits, pursue};
use crate::optimality::{certify, largest_correlation, unit};
use crate::samples::{Sample, Samples};
use crate::threshold::threshold;
use linalg::columns::{dot, norm};
use std::ops::Range;

/// A code as ascending pairs of atom and coefficient, with its certificate.
pub(crate) type Solved = (Vec<(usize, f64)>, SampleOutcome);

/// One sample by `options.method`, on its observed features.
pub(crate) fn solve(
    homotopy: &mut Homotopy,
    problem: &Problem,
    sample: &Sample,
    start: Code<'_>,
    options: CoderOptions,
) -> Solved {
    if sample.missing.is_empty() {
        solve_complete(homotopy, problem, &sample.values, start, options)
    } else {
        let observed = problem.observed(sample);
        solve_complete(homotopy, &observed, &sample.observed(&sample.values), start, options)
    }
}

fn solve_complete(
    homotopy: &mut Homotopy,
    problem: &Problem,
    sample: &[f64],
    start: Code<'_>,
    options: CoderOptions,
) -> Solved {
    match options.method {
        Method::CoordinateDescent => descend(problem, sample, start.iter(), options),
        Method::Omp { n_nonzero, error } => {
            pursue(problem, sample, Limits { n_nonzero, error }, options.tolerance)
        }
        Method::Threshold => threshold(problem, sample),
        Method::L1Ball { radius } => follow(homotopy, problem, sample, Stop::Radius(radius), options),
        Method::Error { error } => follow(homotopy, problem, sample, Stop::Error(error), options),
        Method::ActiveSet => unreachable!("the active set has blocks of its own"),
        Method::Homotopy => {
            let stop = Stop::Multiplier(problem.lower.regularization);
            follow(homotopy, problem, sample, stop, options)
        }
    }
}

/// Smallest multiplier of a constraint, relative to the largest correlation of the sample, that is a unit of violations.
const SMALLEST_UNIT: f64 = 1e-5;

/// The end of the path. With a constraint, its own violation counts as well.
fn follow(
    homotopy: &mut Homotopy,
    problem: &Problem,
    sample: &[f64],
    stop: Stop,
    options: CoderOptions,
) -> Solved {
    let quadratic = Quadratic::of(problem).expect("the loss was checked");
    homotopy.run(&quadratic, sample, stop, options.max_iterations, &mut |_| {});
    let code = homotopy.code(problem.n_components());
    let (multiplier, unit) = match stop {
        Stop::Multiplier(target) => (target, unit(problem, sample, target)),
        // Where the constraint hardly binds, its multiplier is a rounding of the correlations.
        Stop::Radius(_) | Stop::Error(_) => {
            let (multiplier, largest) = (homotopy.multiplier(), largest_correlation(problem, sample));
            (multiplier, if multiplier < SMALLEST_UNIT * largest { largest } else { multiplier })
        }
    };
    let mut outcome = certify(problem, sample, &code, (multiplier, unit), options.tolerance);
    let constraint = constraint_violation(problem, sample, &code, stop, multiplier);
    if constraint > outcome.violation {
        outcome.violation = constraint;
    }
    outcome.converged = outcome.violation <= options.tolerance;
    (code, outcome)
}

/// By how much a code misses `sum_j w_j |c_j| <= radius`, relative to the radius, or `|r| <= sqrt(error)`, relative to
/// `|x|`; `=` in place of `<=` where the code is neither 0 nor unconstrained.
fn constraint_violation(
    problem: &Problem,
    sample: &[f64],
    code: &[(usize, f64)],
    stop: Stop,
    multiplier: f64,
) -> f64 {
    let (excess, unit) = match stop {
        Stop::Multiplier(_) => return 0.0,
        Stop::Radius(radius) => {
            let l1: f64 = code.iter().map(|&(j, c)| problem.weight(j) * c.abs()).sum();
            (l1 - radius, radius)
        }
        Stop::Error(error) => {
            let mut residual = vec![0.0; sample.len()];
            problem.residual(sample, code.iter().copied(), &mut residual);
            (dot(&residual, &residual).sqrt() - error.sqrt(), norm(sample))
        }
    };
    let weighted = code.iter().any(|&(j, _)| problem.weight(j) > 0.0);
    let miss = if multiplier > 0.0 && weighted { excess.abs() } else { excess.max(0.0) };
    if miss == 0.0 { 0.0 } else { miss / unit }
}

/// A block of the active set with the samples it left unsolved tried by homotopy, from whose code the active set goes on;
/// kept where it is better. Where there is a path ([`has_path`]). Cost: a path for each of them, and a solve.
pub(crate) fn rescue(
    (homotopy, workspace): &mut (Homotopy, Workspace),
    problem: &Problem,
    samples: Samples<'_>,
    options: CoderOptions,
    range: Range<usize>,
    mut block: Block,
    mut adopt: impl FnMut(usize, &mut Vec<(usize, f64)>, &mut SampleOutcome),
) -> Block {
    if !has_path(problem) || block.outcomes.iter().all(|outcome| outcome.converged) {
        return block;
    }
    let (mut codes, mut sample) = (Codes::new(problem.n_components()), Sample::default());
    for (row, i) in range.enumerate() {
        let outcome = &mut block.outcomes[row];
        let found = if outcome.converged || outcome.violation.is_nan() {
            None
        } else {
            samples.load(i, &mut sample);
            if sample.missing.is_empty() {
                rescue_sample(homotopy, workspace, problem, &sample.values, outcome.violation, options)
            } else {
                let (problem, values) = (problem.observed(&sample), sample.observed(&sample.values));
                rescue_sample(homotopy, workspace, &problem, &values, outcome.violation, options)
            }
        };
        match found {
            Some((mut code, mut better)) => {
                if sample.missing.is_empty() {
                    adopt(row, &mut code, &mut better);
                }
                *outcome = better;
                block.rescued += usize::from(better.converged);
                codes.push_iter(code.into_iter());
            }
            None => codes.push(block.codes.row(row)),
        }
    }
    Block { codes, ..block }
}

/// A better code than one of the violation `reached`, if homotopy leads to it: also a path that was cut short ends at a
/// start for the active set.
fn rescue_sample(
    homotopy: &mut Homotopy,
    workspace: &mut Workspace,
    problem: &Problem,
    sample: &[f64],
    reached: f64,
    options: CoderOptions,
) -> Option<Solved> {
    let quadratic = Quadratic::of(problem).expect("checked for the block");
    let stop = Stop::Multiplier(quadratic.target());
    homotopy.run(&quadratic, sample, stop, options.max_iterations, &mut |_| {});
    let found = homotopy.code(problem.n_components());
    let whole = Sample { values: sample.to_vec(), missing: Vec::new() };
    let outcome = workspace.solve(problem, &whole, found.iter().copied(), options, Fallback::None);
    if !outcome.converged {
        // The end of the path, measured from a residual of its own, may be within the tolerance already.
        let lambda = problem.lower.regularization;
        let units = (lambda, unit(problem, sample, lambda));
        let end = certify(problem, sample, &found, units, options.tolerance);
        if end.violation < outcome.violation.min(reached) {
            return Some((found, end));
        }
    }
    let code = || workspace.support().iter().map(|&j| (j, workspace.coefficient(j))).collect();
    (outcome.converged || outcome.violation < reached).then(|| (code(), outcome))
}
