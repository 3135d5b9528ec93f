//! From a config as typed to a checked [`Experiment`]: defaults, ranges, required keys, exclusive tables, paths.
//!
//! One pass finds every problem; an experiment comes back only when there is none.

mod data;
mod descent;

use super::check::{Findings, Table, span_of};
use super::diagnostic::{Problem, Text};
use super::experiment::{
    AtomWeights, CodesFormat, Coding, Dictionary, Evaluation, Experiment, Init, Learn, Source, Task,
    TaskStart, Unsupervised,
};
use super::forms;
use super::schema::{self, Value};
use dictlearn::active_set::CoderOptions;
use dictlearn::dictionary::Constraint;
use dictlearn::loss::Loss;
use dictlearn::lower::LowerLevel;
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
    atom_weights_fit(found, &config.coding, &config.dictionary);
    let experiment = Experiment {
        name,
        seed,
        source,
        preprocessing,
        dictionary: dictionary(found, folder, config.dictionary),
        coding: coding(found, folder, config.coding),
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

fn coding(findings: &mut Findings<'_>, folder: &Path, table: Value<schema::Coding>) -> Coding {
    let (mut table, raw) = Table::open(findings, "coding", table);
    let regularization = table.number("regularization", raw.regularization);
    let elastic_penalty = table.number("elastic_penalty", raw.elastic_penalty);
    let l2_regularization = table.number("l2_regularization", raw.l2_regularization);
    let non_negative = table.flag("non_negative", raw.non_negative);
    let weights = atom_weights(&mut table, folder, raw.weights);
    let options = CoderOptions {
        tolerance: table.number("tolerance", raw.tolerance),
        max_iterations: table.count("max_iterations", raw.max_iterations),
        ..CoderOptions::default()
    };
    let require_convergence = table.flag("require_convergence", raw.require_convergence);
    let loss = loss(table.findings, raw.loss);
    let lower = LowerLevel { loss, regularization, elastic_penalty, l2_regularization, non_negative };
    Coding { lower, weights, options, require_convergence }
}

fn atom_weights(
    table: &mut Table<'_, '_>,
    folder: &Path,
    weights: Value<forms::AtomWeights>,
) -> Option<AtomWeights> {
    let span = span_of(&weights);
    match weights.as_ref()?.get_ref() {
        forms::AtomWeights::List(list) => {
            if list.is_empty() || !list.iter().all(|weight| weight.is_finite() && *weight >= 0.0) {
                table.refuse("weights", &weights);
            }
            Some(AtomWeights::List(list.clone()))
        }
        forms::AtomWeights::File(None) => {
            table.refuse("weights", &weights);
            None
        }
        forms::AtomWeights::File(Some(file)) => {
            let path = "coding.weights.file".to_owned();
            let mut table = Table { path, span, findings: table.findings };
            let (path, array) = (file.path.clone(), file.array.clone());
            let names = ["path", "array"];
            Some(AtomWeights::File(data::array_file(&mut table, folder, names, path, array, ATOM_FILES)))
        }
    }
}

/// A list of weights has one number an atom.
fn atom_weights_fit(
    findings: &mut Findings<'_>,
    coding: &Value<schema::Coding>,
    dictionary: &Value<schema::Dictionary>,
) {
    let weights = coding.as_ref().and_then(|table| table.get_ref().weights.as_ref());
    let n_components = dictionary.as_ref().and_then(|table| table.get_ref().n_components.as_ref());
    let (Some(weights), Some(n_components)) = (weights, n_components) else { return };
    let forms::AtomWeights::List(list) = weights.get_ref() else { return };
    let (found, expected) = (list.len(), *n_components.get_ref());
    if found > 0 && expected > 0 && usize::try_from(expected) != Ok(found) {
        let title = format!("`coding.weights` has {found} numbers for {expected} atoms");
        let problem = Problem::new(title)
            .at(Some(weights.span()), format!("accepted: {expected} numbers, one per atom"))
            .at(Some(n_components.span()), "the atoms")
            .help("write one weight per atom, or change `dictionary.n_components`");
        findings.push(problem);
    }
}

fn loss(findings: &mut Findings<'_>, loss: Value<schema::Loss>) -> Loss {
    let span = span_of(&loss);
    let mut parameters = |path: &str, read: &mut dyn FnMut(&mut Table<'_, '_>) -> f64| {
        read(&mut Table { path: path.to_owned(), span: span.clone(), findings })
    };
    match loss.map(toml::Spanned::into_inner) {
        None | Some(schema::Loss::Squared) => Loss::Squared,
        Some(schema::Loss::Huber(mut raw)) => Loss::Huber {
            delta: parameters("coding.loss.huber", &mut |table| table.number("delta", raw.delta.take())),
        },
        Some(schema::Loss::Power(mut raw)) => Loss::Power {
            exponent: parameters("coding.loss.power", &mut |table| {
                table.number("exponent", raw.exponent.take())
            }),
        },
    }
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
