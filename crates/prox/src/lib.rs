//! Proximal operators and projections, with the derivative information that implicit differentiation needs.
//!
//! For a function `g` and a step `t > 0`, `prox_{t g}(y) = argmin_z 1/2 |z - y|^2 + t g(z)`.
//! A projection is the prox of an indicator: `g` is 0 on the set and infinite off it, and the step plays no part.
//!
//! | penalty | `g(x)` | constraint | set |
//! |---|---|---|---|
//! | [`NoPenalty`] | `0` | [`L2Ball`], [`L2Sphere`] | `norm2(x) <= r`, `= r` |
//! | [`L1`] | `lambda norm1(x)` | [`ColumnBalls`], [`ColumnSpheres`] | the same for every column |
//! | [`ElasticNet`] | `lambda (norm1(x) + rho/2 norm2(x)^2)` | [`FrobeniusSphere`] | the same for a whole matrix |
//! | [`NonNegativeL1`], [`NonNegativeElasticNet`] | the same on `x >= 0` | [`L1Ball`] | `norm1(x) <= r` |
//! | [`Ridge`] | `mu/2 norm2(x)^2` | [`Simplex`] | `x >= 0`, `sum_i x_i = s` |
//! | [`GroupLasso`] | `lambda sum_g norm2(x_g)` | [`BoxConstraint`], [`NonNegative`] | `l <= x <= u`, `x >= 0` |
//!
//! Everything works in place on slices. Coefficients and radii are non-negative; an operator given a negative or
//! not-a-number one panics. Not-a-number entries of `x` stay visible: they are never turned into numbers.
//!
//! One iteration of proximal gradient on `1/2 |x - b|^2 + norm1(x)`, and the sensitivity of its result to `b`:
//!
//! ```
//! use prox::{ActiveSet, L1, Prox};
//!
//! let penalty = L1 { regularization: 1.0 };
//! let b = [3.0, -0.5, -2.0];
//! let mut x = b;
//! penalty.prox(&mut x, 1.0);
//! assert_eq!(x, [2.0, 0.0, -1.0]);
//! assert_eq!(penalty.value(&x), 3.0);
//! assert_eq!(penalty.support(&x), [0, 2]);
//!
//! let mut sensitivity = [1.0, 1.0, 1.0];
//! penalty.jacobian_product(&b, 1.0, &mut sensitivity);
//! assert_eq!(sensitivity, [1.0, 0.0, 1.0]);
//! ```

mod group_lasso;

mod non_negative_elastic_net;

mod non_negative_l1;

mod elastic_net;

mod l1;

mod ridge;

mod no_penalty;

mod column_balls;

mod column_spheres;

mod frobenius_sphere;

mod l2_ball;

mod l2_sphere;

mod l1_ball;

mod simplex;

mod box_constraint;

mod non_negative;

mod soft_threshold;

mod columns;

mod scaled_norm;

#[cfg(test)]
mod checks;

mod operator;

mod error;

pub use box_constraint::BoxConstraint;
pub use column_balls::ColumnBalls;
pub use column_spheres::{ColumnSpheres, project_column_spheres};
pub use elastic_net::ElasticNet;
pub use error::ProxError;
pub use frobenius_sphere::{FrobeniusSphere, project_frobenius_sphere};
pub use group_lasso::GroupLasso;
pub use l1::L1;
pub use l1_ball::L1Ball;
pub use l2_ball::L2Ball;
pub use l2_sphere::{L2Sphere, project_l2_sphere};
pub use no_penalty::NoPenalty;
pub use non_negative::NonNegative;
pub use non_negative_elastic_net::NonNegativeElasticNet;
pub use non_negative_l1::NonNegativeL1;
pub use operator::{ActiveSet, Prox, feasibility_tolerance};
pub use ridge::Ridge;
pub use simplex::Simplex;
pub use soft_threshold::{
    non_negative_soft_threshold, non_negative_soft_threshold_derivative, soft_threshold,
    soft_threshold_derivative,
};
