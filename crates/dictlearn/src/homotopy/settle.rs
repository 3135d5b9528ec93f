//! Coefficients on a support: directions, corrections from a fresh residual, and the code anew at the end.

use super::{Homotopy, Quadratic, Stop};
use linalg::columns::dot;

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

    /// `c_S <- c_S + R^-1 (Q^T r - t y)` with a fresh residual, at the multiplier `t` that the end of the path asks for
    /// (linear in `t` for a radius, quadratic for an error); then the residual anew.
    pub(super) fn correct(&mut self, quadratic: &Quadratic<'_>, sample: &[f64], stop: Stop) {
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

    /// The code anew from its sorted support with a fresh factor: it does not depend on the way there. Atoms whose
    /// coefficient comes out with the wrong sign, which happens at kinks, leave.
    pub(super) fn settle(&mut self, quadratic: &Quadratic<'_>, sample: &[f64], stop: Stop) {
        loop {
            let mut pairs: Vec<(usize, f64)> =
                self.support.iter().copied().zip(self.signs.iter().copied()).collect();
            pairs.sort_unstable_by_key(|&(j, _)| j);
            // Free atoms first: of several that fit, those are kept that the path has kept.
            pairs.sort_by_key(|&(_, sign)| sign != 0.0);
            self.clear_support();
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
