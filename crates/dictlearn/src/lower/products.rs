//! Products with the atoms of a support, over padded vectors.
//!
//! Symbols: `D` (`d x k`, atom `j` at `j rows` of `atoms`, padded with zeros to `rows` numbers), `S` a support of size `s`,
//! `a` its coefficients. Vectors over the features are padded too; what is behind their `d` numbers plays no part.
//!
//! | kernel | gives | flops |
//! |---|---|---|
//! | [`Combine`] | `out += factor D_S a` | `2 s d` |
//! | [`Correlate`] | `D_S^T vector` | `2 s d` |
//! | [`WeightedGram`] | lower triangle of `D_S^T W D_S` | `s^2 d` |
//!
//! An entry of a result depends on its own atoms alone, not on which others are in the support.

use linalg::simd::{CHUNK, Kernel, Simd, chunks, chunks_mut};

/// Chunks held in registers at a time.
const GROUP: usize = 4;

/// `out += factor D_S a`.
pub(super) struct Combine<'a> {
    pub atoms: &'a [f64],
    pub rows: usize,
    pub factor: f64,
    pub support: &'a [usize],
    pub coefficients: &'a [f64],
    pub out: &'a mut [f64],
}

impl Kernel for Combine<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let n = self.rows / CHUNK;
        let whole = n / GROUP * GROUP;
        for first in (0..whole).step_by(GROUP) {
            self.chunks::<S, GROUP>(simd, first);
        }
        for first in whole..n {
            self.chunks::<S, 1>(simd, first);
        }
    }
}

impl Combine<'_> {
    #[inline(always)]
    fn chunks<S: Simd, const N: usize>(&mut self, simd: S, first: usize) {
        let out = &mut chunks_mut(self.out)[first..first + N];
        let mut sums: [S::F64; N] = std::array::from_fn(|i| simd.load64(&out[i]));
        for (&j, a) in self.support.iter().zip(self.coefficients) {
            let atom = &chunks(&self.atoms[j * self.rows..(j + 1) * self.rows])[first..first + N];
            let a = simd.splat64(self.factor * a);
            for i in 0..N {
                // Product and sum rounded one after the other, as plain loops do: anyone finds the same residual.
                let product = simd.fma64(simd.load64(&atom[i]), a, simd.zero64());
                sums[i] = simd.fma64(product, simd.splat64(1.0), sums[i]);
            }
        }
        (0..N).for_each(|i| simd.store64(&mut out[i], sums[i]));
    }
}

/// `out_j = d_j . vector` for the atoms of an iterator.
pub(super) struct Correlate<'a, I> {
    pub atoms: &'a [f64],
    pub rows: usize,
    pub of: I,
    pub vector: &'a [f64],
    pub out: &'a mut [f64],
}

impl<I: Iterator<Item = usize>> Kernel for Correlate<'_, I> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for (out, j) in self.out.iter_mut().zip(self.of) {
            *out = dot(simd, &self.atoms[j * self.rows..(j + 1) * self.rows], self.vector);
        }
    }
}

/// Lower triangle of `D_S^T W D_S` (`s x s`, column-major) with `W = diag(curvatures)`; `weighted` is scratch.
pub(super) struct WeightedGram<'a> {
    pub atoms: &'a [f64],
    pub rows: usize,
    pub support: &'a [usize],
    pub curvatures: &'a [f64],
    pub weighted: &'a mut [f64],
    pub out: &'a mut [f64],
}

impl Kernel for WeightedGram<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (s, rows) = (self.support.len(), self.rows);
        let atom = |j: usize| &self.atoms[j * rows..(j + 1) * rows];
        for (b, &j) in self.support.iter().enumerate() {
            let pairs = chunks(atom(j)).iter().zip(chunks(self.curvatures));
            for (to, (a, w)) in chunks_mut(self.weighted).iter_mut().zip(pairs) {
                simd.store64(to, simd.fma64(simd.load64(a), simd.load64(w), simd.zero64()));
            }
            for (out, &i) in self.out[b * s + b..(b + 1) * s].iter_mut().zip(&self.support[b..]) {
                *out = dot(simd, atom(i), self.weighted);
            }
        }
    }
}

/// `a . b` over whole chunks.
#[inline(always)]
fn dot<S: Simd>(simd: S, a: &[f64], b: &[f64]) -> f64 {
    let (mut even, mut odd) = (simd.zero64(), simd.zero64());
    let (a, b) = (chunks(a).as_chunks::<2>(), chunks(b).as_chunks::<2>());
    for (a, b) in a.0.iter().zip(b.0) {
        even = simd.fma64(simd.load64(&a[0]), simd.load64(&b[0]), even);
        odd = simd.fma64(simd.load64(&a[1]), simd.load64(&b[1]), odd);
    }
    for (a, b) in a.1.iter().zip(b.1) {
        even = simd.fma64(simd.load64(a), simd.load64(b), even);
    }
    simd.sum64(simd.fma64(odd, simd.splat64(1.0), even))
}
