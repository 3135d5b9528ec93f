//! Codes on every instruction set of this machine, and on shapes at the edges of the blocks: whole and broken chunks of
//! atoms and features, more and fewer samples than a block, supports beyond the number of features.

mod common;

use common::{Instance, LOSSES, lasso};
use dictlearn::active_set::CoderOptions;
use dictlearn::coder::encode;
use dictlearn::lower::{LowerLevel, Problem};
use linalg::simd::Isa;

/// Every set solves every problem to the tolerance, by an independent check; codes agree to their conditioning.
fn check(instance: &Instance, lower: LowerLevel) {
    let options = CoderOptions { tolerance: 1e-12, ..CoderOptions::default() };
    let reference = instance.encode(lower, None, options);
    for isa in Isa::available() {
        let problem: Problem = instance.problem(lower).with_isa(isa);
        let coded = encode(&problem, instance.samples(), None, options).expect("finite samples");
        let place = format!("{} on {}: {lower:?}", instance.name, isa.name());
        assert_eq!(coded.report.not_converged, 0, "{place}");
        assert!(coded.report.violation <= options.tolerance, "{place}");
        for i in 0..instance.n() {
            let code = instance.dense(&coded.codes, i);
            let violation = instance.violation(&lower, i, &code);
            assert!(violation <= 3e-12, "{place}: sample {i}: {violation:e}");
            let difference = testkit::max_abs_diff(&code, &instance.dense(&reference.codes, i));
            assert!(difference <= 1e-9, "{place}: sample {i}: codes differ by {difference:e}");
        }
    }
}

#[test]
fn every_instruction_set_solves_every_shape() {
    let shapes = [(1, 1, 3), (3, 16, 47), (16, 17, 48), (17, 64, 49), (33, 65, 100), (64, 256, 60)];
    for (seed, (d, k, n)) in shapes.into_iter().enumerate() {
        let instance = Instance::random("shape", d, k, n, 60 + seed as u64);
        let largest = instance.largest_regularization(dictlearn::loss::Loss::Squared);
        for share in [0.05, 0.4] {
            for elastic_penalty in [0.0, 0.1] {
                check(&instance, LowerLevel { elastic_penalty, ..lasso(share * largest) });
            }
        }
    }
}

#[test]
fn every_instruction_set_solves_every_loss() {
    for (seed, (d, k, n)) in [(17, 64, 10), (64, 70, 6), (83, 40, 6)].into_iter().enumerate() {
        let instance = Instance::random("loss", d, k, n, 80 + seed as u64);
        for loss in LOSSES {
            let regularization = 0.2 * instance.largest_regularization(loss);
            check(&instance, LowerLevel { loss, elastic_penalty: 0.1, ..lasso(regularization) });
        }
    }
}

#[test]
fn supports_beyond_the_number_of_features() {
    let instance = Instance::random("large supports", 10, 60, 20, 70);
    let largest = instance.largest_regularization(dictlearn::loss::Loss::Squared);
    let lower = LowerLevel { l2_regularization: 0.5, ..lasso(0.01 * largest) };
    let coded = instance.encode(lower, None, CoderOptions::default());
    assert!(coded.codes.nnz() > 20 * 20, "on average above twice the number of features");
    check(&instance, lower);
}
