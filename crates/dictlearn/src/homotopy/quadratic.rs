//! The problem along a path: the atoms, their weights, ridges and signs.
//!
//! Squared loss: those of the problem, the multiplier being lambda. Huber's loss is the same with `d` more atoms, the unit
//! vectors `e_t`, since `phi(r) = min_o 1/2 (r - o)^2 + delta |o|`: weights `lambda w_j` and `delta`, ridges `ridge` and
//! 0, the coefficients of `e_t` of either sign, solved at the multiplier 1.

use crate::loss::Loss;
use crate::lower::Problem;
use faer::{MatMut, MatRef};
use linalg::columns::add_scaled;
use linalg::products::transpose_product;

/// A view of a problem with the squared or Huber's loss.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quadratic<'a> {
    problem: &'a Problem,
    /// Weight of the outliers: `delta`.
    outliers: Option<f64>,
}

impl<'a> Quadratic<'a> {
    /// `None` for a loss that has no such view.
    pub(crate) fn of(problem: &'a Problem) -> Option<Self> {
        match problem.lower.loss {
            Loss::Squared => Some(Self { problem, outliers: None }),
            Loss::Huber { delta } => Some(Self { problem, outliers: Some(delta) }),
            Loss::Power { .. } => None,
        }
    }

    /// The multiplier at which the path solves the problem.
    pub(crate) fn target(&self) -> f64 {
        if self.outliers.is_some() { 1.0 } else { self.problem.lower.regularization }
    }

    pub(super) fn n_features(&self) -> usize {
        self.problem.n_features()
    }

    pub(super) fn n_atoms(&self) -> usize {
        let outliers = if self.outliers.is_some() { self.n_features() } else { 0 };
        self.problem.n_components() + outliers
    }

    fn is_outlier(&self, j: usize) -> bool {
        j >= self.problem.n_components()
    }

    pub(super) fn weight(&self, j: usize) -> f64 {
        match self.outliers {
            None => self.problem.weight(j),
            Some(delta) if self.is_outlier(j) => delta,
            Some(_) => self.problem.threshold(j),
        }
    }

    pub(super) fn ridge(&self, j: usize) -> f64 {
        if self.is_outlier(j) { 0.0 } else { self.problem.lower.ridge() }
    }

    /// Whether the coefficient may be negative.
    pub(super) fn is_signed(&self, j: usize) -> bool {
        self.is_outlier(j) || !self.problem.lower.non_negative
    }

    /// `|d_j|`.
    pub(super) fn norm(&self, j: usize) -> f64 {
        if self.is_outlier(j) { 1.0 } else { linalg::columns::norm(self.problem.atom(j)) }
    }

    /// Adds `factor d_j` to the first `d` entries.
    pub(super) fn add_atom(&self, vector: &mut [f64], factor: f64, j: usize) {
        if self.is_outlier(j) {
            vector[j - self.problem.n_components()] += factor;
        } else {
            add_scaled(&mut vector[..self.n_features()], factor, self.problem.atom(j));
        }
    }

    /// `d_j . vector` with the first `d` entries, for two vectors and all atoms: the dictionary is read once.
    pub(super) fn correlations(&self, vectors: [&[f64]; 2], out: [&mut [f64]; 2]) {
        let (d, k) = (self.n_features(), self.problem.n_components());
        let [first, second] = vectors.map(|vector| &vector[..d]);
        let [first_out, second_out] = out;
        for (vector, out) in [(first, &mut *first_out), (second, &mut *second_out)] {
            let out = MatMut::from_column_major_slice_mut(&mut out[..k], k, 1);
            let vector = MatRef::from_column_major_slice(vector, d, 1);
            transpose_product(out, self.problem.dictionary(), vector);
        }
        if self.outliers.is_some() {
            first_out[k..].copy_from_slice(first);
            second_out[k..].copy_from_slice(second);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Homotopy, Stop};
    use super::*;
    use crate::lower::LowerLevel;
    use crate::optimality::{certify, unit};

    /// The path of the `d + k` atoms ends at a solution of Huber's problem.
    fn check(delta: f64, lower: LowerLevel, weights: &[f64], seed: u64) -> usize {
        let (d, k) = (9, 14);
        let dictionary = testkit::unit_columns(d, k, seed);
        let dictionary = MatRef::from_column_major_slice(&dictionary, d, k);
        let lower = LowerLevel { loss: Loss::Huber { delta }, ..lower };
        let problem = Problem::new(lower, dictionary).with_weights(weights).expect("valid weights");
        let quadratic = Quadratic::of(&problem).expect("Huber's loss has a view");
        let (mut homotopy, sample) = (Homotopy::default(), testkit::normal_vector(d, seed + 50));
        let stop = Stop::Multiplier(quadratic.target());
        assert!(homotopy.run(&quadratic, &sample, stop, 500, &mut |_| {}));
        let code = homotopy.code(k);
        assert!(!lower.non_negative || code.iter().all(|&(_, c)| c > 0.0));
        let unit = unit(&problem, &sample, lower.regularization);
        let outcome = certify(&problem, &sample, &code, (lower.regularization, unit), 1e-12);
        assert!(outcome.converged, "delta {delta}, {lower:?}, {weights:?}: {:e}", outcome.violation);
        let (mut residual, k) = (vec![0.0; d], code.len());
        problem.residual(&sample, code.into_iter(), &mut residual);
        usize::from(k > 0 && residual.iter().any(|r| r.abs() > delta))
    }

    #[test]
    fn outliers_are_atoms_of_their_own() {
        let mut free = [1.0; 14];
        (free[2], free[11]) = (0.0, 0.0);
        let mut with_outliers = 0;
        for seed in 0..8 {
            for delta in [0.02, 0.2, 2.0] {
                for (regularization, elastic_penalty) in [(0.0, 0.0), (0.003, 0.0), (0.003, 0.5), (0.05, 0.1)]
                {
                    for non_negative in [false, true] {
                        let lower = LowerLevel {
                            elastic_penalty,
                            non_negative,
                            ..LowerLevel::new(Loss::Squared, regularization)
                        };
                        with_outliers += check(delta, lower, &[1.0; 14], seed);
                        with_outliers += check(delta, lower, &free, seed);
                    }
                }
            }
        }
        assert!(with_outliers > 100, "{with_outliers} codes next to outliers");
    }
}
