//! The contiguous columns of a column-major matrix.

/// The columns of `x`; panics where its length is no multiple of `column_length`.
#[track_caller]
pub(crate) fn columns(x: &[f64], column_length: usize) -> std::slice::ChunksExact<'_, f64> {
    check(x.len(), column_length);
    x.chunks_exact(column_length.max(1))
}

/// The columns of `x`, to be written; panics where its length is no multiple of `column_length`.
#[track_caller]
pub(crate) fn columns_mut(x: &mut [f64], column_length: usize) -> std::slice::ChunksExactMut<'_, f64> {
    check(x.len(), column_length);
    x.chunks_exact_mut(column_length.max(1))
}

/// Whether `length` entries divide into columns of `column_length`; no entries always do.
pub(crate) fn divides(length: usize, column_length: usize) -> bool {
    length == 0 || length.checked_rem(column_length) == Some(0)
}

#[track_caller]
fn check(length: usize, column_length: usize) {
    assert!(divides(length, column_length), "{length} entries do not divide into columns of {column_length}");
}
