//! Features that are not observed: they take no part, whatever the loss, the method and the sign of the codes.

use super::*;
use dictlearn::samples::Samples;
use testkit::assert_close;

/// The signals with every seventh entry missing and the fifth sample altogether.
fn holed(signal: &Synthetic) -> Mat<f64> {
    let is_missing = |t: usize, i: usize| (3 * t + 5 * i).is_multiple_of(7) || i == 4;
    Mat::from_fn(8, 60, |t, i| if is_missing(t, i) { f64::NAN } else { signal.samples[(t, i)] })
}

fn missing<'a>(samples: &'a Mat<f64>, signal: &'a Synthetic) -> TrainingData<'a> {
    TrainingData { samples: Samples::from(samples.as_ref()).with_missing(), ..data(signal) }
}

#[test]
fn objectives_are_sums_over_what_is_observed() {
    let signal = signal();
    let (samples, first) = (holed(&signal), start(&signal));
    for (loss, non_negative) in [(Loss::Squared, false), (Loss::Huber { delta: 0.2 }, true)] {
        let plain = learner(Constraint::UnitSphere);
        let lower = LowerLevel { loss, non_negative, ..plain.lower };
        let learner = Learner { lower, ..plain };
        let mut last = f64::INFINITY;
        for steps in [0, 3, 20] {
            let options = descent(proximal_gradient(true), steps);
            let learned =
                learn(&learner, missing(&samples, &signal), first.as_ref(), Objective::Full, &options)
                    .unwrap();
            let problem = learner.problem(learned.dictionary.as_ref()).unwrap();
            let (mut value, mut unexplained) = (0.0, 0.0);
            for (i, code) in learned.coded.codes.rows().enumerate() {
                assert!(!non_negative || code.values.iter().all(|c| *c > 0.0));
                assert!(i != 4 || code.support.is_empty(), "nothing of sample 4 is observed");
                value += problem.penalty(code);
                for t in (0..8).filter(|&t| !samples[(t, i)].is_nan()) {
                    let fit: f64 = code.iter().map(|(j, c)| c * learned.dictionary[(t, j)]).sum();
                    value += loss.value(samples[(t, i)] - fit);
                    unexplained += (samples[(t, i)] - fit).powi(2);
                }
            }
            assert_close(learned.objective, value, 1e-12, 0.0);
            assert!((0.0..1.0).contains(&learned.explained_variance) && unexplained > 0.0);
            assert!(learned.objective < last && learned.coded.report.not_converged == 0);
            last = learned.objective;
        }
    }
}

#[test]
fn a_feature_that_no_sample_observes_is_refused() {
    let signal = signal();
    let (mut samples, first) = (holed(&signal), start(&signal));
    (0..60).for_each(|i| samples[(3, i)] = f64::NAN);
    let options = descent(adam(0.01), 1);
    let attempt = |data: TrainingData<'_>| {
        learn(learner(Constraint::UnitSphere), data, first.as_ref(), Objective::Full, &options).unwrap_err()
    };
    assert_eq!(attempt(missing(&samples, &signal)), Error::Unobserved { column: 3, n_samples: 60 });
    let nobody_said_so = TrainingData { samples: samples.as_ref().into(), ..data(&signal) };
    assert!(matches!(attempt(nobody_said_so), Error::NotFinite { row: 0, column: 0, .. }));
}
