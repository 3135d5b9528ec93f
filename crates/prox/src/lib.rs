//! Proximal operators and projections, with the derivative information that implicit differentiation needs.
//!
//! For a function `g` and a step `t > 0`, `prox_{t g}(y) = argmin_z 1/2 |z - y|^2 + t g(z)`.
//! A projection is the prox of an indicator: `g` is 0 on the set and infinite off it, and the step plays no part.

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
