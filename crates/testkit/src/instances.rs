//! Small random instances, each a function of its seed alone (ChaCha8, the same on every machine).

use rand::rngs::ChaCha8Rng;
use rand::seq::index;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;

/// `length` independent standard normal numbers.
pub fn normal_vector(length: usize, seed: u64) -> Vec<f64> {
    normals(&mut ChaCha8Rng::seed_from_u64(seed), length)
}

/// A `rows x columns` matrix, column-major, of independent standard normal numbers.
pub fn normal_matrix(rows: usize, columns: usize, seed: u64) -> Vec<f64> {
    normal_vector(rows * columns, seed)
}

/// A `features x atoms` dictionary, column-major: uniformly random directions, every column of l2 norm 1.
pub fn unit_columns(features: usize, atoms: usize, seed: u64) -> Vec<f64> {
    let mut dictionary = normal_matrix(features, atoms, seed);
    for atom in dictionary.chunks_exact_mut(features.max(1)) {
        let norm = atom.iter().map(|v| v * v).sum::<f64>().sqrt();
        atom.iter_mut().for_each(|v| *v /= norm);
    }
    dictionary
}

/// A planted sparse coding problem `samples = dictionary codes + noise`; all matrices column-major.
#[derive(Clone, Debug)]
pub struct SparseSignals {
    /// `features x atoms`, every column of l2 norm 1.
    pub dictionary: Vec<f64>,
    /// `atoms x n_samples`; every column has `nonzeros` entries of random sign and magnitude in `[1, 2)`.
    pub codes: Vec<f64>,
    /// `features x n_samples`.
    pub samples: Vec<f64>,
}

/// Plants a sparse coding problem; `noise` is the standard deviation of each entry's normal error.
#[track_caller]
pub fn sparse_signals(
    features: usize,
    atoms: usize,
    n_samples: usize,
    nonzeros: usize,
    noise: f64,
    seed: u64,
) -> SparseSignals {
    assert!(nonzeros <= atoms, "{nonzeros} nonzeros do not fit in {atoms} atoms");
    let dictionary = unit_columns(features, atoms, seed);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(1);
    let mut codes = vec![0.0; atoms * n_samples];
    let mut samples = Vec::with_capacity(features * n_samples);
    for sample_idx in 0..n_samples {
        let code = &mut codes[sample_idx * atoms..(sample_idx + 1) * atoms];
        let mut sample: Vec<f64> = normals(&mut rng, features).iter().map(|v| noise * v).collect();
        for j in index::sample(&mut rng, atoms, nonzeros) {
            let sign = if rng.random::<bool>() { 1.0 } else { -1.0 };
            code[j] = sign * rng.random_range(1.0..2.0);
            let atom = &dictionary[j * features..(j + 1) * features];
            sample.iter_mut().zip(atom).for_each(|(x, d)| *x += code[j] * d);
        }
        samples.extend(sample);
    }
    SparseSignals { dictionary, codes, samples }
}

fn normals(rng: &mut ChaCha8Rng, length: usize) -> Vec<f64> {
    (0..length).map(|_| rng.sample(StandardNormal)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::close::assert_close;

    #[test]
    fn seeds_decide() {
        assert_eq!(normal_matrix(3, 4, 7), normal_matrix(3, 4, 7));
        assert_ne!(normal_matrix(3, 4, 7), normal_matrix(3, 4, 8));
    }

    #[test]
    fn normals_have_mean_zero_and_variance_one() {
        // Standard errors for 1e5 numbers: 3.2e-3 of the mean, 4.5e-3 of the variance; four of each are allowed.
        let numbers = normal_vector(100_000, 1);
        assert_close(numbers.iter().sum::<f64>() / 1e5, 0.0, 0.0, 1.3e-2);
        assert_close(numbers.iter().map(|v| v * v).sum::<f64>() / 1e5, 1.0, 0.0, 1.8e-2);
    }

    #[test]
    fn columns_are_unit() {
        for atom in unit_columns(5, 8, 3).chunks_exact(5) {
            assert_close(atom.iter().map(|v| v * v).sum(), 1.0, 0.0, 1e-15);
        }
        assert!(unit_columns(0, 3, 1).is_empty());
    }

    #[test]
    fn planted_signals_are_dictionary_times_codes() {
        let (features, atoms, n_samples, nonzeros) = (6, 9, 5, 2);
        let planted = sparse_signals(features, atoms, n_samples, nonzeros, 0.0, 11);
        for k in 0..n_samples {
            let code = &planted.codes[k * atoms..(k + 1) * atoms];
            assert_eq!(code.iter().filter(|v| **v != 0.0).count(), nonzeros);
            assert!(code.iter().all(|v| *v == 0.0 || (1.0..2.0).contains(&v.abs())));
            for i in 0..features {
                let product: f64 = (0..atoms).map(|j| planted.dictionary[j * features + i] * code[j]).sum();
                assert_close(planted.samples[k * features + i], product, 0.0, 1e-15);
            }
        }
    }

    #[test]
    fn noise_has_the_given_deviation() {
        let clean = sparse_signals(20, 5, 500, 0, 0.5, 2);
        // 1e4 numbers of variance 1/4: standard error 3.5e-3.
        let variance = clean.samples.iter().map(|v| v * v).sum::<f64>() / 1e4;
        assert_close(variance, 0.25, 0.0, 1.4e-2);
    }
}
