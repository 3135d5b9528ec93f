//! From a config as typed to a checked [`Experiment`]: defaults, ranges, required keys, exclusive tables, paths.
//!
//! One pass finds every problem; an experiment comes back only when there is none.

mod coding;
mod data;
mod descent;

use super::check::{Findings, Table, span_of};
use super::diagnostic::{Problem, Text};
use super::experiment::{
    CodesFormat, Dictionary, Evaluation, Experiment, Init, Learn, Source, Task, TaskStart, Unsupervised,
};
use super::schema::{self, Value};
use coding::Learned;
use dictlearn::dictionary::Constraint;
use dictlearn::task::Logistic;
use std::ops::Range;
use std::path::Path;

/// Endings of files that hold atoms or their weights.
const ATOM_FILES: &[&str] = &["npy", "npz"];

/// Checks a config. `file` gives the default name and the folder to which paths are relative.
pub fn resolve(config: schema::Config, file: &Path, text: &Text) -> Result<Experiment, Vec<Problem>> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut findings = Findings::new(text);
    let found = &mut findings;
    let task_span = span_of(&config.task);
    let (name, seed) = top(found, file, config.name, config.seed);
    let (source, preprocessing) = data::data(found, folder, config.data);
    coding::fits_atoms(found, &config.coding, &config.dictionary);
    let learned = Learned::find(&config.learn, config.task.is_some(), &task_span);
    let experiment = Experiment {
        name,
        seed,
        source,
        preprocessing,
        dictionary: dictionary(found, folder, config.dictionary),
        coding: coding::coding(found, folder, config.coding, learned),
        learn: learn(found, config.learn),
        task: config.task.map(|table| task(found, Some(table))),
        evaluation: evaluation(found, config.evaluation),
        codes: codes(found, config.output),
    };
    if experiment.task.is_some() {
        require_labels(found, &experiment.source, task_span);
    }
    match findings.into_problems() {
        problems if problems.is_empty() => Ok(experiment),
        problems => Err(problems),
    }
}

fn top(findings: &mut Findings<'_>, file: &Path, name: Value<String>, seed: Value<i64>) -> (String, u64) {
    let mut table = Table { path: String::new(), span: None, findings };
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let found = match &name {
        Some(name) => name.get_ref().clone(),
        None => stem.unwrap_or_default(),
    };
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if found.is_empty() || found.starts_with('.') || !found.chars().all(legal) {
        match name {
            Some(_) => table.refuse("name", &name),
            None => table.object(
                &name,
                format!("the file's stem `{found}` is no name for an experiment"),
                "",
                "add `name = \"..\"` at the top: letters, digits, `.`, `_`, `-`; not starting with `.`",
            ),
        }
    }
    (found, table.integer("seed", seed))
}

fn dictionary(findings: &mut Findings<'_>, folder: &Path, table: Value<schema::Dictionary>) -> Dictionary {
    let (mut table, raw) = Table::open(findings, "dictionary", table);
    let n_components = table.count("n_components", raw.n_components);
    let constraint = match raw.constraint.map(toml::Spanned::into_inner) {
        None | Some(schema::Constraint::UnitSphere) => Constraint::UnitSphere,
        Some(schema::Constraint::UnitBall) => Constraint::UnitBall,
        Some(schema::Constraint::FrobeniusSphere) => Constraint::FrobeniusSphere,
    };
    let init_span = span_of(&raw.init);
    let init = match raw.init.map(toml::Spanned::into_inner) {
        None | Some(schema::Init::Svd) => Init::Svd,
        Some(schema::Init::Samples) => Init::Samples,
        Some(schema::Init::Random) => Init::Random,
        Some(schema::Init::File(file)) => {
            let mut table =
                Table { path: "dictionary.init.file".to_owned(), span: init_span, findings: table.findings };
            Init::File(data::array_file(
                &mut table,
                folder,
                ["path", "array"],
                file.path,
                file.array,
                ATOM_FILES,
            ))
        }
    };
    Dictionary { n_components, init, constraint }
}

fn learn(findings: &mut Findings<'_>, table: Value<schema::Learn>) -> Learn {
    let (mut table, mut raw) = Table::open(findings, "learn", table);
    let objective = match raw.objective.take().map(toml::Spanned::into_inner) {
        None | Some(schema::Objective::Reconstruction) => Unsupervised::Reconstruction,
        Some(schema::Objective::Full) => Unsupervised::Full,
    };
    let (descent, require_convergence) = descent::descent(&mut table, raw, descent::Method::ProximalGradient);
    Learn { objective, descent, require_convergence }
}

fn task(findings: &mut Findings<'_>, table: Value<schema::Task>) -> Task {
    let (table, raw) = Table::open(findings, "task", table);
    let start = match raw.start.map(toml::Spanned::into_inner) {
        None | Some(schema::TaskStart::Init) => TaskStart::Init,
        Some(schema::TaskStart::Learned) => TaskStart::Learned,
    };
    if raw.logistic.is_none() {
        let problem = Problem::new("[task] names no task")
            .at(table.span.clone(), "exactly one task is needed here")
            .help("add a table [task.logistic]; it may be empty");
        table.findings.push(problem);
    }
    let findings = table.findings;
    let (mut table, head) = Table::open(findings, "task.logistic", raw.logistic);
    let logistic = Logistic {
        l2: table.number("l2", head.l2),
        penalize_intercept: table.flag("penalize_intercept", head.penalize_intercept),
    };
    let (mut table, mut raw) = Table::open(table.findings, "task.learn", raw.learn);
    let objective = raw.objective.take();
    if objective.is_some() {
        table.object(
            &objective,
            "[task.learn] has no key `objective`",
            "the task is the objective",
            "`objective` belongs into [learn]",
        );
    }
    let (descent, require_convergence) = descent::descent(&mut table, raw, descent::Method::Adam);
    Task { start, logistic, descent, require_convergence }
}

fn evaluation(findings: &mut Findings<'_>, table: Value<schema::Evaluation>) -> Evaluation {
    let (mut table, raw) = Table::open(findings, "evaluation", table);
    let folds = table.count("folds", raw.folds);
    let ridges = match &raw.ridges {
        None => vec![1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0],
        Some(ridges) => ridges.get_ref().clone(),
    };
    if ridges.is_empty() || !ridges.iter().all(|ridge| ridge.is_finite() && *ridge > 0.0) {
        table.refuse("ridges", &raw.ridges);
    }
    Evaluation { folds, ridges }
}

fn codes(findings: &mut Findings<'_>, table: Value<schema::Output>) -> CodesFormat {
    let (_, raw) = Table::open(findings, "output", table);
    match raw.codes.map(toml::Spanned::into_inner) {
        None | Some(schema::CodesFormat::Csr) => CodesFormat::Csr,
        Some(schema::CodesFormat::Dense) => CodesFormat::Dense,
        Some(schema::CodesFormat::None) => CodesFormat::None,
    }
}

fn require_labels(findings: &mut Findings<'_>, source: &Source, task: Option<Range<usize>>) {
    let labelled = match source {
        Source::Synthetic { .. } | Source::Digits { .. } => true,
        Source::File(file) => file.has_labels(),
    };
    if !labelled {
        findings.push(
            Problem::new("the task needs labels and [data.file] has none")
                .at(task, "needs labels")
                .help("add `labels = \"y.npy\"` or `label_column = \"..\"` to [data.file]"),
        );
    }
}
