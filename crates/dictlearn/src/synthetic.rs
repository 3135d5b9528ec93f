//! Sparse signals from a planted dictionary: `X = scale C D + noise E`.
//!
//! Atoms are Gaussian of norm 1; each code has `n_nonzero` Gaussian entries at random places; `E` is Gaussian of
//! variance 1. The label of a sample is 1 where the sum of its first three planted coefficients is positive, else 0.
//! Every sample draws from a stream of its own, so the first samples do not change with `n_samples`.

use crate::codes::Codes;
use crate::dictionary::MOST_ENTRIES;
use crate::error::{Error, InvalidOption};
use crate::random::{Purpose, generator};
use faer::Mat;
use linalg::columns::{add_scaled, column, column_mut, normalize_columns};
use rand::seq::SliceRandom;
use rand_distr::{Distribution, StandardNormal};

/// What to draw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SyntheticOptions {
    /// Number of samples, at least 1; times `n_features` at most [`MOST_ENTRIES`].
    pub n_samples: usize,
    /// Number of features, at least 1.
    pub n_features: usize,
    /// Number of planted atoms, at least 1; times `n_features` at most [`MOST_ENTRIES`].
    pub n_atoms: usize,
    /// Nonzero entries per code, 1 to `n_atoms`.
    pub n_nonzero: usize,
    /// Factor of the noise-free signal, positive.
    pub scale: f64,
    /// Standard deviation of the Gaussian noise per entry, not negative.
    pub noise: f64,
}

/// Signals with the truth behind them.
#[derive(Clone, Debug)]
pub struct Synthetic {
    /// Samples, `d x n`.
    pub samples: Mat<f64>,
    /// Planted dictionary, `d x n_atoms`.
    pub dictionary: Mat<f64>,
    /// Planted codes, without `scale`.
    pub codes: Codes,
    /// Labels, 0 or 1.
    pub labels: Vec<f64>,
}

/// Draws signals.
///
/// # Errors
/// An option out of range.
pub fn make_sparse_coded_signal(options: &SyntheticOptions, seed: u64) -> Result<Synthetic, Error> {
    options.check()?;
    let (d, n, k) = (options.n_features, options.n_samples, options.n_atoms);
    let dictionary = planted_atoms(d, k, seed);
    let (mut samples, mut codes, mut labels) = (Mat::zeros(d, n), Codes::new(k), Vec::new());
    let mut order: Vec<u32> = Vec::new();
    for i in 0..n {
        let mut generator = generator(seed, Purpose::Synthetic, 1 + i as u64);
        order.clear();
        order.extend(0..k as u32);
        let (places, _) = order.partial_shuffle(&mut generator, options.n_nonzero);
        places.sort_unstable();
        let code: Vec<(usize, f64)> =
            places.iter().map(|&j| (j as usize, StandardNormal.sample(&mut generator))).collect();
        let sample = column_mut(samples.as_mut(), i);
        for &(j, c) in &code {
            add_scaled(sample, options.scale * c, column(dictionary.as_ref(), j));
        }
        for value in sample.iter_mut() {
            let noise: f64 = StandardNormal.sample(&mut generator);
            *value += options.noise * noise;
        }
        let first: f64 = code.iter().filter(|(j, _)| *j < 3).map(|(_, c)| c).sum();
        labels.push(f64::from(u8::from(first > 0.0)));
        codes.push_iter(code.into_iter());
    }
    Ok(Synthetic { samples, dictionary, codes, labels })
}

fn planted_atoms(d: usize, k: usize, seed: u64) -> Mat<f64> {
    let mut generator = generator(seed, Purpose::Synthetic, 0);
    let mut atoms = Mat::zeros(d, k);
    for j in 0..k {
        column_mut(atoms.as_mut(), j).iter_mut().for_each(|v| *v = StandardNormal.sample(&mut generator));
    }
    normalize_columns(atoms.as_mut());
    atoms
}

impl SyntheticOptions {
    /// Whether every option is in its range.
    ///
    /// # Errors
    /// Names the option, its value and the accepted range.
    pub fn check(&self) -> Result<(), InvalidOption> {
        let counts =
            [("n_samples", self.n_samples), ("n_features", self.n_features), ("n_atoms", self.n_atoms)];
        for (name, count) in counts {
            InvalidOption::check((1..=MOST).contains(&count), name, count, "1 to 100 million")?;
        }
        for (name, count) in [("n_samples", self.n_samples), ("n_atoms", self.n_atoms)] {
            let entries = count.saturating_mul(self.n_features);
            InvalidOption::check(entries <= MOST_ENTRIES, name, count, "1 to a billion / n_features")?;
        }
        let nonzero = (1..=self.n_atoms).contains(&self.n_nonzero);
        InvalidOption::check(nonzero, "n_nonzero", self.n_nonzero, "1 to n_atoms")?;
        let scale = self.scale > 0.0 && self.scale.is_finite();
        InvalidOption::check(scale, "scale", self.scale, "a positive finite number")?;
        let noise = self.noise >= 0.0 && self.noise.is_finite();
        InvalidOption::check(noise, "noise", self.noise, "a finite number that is not negative")
    }
}

/// Largest count of anything: keeps streams apart and mistakes from filling the memory.
const MOST: usize = 100_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: SyntheticOptions =
        SyntheticOptions { n_samples: 40, n_features: 6, n_atoms: 5, n_nonzero: 2, scale: 0.5, noise: 0.0 };

    #[test]
    fn noise_free_signals_are_the_planted_codes_times_atoms() {
        let signal = make_sparse_coded_signal(&OPTIONS, 7).expect("in range");
        for (i, code) in signal.codes.rows().enumerate() {
            assert_eq!(code.support.len(), 2);
            let mut rebuilt = vec![0.0; 6];
            code.iter()
                .for_each(|(j, c)| add_scaled(&mut rebuilt, 0.5 * c, column(signal.dictionary.as_ref(), j)));
            testkit::assert_slices_close(column(signal.samples.as_ref(), i), &rebuilt, 1e-15, 1e-15);
            let first: f64 = code.iter().filter(|(j, _)| *j < 3).map(|(_, c)| c).sum();
            assert_eq!(signal.labels[i] == 1.0, first > 0.0);
        }
        let used = signal.codes.by_atom(0..40);
        assert!((0..5).all(|j| used.uses(j).len() > 5), "places are spread over the atoms");
    }

    #[test]
    fn noise_has_the_size_asked_for_and_seeds_matter() {
        let clean =
            make_sparse_coded_signal(&SyntheticOptions { n_samples: 500, ..OPTIONS }, 7).expect("in range");
        let noisy = SyntheticOptions { n_samples: 500, noise: 0.3, ..OPTIONS };
        let noisy = make_sparse_coded_signal(&noisy, 7).expect("in range");
        let energy = (noisy.samples - &clean.samples).squared_norm_l2() / 3000.0;
        testkit::assert_close(energy.sqrt(), 0.3, 0.05, 0.0);
        let shorter = make_sparse_coded_signal(&OPTIONS, 7).expect("in range");
        assert_eq!(column(shorter.samples.as_ref(), 39), column(clean.samples.as_ref(), 39));
        let other = make_sparse_coded_signal(&OPTIONS, 8).expect("in range");
        assert_ne!(column(shorter.samples.as_ref(), 0), column(other.samples.as_ref(), 0));
    }

    #[test]
    fn options_out_of_range_are_named() {
        let error = SyntheticOptions { n_nonzero: 6, ..OPTIONS }.check().expect_err("more than atoms");
        assert_eq!(error.to_string(), "n_nonzero = 6: accepted is 1 to n_atoms");
        assert!(SyntheticOptions { n_samples: 0, ..OPTIONS }.check().is_err());
        let most = SyntheticOptions { n_samples: 10_000_000, n_features: 100, ..OPTIONS };
        assert_eq!(most.check(), Ok(()));
        assert!(SyntheticOptions { n_features: 101, ..most }.check().is_err());
        assert!(
            SyntheticOptions { n_samples: 1, n_features: 101, n_atoms: 10_000_000, ..OPTIONS }
                .check()
                .is_err()
        );
        assert!(SyntheticOptions { noise: f64::NAN, ..OPTIONS }.check().is_err());
    }
}
