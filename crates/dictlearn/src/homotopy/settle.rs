//! Coefficients on a support: directions, corrections from a fresh residual, and the code anew at the end.

use super::{Homotopy, Place, Quadratic, Stop};
use linalg::columns::{dot, norm};

impl Homotopy {
    /// Heights, direction and movement of the support.
    pub(super) fn redirect(&mut self) {
        self.heights.clear();
        let pairs = self.support.iter().zip(&self.signs);
        // Signs of free atoms are 0, whatever their weight.
        self.heights.extend(pairs.map(|(&j, s)| if *s == 0.0 { 0.0 } else { self.weights[j] * s }));
        self.factor.solve_transposed(&mut self.heights);
        self.direction.clone_from(&self.heights);
        self.factor.solve(&mut self.direction);
        self.movement = self.factor.combine(&self.heights);
    }

    /// `c_S + R^-1 (Q^T r - t y)` with a fresh residual, as far towards it as no sign changes, and only where the conditions
    /// on the support are off by more than roundings: along nearly dependent atoms a rounding of `g` is a large change
    /// of the code, which means nothing.
    pub(super) fn keep_on_path(&mut self, quadratic: &Quadratic<'_>, sample: &[f64]) {
        self.refresh_residual(quadratic, sample);
        let mut change = self.factor.project(&self.residual);
        change.iter_mut().zip(&self.heights).for_each(|(z, y)| *z -= self.multiplier * y);
        if self.factor.largest_correlation(&change) <= 8.0 * f64::EPSILON * norm(sample) {
            return;
        }
        self.factor.solve(&mut change);
        let mut share = 1.0_f64;
        for ((c, p), sign) in self.values.iter().zip(&change).zip(&self.signs) {
            if (c + p) * sign < 0.0 {
                share = share.min((c * sign).max(0.0) / -(p * sign));
            }
        }
        self.values.iter_mut().zip(&change).for_each(|(c, p)| *c += share * p);
        self.refresh_residual(quadratic, sample);
    }

    /// `c_S <- c_S + R^-1 (Q^T r - t y)` with a fresh residual, at the multiplier `t` that the end of the path asks for
    /// (linear in `t` for a radius, quadratic for an error); then the residual anew.
    fn correct(&mut self, quadratic: &Quadratic<'_>, sample: &[f64], stop: Stop) {
        self.refresh_residual(quadratic, sample);
        let mut along = self.factor.project(&self.residual);
        let rate = dot(&self.heights, &self.heights);
        let t = match stop {
            Stop::Multiplier(t) => t,
            Stop::Radius(radius) => (self.l1_norm() + dot(&self.heights, &along) - radius) / rate,
            Stop::Error(error) => {
                let inside = self.factor.combine(&along);
                let outside = self.residual.iter().zip(&inside).map(|(r, p)| (r - p) * (r - p));
                ((error - outside.sum::<f64>()).max(0.0) / rate).sqrt()
            }
        };
        self.multiplier = t.max(0.0);
        along.iter_mut().zip(&self.heights).for_each(|(z, y)| *z -= self.multiplier * y);
        self.factor.solve(&mut along);
        self.values.iter_mut().zip(&along).for_each(|(c, p)| *c += p);
        self.refresh_residual(quadratic, sample);
    }

    /// The residual with its rows of ridges, `-sqrt(ridge_j) c_j`.
    fn refresh_residual(&mut self, quadratic: &Quadratic<'_>, sample: &[f64]) {
        self.residual.clear();
        self.residual.extend_from_slice(sample);
        self.residual.resize(self.factor.rows(), 0.0);
        for (position, &j) in self.support.iter().enumerate() {
            let c = self.values[position];
            quadratic.add_atom(&mut self.residual, -c, j);
            if quadratic.ridge(j) > 0.0 {
                self.residual[sample.len() + self.slots[position]] = -quadratic.ridge(j).sqrt() * c;
            }
        }
    }

    /// `g` and its rates from the residual.
    pub(super) fn refresh(&mut self, quadratic: &Quadratic<'_>) {
        let vectors = [self.residual.as_slice(), self.movement.as_slice()];
        quadratic.correlations(vectors, [&mut self.gradient, &mut self.rates]);
    }

    /// The code anew from its sorted support with a fresh factor, so that it does not depend on the way there; kept if it
    /// is no worse than the end of the path by more than roundings.
    pub(super) fn settle(&mut self, quadratic: &Quadratic<'_>, sample: &[f64], stop: Stop) {
        let reached = (self.support.clone(), self.signs.clone(), self.values.clone(), self.multiplier);
        let before = self.violation(quadratic);
        self.solve_anew(quadratic, sample, stop);
        let settled = self.violation(quadratic);
        if settled <= before.max(1e-14 * norm(sample)) {
            return;
        }
        self.clear_support();
        (self.support, self.signs, self.values, self.multiplier) = reached;
    }

    /// Largest distance from the optimality conditions, each atom's relative to its norm.
    fn violation(&mut self, quadratic: &Quadratic<'_>) -> f64 {
        self.refresh(quadratic);
        let mut worst = 0.0_f64;
        for (j, &g) in self.gradient.iter().enumerate() {
            let size = if quadratic.is_signed(j) { g.abs() } else { g };
            let excess = size - self.multiplier * self.weights[j];
            if self.places[j] != Place::Used && excess > 0.0 {
                worst = worst.max(excess / quadratic.norm(j));
            }
        }
        let mut inside = self.factor.project(&self.residual);
        inside.iter_mut().zip(&self.heights).for_each(|(z, y)| *z -= self.multiplier * y);
        worst.max(self.factor.largest_correlation(&inside))
    }

    /// Atoms whose coefficient comes out with the wrong sign, which happens at kinks, leave.
    fn solve_anew(&mut self, quadratic: &Quadratic<'_>, sample: &[f64], stop: Stop) {
        loop {
            let mut pairs: Vec<(usize, f64)> =
                self.support.iter().copied().zip(self.signs.iter().copied()).collect();
            pairs.sort_unstable_by_key(|&(j, _)| j);
            self.clear_support();
            self.places.fill(Place::Open);
            for (j, sign) in pairs {
                self.join(quadratic, j, sign);
            }
            self.redirect();
            self.correct(quadratic, sample, stop);
            self.correct(quadratic, sample, stop);
            let wrong = |a: &usize| self.signs[*a] != 0.0 && self.values[*a] * self.signs[*a] <= 0.0;
            let leaving: Vec<usize> = (0..self.support.len()).filter(wrong).collect();
            if leaving.is_empty() {
                return;
            }
            for position in leaving.into_iter().rev() {
                self.support.remove(position);
                self.signs.remove(position);
            }
        }
    }
}
