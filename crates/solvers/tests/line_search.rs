//! The accelerated iteration with backtracking, against its definition and others' numbers.

mod common;

use common::{Ball, Barrier, Diagonal, Nothing, distance, dot, norm};
use prox::Prox;
use solvers::Smooth;
use solvers::proximal_gradient::{ProximalGradient, Status};
use solvers::step_rule::StepRule;

/// A smooth function that is not convex: `sum_j (x_j^4 / 4 - j x_j^2) + x_0 x_1 + x_2`.
struct Quartic;

impl Smooth for Quartic {
    fn value(&mut self, x: &[f64]) -> f64 {
        let terms = x.iter().enumerate().map(|(j, x)| 0.25 * x.powi(4) - j as f64 * x * x);
        terms.sum::<f64>() + x[0] * x[1] + x[2]
    }

    fn value_and_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> f64 {
        for (j, (g, x)) in gradient.iter_mut().zip(x).enumerate() {
            *g = x.powi(3) - 2.0 * j as f64 * x;
        }
        gradient[0] += x[1];
        gradient[1] += x[0];
        gradient[2] += 1.0;
        self.value(x)
    }
}

/// The accelerated iteration with backtracking, written out once more from its definition, bit for bit.
#[test]
fn backtracking_follows_its_definition() {
    let sphere = Ball { radius: 1.0, surface: true };
    let solver = ProximalGradient::default();
    let x0 = [0.9, -1.2, 0.4];
    let mut state = solver.start(&x0);
    let (mut x, mut y, mut t, mut stored) = (x0.to_vec(), x0.to_vec(), 1.0_f64, 1.0_f64);
    for iteration in 1..=30 {
        let mut g = vec![0.0; 3];
        let f_y = Quartic.value_and_gradient(&y, &mut g);
        let forward_backward = |s: f64| {
            let mut n: Vec<f64> = y.iter().zip(&g).map(|(y, g)| y - s * g).collect();
            sphere.prox(&mut n, s);
            n
        };
        let fails = |n: &[f64], s: f64| {
            let d: Vec<f64> = n.iter().zip(&y).map(|(n, y)| n - y).collect();
            s * (Quartic.value(n) - f_y) > s * dot(&g, &d) + 0.5 * dot(&d, &d) + f64::EPSILON
        };
        let (mut s, mut halvings) = (stored, 0);
        let mut n = forward_backward(s);
        while fails(&n, s) && halvings < 15 {
            s /= 2.0;
            halvings += 1;
            n = forward_backward(s);
        }
        stored = if s <= 1e-6 { 1.0 } else { 2.0 * s };
        let t_next = (1.0 + (1.0 + 4.0 * t * t).sqrt()) / 2.0;
        let moved = distance(&n, &y) / s;
        y = n.iter().zip(&x).map(|(n, x)| n + (t - 1.0) / t_next * (n - x)).collect();
        (x, t) = (n, t_next);

        solver.advance(&mut state, &mut Quartic, &sphere);
        assert_eq!((&state.x, &state.y, state.momentum), (&x, &y, t), "iteration {iteration}");
        assert_eq!((state.step, state.last_step, state.iteration), (stored, s, iteration));
        assert_eq!((state.value, state.value_at_y), (Some(Quartic.value(&x)), f_y));
        assert_eq!(state.violation, moved);
    }
}

/// Twenty times a function, so that the line search has to halve.
struct Twenty<F>(F);

impl<F: Smooth> Smooth for Twenty<F> {
    fn value(&mut self, x: &[f64]) -> f64 {
        20.0 * self.0.value(x)
    }

    fn value_and_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let value = self.0.value_and_gradient(x, gradient);
        gradient.iter_mut().for_each(|g| *g *= 20.0);
        20.0 * value
    }
}

/// The iterates that jaxopt 0.8.5 gives in float64. The steps after iterations are powers of two from 1/8 on.
#[test]
fn backtracking_follows_jaxopt() {
    let sphere = Ball { radius: 1.0, surface: true };
    let solver = ProximalGradient::default();
    let mut state = solver.start(&[0.9, -1.2, 0.4]);
    for (iteration, expected) in [
        (0, [0.4070221440213741, -0.8653065228061454, 0.2925364863831203]),
        (1, [0.4599798600206213, -0.8790145251670528, 0.12550694371527965]),
        (7, [-0.030318313595017774, 0.07358384300003398, -0.9968280784117693]),
    ] {
        while state.iteration <= iteration {
            solver.advance(&mut state, &mut Twenty(Quartic), &sphere);
        }
        assert_eq!(state.step, 2.0_f64.powi(iteration as i32 - 3));
        assert!(distance(&state.x, &expected) <= 1e-13, "{iteration} {:?}", state.x);
    }
}

/// On `1/2 h x^2` the line search accepts exactly the steps `<= 1/h`: 1000 / 2^14 = .061 is the first below .1.
#[test]
fn line_search_halves_a_step_that_is_too_big() {
    let step = StepRule::Backtracking { initial: 1000.0, max_halvings: 15, reset_below: 1e-6 };
    let solver = ProximalGradient { step, ..Default::default() };
    let mut state = solver.start(&[1.0]);
    solver.advance(&mut state, &mut Diagonal(vec![10.0]), &Nothing);
    assert_eq!(state.last_step, 1000.0 / 16384.0);
    assert_eq!((state.step, state.exhausted_line_searches), (2000.0 / 16384.0, 0));
    assert_eq!(state.x, [1.0 - 10.0 * 1000.0 / 16384.0]);
}

#[test]
fn line_search_shows_when_it_is_exhausted_and_resets_small_steps() {
    let step = StepRule::Backtracking { initial: 1.0, max_halvings: 2, reset_below: 0.25 };
    let solver = ProximalGradient { step, acceleration: false, ..Default::default() };
    let mut state = solver.start(&[1.0]);
    solver.advance(&mut state, &mut Diagonal(vec![7.0]), &Nothing);
    // 1/4 > 1/7 is taken although it fails the test, and being <= 1/4 it is followed by the initial step.
    assert_eq!((state.last_step, state.step, state.exhausted_line_searches), (0.25, 1.0, 1));
    solver.advance(&mut state, &mut Diagonal(vec![3.9]), &Nothing);
    assert_eq!((state.last_step, state.step, state.exhausted_line_searches), (0.25, 1.0, 1));
}

#[test]
fn line_search_steps_back_into_the_domain() {
    let solver = ProximalGradient { acceleration: false, tolerance: 1e-6, ..Default::default() };
    let outcome = solver.run(&[0.0], &mut Barrier, &Nothing);
    // 1 + (6x - 5)(1 - x) = 0 gives 6 x^2 - 11 x + 4 = 0, the smaller root is 1/2; f'' = 10 there.
    assert_eq!(outcome.status, Status::Converged);
    assert!((outcome.x[0] - 0.5).abs() <= 1.5e-6 / 10.0 * 1.01, "{outcome:?}");
}

/// The absolute allowance of the test: whatever the Lipschitz constant `L`, the iterates end up wandering about the
/// solution 0 by 1e-8, with a violation of `1e-8 L`; not by much less, and not by much more.
#[test]
fn the_allowance_bounds_the_accuracy() {
    for lipschitz in [1e-2, 1.0, 1e2, 1e4] {
        for acceleration in [false, true] {
            let mut problem = Diagonal([1.0, 0.3, 0.1].map(|h| h * lipschitz).to_vec());
            let solver = ProximalGradient { acceleration, ..Default::default() };
            let mut state = solver.start(&[1.0, -1.0, 0.5]);
            let (mut farthest, mut violation) = (0.0_f64, 0.0_f64);
            for iteration in 0..3000 {
                solver.advance(&mut state, &mut problem, &Nothing);
                if iteration >= 2000 {
                    farthest = farthest.max(norm(&state.x));
                    violation = violation.max(state.violation / lipschitz);
                }
            }
            assert!((2e-9..5e-8).contains(&farthest), "{lipschitz} {acceleration} {farthest}");
            assert!(violation < 5e-8, "{lipschitz} {acceleration} {violation}");
        }
    }
}
