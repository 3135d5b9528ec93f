//! Preprocessing of samples, fitted on the training samples and applied to any others.
//!
//! In this order: `x <- scale x`; `x <- x - mean` with the mean of the (scaled) training samples; `x <- x / |x|`.

use crate::error::{Error, InvalidOption};
use faer::{Mat, MatRef};
use linalg::columns::{add_scaled, column, column_mut, norm};

/// What is done to every sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preprocessing {
    /// Factor of every entry, finite and not 0.
    pub scale: f64,
    /// Whether the mean of the training samples is subtracted.
    pub center: bool,
    /// Whether each sample is divided by its norm.
    pub unit_norm: bool,
}

impl Default for Preprocessing {
    fn default() -> Self {
        Self { scale: 1.0, center: false, unit_norm: false }
    }
}

/// Preprocessing with what it learned from the training samples.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedPreprocessing {
    options: Preprocessing,
    mean: Vec<f64>,
}

impl Preprocessing {
    /// Learns the mean of `training` (`d x n`).
    ///
    /// # Errors
    /// No samples, an entry that is not finite, or a scale of 0.
    pub fn fit(self, training: MatRef<'_, f64>) -> Result<FittedPreprocessing, Error> {
        let accepted = "a finite number other than 0";
        InvalidOption::check(self.scale != 0.0 && self.scale.is_finite(), "scale", self.scale, accepted)?;
        let (d, n) = (training.nrows(), training.ncols());
        if d == 0 || n == 0 {
            return Err(Error::Empty { n_samples: n, n_features: d });
        }
        Error::check_finite("samples", training)?;
        let mut mean = vec![0.0; d];
        if self.center {
            (0..n).for_each(|i| add_scaled(&mut mean, self.scale / n as f64, column(training, i)));
        }
        Ok(FittedPreprocessing { options: self, mean })
    }
}

impl FittedPreprocessing {
    /// Mean of the scaled training samples (zeros where they are not centred).
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Preprocessed copy of `samples` (`d x n`).
    ///
    /// # Errors
    /// Another number of features, an entry that is not finite before or after, or a zero sample to be normalised.
    pub fn apply(&self, samples: MatRef<'_, f64>) -> Result<Mat<f64>, Error> {
        Error::check_length("samples", "features", samples.nrows(), self.mean.len(), "the training samples")?;
        Error::check_finite("samples", samples)?;
        let mut out = samples.to_owned();
        for i in 0..out.ncols() {
            let sample = column_mut(out.as_mut(), i);
            sample.iter_mut().zip(&self.mean).for_each(|(x, m)| *x = self.options.scale * *x - m);
            if self.options.unit_norm {
                let length = norm(sample);
                if length == 0.0 {
                    let remedy = "remove it, or set unit_norm = false";
                    return Err(Error::ZeroNorm { what: "sample", index: i, remedy });
                }
                sample.iter_mut().for_each(|x| *x /= length);
            }
        }
        Error::check_finite("preprocessed samples", out.as_ref())?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn training_mean_scale_and_norms() {
        let training = Mat::from_fn(2, 3, |t, i| [[2.0, 0.0], [4.0, 2.0], [0.0, 4.0]][i][t]);
        let options = Preprocessing { scale: 0.5, center: true, unit_norm: false };
        let fitted = options.fit(training.as_ref()).expect("finite");
        assert_eq!(fitted.mean(), &[1.0, 1.0]);
        let test = Mat::from_fn(2, 1, |t, _| [8.0, 10.0][t]);
        assert_eq!(column(fitted.apply(test.as_ref()).expect("finite").as_ref(), 0), &[3.0, 4.0]);
        let unit = Preprocessing { unit_norm: true, ..options }.fit(training.as_ref()).expect("finite");
        let unit = unit.apply(test.as_ref()).expect("nonzero");
        testkit::assert_slices_close(column(unit.as_ref(), 0), &[0.6, 0.8], 1e-15, 0.0);
    }

    #[test]
    fn what_cannot_be_preprocessed_is_named() {
        let samples = Mat::from_fn(2, 2, |t, i| if i == 1 { 0.0 } else { 1.0 + t as f64 });
        let unit = Preprocessing { unit_norm: true, ..Preprocessing::default() };
        let fitted = unit.fit(samples.as_ref()).expect("finite");
        assert!(matches!(fitted.apply(samples.as_ref()), Err(Error::ZeroNorm { index: 1, .. })));
        assert!(matches!(fitted.apply(Mat::zeros(3, 1).as_ref()), Err(Error::Shape { .. })));
        assert!(Preprocessing { scale: 0.0, ..unit }.fit(samples.as_ref()).is_err());
        let huge = Preprocessing { scale: 1e10, ..Preprocessing::default() };
        let huge = huge.fit(Mat::from_fn(1, 1, |_, _| 1e300).as_ref()).expect("finite");
        assert!(matches!(
            huge.apply(Mat::from_fn(1, 1, |_, _| 1e300).as_ref()),
            Err(Error::NotFinite { .. })
        ));
    }
}
