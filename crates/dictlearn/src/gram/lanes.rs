//! Inverses of many small systems at once, in `f32`: sixteen supports side by side, one in each lane of the vectors.
//!
//! `H_l = G_SS`, the ridge on the diagonal of `G`, for the supports `S = S_l`, `l < 16`. Entry `(a, b)` of all sixteen lies
//! in one vector; the lower triangles are swept on every pivot (Goodnight 1979), `A <- A - u u^T / d` with `d = A_pp`, `u`
//! column `p` with `u_p = -1`, and row and column `p` of `A` set to zero before: then `A = -H^-1`. Two pivots share a pass.
//! Smaller supports are filled up with the identity, which leaves their own entries as they are; so a lane does not depend
//! on its neighbours, bit by bit.
//! Where the Gram matrix is at hand in `f64`, the lanes are solved side by side as well ([`super::together`]); elsewhere each
//! is transposed into an ordinary matrix. Cost: `s^3 / 2` vector operations for sixteen systems.

use super::dictionary::{GramDictionary, Matrix};
use linalg::simd::{Aligned, CHUNK, Kernel, Simd, chunks, chunks_mut, padded};

/// Largest support that is inverted in lanes: beyond, the triangle of sixteen leaves the nearest caches.
pub(super) const LARGEST: usize = 48;

/// Sixteen inverses, and scratch.
#[derive(Clone, Debug, Default)]
pub(super) struct Lanes {
    /// Entry `(a, b)`, `b <= a`, at `a (a + 1) / 2 + b`: first of `H`, then of `-H^-1`.
    pub triangle: Aligned<f32>,
    /// Entries of `H` likewise, after [`Lanes::invert_exact`].
    pub exact: Aligned<f64>,
    diagonal: Aligned<f32>,
    columns: Aligned<f32>,
    /// Lane `l`: rows of `stride` numbers from `l size stride` on, padding zero.
    rows: Aligned<f32>,
    /// Largest support, made even.
    pub size: usize,
    stride: usize,
    /// Bit `l` is set where lane `l` has an inverse.
    pub regular: u16,
}

/// Smallest accepted pivot against its diagonal entry: `f32` refines below a condition of some 1e5.
pub(super) const SMALLEST_PIVOT: f32 = 3e-5;

impl Lanes {
    /// Inverts the systems of up to sixteen supports, one matrix each.
    pub fn invert(&mut self, dictionary: &GramDictionary, supports: &[&[u32]]) {
        let entries = self.begin(supports);
        let row = |j: u32| dictionary.gram_row(j as usize);
        gather(&mut chunks_mut(&mut self.triangle)[..entries], supports, row, self.size);
        self.rows.reserve(CHUNK * self.size * self.stride);
        dictionary.isa.run(Invert { lanes: self, supports });
    }

    /// Inverts them in place, from a Gram matrix of `k` atoms in `f64`, and keeps the systems in `exact`.
    #[inline(always)]
    pub fn invert_exact<S: Simd>(&mut self, simd: S, gram: &[f64], k: usize, supports: &[&[u32]]) {
        let entries = self.begin(supports);
        self.exact.reserve(CHUNK * entries);
        let exact = &mut chunks_mut(&mut self.exact)[..entries];
        gather(exact, supports, |j| &gram[j as usize * k..][..k], self.size);
        for (to, from) in chunks_mut(&mut self.triangle).iter_mut().zip(exact.iter()) {
            simd.store32(to, simd.narrow64(simd.load64(from)));
        }
        self.sweep_all(simd);
    }

    /// Memory for the supports; gives the number of entries of their triangles.
    fn begin(&mut self, supports: &[&[u32]]) -> usize {
        let s = supports.iter().map(|support| support.len()).max().unwrap_or(0).next_multiple_of(2);
        let entries = s * (s + 1) / 2;
        (self.size, self.stride) = (s, padded(s));
        self.triangle.reserve(CHUNK * entries);
        self.diagonal.reserve(CHUNK * s);
        self.columns.reserve(2 * CHUNK * s);
        entries
    }

    /// The inverse of a lane; none where a pivot vanishes.
    pub fn inverse(&self, lane: usize) -> Option<Matrix<'_>> {
        let length = self.size * self.stride;
        let rows = &self.rows[lane * length..(lane + 1) * length];
        (self.regular >> lane & 1 == 1).then_some(Matrix { rows, stride: self.stride })
    }
}

/// The systems of the supports, filled up with the identity to `size`, from the rows of a Gram matrix.
#[inline(always)]
fn gather<'a, T: Copy + Default + From<u8> + 'a>(
    triangle: &mut [[T; CHUNK]],
    supports: &[&[u32]],
    gram_row: impl Fn(u32) -> &'a [T],
    size: usize,
) {
    triangle.fill([T::default(); CHUNK]);
    for lane in 0..CHUNK {
        let support = supports.get(lane).copied().unwrap_or_default();
        let mut start = 0;
        for (a, &j) in support.iter().enumerate() {
            let gram = gram_row(j);
            let row = &mut triangle[start..=start + a];
            row.iter_mut().zip(support).for_each(|(to, &i)| to[lane] = gram[i as usize]);
            start += a + 1;
        }
        for a in support.len()..size {
            triangle[a * (a + 1) / 2 + a][lane] = T::from(1);
        }
    }
}

struct Invert<'a> {
    lanes: &'a mut Lanes,
    supports: &'a [&'a [u32]],
}

impl Kernel for Invert<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { lanes, supports } = self;
        lanes.sweep_all(simd);
        lanes.hand_out(simd, supports);
    }
}

impl Lanes {
    /// From `H` to `-H^-1`.
    #[inline(always)]
    fn sweep_all<S: Simd>(&mut self, simd: S) {
        let triangle = chunks(&self.triangle);
        for (a, to) in chunks_mut(&mut self.diagonal)[..self.size].iter_mut().enumerate() {
            *to = triangle[a * (a + 1) / 2 + a];
        }
        self.regular = u16::MAX;
        for p in (0..self.size).step_by(2) {
            self.regular &= self.sweep(simd, p);
        }
    }

    /// Sweeps on pivots `p` and `p + 1` in one pass; the bits of the lanes where both are large enough.
    #[inline(always)]
    fn sweep<S: Simd>(&mut self, simd: S, p: usize) -> u16 {
        let s = self.size;
        let triangle = &mut chunks_mut(&mut self.triangle)[..s * (s + 1) / 2];
        let (u, w) = chunks_mut(&mut self.columns)[..2 * s].split_at_mut(s);
        let (minus, zero) = (simd.splat32(-1.0), simd.splat32(0.0));
        let smallest = simd.splat32(SMALLEST_PIVOT);
        let bound = |a: usize| simd.mul32(simd.load32(&chunks(&self.diagonal)[a]), smallest);
        take_column(triangle, u, p);
        let pivot = simd.load32(&u[p]);
        let scale = simd.div32(minus, pivot);
        simd.store32(&mut u[p], minus);
        // Column p + 1 as the first sweep leaves it.
        take_column(triangle, w, p + 1);
        let factor = simd.mul32(simd.load32(&u[p + 1]), scale);
        for (w, u) in w.iter_mut().zip(u.iter()) {
            let entry = simd.fma32(factor, simd.load32(u), simd.load32(w));
            simd.store32(w, entry);
        }
        simd.store32(&mut u[p + 1], zero);
        let second = simd.load32(&w[p + 1]);
        simd.store32(&mut w[p + 1], minus);
        subtract_two(simd, triangle, (u, scale), (w, simd.div32(minus, second)));
        simd.above32(pivot, bound(p)) & simd.above32(second, bound(p + 1))
    }

    /// Each lane's inverse as a matrix of its own.
    #[inline(always)]
    fn hand_out<S: Simd>(&mut self, simd: S, supports: &[&[u32]]) {
        let (s, stride) = (self.size, self.stride);
        let negative = simd.splat32(-1.0);
        let (triangle, rows) = (chunks(&self.triangle), chunks_mut(&mut self.rows));
        for a in 0..s {
            for first in (0..s).step_by(CHUNK) {
                let mut columns = [simd.splat32(0.0); CHUNK];
                for (b, to) in (first..s).zip(&mut columns) {
                    let (high, low) = (a.max(b), a.min(b));
                    *to = simd.mul32(simd.load32(&triangle[high * (high + 1) / 2 + low]), negative);
                }
                let lanes = simd.transpose32(columns);
                for (lane, (row, support)) in lanes.into_iter().zip(supports).enumerate() {
                    if a < support.len() {
                        simd.store32(&mut rows[((lane * s + a) * stride + first) / CHUNK], row);
                    }
                }
            }
        }
    }
}

/// Moves column `p` of the triangle to `column`; zeros stay in its row and column.
#[inline(always)]
fn take_column(triangle: &mut [[f32; CHUNK]], column: &mut [[f32; CHUNK]], p: usize) {
    let mut at = p * (p + 1) / 2;
    for (a, to) in column.iter_mut().enumerate() {
        *to = std::mem::replace(&mut triangle[at], [0.0; CHUNK]);
        at += if a < p { 1 } else { a + 1 };
    }
}

/// `A <- A + x u u^T + y w w^T` on the triangle, two rows at a time.
#[inline(always)]
fn subtract_two<S: Simd>(
    simd: S,
    triangle: &mut [[f32; CHUNK]],
    (u, x): (&[[f32; CHUNK]], S::F32),
    (w, y): (&[[f32; CHUNK]], S::F32),
) {
    let mut rest = triangle;
    for (i, (us, ws)) in u.as_chunks::<2>().0.iter().zip(w.as_chunks::<2>().0).enumerate() {
        let (even, next) = rest.split_at_mut(2 * i + 1);
        let (odd, next) = next.split_at_mut(2 * i + 2);
        rest = next;
        let (even_x, even_y) = (simd.mul32(simd.load32(&us[0]), x), simd.mul32(simd.load32(&ws[0]), y));
        let (odd_x, odd_y) = (simd.mul32(simd.load32(&us[1]), x), simd.mul32(simd.load32(&ws[1]), y));
        for (((even, odd), u), w) in even.iter_mut().zip(odd.iter_mut()).zip(u).zip(w) {
            let (u, w) = (simd.load32(u), simd.load32(w));
            let entry = simd.fma32(even_y, w, simd.fma32(even_x, u, simd.load32(even)));
            simd.store32(even, entry);
            let entry = simd.fma32(odd_y, w, simd.fma32(odd_x, u, simd.load32(odd)));
            simd.store32(odd, entry);
        }
        let last = &mut odd[2 * i + 1];
        let entry = simd.fma32(odd_x, simd.load32(&us[1]), simd.load32(last));
        let entry = simd.fma32(odd_y, simd.load32(&ws[1]), entry);
        simd.store32(last, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::Loss;
    use crate::lower::{LowerLevel, Problem};
    use faer::MatRef;
    use linalg::simd::Isa;

    #[test]
    fn lanes_are_inverses_and_do_not_depend_on_their_neighbours() {
        let (d, k) = (40, 30);
        let atoms = testkit::unit_columns(d, k, 6);
        let supports: Vec<Vec<u32>> =
            (0..CHUNK as u32).map(|l| (0..30).filter(|j| (j * 7 + l) % 30 <= 1 + l).collect()).collect();
        let supports: Vec<&[u32]> = supports.iter().map(|support| &support[..]).collect();
        for isa in Isa::available() {
            let lower = LowerLevel { l2_regularization: 0.1, ..LowerLevel::new(Loss::Squared, 1.0) };
            let problem = Problem::new(lower, MatRef::from_column_major_slice(&atoms, d, k)).with_isa(isa);
            let dictionary = GramDictionary::new(&problem).expect("norms are 1");
            let (mut together, mut alone) = (Lanes::default(), Lanes::default());
            together.invert(&dictionary, &supports);
            for (lane, support) in supports.iter().enumerate() {
                let s = support.len();
                assert!(s == lane + 2);
                alone.invert(&dictionary, &[support]);
                let one = alone.inverse(0).expect("a ridge keeps it regular");
                let other = together.inverse(lane).expect("a ridge keeps it regular");
                for a in 0..s {
                    let row = &one.rows[a * one.stride..a * one.stride + s];
                    assert_eq!(row, &other.rows[a * other.stride..a * other.stride + s]);
                    for (b, &j) in support.iter().enumerate() {
                        let product: f32 = support
                            .iter()
                            .zip(row)
                            .map(|(&i, m)| m * dictionary.gram_row(j as usize)[i as usize])
                            .sum();
                        let identity = f64::from(u8::from(a == b));
                        testkit::assert_close(f64::from(product), identity, 0.0, 2e-5);
                    }
                }
            }
        }
    }

    #[test]
    fn equal_atoms_have_no_inverse_and_leave_their_neighbours_alone() {
        let mut atoms = testkit::unit_columns(8, 4, 7);
        let (first, second) = atoms.split_at_mut(8);
        second[..8].copy_from_slice(first);
        let lower = LowerLevel::new(Loss::Squared, 1.0);
        let problem = Problem::new(lower, MatRef::from_column_major_slice(&atoms, 8, 4));
        let dictionary = GramDictionary::new(&problem).expect("norms are 1");
        let mut lanes = Lanes::default();
        lanes.invert(&dictionary, &[&[0, 1], &[1, 2, 3]]);
        assert!(lanes.inverse(0).is_none() && lanes.inverse(1).is_some());
    }
}
