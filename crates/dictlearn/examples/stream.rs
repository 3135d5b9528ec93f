//! Millions of single-precision samples coded block by block: memory does not grow with their number.
//!
//! ```text
//! cargo run --release -p dictlearn --example stream -- [SAMPLES] [ATOMS]
//! ```
//!
//! Samples of 64 features are made up as they are needed (four atoms and noise, from a counter); each block is coded, its
//! certificate is kept, its codes are dropped. Without arguments: 20000 samples, 256 atoms.

use dictlearn::active_set::CoderOptions;
use dictlearn::certificate::CodingReport;
use dictlearn::coder::encode;
use dictlearn::loss::Loss;
use dictlearn::lower::{LowerLevel, Problem};
use faer::MatRef;
use std::error::Error;
use std::time::Instant;

const N_FEATURES: usize = 64;
const BLOCK: usize = 8192;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let n_samples: usize = arguments.next().map_or(Ok(20_000), |text| text.parse())?;
    let n_components: usize = arguments.next().map_or(Ok(256), |text| text.parse())?;

    let atoms = testkit::unit_columns(N_FEATURES, n_components, 1);
    let dictionary = MatRef::from_column_major_slice(&atoms, N_FEATURES, n_components);
    let problem = Problem::new(LowerLevel::new(Loss::Squared, 0.15), dictionary);
    let (mut report, mut nonzeros, mut memory) = (CodingReport::default(), 0, Vec::new());
    let clock = Instant::now();
    let mut block = Vec::new();
    for first in (0..n_samples).step_by(BLOCK) {
        let size = BLOCK.min(n_samples - first);
        fill(&mut block, &atoms, n_components, first, size);
        let samples = MatRef::from_column_major_slice(block.as_slice(), N_FEATURES, size);
        let coded = encode(&problem, samples, None, CoderOptions::default())?;
        report = report.merge(coded.report);
        nonzeros += coded.codes.nnz();
        memory.extend(peak_memory());
    }
    let seconds = clock.elapsed().as_secs_f64();
    println!("{n_samples} samples, {} nonzeros each", nonzeros / n_samples);
    println!("{report:?}");
    println!("{:.2} us a sample, made up included", 1e6 * seconds / n_samples as f64);
    if let (Some(early), Some(last)) = (memory.get(memory.len() / 10), memory.last()) {
        println!("largest memory: {early} kB after a tenth of the blocks, {last} kB at the end");
    }
    Ok(())
}

/// Samples `first..first + size`, each of norm about 1.
fn fill(block: &mut Vec<f32>, atoms: &[f64], n_components: usize, first: usize, size: usize) {
    block.clear();
    for i in first..first + size {
        let mut state = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // Splitmix, to [-1, 1).
        let mut uniform = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
        };
        let mut sample = [0.0; N_FEATURES];
        sample.iter_mut().for_each(|x| *x = 0.05 * uniform());
        for _ in 0..4 {
            let j = ((uniform() + 1.0) * 0.5 * n_components as f64) as usize;
            let atom = &atoms[j * N_FEATURES..(j + 1) * N_FEATURES];
            linalg::columns::add_scaled(&mut sample, uniform(), atom);
        }
        block.extend(sample.iter().map(|&x| x as f32));
    }
}

/// Largest memory of this process so far in kB, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
