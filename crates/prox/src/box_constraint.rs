//! The box: the indicator of `l_i <= x_i <= u_i` for all `i`.
//!
//! Projection, entry by entry: `p_i = min(max(y_i, l_i), u_i)`. Optimality: `p_i = y_i` strictly between the bounds,
//! `y_i <= l_i` where `p_i = l_i`, `y_i >= u_i` where `p_i = u_i`.
//! Jacobian: diagonal, 1 where `l_i < y_i < u_i`, else 0 (also at the bounds, which pin the coordinate).
//! Hessian of `g` on the support `l_i < x_i < u_i`: 0.
//!
//! | symbol | name | range |
//! |---|---|---|
//! | `l_i`, `u_i` | `lower`, `upper` | `l_i <= u_i`; may be infinite, not both the same infinity |
//!
//! Cost: `O(n)`. Reference: Parikh and Boyd (2014), "Proximal algorithms", section 6.2.4.

use crate::error::ProxError;
use crate::operator::{ActiveSet, Prox, check_hessian_shape, check_lengths, indicator, indices_where};

/// The indicator of a box, with the same bounds for all coordinates or with bounds for each.
#[derive(Clone, Debug, PartialEq)]
pub struct BoxConstraint {
    bounds: Bounds,
}

/// Checked bounds.
#[derive(Clone, Debug, PartialEq)]
enum Bounds {
    Uniform { lower: f64, upper: f64 },
    PerCoordinate { lower: Vec<f64>, upper: Vec<f64> },
}

impl BoxConstraint {
    /// The box `lower <= x_i <= upper`, of any dimension.
    ///
    /// # Errors
    /// No number lies between the bounds.
    pub fn uniform(lower: f64, upper: f64) -> Result<Self, ProxError> {
        check_bounds(0, lower, upper)?;
        Ok(Self { bounds: Bounds::Uniform { lower, upper } })
    }

    /// The box `lower[i] <= x_i <= upper[i]`.
    ///
    /// # Errors
    /// The lengths differ, or no number lies between the bounds of a coordinate.
    pub fn per_coordinate(lower: Vec<f64>, upper: Vec<f64>) -> Result<Self, ProxError> {
        if lower.len() != upper.len() {
            return Err(ProxError::BoundsLength { lower: lower.len(), upper: upper.len() });
        }
        for (i, (&l, &u)) in lower.iter().zip(&upper).enumerate() {
            check_bounds(i, l, u)?;
        }
        Ok(Self { bounds: Bounds::PerCoordinate { lower, upper } })
    }

    fn bounds_of(&self, i: usize) -> (f64, f64) {
        match &self.bounds {
            Bounds::Uniform { lower, upper } => (*lower, *upper),
            Bounds::PerCoordinate { lower, upper } => (lower[i], upper[i]),
        }
    }

    fn is_free(&self, i: usize, value: f64) -> bool {
        let (lower, upper) = self.bounds_of(i);
        lower < value && value < upper
    }

    #[track_caller]
    fn check_dimension(&self, x: &[f64]) {
        if let Bounds::PerCoordinate { lower, .. } = &self.bounds {
            assert_eq!(x.len(), lower.len(), "the box has bounds for {} coordinates", lower.len());
        }
    }
}

impl Prox for BoxConstraint {
    /// 0 where every entry is within its bounds (without tolerance), else infinite.
    #[track_caller]
    fn value(&self, x: &[f64]) -> f64 {
        self.check_dimension(x);
        indicator(x.iter().enumerate().all(|(i, v)| {
            let (lower, upper) = self.bounds_of(i);
            (lower..=upper).contains(v)
        }))
    }

    #[track_caller]
    fn prox(&self, x: &mut [f64], _step: f64) {
        self.check_dimension(x);
        for (i, v) in x.iter_mut().enumerate() {
            let (lower, upper) = self.bounds_of(i);
            *v = v.clamp(lower, upper);
        }
    }

    #[track_caller]
    fn jacobian_product(&self, point: &[f64], _step: f64, direction: &mut [f64]) {
        self.check_dimension(point);
        check_lengths(point, direction);
        for (i, (d, &y)) in direction.iter_mut().zip(point).enumerate() {
            if !self.is_free(i, y) {
                *d = 0.0;
            }
        }
    }
}

impl ActiveSet for BoxConstraint {
    #[track_caller]
    fn support(&self, x: &[f64]) -> Vec<usize> {
        self.check_dimension(x);
        indices_where(x, |i, v| self.is_free(i, v))
    }

    #[track_caller]
    fn add_hessian(&self, _x: &[f64], support: &[usize], hessian: &mut [f64]) {
        check_hessian_shape(support, hessian);
    }
}

fn check_bounds(index: usize, lower: f64, upper: f64) -> Result<(), ProxError> {
    if lower <= upper && lower < f64::INFINITY && upper > f64::NEG_INFINITY {
        Ok(())
    } else {
        Err(ProxError::EmptyBounds { index, lower, upper })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{check_active_set, check_convex_projection};
    use crate::non_negative::NonNegative;

    const INFINITY: f64 = f64::INFINITY;

    #[test]
    fn is_the_projection_on_the_box() {
        for (lower, upper) in [(-0.5, 0.8), (0.0, 0.0), (-1.0, INFINITY), (-INFINITY, INFINITY)] {
            let constraint = BoxConstraint::uniform(lower, upper).expect("the bounds are in order");
            check_convex_projection(&constraint);
            check_active_set(&constraint);
        }
        let (lower, upper) =
            (vec![-1.0, 0.0, -INFINITY, 2.0, -0.1, 0.0], vec![1.0, 0.0, 0.3, INFINITY, 0.2, 1.0]);
        let constraint = BoxConstraint::per_coordinate(lower, upper).expect("the bounds are in order");
        check_convex_projection(&constraint);
        check_active_set(&constraint);
    }

    #[test]
    fn half_infinite_boxes_are_the_non_negative_cone() {
        let (mut p, mut q) = ([1.0, -2.0, 0.0, 1e300], [1.0, -2.0, 0.0, 1e300]);
        BoxConstraint::uniform(0.0, INFINITY).expect("the bounds are in order").prox(&mut p, 1.0);
        NonNegative.prox(&mut q, 1.0);
        assert_eq!(p, q);
    }

    #[test]
    fn bounds_pin_the_coordinate() {
        let constraint = BoxConstraint::uniform(-1.0, 1.0).expect("the bounds are in order");
        let mut direction = [1.0; 3];
        constraint.jacobian_product(&[-1.0, 0.0, 1.0], 1.0, &mut direction);
        assert_eq!(direction, [0.0, 1.0, 0.0]);
        assert_eq!(constraint.support(&[-1.0, 0.0, 1.0]), [1]);
        assert_eq!(constraint.value(&[1.0 + f64::EPSILON]), INFINITY);
        assert_eq!(constraint.value(&[f64::NAN]), INFINITY);
        assert_eq!(constraint.value(&[]), 0.0);
    }

    #[test]
    fn bounds_without_a_number_are_errors() {
        let empty = |index, lower, upper| Err(ProxError::EmptyBounds { index, lower, upper });
        assert_eq!(BoxConstraint::uniform(1.0, 0.0), empty(0, 1.0, 0.0));
        assert_eq!(BoxConstraint::uniform(INFINITY, INFINITY), empty(0, INFINITY, INFINITY));
        assert!(BoxConstraint::uniform(f64::NAN, 0.0).is_err());
        assert_eq!(BoxConstraint::per_coordinate(vec![0.0, 2.0], vec![1.0, 1.0]), empty(1, 2.0, 1.0));
        assert_eq!(
            BoxConstraint::per_coordinate(vec![0.0], vec![]),
            Err(ProxError::BoundsLength { lower: 1, upper: 0 })
        );
    }

    #[test]
    #[should_panic(expected = "the box has bounds for 1 coordinates")]
    fn another_dimension_panics() {
        let constraint =
            BoxConstraint::per_coordinate(vec![0.0], vec![1.0]).expect("the bounds are in order");
        constraint.prox(&mut [0.0; 2], 1.0);
    }
}
