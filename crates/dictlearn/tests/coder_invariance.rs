//! Codes depend on the problem alone: not on the start, the threads or the neighbours, and they follow the signs, the
//! order and the scale of what they are given.

mod common;

use common::{EXACT, Instance, LOSSES, code_error_bound, coherent, lasso, nonsense, on_threads};
use dictlearn::active_set::CoderOptions;
use dictlearn::coder::encode;
use dictlearn::codes::{Code, Codes};
use dictlearn::loss::Loss;
use dictlearn::lower::LowerLevel;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn perturbed(instance: &Instance, size: f64) -> Instance {
    let mut moved = instance.clone();
    let noise = testkit::normal_vector(moved.dictionary.len(), 77);
    let pairs = moved.dictionary.iter_mut().zip(noise);
    pairs.for_each(|(a, e)| *a += size * e);
    moved
}

#[test]
fn the_start_does_not_matter() {
    let (mut same, mut all) = (BTreeMap::<String, usize>::new(), 0);
    for instance in [
        Instance::random("many atoms", 16, 48, 20, 41),
        Instance::random("few atoms", 16, 8, 20, 42),
        coherent("cosine .8", 0.8, 43),
    ] {
        for elastic_penalty in [0.0, 0.1] {
            for share in [0.05, 0.3] {
                all += instance.n();
                for loss in LOSSES {
                    let lower = LowerLevel {
                        loss,
                        elastic_penalty,
                        ..lasso(share * instance.largest_regularization(loss))
                    };
                    let cold = instance.encode(lower, None, CoderOptions::default());
                    let near = perturbed(&instance, 1e-3).encode(lower, None, EXACT);
                    for start in [&near.codes, &nonsense(&instance, 50), &cold.codes] {
                        let warm = instance.encode(lower, Some(start), CoderOptions::default());
                        assert_eq!(warm.report.not_converged, 0);
                        let rows = warm.codes.rows().zip(cold.codes.rows());
                        let equal = rows.filter(|(w, c)| w == c).count();
                        *same.entry(format!("{loss:?}")).or_default() += equal;
                    }
                }
            }
        }
    }
    println!("the same bits from three starts, of {}: {same:?}", 3 * all);
    for (loss, same) in same {
        assert_eq!(same, 3 * all, "{loss}");
    }
}

/// Nor where the tolerance would let more than one code pass.
#[test]
fn the_start_does_not_matter_at_coarse_tolerances() {
    for tolerance in [1e-2, 1e-4, 1e-6, 1e-10] {
        let options = CoderOptions { tolerance, ..CoderOptions::default() };
        for seed in 900..910 {
            let instance = Instance::random("coarse", 24, 120, 96, seed);
            let start = instance.encode(lasso(0.1001), None, options).codes;
            let warm = instance.encode(lasso(0.1), Some(&start), options);
            let cold = instance.encode(lasso(0.1), None, options);
            assert_eq!(warm.codes, cold.codes, "tolerance {tolerance:e}, seed {seed}");
            assert!(cold.report.violation <= 1e-10);
        }
    }
}

/// Samples that homotopy rescues, coded again from their own codes.
#[test]
fn rescued_codes_are_the_same_when_they_are_the_start() {
    let (d, k, width) = (48, 129, 0.08);
    let bump = |j: usize, t: usize| {
        let u = t as f64 / d as f64 - (j as f64 * 0.618_033_988_75).fract();
        (-u * u / (2.0 * width * width)).exp()
    };
    let mut instance = Instance::random("bumps", d, k, 97, 5);
    instance.samples = testkit::unit_columns(d, 97, 5);
    for j in 0..k {
        let norm = (0..d).map(|t| bump(j, t).powi(2)).sum::<f64>().sqrt();
        instance.atom_mut(j).iter_mut().enumerate().for_each(|(t, a)| *a = bump(j, t) / norm);
    }
    for regularization in [3e-3, 1e-3] {
        let cold = instance.encode(lasso(regularization), None, CoderOptions::default());
        let again = instance.encode(lasso(regularization), Some(&cold.codes), CoderOptions::default());
        assert!(cold.report.rescued > 50 && cold.report.not_converged == 0, "{:?}", cold.report);
        assert_eq!(cold.codes, again.codes, "regularization {regularization:e}");
    }
}

#[test]
fn just_enough_iterations_give_the_same_code() {
    let instance = Instance::random("iterations", 12, 30, 1, 44);
    for loss in LOSSES {
        let lower = lasso(0.1 * instance.largest_regularization(loss));
        let lower = LowerLevel { loss, ..lower };
        let code = instance.encode(lower, None, CoderOptions::default());
        let with = |max_iterations| {
            let options = CoderOptions { max_iterations, ..CoderOptions::default() };
            instance.encode(lower, None, options)
        };
        let enough = (1..100).find(|&m| with(m).report.not_converged == 0);
        // Too few rounds for the active set may be enough steps for the homotopy that comes after it.
        assert_eq!(enough.map(|m| with(m).codes), Some(code.codes), "{loss:?}");
    }
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let instance = Instance::random("threads", 10, 25, 75, 51);
    for loss in LOSSES {
        let lower =
            LowerLevel { elastic_penalty: 0.01, loss, ..lasso(0.1 * instance.largest_regularization(loss)) };
        let encode = || instance.encode(lower, None, CoderOptions::default());
        let one = on_threads(1, encode);
        for threads in [2, 3, 8] {
            assert_eq!(on_threads(threads, encode), one);
        }
    }
}

#[test]
fn a_sample_is_coded_alike_in_any_company() {
    let instance = Instance::random("company", 10, 25, 37, 52);
    let lower = lasso(0.1 * instance.largest_regularization(Loss::Squared));
    let together = instance.encode(lower, None, CoderOptions::default());
    for i in [0, 15, 16, 36] {
        let alone = Instance { samples: instance.sample(i).to_vec(), ..instance.clone() };
        let alone = alone.encode(lower, None, CoderOptions::default());
        assert_eq!(alone.codes.row(0), together.codes.row(i));
    }
}

fn scaled(values: &[f64], factor: f64) -> Vec<f64> {
    values.iter().map(|v| factor * v).collect()
}

#[test]
fn signs_of_samples_and_atoms_carry_over_bit_by_bit() {
    let instance = Instance::random("signs", 10, 25, 12, 53);
    for loss in LOSSES {
        let lower =
            LowerLevel { loss, elastic_penalty: 0.01, ..lasso(0.05 * instance.largest_regularization(loss)) };
        let codes = instance.encode(lower, None, EXACT).codes;
        let negated = Instance { samples: scaled(&instance.samples, -1.0), ..instance.clone() };
        let negative = negated.encode(lower, None, EXACT).codes;
        assert_eq!(negative.indices(), codes.indices());
        assert_eq!(negative.values(), scaled(codes.values(), -1.0));

        let mut flipped = instance.clone();
        for j in (0..25).step_by(2) {
            flipped.atom_mut(j).iter_mut().for_each(|a| *a = -*a);
        }
        let other = flipped.encode(lower, None, EXACT).codes;
        assert_eq!(other.indices(), codes.indices());
        let expected: Vec<f64> = codes
            .indices()
            .iter()
            .zip(codes.values())
            .map(|(&j, &c)| if j % 2 == 0 { -c } else { c })
            .collect();
        assert_eq!(other.values(), expected);
    }
}

#[test]
fn codes_scale_with_the_data() {
    let instance = Instance::random("scale", 10, 25, 12, 54);
    let lower =
        LowerLevel { elastic_penalty: 0.25, ..lasso(0.05 * instance.largest_regularization(Loss::Squared)) };
    let codes = instance.encode(lower, None, EXACT).codes;
    // P scales with the square of the data when lambda scales with them and the ridge stays.
    for (factor, error) in
        [(2.0_f64.powi(40), 0.0), (2.0_f64.powi(-332), 0.0), (1e100, 1e-13), (1e-100, 1e-13)]
    {
        let other = Instance { samples: scaled(&instance.samples, factor), ..instance.clone() };
        let lower = LowerLevel {
            regularization: factor * lower.regularization,
            elastic_penalty: lower.elastic_penalty / factor,
            ..lower
        };
        let coded = other.encode(lower, None, EXACT);
        assert_eq!(coded.report.not_converged, 0, "factor {factor:e}");
        assert_eq!(coded.codes.indices(), codes.indices());
        let back = scaled(coded.codes.values(), 1.0 / factor);
        let difference = testkit::relative_error(&back, codes.values());
        assert!(difference <= error, "factor {factor:e}: {difference:e}");
    }
    // The other losses, each with the scale of its own slope.
    for loss in [Loss::Huber { delta: 0.2 }, Loss::Power { exponent: 2.1 }, Loss::Power { exponent: 3.0 }] {
        let lower =
            LowerLevel { loss, elastic_penalty: 0.25, ..lasso(0.05 * instance.largest_regularization(loss)) };
        let codes = instance.encode(lower, None, EXACT).codes;
        for factor in [2.0_f64.powi(300), 1e100, 1e-100] {
            let other = Instance { samples: scaled(&instance.samples, factor), ..instance.clone() };
            let (loss, p) = match loss {
                Loss::Huber { delta } => (Loss::Huber { delta: factor * delta }, 2.0),
                Loss::Power { exponent } => (loss, exponent),
                Loss::Squared => (loss, 2.0),
            };
            let regularization = lower.regularization * factor.powf(p - 1.0);
            let lower = LowerLevel { loss, regularization, elastic_penalty: 0.25 / factor, ..lower };
            let coded = other.encode(lower, None, EXACT);
            assert_eq!(coded.report.not_converged, 0, "{loss:?}, factor {factor:e}");
            let back = scaled(coded.codes.values(), 1.0 / factor);
            assert!(testkit::relative_error(&back, codes.values()) <= 1e-11, "{loss:?}, factor {factor:e}");
        }
    }
    // Huber: delta is in the unit of the data.
    let huber = |delta| LowerLevel { loss: Loss::Huber { delta }, ..lower };
    let codes = instance.encode(huber(0.2), None, EXACT).codes;
    let other = Instance { samples: scaled(&instance.samples, 1024.0), ..instance.clone() };
    let lower = LowerLevel {
        regularization: 1024.0 * lower.regularization,
        elastic_penalty: lower.elastic_penalty / 1024.0,
        ..huber(0.2 * 1024.0)
    };
    let large = other.encode(lower, None, EXACT).codes;
    assert_eq!(scaled(large.values(), 1.0 / 1024.0), codes.values());
}

#[test]
fn data_rounded_to_single_precision_give_nearly_the_same_codes() {
    let instance = Instance::random("single precision", 8, 12, 10, 58);
    let round = |values: &[f64]| values.iter().map(|&v| f64::from(v as f32)).collect();
    let rounded = Instance {
        dictionary: round(&instance.dictionary),
        samples: round(&instance.samples),
        ..instance.clone()
    };
    for loss in LOSSES {
        let lower =
            LowerLevel { loss, elastic_penalty: 0.1, ..lasso(0.1 * instance.largest_regularization(loss)) };
        let exact = instance.encode(lower, None, EXACT).codes;
        let single = rounded.encode(lower, None, EXACT).codes;
        assert_eq!(single.indices(), exact.indices());
        assert!(testkit::relative_error(single.values(), exact.values()) <= 1e-4);
        assert!(exact.nnz() * 20 > 12 * 10);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(20),
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_small_problem_is_solved_and_its_atoms_may_be_permuted(
        d in 1_usize..12, k in 1_usize..20, n in 1_usize..4, seed in 0_u64..1000, loss in 0..LOSSES.len(),
        share in 1e-3..1.0_f64, elastic_penalty in 1e-3..1.0_f64,
    ) {
        let instance = Instance::random("any", d, k, n, seed);
        let lower = LowerLevel {
            loss: LOSSES[loss],
            elastic_penalty,
            ..lasso(share * instance.largest_regularization(LOSSES[loss]))
        };
        let coded = instance.encode(lower, None, CoderOptions::default());
        prop_assert_eq!(coded.report.not_converged, 0);
        let place = |j: usize| (j + k / 2) % k;
        let mut other = instance.clone();
        for j in 0..k {
            other.atom_mut(place(j)).copy_from_slice(instance.atom(j));
        }
        let moved = other.encode(lower, None, CoderOptions::default());
        for i in 0..n {
            let code = instance.dense(&coded.codes, i);
            prop_assert!(instance.violation(&lower, i, &code) <= 1.1e-10);
            let there = other.dense(&moved.codes, i);
            let back: Vec<f64> = (0..k).map(|j| there[place(j)]).collect();
            let bound = code_error_bound(&instance, &lower, i, &code) + code_error_bound(&other, &lower, i, &there);
            prop_assert!(testkit::max_abs_diff(&code, &back) <= bound + 1e-13);
        }
    }
}

#[test]
fn beyond_the_range_of_squares_a_code_is_right_or_reported() {
    let instance = Instance::random("range", 10, 25, 6, 59);
    for loss in LOSSES {
        for factor in [1e-300, 1e-200, 1e-120, 1e120, 1e200, 1e300] {
            let other = Instance { samples: scaled(&instance.samples, factor), ..instance.clone() };
            let regularization = 0.1 * other.largest_regularization(loss);
            if !regularization.is_finite() {
                continue;
            }
            let lower = LowerLevel { loss, elastic_penalty: 0.1, ..lasso(regularization) };
            let options = CoderOptions { max_iterations: 50, ..CoderOptions::default() };
            let coded = other.encode(lower, None, options);
            let fails = |&i: &usize| {
                let violation = other.violation(&lower, i, &other.dense(&coded.codes, i));
                violation.is_nan() || violation > 1.1e-10
            };
            let failing = (0..other.n()).filter(fails).count();
            assert_eq!(coded.report.not_converged, failing, "{loss:?}, factor {factor:e}");
        }
    }
}

/// The certificate is that of the code returned, also where that had to be rounded.
#[test]
fn codes_beyond_the_range_of_numbers_are_reported() {
    let one = |x: f64, atom: f64, lower: LowerLevel| {
        let instance = Instance { name: "one", d: 1, k: 1, dictionary: vec![atom], samples: vec![x] };
        instance.encode(lower, None, CoderOptions::default())
    };
    for loss in [Loss::Squared, Loss::Huber { delta: 1e305 }] {
        let large = one(1e306, 1e-4, LowerLevel { loss, ..lasso(1e300) });
        assert_eq!(large.report.not_converged, 1, "{loss:?}: {large:?}");
    }
    let tiny = one(1e-310, 1e5, lasso(1e-306));
    assert_eq!(tiny.report.not_converged, 1, "{tiny:?}");
    testkit::assert_close(tiny.report.violation, 1.2e-9, 0.1, 0.0);
    let vanished = one(1e-100, 1.0, LowerLevel { l2_regularization: 1e300, ..lasso(5e-102) });
    assert_eq!((vanished.codes.nnz(), vanished.report.not_converged), (0, 1), "{vanished:?}");
    testkit::assert_close(vanished.report.violation, 19.0, 1e-9, 0.0);
}

#[test]
fn without_atoms_codes_are_empty() {
    let instance = Instance { dictionary: Vec::new(), k: 0, ..Instance::random("no atoms", 3, 1, 5, 1) };
    for loss in LOSSES {
        let coded = instance.encode(LowerLevel { loss, ..lasso(0.1) }, None, CoderOptions::default());
        assert_eq!((coded.codes.nnz(), coded.report.not_converged, coded.report.violation), (0, 0, 0.0));
    }
}

#[test]
fn a_dictionary_that_is_not_finite_is_reported() {
    let mut instance = Instance::random("not finite", 6, 9, 3, 60);
    instance.atom_mut(4)[2] = f64::NAN;
    for loss in LOSSES {
        let lower = LowerLevel { loss, ..lasso(0.1) };
        let coded = instance.encode(lower, None, CoderOptions::default());
        assert_eq!(coded.report.not_converged, 3);
        assert!(coded.report.violation.is_nan());
    }
}

/// A regularization below the rounding of single precision, with numbers of atoms that fill no whole chunk.
#[test]
fn what_single_precision_cannot_see_is_solved_all_the_same() {
    for (d, k, regularization) in [(300, 17, 1e-4), (300, 17, 1e-6), (64, 17, 2.765e-5), (64, 16, 1e-5)] {
        let mut instance = Instance::random("tiny regularization", d, k, 3, 48);
        instance.samples.iter_mut().for_each(|x| *x *= (d as f64).sqrt());
        for tolerance in [1e-2, 1e-6] {
            let lower = lasso(regularization);
            let coded = instance.encode(lower, None, CoderOptions { tolerance, ..EXACT });
            assert_eq!((coded.report.not_converged, coded.report.undecided), (0, 0), "d {d}, k {k}");
            for i in 0..3 {
                let violation = instance.violation(&lower, i, &instance.dense(&coded.codes, i));
                assert!(violation <= 1.01 * tolerance, "d {d}, k {k}: {violation:e}");
            }
        }
    }
}

/// Starts from which nothing good can come.
#[test]
fn wild_starts_are_forgotten() {
    let instance = Instance::random("wild starts", 10, 20, 3, 61);
    for loss in LOSSES {
        let lower =
            LowerLevel { loss, elastic_penalty: 0.1, ..lasso(0.1 * instance.largest_regularization(loss)) };
        let cold = instance.encode(lower, None, CoderOptions::default());
        for size in [1e20, 1e100, 1e300] {
            let mut start = Codes::new(20);
            (0..3).for_each(|_| start.push(Code { support: &[1, 7, 19], values: &[size, -size, size] }));
            assert_eq!(instance.encode(lower, Some(&start), CoderOptions::default()).codes, cold.codes);
        }
        let mut start = Codes::new(20);
        (0..3).for_each(|_| start.push(Code { support: &[4], values: &[f64::NAN] }));
        let problem = instance.problem(lower);
        let error = encode(&problem, instance.samples(), Some(&start), CoderOptions::default());
        let text = error.expect_err("a start that is not a number").to_string();
        assert!(text.starts_with("start holds NaN at row 0, column 4"), "{text}");
    }
}
