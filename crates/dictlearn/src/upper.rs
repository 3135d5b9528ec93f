//! Upper-level losses: what the codes are for, one sample at a time.
//!
//! A loss `L_i(c, p, x)` of the code `c`, the prediction `p = D c` and the sample `x` is given by its value and its
//! partial derivatives (cotangents) in each; the chain through `c*(D, x, ...)` is [`crate::hypergradient`]'s work.

use crate::codes::{Code, Codes};
use crate::lower::Problem;
use crate::samples::{Sample, Samples};
use linalg::columns::dot;
use rayon::prelude::*;

/// One sample at its code.
#[derive(Clone, Copy, Debug)]
pub struct SampleView<'a> {
    /// Index of the sample in the batch at hand.
    pub index: usize,
    /// The lower level.
    pub problem: &'a Problem,
    /// The code: support and values.
    pub code: Code<'a>,
    /// Residual `r = x - D c`, 0 at the missing features.
    pub residual: &'a [f64],
    /// `phi'(r)`.
    pub slopes: &'a [f64],
    /// `sum_t phi(r_t)`.
    pub fit: f64,
}

/// Partial derivatives of an upper-level loss at one sample; all zero before [`UpperLoss::sample`] is called.
#[derive(Clone, Debug, Default)]
pub struct Cotangent {
    /// In the code, on its support (as long as the support), the prediction held fixed.
    pub code: Vec<f64>,
    /// In the weights `w_j` of the l1 norm, for the atoms of the support.
    pub weights: Vec<f64>,
    /// In the prediction `p = D c` (`d`).
    pub prediction: Vec<f64>,
    /// In the sample (`d`), code and prediction held fixed.
    pub sample: Vec<f64>,
    /// In `regularization`.
    pub regularization: f64,
    /// In `elastic_penalty`.
    pub elastic_penalty: f64,
    /// In `l2_regularization`.
    pub l2_regularization: f64,
    /// In the `delta` of a Huber loss.
    pub delta: f64,
}

impl Cotangent {
    pub(crate) fn reset(&mut self, n_features: usize, support: usize) {
        *self = Self {
            code: std::mem::take(&mut self.code),
            weights: std::mem::take(&mut self.weights),
            prediction: std::mem::take(&mut self.prediction),
            sample: std::mem::take(&mut self.sample),
            ..Self::default()
        };
        for (vector, length) in [
            (&mut self.code, support),
            (&mut self.weights, support),
            (&mut self.prediction, n_features),
            (&mut self.sample, n_features),
        ] {
            vector.clear();
            vector.resize(length, 0.0);
        }
    }
}

/// A sample at its code, in memory that is used again for the next; vectors are padded.
#[derive(Default)]
pub(crate) struct SamplePoint {
    pub sample: Sample,
    pub support: Vec<usize>,
    /// 0 at the missing features.
    pub residual: Vec<f64>,
    /// 0 at the missing features.
    pub curvatures: Vec<f64>,
    /// `sum_t phi(r_t)`.
    pub fit: f64,
}

impl SamplePoint {
    /// Residual and curvatures of sample `index` at its code; writes `phi'(r)`, 0 at the missing features.
    pub fn load(
        &mut self,
        problem: &Problem,
        samples: Samples<'_>,
        index: usize,
        code: Code<'_>,
        slopes: &mut [f64],
    ) {
        samples.load(index, &mut self.sample);
        self.support.clear();
        self.support.extend(code.support.iter().map(|&j| j as usize));
        self.residual.clear();
        self.residual.extend_from_slice(&self.sample.values);
        self.residual.resize(problem.rows(), 0.0);
        problem.combine(-1.0, &self.support, code.values, &mut self.residual);
        self.sample.blank(&mut self.residual);
        self.curvatures.resize(problem.rows(), 0.0);
        self.fit = problem.lower.loss.terms(problem.isa(), &self.residual, slopes, &mut self.curvatures);
        self.sample.blank(&mut self.curvatures);
    }
}

/// A loss of codes, predictions and samples; the upper level is `sum_i weight_i L_i`.
pub trait UpperLoss: Sync {
    /// Value at one sample; writes its derivatives.
    fn sample(&self, view: SampleView<'_>, cotangent: &mut Cotangent) -> f64;

    /// Factor of sample `index` in the sum.
    fn weight(&self, _index: usize) -> f64 {
        1.0
    }

    /// Whether the loss is the lower level's own objective, so that its derivative along the code vanishes
    /// (envelope theorem).
    fn is_lower_objective(&self) -> bool {
        false
    }
}

/// `sum_i weight_i L_i` at the codes of the samples, without derivatives; samples are summed in order.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn total<'a>(
    problem: &Problem,
    samples: impl Into<Samples<'a>>,
    codes: &Codes,
    upper: &impl UpperLoss,
) -> f64 {
    let (d, samples) = (problem.n_features(), samples.into());
    assert!(samples.n_features() == d && codes.n_samples() == samples.n_samples(), "shapes do not fit");
    let scratch = || (SamplePoint::default(), vec![0.0; problem.rows()], Cotangent::default());
    let values: Vec<f64> = (0..samples.n_samples())
        .into_par_iter()
        .with_min_len(crate::coder::BLOCK)
        .map_init(scratch, |(point, slopes, cotangent), index| {
            let code = codes.row(index);
            point.load(problem, samples, index, code, slopes);
            cotangent.reset(d, code.support.len());
            let (residual, slopes, fit) = (&point.residual[..d], &slopes[..d], point.fit);
            let view = SampleView { index, problem, code, residual, slopes, fit };
            upper.sample(view, cotangent) * upper.weight(index)
        })
        .collect();
    values.iter().sum()
}

/// `L = sum_t phi(x_t - p_t)`: how well the codes explain the samples, without the penalty.
#[derive(Clone, Copy, Debug)]
pub struct Reconstruction;

impl UpperLoss for Reconstruction {
    fn sample(&self, view: SampleView<'_>, cotangent: &mut Cotangent) -> f64 {
        cotangent.prediction.iter_mut().zip(view.slopes).for_each(|(q, s)| *q = -s);
        cotangent.sample.copy_from_slice(view.slopes);
        cotangent.delta = view.problem.lower.loss.delta_derivative(view.residual);
        view.fit
    }
}

/// `L = sum_t phi(x_t - p_t) + regularization (sum_j w_j |c_j| + elastic_penalty/2 |c|^2) + l2_regularization/2 |c|^2`:
/// classical dictionary learning.
#[derive(Clone, Copy, Debug)]
pub struct Full;

impl UpperLoss for Full {
    fn sample(&self, view: SampleView<'_>, cotangent: &mut Cotangent) -> f64 {
        let (problem, lower, code) = (view.problem, view.problem.lower, view.code);
        let fit = Reconstruction.sample(view, cotangent);
        let l1: f64 = code.iter().map(|(j, c)| problem.weight(j) * c.abs()).sum();
        let squares = dot(code.values, code.values);
        cotangent.regularization = l1 + 0.5 * lower.elastic_penalty * squares;
        cotangent.elastic_penalty = 0.5 * lower.regularization * squares;
        cotangent.l2_regularization = 0.5 * squares;
        let ridge = lower.ridge();
        for (a, (j, c)) in code.iter().enumerate() {
            cotangent.code[a] = problem.threshold(j) * c.signum() + ridge * c;
            cotangent.weights[a] = lower.regularization * c.abs();
        }
        fit + problem.penalty(code)
    }

    fn is_lower_objective(&self) -> bool {
        true
    }
}

/// An upper-level loss with sample weights and one factor for all (`n / b` for a mini-batch of b out of n samples).
#[derive(Clone, Copy, Debug)]
pub struct Weighted<'a, U> {
    /// The loss of a sample.
    pub upper: U,
    /// One weight a sample of the batch; none: all 1.
    pub weights: Option<&'a [f64]>,
    /// Factor of the whole sum.
    pub scale: f64,
}

impl<U: UpperLoss> UpperLoss for Weighted<'_, U> {
    fn sample(&self, view: SampleView<'_>, cotangent: &mut Cotangent) -> f64 {
        self.upper.sample(view, cotangent)
    }

    fn weight(&self, index: usize) -> f64 {
        self.scale * self.weights.map_or(1.0, |weights| weights[index]) * self.upper.weight(index)
    }

    fn is_lower_objective(&self) -> bool {
        self.upper.is_lower_objective()
    }
}
