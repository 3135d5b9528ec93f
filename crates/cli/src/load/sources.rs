//! What the files of an experiment hold: samples with their mask, labels made 0 and 1, weights of samples and of atoms.

use super::{LoadError, Raw};
use crate::config::Experiment;
use crate::config::experiment::{AtomWeights, FileSource};
use crate::config::keys::short;
use crate::files::array::Samples;
use crate::files::error::{CsvError, ReadError};
use crate::files::read::{ArrayFile, read_labels, read_samples};
use dictlearn::evaluation::hold_out;
use faer::MatRef;
use std::path::Path;

/// Samples, labels and weights from the files of `source`.
pub(super) fn from_files(source: &FileSource, experiment: &Experiment) -> Result<Raw, LoadError> {
    let path = &source.samples.path;
    let Samples { array, labels: column, origin } = samples(source)?;
    let samples = MatRef::from_column_major_slice(&array.data, array.columns, array.rows).to_owned();
    let one_a_sample = |file: &ArrayFile, what| -> Result<Vec<f64>, LoadError> {
        let values = read_labels(file)?;
        let (found, expected) = (values.len(), array.rows);
        let (from, samples) = (file.path.clone(), path.clone());
        if found != expected {
            return Err(LoadError::Length { path: from, what, found, expected, samples });
        }
        Ok(values)
    };
    let labels = match &source.labels {
        Some(file) => Some(one_a_sample(file, "labels")?),
        None => column,
    };
    let labels = labels.map(|values| classes(values, source, experiment.task.is_some())).transpose()?;
    let weights = source.weights.as_ref().map(|file| one_a_sample(file, "weights")).transpose()?;
    if let (Some(weights), Some(file)) = (&weights, &source.weights) {
        check_weights(weights, &file.path)?;
    }
    let (training, held_out) = hold_out(array.rows, labels.as_deref(), source.test_fraction, experiment.seed);
    Ok(Raw {
        origin: path.display().to_string(),
        samples,
        labels,
        weights,
        planted: None,
        training,
        held_out,
        missing: source.missing || source.mask.is_some(),
        mask: source.mask.as_ref().map(|file| file.path.clone()),
        column_names: (0..array.columns).map(|j| origin.column(j)).collect(),
    })
}

/// The samples with NaN at their missing features, everything else finite.
fn samples(source: &FileSource) -> Result<Samples, LoadError> {
    let mut read = read_samples(&source.samples).map_err(|error| match error {
        ReadError::Csv { problem: CsvError::Cell { ref found, .. }, .. } if found == "\"\"" => {
            LoadError::EmptyField(Box::new(error))
        }
        error => LoadError::Read(error),
    })?;
    let masked = source.mask.as_ref().map(|file| masked(file, &read)).transpose()?;
    let masked = masked.unwrap_or_default();
    // Whatever stands there, no one looks at it.
    masked.iter().for_each(|&k| read.array.data[k] = f64::NAN);
    let is_masked = |k: usize| masked.binary_search(&k).is_ok();
    let checked = read.require_finite_unless(|k| source.missing || is_masked(k));
    checked.map_err(|error| match error.column {
        Some(_) if error.value.is_nan() => LoadError::Missing(Box::new(error)),
        _ => LoadError::NonFinite(error),
    })?;
    Ok(read)
}

/// Places in the array of the samples, ascending, where their mask is 0.
fn masked(file: &ArrayFile, samples: &Samples) -> Result<Vec<usize>, LoadError> {
    let mask = read_samples(file)?;
    let shape = |read: &Samples| (read.array.rows, read.array.columns);
    let (found, expected) = (shape(&mask), shape(samples));
    if found != expected {
        let (path, samples) = (file.path.clone(), samples.origin.path.clone());
        return Err(LoadError::MaskShape { path, found, expected, samples });
    }
    let data = &mask.array.data;
    if let Some(k) = data.iter().position(|&m| m != 0.0 && m != 1.0) {
        let place = mask.origin.place(k / found.1, Some(k % found.1));
        return Err(LoadError::MaskValue { path: file.path.clone(), place, value: data[k] });
    }
    Ok((0..data.len()).filter(|&k| data[k] == 0.0).collect())
}

/// Weights of the l1 norm, one an atom.
pub(super) fn atom_weights(experiment: &Experiment) -> Result<Option<Vec<f64>>, LoadError> {
    let file = match &experiment.coding.weights {
        None => return Ok(None),
        Some(AtomWeights::List(weights)) => return Ok(Some(weights.clone())),
        Some(AtomWeights::File(file)) => file,
    };
    let weights = read_labels(file)?;
    let (found, expected) = (weights.len(), experiment.dictionary.n_components);
    if found != expected {
        return Err(LoadError::AtomWeights { path: file.path.clone(), found, expected });
    }
    check_weights(&weights, &file.path)?;
    Ok(Some(weights))
}

/// All of them, though those of held-out samples are not used: the row is the file's.
fn check_weights(weights: &[f64], path: &Path) -> Result<(), LoadError> {
    match weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
        None => Ok(()),
        Some(row) => Err(LoadError::Weight { path: path.to_owned(), row, value: weights[row] }),
    }
}

/// Label values to 1 (those in `source.positive`, or the larger of exactly two) and 0.
fn classes(values: Vec<f64>, source: &FileSource, are_needed: bool) -> Result<Vec<f64>, LoadError> {
    let (file, key) = match &source.labels {
        Some(file) => (file, "data.file.labels"),
        None => (&source.samples, "data.file.label_column"),
    };
    let positive = source.positive.as_deref();
    let refuse = |problem: String| LoadError::Classes { path: file.path.clone(), problem };
    if let Some(row) = values.iter().position(|v| !v.is_finite()) {
        let value = values[row];
        return Err(refuse(format!("label {value} at row {row} (counted from 0): labels must be finite")));
    }
    let mut distinct = values.clone();
    distinct.sort_by(f64::total_cmp);
    distinct.dedup();
    let is_positive = |value: f64| match positive {
        Some(positive) => positive.contains(&value),
        None => Some(&value) == distinct.last(),
    };
    let several = positive.is_none() && distinct.len() > 2;
    if several {
        let shown: Vec<String> = distinct.iter().take(6).map(|&label| short(label)).collect();
        let more = if distinct.len() > 6 { ", ..." } else { "" };
        let count = distinct.len();
        return Err(refuse(format!(
            "{count} different labels ({}{more}): name those of class 1 with data.file.positive",
            shown.join(", ")
        )));
    }
    let labels: Vec<f64> = values.iter().map(|&v| f64::from(u8::from(is_positive(v)))).collect();
    match (distinct.len(), labels.contains(&1.0), labels.contains(&0.0)) {
        (1, ..) => {
            let or_none = if are_needed { String::new() } else { format!(", or none: leave {key} out") };
            let label = short(distinct[0]);
            Err(refuse(format!("all labels are {label}: two classes are needed{or_none}")))
        }
        (_, false, _) => Err(refuse("no label is in data.file.positive: two classes are needed".to_string())),
        (_, _, false) => {
            Err(refuse("every label is in data.file.positive: two classes are needed".to_string()))
        }
        _ => Ok(labels),
    }
}
