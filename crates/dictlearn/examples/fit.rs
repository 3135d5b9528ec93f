//! Learns a dictionary from synthetic signals and compares it with the planted one.
//!
//! `minimise sum_i min_c 1/2 |x_i - D c|^2 + lambda (|c|_1 + elastic_penalty/2 |c|^2)` over dictionaries `D` whose atoms
//! have norm 1, by accelerated proximal gradient on the exact codes. Run with `cargo run -p dictlearn --example fit`.

use dictlearn::active_set::CoderOptions;
use dictlearn::dictionary::{Constraint, Initialization, coherence, recovery};
use dictlearn::error::Error;
use dictlearn::learner::{DescentOptions, Learner, Optimizer, Project};
use dictlearn::loss::Loss;
use dictlearn::lower::LowerLevel;
use dictlearn::objective::{Objective, TrainingData};
use dictlearn::synthetic::{SyntheticOptions, make_sparse_coded_signal};
use std::ops::ControlFlow;

const SEED: u64 = 0;
const N_ATOMS: usize = 24;

fn main() -> Result<(), Error> {
    // 1500 signals of 20 entries, each a combination of 3 out of 24 planted atoms, without noise.
    let options = SyntheticOptions {
        n_samples: 1500,
        n_features: 20,
        n_atoms: N_ATOMS,
        n_nonzero: 3,
        scale: 1.0,
        noise: 0.0,
    };
    let signal = make_sparse_coded_signal(&options, SEED)?;
    let samples = signal.samples.as_ref();
    let start = Initialization::Samples.draw(samples, N_ATOMS, SEED)?;

    let learner = Learner {
        lower: LowerLevel { elastic_penalty: 0.01, ..LowerLevel::new(Loss::Squared, 0.1) },
        weights: None,
        coder: CoderOptions::default(),
        constraint: Constraint::UnitSphere,
    };
    let descent = DescentOptions {
        optimizer: Optimizer::ProximalGradient {
            acceleration: true,
            restart: true,
            initial_step: 1.0,
            max_halvings: 30,
        },
        max_iterations: 150,
        tolerance: 1e-6,
        batch_size: None,
        project: Project::EachStep,
    };
    let data = TrainingData { samples: samples.into(), labels: None, weights: None };
    let learned = learner.learn(data, start.as_ref(), Objective::Full, &descent, SEED, &mut |progress| {
        let record = progress.record;
        if record.iteration.is_multiple_of(25) {
            println!("step {:3}: objective {:.4}", record.iteration, record.objective);
        }
        ControlFlow::Continue(())
    })?;

    println!("{:?} after {} steps", learned.status, learned.history.len());
    let report = learned.coded.report;
    println!(
        "codes: {} of {} not converged, largest KKT violation {:.0e} of lambda",
        report.not_converged, report.n_samples, report.violation
    );
    println!("explained variance {:.4}", learned.explained_variance);
    println!("largest |cos| of two learned atoms {:.4}", coherence(learned.dictionary.as_ref()));
    let found = recovery(signal.dictionary.as_ref(), learned.dictionary.as_ref());
    let mean = found.iter().sum::<f64>() / found.len() as f64;
    let worst = found.iter().copied().fold(1.0, f64::min);
    println!("planted atoms, best |cos| with a learned one: mean {mean:.4}, min {worst:.4}");
    Ok(())
}
