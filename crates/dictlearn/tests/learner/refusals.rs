//! What is refused: data, dictionaries and options, each with an error that names it.

use crate::{
    CONSTRAINTS, K, TASK, adam, data, descent, learn, learner, proximal_gradient, sgd, signal, start,
};
use dictlearn::active_set::CoderOptions;
use dictlearn::dictionary::Constraint;
use dictlearn::error::Error;
use dictlearn::learner::{DescentOptions, Learner};
use dictlearn::lower::LowerLevel;
use dictlearn::objective::{Objective, TrainingData};
use faer::Mat;

#[test]
fn data_that_cannot_be_learned_from_are_errors() {
    let signal = signal();
    let (first, options) = (start(&signal), descent(adam(0.01), 3));
    let attempt = |data: TrainingData<'_>, objective| {
        learn(learner(Constraint::UnitSphere), data, first.as_ref(), objective, &options).err()
    };
    let whole = data(&signal);
    assert_eq!(attempt(whole, TASK), None);
    let mut spoilt = signal.samples.clone();
    spoilt[(2, 7)] = f64::NAN;
    let samples = TrainingData { samples: spoilt.as_ref().into(), ..whole };
    assert!(matches!(attempt(samples, TASK), Some(Error::NotFinite { row: 7, column: 2, .. })));
    let empty = Mat::<f64>::zeros(8, 0);
    let samples = TrainingData { samples: empty.as_ref().into(), ..whole };
    assert_eq!(attempt(samples, TASK), Some(Error::Empty { n_samples: 0, n_features: 8 }));

    assert_eq!(attempt(TrainingData { labels: None, ..whole }, TASK), Some(Error::NoLabels));
    assert_eq!(attempt(TrainingData { labels: None, ..whole }, Objective::Full), None);
    let labelled = |labels: &[f64]| attempt(TrainingData { labels: Some(labels), ..whole }, TASK);
    assert!(matches!(labelled(&[1.0; 59]), Some(Error::Shape { found: 59, expected: 60, .. })));
    assert_eq!(labelled(&[1.0; 60]), Some(Error::OneClass { n_samples: 60, label: 1.0 }));
    let mut labels = signal.labels.clone();
    labels[4] = -1.0;
    assert_eq!(labelled(&labels), Some(Error::Label { index: 4, value: -1.0 }));

    let weighted = |weights: &[f64]| attempt(TrainingData { weights: Some(weights), ..whole }, TASK);
    assert!(matches!(weighted(&[1.0; 61]), Some(Error::Shape { found: 61, .. })));
    let mut weights = vec![1.0; 60];
    weights[11] = -0.5;
    assert_eq!(weighted(&weights), Some(Error::Weight { index: 11, value: -0.5 }));
}

#[test]
fn dictionaries_that_do_not_fit_are_errors() {
    let signal = signal();
    let attempt = |constraint, dictionary: &Mat<f64>| {
        let options = descent(adam(0.01), 3);
        learn(learner(constraint), data(&signal), dictionary.as_ref(), Objective::Full, &options).err()
    };
    for constraint in CONSTRAINTS {
        let other = Mat::from_fn(7, K, |_, _| 1.0);
        assert!(matches!(attempt(constraint, &other), Some(Error::Shape { found: 7, expected: 8, .. })));
        assert!(matches!(attempt(constraint, &Mat::zeros(8, 0)), Some(Error::Option(_))));
        let mut spoilt = start(&signal);
        spoilt[(1, 3)] = f64::INFINITY;
        assert!(matches!(attempt(constraint, &spoilt), Some(Error::NotFinite { row: 3, column: 1, .. })));
    }
    let mut holed = start(&signal);
    (0..8).for_each(|t| holed[(t, 2)] = 0.0);
    assert!(matches!(attempt(Constraint::UnitSphere, &holed), Some(Error::ZeroNorm { index: 2, .. })));
    assert_eq!(attempt(Constraint::UnitBall, &holed), None);
    assert_eq!(attempt(Constraint::FrobeniusSphere, &holed), None);
    assert_eq!(attempt(Constraint::FrobeniusSphere, &Mat::zeros(8, K)), Some(Error::ZeroDictionary));
    assert_eq!(attempt(Constraint::UnitBall, &Mat::zeros(8, K)), None);
}

#[test]
fn options_out_of_range_are_errors() {
    let signal = signal();
    let first = start(&signal);
    let attempt = |learner: &Learner, options: DescentOptions| {
        let error = learn(learner, data(&signal), first.as_ref(), Objective::Full, &options).err()?;
        let Error::Option(option) = error else { panic!("{error}") };
        Some(option.name)
    };
    let (good, steps) = (learner(Constraint::UnitSphere), descent(adam(0.01), 3));
    let lower = LowerLevel { regularization: f64::NAN, ..good.lower };
    assert_eq!(attempt(&Learner { lower, ..good.clone() }, steps.clone()), Some("regularization"));
    let coder = CoderOptions { tolerance: 0.0, ..good.coder };
    assert_eq!(attempt(&Learner { coder, ..good.clone() }, steps.clone()), Some("tolerance"));
    assert_eq!(attempt(&good, DescentOptions { tolerance: -1.0, ..steps.clone() }), Some("tolerance"));
    assert_eq!(attempt(&good, DescentOptions { batch_size: Some(0), ..steps }), Some("batch_size"));
    let batches = DescentOptions { batch_size: Some(4), ..descent(proximal_gradient(true), 3) };
    assert_eq!(attempt(&good, batches), Some("batch_size"));
    assert_eq!(attempt(&good, descent(sgd(f64::NAN), 3)), Some("step"));
}
