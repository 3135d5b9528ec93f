//! The smooth part `f` of a composite problem `min f(x) + g(x)`.

/// A differentiable function of `n` variables.
///
/// The receiver is mutable so that an implementation may keep work space, or what it computed for the last point.
pub trait Smooth {
    /// `f(x)`.
    fn value(&mut self, x: &[f64]) -> f64;

    /// `gradient <- grad f(x)` (every entry is overwritten); returns `f(x)`.
    fn value_and_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> f64;
}
