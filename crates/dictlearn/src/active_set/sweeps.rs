//! The safeguard: majorised coordinate descent, which always decreases `P`.

use super::Workspace;
use crate::loss::Loss;
use crate::lower::Problem;

impl Workspace {
    /// Step 5: three sweeps of coordinate descent over the support and the violators.
    pub(super) fn sweeps(&mut self, problem: &Problem) {
        self.refresh(problem);
        let (code, gradient) = (&self.code, &self.gradient);
        let violates = |j: usize| problem.size(gradient[j]) > problem.threshold(j);
        let near: Vec<usize> = (0..code.len()).filter(|&j| code[j] != 0.0 || violates(j)).collect();
        for _ in 0..3 {
            near.iter().for_each(|&j| self.coordinate_step(problem, j));
        }
        self.collect_support();
        self.current = false;
    }

    /// `c_j <- soft(h c_j + g_j, lambda) / h` with `h >= |d_j|^2 max phi'' + ridge`, doubled until the loss is majorised.
    fn coordinate_step(&mut self, problem: &Problem, j: usize) {
        let (loss, ridge, atom) = (problem.lower.loss, problem.lower.ridge(), problem.padded_atom(j));
        let (c, mut products) = (self.code[j], [0.0; 2]);
        problem.correlate([j].as_slice(), &self.point.slopes, &mut products[..1]);
        problem.correlate([j].as_slice(), atom, &mut products[1..]);
        let g = products[0] - ridge * c;
        let steepest = match loss {
            Loss::Squared | Loss::Huber { .. } => 1.0,
            Loss::Power { .. } => self.point.curvatures.iter().copied().fold(1e-300, f64::max),
        };
        let mut h = products[1] * steepest + ridge;
        let before = self.point.fit;
        while h > 0.0 && h.is_finite() {
            let moved = h * c + g;
            let next = (problem.size(moved) - problem.threshold(j)).max(0.0).copysign(moved) / h;
            let change = next - c;
            self.trial.shift(problem, &self.point.residual, -1.0, &[j], &[change]);
            let bound = before - (g + ridge * c) * change + 0.5 * (h - ridge) * change * change;
            if self.trial.fit <= bound + 4.0 * f64::EPSILON * before.abs() {
                self.code[j] = next;
                std::mem::swap(&mut self.point, &mut self.trial);
                return;
            }
            h *= 2.0;
        }
    }
}
