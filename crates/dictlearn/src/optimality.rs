//! The optimality conditions of one code, measured from a fresh residual.
//!
//! Conditions and KKT violation as in [`crate::lower`], at any multiplier `lambda` of the l1 norm. Cost `2 k d` and `2 s d`.

use crate::active_set::{KINK, SampleOutcome};
use crate::loss::Loss;
use crate::lower::Problem;

/// The outcome of a code (pairs of atom and coefficient, none of them 0) for the penalty
/// `multiplier sum_j w_j |c_j| + ridge/2 |c|^2`.
pub(crate) fn certify(
    problem: &Problem,
    sample: &[f64],
    code: &[(usize, f64)],
    multiplier: f64,
    tolerance: f64,
) -> SampleOutcome {
    let (loss, ridge) = (problem.lower.loss, problem.lower.ridge());
    let (mut residual, mut slopes) = (vec![0.0; sample.len()], vec![0.0; sample.len()]);
    problem.residual(sample, code.iter().copied(), &mut residual);
    loss.slopes(&residual, &mut slopes);
    let mut gradient = vec![0.0; problem.n_components()];
    problem.correlations(&slopes, &mut gradient);
    let unit = if multiplier > 0.0 { multiplier } else { largest_correlation(problem, sample) };
    let (mut worst, mut undecided, mut used) = (0.0_f64, 0, code.iter().peekable());
    for (j, &v) in gradient.iter().enumerate() {
        let threshold = multiplier * problem.weight(j);
        let distance = match used.next_if(|(i, _)| *i == j) {
            Some(&(_, c)) => (v - ridge * c - threshold * c.signum()).abs(),
            None => {
                let free = threshold == 0.0 && !problem.lower.non_negative;
                let near =
                    threshold - problem.size(v) < KINK * if threshold > 0.0 { threshold } else { unit };
                undecided += usize::from(near && !free);
                (problem.size(v) - threshold).max(0.0)
            }
        };
        worst = if v.is_nan() { f64::NAN } else { distance.max(worst) };
        if worst.is_nan() {
            break;
        }
    }
    if let Loss::Huber { delta } = loss {
        undecided += residual.iter().filter(|r| (r.abs() - delta).abs() < KINK * delta).count();
    }
    let violation = worst / unit;
    SampleOutcome { converged: violation <= tolerance, violation, undecided }
}

/// `max_j |d_j . phi'(x)|`, 1 where that is 0: the unit of violations where lambda is 0.
pub(crate) fn largest_correlation(problem: &Problem, sample: &[f64]) -> f64 {
    let (mut slopes, mut gradient) = (vec![0.0; sample.len()], vec![0.0; problem.n_components()]);
    problem.lower.loss.slopes(sample, &mut slopes);
    problem.correlations(&slopes, &mut gradient);
    let largest = gradient.iter().fold(0.0_f64, |m, g| m.max(g.abs()));
    if largest > 0.0 { largest } else { 1.0 }
}
