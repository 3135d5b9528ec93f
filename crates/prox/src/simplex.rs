//! The simplex: the indicator of `x >= 0`, `sum_i x_i = s`.
//!
//! Projection: `p_i = max(y_i - theta, 0)`, with the one `theta` for which the entries sum to `s`. With `y` sorted in
//! descending order and `theta_k = (y_(1) + .. + y_(k) - s) / k`, it is the `theta_k` of the largest `k` with
//! `y_(k) > theta_k`.
//! Optimality: `y_i - p_i = theta` where `p_i > 0`, `y_i <= theta` where `p_i = 0`.
//! Jacobian, with the active set `A = {i: y_i > theta}`: `J = I_A - 1_A 1_A^T / |A|`, 0 off `A`; a coordinate at the
//! kink `y_i = theta` counts as inactive.
//!
//! | symbol | name | range |
//! |---|---|---|
//! | `s` | `sum` | finite, `>= 0`; the simplex of sum 0 is the point 0 |
//!
//! Cost: `O(n + c log c)` and `c` numbers of memory, with `c <= n` the entries closer than `s` to the largest: no other
//! entry can be positive. Taking the entries relative to the largest, in units of `s`, keeps every partial sum small:
//! entries of any finite magnitude do not overflow.
//! References: Held, Wolfe and Crowder (1974), "Validation of subgradient optimization"; Duchi, Shalev-Shwartz, Singer
//! and Chandra (2008), "Efficient projections onto the l1-ball for learning in high dimensions".

use crate::operator::{Prox, check_lengths, check_size, feasibility_tolerance, indicator};
use crate::soft_threshold::non_negative_soft_threshold;

/// The indicator of the non-negative vectors whose entries sum to `sum`.
///
/// An entry that is not finite turns all entries of a projection into not-a-number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Simplex {
    /// Sum of the entries, `>= 0`.
    pub sum: f64,
}

impl Prox for Simplex {
    /// 0 where all entries are `>= 0` and their sum deviates by at most [`feasibility_tolerance`] times `sum`, else
    /// infinite. An empty vector sums to 0.
    #[track_caller]
    fn value(&self, x: &[f64]) -> f64 {
        check_size("sum", self.sum);
        let deviation = (x.iter().sum::<f64>() - self.sum).abs();
        indicator(x.iter().all(|v| *v >= 0.0) && deviation <= feasibility_tolerance(x.len()) * self.sum)
    }

    #[track_caller]
    fn prox(&self, x: &mut [f64], _step: f64) {
        let threshold = SimplexThreshold::of(x.iter().copied(), self.sum);
        x.iter_mut().for_each(|v| *v = threshold.apply(*v));
    }

    #[track_caller]
    fn jacobian_product(&self, point: &[f64], _step: f64, direction: &mut [f64]) {
        check_lengths(point, direction);
        let threshold = SimplexThreshold::of(point.iter().copied(), self.sum);
        let is_active = |y: &f64| threshold.apply(*y) > 0.0;
        let n_active = point.iter().filter(|y| is_active(y)).count();
        let active_sum: f64 =
            direction.iter().zip(point).filter(|(_, y)| is_active(y)).map(|(d, _)| *d).sum();
        for (d, y) in direction.iter_mut().zip(point) {
            *d = if is_active(y) { *d - active_sum / n_active as f64 } else { 0.0 };
        }
    }
}

/// The `theta` of a projection on the simplex, as `largest + offset`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SimplexThreshold {
    largest: f64,
    offset: f64,
}

impl SimplexThreshold {
    /// The threshold for the entries `values`; not-a-number where one is not finite.
    #[track_caller]
    pub(crate) fn of(values: impl Iterator<Item = f64> + Clone, sum: f64) -> Self {
        check_size("sum", sum);
        let not_finite = values.clone().any(|v| !v.is_finite());
        let largest = if not_finite { f64::NAN } else { values.clone().fold(f64::NEG_INFINITY, f64::max) };
        let mut candidates: Vec<f64> = values.map(|v| (v - largest) / sum).filter(|w| *w > -1.0).collect();
        candidates.sort_unstable_by(|a, b| b.total_cmp(a));
        Self { largest, offset: unit_threshold(&candidates) * sum }
    }

    /// `max(value - theta, 0)`.
    pub(crate) fn apply(self, value: f64) -> f64 {
        non_negative_soft_threshold(value - self.largest, self.offset)
    }
}

/// The threshold for the sum 1 and entries `w <= 0` in descending order, the first of them 0; 0 for no entries.
fn unit_threshold(w: &[f64]) -> f64 {
    let (mut n_active, mut partial_sum) = (0, 0.0);
    for &w_k in w {
        let count = (n_active + 1) as f64;
        if count * w_k <= partial_sum + w_k - 1.0 {
            break;
        }
        (n_active, partial_sum) = (n_active + 1, partial_sum + w_k);
    }
    if n_active == 0 {
        return 0.0;
    }
    let theta = (partial_sum - 1.0) / n_active as f64;
    // One step of refinement: the terms are positive and sum to 1, so this sum is rounded less than the partial sums.
    let excess = w[..n_active].iter().map(|w_k| w_k - theta).sum::<f64>() - 1.0;
    theta + excess / n_active as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{check_convex_projection, config};
    use proptest::prelude::*;
    use testkit::{assert_close, assert_slices_close, normal_vector};

    #[test]
    fn is_the_projection_on_the_simplex() {
        for sum in [0.0, 1e-3, 1.0, 3.0, 100.0] {
            check_convex_projection(&Simplex { sum });
        }
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn optimality_holds_with_one_threshold(
            y in prop::collection::vec(-5.0..5.0, 1..40),
            exponent in -3_i32..10,
        ) {
            let sum = 10.0_f64.powi(exponent);
            let mut p = y.clone();
            Simplex { sum }.prox(&mut p, 1.0);
            prop_assert_eq!(Simplex { sum }.value(&p), 0.0);
            // y_i - p_i is rounded relative to the sizes of y and p.
            let tolerance = feasibility_tolerance(y.len()) * (10.0 + sum);
            let theta = y.iter().zip(&p).map(|(y, p)| y - p).fold(f64::NEG_INFINITY, f64::max);
            for (y_i, p_i) in y.iter().zip(&p) {
                if *p_i > 0.0 {
                    assert_close(y_i - p_i, theta, 0.0, tolerance);
                } else {
                    prop_assert!(*y_i <= theta + tolerance);
                }
            }
        }
    }

    #[test]
    fn many_entries_keep_the_sum() {
        for (scale, sum) in [(1e9, 1e9), (1.0, 1e9), (1e9, 1.0), (1e-9, 1.0), (1e-9, 1e-9)] {
            let mut x: Vec<f64> = normal_vector(20_000, 3).iter().map(|v| scale * v).collect();
            Simplex { sum }.prox(&mut x, 1.0);
            assert_close(x.iter().sum::<f64>(), sum, feasibility_tolerance(x.len()), 0.0);
        }
    }

    #[test]
    fn partial_sums_far_above_the_sum_are_refined() {
        // Entries 0.3 below the largest: their partial sums reach 3e4 and are rounded a hundred thousand times.
        let mut x = vec![0.7; 100_000];
        x[0] = 1.0;
        Simplex { sum: 1.0 }.prox(&mut x, 1.0);
        assert_close(x.iter().sum::<f64>(), 1.0, feasibility_tolerance(x.len()), 0.0);
        // 1 - theta + (n - 1) (0.7 - theta) = 1 at theta = 0.7 (n - 1) / n; the unit of theta is eps.
        assert_close(x[0], 1.0 - 0.7 * (1.0 - 1e-5), 0.0, 8.0 * f64::EPSILON);
    }

    #[test]
    fn extreme_magnitudes() {
        let project = |mut x: [f64; 3], sum| {
            Simplex { sum }.prox(&mut x, 1.0);
            x
        };
        assert_eq!(project([1e300, 1e300, -1e300], 1.0), [0.5, 0.5, 0.0]);
        assert_eq!(project([f64::MAX, -f64::MAX, 0.0], 1.0), [1.0, 0.0, 0.0]);
        let third = 1e-310 / 3.0;
        assert_slices_close(&project([0.0, 1e-310, 0.0], 2e-310), &[third, 4.0 * third, third], 0.0, 2e-323);
        assert_slices_close(&project([1e300; 3], 1e308), &[1e308 / 3.0; 3], 4.0 * f64::EPSILON, 0.0);
        assert!(project([1.0, f64::NAN, 0.0], 1.0).iter().all(|v| v.is_nan()));
        assert!(project([1.0, f64::INFINITY, 0.0], 1.0).iter().all(|v| v.is_nan()));
    }

    #[test]
    fn small_cases_by_hand() {
        let mut one = [-7.0];
        Simplex { sum: 2.0 }.prox(&mut one, 1.0);
        assert_eq!(one, [2.0]);
        // theta_1 = 0 < 1, theta_2 = 0.25 < 0.5, theta_3 = 0.25 >= 0.25: the last coordinate is at its kink.
        let (y, mut p, mut direction) = ([1.0, 0.5, 0.25], [1.0, 0.5, 0.25], [1.0, 3.0, 10.0]);
        Simplex { sum: 1.0 }.prox(&mut p, 1.0);
        Simplex { sum: 1.0 }.jacobian_product(&y, 1.0, &mut direction);
        assert_eq!((p, direction), ([0.75, 0.25, 0.0], [-1.0, 1.0, 0.0]));
        Simplex { sum: 1.0 }.prox(&mut [], 1.0);
        assert_eq!(Simplex { sum: 1.0 }.value(&[]), f64::INFINITY);
        assert_eq!(Simplex { sum: 0.0 }.value(&[]), 0.0);
    }
}
