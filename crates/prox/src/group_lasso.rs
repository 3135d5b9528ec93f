//! The group lasso: `g(x) = lambda sum_g norm2(x_g)` over groups of coordinates that partition `0..n`.
//!
//! Prox, group by group (block soft thresholding): `p_g = max(1 - t lambda / norm2(y_g), 0) y_g`.
//! Optimality: `y_g - p_g = t lambda p_g / norm2(p_g)` where `p_g != 0`, `norm2(y_g) <= t lambda` where `p_g = 0`.
//! Jacobian, block diagonal: with `u = y_g / norm2(y_g)` and `c = t lambda / norm2(y_g)`,
//! `J_g = (1 - c) I + c u u^T` where `norm2(y_g) > t lambda`, else 0.
//! Hessian of `g` on the support (all coordinates of groups with `x_g != 0`), with `v = x_g / norm2(x_g)`:
//! `H_g = lambda (I - v v^T) / norm2(x_g) = lambda (I / norm2(x_g) - x_g x_g^T / norm2(x_g)^3)`.
//!
//! | symbol | name | range |
//! |---|---|---|
//! | `lambda` | `regularization` | finite, `>= 0` |
//! | `t` | `step` | `> 0` |
//! | `n` | `dimension` | |
//!
//! Cost: `O(n)`; the Hessian `O(sum_g size_g^2)`. Groups of one coordinate are the lasso.
//! References: Yuan and Lin (2006), "Model selection and estimation in regression with grouped variables"; Parikh and
//! Boyd (2014), "Proximal algorithms", section 6.5.4.

use std::ops::Range;

use crate::error::ProxError;
use crate::operator::{ActiveSet, Prox, check_hessian_shape, check_lengths, weight};
use crate::scaled_norm::ScaledNorm;

/// `g(x) = regularization sum_g norm2(x_g)`.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupLasso {
    regularization: f64,
    groups: Vec<Range<usize>>,
    dimension: usize,
}

impl GroupLasso {
    /// From the groups as ranges of coordinates, in any order.
    ///
    /// # Errors
    /// The ranges do not partition `0..dimension`, one is empty, or `regularization` is not finite and `>= 0`.
    pub fn new(regularization: f64, groups: Vec<Range<usize>>, dimension: usize) -> Result<Self, ProxError> {
        if !(regularization >= 0.0 && regularization.is_finite()) {
            return Err(ProxError::InvalidRegularization { regularization });
        }
        if let Some(group) = groups.iter().position(Range::is_empty) {
            return Err(ProxError::EmptyGroup { group });
        }
        let mut groups = groups;
        groups.sort_unstable_by_key(|group| group.start);
        let mut end = 0;
        for group in &groups {
            if group.start < end {
                return Err(ProxError::GroupOverlap { coordinate: group.start });
            }
            if group.start > end {
                return Err(ProxError::Ungrouped { coordinate: end });
            }
            end = group.end;
        }
        match end.cmp(&dimension) {
            std::cmp::Ordering::Less => Err(ProxError::Ungrouped { coordinate: end }),
            std::cmp::Ordering::Greater => Err(ProxError::GroupBeyondDimension { end, dimension }),
            std::cmp::Ordering::Equal => Ok(Self { regularization, groups, dimension }),
        }
    }

    /// From the sizes of consecutive groups; the dimension is their sum.
    ///
    /// # Errors
    /// A size is 0, or `regularization` is not finite and `>= 0`.
    pub fn from_sizes(regularization: f64, sizes: &[usize]) -> Result<Self, ProxError> {
        let mut end = 0;
        let mut next = |size: &usize| {
            let start = end;
            end += size;
            start..end
        };
        let groups = sizes.iter().map(&mut next).collect();
        Self::new(regularization, groups, end)
    }

    /// Weight of the sum of norms.
    pub fn regularization(&self) -> f64 {
        self.regularization
    }

    /// The groups, ascending.
    pub fn groups(&self) -> &[Range<usize>] {
        &self.groups
    }

    #[track_caller]
    fn check_dimension(&self, x: &[f64]) {
        assert_eq!(x.len(), self.dimension, "the groups partition {} coordinates", self.dimension);
    }
}

impl Prox for GroupLasso {
    #[track_caller]
    fn value(&self, x: &[f64]) -> f64 {
        self.check_dimension(x);
        let norms = self.groups.iter().map(|group| ScaledNorm::of(&x[group.clone()]).value());
        self.regularization * norms.sum::<f64>()
    }

    #[track_caller]
    fn prox(&self, x: &mut [f64], step: f64) {
        self.check_dimension(x);
        let threshold = weight(step, self.regularization);
        for group in &self.groups {
            let x_g = &mut x[group.clone()];
            let factor = 1.0 - shrinkage(ScaledNorm::of(x_g), threshold);
            x_g.iter_mut().for_each(|v| *v *= factor);
        }
    }

    #[track_caller]
    fn jacobian_product(&self, point: &[f64], step: f64, direction: &mut [f64]) {
        self.check_dimension(point);
        check_lengths(point, direction);
        let threshold = weight(step, self.regularization);
        for group in &self.groups {
            let (y_g, d_g) = (&point[group.clone()], &mut direction[group.clone()]);
            let norm = ScaledNorm::of(y_g);
            let c = shrinkage(norm, threshold);
            if c == 1.0 {
                d_g.fill(0.0);
                continue;
            }
            let radial = norm.radial_part(y_g, d_g);
            for (d, &y) in d_g.iter_mut().zip(y_g) {
                *d = (1.0 - c) * *d + c * radial * norm.divide(y);
            }
        }
    }
}

impl ActiveSet for GroupLasso {
    #[track_caller]
    fn support(&self, x: &[f64]) -> Vec<usize> {
        self.check_dimension(x);
        self.groups
            .iter()
            .filter(|group| x[(*group).clone()].iter().any(|v| *v != 0.0))
            .cloned()
            .flatten()
            .collect()
    }

    /// As in the trait; `support` may be any ascending part of [`ActiveSet::support`]`(x)`.
    #[track_caller]
    fn add_hessian(&self, x: &[f64], support: &[usize], hessian: &mut [f64]) {
        self.check_dimension(x);
        check_hessian_shape(support, hessian);
        for group in &self.groups {
            let first = support.partition_point(|i| *i < group.start);
            let last = support.partition_point(|i| *i < group.end);
            let norm = ScaledNorm::of(&x[group.clone()]);
            for column in first..last {
                let v_column = norm.divide(x[support[column]]);
                for row in first..last {
                    let identity = if row == column { 1.0 } else { 0.0 };
                    let tangential = identity - norm.divide(x[support[row]]) * v_column;
                    hessian[column * support.len() + row] += norm.divide(self.regularization * tangential);
                }
            }
        }
    }
}

/// The part `min(threshold / norm, 1)` that block soft thresholding takes away; 1 for a zero group.
fn shrinkage(norm: ScaledNorm, threshold: f64) -> f64 {
    if norm.is_zero() {
        return 1.0;
    }
    let ratio = norm.divide(threshold);
    if ratio > 1.0 { 1.0 } else { ratio }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{DIMENSION, check_active_set, check_convex};
    use crate::l1::L1;
    use testkit::{assert_slices_close, normal_vector};

    fn penalty(regularization: f64, sizes: &[usize]) -> GroupLasso {
        GroupLasso::from_sizes(regularization, sizes).expect("the sizes are positive")
    }

    #[test]
    fn is_the_prox_of_the_sum_of_norms() {
        for regularization in [0.0, 0.4, 1.5] {
            for sizes in [&[3, 1, 2][..], &[6], &[1; DIMENSION]] {
                check_convex(&penalty(regularization, sizes));
                check_active_set(&penalty(regularization, sizes));
            }
        }
    }

    #[test]
    fn groups_of_one_are_the_lasso() {
        let y = normal_vector(5, 1);
        let (mut p, mut q) = (y.clone(), y);
        penalty(0.5, &[1; 5]).prox(&mut p, 0.8);
        L1 { regularization: 0.5 }.prox(&mut q, 0.8);
        // Factors 1 - c against differences: two roundings of numbers below |y| < 4.
        assert_slices_close(&p, &q, 0.0, 8.0 * f64::EPSILON);
    }

    #[test]
    fn a_short_block_becomes_zero_as_a_whole() {
        let mut x = [0.3, -0.4, 3.0, 4.0];
        let penalty = penalty(0.5, &[2, 2]);
        penalty.prox(&mut x, 1.0);
        assert_slices_close(&x, &[0.0, 0.0, 2.7, 3.6], 4.0 * f64::EPSILON, 0.0);
        assert_eq!(penalty.support(&x), [2, 3]);
        // At the kink, norm2(y_g) = t lambda, the block counts as inactive.
        let mut direction = [1.0; 4];
        penalty.jacobian_product(&[0.3, -0.4, 3.0, 4.0], 1.0, &mut direction);
        assert_eq!(direction[..2], [0.0, 0.0]);
    }

    #[test]
    fn an_entry_of_a_live_group_is_in_the_support_even_when_zero() {
        assert_eq!(penalty(1.0, &[2, 2]).support(&[0.0, 1.0, 0.0, 0.0]), [0, 1]);
    }

    #[test]
    fn magnitudes_beyond_the_range_of_squares() {
        let mut x = [3e200, 4e200, 3e-200, 4e-200];
        let mut penalty = penalty(1e200, &[2, 2]);
        assert_eq!(penalty.value(&x), f64::INFINITY);
        penalty.prox(&mut x, 1.0);
        assert_slices_close(&x, &[2.4e200, 3.2e200, 0.0, 0.0], 4.0 * f64::EPSILON, 0.0);
        penalty.regularization = 1e-200;
        let mut x = [3e200, 4e200, 3e-200, 4e-200];
        penalty.prox(&mut x, 1.0);
        assert_slices_close(&x, &[3e200, 4e200, 2.4e-200, 3.2e-200], 4.0 * f64::EPSILON, 0.0);
    }

    #[test]
    fn only_partitions_are_accepted() {
        let new = |groups: &[Range<usize>], dimension| GroupLasso::new(1.0, groups.to_vec(), dimension);
        assert_eq!(new(&[2..3, 0..2], 3).map(|g| g.groups().to_vec()), Ok(vec![0..2, 2..3]));
        assert!(new(&[], 0).is_ok_and(|g| g.value(&[]) == 0.0));
        assert_eq!(new(&[0..2, 1..3], 3), Err(ProxError::GroupOverlap { coordinate: 1 }));
        assert_eq!(new(&[0..1, 2..3], 3), Err(ProxError::Ungrouped { coordinate: 1 }));
        assert_eq!(new(&[0..1, 1..2], 3), Err(ProxError::Ungrouped { coordinate: 2 }));
        assert_eq!(new(&[0..1, 1..4], 3), Err(ProxError::GroupBeyondDimension { end: 4, dimension: 3 }));
        assert_eq!(new(&[0..3, 1..1], 3), Err(ProxError::EmptyGroup { group: 1 }));
        assert_eq!(
            GroupLasso::from_sizes(-1.0, &[1]),
            Err(ProxError::InvalidRegularization { regularization: -1.0 })
        );
    }
}
