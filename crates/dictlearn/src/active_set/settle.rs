//! A solution computed anew, so that codes do not depend on the way they were reached.
//!
//! Given support `S` (ascending), signs `s` and inliers `W` (0 or 1 for Huber, all 1 for the squared loss), the code solves
//! `H c_S = D_S^T (W x + (I - W) phi'(r)) - lambda w_S s` with `H = D_S^T W D_S + ridge I`: one factor, one Newton correction.
//! For powers the code is rounded to 24 bits and four Newton steps follow. Cost `s^3/3` a step, and `2 k d` once.

use super::Workspace;
use crate::loss::Loss;
use crate::lower::Problem;
use linalg::columns::dot;

impl Workspace {
    /// The solution anew from sorted support, signs and outliers; kept if it is one. Returns the violation.
    pub(super) fn settle(
        &mut self,
        problem: &Problem,
        sample: &[f64],
        violation: f64,
        tolerance: f64,
    ) -> f64 {
        if self.support.is_empty() {
            return violation;
        }
        let reached = self.code.clone();
        let smooth = problem.lower.is_smooth();
        if smooth {
            // Of many solutions the one of least norm, over all atoms wherever the solve began.
            self.support = (0..problem.n_components()).collect();
            self.signs = vec![1.0; problem.n_components()];
        }
        let steps = match problem.lower.loss {
            Loss::Squared | Loss::Huber { .. } => {
                self.solve_piece(problem, sample);
                1
            }
            Loss::Power { .. } => {
                self.round_code();
                4
            }
        };
        for _ in 0..steps {
            self.newton_correction(problem, sample);
        }
        self.refresh(problem, sample);
        let settled = self.violation(problem);
        let mut pairs = self.support.iter().zip(&self.signs);
        let same_signs = pairs.all(|(&j, s)| problem.is_free(j) || self.code[j] * s > 0.0);
        if same_signs && settled <= tolerance {
            self.collect_support();
            return settled;
        }
        self.code = reached;
        self.collect_support();
        self.refresh(problem, sample);
        violation
    }

    /// `H c_S = D_S^T (W x + (I - W) phi'(r)) - lambda s`: exact for losses that are quadratic in pieces.
    fn solve_piece(&mut self, problem: &Problem, sample: &[f64]) {
        let loss = problem.lower.loss;
        let entries = self.trial_residual.iter_mut().zip(sample);
        for ((entry, &x), &r) in entries.zip(&self.residual) {
            let inside = loss.curvature(r) > 0.0;
            *entry = if inside { x } else { loss.slope(r) };
        }
        self.direction.clear();
        for (&j, s) in self.support.iter().zip(&self.signs) {
            let slope = problem.threshold(j) * s;
            self.direction.push(dot(problem.atom(j), &self.trial_residual) - slope);
        }
        self.solve_hessian(problem);
        self.support.iter().zip(&self.direction).for_each(|(&j, &c)| self.code[j] = c);
    }

    /// Coefficients rounded to 24 bits below the largest: forgets the way they were reached.
    fn round_code(&mut self) {
        let largest = self.support.iter().map(|&j| self.code[j].abs()).fold(0.0, f64::max);
        let unit = largest.log2().ceil().exp2() * (-24.0_f64).exp2();
        for &j in &self.support {
            let rounded = (self.code[j] / unit).round() * unit;
            self.code[j] = if rounded == 0.0 { self.code[j] } else { rounded };
        }
    }

    /// One full Newton step on the support as it is.
    fn newton_correction(&mut self, problem: &Problem, sample: &[f64]) {
        self.refresh_residual(problem, sample);
        let ridge = problem.lower.ridge();
        self.direction.clear();
        for (&j, s) in self.support.iter().zip(&self.signs) {
            let g = dot(problem.atom(j), &self.slopes) - ridge * self.code[j];
            self.direction.push(g - problem.threshold(j) * s);
        }
        self.solve_hessian(problem);
        self.support.iter().zip(&self.direction).for_each(|(&j, p)| self.code[j] += p);
    }
}
