//! What the learned dictionaries are worth: planted atoms recovered, task losses compared, heads scored on held-out
//! samples.

use crate::config::Experiment;
use crate::load::{Data, Part};
use crate::recode::{problem, recodes};
use dictlearn::coder::{Coded, encode};
use dictlearn::codes::Codes;
use dictlearn::error::Error;
use dictlearn::evaluation::{RidgeSearch, Scores, fit_head, score};
use dictlearn::learner::Learned;
use dictlearn::loss::Loss;
use dictlearn::lower::LowerLevel;
use dictlearn::task::Logistic;

/// Task loss, summed and without ridge, of one head on the codes of two dictionaries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// Loss that gave the codes.
    pub loss: Loss,
    /// With the dictionary learned without the task.
    pub without_task: f64,
    /// With the dictionary learned with it.
    pub with_task: f64,
}

/// A head fitted on fixed features.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluationRow {
    /// Which features.
    pub features: &'static str,
    /// Ridge of the head: chosen by cross-validation, or the task's own.
    pub ridge: f64,
    /// Whether the fit reached its tolerance; `None` for the head learned with the task, which is not fitted here.
    pub converged: Option<bool>,
    /// On the training samples.
    pub training: Scores,
    /// On the held-out samples, where there are some.
    pub held_out: Option<Scores>,
}

/// How well the planted dictionary was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recovery {
    /// Mean over planted atoms of the largest `abs(cos)` with a learned one.
    pub mean: f64,
    /// The smallest of them.
    pub min: f64,
}

impl Recovery {
    pub(crate) fn of(best: &[f64]) -> Self {
        let mean = best.iter().sum::<f64>() / best.len() as f64;
        Self { mean, min: best.iter().copied().fold(f64::INFINITY, f64::min) }
    }
}

/// Codes of a part of the data under a learned dictionary.
pub(crate) fn code(
    experiment: &Experiment,
    data: &Data,
    learned: &Learned,
    part: &Part,
) -> Result<Coded, Error> {
    let problem = problem(data, experiment.coding.lower, learned)?;
    encode(&problem, part.view(), None, experiment.coding.options)
}

/// The head learned with the task, on the training codes of both dictionaries: by the squared loss (the seed's
/// comparison, whatever the loss) and by the configured loss, where that is another.
pub(crate) fn compare(
    experiment: &Experiment,
    data: &Data,
    task: Logistic,
    without_task: &Learned,
    with_task: &Learned,
) -> Result<Vec<Comparison>, Error> {
    let lower = experiment.coding.lower;
    let head = with_task.head.as_ref().expect("a task has a head");
    let labels = data.training.labels.as_deref().ok_or(Error::NoLabels)?;
    let samples = data.training.view();
    let loss_of = |lower: LowerLevel, learned: &Learned| -> Result<f64, Error> {
        let problem = problem(data, lower, learned)?;
        let coded = encode(&problem, samples, None, experiment.coding.options)?;
        Ok(task.loss(head, &coded.codes, labels, |_| 1.0))
    };
    let row = |loss: Loss| -> Result<Comparison, Error> {
        let lower = LowerLevel { loss, ..lower };
        Ok(Comparison {
            loss,
            without_task: loss_of(lower, without_task)?,
            with_task: loss_of(lower, with_task)?,
        })
    };
    let mut rows = vec![row(Loss::Squared)?];
    if lower.loss != Loss::Squared {
        rows.push(row(lower.loss)?);
    }
    Ok(rows)
}

/// Heads fitted on the samples themselves and on the codes of both dictionaries, where there are labels and held-out
/// samples; then the head learned with the task.
pub(crate) fn evaluate(
    experiment: &Experiment,
    data: &Data,
    without_task: &Learned,
    with_task: Option<&Learned>,
) -> Result<Vec<EvaluationRow>, Error> {
    let Some(labels) = data.training.labels.as_deref() else {
        return Ok(Vec::new());
    };
    let outside = |learned: &Learned| -> Result<Option<Labelled>, Error> {
        let Some((part, labels)) = held_out(data) else {
            return Ok(None);
        };
        Ok(Some((code(experiment, data, learned, part)?.codes, labels)))
    };
    let mut rows = Vec::new();
    if let Some((part, test_labels)) = held_out(data) {
        let means = data.training.view().feature_means()?;
        let dense = |part: &Part| Codes::from_dense_columns(part.view().filled(&means).as_ref());
        let outside = (dense(part), test_labels);
        let name = if data.n_missing() > 0 { FILLED_SAMPLES } else { "samples" };
        rows.push(fitted(experiment, name, &dense(&data.training), labels, outside)?);
    }
    let stages = [("codes without task", Some(without_task)), ("codes with task", with_task)];
    for (features, learned) in stages {
        let Some(learned) = learned else { continue };
        if let Some(outside) = outside(learned)? {
            rows.push(fitted(experiment, features, &learned.coded.codes, labels, outside)?);
        }
    }
    if let (Some(learned), Some(task)) = (with_task, &experiment.task) {
        let head = learned.head.as_ref().expect("a task has a head");
        rows.push(EvaluationRow {
            features: if recodes(experiment.coding.options.method) {
                "codes with task, head learned on those of active_set"
            } else {
                "codes with task, head learned with them"
            },
            ridge: task.logistic.l2,
            converged: None,
            training: score(head, &learned.coded.codes, labels),
            held_out: outside(learned)?.map(|(codes, labels)| score(head, &codes, labels)),
        });
    }
    Ok(rows)
}

/// Samples as features where some are missing: those have the mean of the observed values in the training samples.
const FILLED_SAMPLES: &str = "samples, means where missing";

/// Features with their labels.
type Labelled<'a> = (Codes, &'a [f64]);

fn held_out(data: &Data) -> Option<(&Part, &[f64])> {
    let part = data.held_out.as_ref()?;
    Some((part, part.labels.as_deref()?))
}

/// A head on fixed features, its ridge chosen inside the training part.
fn fitted(
    experiment: &Experiment,
    features: &'static str,
    inside: &Codes,
    labels: &[f64],
    (outside, test_labels): Labelled<'_>,
) -> Result<EvaluationRow, Error> {
    let evaluation = &experiment.evaluation;
    let search = RidgeSearch { ridges: evaluation.ridges.clone(), folds: evaluation.folds };
    let ridge = search.choose(inside, labels, false, experiment.seed)?;
    let task = Logistic { l2: ridge, penalize_intercept: false };
    let fitted = fit_head(inside, labels, task)?;
    Ok(EvaluationRow {
        features,
        ridge,
        converged: Some(fitted.converged),
        training: score(&fitted.head, inside, labels),
        held_out: Some(score(&fitted.head, &outside, test_labels)),
    })
}
