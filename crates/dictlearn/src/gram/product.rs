//! Correlations of all atoms with the residuals of a block: `V = D^T R` in `f32`, the floor that any exact coder pays.
//!
//! Atoms lie in panels of two chunks, feature after feature, packed once for all blocks. A tile of a panel and a few samples
//! is held in registers over all features; every correlation is one chain of products in the order of the features, so
//! that a sample's do not depend on its company, bit by bit. Cost: `2 k d` flops a sample.
//! Source: Goto, van de Geijn, Anatomy of high-performance matrix multiplication (2008), its innermost two loops.

use linalg::simd::{Aligned, CHUNK, Kernel, Simd, chunks, chunks_mut};

/// Chunks of atoms in a panel.
const WIDTH: usize = 2;

/// The atoms (zero atoms up to whole chunks) in panels; the last one may have fewer chunks.
#[derive(Clone, Debug)]
pub(crate) struct Panels {
    values: Aligned<f32>,
    n_features: usize,
}

impl Panels {
    /// `columns` atoms (whole chunks); `entry(j, t)` is feature `t` of atom `j`.
    pub fn new(columns: usize, n_features: usize, entry: impl Fn(usize, usize) -> f32) -> Self {
        let mut values = Aligned::zeros(columns * n_features);
        let mut rest: &mut [f32] = &mut values;
        for first in (0..columns).step_by(WIDTH * CHUNK) {
            let width = (columns - first).min(WIDTH * CHUNK);
            let (panel, next) = rest.split_at_mut(width * n_features);
            rest = next;
            for (t, row) in panel.chunks_exact_mut(width).enumerate() {
                row.iter_mut().enumerate().for_each(|(j, to)| *to = entry(first + j, t));
            }
        }
        Self { values, n_features }
    }
}

/// `correlations` (a column a sample) from `residuals` (features of a sample side by side).
pub(super) struct Correlate<'a> {
    pub panels: &'a Panels,
    pub residuals: &'a [f32],
    pub correlations: &'a mut [f32],
}

impl Kernel for Correlate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { panels, residuals, correlations } = self;
        let d = panels.n_features;
        if d == 0 {
            correlations.fill(0.0);
            return;
        }
        let n = residuals.len() / d;
        let columns = panels.values.len() / d;
        let mut rest: &[f32] = &panels.values;
        for first in (0..columns).step_by(WIDTH * CHUNK) {
            let width = (columns - first).min(WIDTH * CHUNK);
            let (panel, next) = rest.split_at(width * d);
            rest = next;
            let block = Block { panel, width, first, columns, n_features: d, n_samples: n };
            if S::REGISTERS >= 32 && width == WIDTH * CHUNK {
                block.tiles::<S, WIDTH, 12>(simd, 0, residuals, correlations);
                continue;
            }
            for chunk in 0..width / CHUNK {
                if S::REGISTERS >= 8 {
                    block.tiles::<S, 1, 6>(simd, chunk, residuals, correlations);
                } else {
                    block.tiles::<S, 1, 2>(simd, chunk, residuals, correlations);
                }
            }
        }
    }
}

/// A panel, and where its correlations go.
struct Block<'a> {
    panel: &'a [f32],
    width: usize,
    /// Its first atom.
    first: usize,
    columns: usize,
    n_features: usize,
    n_samples: usize,
}

impl Block<'_> {
    /// `A` chunks of the panel with all samples, `N` at a time, what is left by threes and one by one: late rounds have few.
    #[inline(always)]
    fn tiles<S: Simd, const A: usize, const N: usize>(
        &self,
        simd: S,
        chunk: usize,
        residuals: &[f32],
        correlations: &mut [f32],
    ) {
        let mut sample = 0;
        while sample + N <= self.n_samples {
            self.tile::<S, A, N>(simd, chunk, sample, residuals, correlations);
            sample += N;
        }
        while sample + 3 <= self.n_samples {
            self.tile::<S, A, 3>(simd, chunk, sample, residuals, correlations);
            sample += 3;
        }
        while sample < self.n_samples {
            self.tile::<S, A, 1>(simd, chunk, sample, residuals, correlations);
            sample += 1;
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const A: usize, const N: usize>(
        &self,
        simd: S,
        chunk: usize,
        sample: usize,
        residuals: &[f32],
        correlations: &mut [f32],
    ) {
        let d = self.n_features;
        let columns: [&[f32]; N] =
            std::array::from_fn(|i| &residuals[(sample + i) * d..(sample + i + 1) * d]);
        let mut sums = [[simd.splat32(0.0); A]; N];
        for (t, row) in self.panel.chunks_exact(self.width).take(d).enumerate() {
            let row: &[[f32; CHUNK]; A] = chunks(row)[chunk..chunk + A].try_into().expect("A chunks");
            let mut atoms = [simd.splat32(0.0); A];
            atoms.iter_mut().zip(row).for_each(|(to, from)| *to = simd.load32(from));
            for (sums, column) in sums.iter_mut().zip(columns) {
                let x = simd.splat32(column[t]);
                for (sum, atoms) in sums.iter_mut().zip(atoms) {
                    *sum = simd.fma32(x, atoms, *sum);
                }
            }
        }
        // By reference: moved, the registers would go through memory.
        for (i, sums) in sums.iter().enumerate() {
            let start = (sample + i) * self.columns + self.first + chunk * CHUNK;
            let to: &mut [[f32; CHUNK]; A] =
                chunks_mut(&mut correlations[start..]).first_chunk_mut().expect("a column for every sample");
            to.iter_mut().zip(sums).for_each(|(to, sum)| simd.store32(to, *sum));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use linalg::simd::Isa;

    #[test]
    fn every_correlation_is_a_product_whatever_the_company() {
        for (d, columns) in [(0, 16), (1, 16), (7, 48), (33, 32), (64, 80)] {
            let [atoms, samples] = [(columns, 1), (29, 2)].map(|(n, seed)| {
                testkit::normal_matrix(d, n, seed).into_iter().map(|x| x as f32).collect::<Vec<f32>>()
            });
            let panels = Panels::new(columns, d, |j, t| atoms[j * d + t]);
            for isa in Isa::available() {
                let correlate = |residuals: &[f32], n: usize| {
                    let mut correlations = vec![f32::NAN; columns * n];
                    isa.run(Correlate { panels: &panels, residuals, correlations: &mut correlations });
                    correlations
                };
                let all = correlate(&samples, 29);
                for i in 0..29 {
                    let sample = &samples[i * d..(i + 1) * d];
                    let own = &all[i * columns..(i + 1) * columns];
                    assert_eq!(own, correlate(sample, 1), "{} d={d}, sample {i}", isa.name());
                    for (j, v) in own.iter().enumerate() {
                        let pairs = atoms[j * d..(j + 1) * d].iter().zip(sample);
                        let exact: f64 = pairs.map(|(a, x)| f64::from(*a) * f64::from(*x)).sum();
                        testkit::assert_close(f64::from(*v), exact, 1e-5, 1e-5);
                    }
                }
            }
        }
    }
}
