//! Preprocessing of samples, fitted on the training samples and applied to any others.
//!
//! In this order: `x <- scale x`; `x <- x - mean` with the mean of the (scaled) training samples; `x <- x / |x|`. Missing
//! features stay missing: a mean is that of the observed values of its feature, a norm that of the observed entries.

use crate::error::{Error, InvalidOption};
use crate::samples::{Sample, Samples};
use faer::Mat;
use linalg::columns::{column_mut, norm};

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
    /// Learns the mean of `training` (`d x n`), of a feature over the samples that observe it.
    ///
    /// # Errors
    /// No samples, an entry that is not finite, a feature that is missing in every sample, or a scale of 0.
    pub fn fit<'a>(self, training: impl Into<Samples<'a>>) -> Result<FittedPreprocessing, Error> {
        let training = training.into();
        let accepted = "a finite number other than 0";
        InvalidOption::check(self.scale != 0.0 && self.scale.is_finite(), "scale", self.scale, accepted)?;
        let (d, n) = (training.n_features(), training.n_samples());
        if d == 0 || n == 0 {
            return Err(Error::Empty { n_samples: n, n_features: d });
        }
        training.check()?;
        let counts = training.observations()?;
        let (mut mean, mut sample) = (vec![0.0; d], Sample::default());
        for i in (0..n).take_while(|_| self.center) {
            training.load(i, &mut sample);
            let entries = sample.values.iter().zip(&counts);
            mean.iter_mut().zip(entries).for_each(|(m, (x, count))| *m += self.scale / count * x);
        }
        Ok(FittedPreprocessing { options: self, mean })
    }
}

impl FittedPreprocessing {
    /// Mean of the scaled training samples (zeros where they are not centred).
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Preprocessed copy of `samples` (`d x n`), NaN where features are missing.
    ///
    /// # Errors
    /// Another number of features, an entry that is not finite before or after, or a sample to be normalised that is zero
    /// or has no observed feature.
    pub fn apply<'a>(&self, samples: impl Into<Samples<'a>>) -> Result<Mat<f64>, Error> {
        let samples = samples.into();
        let (d, n) = (samples.n_features(), samples.n_samples());
        Error::check_length("samples", "features", d, self.mean.len(), "the training samples")?;
        samples.check()?;
        let (mut out, mut sample) = (Mat::zeros(d, n), Sample::default());
        for i in 0..n {
            samples.load(i, &mut sample);
            let to = column_mut(out.as_mut(), i);
            let entries = sample.values.iter().zip(&self.mean);
            to.iter_mut().zip(entries).for_each(|(to, (x, m))| *to = self.options.scale * x - m);
            sample.blank(to);
            if self.options.unit_norm {
                normalize(to, i, sample.missing.len() == d)?;
            }
            if let Some(t) = to.iter().position(|x| !x.is_finite()) {
                let what = "preprocessed samples";
                return Err(Error::NotFinite { what, row: i, column: t, value: to[t] });
            }
            sample.missing.iter().for_each(|&t| to[t] = f64::NAN);
        }
        Ok(out)
    }
}

/// Divides sample `index` by its norm, that of its observed features.
fn normalize(sample: &mut [f64], index: usize, is_unobserved: bool) -> Result<(), Error> {
    let length = norm(sample);
    if length == 0.0 {
        let remedy = if is_unobserved {
            "none of its features is observed; remove it, or set unit_norm = false"
        } else {
            "remove it, or set unit_norm = false"
        };
        return Err(Error::ZeroNorm { what: "sample", index, remedy });
    }
    sample.iter_mut().for_each(|x| *x /= length);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use linalg::columns::column;

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
    fn missing_features_take_no_part_and_stay_missing() {
        const GONE: f64 = f64::NAN;
        let training = Mat::from_fn(2, 4, |t, i| [[2.0, GONE], [4.0, 2.0], [GONE, 4.0], [GONE, GONE]][i][t]);
        let missing = |samples: &Mat<f64>, fitted: &FittedPreprocessing| {
            fitted.apply(Samples::from(samples.as_ref()).with_missing())
        };
        let options = Preprocessing { scale: 2.0, center: true, unit_norm: false };
        assert!(matches!(options.fit(training.as_ref()), Err(Error::NotFinite { row: 0, column: 1, .. })));
        let fitted = options.fit(Samples::from(training.as_ref()).with_missing()).expect("finite or missing");
        assert_eq!(fitted.mean(), &[6.0, 6.0]);
        let found = missing(&training, &fitted).expect("finite or missing");
        let expected = [-2.0, GONE, 2.0, -2.0, GONE, 2.0, GONE, GONE];
        for (i, expected) in expected.chunks(2).enumerate() {
            let same = |(x, y): (&f64, &f64)| x == y || (x.is_nan() && y.is_nan());
            assert!(column(found.as_ref(), i).iter().zip(expected).all(same), "sample {i}: {found:?}");
        }
        let unit = FittedPreprocessing { options: Preprocessing { unit_norm: true, ..options }, ..fitted };
        let first = training.subcols(0, 1).to_owned();
        let first = missing(&first, &unit).expect("one observed feature");
        assert!(first[(0, 0)] == -1.0 && first[(1, 0)].is_nan());
        let error = missing(&training, &unit).expect_err("nothing to divide by").to_string();
        assert!(
            error.starts_with("sample 3 ") && error.contains("none of its features is observed"),
            "{error}"
        );
        // An overflow is no missing value.
        let huge = Preprocessing { scale: 1e10, ..options };
        let large = Mat::from_fn(1, 2, |_, i| [1e300, 1.0][i]);
        let huge = huge.fit(Samples::from(large.as_ref()).with_missing()).expect("finite");
        assert!(matches!(missing(&large, &huge), Err(Error::NotFinite { what: "preprocessed samples", .. })));
    }

    #[test]
    fn what_cannot_be_preprocessed_is_named() {
        let samples = Mat::from_fn(2, 2, |t, i| if i == 1 { 0.0 } else { 1.0 + t as f64 });
        let unit = Preprocessing { unit_norm: true, ..Preprocessing::default() };
        let fitted = unit.fit(samples.as_ref()).expect("finite");
        assert!(matches!(fitted.apply(samples.as_ref()), Err(Error::ZeroNorm { index: 1, .. })));
        assert!(matches!(fitted.apply(Mat::<f64>::zeros(3, 1).as_ref()), Err(Error::Shape { .. })));
        assert!(Preprocessing { scale: 0.0, ..unit }.fit(samples.as_ref()).is_err());
        let huge = Preprocessing { scale: 1e10, ..Preprocessing::default() };
        let huge = huge.fit(Mat::from_fn(1, 1, |_, _| 1e300).as_ref()).expect("finite");
        assert!(matches!(
            huge.apply(Mat::from_fn(1, 1, |_, _| 1e300).as_ref()),
            Err(Error::NotFinite { .. })
        ));
    }
}
