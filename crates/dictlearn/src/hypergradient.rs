//! Hypergradient: derivatives of `sum_i weight_i L_i(c*_i, D c*_i, x_i)` through the codes, by implicit differentiation.
//!
//! Three steps a sample, on the support `S` of its code (symbols as in [`crate::lower`]; `q = dL/dp`, `p = D c`):
//! 1. `g_S = dL/dc_S + D_S^T q`;
//! 2. `H beta_S = g_S` with `H = D_S^T W D_S + ridge I`, `W = diag(phi''(r))` with zeros at the missing features,
//!    `beta = 0` off `S`;
//! 3. with `u = W D_S beta_S`:
//!
//! | in | total derivative |
//! |---|---|
//! | atom `d_j` | `beta_j phi'(r) + c_j (q - u)` |
//! | sample `x` | `dL/dx + u` |
//! | `regularization` | `dL/dlambda - beta . (w_S s_S + elastic_penalty c_S)` |
//! | `elastic_penalty` | `dL/dgamma - regularization beta . c_S` |
//! | `l2_regularization` | `dL/dl2 - beta . c_S` |
//! | weight `w_j` of the l1 norm | `dL/dw_j - regularization beta_j s_j` |
//! | Huber `delta` | `dL/ddelta + sum over outliers (D beta)_t sign(r_t)` |
//!
//! For the lower objective itself `g = 0`, so `beta = 0` (envelope theorem). Where `H` is singular the code is not a
//! differentiable function of the data: `beta` of least norm is used and the sample is counted as rank deficient.
//! Cost a sample: `s^3/3` (fresh factor), `s^2 d` for `H` without a Gram matrix, and `8 s d`. Memory: three numbers per
//! entry of `BLOCK` samples. Samples are summed in order within each atom: the same bits for any number of threads.
//! Source: implicit function theorem on the active set; Mairal, Bach, Ponce (2012), Task-driven dictionary learning.

use crate::coder;
use crate::codes::{Code, Codes};
use crate::loss::Loss;
use crate::lower::Problem;
use crate::samples::{Sample, Samples};
use crate::upper::{Cotangent, SampleView, UpperLoss};
use faer::Mat;
use linalg::columns::{add_scaled, column, column_mut, dot};
use linalg::spd::{SpdFactor, SpdStatus, minimum_norm_solve};
use rayon::prelude::*;
use std::ops::Range;

/// Samples whose dense intermediates are held at a time.
const BLOCK: usize = 2048;

/// Value and total derivatives of an upper-level loss.
#[derive(Clone, Debug)]
pub struct Hypergradient {
    /// The loss, summed over samples with their weights.
    pub value: f64,
    /// In the dictionary, `d x k`.
    pub dictionary: Mat<f64>,
    /// In the samples, `d x n`, if asked for.
    pub samples: Option<Mat<f64>>,
    /// In the numbers of the lower level.
    pub lower: LowerDerivative,
    /// In the weights `w_j` of the l1 norm (`k`).
    pub weights: Vec<f64>,
    /// Samples whose system `H` is singular to working precision: there the numbers above are one choice among many.
    pub rank_deficient: usize,
}

/// Total derivatives in the numbers of the lower level.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LowerDerivative {
    /// In `regularization`.
    pub regularization: f64,
    /// In `elastic_penalty`.
    pub elastic_penalty: f64,
    /// In `l2_regularization`.
    pub l2_regularization: f64,
    /// In the `delta` of a Huber loss (0 for other losses).
    pub delta: f64,
}

/// Differentiates `upper` at the codes of `samples`, which should solve `problem`; `with_samples` asks for the derivative
/// in the samples as well (0 at missing features unless the loss has its own there).
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn hypergradient<'a>(
    problem: &Problem,
    samples: impl Into<Samples<'a>>,
    codes: &Codes,
    upper: &impl UpperLoss,
    with_samples: bool,
) -> Hypergradient {
    let samples = samples.into();
    let (d, k, n) = (problem.n_features(), problem.n_components(), samples.n_samples());
    assert!(
        samples.n_features() == d && codes.n_samples() == n && codes.n_components() == k,
        "shapes do not fit"
    );
    let mut out = Hypergradient {
        value: 0.0,
        dictionary: Mat::zeros(d, k),
        samples: with_samples.then(|| Mat::zeros(d, n)),
        lower: LowerDerivative::default(),
        weights: vec![0.0; k],
        rank_deficient: 0,
    };
    for start in (0..n).step_by(BLOCK) {
        let range = start..n.min(start + BLOCK);
        let parts = differentiate_samples(problem, samples, codes, upper, range.clone());
        accumulate_atoms(&mut out.dictionary, codes, &parts, range.clone());
        for (i, part) in range.zip(&parts) {
            out.value += part.value;
            out.lower.regularization += part.lower.regularization;
            out.lower.elastic_penalty += part.lower.elastic_penalty;
            out.lower.l2_regularization += part.lower.l2_regularization;
            out.lower.delta += part.lower.delta;
            out.rank_deficient += usize::from(part.rank_deficient);
            let atoms = codes.row(i).support.iter();
            atoms.zip(&part.weights).for_each(|(&j, w)| out.weights[j as usize] += w);
            if let Some(samples) = &mut out.samples {
                column_mut(samples.as_mut(), i).copy_from_slice(&part.sample);
            }
        }
    }
    out
}

/// What one sample contributes, its weight included.
struct Part {
    value: f64,
    lower: LowerDerivative,
    rank_deficient: bool,
    /// `beta` on the support.
    beta: Vec<f64>,
    /// Derivatives in the weights of the support's atoms.
    weights: Vec<f64>,
    /// `phi'(r)`.
    slopes: Vec<f64>,
    /// `q - u`.
    pulled: Vec<f64>,
    /// Total derivative in the sample.
    sample: Vec<f64>,
}

fn differentiate_samples(
    problem: &Problem,
    samples: Samples<'_>,
    codes: &Codes,
    upper: &impl UpperLoss,
    range: Range<usize>,
) -> Vec<Part> {
    range
        .into_par_iter()
        .with_min_len(coder::BLOCK)
        .map_init(Scratch::default, |scratch, i| {
            scratch.differentiate(problem, samples, codes.row(i), upper, i)
        })
        .collect()
}

/// `dD_j += sum_i beta_ij phi'(r_i) + c_ij (q_i - u_i)`, atoms in parallel, samples in order.
fn accumulate_atoms(dictionary: &mut Mat<f64>, codes: &Codes, parts: &[Part], range: Range<usize>) {
    let by_atom = codes.by_atom(range.clone());
    let k = codes.n_components();
    let sums: Vec<Option<Vec<f64>>> = (0..k)
        .into_par_iter()
        .map(|j| {
            let uses = by_atom.uses(j);
            let mut sum = uses.first().map(|_| column(dictionary.as_ref(), j).to_vec())?;
            for &(i, position) in uses {
                let part = &parts[i - range.start];
                let beta = part.beta[position - codes.indptr()[i]];
                add_scaled(&mut sum, beta, &part.slopes);
                add_scaled(&mut sum, codes.values()[position], &part.pulled);
            }
            Some(sum)
        })
        .collect();
    for (j, sum) in sums.into_iter().enumerate() {
        if let Some(sum) = sum {
            column_mut(dictionary.as_mut(), j).copy_from_slice(&sum);
        }
    }
}

/// One worker's memory.
#[derive(Default)]
struct Scratch {
    sample: Sample,
    cotangent: Cotangent,
    residual: Vec<f64>,
    support: Vec<usize>,
    factor: SpdFactor,
}

impl Scratch {
    fn differentiate(
        &mut self,
        problem: &Problem,
        samples: Samples<'_>,
        code: Code<'_>,
        upper: &impl UpperLoss,
        index: usize,
    ) -> Part {
        let (d, lower) = (problem.n_features(), &problem.lower);
        self.residual.resize(d, 0.0);
        samples.load(index, &mut self.sample);
        problem.residual(&self.sample.values, code.iter(), &mut self.residual);
        self.sample.blank(&mut self.residual);
        let mut slopes = vec![0.0; d];
        lower.loss.slopes(&self.residual, &mut slopes);
        self.cotangent.reset(d, code.support.len());
        let view = SampleView { index, problem, code, residual: &self.residual, slopes: &slopes };
        let value = upper.sample(view, &mut self.cotangent);
        let (beta, rank_deficient) = if upper.is_lower_objective() {
            (vec![0.0; code.values.len()], false)
        } else {
            self.adjoint(problem, code)
        };
        let mut part = self.assemble(problem, code, beta, slopes);
        part.value = value;
        part.rank_deficient = rank_deficient;
        part.scale(upper.weight(index));
        part
    }

    /// Steps 1 and 2: `beta` on the support, and whether `H` is singular.
    fn adjoint(&mut self, problem: &Problem, code: Code<'_>) -> (Vec<f64>, bool) {
        let s = code.support.len();
        self.support.clear();
        self.support.extend(code.support.iter().map(|&j| j as usize));
        let q = &self.cotangent.prediction;
        let mut beta: Vec<f64> = self.cotangent.code.clone();
        if q.iter().any(|&v| v != 0.0) {
            beta.iter_mut().zip(&self.support).for_each(|(b, &j)| *b += dot(problem.atom(j), q));
        }
        problem.hessian(&self.support, &self.residual, &self.sample.missing, self.factor.start(s));
        if matches!(self.factor.factor(), SpdStatus::Definite { .. }) {
            self.factor.solve(&mut beta);
            return (beta, false);
        }
        let mut hessian = vec![0.0; s * s];
        problem.hessian(&self.support, &self.residual, &self.sample.missing, &mut hessian);
        let solved = minimum_norm_solve(&hessian, &beta);
        (solved.map_or_else(|| vec![f64::NAN; s], |(solution, _)| solution), true)
    }

    /// Step 3, but for value and weight.
    fn assemble(&self, problem: &Problem, code: Code<'_>, beta: Vec<f64>, slopes: Vec<f64>) -> Part {
        let (lower, cotangent) = (&problem.lower, &self.cotangent);
        let mut u = vec![0.0; problem.n_features()];
        for (&j, b) in code.support.iter().zip(&beta) {
            add_scaled(&mut u, *b, problem.atom(j as usize));
        }
        let along_delta = match lower.loss {
            Loss::Huber { delta } => outlier_sum(&u, &self.residual, delta),
            _ => 0.0,
        };
        u.iter_mut().zip(&self.residual).for_each(|(u, &r)| *u *= lower.loss.curvature(r));
        self.sample.blank(&mut u);
        let along_codes = dot(&beta, code.values);
        let signed: Vec<f64> = beta.iter().zip(code.values).map(|(b, c)| b * c.signum()).collect();
        let weighted = code.support.iter().zip(&signed).map(|(&j, b)| problem.weight(j as usize) * b);
        let along_signs: f64 = weighted.sum();
        let pairs = cotangent.weights.iter().zip(&signed);
        let weights = pairs.map(|(w, b)| w - lower.regularization * b).collect();
        let derivative = LowerDerivative {
            regularization: cotangent.regularization - along_signs - lower.elastic_penalty * along_codes,
            elastic_penalty: cotangent.elastic_penalty - lower.regularization * along_codes,
            l2_regularization: cotangent.l2_regularization - along_codes,
            delta: cotangent.delta + along_delta,
        };
        Part {
            value: 0.0,
            lower: derivative,
            rank_deficient: false,
            beta,
            weights,
            slopes,
            pulled: cotangent.prediction.iter().zip(&u).map(|(q, u)| q - u).collect(),
            sample: cotangent.sample.iter().zip(&u).map(|(x, u)| x + u).collect(),
        }
    }
}

/// `sum over outliers of (D beta)_t sign(r_t)`.
fn outlier_sum(direction: &[f64], residual: &[f64], delta: f64) -> f64 {
    let pairs = direction.iter().zip(residual).filter(|(_, r)| r.abs() > delta);
    pairs.map(|(u, r)| u * r.signum()).sum()
}

impl Part {
    fn scale(&mut self, weight: f64) {
        if weight == 1.0 {
            return;
        }
        for vector in [&mut self.beta, &mut self.weights, &mut self.pulled, &mut self.sample] {
            vector.iter_mut().for_each(|v| *v *= weight);
        }
        let lower = &mut self.lower;
        for number in [
            &mut self.value,
            &mut lower.regularization,
            &mut lower.elastic_penalty,
            &mut lower.l2_regularization,
            &mut lower.delta,
        ] {
            *number *= weight;
        }
    }
}
