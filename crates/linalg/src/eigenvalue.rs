//! Largest eigenvalue of a symmetric operator by Lanczos iteration with full reorthogonalisation.
//!
//! `q_1` random, `w = A q_i - b_{i-1} q_{i-1}`, `a_i = q_i . w`, `w <- w - a_i q_i` (and against all earlier `q`),
//! `b_i = |w|`, `q_{i+1} = w / b_i`; the largest eigenvalue of the tridiagonal (a, b) approaches that of `A` from
//! below, and `b_i |s_i|` (last entry of its eigenvector) bounds the distance to the nearest eigenvalue.
//! Cost: one product and `2 i n` flops in iteration i; memory `i n`.
//! Source: Golub and Van Loan, Matrix Computations, 10.1; Parlett, The Symmetric Eigenvalue Problem.

use crate::columns::{add_scaled, dot, norm};
use faer::{Mat, Side};

/// When the iteration stops.
#[derive(Clone, Copy, Debug)]
pub struct LanczosOptions {
    /// Stop when the residual bound is at most this times the eigenvalue; default 1e-12.
    pub tolerance: f64,
    /// Largest number of products; default 200.
    pub max_iterations: usize,
}

impl Default for LanczosOptions {
    fn default() -> Self {
        Self { tolerance: 1e-12, max_iterations: 200 }
    }
}

/// The eigenvalue with its bound.
#[derive(Clone, Copy, Debug)]
pub struct LanczosOutcome {
    /// Estimate from below of the largest eigenvalue.
    pub value: f64,
    /// Some eigenvalue lies within this distance of `value`.
    pub residual: f64,
    /// Whether the tolerance was reached.
    pub converged: bool,
    /// Products done.
    pub iterations: usize,
}

/// Largest eigenvalue of the symmetric `n x n` operator `apply(x, out)`; 0 for `n = 0`.
pub fn largest_eigenvalue(
    n: usize,
    mut apply: impl FnMut(&[f64], &mut [f64]),
    options: LanczosOptions,
) -> LanczosOutcome {
    let mut basis = vec![start_vector(n)];
    let (mut diagonal, mut off_diagonal) = (Vec::new(), Vec::new());
    let mut best = LanczosOutcome { value: 0.0, residual: 0.0, converged: n == 0, iterations: 0 };
    let mut w = vec![0.0; n];
    while !best.converged && best.iterations < options.max_iterations {
        let q = basis.last().expect("the basis starts with one vector");
        apply(q, &mut w);
        diagonal.push(dot(q, &w));
        for _ in 0..2 {
            for q in &basis {
                let along = dot(q, &w);
                add_scaled(&mut w, -along, q);
            }
        }
        let length = norm(&w);
        best = ritz(&diagonal, &off_diagonal, length);
        let spent = diagonal.len() == n || length <= f64::EPSILON * best.value.abs();
        best.converged = spent || best.residual <= options.tolerance * best.value.abs();
        off_diagonal.push(length);
        basis.push(w.iter().map(|v| v / length).collect());
    }
    best
}

/// A fixed start with no structure that an operator is likely to share: fractional parts of the golden ratio.
fn start_vector(n: usize) -> Vec<f64> {
    let mut q: Vec<f64> = (1..=n).map(|i| (i as f64 * 0.618_033_988_749_894_9).fract() + 0.25).collect();
    let length = norm(&q);
    q.iter_mut().for_each(|v| *v /= length);
    q
}

/// Largest Ritz value of the tridiagonal matrix and its residual bound.
fn ritz(diagonal: &[f64], off_diagonal: &[f64], next: f64) -> LanczosOutcome {
    let m = diagonal.len();
    let t = Mat::from_fn(m, m, |i, j| match i.abs_diff(j) {
        0 => diagonal[i],
        1 => off_diagonal[i.min(j)],
        _ => 0.0,
    });
    match t.self_adjoint_eigen(Side::Lower) {
        Ok(eigen) => LanczosOutcome {
            value: eigen.S().column_vector()[m - 1],
            residual: next * eigen.U()[(m - 1, m - 1)].abs(),
            converged: false,
            iterations: m,
        },
        Err(_) => LanczosOutcome {
            value: diagonal[m - 1],
            residual: f64::INFINITY,
            converged: false,
            iterations: m,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use faer::MatRef;

    #[test]
    fn agrees_with_the_dense_decomposition() {
        for (d, k) in [(1, 1), (4, 4), (30, 20), (20, 60)] {
            let values = testkit::normal_matrix(d, k, 11);
            let g = crate::products::gram(MatRef::from_column_major_slice(&values, d, k));
            let dense = g.self_adjoint_eigenvalues(Side::Lower).expect("finite");
            let apply = |x: &[f64], out: &mut [f64]| {
                (0..k).for_each(|i| out[i] = (0..k).map(|j| g[(i, j)] * x[j]).sum());
            };
            let found = largest_eigenvalue(k, apply, LanczosOptions::default());
            assert!(found.converged);
            testkit::assert_close(found.value, dense[k - 1], 1e-11, 0.0);
        }
    }

    #[test]
    fn zero_operators_and_empty_ones_have_eigenvalue_zero() {
        let zero = largest_eigenvalue(5, |_, out| out.fill(0.0), LanczosOptions::default());
        assert!(zero.converged && zero.value == 0.0);
        assert!(largest_eigenvalue(0, |_, _| {}, LanczosOptions::default()).converged);
    }

    #[test]
    fn a_cap_on_products_is_a_status() {
        let values: Vec<f64> = (0..50).map(|i| 1.0 + f64::from(i) * 1e-4).collect();
        let apply = |x: &[f64], out: &mut [f64]| (0..50).for_each(|i| out[i] = values[i] * x[i]);
        let found = largest_eigenvalue(50, apply, LanczosOptions { max_iterations: 2, ..Default::default() });
        assert!(!found.converged && found.residual > 0.0 && found.iterations == 2);
    }
}
