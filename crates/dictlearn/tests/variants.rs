//! Weights of the l1 norm, non-negative codes, missing features and kinds of arrays: codes, certificates, hypergradients.
//!
//! The optimality conditions are written here from their definition, over the observed features only.

mod common;

use common::{EXACT, Instance, LOSSES, nonsense, on_threads, slope, value};
use dictlearn::active_set::CoderOptions;
use dictlearn::coder::{Coded, encode};
use dictlearn::codes::Codes;
use dictlearn::hypergradient::{Hypergradient, hypergradient};
use dictlearn::loss::Loss;
use dictlearn::lower::{LowerLevel, Problem};
use dictlearn::method::Method;
use dictlearn::samples::{Samples, SparseRows};
use dictlearn::upper::{Cotangent, Full, Reconstruction, SampleView, UpperLoss};
use faer::MatRef;

/// A problem with everything that may vary; samples hold NaN where a feature is missing.
#[derive(Clone, Debug)]
struct Variant {
    instance: Instance,
    lower: LowerLevel,
    weights: Vec<f64>,
}

impl Variant {
    /// `share` of the largest useful regularization.
    fn new(mut instance: Instance, loss: Loss, share: f64, weighted: bool, missing: bool) -> Self {
        let lower = LowerLevel::new(loss, share * instance.largest_regularization(loss));
        let weights =
            (0..instance.k).map(|j| if weighted { 0.4 + 0.3 * (j % 7) as f64 } else { 1.0 }).collect();
        if missing {
            // A third of the entries; of the last sample all but one.
            let (d, n) = (instance.d, instance.n());
            for (index, x) in instance.samples.iter_mut().enumerate() {
                let gone = (index * 7 + index / d) % 3 == 0 || (index / d == n - 1 && index % d > 0);
                *x = if gone { f64::NAN } else { *x };
            }
        }
        Self { instance, lower, weights }
    }

    fn problem(&self) -> Problem {
        self.instance.problem(self.lower).with_weights(&self.weights).expect("valid weights")
    }

    fn samples(&self) -> Samples<'_> {
        Samples::from(self.instance.samples()).with_missing()
    }

    fn encode(&self, start: Option<&Codes>, options: CoderOptions) -> Coded {
        encode(&self.problem(), self.samples(), start, options).expect("valid input")
    }

    /// Residual of sample `i`, 0 where missing.
    fn residual(&self, i: usize, code: &[f64]) -> Vec<f64> {
        let residual = self.instance.residual(i, code);
        residual.into_iter().map(|r| if r.is_nan() { 0.0 } else { r }).collect()
    }

    fn objective(&self, i: usize, code: &[f64]) -> f64 {
        let fit: f64 = self.residual(i, code).iter().map(|&r| value(self.lower.loss, r)).sum();
        let ridge = self.lower.regularization * self.lower.elastic_penalty + self.lower.l2_regularization;
        let pairs = code.iter().zip(&self.weights);
        fit + pairs.map(|(c, w)| self.lower.regularization * w * c.abs() + ridge / 2.0 * c * c).sum::<f64>()
    }

    /// Largest distance from the optimality conditions, relative to `regularization`.
    fn violation(&self, i: usize, code: &[f64]) -> f64 {
        let LowerLevel { loss, regularization, elastic_penalty, l2_regularization, non_negative } =
            self.lower;
        let ridge = regularization * elastic_penalty + l2_regularization;
        let residual = self.residual(i, code);
        let distance = |j: usize| {
            let pairs = self.instance.atom(j).iter().zip(&residual);
            let v: f64 = pairs.map(|(a, &r)| if r == 0.0 { 0.0 } else { a * slope(loss, r) }).sum();
            let (g, threshold) = (v - ridge * code[j], regularization * self.weights[j]);
            match (code[j], non_negative) {
                (c, true) if c < 0.0 => f64::INFINITY,
                (0.0, true) => (g - threshold).max(0.0),
                (0.0, false) => (g.abs() - threshold).max(0.0),
                (c, _) => (g - threshold * c.signum()).abs(),
            }
        };
        (0..self.instance.k).map(distance).fold(0.0, f64::max) / regularization
    }

    fn dense(&self, codes: &Codes) -> Vec<Vec<f64>> {
        (0..self.instance.n()).map(|i| self.instance.dense(codes, i)).collect()
    }
}

fn instances() -> Vec<Instance> {
    let mut twins = Instance::random("near duplicates 1e-5", 12, 24, 4, 81);
    for j in 0..12 {
        let (copy, noise) = (twins.atom(j).to_vec(), testkit::normal_vector(12, 200 + j as u64));
        twins.atom_mut(j + 12).copy_from_slice(&copy);
        twins.atom_mut(j + 12).iter_mut().zip(noise).for_each(|(a, e)| *a += 1e-5 * e);
    }
    vec![
        Instance::random("one feature", 1, 5, 4, 82),
        Instance::random("fewer atoms than features", 20, 8, 4, 83),
        Instance::random("many atoms", 12, 40, 4, 84),
        twins,
    ]
}

fn variants() -> Vec<Variant> {
    let mut all = Vec::new();
    for instance in instances() {
        for loss in LOSSES {
            for share in [1e-3, 0.03, 0.3] {
                for bits in 0..8 {
                    let mut variant = Variant::new(instance.clone(), loss, share, bits & 1 > 0, bits & 2 > 0);
                    variant.lower.non_negative = bits & 4 > 0;
                    all.push(variant.clone());
                    variant.lower.elastic_penalty = 0.1;
                    // With a ridge an atom may go without an l1 weight.
                    variant.weights[0] = if bits & 1 > 0 { 0.0 } else { 1.0 };
                    all.push(variant);
                }
            }
        }
    }
    all
}

#[test]
fn codes_meet_the_optimality_conditions() {
    let (mut samples, mut not_converged) = (0, 0);
    for variant in variants() {
        let coded = variant.encode(None, CoderOptions::default());
        let codes = variant.dense(&coded.codes);
        let worst = (0..codes.len()).map(|i| variant.violation(i, &codes[i])).fold(0.0, f64::max);
        samples += codes.len();
        not_converged += coded.report.not_converged;
        let place = format!("{}: {:?}, weights {:?}", variant.instance.name, variant.lower, variant.weights);
        testkit::assert_close(worst, coded.report.violation, 1e-3, 2e-11);
        assert!(worst <= 1.2e-10 || coded.report.not_converged > 0, "{place}: {worst:e}");
    }
    println!("{not_converged} of {samples} samples not converged");
    assert_eq!(not_converged, 0);
}

/// Positive and negative parts of a code are a non-negative code of the atoms and their negatives.
#[test]
fn non_negative_codes_of_mirrored_atoms_are_signed_codes() {
    for loss in LOSSES {
        for (elastic_penalty, missing) in [(0.0, false), (0.1, true)] {
            let mut signed =
                Variant::new(Instance::random("signed", 14, 20, 6, 85), loss, 0.1, true, missing);
            signed.lower.elastic_penalty = elastic_penalty;
            let mut mirrored = signed.clone();
            mirrored.lower.non_negative = true;
            mirrored.instance.k = 40;
            mirrored.instance.dictionary.extend(signed.instance.dictionary.iter().map(|a| -a));
            mirrored.weights.extend_from_slice(&signed.weights);
            let (codes, parts) = (signed.encode(None, EXACT), mirrored.encode(None, EXACT));
            assert_eq!((codes.report.not_converged, parts.report.not_converged), (0, 0));
            for (code, parts) in signed.dense(&codes.codes).iter().zip(mirrored.dense(&parts.codes)) {
                for (j, c) in code.iter().enumerate() {
                    assert!(parts[j] >= 0.0 && parts[j + 20] >= 0.0);
                    testkit::assert_close(parts[j] - parts[j + 20], *c, 1e-9, 1e-10);
                }
            }
        }
    }
}

/// `c_j w_j` is the code of the atoms `d_j / w_j`.
#[test]
fn weights_are_scales_of_the_atoms() {
    for loss in LOSSES {
        for missing in [false, true] {
            let weighted =
                Variant::new(Instance::random("weighted", 14, 20, 6, 86), loss, 0.1, true, missing);
            let mut scaled = weighted.clone();
            for j in 0..20 {
                let weight = weighted.weights[j];
                scaled.instance.atom_mut(j).iter_mut().for_each(|a| *a /= weight);
            }
            scaled.weights.fill(1.0);
            let (codes, other) = (weighted.encode(None, EXACT), scaled.encode(None, EXACT));
            assert_eq!((codes.report.not_converged, other.report.not_converged), (0, 0));
            for (code, other) in weighted.dense(&codes.codes).iter().zip(scaled.dense(&other.codes)) {
                for (j, c) in code.iter().enumerate() {
                    testkit::assert_close(c * weighted.weights[j], other[j], 1e-9, 1e-10);
                }
            }
        }
    }
}

/// A sample with missing features is coded as if these rows of the dictionary did not exist.
#[test]
fn missing_features_are_rows_that_do_not_exist() {
    for loss in LOSSES {
        let variant = Variant::new(Instance::random("missing", 15, 12, 5, 87), loss, 0.1, false, true);
        let coded = variant.encode(None, EXACT);
        for i in 0..variant.instance.n() {
            let seen: Vec<usize> = (0..15).filter(|&t| !variant.instance.sample(i)[t].is_nan()).collect();
            let rows = |vector: &[f64]| seen.iter().map(|&t| vector[t]).collect::<Vec<f64>>();
            let alone = Instance {
                name: "observed rows",
                d: seen.len(),
                k: 12,
                dictionary: (0..12).flat_map(|j| rows(variant.instance.atom(j))).collect(),
                samples: rows(variant.instance.sample(i)),
            };
            let code = alone.dense(&alone.encode(variant.lower, None, EXACT).codes, 0);
            let found = variant.instance.dense(&coded.codes, i);
            assert!(testkit::max_abs_diff(&code, &found) <= 1e-10, "{loss:?}, sample {i}");
        }
    }
}

#[test]
fn a_sample_without_observed_features_has_the_code_zero() {
    let mut variant =
        Variant::new(Instance::random("unseen", 5, 9, 3, 88), Loss::Squared, 0.01, false, false);
    variant.instance.samples[5..10].fill(f64::NAN);
    for loss in LOSSES {
        variant.lower.loss = loss;
        let coded = variant.encode(None, CoderOptions::default());
        assert_eq!(coded.report.not_converged, 0);
        assert!(coded.codes.row(1).support.is_empty() && !coded.codes.row(2).support.is_empty());
    }
}

/// Weights over six decades, supports of any size, more than one block, and starts that break the sign constraint.
#[test]
fn blocks_meet_the_conditions_of_any_weights_and_signs() {
    let spreads: [fn(usize) -> f64; 3] =
        [|_| 1.0, |j| 0.5 + 0.25 * (j % 7) as f64, |j| 10_f64.powf((j * 5 % 13) as f64 / 2.0 - 3.0)];
    for (d, k) in [(2, 5), (30, 20), (24, 130)] {
        let instance = Instance::random("blocks", d, k, 110, 90 + k as u64);
        for (case, share) in [0.01, 0.1, 0.4].into_iter().cycle().take(24).enumerate() {
            let mut variant = Variant::new(instance.clone(), Loss::Squared, share, false, false);
            variant.lower.non_negative = case % 2 == 0;
            variant.lower.l2_regularization = [0.0, 1e-3, 0.1, 10.0][case / 2 % 4];
            let place = format!("d = {d}, {:?}", variant.lower);
            for spread in spreads {
                variant.weights = (0..k).map(spread).collect();
                let start = nonsense(&variant.instance, case as u64);
                // The general coder meets the narrow tolerance, the block coder the wide one.
                for options in [EXACT, CoderOptions::default()] {
                    let cold = variant.encode(None, options);
                    let codes = variant.dense(&cold.codes);
                    let each = (0..codes.len()).map(|i| variant.violation(i, &codes[i]));
                    let (worst, reported) = (each.fold(0.0, f64::max), cold.report.violation);
                    assert_eq!(cold.report.not_converged, 0, "{place}: {reported:e}");
                    assert!(worst <= reported + EXACT.tolerance, "{place}: {worst:e} above {reported:e}");
                    let warm = on_threads(3, || variant.encode(Some(&start), options));
                    assert_eq!(warm.codes, cold.codes, "{place}");
                }
            }
        }
    }
}

#[test]
fn starts_and_threads_do_not_matter() {
    for variant in variants().into_iter().filter(|v| v.instance.name == "many atoms") {
        let cold = variant.encode(None, CoderOptions::default());
        let bad = nonsense(&variant.instance, 9);
        for start in [&bad, &cold.codes] {
            let warm = variant.encode(Some(start), CoderOptions::default());
            assert_eq!(warm.codes, cold.codes, "{:?}", variant.lower);
        }
        assert_eq!(on_threads(3, || variant.encode(None, CoderOptions::default())), cold);
    }
}

#[test]
fn every_kind_of_array_gives_the_same_codes() {
    let mut variant =
        Variant::new(Instance::random("kinds", 14, 30, 50, 89), Loss::Squared, 0.1, false, false);
    // Representable in single precision, and half of the entries zero.
    for (index, x) in variant.instance.samples.iter_mut().enumerate() {
        *x = if index % 2 == 0 { 0.0 } else { f64::from(*x as f32) };
    }
    let narrow: Vec<f32> = variant.instance.samples.iter().map(|&x| x as f32).collect();
    let (indices, values): (Vec<u32>, Vec<f64>) = variant
        .instance
        .samples
        .iter()
        .enumerate()
        .map(|(at, &x)| ((at % 14) as u32, x))
        .filter(|e| e.1 != 0.0)
        .unzip();
    let indptr: Vec<usize> = (0..=50).map(|i| i * 7).collect();
    let sparse = SparseRows::new(14, &indptr, &indices, &values).expect("valid rows");
    for loss in LOSSES {
        variant.lower.loss = loss;
        let expected = variant.encode(None, CoderOptions::default());
        let problem = variant.problem();
        let single = Samples::from(MatRef::from_column_major_slice(narrow.as_slice(), 14, 50));
        for samples in [single, Samples::from(sparse)] {
            let coded = encode(&problem, samples, None, CoderOptions::default()).expect("valid input");
            assert_eq!(coded, expected);
        }
    }
}

#[test]
fn the_duality_gap_bounds_what_a_longer_solve_gains() {
    for variant in variants() {
        let exact = variant.dense(&variant.encode(None, EXACT).codes);
        for max_iterations in [1, 2, 1000] {
            let options = CoderOptions { max_iterations, ..CoderOptions::default() };
            let coded = variant.encode(None, options);
            let gap = coded.report.duality_gap;
            for (i, code) in variant.dense(&coded.codes).iter().enumerate() {
                let (here, best) = (variant.objective(i, code), variant.objective(i, &exact[i]));
                let at_zero = variant.objective(i, &vec![0.0; variant.instance.k]);
                let gain = here - best;
                assert!(
                    gain <= gap * at_zero + 1e-13 * at_zero,
                    "{:?}: {gain:e} above {gap:e}",
                    variant.lower
                );
            }
            if max_iterations == 1000 {
                assert!(gap <= 1e-8, "{:?}: {gap:e}", variant.lower);
            }
        }
    }
}

/// `sum_j target_j c_j + 1/2 |c|^2`: an upper level on the codes alone.
struct OnCodes<'a>(&'a [f64]);

impl UpperLoss for OnCodes<'_> {
    fn sample(&self, view: SampleView<'_>, cotangent: &mut Cotangent) -> f64 {
        let pairs = view.code.iter().map(|(j, c)| (self.0[j] + c, (self.0[j] + 0.5 * c) * c));
        let (slopes, values): (Vec<f64>, Vec<f64>) = pairs.unzip();
        cotangent.code.copy_from_slice(&slopes);
        values.iter().sum()
    }
}

/// The upper level and its total derivatives at exact codes; also what must not change between nearby points.
fn evaluate(variant: &Variant, kind: usize) -> (Hypergradient, Vec<u32>) {
    let coded = variant.encode(None, EXACT);
    let targets = testkit::normal_vector(variant.instance.k, 5);
    let (problem, samples) = (variant.problem(), variant.samples());
    let found = match kind {
        0 => hypergradient(&problem, samples, &coded.codes, &Reconstruction, true),
        1 => hypergradient(&problem, samples, &coded.codes, &Full, true),
        _ => hypergradient(&problem, samples, &coded.codes, &OnCodes(&targets), true),
    };
    let mut pattern = coded.codes.indices().to_vec();
    if let Loss::Huber { delta } = variant.lower.loss {
        for (i, code) in variant.dense(&coded.codes).iter().enumerate() {
            pattern.extend(variant.residual(i, code).iter().map(|r| u32::from(r.abs() > delta)));
        }
    }
    (found, pattern)
}

/// A direction in dictionary, samples, weights and the numbers of the lower level.
struct Direction {
    atoms: Vec<f64>,
    samples: Vec<f64>,
    weights: Vec<f64>,
}

impl Direction {
    fn of(variant: &Variant) -> Self {
        Self {
            atoms: testkit::normal_vector(variant.instance.dictionary.len(), 301),
            samples: testkit::normal_vector(variant.instance.samples.len(), 302),
            weights: testkit::normal_vector(variant.instance.k, 303),
        }
    }

    fn moved(&self, variant: &Variant, t: f64) -> Variant {
        let mut moved = variant.clone();
        let step = |vector: &mut [f64], along: &[f64]| {
            vector.iter_mut().zip(along).for_each(|(v, a)| *v += t * a);
        };
        step(&mut moved.instance.dictionary, &self.atoms);
        step(&mut moved.instance.samples, &self.samples);
        step(&mut moved.weights, &self.weights);
        moved.lower.regularization += 0.1 * t;
        moved.lower.elastic_penalty += 0.3 * t;
        moved.lower.l2_regularization -= 0.2 * t;
        if let Loss::Huber { delta } = &mut moved.lower.loss {
            *delta += 0.05 * t;
        }
        moved
    }

    /// The derivative along the direction, from the total derivatives.
    fn derivative(&self, loss: Loss, found: &Hypergradient) -> f64 {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let columns = |matrix: MatRef<'_, f64>| {
            matrix.col_iter().flat_map(|c| c.iter().copied().collect::<Vec<f64>>()).collect::<Vec<f64>>()
        };
        let samples = found.samples.as_ref().expect("asked for");
        let along_delta = if matches!(loss, Loss::Huber { .. }) { 0.05 * found.lower.delta } else { 0.0 };
        dot(&columns(found.dictionary.as_ref()), &self.atoms)
            + dot(&columns(samples.as_ref()), &self.samples)
            + dot(&found.weights, &self.weights)
            + 0.1 * found.lower.regularization
            + 0.3 * found.lower.elastic_penalty
            - 0.2 * found.lower.l2_regularization
            + along_delta
    }
}

#[test]
fn hypergradients_are_derivatives() {
    let (mut compared, mut skipped, mut worst) = (0, 0, 0.0_f64);
    for (seed, loss) in LOSSES.into_iter().enumerate() {
        for bits in 0..8 {
            let instance = Instance::random("derivatives", 10, 14, 4, 90 + seed as u64);
            let mut variant = Variant::new(instance, loss, 0.15, bits & 1 > 0, bits & 2 > 0);
            variant.lower.non_negative = bits & 4 > 0;
            (variant.lower.elastic_penalty, variant.lower.l2_regularization) = (0.2, 0.05);
            let direction = Direction::of(&variant);
            for kind in 0..3 {
                let (found, pattern) = evaluate(&variant, kind);
                let at = |t: f64| evaluate(&direction.moved(&variant, t), kind);
                let step = 2e-5;
                if [-2.0, -1.0, 1.0, 2.0].into_iter().any(|m| at(m * step).1 != pattern) {
                    skipped += 1;
                    continue;
                }
                let numeric = testkit::derivative(|t| at(t).0.value, 0.0, step);
                let along = direction.derivative(loss, &found);
                let error = (along - numeric).abs() / (1.0 + numeric.abs());
                worst = worst.max(error);
                compared += 1;
                assert!(
                    error < 1e-8,
                    "{loss:?}, variant {bits}, upper level {kind}: {along} against {numeric}"
                );
            }
        }
    }
    println!("{compared} compared, {skipped} at kinks, worst error {worst:.1e}");
    assert!(compared >= 100);
}

/// An atom without kink at zero takes part where its coefficient is zero: here all of them, for a sample of zeros.
#[test]
fn free_atoms_count_where_their_coefficient_is_zero() {
    let mut instance = Instance::random("free", 4, 3, 1, 95);
    instance.samples.fill(0.0);
    let lower = LowerLevel { l2_regularization: 0.1, ..LowerLevel::new(Loss::Squared, 0.0) };
    let variant = Variant { instance, lower, weights: vec![1.0; 3] };
    let (found, _) = evaluate(&variant, 2);
    let derivative = found.samples.expect("asked for");
    for t in 0..4 {
        let value = |x: f64| {
            let mut moved = variant.clone();
            moved.instance.samples[t] = x;
            evaluate(&moved, 2).0.value
        };
        testkit::assert_close(derivative[(t, 0)], testkit::derivative(value, 0.0, 1e-4), 1e-9, 1e-10);
        assert!(derivative[(t, 0)] != 0.0);
    }
}

/// One sample that is not solved changes nothing in what is said of its neighbours.
#[test]
fn an_unsolved_neighbour_changes_no_report() {
    let instance = Instance::random("neighbours", 12, 30, 16, 96);
    for loss in LOSSES {
        let lower = LowerLevel::new(loss, 0.02 * instance.largest_regularization(loss));
        let options = CoderOptions { max_iterations: 4, ..CoderOptions::default() };
        let together = instance.encode(lower, None, options);
        let mut alone = dictlearn::certificate::CodingReport::default();
        for i in 0..16 {
            let one = Instance { samples: instance.sample(i).to_vec(), ..instance.clone() };
            let coded = one.encode(lower, None, options);
            assert_eq!(coded.codes.row(0), together.codes.row(i));
            alone = alone.merge(coded.report);
        }
        assert_eq!(together.report, alone, "{loss:?}");
    }
}

/// Where squares leave the range of numbers a gap is still a bound.
#[test]
fn gaps_of_tiny_and_huge_samples_are_those_of_the_scaled_ones() {
    for method in [Method::Homotopy, Method::CoordinateDescent, Method::ActiveSet] {
        let options = CoderOptions { max_iterations: 3, method, ..CoderOptions::default() };
        let plain = Instance::random("scale", 12, 30, 4, 97);
        let lower = LowerLevel::new(Loss::Squared, 0.02 * plain.largest_regularization(Loss::Squared));
        let expected = plain.encode(lower, None, options).report;
        for exponent in [-565, 531] {
            let factor = 2.0_f64.powi(exponent);
            let samples = plain.samples.iter().map(|x| x * factor).collect();
            let scaled = Instance { samples, ..plain.clone() };
            let lower = LowerLevel { regularization: factor * lower.regularization, ..lower };
            let report = scaled.encode(lower, None, options).report;
            assert_eq!(report.not_converged, expected.not_converged, "{method:?}, 2^{exponent}");
            testkit::assert_close(report.duality_gap, expected.duality_gap, 1e-9, 1e-14);
            testkit::assert_close(report.violation, expected.violation, 1e-9, 1e-12);
        }
    }
}
