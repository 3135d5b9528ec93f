//! The optimality conditions of one code, measured from a fresh residual.
//!
//! Conditions and KKT violation as in [`crate::lower`], at any multiplier `lambda` of the l1 norm. Cost `2 k d` and `2 s d`.

use crate::active_set::SampleOutcome;
use crate::duality::Evidence;
use crate::lower::{LowerLevel, Problem, extreme_exponent};

/// The outcome of a code (pairs of atom and coefficient, none of them 0) for the penalty
/// `multiplier sum_j w_j |c_j| + ridge/2 |c|^2`; violations are relative to `unit`.
pub(crate) fn certify(
    problem: &Problem,
    sample: &[f64],
    code: &[(usize, f64)],
    (multiplier, unit): (f64, f64),
    tolerance: f64,
) -> SampleOutcome {
    if let Some(exponent) = extreme_exponent(problem.lower.loss, sample) {
        return certify_scaled(problem, sample, code, (multiplier, unit), tolerance, exponent);
    }
    let loss = problem.lower.loss;
    let (mut residual, mut slopes) = (vec![0.0; sample.len()], vec![0.0; sample.len()]);
    problem.residual(sample, code.iter().copied(), &mut residual);
    loss.slopes(&residual, &mut slopes);
    let (k, ridge) = (problem.n_components(), problem.lower.ridge());
    let (mut gradient, mut dense) = (vec![0.0; k], vec![0.0; k]);
    problem.correlations(&slopes, &mut gradient);
    for &(j, c) in code {
        dense[j] = c;
        gradient[j] -= ridge * c;
    }
    let mut worst = 0.0_f64;
    for (j, (&c, &g)) in dense.iter().zip(&gradient).enumerate() {
        let threshold = multiplier * problem.weight(j);
        let distance = if c == 0.0 {
            (problem.size(g) - threshold).max(0.0)
        } else {
            (g - threshold * c.signum()).abs()
        };
        // Unlike `f64::max`, what is not a number stays.
        worst = if g.is_nan() || worst.is_nan() { f64::NAN } else { distance.max(worst) };
    }
    let lower = &LowerLevel {
        regularization: multiplier,
        elastic_penalty: 0.0,
        l2_regularization: ridge,
        ..problem.lower
    };
    let (fit, at_zero) = (loss.sum(&residual), loss.sum(sample));
    let evidence =
        Evidence { problem, lower, residual: &residual, fit, code: &dense, gradient: &gradient, unit };
    let (gap, undecided) = evidence.weigh();
    let violation = worst / unit;
    SampleOutcome {
        converged: violation <= tolerance,
        violation,
        duality_gap: gap.relative(at_zero),
        undecided,
        rank_deficient: false,
    }
}

/// [`certify`] of the sample divided by `2^exponent`.
fn certify_scaled(
    problem: &Problem,
    sample: &[f64],
    code: &[(usize, f64)],
    (multiplier, unit): (f64, f64),
    tolerance: f64,
    exponent: f64,
) -> SampleOutcome {
    let scale = exponent.exp2();
    let divided = |lambda: f64| {
        let lower = LowerLevel {
            regularization: lambda,
            elastic_penalty: 0.0,
            l2_regularization: problem.lower.ridge(),
            ..problem.lower
        };
        lower.divided(exponent)
    };
    let mut scaled = problem.clone();
    scaled.lower = divided(multiplier);
    let sample: Vec<f64> = sample.iter().map(|x| x / scale).collect();
    let code: Vec<(usize, f64)> = code.iter().map(|(j, c)| (*j, c / scale)).collect();
    let units = (scaled.lower.regularization, divided(unit).regularization);
    certify(&scaled, &sample, &code, units, tolerance)
}

/// The unit of violations at `multiplier`: that, or the largest correlation where it is 0.
pub(crate) fn unit(problem: &Problem, sample: &[f64], multiplier: f64) -> f64 {
    if multiplier > 0.0 { multiplier } else { largest_correlation(problem, sample) }
}

/// `max_j |d_j . phi'(x)|`, 1 where that is 0: the unit of violations where lambda is 0.
pub(crate) fn largest_correlation(problem: &Problem, sample: &[f64]) -> f64 {
    let (mut slopes, mut gradient) = (vec![0.0; sample.len()], vec![0.0; problem.n_components()]);
    problem.lower.loss.slopes(sample, &mut slopes);
    problem.correlations(&slopes, &mut gradient);
    let largest = gradient.iter().fold(0.0_f64, |m, g| m.max(g.abs()));
    if largest > 0.0 { largest } else { 1.0 }
}
