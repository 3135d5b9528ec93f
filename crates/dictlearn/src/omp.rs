//! Orthogonal matching pursuit: atoms one by one, all coefficients anew after each.
//!
//! From `S` empty, `r = x`: the atom with the largest `|d_j . r| / |d_j|` joins `S`, and
//! `c_S = argmin 1/2 |x - D_S c_S|^2 + l2/2 |c_S|^2`, `r = x - D_S c_S`, until `S` has `n_nonzero` atoms, `|r|^2 <= error`, or
//! no atom is left that could lower `|r|` (all correlations are roundings of `|x|`, or the atoms depend on `S`). An atom
//! is never chosen twice. The correlation is what is compared, not the fall of `|r|` (which is order-recursive matching
//! pursuit); atoms need not have norm 1.
//!
//! With `A = D_S` over `sqrt(l2) I`, `A = Q R`: `c_S = R^-1 Q^T x`, at the end with a fresh factor of the sorted support.
//! Cost a step `2 k d + 8 s d`.
//! Source: Pati, Rezaiifar, Krishnaprasad (1993).

use crate::active_set::SampleOutcome;
use crate::lower::Problem;
use crate::optimality::largest_correlation;
use faer::{MatMut, MatRef};
use linalg::columns::{dot, norm};
use linalg::products::transpose_product;
use linalg::qr_update::UpdatableQr;

/// The limits of a pursuit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Largest number of atoms.
    pub n_nonzero: Option<usize>,
    /// Largest `|r|^2` at which to stop.
    pub error: Option<f64>,
}

/// One pursuit under way.
struct Pursuit<'a> {
    problem: &'a Problem,
    sample: &'a [f64],
    support: Vec<usize>,
    factor: UpdatableQr,
    /// `(x; 0) - Q Q^T (x; 0)`: the residual, and minus `sqrt(l2) c_S`.
    residual: Vec<f64>,
}

/// The code of one sample as ascending pairs. Its violation is that of least squares on the support,
/// `max_S |d_j . r - l2 c_j| / max_j |d_j . x|`, or where `error` alone is given and not reached, by how much `|r|`
/// exceeds its square root, relative to `|x|`, if that is larger.
pub(crate) fn pursue(
    problem: &Problem,
    sample: &[f64],
    limits: Limits,
    tolerance: f64,
) -> (Vec<(usize, f64)>, SampleOutcome) {
    let mut pursuit = Pursuit {
        problem,
        sample,
        support: Vec::new(),
        factor: UpdatableQr::default(),
        residual: Vec::new(),
    };
    pursuit.restart();
    let mut open = vec![true; problem.n_components()];
    let most = limits.n_nonzero.unwrap_or(usize::MAX);
    while pursuit.support.len() < most && !pursuit.reached(limits.error) {
        let Some(best) = pursuit.best(&open) else { break };
        open[best] = false;
        if pursuit.append(best) {
            pursuit.support.push(best);
            pursuit.refit();
        }
    }
    // With `n_nonzero` given a pursuit ends there, or earlier where no atom lowers the residual.
    let miss = if limits.n_nonzero.is_some() { 0.0 } else { pursuit.miss(limits.error) };
    let (code, violation) = pursuit.finish();
    let finite = (0..problem.n_components()).all(|j| problem.norm(j).is_finite());
    let violation = if finite { violation.max(miss) } else { f64::NAN };
    let converged = violation <= tolerance;
    // A greedy choice minimises nothing that a gap could be measured against.
    let duality_gap = f64::INFINITY;
    (code, SampleOutcome { converged, violation, duality_gap, undecided: 0, rank_deficient: false })
}

impl Pursuit<'_> {
    fn ridge(&self) -> f64 {
        self.problem.lower.l2_regularization
    }

    fn restart(&mut self) {
        self.factor.start(self.sample.len());
        self.residual = self.sample.to_vec();
    }

    fn reached(&self, error: Option<f64>) -> bool {
        let residual = &self.residual[..self.sample.len()];
        error.is_some_and(|error| dot(residual, residual) <= error)
    }

    /// By how much `|r|` exceeds `sqrt(error)`, relative to `|x|`.
    fn miss(&self, error: Option<f64>) -> f64 {
        let excess = norm(&self.residual[..self.sample.len()]) - error.unwrap_or(f64::INFINITY).sqrt();
        if excess > 0.0 { excess / norm(self.sample) } else { 0.0 }
    }

    /// The open atom with the largest correlation, if that is more than a rounding.
    fn best(&self, open: &[bool]) -> Option<usize> {
        let residual = &self.residual[..self.sample.len()];
        let mut correlations = vec![0.0; open.len()];
        let out = MatMut::from_column_major_slice_mut(&mut correlations, open.len(), 1);
        let vector = MatRef::from_column_major_slice(residual, residual.len(), 1);
        transpose_product(out, self.problem.dictionary(), vector);
        let mut best = None;
        let mut largest = 4.0 * f64::EPSILON * (self.sample.len() as f64).sqrt() * norm(self.sample);
        for j in (0..open.len()).filter(|&j| open[j] && self.problem.norm(j) > 0.0) {
            let size = correlations[j].abs() / self.problem.norm(j);
            if size > largest {
                (best, largest) = (Some(j), size);
            }
        }
        best
    }

    /// Adds the column of atom `j` to the factor; `false` where it depends on the others.
    fn append(&mut self, j: usize) -> bool {
        let mut column = self.problem.atom(j).to_vec();
        if self.ridge() > 0.0 {
            self.factor.add_row();
            column.resize(self.factor.rows(), 0.0);
            column[self.factor.rows() - 1] = self.ridge().sqrt();
        }
        self.factor.append(&column)
    }

    fn refit(&mut self) {
        self.residual.clear();
        self.residual.extend_from_slice(self.sample);
        self.residual.resize(self.factor.rows(), 0.0);
        let inside = self.factor.combine(&self.factor.project(&self.residual));
        self.residual.iter_mut().zip(inside).for_each(|(r, p)| *r -= p);
    }

    /// Coefficients from the sorted support, corrected once, and their violation.
    fn finish(mut self) -> (Vec<(usize, f64)>, f64) {
        self.support.sort_unstable();
        self.restart();
        for j in std::mem::take(&mut self.support) {
            if self.append(j) {
                self.support.push(j);
            }
        }
        let d = self.sample.len();
        let mut code: Vec<(usize, f64)> = self.support.iter().map(|&j| (j, 0.0)).collect();
        for _ in 0..2 {
            self.refresh(&code);
            let mut change = self.factor.project(&self.residual);
            self.factor.solve(&mut change);
            code.iter_mut().zip(change).for_each(|((_, c), p)| *c += p);
        }
        self.refresh(&code);
        let distance = |&(j, c): &(usize, f64)| {
            (dot(self.problem.atom(j), &self.residual[..d]) - self.ridge() * c).abs()
        };
        let worst = code.iter().map(distance).fold(0.0_f64, |m, v| if v.is_nan() { v } else { m.max(v) });
        code.retain(|&(_, c)| c != 0.0);
        (code, worst / largest_correlation(self.problem, self.sample))
    }

    /// The residual of a code on the support, with its rows of ridges.
    fn refresh(&mut self, code: &[(usize, f64)]) {
        let d = self.sample.len();
        self.residual.clear();
        self.residual.resize(self.factor.rows(), 0.0);
        self.problem.residual(self.sample, code.iter().copied(), &mut self.residual[..d]);
        let ridge = self.ridge().sqrt();
        self.residual[d..].iter_mut().zip(code).for_each(|(r, &(_, c))| *r = -ridge * c);
    }
}
