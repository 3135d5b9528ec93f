//! One experiment: learn without the task, learn with it, compare, evaluate.
//!
//! Everything is computed here and nothing printed or written: the caller gets a [`Report`] and watches through a
//! [`Monitor`].

use crate::config::Experiment;
use crate::config::experiment::{TaskStart, Unsupervised};
use crate::evaluate::{Comparison, EvaluationRow, Recovery, code, compare, evaluate};
use crate::load::{Data, LoadError, initial_dictionary};
use crate::recode::{learning_method, recode, recodes, remedy, unlearned, violation_name};
use dictlearn::active_set::CoderOptions;
use dictlearn::coder::CodingReport;
use dictlearn::codes::{Code, Codes};
use dictlearn::dictionary::{Constraint, coherence_unless_stopped, recovery};
use dictlearn::error::Error;
use dictlearn::learner::{DescentOptions, Learned, Learner, Progress, Record, Status};
use dictlearn::objective::Objective;
use faer::MatRef;
use std::ops::ControlFlow;
use std::time::Instant;

/// Which descent a step belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The dictionary without the task.
    Learn,
    /// Dictionary and head together.
    Task,
}

impl Stage {
    /// Its table in the config.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Learn => "learn",
            Stage::Task => "task",
        }
    }
}

/// Watches a run.
pub trait Monitor {
    /// A stage begins, with this many steps at most.
    fn stage(&mut self, stage: Stage, steps: usize);
    /// A step is done; `Break` ends the run.
    fn step(&mut self, stage: Stage, record: &Record) -> ControlFlow<()>;
    /// A piece of the work after the last step is done; `Break` ends the run.
    fn piece(&mut self) -> ControlFlow<()>;
}

/// A step with its stage and time.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The stage.
    pub stage: Stage,
    /// The step.
    pub record: Record,
    /// Seconds since the run began.
    pub seconds: f64,
}

/// All that a run found.
#[derive(Debug)]
pub struct Report {
    /// Every step.
    pub steps: Vec<Step>,
    /// The result without the task.
    pub learned: Learned,
    /// The result with it.
    pub task: Option<Learned>,
    /// Codes of all samples of the data, in their order, under the last dictionary.
    pub codes: Codes,
    /// Certificate of these codes.
    pub coding: CodingReport,
    /// Codes by the squared loss and by the configured one.
    pub comparisons: Vec<Comparison>,
    /// Features and how they do on held-out samples.
    pub evaluation: Vec<EvaluationRow>,
    /// Of the dictionary without and with the task, where one was planted.
    pub recovery: Option<(Recovery, Option<Recovery>)>,
    /// Largest `abs(cos)` between two atoms of the last dictionary.
    pub coherence: f64,
    /// Seconds of the whole run.
    pub seconds: f64,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Data that cannot be used.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The library refuses options or data.
    #[error("{origin}: {error}")]
    Refused {
        /// Where the data come from.
        origin: String,
        /// What is wrong.
        error: Error,
    },
    /// The monitor ended it.
    #[error("interrupted: nothing was written, earlier results are as they were")]
    Interrupted,
}

impl Report {
    /// The last dictionary: with the task where there is one.
    pub fn result(&self) -> &Learned {
        self.task.as_ref().unwrap_or(&self.learned)
    }

    /// What the config demands and the run did not reach, in words.
    pub fn shortfalls(&self, experiment: &Experiment, data: &Data) -> Vec<String> {
        let mut found = Vec::new();
        let task = experiment.task.as_ref().zip(self.task.as_ref());
        let stages = [(Stage::Learn, experiment.learn.require_convergence, &self.learned)];
        let stages = stages.into_iter().chain(task.map(|(t, l)| (Stage::Task, t.require_convergence, l)));
        for (stage, required, learned) in stages {
            if learned.status == Status::Diverged {
                let last = learned.history.len();
                found.push(format!(
                    "{}: diverged after {last} steps (the objective is no longer finite); the last finite point is kept: \
                     take a smaller step, or scale the samples down with data.preprocessing.scale",
                    stage.name()
                ));
            } else if required && learned.status != Status::Converged {
                let table = match stage {
                    Stage::Learn => "learn",
                    Stage::Task => "task.learn",
                };
                found.push(format!(
                    "{}: tolerance not reached in max_iterations steps: raise {table}.max_iterations or {table}.tolerance",
                    stage.name()
                ));
            }
        }
        let CodingReport { not_converged, n_samples, violation, .. } = self.coding;
        if experiment.coding.require_convergence && not_converged > 0 {
            let name = violation_name(experiment.coding.options.method);
            let remedy = remedy(experiment, data, self.result().dictionary.as_ref());
            found.push(format!(
                "coding: {not_converged} of {n_samples} samples not converged (largest relative {name} {violation:.1e}): {remedy}"
            ));
        }
        found
    }
}

/// Runs `experiment` on `data`.
///
/// # Errors
/// See [`RunError`]; diverging and not converging are part of the report.
pub fn run(experiment: &Experiment, data: &Data, monitor: &mut dyn Monitor) -> Result<Report, RunError> {
    let began = Instant::now();
    let mut steps = Vec::new();
    let mut runner = Runner { experiment, data, monitor: &mut *monitor, steps: &mut steps, began };
    let initial = initial_dictionary(experiment, data)?;
    let objective = match experiment.learn.objective {
        Unsupervised::Reconstruction => Objective::Reconstruction,
        Unsupervised::Full => Objective::Full,
    };
    let learned = runner.stage(Stage::Learn, objective, initial.as_ref(), &experiment.learn.descent)?;
    let task = match &experiment.task {
        Some(task) if learned.status != Status::Diverged => {
            let start =
                if task.start == TaskStart::Init { initial.as_ref() } else { learned.dictionary.as_ref() };
            Some(runner.stage(Stage::Task, Objective::Logistic(task.logistic), start, &task.descent)?)
        }
        _ => None,
    };
    let mut report = Report {
        steps,
        codes: Codes::new(experiment.dictionary.n_components),
        coding: CodingReport::default(),
        comparisons: Vec::new(),
        evaluation: Vec::new(),
        recovery: None,
        coherence: 0.0,
        seconds: 0.0,
        learned,
        task,
    };
    let coherence = coherence_unless_stopped(report.result().dictionary.as_ref(), || monitor.piece());
    report.coherence = coherence.ok_or(RunError::Interrupted)?;
    conclude(experiment, data, &mut report)
        .map_err(|error| RunError::Refused { origin: data.origin.clone(), error })?;
    report.seconds = began.elapsed().as_secs_f64();
    Ok(report)
}

struct Runner<'a> {
    experiment: &'a Experiment,
    data: &'a Data,
    monitor: &'a mut dyn Monitor,
    steps: &'a mut Vec<Step>,
    began: Instant,
}

impl Runner<'_> {
    /// Learns, and codes by `coding.method` where that is another method than the one learned by.
    fn stage(
        &mut self,
        stage: Stage,
        objective: Objective,
        start: MatRef<'_, f64>,
        descent: &DescentOptions,
    ) -> Result<Learned, RunError> {
        let (experiment, data) = (self.experiment, self.data);
        let recodes = recodes(experiment.coding.options.method);
        // Without a step or a head there is nothing to learn, and perhaps no lower level to learn by.
        let learned = if recodes && stage == Stage::Learn && descent.max_iterations == 0 {
            unlearned(start)
        } else {
            self.descend(stage, objective, start, descent)?
        };
        if recodes {
            recode(experiment, data, objective, learned).map_err(|e| self.refused(e))
        } else {
            Ok(learned)
        }
    }

    fn descend(
        &mut self,
        stage: Stage,
        objective: Objective,
        start: MatRef<'_, f64>,
        descent: &DescentOptions,
    ) -> Result<Learned, RunError> {
        let Experiment { coding, dictionary, seed, .. } = self.experiment;
        let weights = self.data.atom_weights.clone();
        // Without a step it does not hold; this one takes every dictionary, also one with zero atoms.
        let constraint = if self.experiment.learns() { dictionary.constraint } else { Constraint::UnitBall };
        let coder = CoderOptions { method: learning_method(coding.options.method), ..coding.options };
        let learner = Learner { lower: coding.lower, weights, coder, constraint };
        self.monitor.stage(stage, descent.max_iterations);
        let (monitor, steps, began) = (&mut self.monitor, &mut self.steps, self.began);
        let mut observer = |progress: Progress<'_>| {
            let record = *progress.record;
            steps.push(Step { stage, record, seconds: began.elapsed().as_secs_f64() });
            monitor.step(stage, &record)
        };
        let training = self.data.training.data();
        let learned = learner
            .learn(training, start, objective, descent, *seed, &mut observer)
            .map_err(|error| self.refused(error))?;
        if learned.status == Status::Stopped { Err(RunError::Interrupted) } else { Ok(learned) }
    }

    fn refused(&self, error: Error) -> RunError {
        RunError::Refused { origin: self.data.origin.clone(), error }
    }
}

/// Everything but the coherence that follows from the learned dictionaries.
fn conclude(experiment: &Experiment, data: &Data, report: &mut Report) -> Result<(), Error> {
    let result = report.result();
    let held_out = data.held_out.as_ref();
    let held_out = held_out.map(|part| code(experiment, data, result, part)).transpose()?;
    let outside = held_out.as_ref().map(|coded| coded.report).unwrap_or_default();
    let coding = result.coded.report.merge(outside);
    let codes = in_order(data, &result.coded.codes, held_out.as_ref().map(|c| &c.codes));
    (report.coding, report.codes) = (coding, codes);
    report.recovery = data.planted.as_ref().map(|planted| {
        let found =
            |learned: &Learned| Recovery::of(&recovery(planted.as_ref(), learned.dictionary.as_ref()));
        (found(&report.learned), report.task.as_ref().map(found))
    });
    if let (Some(task), Some(learned)) = (&experiment.task, &report.task) {
        report.comparisons = compare(experiment, data, task.logistic, &report.learned, learned)?;
    }
    report.evaluation = evaluate(experiment, data, &report.learned, report.task.as_ref())?;
    Ok(())
}

/// One row a sample of the data, training and held-out samples back in their places.
fn in_order(data: &Data, training: &Codes, held_out: Option<&Codes>) -> Codes {
    let mut place: Vec<(usize, Code<'_>)> = data.training.rows.iter().copied().zip(training.rows()).collect();
    if let (Some(part), Some(codes)) = (&data.held_out, held_out) {
        place.extend(part.rows.iter().copied().zip(codes.rows()));
    }
    place.sort_by_key(|(row, _)| *row);
    let mut codes = Codes::new(training.n_components());
    place.into_iter().for_each(|(_, code)| codes.push(code));
    codes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config, load};
    use std::path::Path;

    /// Goes on until the last step, and stops what follows.
    #[derive(Default)]
    struct Impatient {
        steps: usize,
        pieces: usize,
    }

    impl Monitor for Impatient {
        fn stage(&mut self, _: Stage, _: usize) {}

        fn step(&mut self, _: Stage, _: &Record) -> ControlFlow<()> {
            self.steps += 1;
            ControlFlow::Continue(())
        }

        fn piece(&mut self) -> ControlFlow<()> {
            self.pieces += 1;
            ControlFlow::Break(())
        }
    }

    #[test]
    fn a_run_stops_between_the_pieces_after_its_last_step() {
        let text = "[data.synthetic]\nn_samples = 6\nn_features = 3\nn_atoms = 2\nn_nonzero = 1\n\
                    [dictionary]\nn_components = 2\n[coding]\nregularization = 0.1\n[learn]\nmax_iterations = 2\n";
        let experiment = config::parse(text, Path::new("test.toml"), &[]).expect("a valid config");
        let data = load::load(&experiment).expect("synthetic samples");
        let mut monitor = Impatient::default();
        let outcome = run(&experiment, &data, &mut monitor);
        assert!(matches!(outcome, Err(RunError::Interrupted)));
        assert_eq!((monitor.steps, monitor.pieces), (2, 1));
    }
}
