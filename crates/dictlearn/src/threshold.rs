//! Soft thresholding of the correlations: the cheapest code.
//!
//! `c_j = soft(d_j . x, lambda w_j) / (1 + ridge)`, `soft(v, t) = sign(v) (|v| - t)_+`, or `(v - t)_+` for codes that are not
//! negative. It minimises `1/2 |x - D c|^2 + lambda sum_j w_j |c_j| + ridge/2 |c|^2` if and only if the atoms in use are
//! orthonormal and the others do not correlate with what is left; in general it is no solution, and there is nothing to
//! certify. Cost `2 k d`.

use crate::active_set::SampleOutcome;
use crate::duality::KINK;
use crate::lower::Problem;

/// The code of one sample as ascending pairs; `undecided` counts correlations within `1e-9` of their threshold.
pub(crate) fn threshold(problem: &Problem, sample: &[f64]) -> (Vec<(usize, f64)>, SampleOutcome) {
    let mut correlations = vec![0.0; problem.n_components()];
    problem.correlations(sample, &mut correlations);
    let (mut code, mut undecided) = (Vec::new(), 0);
    for (j, &v) in correlations.iter().enumerate() {
        let excess = problem.size(v) - problem.threshold(j);
        undecided += usize::from(!problem.is_free(j) && excess.abs() < KINK * problem.threshold(j));
        if excess > 0.0 {
            code.push((j, excess.copysign(v) / (1.0 + problem.lower.ridge())));
        }
    }
    let finite = correlations.iter().all(|v| v.is_finite());
    let violation = if finite { 0.0 } else { f64::NAN };
    // A formula, not a minimiser.
    let duality_gap = f64::INFINITY;
    (code, SampleOutcome { converged: finite, violation, duality_gap, undecided, rank_deficient: false })
}
