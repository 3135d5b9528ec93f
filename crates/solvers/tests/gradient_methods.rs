//! Adam, gradient descent with momentum, and the schedules of their steps.

mod common;

use common::norm;
use proptest::prelude::*;
use solvers::Error;
use solvers::adam::{Adam, AdamState};
use solvers::schedule::Schedule;
use solvers::sgd::{Sgd, SgdState};

const CURVATURE: [f64; 2] = [3.0, 0.5];

fn gradient(x: &[f64]) -> [f64; 2] {
    [CURVATURE[0] * x[0], CURVATURE[1] * x[1]]
}

/// The first move is `step g / (|g| + epsilon)`; the second, with `g` and then `h`, has
/// `m_hat = (beta1 g + h) / (1 + beta1)` and `v_hat = (beta2 g^2 + h^2) / (1 + beta2)`.
#[test]
fn adam_moves_as_computed_by_hand() {
    let adam = Adam { schedule: Schedule::Constant { step: 0.1 }, ..Default::default() };
    let (g, h) = (4.0_f64, -3.0_f64);
    let mut state = AdamState::new(1);
    let mut x = [1.0];
    adam.advance(&mut state, &mut x, &[g]);
    let first = 1.0 - 0.1 * g / (g + 1e-8);
    assert!((x[0] - first).abs() <= 1e-15);
    adam.advance(&mut state, &mut x, &[h]);
    let (mean, square) = ((0.9 * g + h) / 1.9, (0.999 * g * g + h * h) / 1.999);
    assert!((x[0] - (first - 0.1 * mean / (square.sqrt() + 1e-8))).abs() <= 1e-15);
    assert_eq!(state.iteration, 2);
}

/// The third iterate that optax 0.2.8 gives in float64.
#[test]
fn adam_follows_optax() {
    let schedule = Schedule::Constant { step: 0.1 };
    let adam = Adam { schedule, beta1: 0.8, beta2: 0.95, epsilon: 1e-8 };
    let (mut state, mut x) = (AdamState::new(2), [1.0, -2.0]);
    for _ in 0..3 {
        let g = gradient(&x);
        adam.advance(&mut state, &mut x, &g);
    }
    assert!((x[0] - 0.7022522935488918).abs() <= 1e-14, "{x:?}");
    assert!((x[1] + 1.70094062520466).abs() <= 1e-14, "{x:?}");
}

/// With constant gradient the length of each move is the step of the schedule, the first at `t = 0`.
#[test]
fn adam_takes_its_steps_from_the_schedule() {
    let schedule = Schedule::Exponential { step: 0.5, decay: 0.5 };
    let adam = Adam { schedule, epsilon: 1e-300, ..Default::default() };
    let (mut state, mut x) = (AdamState::new(1), [0.0]);
    for expected in [-0.5, -0.75, -0.875] {
        adam.advance(&mut state, &mut x, &[3.0]);
        assert!((x[0] - expected).abs() <= 1e-12, "{x:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(5),
        ..ProptestConfig::default()
    })]

    /// On a constant gradient both corrections are exact, so every move is `step sign(g)` up to `epsilon / |g|`.
    #[test]
    fn adam_takes_steps_of_equal_length_on_a_constant_gradient(
        g in prop_oneof![-1e3_f64..-1e-2, 1e-2_f64..1e3],
        beta1 in 0.0_f64..0.99,
        beta2 in 0.0_f64..0.9999,
    ) {
        let adam = Adam { schedule: Schedule::Constant { step: 0.1 }, beta1, beta2, epsilon: 1e-8 };
        let (mut state, mut x) = (AdamState::new(1), [0.0]);
        for t in 1..=20 {
            adam.advance(&mut state, &mut x, &[g]);
            let expected = -0.1 * f64::from(t) * g.signum();
            // Epsilon shortens a move by 1e-8/|g| of itself, rounding adds some 2.2e-16/(1 - beta) per moment.
            prop_assert!((x[0] - expected).abs() <= expected.abs() * (1e-8 / g.abs() + 1e-11));
        }
    }

    /// Without momentum it is `x_j (1 - step h_j)^k`.
    #[test]
    fn plain_gradient_descent_contracts_by_known_factors(step in 0.01_f64..0.6, a in -2.0_f64..2.0, b in -2.0_f64..2.0) {
        let sgd = Sgd { schedule: Schedule::Constant { step }, momentum: 0.0, nesterov: false };
        let (mut state, mut x) = (SgdState::new(2), [a, b]);
        for _ in 0..30 {
            let g = gradient(&x);
            sgd.advance(&mut state, &mut x, &g);
        }
        for ((x, x0), h) in x.iter().zip([a, b]).zip(CURVATURE) {
            prop_assert!((x - x0 * (1.0 - step * h).powi(30)).abs() <= 1e-13);
        }
    }
}

#[test]
fn a_gradient_of_zero_moves_nothing() {
    let (mut adam, mut x) = (AdamState::new(2), [1.0, 2.0]);
    Adam::default().advance(&mut adam, &mut x, &[0.0; 2]);
    assert_eq!(x, [1.0, 2.0]);
}

#[test]
fn momentum_moves_as_computed_by_hand() {
    let schedule = Schedule::Exponential { step: 0.5, decay: 0.5 };
    let (g, h) = (2.0, -1.0);
    for (nesterov, first, second) in [
        (false, -0.5 * g, -0.25 * (0.75 * g + h)),
        (true, -0.5 * (g + 0.75 * g), -0.25 * (h + 0.75 * (0.75 * g + h))),
    ] {
        let sgd = Sgd { schedule, momentum: 0.75, nesterov };
        let (mut state, mut x) = (SgdState::new(1), [0.0]);
        sgd.advance(&mut state, &mut x, &[g]);
        assert_eq!(x, [first]);
        sgd.advance(&mut state, &mut x, &[h]);
        assert_eq!(x, [first + second]);
    }
}

/// With `mu` and `s` below, heavy ball has spectral radius `sqrt(mu) = .8` on both curvatures (complex roots):
/// 200 iterations leave at most `200 * .8^200 < 1e-16` of the start.
#[test]
fn momentum_and_adam_minimise_a_quadratic() {
    for nesterov in [false, true] {
        let sgd = Sgd { schedule: Schedule::Constant { step: 0.3 }, momentum: 0.64, nesterov };
        let (mut state, mut x) = (SgdState::new(2), [1.0, -2.0]);
        for _ in 0..200 {
            let g = gradient(&x);
            sgd.advance(&mut state, &mut x, &g);
        }
        assert!(norm(&x) <= 1e-13, "{nesterov} {x:?}");
    }
    let schedule = Schedule::Cosine { step: 0.1, last: 0.0, iterations: 500 };
    let adam = Adam { schedule, ..Default::default() };
    let (mut state, mut x) = (AdamState::new(2), [1.0, -2.0]);
    for _ in 0..500 {
        let g = gradient(&x);
        adam.advance(&mut state, &mut x, &g);
    }
    assert!(norm(&x) <= 1e-6, "{x:?}");
}

#[test]
fn schedules_have_the_documented_values() {
    let cosine = Schedule::Cosine { step: 3.0, last: 1.0, iterations: 8 };
    assert_eq!([0, 8, 9, u64::MAX].map(|t| cosine.at(t)), [3.0, 1.0, 1.0, 1.0]);
    assert!((cosine.at(4) - 2.0).abs() <= 1e-15);
    assert!((cosine.at(2) - (2.0 + 0.5_f64.sqrt())).abs() <= 1e-15);
    let exponential = Schedule::Exponential { step: 3.0, decay: 0.5 };
    assert_eq!([0, 1, 4].map(|t| exponential.at(t)), [3.0, 1.5, 0.1875]);
    let inverse = Schedule::InverseTime { step: 3.0, t0: 4.0 };
    assert_eq!([0, 1, 4, 8, 16].map(|t| inverse.at(t)), [3.0, 3.0, 3.0, 1.5, 0.75]);
    assert_eq!(Schedule::Constant { step: 3.0 }.at(u64::MAX), 3.0);
}

#[test]
fn errors_name_the_option_and_its_range() {
    let error = Schedule::Exponential { step: 1.0, decay: 1.5 }.check().expect_err("decay above 1");
    assert_eq!(error, Error::OutOfRange { name: "decay", value: 1.5, accepted: "in (0, 1]" });
    assert_eq!(error.to_string(), "decay = 1.5: must be in (0, 1]");
}

#[test]
fn schedules_out_of_range_are_errors() {
    let constant = [0.0, -1.0, f64::NAN, f64::INFINITY].map(|step| Schedule::Constant { step });
    let cosine = |last, iterations| Schedule::Cosine { step: 1.0, last, iterations };
    let others = [
        Schedule::Exponential { step: 1.0, decay: 0.0 },
        cosine(-1.0, 3),
        cosine(0.0, 0),
        Schedule::InverseTime { step: 1.0, t0: 0.0 },
    ];
    for schedule in constant.into_iter().chain(others) {
        assert!(schedule.check().is_err(), "{schedule:?}");
        assert!(Adam { schedule, ..Default::default() }.check().is_err());
        assert!(Sgd { schedule, ..Default::default() }.check().is_err());
    }
}

#[test]
fn options_out_of_range_are_errors() {
    assert!(Adam { beta1: 1.0, ..Default::default() }.check().is_err());
    assert!(Adam { beta2: -0.1, ..Default::default() }.check().is_err());
    assert!(Adam { epsilon: 0.0, ..Default::default() }.check().is_err());
    assert!(Sgd { momentum: 1.0, ..Default::default() }.check().is_err());
    assert_eq!(Adam::default().check().and(Sgd::default().check()), Ok(()));
}

#[test]
#[should_panic(expected = "Adam: lengths of the variables and of the gradient")]
fn lengths_that_differ_are_refused() {
    Adam::default().advance(&mut AdamState::new(2), &mut [0.0; 2], &[0.0; 3]);
}
