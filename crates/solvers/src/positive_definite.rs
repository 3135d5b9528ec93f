//! Dense symmetric positive definite systems by Cholesky, with a measure of how close to singular they are.
//!
//! `H = L L^T` without pivoting. `L_jj^2 / H_jj` is the share of column `j` (in the inner product of `H`) that the
//! columns before it do not explain: 1 when it is orthogonal to them, 0 when it depends on them. Rounding leaves about
//! `s 2.2e-16` of a true zero. The smallest share is the *pivot ratio*; scaling of the variables does not change it.
//!
//! Cost: `s^3 / 3` flops. Reference: Golub and Van Loan, section 4.2.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt;
use faer::{MatMut, Par};

use crate::vector::all_finite;

/// Replaces `rhs` by `H^-1 rhs` and returns the pivot ratio.
///
/// `matrix` is `H`, column-major `s x s`, and is overwritten. A ratio of at most `min_pivot_ratio` (0 when the
/// factorisation breaks down, not a number when the entries are not) leaves `rhs` as it was.
pub(crate) fn solve(matrix: &mut [f64], rhs: &mut [f64], min_pivot_ratio: f64) -> f64 {
    let s = rhs.len();
    let diagonal: Vec<f64> = (0..s).map(|j| matrix[j * s + j]).collect();
    if !all_finite(matrix) {
        return f64::NAN;
    }
    let mut factor = MatMut::from_column_major_slice_mut(matrix, s, s);
    let scratch = llt::factor::cholesky_in_place_scratch::<f64>(s, Par::Seq, Default::default());
    let mut memory = MemBuffer::new(scratch);
    let stack = MemStack::new(&mut memory);
    let done = llt::factor::cholesky_in_place(
        factor.as_mut(),
        Default::default(),
        Par::Seq,
        stack,
        Default::default(),
    );
    if done.is_err() {
        return 0.0;
    }
    let ratio = (0..s)
        .map(|j| factor[(j, j)].powi(2) / diagonal[j])
        .fold(1.0, f64::min);
    if ratio > min_pivot_ratio {
        let rhs = MatMut::from_column_major_slice_mut(rhs, s, 1);
        llt::solve::solve_in_place(factor.as_ref(), rhs, Par::Seq, MemStack::new(&mut []));
    }
    ratio
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solves_and_measures_the_pivots() {
        let mut rhs = [1.0, 2.0];
        // [[4, 2], [2, 5]]: L = [[2, 0], [1, 2]], shares 1 and 4/5; the solution is [1/16, 6/16].
        let ratio = solve(&mut [4.0, 2.0, 2.0, 5.0], &mut rhs, 1e-12);
        assert!((ratio - 0.8).abs() < 1e-15);
        assert!((rhs[0] - 1.0 / 16.0).abs() < 1e-16 && (rhs[1] - 6.0 / 16.0).abs() < 1e-16);
    }

    #[test]
    fn scaling_a_variable_leaves_the_ratio() {
        let scale = 1e-9;
        let ratio = solve(
            &mut [4.0, 2.0 * scale, 2.0 * scale, 5.0 * scale * scale],
            &mut [1.0; 2],
            1e-12,
        );
        assert!((ratio - 0.8).abs() < 1e-15);
    }

    #[test]
    fn leaves_the_right_hand_side_of_a_singular_system() {
        for (matrix, bound) in [([1.0, 1.0, 1.0, 1.0], 0.0), ([1.0, 0.1, 0.1, 0.01], 1e-12)] {
            let mut rhs = [1.0, 2.0];
            let ratio = solve(&mut matrix.clone(), &mut rhs, 1e-12);
            assert!(ratio <= bound && rhs == [1.0, 2.0]);
        }
        assert!(solve(&mut [f64::NAN; 4], &mut [1.0; 2], 1e-12).is_nan());
        assert_eq!(solve(&mut [], &mut [], 1e-12), 1.0);
    }
}
