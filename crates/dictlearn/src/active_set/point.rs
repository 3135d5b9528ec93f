//! A residual with the slopes and curvatures of the loss.

use crate::lower::Problem;

/// What the loss needs at a code; vectors over the features, padded to whole chunks.
#[derive(Default)]
pub(super) struct Point {
    /// `r = x - D c`.
    pub residual: Vec<f64>,
    /// `phi'(r)`.
    pub slopes: Vec<f64>,
    /// `phi''(r)`.
    pub curvatures: Vec<f64>,
    /// `sum_t phi(r_t)`.
    pub fit: f64,
}

impl Point {
    /// The point of a padded sample and a code, given by support and coefficients. Cost `2 s d`.
    pub fn move_to(&mut self, problem: &Problem, sample: &[f64], support: &[usize], coefficients: &[f64]) {
        self.shift(problem, sample, -1.0, support, coefficients);
    }

    /// The point of the residual `residual + factor D_S coefficients`.
    pub fn shift(
        &mut self,
        problem: &Problem,
        residual: &[f64],
        factor: f64,
        support: &[usize],
        coefficients: &[f64],
    ) {
        self.residual.clear();
        self.residual.extend_from_slice(residual);
        self.slopes.resize(residual.len(), 0.0);
        self.curvatures.resize(residual.len(), 0.0);
        problem.combine(factor, support, coefficients, &mut self.residual);
        let (loss, isa) = (problem.lower.loss, problem.isa());
        self.fit = loss.terms(isa, &self.residual, &mut self.slopes, &mut self.curvatures);
    }
}
