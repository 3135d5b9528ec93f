//! The lower-level problem of one sample, and what all samples share.
//!
//! `P(c) = sum_t phi(r_t) + regularization (sum_j w_j |c_j| + elastic_penalty/2 |c|^2) + l2_regularization/2 |c|^2`,
//! `r = x - D c`, with `x` the sample (`d`), `D` the dictionary (`d x k`, atoms are columns), `c` the code (`k`) and `w`
//! the weights of the l1 norm (`k`, all 1 unless given). With `non_negative` only codes `c >= 0` are allowed. Where a
//! sample has missing features, `t` runs over its observed ones. Write `lambda = regularization`,
//! `ridge = regularization elastic_penalty + l2_regularization`, `v = D^T phi'(r)` and `g = v - ridge c`: minus the
//! gradient of the smooth part. `c` is optimal if and only if `g_j = lambda w_j sign(c_j)` on the support and
//! `|g_j| <= lambda w_j` off it (`g_j <= lambda w_j` for non-negative codes); the **KKT violation** is the largest
//! distance from that. It is measured relative to lambda (where lambda is 0: relative to `max_j |D^T phi'(x)|_j`).

mod gram;
mod products;

use crate::codes::Code;
use crate::error::{Error, InvalidOption};
use crate::loss::Loss;
use crate::samples::Sample;
use faer::MatRef;
pub(crate) use gram::fill_gram;
use linalg::columns::{column, dot, norm};
use linalg::simd::{Isa, padded};
pub(crate) use products::All;
use products::{Combine, Correlate, Index, WeightedGram};
use std::sync::OnceLock;

/// Loss and penalty of the lower level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LowerLevel {
    /// The loss `phi` of a residual entry.
    pub loss: Loss,
    /// Weight `lambda` of the l1 norm, in the unit of (slope of the loss) x (norm of an atom); not negative.
    pub regularization: f64,
    /// Ridge relative to `regularization` (the ridge is `regularization * elastic_penalty / 2 |c|^2`); not negative.
    pub elastic_penalty: f64,
    /// Absolute ridge `l2_regularization / 2 |c|^2`; not negative.
    pub l2_regularization: f64,
    /// Whether codes are restricted to `c >= 0`.
    pub non_negative: bool,
}

impl LowerLevel {
    /// `sum_t phi(r_t) + regularization |c|_1`: no ridge, codes of either sign.
    pub fn new(loss: Loss, regularization: f64) -> Self {
        Self { loss, regularization, elastic_penalty: 0.0, l2_regularization: 0.0, non_negative: false }
    }

    /// Weight of `|c|^2 / 2`: `regularization elastic_penalty + l2_regularization`.
    pub fn ridge(&self) -> f64 {
        self.regularization * self.elastic_penalty + self.l2_regularization
    }

    /// The lower level of a sample divided by `s = 2^exponent`, whose codes are those of the sample divided by `s`: all but
    /// a factor of the objective.
    pub(crate) fn divided(&self, exponent: f64) -> Self {
        let (loss, power) = match self.loss {
            Loss::Huber { delta } => (Loss::Huber { delta: delta / exponent.exp2() }, 2.0),
            Loss::Power { exponent } => (self.loss, exponent),
            Loss::Squared => (self.loss, 2.0),
        };
        Self {
            loss,
            regularization: times_power_of_two(self.regularization, -exponent, power - 1.0),
            elastic_penalty: 0.0,
            l2_regularization: times_power_of_two(self.ridge(), -exponent, power - 2.0),
            non_negative: self.non_negative,
        }
    }

    /// Whether the objective has neither kinks nor bounds: then every atom is used, and of many codes the smallest is meant.
    pub fn is_smooth(&self) -> bool {
        self.regularization == 0.0 && !self.non_negative
    }

    /// Whether every parameter is in its range.
    ///
    /// # Errors
    /// Names the parameter, its value and the accepted range.
    pub fn check(&self) -> Result<(), InvalidOption> {
        let accepted = "a finite number that is not negative";
        let options = [
            ("regularization", self.regularization),
            ("elastic_penalty", self.elastic_penalty),
            ("l2_regularization", self.l2_regularization),
        ];
        for (name, value) in options {
            InvalidOption::check(value >= 0.0 && value.is_finite(), name, value, accepted)?;
        }
        self.loss.check()
    }
}

/// Largest `log2` of a loss, above 0 or below, that is computed as it is.
const LARGEST_EXPONENT: f64 = 200.0;

/// The `exponent` by which a sample should be divided (by `2^exponent`), if its loss would leave the range of numbers.
pub(crate) fn extreme_exponent(loss: Loss, sample: &[f64]) -> Option<f64> {
    let largest = sample.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    let exponent = if largest > 0.0 { largest.log2().ceil().clamp(-1000.0, 1000.0) } else { 0.0 };
    let power = if let Loss::Power { exponent } = loss { exponent } else { 2.0 };
    ((exponent * power).abs() > LARGEST_EXPONENT).then_some(exponent)
}

/// `value 2^(exponent factor)` for a whole `exponent`, also where the power alone is out of range: its whole part is exact.
fn times_power_of_two(value: f64, exponent: f64, factor: f64) -> f64 {
    let mut whole = (exponent * factor).round();
    let mut product = value * exponent.mul_add(factor, -whole).exp2();
    while whole != 0.0 && product != 0.0 && product.is_finite() {
        let step = whole.clamp(-1000.0, 1000.0);
        product *= step.exp2();
        whole -= step;
    }
    product
}

/// The lower level with a dictionary: what the samples share, prepared once.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Loss and penalty.
    pub lower: LowerLevel,
    n_features: usize,
    n_components: usize,
    /// Atoms padded to whole chunks, one after the other.
    atoms: Vec<f64>,
    /// Norms of the atoms.
    norms: Vec<f64>,
    /// `w`; empty where all are 1.
    weights: Vec<f64>,
    /// `D^T D`, formed when first asked for; none where it would serve one sample alone.
    gram: Option<OnceLock<Vec<f64>>>,
    isa: Isa,
}

/// Largest number of atoms for which the Gram matrix is kept (32 MiB).
const LARGEST_GRAM: usize = 2048;

impl Problem {
    /// Prepares a `d x k` dictionary (atoms are columns). Cost `k d` copies.
    ///
    /// # Panics
    /// If the columns are not contiguous.
    #[track_caller]
    pub fn new(lower: LowerLevel, dictionary: MatRef<'_, f64>) -> Self {
        let (d, k) = (dictionary.nrows(), dictionary.ncols());
        let mut atoms = vec![0.0; padded(d) * k];
        for (j, atom) in atoms.chunks_exact_mut(padded(d).max(1)).enumerate() {
            atom[..d].copy_from_slice(column(dictionary, j));
        }
        let norms = atoms.chunks_exact(padded(d).max(1)).map(norm).collect();
        let (weights, gram) = (Vec::new(), Some(OnceLock::new()));
        Self { lower, n_features: d, n_components: k, atoms, norms, weights, gram, isa: Isa::detect() }
    }

    /// The same problem with weights `w` of the l1 norm, one an atom. An atom of weight 0 is not penalised (but for the
    /// ridge): its coefficient has no kink at zero.
    ///
    /// # Errors
    /// If there is not one weight an atom, or one is negative or not finite.
    pub fn with_weights(mut self, weights: &[f64]) -> Result<Self, Error> {
        Error::check_length("atom weights", "entries", weights.len(), self.n_components, "the dictionary")?;
        if let Some(index) = weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
            return Err(Error::AtomWeight { index, value: weights[index] });
        }
        self.weights.clear();
        if weights.iter().any(|w| *w != 1.0) {
            self.weights.extend_from_slice(weights);
        }
        Ok(self)
    }

    /// Weights of the l1 norm, one an atom; `None` where all are 1.
    pub fn weights(&self) -> Option<&[f64]> {
        (!self.weights.is_empty()).then_some(self.weights.as_slice())
    }

    /// `w_j`.
    #[inline]
    pub fn weight(&self, j: usize) -> f64 {
        if self.weights.is_empty() { 1.0 } else { self.weights[j] }
    }

    /// `regularization w_j`: the weight of `|c_j|`.
    #[inline]
    pub fn threshold(&self, j: usize) -> f64 {
        self.lower.regularization * self.weight(j)
    }

    /// Whether the penalty of atom `j` has neither a kink nor a bound at zero, so that its sign plays no part.
    #[inline]
    pub fn is_free(&self, j: usize) -> bool {
        !self.lower.non_negative && self.threshold(j) == 0.0
    }

    /// Whether there may be free atoms.
    pub(crate) fn has_free(&self) -> bool {
        !self.lower.non_negative && (self.lower.regularization == 0.0 || !self.weights.is_empty())
    }

    /// What of `g_j` is compared with the threshold of an atom off the support: `|g_j|`, or `g_j` for non-negative codes.
    #[inline]
    pub(crate) fn size(&self, gradient: f64) -> f64 {
        if self.lower.non_negative { gradient } else { gradient.abs() }
    }

    /// `out_j = |g_j|` (or `g_j`, for non-negative codes) less the threshold of atom `j`.
    pub(crate) fn excess(&self, gradient: &[f64], out: &mut [f64]) {
        let pairs = out.iter_mut().zip(gradient);
        let lambda = self.lower.regularization;
        match (self.weights(), self.lower.non_negative) {
            (None, false) => pairs.for_each(|(o, g)| *o = g.abs() - lambda),
            (None, true) => pairs.for_each(|(o, g)| *o = g - lambda),
            (Some(w), false) => pairs.zip(w).for_each(|((o, g), w)| *o = g.abs() - lambda * w),
            (Some(w), true) => pairs.zip(w).for_each(|((o, g), w)| *o = g - lambda * w),
        }
    }

    /// `regularization sum_j w_j |c_j| + ridge/2 |c|^2`.
    pub fn penalty(&self, code: Code<'_>) -> f64 {
        let l1: f64 = code.iter().map(|(j, c)| self.threshold(j) * c.abs()).sum();
        l1 + 0.5 * self.lower.ridge() * dot(code.values, code.values)
    }

    /// The same problem on another instruction set of this machine (for tests and measurements).
    #[must_use]
    pub fn with_isa(self, isa: Isa) -> Self {
        Self { isa, ..self }
    }

    /// The instruction set in use.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The dictionary, `d x k`.
    pub fn dictionary(&self) -> MatRef<'_, f64> {
        let (d, k) = (self.n_features, self.n_components);
        MatRef::from_column_major_slice_with_stride(&self.atoms, d, k, self.rows())
    }

    /// Number of features `d`.
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// Number of atoms `k`.
    pub fn n_components(&self) -> usize {
        self.n_components
    }

    /// `d` rounded up to whole chunks: the length of padded vectors over the features.
    #[inline]
    pub(crate) fn rows(&self) -> usize {
        padded(self.n_features)
    }

    /// `D^T D` for the squared loss, row `j` at `j k`, if there are not too many atoms to keep it. Formed when first asked
    /// for, `k^2 d` flops.
    pub(crate) fn gram(&self) -> Option<&[f64]> {
        let fits = self.lower.loss == Loss::Squared && self.n_components <= LARGEST_GRAM;
        let kept = self.gram.as_ref().filter(|_| fits)?;
        if kept.get().is_none() {
            // Formed outside the lock: threads at work on it may meet another caller of this.
            let k = self.n_components;
            let mut gram = vec![0.0; k * k];
            fill_gram(&mut gram, k, self.dictionary());
            kept.get_or_init(|| gram);
        }
        kept.get().map(Vec::as_slice)
    }

    /// The same problem without the memory of its Gram matrix, which is not formed again.
    pub(crate) fn without_gram(self) -> Self {
        Self { gram: None, ..self }
    }

    /// `|d_j|`.
    pub(crate) fn norm(&self, j: usize) -> f64 {
        self.norms.get(j).copied().unwrap_or(0.0)
    }

    /// Atom `j`.
    pub fn atom(&self, j: usize) -> &[f64] {
        &self.padded_atom(j)[..self.n_features]
    }

    /// Atom `j` with the zeros behind it.
    pub(crate) fn padded_atom(&self, j: usize) -> &[f64] {
        &self.atoms[j * self.rows()..(j + 1) * self.rows()]
    }

    /// The problem of a sample of which only some features are observed: these rows of the dictionary. Cost `k d` copies.
    pub(crate) fn observed(&self, sample: &Sample) -> Self {
        let n_features = self.n_features - sample.missing.len();
        let mut atoms = vec![0.0; padded(n_features) * self.n_components];
        for (j, atom) in atoms.chunks_exact_mut(padded(n_features).max(1)).enumerate() {
            atom[..n_features].copy_from_slice(&sample.observed(self.atom(j)));
        }
        let norms = atoms.chunks_exact(padded(n_features).max(1)).map(norm).collect();
        Self { n_features, atoms, norms, weights: self.weights.clone(), gram: None, ..*self }
    }

    /// `out_j = d_j . vector` for every atom. Cost `2 k d`.
    pub fn correlations(&self, vector: &[f64], out: &mut [f64]) {
        out.iter_mut().enumerate().for_each(|(j, o)| *o = dot(self.atom(j), vector));
    }

    /// `residual = sample - sum_j code_j d_j` over the pairs given.
    pub fn residual(&self, sample: &[f64], code: impl Iterator<Item = (usize, f64)>, residual: &mut [f64]) {
        residual.copy_from_slice(sample);
        code.for_each(|(j, c)| linalg::columns::add_scaled(residual, -c, self.atom(j)));
    }

    /// Lower triangle of `H = D_S^T W D_S + ridge I` (`s x s`, column-major) for an ascending support, `W = diag(phi''(r))`
    /// with zeros at the missing features. Cost `s^2 d`.
    pub fn hessian(&self, support: &[usize], residual: &[f64], missing: &[usize], out: &mut [f64]) {
        let mut curvatures: Vec<f64> = residual.iter().map(|&r| self.lower.loss.curvature(r)).collect();
        missing.iter().for_each(|&t| curvatures[t] = 0.0);
        curvatures.resize(self.rows(), 0.0);
        self.weighted_hessian(support, &curvatures, &mut Vec::new(), out);
    }

    /// [`Problem::hessian`] with the diagonal of `W`, padded; `weighted` is scratch.
    pub(crate) fn weighted_hessian(
        &self,
        support: &[usize],
        curvatures: &[f64],
        weighted: &mut Vec<f64>,
        out: &mut [f64],
    ) {
        weighted.resize(self.rows(), 0.0);
        let (atoms, rows) = (self.atoms.as_slice(), self.rows());
        self.isa.run(WeightedGram { atoms, rows, support, curvatures, weighted, out });
        self.add_ridge(support.len(), out);
    }

    /// [`Problem::hessian`] of the squared loss with nothing missing, gathered from the Gram matrix.
    pub(crate) fn gathered_hessian(&self, gram: &[f64], support: &[usize], out: &mut [f64]) {
        let (s, k) = (support.len(), self.n_components);
        for (b, &j) in support.iter().enumerate() {
            let row = &gram[j * k..(j + 1) * k];
            let entries = out[b * s + b..(b + 1) * s].iter_mut().zip(&support[b..]);
            entries.for_each(|(o, &i)| *o = row[i]);
        }
        self.add_ridge(s, out);
    }

    fn add_ridge(&self, s: usize, out: &mut [f64]) {
        let ridge = self.lower.ridge();
        (0..s).for_each(|b| out[b * s + b] += ridge);
    }

    /// `out += factor D_S coefficients` for a padded vector. Cost `2 s d`.
    pub(crate) fn combine(&self, factor: f64, support: &[usize], coefficients: &[f64], out: &mut [f64]) {
        let (atoms, rows) = (self.atoms.as_slice(), self.rows());
        self.isa.run(Combine { atoms, rows, factor, support, coefficients, out });
    }

    /// `out_a = d_j . vector` for the atoms `j` of a list and a padded vector. Cost `2 s d`.
    pub(crate) fn correlate(&self, of: impl Index, vector: &[f64], out: &mut [f64]) {
        let (atoms, rows) = (self.atoms.as_slice(), self.rows());
        self.isa.run(Correlate { atoms, rows, of, vector, out });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn penalties_follow_their_formula() {
        let lower = LowerLevel {
            elastic_penalty: 0.2,
            l2_regularization: 0.3,
            ..LowerLevel::new(Loss::Squared, 0.5)
        };
        let dictionary = testkit::unit_columns(6, 4, 3);
        let problem = Problem::new(lower, MatRef::from_column_major_slice(&dictionary, 6, 4));
        let code = Code { support: &[0, 2], values: &[1.0, -2.0] };
        testkit::assert_close(problem.penalty(code), 0.5 * (3.0 + 0.1 * 5.0) + 0.15 * 5.0, 1e-15, 0.0);
        assert_eq!(problem.weights(), None);
        let weighted = problem.clone().with_weights(&[2.0, 1.0, 0.0, 1.0]).expect("valid weights");
        testkit::assert_close(weighted.penalty(code), 0.5 * (2.0 + 0.1 * 5.0) + 0.15 * 5.0, 1e-15, 0.0);
        assert_eq!((weighted.threshold(0), weighted.is_free(0), weighted.is_free(2)), (1.0, false, true));
        assert_eq!(weighted.with_weights(&[1.0; 4]).expect("valid weights").weights(), None);
        for (weights, text) in [
            (vec![1.0; 3], "atom weights has 3 entries, expected 4 as in the dictionary"),
            (
                vec![1.0, -1.0, 1.0, 1.0],
                "weight -1 of atom 1 (counted from 0): weights are finite and not negative",
            ),
        ] {
            let error = problem.clone().with_weights(&weights).expect_err("invalid weights");
            assert_eq!(error.to_string(), text);
        }
        assert!(LowerLevel { regularization: -1.0, ..lower }.check().is_err());
        assert!(LowerLevel { elastic_penalty: f64::INFINITY, ..lower }.check().is_err());
    }

    #[test]
    fn the_hessian_is_the_derivative_of_the_gradient() {
        let dictionary = testkit::unit_columns(6, 4, 3);
        let dictionary = MatRef::from_column_major_slice(&dictionary, 6, 4);
        let sample = testkit::normal_matrix(6, 1, 4);
        for loss in [Loss::Squared, Loss::Power { exponent: 2.5 }, Loss::Huber { delta: 0.6 }] {
            let lower =
                LowerLevel { elastic_penalty: 0.2, l2_regularization: 0.3, ..LowerLevel::new(loss, 0.5) };
            let problem = Problem::new(lower, dictionary);
            let gradient = |c: &[f64], out: &mut [f64]| {
                let mut residual = vec![0.0; 6];
                problem.residual(&sample, c.iter().copied().enumerate(), &mut residual);
                let mut slopes = vec![0.0; 6];
                loss.slopes(&residual, &mut slopes);
                problem.correlations(&slopes, out);
                out.iter_mut().zip(c).for_each(|(o, c)| *o = lower.ridge() * c - *o);
            };
            let code = [0.3, -0.2, 0.1, 0.4];
            let mut residual = vec![0.0; 6];
            problem.residual(&sample, code.iter().copied().enumerate(), &mut residual);
            let mut hessian = vec![0.0; 16];
            problem.hessian(&[0, 1, 2, 3], &residual, &[], &mut hessian);
            for j in 0..4 {
                let direction: Vec<f64> = (0..4).map(|i| f64::from(u8::from(i == j))).collect();
                let numeric = testkit::jacobian_product(gradient, &code, &direction, 1e-4);
                for i in j..4 {
                    testkit::assert_close(hessian[j * 4 + i], numeric[i], 1e-8, 1e-9);
                }
            }
        }
    }
}
