//! What a proximal operator is, and what an active set is.
//!
//! `prox_{t g}(y) = argmin_z 1/2 |z - y|^2 + t g(z)`. For convex `g` the minimiser `p` is unique and is characterised
//! by `(y - p) / t` being a subgradient of `g` at `p`; the operator is then nonexpansive, and its Jacobian is
//! symmetric with eigenvalues in `[0, 1]`.
//!
//! Reference: Parikh and Boyd (2014), "Proximal algorithms".

/// A function `g` whose proximal operator has a closed form (or a finite algorithm).
pub trait Prox {
    /// `g(x)`; infinite outside the domain of `g`.
    fn value(&self, x: &[f64]) -> f64;

    /// In place: `x <- prox_{step g}(x) = argmin_z 1/2 |z - x|^2 + step g(z)`.
    fn prox(&self, x: &mut [f64], step: f64);

    /// In place: `direction <- J direction`, with `J` the Jacobian of `y -> prox_{step g}(y)` at `y = point`.
    ///
    /// `J` is symmetric, so this is the vector-Jacobian product too. At a kink one element of the generalised
    /// Jacobian is taken: the one that counts the coordinate (or the constraint) as inactive (zero).
    fn jacobian_product(&self, point: &[f64], step: f64, direction: &mut [f64]);
}

/// A penalty that is smooth in some coordinates around a point and pins the others (at zero or at a bound).
pub trait ActiveSet: Prox {
    /// Indices, ascending, of the coordinates that move freely around `x`.
    fn support(&self, x: &[f64]) -> Vec<usize>;

    /// Adds the Hessian of `g` at `x`, restricted to `support`, to the column-major `s x s` matrix `hessian`.
    fn add_hessian(&self, x: &[f64], support: &[usize], hessian: &mut [f64]);
}

/// Relative distance from its set at which a vector of `length` numbers still counts as inside: `4 eps (length + 4)`.
///
/// This bounds the rounding of a projection followed by the evaluation of its constraint; the distance is relative
/// to the radius (or the sum) of the set. Bounds on single coordinates have no tolerance.
pub fn feasibility_tolerance(length: usize) -> f64 {
    4.0 * f64::EPSILON * (length + 4) as f64
}

/// The value of an indicator: 0 inside, infinite outside.
pub(crate) fn indicator(inside: bool) -> f64 {
    if inside { 0.0 } else { f64::INFINITY }
}

/// `step coefficient`, the weight of a term in the objective of a prox; panics where it is not a non-negative number.
#[track_caller]
pub(crate) fn weight(step: f64, coefficient: f64) -> f64 {
    let weight = step * coefficient;
    assert!(weight >= 0.0, "step {step} times coefficient {coefficient} is not a non-negative number");
    weight
}

/// Panics where `size` (a radius or a sum) is not a non-negative number.
#[track_caller]
pub(crate) fn check_size(name: &str, size: f64) {
    assert!(size >= 0.0, "{name} {size} is not a non-negative number");
}

/// Panics where a Jacobian is asked for at a point and along a direction of different lengths.
#[track_caller]
pub(crate) fn check_lengths(point: &[f64], direction: &[f64]) {
    assert_eq!(point.len(), direction.len(), "lengths of point and direction differ");
}

/// The indices, ascending, of the entries of `x` that are free.
pub(crate) fn indices_where(x: &[f64], free: impl Fn(usize, f64) -> bool) -> Vec<usize> {
    x.iter().enumerate().filter(|&(i, &x_i)| free(i, x_i)).map(|(i, _)| i).collect()
}

/// Panics where `hessian` is not a matrix over the support.
#[track_caller]
pub(crate) fn check_hessian_shape(support: &[usize], hessian: &[f64]) {
    let (expected, found) = (support.len() * support.len(), hessian.len());
    assert_eq!(found, expected, "the Hessian over a support of {} has {found} entries", support.len());
}

/// Adds `curvature` to the diagonal of the column-major `s x s` matrix `hessian`.
#[track_caller]
pub(crate) fn add_diagonal(curvature: f64, support: &[usize], hessian: &mut [f64]) {
    check_hessian_shape(support, hessian);
    hessian.iter_mut().step_by(support.len() + 1).for_each(|h| *h += curvature);
}
