//! Proximal gradient: solutions, rates, line search, stopping.

mod common;

use common::{Ball, Barrier, Diagonal, ElasticNet, LeastSquares, Nothing, distance, norm};
use proptest::prelude::*;
use prox::Prox;
use solvers::proximal_gradient::{ProximalGradient, Status};
use solvers::schedule::Schedule;
use solvers::step_rule::StepRule;
use solvers::{Error, Smooth};

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 64,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(7),
        ..ProptestConfig::default()
    }
}

fn fixed(step: f64) -> ProximalGradient {
    let step = StepRule::Fixed(step);
    ProximalGradient { step, tolerance: 1e-13, max_iterations: 100_000, ..Default::default() }
}

/// The largest violation of the optimality conditions of the elastic net, from the definition.
fn kkt(problem: &LeastSquares, penalty: ElasticNet, x: &[f64]) -> f64 {
    let terms = problem.gradient(x).into_iter().zip(x).map(|(g, x)| {
        let pull = g + penalty.lam * penalty.gam * x;
        if *x == 0.0 { (pull.abs() - penalty.lam).max(0.0) } else { (pull + penalty.lam * x.signum()).abs() }
    });
    terms.fold(0.0, f64::max)
}

proptest! {
    #![proptest_config(config())]

    /// The objective is `mu = lam gam`-strongly convex, so `|x - x*| <= (1 + s L)/mu * violation`: with `s L = 1`,
    /// `mu >= .05` and a violation of `1e-13 (1 + |x|)` that is `4e-12 (1 + |x|)`.
    #[test]
    fn elastic_net_agrees_with_coordinate_descent(
        design in prop::collection::vec(-1.0_f64..1.0, 48),
        observations in prop::collection::vec(-2.0_f64..2.0, 8),
        lam in 0.1_f64..1.0,
        gam in 0.5_f64..2.0,
        acceleration: bool,
        restart: bool,
    ) {
        let penalty = ElasticNet { lam, gam };
        let mut problem = LeastSquares { design, observations, n: 6 };
        let exact = problem.coordinate_descent(penalty);
        let solver = ProximalGradient { acceleration, restart, ..fixed(1.0 / problem.lipschitz()) };
        let outcome = solver.run(&[0.0; 6], &mut problem, &penalty);
        prop_assert_eq!(outcome.status, Status::Converged);
        prop_assert!(distance(&outcome.x, &exact) <= 1e-11, "{:?} {:?}", outcome, exact);
        prop_assert!(kkt(&problem, penalty, &outcome.x) <= 1e-12);
        let value = problem.value(&exact) + penalty.value(&exact);
        prop_assert!((outcome.value - value).abs() <= 1e-13 * (1.0 + value));
    }

    /// The absolute allowance of the line search lets moves of about 1.5e-8 pass with any step, so no more than 1e-6
    /// is asked: the error bound of the fixed step then is `4e-5 (1 + |x|)`.
    #[test]
    fn backtracking_agrees_with_coordinate_descent(
        design in prop::collection::vec(-1.0_f64..1.0, 48),
        observations in prop::collection::vec(-2.0_f64..2.0, 8),
        acceleration: bool,
    ) {
        let penalty = ElasticNet { lam: 0.2, gam: 1.0 };
        let mut problem = LeastSquares { design, observations, n: 6 };
        let exact = problem.coordinate_descent(penalty);
        let solver = ProximalGradient { acceleration, tolerance: 1e-6, ..Default::default() };
        let outcome = solver.run(&[0.0; 6], &mut problem, &penalty);
        prop_assert_eq!((outcome.status, outcome.exhausted_line_searches), (Status::Converged, 0));
        prop_assert!(distance(&outcome.x, &exact) <= 4e-5);
    }
}

#[test]
fn lasso_agrees_with_coordinate_descent() {
    let penalty = ElasticNet { lam: 2.0, gam: 0.0 };
    let mut problem = LeastSquares::random(1, 30, 10);
    let exact = problem.coordinate_descent(penalty);
    assert!(exact.contains(&0.0) && exact.iter().any(|x| *x != 0.0));
    let outcome = fixed(1.0 / problem.lipschitz()).run(&[0.0; 10], &mut problem, &penalty);
    assert_eq!(outcome.status, Status::Converged);
    assert!(distance(&outcome.x, &exact) <= 1e-10);
}

/// Theorems of Beck and Teboulle (2009): `f(x_k) - f* <= L R^2 / (2k)` and `<= 2 L R^2 / (k+1)^2`.
#[test]
fn acceleration_is_faster_and_both_keep_their_rates() {
    let mut problem = Diagonal((0..60).map(|j| 10.0_f64.powf(-f64::from(j) / 12.0)).collect());
    let x0 = vec![1.0; 60];
    let mut gap = |acceleration, restart, iterations| {
        let solver = ProximalGradient { acceleration, restart, tolerance: 0.0, ..fixed(1.0) };
        let solver = ProximalGradient { max_iterations: iterations, ..solver };
        solver.run(&x0, &mut problem, &Nothing)
    };
    for k in [10, 100, 400] {
        let (plain, fast) = (gap(false, false, k).value, gap(true, false, k).value);
        let k = k as f64;
        assert!(plain <= 60.0 / (2.0 * k) && fast <= 2.0 * 60.0 / (k + 1.0).powi(2));
        assert!(fast < plain / (k / 10.0), "{k}: {fast} {plain}");
    }
    let (free, restarted) = (gap(true, false, 30_000), gap(true, true, 30_000));
    assert!(restarted.violation < 1e-3 * free.violation, "{restarted:?}\n{free:?}");
}

#[test]
fn schedules_give_the_steps() {
    let schedule = Schedule::Exponential { step: 0.5, decay: 0.5 };
    let step = StepRule::Schedule(schedule);
    let solver = ProximalGradient { step, acceleration: false, ..Default::default() };
    let mut state = solver.start(&[1.0]);
    let mut x = 1.0;
    for t in 0..5 {
        assert_eq!(state.step, schedule.at(t));
        solver.advance(&mut state, &mut Diagonal(vec![1.0]), &Nothing);
        x -= 0.5_f64.powi(t as i32 + 1) * x;
        assert_eq!((state.x[0], state.last_step, state.value), (x, schedule.at(t), None));
    }
}

/// The product of `1 - 2^-(t+1)` stays above .288: a vanishing step stops the motion far from the solution 0.
#[test]
fn vanishing_steps_do_not_pass_for_convergence() {
    let step = StepRule::Schedule(Schedule::Exponential { step: 0.5, decay: 0.5 });
    let solver = ProximalGradient { step, acceleration: false, ..Default::default() };
    let outcome = solver.run(&[1.0], &mut Diagonal(vec![1.0]), &Nothing);
    assert_eq!(outcome.status, Status::MaxIterations);
    assert!(outcome.x[0] > 0.288);
}

#[test]
fn projects_on_a_ball() {
    let centre = [3.0, -4.0, 12.0];
    let design = vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    let mut problem = LeastSquares { design, observations: centre.to_vec(), n: 3 };
    let ball = Ball { radius: 2.0, surface: false };
    let outcome = fixed(0.4).run(&[0.0; 3], &mut problem, &ball);
    assert_eq!(outcome.status, Status::Converged);
    assert!(distance(&outcome.x, &centre.map(|c| 2.0 * c / 13.0)) <= 1e-12);
    assert!((outcome.value - 0.5 * 121.0).abs() <= 1e-11);
    let inside = Ball { radius: 14.0, surface: false };
    assert!(distance(&fixed(0.4).run(&[0.0; 3], &mut problem, &inside).x, &centre) <= 1e-11);
}

#[test]
fn warm_start_at_the_solution_ends_at_once() {
    let penalty = ElasticNet { lam: 0.3, gam: 0.1 };
    let mut problem = LeastSquares::random(2, 20, 8);
    let solver = fixed(1.0 / problem.lipschitz());
    let cold = solver.run(&[0.0; 8], &mut problem, &penalty);
    let warm = ProximalGradient { tolerance: 1e-12, ..solver }.run(&cold.x, &mut problem, &penalty);
    assert!(cold.iterations > 20 && warm.iterations == 1 && warm.status == Status::Converged);
}

#[test]
fn a_run_may_be_cut_in_two() {
    let penalty = ElasticNet { lam: 0.3, gam: 0.1 };
    let mut problem = LeastSquares::random(3, 20, 8);
    let whole = ProximalGradient { tolerance: 0.0, max_iterations: 20, ..Default::default() };
    let half = ProximalGradient { max_iterations: 10, ..whole };
    let expected = whole.run(&[0.0; 8], &mut problem, &penalty);
    let mut state = half.start(&[0.0; 8]);
    assert_eq!(half.resume(&mut state, &mut problem, &penalty).iterations, 10);
    assert_eq!(half.resume(&mut state, &mut problem, &penalty), expected);
    assert_eq!((expected.status, expected.iterations), (Status::MaxIterations, 20));
}

#[test]
fn the_violation_reported_is_the_one_at_x() {
    let penalty = ElasticNet { lam: 0.3, gam: 0.1 };
    let mut problem = LeastSquares::random(4, 20, 8);
    let step = 1.0 / problem.lipschitz();
    let outcome = ProximalGradient { tolerance: 1e-3, ..fixed(step) }.run(&[0.0; 8], &mut problem, &penalty);
    let gradient = problem.gradient(&outcome.x);
    let mut moved: Vec<f64> = outcome.x.iter().zip(&gradient).map(|(x, g)| x - step * g).collect();
    penalty.prox(&mut moved, step);
    let violation = distance(&moved, &outcome.x) / step;
    assert!((outcome.violation - violation).abs() <= 1e-14 && violation > 1e-6);
    assert!(violation <= 1e-3 * (1.0 + norm(&outcome.x)));
}

#[test]
fn divergence_is_a_status_with_a_finite_iterate() {
    let outcome = fixed(3.0).run(&[1.0], &mut Diagonal(vec![1.0]), &Nothing);
    assert_eq!(outcome.status, Status::Diverged);
    assert!(outcome.x[0].abs() > 1e100 && outcome.x[0].is_finite());
    let outcome = ProximalGradient::default().run(&[2.0], &mut Barrier, &Nothing);
    assert_eq!((outcome.status, outcome.iterations, outcome.x), (Status::Diverged, 0, vec![2.0]));
}

#[test]
fn options_out_of_range_are_errors() {
    let with = |step| ProximalGradient { step, ..Default::default() }.check();
    let error = Error::OutOfRange { name: "step", value: -1.0, accepted: "finite and > 0" };
    assert_eq!(with(StepRule::Fixed(-1.0)), Err(error));
    let cosine = Schedule::Cosine { step: 1.0, last: 0.0, iterations: 5 };
    let initial = f64::NAN;
    for step in [
        StepRule::Schedule(cosine),
        StepRule::Backtracking { initial, max_halvings: 1, reset_below: 0.0 },
        StepRule::Backtracking { initial: 1.0, max_halvings: 1, reset_below: -1.0 },
    ] {
        assert!(with(step).is_err(), "{step:?}");
    }
    let tolerance = f64::NAN;
    assert!(ProximalGradient { tolerance, ..Default::default() }.check().is_err());
    assert_eq!(ProximalGradient::default().check(), Ok(()));
}
