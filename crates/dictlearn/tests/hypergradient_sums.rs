//! Hypergradients where there are none, and their sums: singular systems are reported, samples add up in any batches and
//! on any number of threads.

mod common;

use common::{EXACT, Instance, lasso, on_threads};
use dictlearn::active_set::CoderOptions;
use dictlearn::codes::{Code, Codes};
use dictlearn::hypergradient::{Hypergradient, hypergradient};
use dictlearn::loss::Loss;
use dictlearn::lower::LowerLevel;
use dictlearn::upper::{Reconstruction, UpperLoss, Weighted};

fn through(instance: &Instance, lower: LowerLevel, codes: &Codes, upper: &impl UpperLoss) -> Hypergradient {
    hypergradient(&instance.problem(lower), instance.samples(), codes, upper, true)
}

fn flat(matrix: &faer::Mat<f64>) -> Vec<f64> {
    let columns = (0..matrix.ncols()).flat_map(|j| matrix.col(j).iter());
    columns.copied().collect()
}

/// A code on the atoms given, once per sample.
fn codes_on(k: usize, n: usize, support: &[u32], values: &[f64]) -> Codes {
    let mut codes = Codes::new(k);
    (0..n).for_each(|_| codes.push(Code { support, values }));
    codes
}

#[test]
fn a_flat_piece_of_huber_is_reported() {
    // P(c) = huber(3 - c) + huber(0) + |c| with delta = 1 = lambda: constant for c in [0, 2].
    let instance = Instance { name: "flat", d: 2, k: 1, dictionary: vec![1.0, 0.0], samples: vec![3.0, 0.0] };
    let lower = LowerLevel { loss: Loss::Huber { delta: 1.0 }, ..lasso(1.0) };
    let cold = instance.encode(lower, None, EXACT);
    assert_eq!((cold.report.not_converged, cold.report.undecided), (0, 1));
    let inside = instance.encode(lower, Some(&codes_on(1, 1, &[0], &[0.5])), EXACT);
    assert_eq!(inside.report.not_converged, 0);
    if inside.codes.nnz() > 0 {
        let found = through(&instance, lower, &inside.codes, &Reconstruction);
        assert_eq!(found.rank_deficient, 1);
    } else {
        assert_eq!(inside.report.undecided, 1);
    }
    // One inlier for two atoms: the third feature is the only one that sees both.
    let two = Instance {
        name: "one inlier",
        d: 3,
        k: 2,
        dictionary: vec![1.0, 0.0, 1.0, 0.0, 1.0, 1.0],
        samples: vec![9.0, 9.0, 2.5],
    };
    let lower = LowerLevel { loss: Loss::Huber { delta: 1.0 }, ..lasso(1.5) };
    let codes = codes_on(2, 1, &[0, 1], &[1.0, 1.0]);
    assert!(two.violation(&lower, 0, &[1.0, 1.0]) <= 1e-15);
    let found = through(&two, lower, &codes, &Reconstruction);
    assert_eq!(found.rank_deficient, 1);
    let coded = two.encode(lower, None, EXACT);
    assert_eq!(coded.report.not_converged, 0);
    let found = through(&two, lower, &coded.codes, &Reconstruction);
    assert!(found.rank_deficient + coded.report.undecided > 0);
    // A ridge makes it regular.
    let regular = LowerLevel { elastic_penalty: 0.01, ..lower };
    let coded = two.encode(regular, None, EXACT);
    let found = through(&two, regular, &coded.codes, &Reconstruction);
    assert_eq!((found.rank_deficient, coded.report.undecided, coded.codes.nnz()), (0, 0, 2));
}

#[test]
fn duplicate_atoms_are_reported_unless_a_ridge_tells_them_apart() {
    for sign in [1.0, -1.0] {
        let mut instance = Instance::random("duplicates", 10, 16, 40, 81);
        for j in 0..8 {
            let copy: Vec<f64> = instance.atom(j).iter().map(|a| sign * a).collect();
            instance.atom_mut(j + 8).copy_from_slice(&copy);
        }
        for loss in [Loss::Squared, Loss::Huber { delta: 0.2 }] {
            let lower = LowerLevel { loss, ..lasso(0.2 * instance.largest_regularization(loss)) };
            let mut nonzero = 0;
            for i in 0..instance.n() {
                let one = Instance { samples: instance.sample(i).to_vec(), ..instance.clone() };
                let coded = one.encode(lower, None, EXACT);
                assert_eq!(coded.report.not_converged, 0);
                if coded.codes.nnz() == 0 {
                    continue;
                }
                nonzero += 1;
                let found = through(&one, lower, &coded.codes, &Reconstruction);
                assert!(coded.report.undecided + found.rank_deficient > 0, "sample {i}");
                // Shared between the twins, the code is optimal too.
                let code = one.dense(&coded.codes, 0);
                let shared = |j: usize| 0.5 * (code[j] + sign * code[(j + 8) % 16]);
                let support: Vec<u32> = (0..16).filter(|&j| shared(j as usize) != 0.0).collect();
                let values: Vec<f64> = support.iter().map(|&j| shared(j as usize)).collect();
                let codes = codes_on(16, 1, &support, &values);
                let found = through(&one, lower, &codes, &Reconstruction);
                assert_eq!(found.rank_deficient, 1, "sample {i}");
            }
            assert!(nonzero > 20);
            let regular = LowerLevel { elastic_penalty: 0.05, ..lower };
            let coded = instance.encode(regular, None, EXACT);
            let found = through(&instance, regular, &coded.codes, &Reconstruction);
            assert_eq!((found.rank_deficient, coded.report.undecided), (0, 0));
        }
    }
}

#[test]
fn least_squares_with_more_atoms_than_features_are_reported() {
    let instance = Instance::random("least squares", 5, 8, 6, 82);
    for loss in [Loss::Squared, Loss::Huber { delta: 0.5 }, Loss::Power { exponent: 2.1 }] {
        let lower = LowerLevel { loss, ..lasso(0.0) };
        let coded = instance.encode(lower, None, CoderOptions::default());
        let found = through(&instance, lower, &coded.codes, &Reconstruction);
        assert_eq!((coded.report.not_converged, found.rank_deficient), (0, 6), "{loss:?}");
    }
}

/// `n` samples of three features, four atoms, squared loss.
fn many_samples(n: usize) -> (Instance, LowerLevel, Codes) {
    let instance = Instance::random("many samples", 3, 4, n, 83);
    let lower = LowerLevel { elastic_penalty: 0.05, ..lasso(0.1) };
    let codes = instance.encode(lower, None, CoderOptions::default()).codes;
    (instance, lower, codes)
}

#[test]
fn batches_add_up() {
    let n = 2500;
    let (instance, lower, codes) = many_samples(n);
    let together = through(&instance, lower, &codes, &Reconstruction);
    let part = |range: std::ops::Range<usize>| {
        let samples = instance.samples[3 * range.start..3 * range.end].to_vec();
        let part = Instance { samples, ..instance.clone() };
        let rows: Vec<usize> = range.collect();
        through(&part, lower, &codes.select(&rows), &Reconstruction)
    };
    let (first, second) = (part(0..1100), part(1100..n));
    testkit::assert_close(first.value + second.value, together.value, 1e-13, 0.0);
    let sum = flat(&(&first.dictionary + &second.dictionary));
    assert!(testkit::relative_error(&sum, &flat(&together.dictionary)) <= 1e-13);
    let along = first.lower.regularization + second.lower.regularization;
    testkit::assert_close(along, together.lower.regularization, 1e-13, 0.0);
    let columns = |h: &Hypergradient| h.samples.as_ref().map(flat).unwrap_or_default();
    let joined = [columns(&first), columns(&second)].concat();
    assert_eq!(joined, columns(&together));
}

#[test]
fn weights_and_scale_multiply_the_samples() {
    let (instance, lower, codes) = many_samples(12);
    let weights: Vec<f64> = (0..12).map(|i| 0.25 * f64::from(i)).collect();
    let upper = Weighted { upper: Reconstruction, weights: Some(&weights), scale: 3.0 };
    let weighted = through(&instance, lower, &codes, &upper);
    let mut value = 0.0;
    let mut dictionary = vec![0.0; 12];
    for (i, weight) in weights.iter().enumerate() {
        let one = Instance { samples: instance.sample(i).to_vec(), ..instance.clone() };
        let single = through(&one, lower, &codes.select(&[i]), &Reconstruction);
        value += 3.0 * weight * single.value;
        let pairs = dictionary.iter_mut().zip(flat(&single.dictionary));
        pairs.for_each(|(sum, g)| *sum += 3.0 * weight * g);
    }
    testkit::assert_close(weighted.value, value, 1e-14, 0.0);
    assert!(testkit::relative_error(&flat(&weighted.dictionary), &dictionary) <= 1e-14);
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let (instance, lower, codes) = many_samples(2100);
    let run = || {
        let found = through(&instance, lower, &codes, &Reconstruction);
        let samples = found.samples.as_ref().map(flat);
        (found.value, flat(&found.dictionary), samples, found.lower)
    };
    let one = on_threads(1, run);
    for threads in [2, 3, 8] {
        assert_eq!(on_threads(threads, run), one);
    }
}
