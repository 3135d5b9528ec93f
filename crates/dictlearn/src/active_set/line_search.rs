//! Step lengths along a Newton direction: projected with Armijo's rule, or exact.

use super::Workspace;
use super::exact_line::{Event, first_root, push_residual};
use crate::loss::Loss;
use crate::lower::Problem;

/// Lengths `1, 1/2, ..` of a projected step that are tried before the safeguard.
const HALVINGS: i32 = 40;
/// The same where an exact line search comes next.
const HALVINGS_BEFORE_EXACT: i32 = 8;

impl Workspace {
    /// Step 4: moves the code; `false` (code unchanged) where no step length decreases the objective.
    pub(super) fn line_search(&mut self, problem: &Problem) -> bool {
        self.coefficients.clear();
        self.coefficients.extend(self.support.iter().map(|&j| self.code[j]));
        let objective = self.point.fit + self.penalty(problem);
        let exact = !matches!(problem.lower.loss, Loss::Power { .. });
        let halvings = if exact { HALVINGS_BEFORE_EXACT } else { HALVINGS };
        let moved = (exact && self.flat && self.exact_step(problem))
            || (0..halvings).any(|h| self.projected_step(problem, objective, f64::from(-h).exp2()))
            || (exact && self.exact_step(problem));
        let code = &self.code;
        self.support.retain(|&j| code[j] != 0.0);
        self.signs.clear();
        self.signs.extend(self.support.iter().map(|&j| code[j].signum()));
        moved
    }

    /// `c <- c + t p`, coordinates that left their orthant at zero, if that decreases the objective enough.
    fn projected_step(&mut self, problem: &Problem, before: f64, t: f64) -> bool {
        self.coefficients.clear();
        let mut expected = 0.0;
        for (a, &j) in self.support.iter().enumerate() {
            let moved = self.code[j] + t * self.direction[a];
            let inside = problem.is_free(j) || moved * self.signs[a] > 0.0;
            let kept = if inside { moved } else { 0.0 };
            expected += (self.gradient[j] - problem.threshold(j) * self.signs[a]) * (kept - self.code[j]);
            self.coefficients.push(kept);
        }
        self.trial.move_to(problem, &self.sample, &self.support, &self.coefficients);
        let after = self.trial.fit + self.penalty(problem);
        let accepted =
            expected > 0.0 && after - before <= -1e-4 * expected + 4.0 * f64::EPSILON * before.abs();
        if accepted {
            let pairs = self.support.iter().zip(&self.coefficients);
            pairs.for_each(|(&j, &c)| self.code[j] = c);
            std::mem::swap(&mut self.point, &mut self.trial);
        }
        accepted
    }

    /// `c <- c + t p` with the `t > 0` that minimises `P` over the allowed codes, for losses that are quadratic in pieces; a
    /// coefficient that stops at zero is exactly zero.
    fn exact_step(&mut self, problem: &Problem) -> bool {
        let ridge = problem.lower.ridge();
        self.movement.clear();
        self.movement.resize(problem.rows(), 0.0);
        problem.combine(1.0, &self.support, &self.direction, &mut self.movement);
        let (mut slope, mut curvature) = (0.0, 0.0);
        self.events.clear();
        for (a, &j) in self.support.iter().enumerate() {
            let (c, p) = (self.code[j], self.direction[a]);
            slope -= p * (self.gradient[j] - problem.threshold(j) * self.signs[a]);
            curvature += ridge * p * p;
            if !problem.is_free(j) && c * p < 0.0 {
                // Codes may not become negative: the slope beyond that is infinite.
                let jump = if problem.lower.non_negative {
                    f64::INFINITY
                } else {
                    2.0 * problem.threshold(j) * p.abs()
                };
                self.events.push(Event::jump(-c / p, jump));
            }
        }
        for (&r, &q) in self.point.residual.iter().zip(&self.movement) {
            curvature += push_residual(problem.lower.loss, r, q, &mut self.events);
        }
        let Some(t) = first_root(slope, curvature, &mut self.events) else {
            return false;
        };
        for (a, &j) in self.support.iter().enumerate() {
            let (c, p) = (self.code[j], self.direction[a]);
            let stops = !problem.is_free(j) && c * p < 0.0 && -c / p == t;
            self.code[j] = if stops { 0.0 } else { c + t * p };
        }
        self.current = false;
        true
    }

    /// What `P` adds to the loss for the coefficients at hand.
    pub(super) fn penalty(&self, problem: &Problem) -> f64 {
        let ridge = problem.lower.ridge();
        let pairs = self.support.iter().zip(&self.coefficients);
        pairs.map(|(&j, c)| problem.threshold(j) * c.abs() + 0.5 * ridge * c * c).sum()
    }
}
