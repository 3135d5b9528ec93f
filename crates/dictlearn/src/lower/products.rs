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

/// `out_a = d_j . vector` for the atoms `j = of(a)`.
pub(super) struct Correlate<'a, F> {
    pub atoms: &'a [f64],
    pub rows: usize,
    pub of: F,
    pub vector: &'a [f64],
    pub out: &'a mut [f64],
}

impl<F: Index> Kernel for Correlate<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        dots(simd, self.atoms, self.rows, self.of, self.vector, self.out);
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
        for (b, &j) in self.support.iter().enumerate() {
            let pairs = chunks(&self.atoms[j * rows..(j + 1) * rows]).iter().zip(chunks(self.curvatures));
            for (to, (a, w)) in chunks_mut(self.weighted).iter_mut().zip(pairs) {
                simd.store64(to, simd.fma64(simd.load64(a), simd.load64(w), simd.zero64()));
            }
            let column = &mut self.out[b * s + b..(b + 1) * s];
            dots(simd, self.atoms, rows, &self.support[b..], self.weighted, column);
        }
    }
}

/// A list of atoms.
pub(crate) trait Index: Copy {
    /// The atom at a place.
    fn at(self, place: usize) -> usize;
}

impl Index for &[usize] {
    #[inline(always)]
    fn at(self, place: usize) -> usize {
        self[place]
    }
}

/// Every atom.
#[derive(Clone, Copy)]
pub(crate) struct All;

impl Index for All {
    #[inline(always)]
    fn at(self, place: usize) -> usize {
        place
    }
}

/// `out_a = d_(of(a)) . vector`, four at a time (the last four may hold some twice).
#[inline(always)]
fn dots<S: Simd, F: Index>(simd: S, atoms: &[f64], rows: usize, of: F, vector: &[f64], out: &mut [f64]) {
    let n = out.len();
    for first in (0..n).step_by(4) {
        let mut four = [[].as_slice(); 4];
        for (place, atom) in four.iter_mut().enumerate() {
            let j = of.at((first + place).min(n - 1));
            *atom = chunks(&atoms[j * rows..(j + 1) * rows]);
        }
        let mut sums = [simd.zero64(); 4];
        let (mut four, mut vector) = (four, chunks(vector));
        // Whole groups are unrolled.
        while let Some((head, rest)) = vector.split_first_chunk::<GROUP>() {
            let Some((heads, rests)) = split_heads(four) else { break };
            for i in 0..GROUP {
                sums = add_products(simd, heads.map(|atom| &atom[i]), &head[i], sums);
            }
            (four, vector) = (rests, rest);
        }
        for (i, v) in vector.iter().enumerate() {
            sums = add_products(simd, four.map(|atom| &atom[i]), v, sums);
        }
        let sums = simd.sums64(sums);
        match out[first..].first_chunk_mut::<4>() {
            Some(out) => *out = sums,
            None => {
                for (out, sum) in out[first..].iter_mut().zip(sums) {
                    *out = sum;
                }
            }
        }
    }
}

/// The first group of chunks of four atoms.
type Heads<'a> = [&'a [[f64; CHUNK]; GROUP]; 4];
/// The chunks of four atoms.
type Four<'a> = [&'a [[f64; CHUNK]]; 4];

/// The first group of chunks of each and what is behind it.
#[inline(always)]
fn split_heads(four: Four<'_>) -> Option<(Heads<'_>, Four<'_>)> {
    let [a, b, c, d] = four;
    let ((a, a_rest), (b, b_rest)) = (a.split_first_chunk()?, b.split_first_chunk()?);
    let ((c, c_rest), (d, d_rest)) = (c.split_first_chunk()?, d.split_first_chunk()?);
    Some(([a, b, c, d], [a_rest, b_rest, c_rest, d_rest]))
}

/// `sums_i + atom_i v`.
#[inline(always)]
fn add_products<S: Simd>(
    simd: S,
    atoms: [&[f64; CHUNK]; 4],
    v: &[f64; CHUNK],
    sums: [S::F64; 4],
) -> [S::F64; 4] {
    let ([a, b, c, d], v) = (atoms, simd.load64(v));
    [
        simd.fma64(simd.load64(a), v, sums[0]),
        simd.fma64(simd.load64(b), v, sums[1]),
        simd.fma64(simd.load64(c), v, sums[2]),
        simd.fma64(simd.load64(d), v, sums[3]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use linalg::simd::{Isa, padded};

    const SUPPORT: [usize; 6] = [0, 2, 3, 4, 7, 8];

    fn dot(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    fn check(isa: Isa, d: usize) {
        let rows = padded(d);
        let mut atoms = testkit::normal_vector(9 * rows, 1);
        atoms.chunks_exact_mut(rows).for_each(|atom| atom[d..].fill(0.0));
        let atom = |j: usize| &atoms[j * rows..(j + 1) * rows];
        let (vector, coefficients) = (testkit::normal_vector(rows, 2), testkit::normal_vector(6, 3));
        let mut out = vector.clone();
        let (support, atoms) = (SUPPORT.as_slice(), atoms.as_slice());
        let coefficients = coefficients.as_slice();
        isa.run(Combine { atoms, rows, factor: -1.0, support, coefficients, out: &mut out });
        let mut expected = vector.clone();
        for (&j, c) in support.iter().zip(coefficients) {
            expected.iter_mut().zip(atom(j)).for_each(|(e, a)| *e += -c * a);
        }
        assert_eq!(out, expected, "the bits of the plain loop");
        let vector = vector.as_slice();
        let mut all = [0.0; 9];
        isa.run(Correlate { atoms, rows, of: All, vector, out: &mut all });
        for (j, v) in all.iter().enumerate() {
            testkit::assert_close(*v, dot(atom(j), vector), 1e-12, 1e-12);
        }
        let mut some = [0.0; 6];
        isa.run(Correlate { atoms, rows, of: support, vector, out: &mut some });
        assert_eq!(some, SUPPORT.map(|j| all[j]), "the bits do not depend on the company");
        let (mut weighted, mut gram) = (vec![0.0; rows], [0.0; 36]);
        let curvatures = vector;
        isa.run(WeightedGram { atoms, rows, support, curvatures, weighted: &mut weighted, out: &mut gram });
        for b in 0..6 {
            for a in b..6 {
                let products = (0..rows).map(|t| atom(SUPPORT[a])[t] * vector[t] * atom(SUPPORT[b])[t]);
                testkit::assert_close(gram[b * 6 + a], products.sum(), 1e-12, 1e-12);
            }
        }
        let (part, mut smaller) = ([SUPPORT[1], SUPPORT[4]], [0.0; 4]);
        let (support, out) = (part.as_slice(), &mut smaller);
        isa.run(WeightedGram { atoms, rows, support, curvatures, weighted: &mut weighted, out });
        assert_eq!([smaller[0], smaller[1], smaller[3]], [gram[7], gram[10], gram[28]], "likewise");
    }

    #[test]
    fn products_agree_with_plain_loops() {
        for isa in Isa::available() {
            for d in [1, 16, 17, 64, 70, 100, 200] {
                check(isa, d);
            }
        }
    }
}
