//! Coordinate descent: one coefficient after the other, for every loss.
//!
//! With `g_j = d_j . phi'(r) - ridge c_j` and a curvature `h >= |d_j|^2 phi'' + ridge` on the way,
//! `c_j <- soft(h c_j + g_j, lambda w_j) / h`, which minimises `P` along the coordinate for the squared loss (`phi'' = 1`) and
//! never raises it else: Huber has `phi'' <= 1`, and for powers `h` doubles until the loss lies below its bound.
//! A round is a sweep over all atoms and nine over the support; it ends at the KKT violation of a fresh residual.
//! Convergence is linear, at a rate that falls with the coherence of the atoms. Cost a round `6 k d + 36 s d`.
//! Source: Friedman, Hastie, Hoefling, Tibshirani (2007); Wu, Lange (2008).

use crate::active_set::{CoderOptions, SampleOutcome};
use crate::loss::Loss;
use crate::lower::Problem;
use crate::optimality::{certify, unit};
use linalg::columns::{add_scaled, dot};

/// Sweeps over the support after one over all atoms.
const SUPPORT_SWEEPS: usize = 9;

/// A code on the way.
struct Descent<'a> {
    problem: &'a Problem,
    sample: &'a [f64],
    code: Vec<f64>,
    residual: Vec<f64>,
    slopes: Vec<f64>,
    trial: Vec<f64>,
}

/// The code of one sample as ascending pairs, from `start`.
pub(crate) fn descend(
    problem: &Problem,
    sample: &[f64],
    start: impl Iterator<Item = (usize, f64)>,
    options: CoderOptions,
) -> (Vec<(usize, f64)>, SampleOutcome) {
    let (d, k) = (problem.n_features(), problem.n_components());
    let [residual, slopes, trial] = [vec![0.0; d], vec![0.0; d], vec![0.0; d]];
    let mut descent = Descent { problem, sample, code: vec![0.0; k], residual, slopes, trial };
    let allowed = |c: f64| if problem.lower.non_negative { c.max(0.0) } else { c };
    start.for_each(|(j, c)| descent.code[j] = allowed(c));
    let lambda = problem.lower.regularization;
    let (unit, mut round) = (unit(problem, sample, lambda), 0);
    loop {
        let pairs = descent.refresh();
        let outcome = certify(problem, sample, &pairs, (lambda, unit), options.tolerance);
        if outcome.converged || outcome.violation.is_nan() || round == options.max_iterations {
            return (pairs, outcome);
        }
        (0..k).for_each(|j| descent.step(j));
        for _ in 0..SUPPORT_SWEEPS {
            (0..k)
                .filter(|&j| descent.code[j] != 0.0)
                .collect::<Vec<_>>()
                .into_iter()
                .for_each(|j| descent.step(j));
        }
        round += 1;
    }
}

impl Descent<'_> {
    /// The residual anew; the nonzeros of the code.
    fn refresh(&mut self) -> Vec<(usize, f64)> {
        let pairs = self.code.iter().copied().enumerate().filter(|&(_, c)| c != 0.0);
        let pairs: Vec<(usize, f64)> = pairs.collect();
        self.problem.residual(self.sample, pairs.iter().copied(), &mut self.residual);
        self.problem.lower.loss.slopes(&self.residual, &mut self.slopes);
        pairs
    }

    fn step(&mut self, j: usize) {
        let (problem, loss, ridge) = (self.problem, self.problem.lower.loss, self.problem.lower.ridge());
        let (atom, c) = (problem.atom(j), self.code[j]);
        let g = dot(atom, &self.slopes) - ridge * c;
        let mut h = self.curvature(atom) + ridge;
        if h == 0.0 {
            // A zero atom without a ridge: only the l1 norm speaks.
            self.code[j] = if problem.threshold(j) > 0.0 { 0.0 } else { c };
            return;
        }
        let before = if matches!(loss, Loss::Power { .. }) { loss.sum(&self.residual) } else { 0.0 };
        while h.is_finite() {
            let moved = h * c + g;
            let excess = problem.size(moved) - problem.threshold(j);
            let next = if excess > 0.0 { excess.copysign(moved) / h } else { 0.0 };
            let change = next - c;
            self.trial.copy_from_slice(&self.residual);
            add_scaled(&mut self.trial, -change, atom);
            let bounded = !matches!(loss, Loss::Power { .. }) || {
                let bound = before - (g + ridge * c) * change + 0.5 * (h - ridge) * change * change;
                loss.sum(&self.trial) <= bound + 4.0 * f64::EPSILON * before
            };
            if bounded {
                self.code[j] = next;
                if change != 0.0 {
                    std::mem::swap(&mut self.residual, &mut self.trial);
                    loss.slopes(&self.residual, &mut self.slopes);
                }
                return;
            }
            h *= 2.0;
        }
    }

    /// `|d_j|^2 max phi''`: the bound for the squared and Huber's loss, a first guess for powers.
    fn curvature(&self, atom: &[f64]) -> f64 {
        let (square, loss) = (dot(atom, atom), self.problem.lower.loss);
        match loss {
            Loss::Squared | Loss::Huber { .. } => square,
            Loss::Power { .. } => {
                square * self.residual.iter().map(|&r| loss.curvature(r)).fold(1e-300, f64::max)
            }
        }
    }
}
