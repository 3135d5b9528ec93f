//! A solution computed anew, so that codes do not depend on the way they were reached.
//!
//! Given support `S` (ascending), signs `s` and inliers `W` (0 or 1 for Huber, all 1 for the squared loss), the code solves
//! `H c_S = D_S^T (W x + (I - W) phi'(r)) - lambda w_S s` with `H = D_S^T W D_S + ridge I`: one solve, one Newton correction.
//! For powers the code is rounded to 24 bits; Newton steps follow with the factor of the first, or a fresh one where they
//! do not shrink fast, until they are below rounding: two ways that end on different roundings differ by rounding. Cost `s^3/3 + s^2 d` at most once (for Huber the last round has left
//! its factor), and `2 k d` once.

use super::Workspace;
use crate::loss::Loss;
use crate::lower::Problem;

/// Most Newton steps from a rounded code.
const STEPS: usize = 6;
/// Size of a Newton step relative to the code that is rounding.
const ROUNDING: f64 = 4.0 * f64::EPSILON;
/// A step that is smaller than the one before by less than this wants a fresh factor.
const SHRINKS: f64 = 1e-3;

impl Workspace {
    /// The solution anew from sorted support, signs and outliers; kept if it is one. Returns the violation.
    pub(super) fn settle(&mut self, problem: &Problem, violation: f64, tolerance: f64) -> f64 {
        if self.support.is_empty() {
            return violation;
        }
        self.reached.clear();
        self.reached.extend(self.support.iter().map(|&j| (j, self.code[j])));
        if problem.lower.is_smooth() {
            // Of many solutions the one of least norm, over all atoms wherever the solve began.
            self.support = (0..problem.n_components()).collect();
            self.signs = vec![1.0; problem.n_components()];
        }
        match problem.lower.loss {
            Loss::Squared | Loss::Huber { .. } => {
                self.solve_piece(problem);
                self.newton_correction(problem, true);
            }
            Loss::Power { .. } => self.newton_from_rounded(problem),
        }
        self.refresh(problem);
        let settled = self.violation(problem);
        let mut pairs = self.support.iter().zip(&self.signs);
        let same_signs = pairs.all(|(&j, s)| problem.is_free(j) || self.code[j] * s > 0.0);
        if same_signs && settled <= tolerance {
            self.collect_support();
            return settled;
        }
        let reached = std::mem::take(&mut self.reached);
        let violation = self.return_to(problem, &reached);
        self.reached = reached;
        violation
    }

    /// `H c_S = D_S^T (W x + (I - W) phi'(r)) - lambda s`: exact for losses that are quadratic in pieces.
    fn solve_piece(&mut self, problem: &Problem) {
        self.movement.clear();
        let entries = self.sample.iter().zip(&self.point.slopes).zip(&self.point.curvatures);
        self.movement.extend(entries.map(|((x, slope), w)| if *w > 0.0 { *x } else { *slope }));
        self.direction.resize(self.support.len(), 0.0);
        problem.correlate(self.support.as_slice(), &self.movement, &mut self.direction);
        for ((p, &j), s) in self.direction.iter_mut().zip(&self.support).zip(&self.signs) {
            *p -= problem.threshold(j) * s;
        }
        self.solve_hessian(problem);
        self.support.iter().zip(&self.direction).for_each(|(&j, &c)| self.code[j] = c);
        self.current = false;
    }

    /// Newton steps from the code rounded to 24 bits, until they are below rounding.
    fn newton_from_rounded(&mut self, problem: &Problem) {
        let largest = self.round_code();
        let (mut fresh, mut before) = (true, f64::INFINITY);
        for _ in 0..STEPS {
            self.newton_correction(problem, fresh);
            let size = self.direction.iter().fold(0.0_f64, |m, p| m.max(p.abs()));
            if size <= ROUNDING * largest {
                return;
            }
            fresh = before.is_finite() && size > SHRINKS * before;
            before = size;
        }
    }

    /// Coefficients rounded to 24 bits below the largest: forgets the way they were reached. Returns the largest.
    fn round_code(&mut self) -> f64 {
        let largest = self.support.iter().map(|&j| self.code[j].abs()).fold(0.0, f64::max);
        let unit = largest.log2().ceil().exp2() * (-24.0_f64).exp2();
        for &j in &self.support {
            let rounded = (self.code[j] / unit).round() * unit;
            self.code[j] = if rounded == 0.0 { self.code[j] } else { rounded };
        }
        self.current = false;
        largest
    }

    /// One full Newton step on the support as it is, with a fresh factor or an earlier one.
    fn newton_correction(&mut self, problem: &Problem, fresh: bool) {
        self.refresh_point(problem);
        let ridge = problem.lower.ridge();
        self.direction.resize(self.support.len(), 0.0);
        problem.correlate(self.support.as_slice(), &self.point.slopes, &mut self.direction);
        for ((p, &j), s) in self.direction.iter_mut().zip(&self.support).zip(&self.signs) {
            *p -= ridge * self.code[j] + problem.threshold(j) * s;
        }
        if fresh {
            self.solve_hessian(problem);
        } else {
            self.solve_earlier_hessian(problem);
        }
        self.support.iter().zip(&self.direction).for_each(|(&j, p)| self.code[j] += p);
        self.current = false;
    }
}
