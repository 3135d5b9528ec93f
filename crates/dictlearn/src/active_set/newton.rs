//! Newton directions on the support: `H p = g_S - lambda w_S s`, `H = D_S^T diag(phi''(r)) D_S + ridge I`.
//!
//! `H` and its factor are kept: for the same support and curvatures (always so for the squared loss, for Huber while no
//! residual crosses delta) they are used again, and newcomers that leave take their rows and columns out of `H`.

use super::Workspace;
use super::wide::Wide;
use crate::lower::Problem;
use linalg::simd::Isa;
use linalg::spd::{SpdFactor, SpdStatus, minimum_norm_solve};

/// Most newcomers of a round, and of the first: later as many as there are members.
const NEWCOMERS: usize = 16;
const FIRST_NEWCOMERS: usize = 6;

/// `H` with its factor, and what they were made from.
#[derive(Default)]
pub(super) struct System {
    factor: SpdFactor,
    support: Vec<usize>,
    curvatures: Vec<f64>,
    weighted: Vec<f64>,
    formed: bool,
    status: Option<SpdStatus>,
}

impl System {
    /// Nothing is kept from the problem before.
    pub fn forget(&mut self, isa: Isa) {
        self.formed = false;
        self.factor.use_isa(isa);
    }

    /// Forms and factors `H`, where that was not done already; whether it is definite.
    fn prepare(&mut self, problem: &Problem, support: &[usize], curvatures: &[f64]) -> bool {
        if !(self.formed && self.support == support && self.curvatures == curvatures) {
            self.support.clear();
            self.support.extend_from_slice(support);
            self.curvatures.clear();
            self.curvatures.extend_from_slice(curvatures);
            let matrix = self.factor.start(support.len());
            problem.weighted_hessian(support, curvatures, &mut self.weighted, matrix);
            (self.formed, self.status) = (true, None);
        }
        let factor = &mut self.factor;
        matches!(self.status.get_or_insert_with(|| factor.factor()), SpdStatus::Definite { .. })
    }

    /// Leaves only these rows and columns of `H`.
    fn keep(&mut self, kept: &[usize]) {
        if self.formed {
            self.factor.keep(kept);
            for (to, &from) in kept.iter().enumerate() {
                self.support[to] = self.support[from];
            }
            self.support.truncate(kept.len());
            self.status = None;
        }
    }

    /// `rhs <- (H + shift I)^-1 rhs` with the smallest shift that makes it definite, 1e-10 of the largest entry at least.
    fn solve_shifted(&mut self, rhs: &mut [f64]) {
        let (s, hessian) = (rhs.len(), self.factor.matrix().to_vec());
        self.formed = false;
        let largest = (0..s).map(|a| hessian[a * s + a]).fold(0.0, f64::max);
        let mut shift = if largest > 0.0 { 1e-10 * largest } else { 1.0 };
        loop {
            let matrix = self.factor.start(s);
            matrix.copy_from_slice(&hessian);
            (0..s).for_each(|a| matrix[a * s + a] += shift);
            if matches!(self.factor.factor(), SpdStatus::Definite { .. }) || shift > largest.max(1.0) {
                break;
            }
            shift *= 10.0;
        }
        self.factor.solve(rhs);
    }
}

impl Workspace {
    /// Step 2: the support, ascending, with the worst violators and their signs.
    pub(super) fn admit_violators(&mut self, problem: &Problem) {
        let members = self.support.len();
        let most = members.clamp(FIRST_NEWCOMERS, NEWCOMERS);
        // Without a ridge a support ends at the number of features; with one it may have all atoms.
        let room = if problem.lower.ridge() > 0.0 {
            most.max(members / 2)
        } else {
            (problem.n_features() * 9 / 10).saturating_sub(members).clamp(1, most)
        };
        // Without branches: who violates is hard to predict.
        self.newcomers.resize(self.excess.len(), (0.0, 0));
        let mut found = 0;
        for (j, &excess) in self.excess.iter().enumerate() {
            self.newcomers[found] = (excess, j);
            found += usize::from(excess > 0.0);
        }
        self.newcomers.truncate(found);
        // A free atom has no orthant to leave again: all of them join at once.
        if problem.has_free() {
            let free = self.newcomers.extract_if(.., |(_, j)| problem.is_free(*j));
            self.support.extend(free.map(|(_, j)| j));
        }
        if self.newcomers.len() > room {
            let order = |a: &(f64, usize), b: &(f64, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
            self.newcomers.select_nth_unstable_by(room - 1, order);
            self.newcomers.truncate(room);
        }
        self.support.extend(self.newcomers.iter().map(|(_, j)| j));
        self.support.sort_unstable();
        self.signs.clear();
        for &j in &self.support {
            let c = self.code[j];
            self.signs.push(if c == 0.0 { self.gradient[j].signum() } else { c.signum() });
        }
    }

    /// Step 3, into `direction`; newcomers that would leave their orthant are taken out of the support.
    pub(super) fn newton_direction(&mut self, problem: &Problem) {
        loop {
            self.direction.clear();
            let pairs = self.support.iter().zip(&self.signs);
            self.direction.extend(pairs.map(|(&j, s)| self.gradient[j] - problem.threshold(j) * s));
            self.solve_hessian(problem);
            self.kept.clear();
            for (a, &j) in self.support.iter().enumerate() {
                let out = self.direction[a] * self.signs[a] <= 0.0;
                if !(out && self.code[j] == 0.0 && !problem.is_free(j)) {
                    self.kept.push(a);
                }
            }
            if self.kept.len() == self.support.len() {
                return;
            }
            self.system.keep(&self.kept);
            for (to, &from) in self.kept.iter().enumerate() {
                self.support[to] = self.support[from];
                self.signs[to] = self.signs[from];
            }
            self.support.truncate(self.kept.len());
            self.signs.truncate(self.kept.len());
        }
    }

    /// `direction <- H^-1 direction` on the support. A deficient `H` gets a relative shift of 1e-10 (still a descent
    /// direction); where all atoms are free the solution of least norm is taken instead, if there is one.
    pub(super) fn solve_hessian(&mut self, problem: &Problem) {
        if Wide::serves(problem, &self.support) {
            self.system.formed = false;
            if self.wide.solve(problem, &self.support, &self.point.curvatures, &mut self.direction) {
                self.flat = false;
                return;
            }
        }
        self.flat = !self.system.prepare(problem, &self.support, &self.point.curvatures);
        if !self.flat {
            self.system.factor.solve(&mut self.direction);
            return;
        }
        let hessian = self.system.factor.matrix();
        let least_norm =
            problem.lower.is_smooth().then(|| minimum_norm_solve(hessian, &self.direction)).flatten();
        match least_norm {
            Some((solution, _)) if solves(hessian, &solution, &self.direction) => {
                self.direction = solution;
            }
            _ => self.system.solve_shifted(&mut self.direction),
        }
    }

    /// [`Workspace::solve_hessian`] with the factor of an earlier point on the same support, where it is definite.
    pub(super) fn solve_earlier_hessian(&mut self, problem: &Problem) {
        let definite = matches!(self.system.status, Some(SpdStatus::Definite { .. }));
        if self.system.formed && definite && self.system.support == self.support {
            self.system.factor.solve(&mut self.direction);
        } else {
            self.solve_hessian(problem);
        }
    }
}

/// Whether `H solution = rhs` to 1e-8 of the largest entry (lower triangle of `H`, column-major).
fn solves(hessian: &[f64], solution: &[f64], rhs: &[f64]) -> bool {
    let s = rhs.len();
    let mut rest = rhs.to_vec();
    for b in 0..s {
        rest[b] -= hessian[b * s + b] * solution[b];
        for a in b + 1..s {
            rest[a] -= hessian[b * s + a] * solution[b];
            rest[b] -= hessian[b * s + a] * solution[a];
        }
    }
    let largest = |v: &[f64]| v.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    largest(&rest) <= 1e-8 * largest(rhs)
}
