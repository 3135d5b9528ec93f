//! Test helpers shared by all crates: one checker per mathematical property, and small seeded instances.
//!
//! Everything takes slices and closures, so that the kit depends on no crate that it tests. Matrices are
//! column-major slices. Checkers panic at the caller's line with the numbers that disagree.
//!
//! ```
//! let slope = testkit::derivative(|x| x * x * x, 2.0, 1e-3);
//! testkit::assert_close(slope, 12.0, 1e-11, 0.0);
//! ```

mod proximal;

mod finite_difference;

mod golden_section;

mod instances;

mod close;

pub use close::{assert_close, assert_slices_close, max_abs_diff, relative_error};
pub use finite_difference::{derivative, gradient, jacobian_product, rectangular_jacobian_product};
pub use golden_section::golden_section;
pub use instances::{SparseSignals, normal_matrix, normal_vector, sparse_signals, unit_columns};
pub use proximal::{
    assert_idempotent, assert_jacobian_matches, assert_jacobian_symmetric, assert_nonconvex_prox,
    assert_nonexpansive, assert_prox,
};
