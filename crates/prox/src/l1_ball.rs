//! The l1 ball: the indicator of `norm1(x) <= r`.
//!
//! Projection: `p = y` inside; outside `p_i = sign(y_i) max(|y_i| - theta, 0)`, where the magnitudes are the projection
//! of `|y|` on the simplex of sum `r` and `theta > 0` is its threshold.
//! Optimality outside: `norm1(p) = r`, `y_i - p_i = theta sign(p_i)` where `p_i != 0`, `|y_i| <= theta` where `p_i = 0`.
//! Jacobian: `I` inside and on the boundary; outside, with `A = {i: |y_i| > theta}` and `s_i = sign(y_i)` on `A`, 0 off
//! it: `J = I_A - s s^T / |A|`. A coordinate at the kink `|y_i| = theta` counts as inactive.
//!
//! | symbol | name | range |
//! |---|---|---|
//! | `r` | `radius` | `>= 0`; the ball of radius 0 is the point 0 |
//!
//! Cost: `O(n)` inside; outside as [`Simplex`](crate::Simplex), `O(n + c log c)` with `c <= n` numbers of memory, and
//! exact after finitely many operations. Entries of any finite magnitude do not overflow.
//! Reference: Duchi, Shalev-Shwartz, Singer and Chandra (2008), "Efficient projections onto the l1-ball for learning in
//! high dimensions".

use crate::operator::{Prox, check_lengths, check_size, feasibility_tolerance, indicator};
use crate::simplex::SimplexThreshold;

/// The indicator of the vectors of l1 norm at most `radius`.
///
/// Outside, an entry that is not finite turns all entries of a projection into not-a-number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct L1Ball {
    /// Radius, `>= 0`.
    pub radius: f64,
}

impl L1Ball {
    fn contains(&self, x: &[f64]) -> bool {
        norm1(x) <= self.radius
    }

    fn threshold(&self, y: &[f64]) -> SimplexThreshold {
        SimplexThreshold::of(y.iter().map(|v| v.abs()), self.radius)
    }
}

impl Prox for L1Ball {
    /// 0 where `norm1(x) - radius` is at most [`feasibility_tolerance`] times `radius`, else infinite.
    #[track_caller]
    fn value(&self, x: &[f64]) -> f64 {
        check_size("radius", self.radius);
        indicator(norm1(x) <= (1.0 + feasibility_tolerance(x.len())) * self.radius)
    }

    #[track_caller]
    fn prox(&self, x: &mut [f64], _step: f64) {
        check_size("radius", self.radius);
        if self.contains(x) {
            return;
        }
        let threshold = self.threshold(x);
        x.iter_mut().for_each(|v| *v = shrink(*v, threshold));
    }

    #[track_caller]
    fn jacobian_product(&self, point: &[f64], _step: f64, direction: &mut [f64]) {
        check_size("radius", self.radius);
        check_lengths(point, direction);
        if self.contains(point) {
            return;
        }
        let threshold = self.threshold(point);
        let is_active = |y: &f64| shrink(*y, threshold) != 0.0;
        let n_active = point.iter().filter(|y| is_active(y)).count();
        let signed = direction.iter().zip(point).filter(|(_, y)| is_active(y)).map(|(d, y)| d * y.signum());
        let mean = signed.sum::<f64>() / n_active as f64;
        for (d, y) in direction.iter_mut().zip(point) {
            *d = if is_active(y) { *d - mean * y.signum() } else { 0.0 };
        }
    }
}

/// `sign(y) max(|y| - theta, 0)`, never larger than `|y|`: just outside the ball the rounded `theta` can be negative.
fn shrink(y: f64, threshold: SimplexThreshold) -> f64 {
    let magnitude = threshold.apply(y.abs());
    if magnitude == 0.0 {
        0.0
    } else if magnitude > y.abs() {
        y
    } else {
        magnitude.copysign(y)
    }
}

fn norm1(x: &[f64]) -> f64 {
    x.iter().map(|v| v.abs()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{check_convex_projection, config};
    use crate::soft_threshold::soft_threshold;
    use proptest::prelude::*;
    use testkit::{assert_close, assert_slices_close};

    #[test]
    fn is_the_projection_on_the_l1_ball() {
        for radius in [0.0, 1e-3, 1.0, 4.0, 100.0] {
            check_convex_projection(&L1Ball { radius });
        }
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn outside_it_is_soft_thresholding_to_the_radius(
            y in prop::collection::vec(-5.0..5.0, 1..40),
            part in 1e-6..0.99,
            exponent in -8_i32..9,
        ) {
            let y: Vec<f64> = y.iter().map(|v| v * 10.0_f64.powi(exponent)).collect();
            let radius = part * norm1(&y);
            prop_assume!(radius > 0.0);
            let mut p = y.clone();
            L1Ball { radius }.prox(&mut p, 1.0);
            assert_close(norm1(&p), radius, feasibility_tolerance(y.len()), 0.0);
            let largest = y.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
            let theta = largest - p.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
            let expected: Vec<f64> = y.iter().map(|v| soft_threshold(*v, theta.max(0.0))).collect();
            assert_slices_close(&p, &expected, 0.0, 8.0 * f64::EPSILON * largest);
        }
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn just_outside_zeros_stay_and_nothing_grows(
            y in prop::collection::vec(-5.0..5.0, 1..40),
            units in 1..4_i32,
        ) {
            let y = [y, vec![0.0; 3]].concat();
            let radius = norm1(&y) * (1.0 - f64::from(units) * f64::EPSILON);
            let mut p = y.clone();
            L1Ball { radius }.prox(&mut p, 1.0);
            for (p_i, y_i) in p.iter().zip(&y) {
                prop_assert!(p_i.abs() <= y_i.abs());
            }
        }
    }

    #[test]
    fn extreme_magnitudes() {
        let project = |mut x: [f64; 3], radius| {
            L1Ball { radius }.prox(&mut x, 1.0);
            x
        };
        assert_eq!(project([1e300, -1e300, 1.0], 1.0), [0.5, -0.5, 0.0]);
        assert_eq!(project([f64::MAX, -f64::MAX, f64::MAX], 3.0), [1.0, -1.0, 1.0]);
        assert_slices_close(&project([2e-300, -1e-300, 0.0], 1e-300), &[1e-300, 0.0, 0.0], 1e-15, 1e-315);
        assert_eq!(project([1.0, -1.0, 0.0], f64::INFINITY), [1.0, -1.0, 0.0]);
        assert!(project([1.0, f64::NAN, 0.0], 1.0).iter().all(|v| v.is_nan()));
        L1Ball { radius: 1.0 }.prox(&mut [], 1.0);
    }

    #[test]
    fn the_boundary_counts_as_inside() {
        let mut direction = [1.0, 2.0];
        L1Ball { radius: 3.0 }.jacobian_product(&[1.0, -2.0], 1.0, &mut direction);
        assert_eq!(direction, [1.0, 2.0]);
    }
}
