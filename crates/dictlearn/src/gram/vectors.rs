//! Vector operations of the block coder.

use linalg::simd::{CHUNK, Kernel, Simd, chunks, chunks_mut};

/// Indices of the entries above a threshold in magnitude, ascending.
pub(super) struct Above<'a> {
    pub correlations: &'a [f32],
    pub threshold: f32,
    /// Entries are raised to this before: with 0, negative ones are not above.
    pub least: f32,
    pub found: &'a mut Vec<u32>,
}

impl Kernel for Above<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        self.found.clear();
        let (bound, least) = (simd.splat32(self.threshold), simd.splat32(self.least));
        for (index, chunk) in chunks(self.correlations).iter().enumerate() {
            let mut above = simd.above32(simd.at_least32(simd.load32(chunk), least), bound);
            while above != 0 {
                self.found.push((index * CHUNK) as u32 + above.trailing_zeros());
                above &= above - 1;
            }
        }
    }
}

/// `out = sum_a factor_a row_a` over the first rows of a matrix, one a factor; `out` sets the length in use.
#[inline(always)]
pub(super) fn combine<S: Simd>(simd: S, out: &mut [f32], factors: &[f32], matrix: &[f32], stride: usize) {
    let out = chunks_mut(out);
    match out.len() {
        1 => combine_chunks::<S, 1>(simd, out, factors, matrix, stride),
        2 => combine_chunks::<S, 2>(simd, out, factors, matrix, stride),
        3 => combine_chunks::<S, 3>(simd, out, factors, matrix, stride),
        4 => combine_chunks::<S, 4>(simd, out, factors, matrix, stride),
        length => {
            for first in 0..length {
                let out = &mut out[first..first + 1];
                combine_chunks::<S, 1>(simd, out, factors, &matrix[first * CHUNK..], stride);
            }
        }
    }
}

/// [`combine`] for `N` chunks, held in registers over all rows, in two chains that need not wait for each other.
#[inline(always)]
fn combine_chunks<S: Simd, const N: usize>(
    simd: S,
    out: &mut [[f32; CHUNK]],
    factors: &[f32],
    matrix: &[f32],
    stride: usize,
) {
    let (mut even, mut odd) = ([simd.splat32(0.0); N], [simd.splat32(0.0); N]);
    let mut rest = matrix;
    let mut pairs = factors.chunks_exact(2);
    for pair in &mut pairs {
        add_row(simd, &mut even, pair[0], rest);
        add_row(simd, &mut odd, pair[1], &rest[stride..]);
        rest = &rest[(2 * stride).min(rest.len())..];
    }
    if let [last] = pairs.remainder() {
        add_row(simd, &mut even, *last, rest);
    }
    for ((out, even), odd) in out.iter_mut().zip(even).zip(odd) {
        simd.store32(out, simd.fma32(odd, simd.splat32(1.0), even));
    }
}

/// `sums += factor row`.
#[inline(always)]
fn add_row<S: Simd, const N: usize>(simd: S, sums: &mut [S::F32; N], factor: f32, row: &[f32]) {
    let row: &[[f32; CHUNK]; N] = chunks(row)[..N].try_into().expect("N chunks were asked for");
    let factor = simd.splat32(factor);
    for (sum, row) in sums.iter_mut().zip(row) {
        *sum = simd.fma32(factor, simd.load32(row), *sum);
    }
}

/// `row_a += factor(a, row_a) vector` for the first `count` rows of a matrix; `vector` sets the length in use.
#[inline(always)]
pub(super) fn add_multiples<S: Simd>(
    simd: S,
    matrix: &mut [f32],
    stride: usize,
    count: usize,
    vector: &[f32],
    factor: impl Fn(usize, &[f32]) -> f32,
) {
    match vector.len() / CHUNK {
        1 => add_multiples_chunks::<S, 1>(simd, matrix, stride, count, vector, factor),
        2 => add_multiples_chunks::<S, 2>(simd, matrix, stride, count, vector, factor),
        3 => add_multiples_chunks::<S, 3>(simd, matrix, stride, count, vector, factor),
        4 => add_multiples_chunks::<S, 4>(simd, matrix, stride, count, vector, factor),
        _ => {
            for (a, row) in matrix.chunks_exact_mut(stride).take(count).enumerate() {
                let factor = simd.splat32(factor(a, row));
                for (to, from) in chunks_mut(row).iter_mut().zip(chunks(vector)) {
                    simd.store32(to, simd.fma32(factor, simd.load32(from), simd.load32(to)));
                }
            }
        }
    }
}

/// [`add_multiples`] for `N` chunks, the vector held in registers over all rows.
#[inline(always)]
fn add_multiples_chunks<S: Simd, const N: usize>(
    simd: S,
    matrix: &mut [f32],
    stride: usize,
    count: usize,
    vector: &[f32],
    factor: impl Fn(usize, &[f32]) -> f32,
) {
    let mut held = [simd.splat32(0.0); N];
    held.iter_mut().zip(chunks(vector)).for_each(|(to, from)| *to = simd.load32(from));
    for (a, row) in matrix.chunks_exact_mut(stride).take(count).enumerate() {
        let factor = simd.splat32(factor(a, row));
        let row: &mut [[f32; CHUNK]; N] = (&mut chunks_mut(row)[..N]).try_into().expect("rows are longer");
        for (to, from) in row.iter_mut().zip(held) {
            simd.store32(to, simd.fma32(factor, from, simd.load32(to)));
        }
    }
}
