//! Newton directions of supports larger than the number of features, which only a ridge makes possible.
//!
//! `H = A^T A + ridge I` (`s x s`) with `A = diag(phi''(r))^(1/2) D_S` (`d x s`), and by Woodbury's identity
//! `H^-1 b = (b - A^T (A A^T + ridge I)^-1 A b) / ridge`: a system of `d` unknowns instead of `s`. Cost `s d^2` against
//! `s^2 d + s^3/3`. The difference in brackets loses digits, an error of about `eps tr(A A^T) / ridge` relative to the
//! step: later Newton steps win them back, unless the ridge is below the rounding of the atoms.

use crate::lower::Problem;
use linalg::columns::{add_scaled, dot};
use linalg::spd::{RANK_TOLERANCE, SpdFactor, SpdStatus};

/// The system of `d` unknowns, and scratch.
#[derive(Default)]
pub(super) struct Wide {
    factor: SpdFactor,
    roots: Vec<f64>,
    atom: Vec<f64>,
    image: Vec<f64>,
}

impl Wide {
    /// Whether the support is better solved here.
    pub fn serves(problem: &Problem, support: &[usize]) -> bool {
        problem.lower.ridge() > 0.0 && support.len() > problem.n_features()
    }

    /// `rhs <- H^-1 rhs`; `false`, and nothing done, where the ridge vanishes beside the atoms: that leaves the system
    /// without a solution, or, where there is neither a kink nor a bound, a solution of least norm that keeps its digits.
    pub fn solve(
        &mut self,
        problem: &Problem,
        support: &[usize],
        curvatures: &[f64],
        rhs: &mut [f64],
    ) -> bool {
        let (d, ridge) = (problem.n_features(), problem.lower.ridge());
        self.factor.use_isa(problem.isa());
        self.roots.clear();
        self.roots.extend(curvatures[..d].iter().map(|w| w.sqrt()));
        self.image.clear();
        self.image.resize(d, 0.0);
        let matrix = self.factor.start(d);
        matrix.fill(0.0);
        (0..d).for_each(|t| matrix[t * d + t] = ridge);
        for (&j, b) in support.iter().zip(rhs.iter()) {
            weigh(&mut self.atom, problem.atom(j), &self.roots);
            add_scaled(&mut self.image, *b, &self.atom);
            for (t, a) in self.atom.iter().enumerate() {
                add_scaled(&mut matrix[t * d + t..(t + 1) * d], *a, &self.atom[t..]);
            }
        }
        let trace: f64 = (0..d).map(|t| matrix[t * d + t]).sum();
        let lost = problem.lower.is_smooth() && ridge < RANK_TOLERANCE * trace;
        if lost || !matches!(self.factor.factor(), SpdStatus::Definite { .. }) {
            return false;
        }
        self.factor.solve(&mut self.image);
        for (&j, b) in support.iter().zip(rhs.iter_mut()) {
            weigh(&mut self.atom, problem.atom(j), &self.roots);
            *b = (*b - dot(&self.atom, &self.image)) / ridge;
        }
        true
    }
}

/// `out = diag(roots) atom`.
fn weigh(out: &mut Vec<f64>, atom: &[f64], roots: &[f64]) {
    out.clear();
    out.extend(atom.iter().zip(roots).map(|(a, root)| a * root));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::Loss;
    use crate::lower::LowerLevel;
    use faer::MatRef;

    #[test]
    fn solutions_are_those_of_the_large_system() {
        let (d, k) = (5, 12);
        let atoms = testkit::unit_columns(d, k, 8);
        let lower =
            LowerLevel { l2_regularization: 0.2, ..LowerLevel::new(Loss::Power { exponent: 2.5 }, 0.1) };
        let problem = Problem::new(lower, MatRef::from_column_major_slice(&atoms, d, k));
        let residual = testkit::normal_vector(d, 9);
        let curvatures: Vec<f64> = residual.iter().map(|&r| lower.loss.curvature(r)).collect();
        let support: Vec<usize> = (0..k).filter(|j| *j != 3).collect();
        assert!(Wide::serves(&problem, &support) && !Wide::serves(&problem, &support[..d]));
        let rhs = testkit::normal_vector(support.len(), 10);
        let (mut found, mut expected) = (rhs.clone(), rhs);
        assert!(Wide::default().solve(&problem, &support, &curvatures, &mut found));
        let mut factor = SpdFactor::default();
        problem.hessian(&support, &residual, &[], factor.start(support.len()));
        assert!(matches!(factor.factor(), SpdStatus::Definite { .. }));
        factor.solve(&mut expected);
        assert!(testkit::max_abs_diff(&found, &expected) < 1e-12);
    }
}
