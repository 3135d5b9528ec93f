//! Hypergradient: derivatives of `sum_i weight_i L_i(c*_i, D c*_i, x_i)` through the codes, by implicit differentiation.
//!
//! Three steps a sample, on the support `S` of its code (symbols as in [`crate::lower`]; `q = dL/dp`, `p = D c`):
//! 1. `g_S = dL/dc_S + D_S^T q`;
//! 2. `H beta_S = g_S` with `H = D_S^T W D_S + ridge I`, `W = diag(phi''(r))` with zeros at the missing features,
//!    `beta = 0` off `S` (an atom without kink at zero always belongs to `S`);
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
//! entry of `BLOCK` samples a thread. Samples are summed in order within each atom: the same bits for any number of threads.
//! Source: implicit function theorem on the active set; Mairal, Bach, Ponce (2012), Task-driven dictionary learning.

mod atom_sum;

use crate::coder;
use crate::codes::{Code, Codes};
use crate::loss::Loss;
use crate::lower::Problem;
use crate::samples::Samples;
use crate::upper::{Cotangent, SamplePoint, SampleView, UpperLoss};
use atom_sum::AtomSum;
use faer::Mat;
use linalg::columns::column_mut;
use linalg::spd::{SpdFactor, SpdStatus, minimum_norm_solve};
use rayon::prelude::*;
use std::ops::Range;

/// Samples whose dense intermediates are held at a time, for each thread: sums are in the order of the samples all the same.
const BLOCK: usize = 512;

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
    let completed = problem.has_free().then(|| with_free_atoms(problem, codes));
    let codes = completed.as_ref().unwrap_or(codes);
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
    // Gathering from the Gram matrix is the cheaper way to all `H` once these have as many entries.
    let entries: usize = codes.rows().map(|code| code.support.len() * code.support.len()).sum();
    let gram = if entries >= k * k { problem.gram() } else { None };
    let pass = Pass { problem, samples, codes, upper, gram };
    let (mut block, mut atoms) = (Block::default(), vec![0.0; k * problem.rows()]);
    let length = BLOCK * rayon::current_num_threads();
    for start in (0..n).step_by(length) {
        let range = start..n.min(start + length);
        block.start(&pass, range.clone(), with_samples);
        pass.differentiate(&mut block);
        block.add_atoms(&pass, &mut atoms, &mut out.weights);
        block.numbers.iter().for_each(|numbers| out.add(numbers));
        if let Some(samples) = &mut out.samples {
            for (i, sample) in range.zip(block.samples.chunks_exact(d.max(1))) {
                column_mut(samples.as_mut(), i).copy_from_slice(sample);
            }
        }
    }
    for (j, atom) in atoms.chunks_exact(problem.rows().max(1)).enumerate() {
        column_mut(out.dictionary.as_mut(), j).copy_from_slice(&atom[..d]);
    }
    out
}

impl Hypergradient {
    fn add(&mut self, numbers: &Numbers) {
        self.value += numbers.value;
        self.lower.regularization += numbers.lower.regularization;
        self.lower.elastic_penalty += numbers.lower.elastic_penalty;
        self.lower.l2_regularization += numbers.lower.l2_regularization;
        self.lower.delta += numbers.lower.delta;
        self.rank_deficient += usize::from(numbers.rank_deficient);
    }
}

/// What is differentiated.
struct Pass<'a, U> {
    problem: &'a Problem,
    samples: Samples<'a>,
    codes: &'a Codes,
    upper: &'a U,
    gram: Option<&'a [f64]>,
}

/// What each sample of a block contributes, its weight included; vectors over the features are padded, one after the other.
#[derive(Default)]
struct Block {
    range: Range<usize>,
    /// `phi'(r)` (its weight is in `beta`).
    slopes: Vec<f64>,
    /// `q - u`.
    pulled: Vec<f64>,
    /// Total derivatives in the samples (not padded), if asked for.
    samples: Vec<f64>,
    /// `beta` on the supports, in the order of the codes.
    beta: Vec<f64>,
    /// Derivatives in the weights of the supports' atoms, in the same order.
    weights: Vec<f64>,
    numbers: Vec<Numbers>,
}

/// The codes with a stored entry for every free atom: its coefficient has no kink at zero, so it counts where it is zero.
fn with_free_atoms(problem: &Problem, codes: &Codes) -> Codes {
    let mut completed = Codes::new(codes.n_components());
    for code in codes.rows() {
        let mut stored = code.iter().peekable();
        let entries = (0..codes.n_components()).filter_map(|j| match stored.next_if(|(i, _)| *i == j) {
            Some(entry) => Some(entry),
            None => problem.is_free(j).then_some((j, 0.0)),
        });
        completed.push_iter(entries);
    }
    completed
}

/// What a sample contributes to sums over all samples.
#[derive(Clone, Copy, Default)]
struct Numbers {
    value: f64,
    lower: LowerDerivative,
    rank_deficient: bool,
}

/// The part of a block that holds one sample.
struct Part<'a> {
    index: usize,
    slopes: &'a mut [f64],
    pulled: &'a mut [f64],
    /// Empty if not asked for.
    sample: &'a mut [f64],
    beta: &'a mut [f64],
    weights: &'a mut [f64],
    numbers: &'a mut Numbers,
}

impl Block {
    /// Makes room for the samples of `range`.
    fn start<U>(&mut self, pass: &Pass<'_, U>, range: Range<usize>, with_samples: bool) {
        let (n, rows, indptr) = (range.len(), pass.problem.rows(), pass.codes.indptr());
        let stored = indptr[range.end] - indptr[range.start];
        self.slopes.resize(n * rows, 0.0);
        self.pulled.resize(n * rows, 0.0);
        self.samples.resize(if with_samples { n * pass.problem.n_features() } else { 0 }, 0.0);
        self.beta.resize(stored, 0.0);
        self.weights.resize(stored, 0.0);
        self.numbers.clear();
        self.numbers.resize(n, Numbers::default());
        self.range = range;
    }

    /// The samples of the block, one by one.
    fn parts(&mut self, codes: &Codes, rows: usize, d: usize) -> Vec<Part<'_>> {
        let (mut slopes, mut pulled) = (self.slopes.as_mut_slice(), self.pulled.as_mut_slice());
        let (mut beta, mut weights) = (self.beta.as_mut_slice(), self.weights.as_mut_slice());
        let mut samples = self.samples.as_mut_slice();
        let sample_length = if samples.is_empty() { 0 } else { d };
        let parts = self.range.clone().zip(&mut self.numbers).map(|(index, numbers)| {
            let s = codes.indptr()[index + 1] - codes.indptr()[index];
            Part {
                index,
                slopes: cut(&mut slopes, rows),
                pulled: cut(&mut pulled, rows),
                sample: cut(&mut samples, sample_length),
                beta: cut(&mut beta, s),
                weights: cut(&mut weights, s),
                numbers,
            }
        });
        parts.collect()
    }

    /// `dD_j += sum_i beta_ij phi'(r_i) + c_ij (q_i - u_i)` and the same sums for the weights: atoms in parallel, samples in
    /// order.
    fn add_atoms<U: UpperLoss>(&self, pass: &Pass<'_, U>, atoms: &mut [f64], weights: &mut [f64]) {
        let (rows, isa) = (pass.problem.rows(), pass.problem.isa());
        let by_atom = pass.codes.by_atom(self.range.clone());
        let stored = pass.codes.indptr()[self.range.start];
        let values = &pass.codes.values()[stored..];
        let sums = atoms.par_chunks_exact_mut(rows.max(1)).zip(weights);
        sums.enumerate().for_each(|(j, (sum, weight))| {
            let uses = by_atom.uses(j);
            uses.iter().for_each(|(_, position)| *weight += self.weights[position - stored]);
            let first = (self.range.start, stored);
            let (slopes, pulled, beta) = (&self.slopes, &self.pulled, &self.beta);
            isa.run(AtomSum { sum, uses, first, beta, slopes, values, pulled });
        });
    }
}

/// The first `length` numbers of what is left.
fn cut<'a>(rest: &mut &'a mut [f64], length: usize) -> &'a mut [f64] {
    rest.split_off_mut(..length).expect("room for every sample was made")
}

impl<U: UpperLoss> Pass<'_, U> {
    /// Every sample of the block, in parallel.
    fn differentiate(&self, block: &mut Block) {
        let (rows, d) = (self.problem.rows(), self.problem.n_features());
        block
            .parts(self.codes, rows, d)
            .into_par_iter()
            .with_min_len(coder::BLOCK)
            .for_each_init(Scratch::default, |scratch, part| scratch.differentiate(self, part));
    }
}

/// One worker's memory; vectors over the features are padded.
#[derive(Default)]
struct Scratch {
    point: SamplePoint,
    cotangent: Cotangent,
    /// `q`.
    prediction: Vec<f64>,
    /// `D_S beta`, then `u`.
    direction: Vec<f64>,
    weighted: Vec<f64>,
    factor: SpdFactor,
}

impl Scratch {
    fn differentiate<U: UpperLoss>(&mut self, pass: &Pass<'_, U>, mut part: Part<'_>) {
        let (problem, code) = (pass.problem, pass.codes.row(part.index));
        let d = problem.n_features();
        self.point.load(problem, pass.samples, part.index, code, part.slopes);
        self.cotangent.reset(d, code.support.len());
        let view = SampleView {
            index: part.index,
            problem,
            code,
            residual: &self.point.residual[..d],
            slopes: &part.slopes[..d],
            fit: self.point.fit,
        };
        part.numbers.value = pass.upper.sample(view, &mut self.cotangent);
        self.prediction.clear();
        self.prediction.extend_from_slice(&self.cotangent.prediction);
        self.prediction.resize(problem.rows(), 0.0);
        if pass.upper.is_lower_objective() {
            part.beta.fill(0.0);
        } else {
            part.numbers.rank_deficient = self.adjoint(pass, part.beta);
        }
        self.assemble(problem, code, &mut part);
        part.scale(pass.upper.weight(part.index));
    }

    /// Steps 1 and 2: `beta` on the support; whether `H` is singular.
    fn adjoint<U>(&mut self, pass: &Pass<'_, U>, beta: &mut [f64]) -> bool {
        let (problem, support) = (pass.problem, &self.point.support);
        if self.prediction.iter().any(|&v| v != 0.0) {
            problem.correlate(support.as_slice(), &self.prediction, beta);
        } else {
            beta.fill(0.0);
        }
        beta.iter_mut().zip(&self.cotangent.code).for_each(|(b, g)| *b += g);
        self.factor.use_isa(problem.isa());
        let matrix = self.factor.start(support.len());
        match pass.gram {
            Some(gram) if self.point.sample.missing.is_empty() => {
                problem.gathered_hessian(gram, support, matrix);
            }
            _ => problem.weighted_hessian(support, &self.point.curvatures, &mut self.weighted, matrix),
        }
        if matches!(self.factor.factor(), SpdStatus::Definite { .. }) {
            self.factor.solve(beta);
            return false;
        }
        match minimum_norm_solve(self.factor.matrix(), beta) {
            Some((solution, _)) => beta.copy_from_slice(&solution),
            None => beta.fill(f64::NAN),
        }
        true
    }

    /// Step 3, but for value and weight.
    fn assemble(&mut self, problem: &Problem, code: Code<'_>, part: &mut Part<'_>) {
        let (lower, cotangent, point) = (&problem.lower, &self.cotangent, &self.point);
        let u = &mut self.direction;
        u.clear();
        u.resize(problem.rows(), 0.0);
        problem.combine(1.0, &point.support, part.beta, u);
        let along_delta = match lower.loss {
            Loss::Huber { delta } => outlier_sum(u, &point.residual, delta),
            _ => 0.0,
        };
        u.iter_mut().zip(&point.curvatures).for_each(|(u, curvature)| *u *= curvature);
        let (mut along_codes, mut along_signs) = (0.0, 0.0);
        for (a, (j, c)) in code.iter().enumerate() {
            let signed = if c == 0.0 { 0.0 } else { part.beta[a] * c.signum() };
            along_codes += part.beta[a] * c;
            along_signs += problem.weight(j) * signed;
            part.weights[a] = cotangent.weights[a] - lower.regularization * signed;
        }
        part.numbers.lower = LowerDerivative {
            regularization: cotangent.regularization - along_signs - lower.elastic_penalty * along_codes,
            elastic_penalty: cotangent.elastic_penalty - lower.regularization * along_codes,
            l2_regularization: cotangent.l2_regularization - along_codes,
            delta: cotangent.delta + along_delta,
        };
        let pairs = self.prediction.iter().zip(u.iter());
        part.pulled.iter_mut().zip(pairs).for_each(|(p, (q, u))| *p = q - u);
        let pairs = cotangent.sample.iter().zip(u.iter());
        part.sample.iter_mut().zip(pairs).for_each(|(o, (x, u))| *o = x + u);
    }
}

/// `sum over outliers of (D beta)_t sign(r_t)`.
fn outlier_sum(direction: &[f64], residual: &[f64], delta: f64) -> f64 {
    let pairs = direction.iter().zip(residual).filter(|(_, r)| r.abs() > delta);
    pairs.map(|(u, r)| u * r.signum()).sum()
}

impl Part<'_> {
    fn scale(&mut self, weight: f64) {
        if weight == 1.0 {
            return;
        }
        let vectors = [&mut *self.beta, &mut *self.weights, &mut *self.pulled, &mut *self.sample];
        vectors.into_iter().flatten().for_each(|v| *v *= weight);
        let lower = &mut self.numbers.lower;
        for number in [
            &mut self.numbers.value,
            &mut lower.regularization,
            &mut lower.elastic_penalty,
            &mut lower.l2_regularization,
            &mut lower.delta,
        ] {
            *number *= weight;
        }
    }
}
