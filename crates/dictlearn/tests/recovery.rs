//! A planted dictionary is found again: noise-free signals, three atoms each, from random samples as the first atoms.
//!
//! The l1 weight biases atoms a little, so cosines stay just below 1; a missed or merged atom is at .9 or below.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use dictlearn::active_set::CoderOptions;
use dictlearn::dictionary::{Constraint, Initialization, recovery};
use dictlearn::learner::{DescentOptions, Learned, Learner, Optimizer, Project};
use dictlearn::loss::Loss;
use dictlearn::lower::LowerLevel;
use dictlearn::objective::{Objective, TrainingData};
use dictlearn::synthetic::{Synthetic, SyntheticOptions, make_sparse_coded_signal};
use std::ops::ControlFlow;

const N_ATOMS: usize = 20;

fn signal(seed: u64) -> Synthetic {
    let options = SyntheticOptions {
        n_samples: 1500,
        n_features: 16,
        n_atoms: N_ATOMS,
        n_nonzero: 3,
        scale: 1.0,
        noise: 0.0,
    };
    make_sparse_coded_signal(&options, seed).unwrap()
}

/// Full objective, atoms on spheres, random samples as first atoms.
fn learn(signal: &Synthetic, loss: Loss, regularization: f64, seed: u64) -> Learned {
    let samples = signal.samples.as_ref();
    let start = Initialization::Samples.draw(samples, N_ATOMS, seed).unwrap();
    let lower = LowerLevel { loss, regularization, elastic_penalty: 0.01, l2_regularization: 0.0 };
    let coder = CoderOptions { tolerance: 1e-8, ..CoderOptions::default() };
    let learner = Learner { lower, coder, constraint: Constraint::UnitSphere };
    let optimizer = Optimizer::ProximalGradient {
        acceleration: true,
        restart: true,
        initial_step: 1.0,
        max_halvings: 30,
    };
    let descent = DescentOptions {
        optimizer,
        max_iterations: 150,
        tolerance: 1e-5,
        batch_size: None,
        project: Project::EachStep,
    };
    let data = TrainingData { samples, labels: None, weights: None };
    let go_on = &mut |_: dictlearn::learner::Progress<'_>| ControlFlow::Continue(());
    learner.learn(data, start.as_ref(), Objective::Full, &descent, seed, go_on).unwrap()
}

#[test]
fn explore() {
    for (loss, lam) in [(Loss::Squared, 0.1), (Loss::Squared, 0.2), (Loss::Huber { delta: 0.5 }, 0.1)] {
        for seed in 0..8 {
            let t = std::time::Instant::now();
            let signal = signal(seed);
            let learned = learn(&signal, loss, lam, seed);
            let found = recovery(signal.dictionary.as_ref(), learned.dictionary.as_ref());
            let mean = found.iter().sum::<f64>() / found.len() as f64;
            let worst = found.iter().copied().fold(1.0, f64::min);
            println!("{loss:?} {lam} seed {seed}: mean {mean:.5} min {worst:.5} {:?} {} steps nc {} ev {:.4} {:.2}s", learned.status, learned.history.len(), learned.coded.report.not_converged, learned.explained_variance, t.elapsed().as_secs_f64());
        }
    }
}
