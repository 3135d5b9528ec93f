//! Tasks: losses of the codes with a head of their own.
//!
//! **Binary logistic**: `sum_i weight_i (softplus(z_i) - y_i z_i) + l2/2 (|w|^2 + b^2)` with scores `z = C w + b`, labels
//! `y` in {0, 1} and `softplus(z) = log(1 + exp(z))`. A sum, not a mean; the ridge is counted once whatever the batch,
//! and `b^2` only where `penalize_intercept`. Derivatives: `dL/dz_i = sigmoid(z_i) - y_i`, so in the code
//! `(sigmoid(z_i) - y_i) w`, in `w` `sum_i (sigmoid(z_i) - y_i) c_i + l2 w`.

use crate::codes::Codes;
use crate::error::{Error, InvalidOption};
use crate::upper::{Cotangent, SampleView, UpperLoss};

/// The binary logistic task.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Logistic {
    /// Ridge of the head, counted once whatever the batch; not negative.
    pub l2: f64,
    /// Whether `b^2` is part of the ridge.
    pub penalize_intercept: bool,
}

/// A linear head: score `z = c . weights + intercept`.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// One weight an atom.
    pub weights: Vec<f64>,
    /// The intercept `b`.
    pub intercept: f64,
}

impl Head {
    /// All zero.
    pub fn zeros(n_components: usize) -> Self {
        Self { weights: vec![0.0; n_components], intercept: 0.0 }
    }

    /// Scores of all samples.
    pub fn scores(&self, codes: &Codes) -> Vec<f64> {
        codes.rows().map(|code| code.dot(&self.weights) + self.intercept).collect()
    }
}

/// `log(1 + exp(z))` without overflow.
pub fn softplus(z: f64) -> f64 {
    z.max(0.0) + (-z.abs()).exp().ln_1p()
}

/// `1 / (1 + exp(-z))` without overflow.
pub fn sigmoid(z: f64) -> f64 {
    let e = (-z.abs()).exp();
    if z >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
}

impl Logistic {
    /// Whether the ridge is in its range.
    ///
    /// # Errors
    /// Names the value and the accepted range.
    pub fn check(self) -> Result<(), InvalidOption> {
        InvalidOption::check(
            self.l2 >= 0.0 && self.l2.is_finite(),
            "l2",
            self.l2,
            "a finite number that is not negative",
        )
    }

    /// `l2/2 (|w|^2 [+ b^2])`.
    pub fn ridge(self, head: &Head) -> f64 {
        let intercept = if self.penalize_intercept { head.intercept * head.intercept } else { 0.0 };
        0.5 * self.l2 * (linalg::columns::dot(&head.weights, &head.weights) + intercept)
    }

    /// `sum_i weight_i (softplus(z_i) - y_i z_i)`, without the ridge.
    pub fn loss(self, head: &Head, codes: &Codes, labels: &[f64], weight: impl Fn(usize) -> f64) -> f64 {
        let terms = head.scores(codes).into_iter().zip(labels).enumerate();
        terms.map(|(i, (z, y))| weight(i) * (softplus(z) - y * z)).sum()
    }

    /// Gradient of loss and ridge in the head.
    pub fn head_gradient(
        self,
        head: &Head,
        codes: &Codes,
        labels: &[f64],
        weight: impl Fn(usize) -> f64,
    ) -> Head {
        let mut gradient = Head::zeros(codes.n_components());
        for (i, (code, y)) in codes.rows().zip(labels).enumerate() {
            let slope = weight(i) * (sigmoid(code.dot(&head.weights) + head.intercept) - y);
            code.iter().for_each(|(j, c)| gradient.weights[j] += slope * c);
            gradient.intercept += slope;
        }
        gradient.weights.iter_mut().zip(&head.weights).for_each(|(g, w)| *g += self.l2 * w);
        if self.penalize_intercept {
            gradient.intercept += self.l2 * head.intercept;
        }
        gradient
    }
}

/// Labels as a task needs them: one a sample, each 0 or 1, both present.
///
/// # Errors
/// Names the first label that is neither, a wrong length, or the only class.
pub fn check_labels(labels: &[f64], n_samples: usize) -> Result<(), Error> {
    Error::check_length("labels", "entries", labels.len(), n_samples, "the samples")?;
    if let Some(index) = labels.iter().position(|&y| y != 0.0 && y != 1.0) {
        return Err(Error::Label { index, value: labels[index] });
    }
    match labels.first() {
        Some(&label) if labels.iter().all(|&y| y == label) => Err(Error::OneClass { n_samples, label }),
        _ => Ok(()),
    }
}

/// The logistic loss of a sample's code under a fixed head, as an upper level.
#[derive(Clone, Copy, Debug)]
pub struct LogisticUpper<'a> {
    /// The head.
    pub head: &'a Head,
    /// One label a sample of the batch.
    pub labels: &'a [f64],
}

impl UpperLoss for LogisticUpper<'_> {
    fn sample(&self, view: SampleView<'_>, cotangent: &mut Cotangent) -> f64 {
        let y = self.labels[view.index];
        let z = view.code.dot(&self.head.weights) + self.head.intercept;
        let slope = sigmoid(z) - y;
        let pairs = cotangent.code.iter_mut().zip(view.code.iter());
        pairs.for_each(|(g, (j, _))| *g = slope * self.head.weights[j]);
        softplus(z) - y * z
    }
}
