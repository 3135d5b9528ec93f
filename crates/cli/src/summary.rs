//! `summary.json`: what a run found, as one object with its keys in a fixed order. Numbers that are not finite are null.

use crate::config::Experiment;
use crate::evaluate::{Comparison, EvaluationRow, Recovery};
use crate::load::Data;
use crate::run::Report;
use crate::terminal::{codes_name, status_name};
use dictlearn::coder::CodingReport;
use dictlearn::evaluation::Scores;
use dictlearn::learner::Learned;
use dictlearn::method::Method;
use serde::Serialize;

/// The object.
#[derive(Serialize)]
pub struct Summary {
    format: u32,
    name: String,
    seed: u64,
    versions: Versions,
    shapes: Shapes,
    without_task: Descent,
    with_task: Option<Descent>,
    /// Task loss of the head learned with the task, without ridge, on codes by the squared loss and by the configured
    /// one where that is another.
    task_losses: Vec<TaskLoss>,
    evaluation: Vec<Evaluation>,
    recovery: Option<RecoveryOf>,
    coherence: f64,
    coding: Coding,
    seconds: f64,
}

#[derive(Serialize)]
struct Versions {
    tddl: &'static str,
    target: String,
}

#[derive(Serialize)]
struct Shapes {
    n_samples: usize,
    n_held_out: usize,
    n_features: usize,
    n_components: usize,
    /// Missing entries, held-out samples included; absent where there are none.
    #[serde(skip_serializing_if = "is_zero")]
    n_missing: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

#[derive(Serialize)]
struct Descent {
    status: &'static str,
    steps: usize,
    objective: f64,
    explained_variance: f64,
    nonzeros_per_sample: f64,
    /// Most samples with a singular implicit system in one step.
    rank_deficient: usize,
    coding: Coding,
}

#[derive(Serialize)]
struct Coding {
    /// Which codes these are (parameters are in `config.toml`).
    method: &'static str,
    n_samples: usize,
    not_converged: usize,
    /// Samples that the active set left unsolved and homotopy solved.
    rescued: usize,
    /// Atoms and Huber residuals that the certificates leave open, over all samples.
    undecided: usize,
    /// Samples whose support has a singular system.
    rank_deficient: usize,
    kkt_violation: f64,
    /// Largest of a sample, relative to its objective at the code 0.
    duality_gap: f64,
}

#[derive(Serialize)]
struct TaskLoss {
    codes_by: String,
    without_task: f64,
    with_task: f64,
    with_task_is_smaller: bool,
}

#[derive(Serialize)]
struct Evaluation {
    features: &'static str,
    ridge: f64,
    converged: Option<bool>,
    training: ScoresOf,
    held_out: Option<ScoresOf>,
}

#[derive(Serialize)]
struct ScoresOf {
    accuracy: f64,
    log_loss: f64,
}

#[derive(Serialize)]
struct RecoveryOf {
    without_task: Cosines,
    with_task: Option<Cosines>,
}

#[derive(Serialize)]
struct Cosines {
    mean: f64,
    min: f64,
}

impl Summary {
    /// The object for one run.
    pub fn new(experiment: &Experiment, data: &Data, report: &Report) -> Self {
        let (samples, method) = (&data.training.samples, experiment.coding.options.method);
        Self {
            format: 1,
            name: experiment.name.clone(),
            seed: experiment.seed,
            versions: Versions {
                tddl: env!("CARGO_PKG_VERSION"),
                target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
            },
            shapes: Shapes {
                n_samples: samples.ncols(),
                n_held_out: data.held_out.as_ref().map_or(0, |part| part.samples.ncols()),
                n_features: samples.nrows(),
                n_components: experiment.dictionary.n_components,
                n_missing: data.n_missing(),
            },
            without_task: Descent::new(&report.learned, method),
            with_task: report.task.as_ref().map(|learned| Descent::new(learned, method)),
            task_losses: report.comparisons.iter().map(|row| TaskLoss::new(row, method)).collect(),
            evaluation: report.evaluation.iter().map(Evaluation::from).collect(),
            recovery: report.recovery.map(|(without_task, with_task)| RecoveryOf {
                without_task: without_task.into(),
                with_task: with_task.map(Cosines::from),
            }),
            coherence: report.coherence,
            coding: Coding::new(report.coding, method),
            seconds: report.seconds,
        }
    }
}

impl Descent {
    fn new(learned: &Learned, method: Method) -> Self {
        let codes = &learned.coded.codes;
        Self {
            status: status_name(learned.status),
            steps: learned.history.len(),
            objective: learned.objective,
            explained_variance: learned.explained_variance,
            nonzeros_per_sample: codes.nnz() as f64 / codes.n_samples() as f64,
            rank_deficient: learned.history.iter().map(|record| record.rank_deficient).max().unwrap_or(0),
            coding: Coding::new(learned.coded.report, method),
        }
    }
}

impl Coding {
    fn new(report: CodingReport, method: Method) -> Self {
        Self {
            method: method.name(),
            n_samples: report.n_samples,
            not_converged: report.not_converged,
            rescued: report.rescued,
            undecided: report.undecided,
            rank_deficient: report.rank_deficient,
            kkt_violation: report.violation,
            duality_gap: report.duality_gap,
        }
    }
}

impl TaskLoss {
    fn new(row: &Comparison, method: Method) -> Self {
        Self {
            codes_by: codes_name(row.loss, method),
            without_task: row.without_task,
            with_task: row.with_task,
            with_task_is_smaller: row.with_task < row.without_task,
        }
    }
}

impl From<&EvaluationRow> for Evaluation {
    fn from(row: &EvaluationRow) -> Self {
        Self {
            features: row.features,
            ridge: row.ridge,
            converged: row.converged,
            training: row.training.into(),
            held_out: row.held_out.map(ScoresOf::from),
        }
    }
}

impl From<Scores> for ScoresOf {
    fn from(scores: Scores) -> Self {
        Self { accuracy: scores.accuracy, log_loss: scores.log_loss }
    }
}

impl From<Recovery> for Cosines {
    fn from(recovery: Recovery) -> Self {
        Self { mean: recovery.mean, min: recovery.min }
    }
}
