//! Central differences of fourth order.
//!
//! `f'(x) = (f(x - 2h) - 8 f(x - h) + 8 f(x + h) - f(x + 2h)) / 12 h`, with the error
//! `h^4 |f^(5)| / 30` of truncation plus at most `3 eps |f| / 2 h` of rounding: about `1e-12` at `h = 1e-3` for
//! functions of moderate size. `f` must be smooth on `[x - 2h, x + 2h]`.
//!
//! Cost: 4 evaluations for a derivative or a Jacobian product, `4 n` for a gradient.

/// Offsets, in steps, and weights, in `1 / 12 h`, of the formula.
const STENCIL: [(f64, f64); 4] = [(-2.0, 1.0), (-1.0, -8.0), (1.0, 8.0), (2.0, -1.0)];

/// The derivative `f'(x)`.
pub fn derivative(mut f: impl FnMut(f64) -> f64, x: f64, step: f64) -> f64 {
    let sum: f64 = STENCIL.iter().map(|&(offset, weight)| weight * f(x + offset * step)).sum();
    sum / (12.0 * step)
}

/// The gradient `(df/dx_1, .., df/dx_n)` at `x`.
pub fn gradient(mut f: impl FnMut(&[f64]) -> f64, x: &[f64], step: f64) -> Vec<f64> {
    let mut moved = x.to_vec();
    let mut partial = |i: usize| {
        let slope = derivative(
            |value| {
                moved[i] = value;
                f(&moved)
            },
            x[i],
            step,
        );
        moved[i] = x[i];
        slope
    };
    (0..x.len()).map(&mut partial).collect()
}

/// `J direction`, with `J` the Jacobian at `x` of a map from `n` to `n` numbers; `f(input, output)` fills `output`,
/// which comes in as zeros.
#[track_caller]
pub fn jacobian_product(
    f: impl FnMut(&[f64], &mut [f64]),
    x: &[f64],
    direction: &[f64],
    step: f64,
) -> Vec<f64> {
    rectangular_jacobian_product(f, x.len(), x, direction, step)
}

/// As [`jacobian_product`], for a map from `n` to `output_length` numbers.
#[track_caller]
pub fn rectangular_jacobian_product(
    mut f: impl FnMut(&[f64], &mut [f64]),
    output_length: usize,
    x: &[f64],
    direction: &[f64],
    step: f64,
) -> Vec<f64> {
    assert_eq!(x.len(), direction.len(), "lengths of x and direction differ");
    let mut product = vec![0.0; output_length];
    for (offset, weight) in STENCIL {
        let moved: Vec<f64> = x.iter().zip(direction).map(|(x_i, d_i)| x_i + offset * step * d_i).collect();
        let mut output = vec![0.0; output_length];
        f(&moved, &mut output);
        for (sum, value) in product.iter_mut().zip(output) {
            *sum += weight * value / (12.0 * step);
        }
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::close::{assert_close, assert_slices_close};

    #[test]
    fn quartics_are_exact_up_to_rounding() {
        // No truncation: the fifth derivative is 0. Rounding: 3/2 eps |f| / h with |f| = 1, h = 0.5.
        assert_close(derivative(|x| x.powi(4), 1.0, 0.5), 4.0, 0.0, 1e-14);
    }

    #[test]
    fn quintics_show_the_truncation_of_the_formula() {
        // f = x^5: the formula gives 5 x^4 - h^4 120 / 30.
        assert_close(derivative(|x| x.powi(5), 0.0, 0.5), -0.25, 0.0, 1e-14);
    }

    #[test]
    fn gradient_of_a_product() {
        let slopes = gradient(|x| x[0] * x[0] * x[1], &[2.0, 3.0], 1e-2);
        assert_slices_close(&slopes, &[12.0, 4.0], 1e-12, 0.0);
    }

    #[test]
    fn products_with_square_and_rectangular_jacobians() {
        let square = |x: &[f64], y: &mut [f64]| {
            y[0] = x[0] * x[1];
            y[1] = x[1];
        };
        assert_slices_close(
            &jacobian_product(square, &[2.0, 3.0], &[1.0, -1.0], 1e-2),
            &[1.0, -1.0],
            1e-12,
            0.0,
        );
        let sum = |x: &[f64], y: &mut [f64]| y[0] = x.iter().sum();
        assert_slices_close(
            &rectangular_jacobian_product(sum, 1, &[1.0; 3], &[2.0; 3], 1e-2),
            &[6.0],
            1e-12,
            0.0,
        );
    }
}
