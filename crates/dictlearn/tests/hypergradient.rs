//! Hypergradients against central differences of the loss at codes solved to 1e-13, and their bookkeeping.
//!
//! Differences have fourth order, with steps far below every kink: instances are chosen so that no residual and no
//! correlation is near one, and support, signs and outliers are asserted to be the same at every point visited.

mod common;

use common::{EXACT, Instance, lasso, penalty, slope, value};
use dictlearn::codes::Codes;
use dictlearn::hypergradient::{Hypergradient, hypergradient};
use dictlearn::loss::Loss;
use dictlearn::lower::LowerLevel;
use dictlearn::task::{Head, LogisticUpper};
use dictlearn::upper::{Cotangent, Full, Reconstruction, SampleView, UpperLoss, Weighted};

const SAMPLES: usize = 4;
const FEATURES: usize = 6;
const ATOMS: usize = 9;

/// The upper levels of the suite, with what they hold.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Reconstruction,
    Full,
    Logistic,
    CodeTarget,
    PredictionTarget,
}

const KINDS: [Kind; 5] =
    [Kind::Reconstruction, Kind::Full, Kind::Logistic, Kind::CodeTarget, Kind::PredictionTarget];

/// Targets, labels and head, the same for all instances.
struct Task {
    labels: Vec<f64>,
    head: Head,
    codes: Vec<f64>,
    predictions: Vec<f64>,
}

impl Task {
    fn new() -> Self {
        Self {
            labels: (0..SAMPLES).map(|i| f64::from(i as u32 % 2)).collect(),
            head: Head { weights: testkit::normal_vector(ATOMS, 61), intercept: -0.3 },
            codes: testkit::normal_vector(ATOMS * SAMPLES, 62),
            predictions: testkit::normal_vector(FEATURES * SAMPLES, 63),
        }
    }

    /// The loss of sample `i` at `code`, from its formula.
    fn value(&self, kind: Kind, instance: &Instance, lower: &LowerLevel, i: usize, code: &[f64]) -> f64 {
        let residual = instance.residual(i, code);
        let half_squares = |a: &mut dyn Iterator<Item = f64>| a.map(|v| v * v / 2.0).sum::<f64>();
        let fit = || -> f64 { residual.iter().map(|&r| value(lower.loss, r)).sum() };
        match kind {
            Kind::Reconstruction => fit(),
            Kind::Full => fit() + penalty(lower, code),
            Kind::Logistic => {
                let pairs = self.head.weights.iter().zip(code);
                let score = self.head.intercept + pairs.map(|(w, c)| w * c).sum::<f64>();
                (1.0 + score.exp()).ln() - self.labels[i] * score
            }
            Kind::CodeTarget => {
                let target = &self.codes[i * ATOMS..(i + 1) * ATOMS];
                half_squares(&mut code.iter().zip(target).map(|(c, t)| c - t))
            }
            Kind::PredictionTarget => {
                let target = &self.predictions[i * FEATURES..(i + 1) * FEATURES];
                let prediction = instance.sample(i).iter().zip(&residual).map(|(x, r)| x - r);
                half_squares(&mut prediction.zip(target).map(|(p, t)| p - t))
            }
        }
    }

    fn differentiate(
        &self,
        kind: Kind,
        instance: &Instance,
        lower: LowerLevel,
        codes: &Codes,
        weighting: Weighting,
    ) -> Hypergradient {
        match kind {
            Kind::Reconstruction => through(instance, lower, codes, Reconstruction, weighting),
            Kind::Full => through(instance, lower, codes, Full, weighting),
            Kind::Logistic => {
                let upper = LogisticUpper { head: &self.head, labels: &self.labels };
                through(instance, lower, codes, upper, weighting)
            }
            Kind::CodeTarget => through(instance, lower, codes, CodeTarget(&self.codes), weighting),
            Kind::PredictionTarget => {
                let upper = PredictionTarget { samples: &instance.samples, targets: &self.predictions };
                through(instance, lower, codes, upper, weighting)
            }
        }
    }
}

/// Sample weights and the factor of the sum.
type Weighting<'a> = Option<(&'a [f64], f64)>;

fn through(
    instance: &Instance,
    lower: LowerLevel,
    codes: &Codes,
    upper: impl UpperLoss,
    weighting: Weighting,
) -> Hypergradient {
    let problem = instance.problem(lower);
    match weighting {
        None => hypergradient(&problem, instance.samples(), codes, &upper, true),
        Some((weights, scale)) => {
            let upper = Weighted { upper, weights: Some(weights), scale };
            hypergradient(&problem, instance.samples(), codes, &upper, true)
        }
    }
}

/// `1/2 |c - t|^2` over all atoms.
struct CodeTarget<'a>(&'a [f64]);

impl UpperLoss for CodeTarget<'_> {
    fn sample(&self, view: SampleView<'_>, cotangent: &mut Cotangent) -> f64 {
        let target = &self.0[view.index * ATOMS..(view.index + 1) * ATOMS];
        let mut sum: f64 = target.iter().map(|t| t * t / 2.0).sum();
        for (g, (j, c)) in cotangent.code.iter_mut().zip(view.code.iter()) {
            *g = c - target[j];
            sum += c * (c / 2.0 - target[j]);
        }
        sum
    }
}

/// `1/2 |p - t|^2` of the prediction `p = x - r`.
struct PredictionTarget<'a> {
    samples: &'a [f64],
    targets: &'a [f64],
}

impl UpperLoss for PredictionTarget<'_> {
    fn sample(&self, view: SampleView<'_>, cotangent: &mut Cotangent) -> f64 {
        let first = view.index * FEATURES;
        for (t, q) in cotangent.prediction.iter_mut().enumerate() {
            *q = self.samples[first + t] - view.residual[t] - self.targets[first + t];
        }
        cotangent.prediction.iter().map(|q| q * q / 2.0).sum()
    }
}

/// Distance of sample `i` from kinks, in the units of coefficients, residuals and relative correlations; for powers
/// from `r = 0` as well, where the curvature is not smooth.
fn margin(instance: &Instance, lower: &LowerLevel, i: usize, code: &[f64]) -> f64 {
    let residual = instance.residual(i, code);
    let v = instance.correlations(lower.loss, &residual);
    let mut margin = f64::INFINITY;
    if lower.regularization > 0.0 {
        for (&c, v) in code.iter().zip(&v) {
            let distance = if c == 0.0 { 1.0 - v.abs() / lower.regularization } else { c.abs() };
            margin = margin.min(distance);
        }
    }
    for r in residual {
        margin = margin.min(match lower.loss {
            Loss::Squared => f64::INFINITY,
            Loss::Power { .. } => r.abs(),
            Loss::Huber { delta } => (r.abs() - delta).abs(),
        });
    }
    margin
}

const MARGIN: f64 = 0.04;
const STEP: f64 = 4e-4;
/// Step in the numbers of the lower level: ridges go down to 1e-3.
const LOWER_STEP: f64 = 1e-5;

/// Random atoms with the first samples, of many, that have the margin.
fn smooth_instance(lower: LowerLevel) -> Instance {
    let mut instance = Instance::random("smooth", FEATURES, ATOMS, 1500, 70);
    instance.samples.iter_mut().for_each(|x| *x *= 2.0);
    let codes = instance.encode(lower, None, EXACT).codes;
    let wide = |&i: &usize| margin(&instance, &lower, i, &instance.dense(&codes, i)) > MARGIN;
    let chosen = (0..instance.n()).filter(wide).take(SAMPLES);
    let samples: Vec<f64> = chosen.flat_map(|i| instance.sample(i).to_vec()).collect();
    assert_eq!(samples.len(), FEATURES * SAMPLES, "{lower:?}: no samples away from kinks");
    Instance { samples, ..instance }
}

/// Support, signs and outliers of every sample.
fn pattern(instance: &Instance, lower: &LowerLevel, codes: &Codes) -> Vec<(usize, bool)> {
    let mut pattern: Vec<(usize, bool)> = Vec::new();
    for i in 0..instance.n() {
        pattern.extend(codes.row(i).iter().map(|(j, c)| (j, c > 0.0)));
        if let Loss::Huber { delta } = lower.loss {
            let residual = instance.residual(i, &instance.dense(codes, i));
            pattern.extend(residual.iter().map(|r| (usize::MAX, r.abs() > delta)));
        }
    }
    pattern
}

/// One differentiated problem.
struct Case<'a> {
    task: &'a Task,
    kind: Kind,
    lower: LowerLevel,
    instance: Instance,
    weighting: Weighting<'a>,
    pattern: Vec<(usize, bool)>,
}

impl Case<'_> {
    /// The sum of the upper level at the codes of another problem nearby.
    fn sum(&self, instance: &Instance, lower: &LowerLevel) -> f64 {
        let coded = instance.encode(*lower, None, EXACT);
        assert!(coded.report.violation <= 1e-12);
        assert_eq!(pattern(instance, lower, &coded.codes), self.pattern, "a kink within the step");
        let term = |i| {
            let weight = self.weighting.map_or(1.0, |(weights, scale)| weights[i] * scale);
            weight * self.task.value(self.kind, instance, lower, i, &instance.dense(&coded.codes, i))
        };
        (0..instance.n()).map(term).sum()
    }

    fn along_dictionary(&self) -> Vec<f64> {
        let at = |dictionary: &[f64]| {
            let moved = Instance { dictionary: dictionary.to_vec(), ..self.instance.clone() };
            self.sum(&moved, &self.lower)
        };
        testkit::gradient(at, &self.instance.dictionary, STEP)
    }

    fn along_samples(&self) -> Vec<f64> {
        let at = |samples: &[f64]| {
            let moved = Instance { samples: samples.to_vec(), ..self.instance.clone() };
            self.sum(&moved, &self.lower)
        };
        testkit::gradient(at, &self.instance.samples, STEP)
    }

    /// The derivative in one number of the lower level; one-sided (fourth order) at 0, below which there is no problem.
    fn along(&self, change: impl Fn(&mut LowerLevel, f64), at: f64) -> f64 {
        let sum = |offset: f64| {
            let mut lower = self.lower;
            change(&mut lower, offset);
            self.sum(&self.instance, &lower)
        };
        if at > 4.0 * LOWER_STEP {
            return testkit::derivative(sum, 0.0, LOWER_STEP);
        }
        let weights = [-25.0, 48.0, -36.0, 16.0, -3.0];
        let terms = weights.iter().enumerate().map(|(i, w)| w * sum(i as f64 * LOWER_STEP));
        terms.sum::<f64>() / (12.0 * LOWER_STEP)
    }

    fn along_lower(&self) -> [f64; 4] {
        let lower = self.lower;
        let delta = match lower.loss {
            Loss::Huber { delta } => self.along(|l, h| l.loss = Loss::Huber { delta: delta + h }, delta),
            _ => 0.0,
        };
        [
            self.along(|l, h| l.regularization += h, lower.regularization),
            self.along(|l, h| l.elastic_penalty += h, lower.elastic_penalty),
            self.along(|l, h| l.l2_regularization += h, lower.l2_regularization),
            delta,
        ]
    }
}

fn flat(matrix: &faer::Mat<f64>) -> Vec<f64> {
    (0..matrix.ncols()).flat_map(|j| matrix.col(j).iter().copied().collect::<Vec<_>>()).collect()
}

/// The problems of the suite.
fn lower_levels() -> Vec<LowerLevel> {
    let mut all = Vec::new();
    for (loss, regularization) in
        [(Loss::Squared, 0.3), (Loss::Huber { delta: 0.45 }, 0.12), (Loss::Power { exponent: 2.1 }, 0.4)]
    {
        for elastic_penalty in [0.0, 0.01, 0.05, 0.5] {
            for l2_regularization in [0.0, 0.1] {
                if loss == Loss::Squared || elastic_penalty > 0.0 {
                    all.push(LowerLevel {
                        elastic_penalty,
                        l2_regularization,
                        ..LowerLevel::new(loss, regularization)
                    });
                }
            }
        }
    }
    all
}

/// Errors relative to the largest entry: dictionary, samples, numbers of the lower level.
fn errors(case: &Case, found: &Hypergradient) -> [f64; 3] {
    let lower = found.lower;
    let numbers = [lower.regularization, lower.elastic_penalty, lower.l2_regularization, lower.delta];
    let samples = found.samples.as_ref().map(flat).unwrap_or_default();
    [
        testkit::relative_error(&flat(&found.dictionary), &case.along_dictionary()),
        testkit::relative_error(&samples, &case.along_samples()),
        testkit::relative_error(&numbers, &case.along_lower()),
    ]
}

#[test]
fn hypergradients_are_derivatives() {
    let task = Task::new();
    let weights = [0.5, 2.0, 0.0, 1.25];
    for lower in lower_levels() {
        let instance = smooth_instance(lower);
        let codes = instance.encode(lower, None, EXACT).codes;
        for kind in KINDS {
            let weighting = matches!(kind, Kind::CodeTarget | Kind::Full).then_some((&weights[..], 1.5));
            let found = task.differentiate(kind, &instance, lower, &codes, weighting);
            let pattern = pattern(&instance, &lower, &codes);
            let case = Case { task: &task, kind, lower, instance: instance.clone(), weighting, pattern };
            assert_eq!(found.rank_deficient, 0);
            testkit::assert_close(found.value, case.sum(&instance, &lower), 1e-14, 0.0);
            let errors = errors(&case, &found);
            println!("{kind:?} {lower:?}: nonzeros {}, errors {errors:?}", codes.nnz());
            assert!(errors.iter().all(|e| *e <= 1e-8), "{kind:?} {lower:?}: {errors:?}");
        }
    }
}

#[test]
fn without_regularization_the_derivatives_hold_too() {
    let task = Task::new();
    for (loss, l2_regularization) in [
        (Loss::Squared, 0.1),
        (Loss::Huber { delta: 0.45 }, 0.1),
        (Loss::Power { exponent: 2.1 }, 0.1),
        (Loss::Squared, 0.0),
    ] {
        let lower = LowerLevel { loss, l2_regularization, ..lasso(0.0) };
        let mut instance = smooth_instance(lower);
        if l2_regularization == 0.0 {
            // Fewer atoms than features, so that least squares has one solution; the head needs nine atoms.
            instance.k = 4;
            instance.dictionary.truncate(4 * FEATURES);
        }
        let codes = instance.encode(lower, None, EXACT).codes;
        for kind in [Kind::Reconstruction, Kind::PredictionTarget] {
            let found = task.differentiate(kind, &instance, lower, &codes, None);
            assert_eq!(found.rank_deficient, 0);
            // No orthant is kept, so signs may change.
            let case = Case {
                task: &task,
                kind,
                lower,
                instance: instance.clone(),
                weighting: None,
                pattern: pattern(&instance, &lower, &codes),
            };
            let dictionary = testkit::relative_error(&flat(&found.dictionary), &case.along_dictionary());
            let samples = found.samples.as_ref().map(flat).unwrap_or_default();
            let samples = testkit::relative_error(&samples, &case.along_samples());
            assert!(dictionary <= 1e-8 && samples <= 1e-8, "{kind:?} {lower:?}: {dictionary:e} {samples:e}");
        }
    }
}

/// The lower objective with its derivatives, not known to be the lower objective.
struct FullWithoutEnvelope;

impl UpperLoss for FullWithoutEnvelope {
    fn sample(&self, view: SampleView<'_>, cotangent: &mut Cotangent) -> f64 {
        Full.sample(view, cotangent)
    }
}

#[test]
fn the_lower_objective_has_no_derivative_through_the_codes() {
    for lower in lower_levels() {
        let instance = Instance::random("envelope", FEATURES, ATOMS, 7, 71);
        let codes = instance.encode(lower, None, EXACT).codes;
        let found = through(&instance, lower, &codes, Full, None);
        // dL/dD = -sum_i phi'(r_i) c_i^T and dL/dx = phi'(r) alone: beta is exactly 0.
        let mut dictionary = vec![0.0; FEATURES * ATOMS];
        let mut samples = Vec::new();
        for i in 0..instance.n() {
            let code = instance.dense(&codes, i);
            let residual = instance.residual(i, &code);
            let slopes: Vec<f64> = residual.iter().map(|&r| slope(lower.loss, r)).collect();
            for (j, c) in code.iter().enumerate() {
                let atom = &mut dictionary[j * FEATURES..(j + 1) * FEATURES];
                atom.iter_mut().zip(&slopes).for_each(|(a, s)| *a -= c * s);
            }
            samples.extend(slopes);
        }
        testkit::assert_slices_close(&flat(&found.dictionary), &dictionary, 1e-14, 1e-15);
        let along_samples = found.samples.as_ref().map(flat).unwrap_or_default();
        testkit::assert_slices_close(&along_samples, &samples, 1e-14, 1e-15);
        let l1: f64 = codes.values().iter().map(|c| c.abs()).sum();
        let squares: f64 = codes.values().iter().map(|c| c * c).sum();
        let along = found.lower;
        let halved = 0.5 * lower.elastic_penalty * squares;
        testkit::assert_close(along.regularization, l1 + halved, 1e-14, 0.0);
        testkit::assert_close(along.elastic_penalty, 0.5 * lower.regularization * squares, 1e-14, 0.0);
        testkit::assert_close(along.l2_regularization, 0.5 * squares, 1e-14, 0.0);
        // The long way agrees: beta = H^-1 g with g = 0 up to the violation of the codes.
        let long = through(&instance, lower, &codes, FullWithoutEnvelope, None);
        testkit::assert_close(long.value, found.value, 0.0, 0.0);
        let error = testkit::relative_error(&flat(&long.dictionary), &dictionary);
        assert!(error <= 1e-10, "{lower:?}: {error:e}");
    }
}
