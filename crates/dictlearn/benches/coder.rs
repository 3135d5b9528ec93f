//! Codes and hypergradients against the floor that any exact coder pays: one product of dictionary and samples.
//!
//! `cargo bench -p dictlearn` on one thread; every group handles the same 960 samples (sparse combinations of atoms with
//! noise, made from fixed seeds), so times in a group are comparable. `codes` runs on every instruction set of the machine.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dictlearn::active_set::CoderOptions;
use dictlearn::coder::encode;
use dictlearn::hypergradient::hypergradient;
use dictlearn::loss::Loss;
use dictlearn::lower::{LowerLevel, Problem};
use dictlearn::upper::Reconstruction;
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};
use linalg::simd::Isa;

const N_SAMPLES: usize = 960;

/// A dictionary `d x k` and samples `d x n`, column-major.
struct Arrays {
    d: usize,
    k: usize,
    atoms: Vec<f64>,
    samples: Vec<f64>,
}

impl Arrays {
    /// Samples are ten atoms with Gaussian coefficients and a tenth of noise, of norm 1.
    fn new(d: usize, k: usize) -> Self {
        let atoms = testkit::unit_columns(d, k, 1);
        let mut samples = testkit::normal_matrix(d, N_SAMPLES, 2);
        let coefficients = testkit::normal_vector(10 * N_SAMPLES, 3);
        for (i, sample) in samples.chunks_mut(d).enumerate() {
            sample.iter_mut().for_each(|x| *x *= 0.1 / (d as f64).sqrt());
            for (a, c) in coefficients[10 * i..10 * (i + 1)].iter().enumerate() {
                let j = (i * 37 + a * a * 11) % k;
                linalg::columns::add_scaled(sample, *c, &atoms[j * d..(j + 1) * d]);
            }
            let norm = linalg::columns::norm(sample);
            sample.iter_mut().for_each(|x| *x /= norm);
        }
        Self { d, k, atoms, samples }
    }

    fn dictionary(&self) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice(&self.atoms, self.d, self.k)
    }

    fn samples(&self) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice(&self.samples, self.d, N_SAMPLES)
    }
}

fn codes(criterion: &mut Criterion) {
    for (d, k) in [(64, 64), (64, 256), (64, 1024), (256, 512)] {
        let arrays = Arrays::new(d, k);
        let mut group = criterion.benchmark_group(format!("codes/k={k},d={d}"));
        group.throughput(Throughput::Elements(N_SAMPLES as u64)).sample_size(20);
        let narrow = |values: &[f64]| values.iter().map(|&v| v as f32).collect::<Vec<f32>>();
        let (atoms, samples) = (narrow(&arrays.atoms), narrow(&arrays.samples));
        let mut out = Mat::<f32>::zeros(k, N_SAMPLES);
        group.bench_function("floor: one f32 product", |bencher| {
            bencher.iter(|| {
                let atoms = MatRef::from_column_major_slice(atoms.as_slice(), d, k);
                let samples = MatRef::from_column_major_slice(samples.as_slice(), d, N_SAMPLES);
                matmul(out.as_mut(), Accum::Replace, atoms.transpose(), samples, 1.0, Par::Seq);
            });
        });
        for isa in Isa::available() {
            let lower = LowerLevel::new(Loss::Squared, 0.15);
            let problem = Problem::new(lower, arrays.dictionary()).with_isa(isa);
            group.bench_function(BenchmarkId::new("encode", isa.name()), |bencher| {
                bencher.iter(|| encode(&problem, arrays.samples(), None, CoderOptions::default()));
            });
        }
    }
}

fn losses(criterion: &mut Criterion) {
    let arrays = Arrays::new(64, 128);
    for loss in [Loss::Squared, Loss::Huber { delta: 0.05 }, Loss::Power { exponent: 2.1 }] {
        let mut group = criterion.benchmark_group(format!("losses/{loss:?}"));
        group.throughput(Throughput::Elements(N_SAMPLES as u64)).sample_size(10);
        let lower = LowerLevel { elastic_penalty: 0.1, ..LowerLevel::new(loss, 0.1) };
        let problem = Problem::new(lower, arrays.dictionary());
        let encoded = || encode(&problem, arrays.samples(), None, CoderOptions::default());
        group.bench_function("encode", |bencher| bencher.iter(encoded));
        let codes = encoded().expect("finite samples").codes;
        group.bench_function("hypergradient", |bencher| {
            bencher.iter(|| hypergradient(&problem, arrays.samples(), &codes, &Reconstruction, false));
        });
    }
}

/// One thread, so that the floor and the coder use the same.
fn one_thread() -> Criterion {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build_global();
    pool.expect("no pool is in use yet");
    Criterion::default()
}

criterion_group! {
    name = benches;
    config = one_thread();
    targets = codes, losses
}
criterion_main!(benches);
