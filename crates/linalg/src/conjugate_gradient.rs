//! Conjugate gradient for `A x = b` with `A` symmetric positive definite, known only through products.
//!
//! | symbol | shape | meaning |
//! |---|---|---|
//! | `A` | n x n | symmetric positive definite operator, given as `out <- A direction` |
//! | `b`, `x` | n | right-hand side; start in, solution out |
//! | `r` | n | residual `b - A x` |
//! | `p` | n | search direction |
//!
//! ```text
//! r = b - A x,  p = r
//! repeat:  a = (r.r) / (p.A p);  x += a p;  r' = r - a A p;  p = r' + (r'.r')/(r.r) p;  r = r'
//! ```
//!
//! The recursive residual drifts away from `b - A x` by rounding. So when it meets the tolerance the true residual
//! is computed, and the recursion starts anew from it if it does not: the reported residual is always the true one.
//!
//! Cost: one product and about `10 n` flops per iteration, one more product per start; memory `3 n`.
//! Reference: Hestenes and Stiefel (1952).

use crate::columns::{add_scaled, dot, norm};

/// When to stop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CgOptions {
    /// Relative residual `|b - A x| / |b|` to reach; `>= 0`, default `1e-12`.
    pub tolerance: f64,
    /// Most products inside the recursion; default 1000.
    pub max_iterations: usize,
}

impl Default for CgOptions {
    fn default() -> Self {
        Self { tolerance: 1e-12, max_iterations: 1000 }
    }
}

/// Why conjugate gradient stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CgStatus {
    /// The true relative residual is at most the tolerance.
    Converged,
    /// The iterations ran out first.
    MaxIterations,
    /// Rounding holds the true residual above the tolerance: a new start did not halve it.
    Stagnated,
    /// A direction with `p.A p <= 0` (the operator is not positive definite) or a value that is not finite.
    Breakdown,
}

/// How conjugate gradient ended; the solution is in the caller's `x`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CgOutcome {
    /// Why it stopped.
    pub status: CgStatus,
    /// True relative residual `|b - A x| / |b|` (0 when `b = 0`).
    pub residual: f64,
    /// Iterations of the recursion, over all starts.
    pub iterations: usize,
}

/// Solves `A x = b` from the start `x`; `apply(direction, out)` writes `out <- A direction`.
///
/// `b = 0` sets `x = 0`. On a singular but consistent system started at 0 the solution of least norm is approached.
///
/// # Panics
/// When `rhs` and `x` differ in length.
#[track_caller]
pub fn conjugate_gradient(
    mut apply: impl FnMut(&[f64], &mut [f64]),
    rhs: &[f64],
    x: &mut [f64],
    options: CgOptions,
) -> CgOutcome {
    assert_eq!(rhs.len(), x.len(), "conjugate gradient: lengths of the right-hand side and of the start");
    let scale = norm(rhs);
    if scale == 0.0 {
        x.fill(0.0);
        return CgOutcome { status: CgStatus::Converged, residual: 0.0, iterations: 0 };
    }
    let mut work = Workspace::new(x.len());
    let mut iterations = 0;
    let mut previous = f64::INFINITY;
    let mut ending = None;
    loop {
        let residual = work.true_residual(&mut apply, rhs, x) / scale;
        let status = match ending {
            _ if residual <= options.tolerance => Some(CgStatus::Converged),
            _ if !residual.is_finite() => Some(CgStatus::Breakdown),
            Some(status) => Some(status),
            None if residual > 0.5 * previous => Some(CgStatus::Stagnated),
            None => None,
        };
        if let Some(status) = status {
            return CgOutcome { status, residual, iterations };
        }
        previous = residual;
        ending =
            work.recursion(&mut apply, x, options.tolerance * scale, options.max_iterations, &mut iterations);
    }
}

/// The three vectors of the recursion.
struct Workspace {
    residual: Vec<f64>,
    direction: Vec<f64>,
    product: Vec<f64>,
}

impl Workspace {
    fn new(n: usize) -> Self {
        Self { residual: vec![0.0; n], direction: vec![0.0; n], product: vec![0.0; n] }
    }

    /// Sets `r = b - A x` and returns its norm.
    fn true_residual(&mut self, apply: &mut impl FnMut(&[f64], &mut [f64]), rhs: &[f64], x: &[f64]) -> f64 {
        apply(x, &mut self.product);
        for (r, (b, ax)) in self.residual.iter_mut().zip(rhs.iter().zip(&self.product)) {
            *r = b - ax;
        }
        norm(&self.residual)
    }

    /// Iterates from the current residual until its norm is at most `target`: `None`, or why it had to end early.
    fn recursion(
        &mut self,
        apply: &mut impl FnMut(&[f64], &mut [f64]),
        x: &mut [f64],
        target: f64,
        max_iterations: usize,
        iterations: &mut usize,
    ) -> Option<CgStatus> {
        self.direction.copy_from_slice(&self.residual);
        let mut square = dot(&self.residual, &self.residual);
        while square.sqrt() > target {
            if *iterations >= max_iterations {
                return Some(CgStatus::MaxIterations);
            }
            apply(&self.direction, &mut self.product);
            let curvature = dot(&self.direction, &self.product);
            let length = square / curvature;
            if !(curvature > 0.0 && length.is_finite()) {
                return Some(CgStatus::Breakdown);
            }
            *iterations += 1;
            add_scaled(x, length, &self.direction);
            add_scaled(&mut self.residual, -length, &self.product);
            let next = dot(&self.residual, &self.residual);
            let ratio = next / square;
            for (p, r) in self.direction.iter_mut().zip(&self.residual) {
                *p = r + ratio * *p;
            }
            square = next;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `A = M^T M + I` for a dense row-major n x n `M`.
    fn shifted_gram(m: &[f64], n: usize) -> impl FnMut(&[f64], &mut [f64]) {
        move |direction, out| {
            out.copy_from_slice(direction);
            for row in m.chunks_exact(n) {
                add_scaled(out, dot(row, direction), row);
            }
        }
    }

    fn config() -> ProptestConfig {
        ProptestConfig {
            cases: 64,
            failure_persistence: None,
            rng_seed: proptest::test_runner::RngSeed::Fixed(11),
            ..ProptestConfig::default()
        }
    }

    proptest! {
        #![proptest_config(config())]

        /// The smallest eigenvalue of `A` is at least 1, so the error is at most the residual.
        #[test]
        fn recovers_a_planted_solution(
            m in prop::collection::vec(-1.0_f64..1.0, 36),
            planted in prop::collection::vec(-1.0_f64..1.0, 6),
            start in prop::collection::vec(-1.0_f64..1.0, 6),
        ) {
            let mut rhs = vec![0.0; 6];
            shifted_gram(&m, 6)(&planted, &mut rhs);
            let mut x = start;
            let outcome = conjugate_gradient(
                shifted_gram(&m, 6), &rhs, &mut x, CgOptions { tolerance: 1e-13, max_iterations: 100 });
            prop_assert_eq!(outcome.status, CgStatus::Converged);
            let scale = dot(&rhs, &rhs).sqrt();
            let error = x.iter().zip(&planted).map(|(x, p)| (x - p).powi(2)).sum::<f64>().sqrt();
            prop_assert!(error <= 1e-13 * scale + 1e-14, "{} {}", error, scale);
        }
    }

    #[test]
    fn ends_in_as_many_iterations_as_distinct_eigenvalues() {
        let apply = |d: &[f64], out: &mut [f64]| {
            for (i, (o, d)) in out.iter_mut().zip(d).enumerate() {
                *o = [1.0, 4.0, 9.0][i % 3] * d;
            }
        };
        let rhs = [1.0, -2.0, 3.0, 0.5, 0.25, -1.0];
        let mut x = [0.0; 6];
        let outcome =
            conjugate_gradient(apply, &rhs, &mut x, CgOptions { tolerance: 1e-14, max_iterations: 50 });
        assert_eq!((outcome.status, outcome.iterations), (CgStatus::Converged, 3));
    }

    #[test]
    fn says_so_when_iterations_run_out() {
        let apply = |d: &[f64], out: &mut [f64]| {
            for (i, (o, d)) in out.iter_mut().zip(d).enumerate() {
                *o = (i + 1) as f64 * d;
            }
        };
        let mut x = [0.0; 4];
        let outcome =
            conjugate_gradient(apply, &[1.0; 4], &mut x, CgOptions { tolerance: 1e-12, max_iterations: 2 });
        assert_eq!((outcome.status, outcome.iterations), (CgStatus::MaxIterations, 2));
        let residual =
            x.iter().enumerate().map(|(i, x)| (1.0 - (i + 1) as f64 * x).powi(2)).sum::<f64>().sqrt() / 2.0;
        assert!((outcome.residual - residual).abs() < 1e-15 && residual > 1e-3);
    }

    #[test]
    fn says_so_on_negative_curvature_and_on_values_that_are_not_finite() {
        let mut x = [0.0; 2];
        let negative = |d: &[f64], out: &mut [f64]| out.copy_from_slice(&[d[0], -d[1]]);
        let outcome = conjugate_gradient(negative, &[0.0, 1.0], &mut x, CgOptions::default());
        assert_eq!(outcome.status, CgStatus::Breakdown);
        let poisoned = |_: &[f64], out: &mut [f64]| out.fill(f64::NAN);
        let outcome = conjugate_gradient(poisoned, &[0.0, 1.0], &mut x, CgOptions::default());
        assert_eq!(outcome.status, CgStatus::Breakdown);
        let inconsistent = |d: &[f64], out: &mut [f64]| out.copy_from_slice(&[d[0], 0.0]);
        let outcome = conjugate_gradient(inconsistent, &[1.0, 1.0], &mut [0.0; 2], CgOptions::default());
        assert_eq!(outcome.status, CgStatus::Breakdown);
    }

    #[test]
    fn stagnates_rather_than_claim_what_rounding_forbids() {
        let m: Vec<f64> = (0..36).map(|i| (f64::from(i) * 0.7).sin() * 1e3).collect();
        let mut x = vec![0.0; 6];
        let rhs = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let outcome = conjugate_gradient(
            shifted_gram(&m, 6),
            &rhs,
            &mut x,
            CgOptions { tolerance: 0.0, max_iterations: 10_000 },
        );
        assert_eq!(outcome.status, CgStatus::Stagnated);
        assert!(outcome.residual > 0.0 && outcome.residual < 1e-6);
    }

    #[test]
    fn zero_right_hand_side_gives_zero() {
        let mut x = [3.0, 4.0];
        let outcome = conjugate_gradient(|_, _| unreachable!(), &[0.0, 0.0], &mut x, CgOptions::default());
        assert_eq!((outcome.residual, x), (0.0, [0.0, 0.0]));
    }
}
