//! `[coding]`: the lower level, and which code of it, or of another problem, is meant.

use super::super::check::{Findings, Table, span_of};
use super::super::diagnostic::Problem;
use super::super::experiment::{AtomWeights, Coding, needs_regularization};
use super::super::forms;
use super::super::keys::short;
use super::super::schema::{self, Value};
use super::{ATOM_FILES, data};
use dictlearn::active_set::CoderOptions;
use dictlearn::loss::Loss;
use dictlearn::lower::LowerLevel;
use dictlearn::method::Method;
use std::ops::Range;
use std::path::Path;

/// What in a config asks for a dictionary to be learned, where something does.
pub struct Learned {
    place: Option<Range<usize>>,
}

impl Learned {
    /// Steps of `[learn]`, or a task.
    pub fn find(
        learn: &Value<schema::Learn>,
        has_task: bool,
        task: &Option<Range<usize>>,
    ) -> Option<Learned> {
        let steps = learn.as_ref().and_then(|table| table.get_ref().max_iterations.as_ref());
        let none = steps.is_some_and(|steps| *steps.get_ref() == 0);
        match (has_task, none) {
            (true, _) => Some(Learned { place: task.clone() }),
            (false, true) => None,
            (false, false) => {
                Some(Learned { place: steps.map(toml::Spanned::span).or_else(|| span_of(learn)) })
            }
        }
    }
}

/// The lower level, and how it is coded.
pub fn coding(
    findings: &mut Findings<'_>,
    folder: &Path,
    table: Value<schema::Coding>,
    learned: Option<Learned>,
) -> Coding {
    let (mut table, raw) = Table::open(findings, "coding", table);
    method_fits(&mut table, &raw);
    let elastic_penalty = table.number("elastic_penalty", raw.elastic_penalty);
    let l2_regularization = table.number("l2_regularization", raw.l2_regularization);
    let non_negative = table.flag("non_negative", raw.non_negative);
    let method = method(table.findings, raw.method);
    let regularization = regularization(&mut table, raw.regularization, method, elastic_penalty, learned);
    let weights = atom_weights(&mut table, folder, raw.weights);
    let options = CoderOptions {
        tolerance: table.number("tolerance", raw.tolerance),
        max_iterations: table.count("max_iterations", raw.max_iterations),
        method,
    };
    let require_convergence = table.flag("require_convergence", raw.require_convergence);
    let loss = loss(table.findings, raw.loss);
    let lower = LowerLevel { loss, regularization, elastic_penalty, l2_regularization, non_negative };
    Coding { lower, weights, options, require_convergence }
}

fn method(findings: &mut Findings<'_>, method: Value<schema::Method>) -> Method {
    let span = span_of(&method);
    let mut bound = |path: &str, name: &str, value: Value<f64>| {
        Table { path: path.to_owned(), span: span.clone(), findings }.number(name, value)
    };
    match method.map(toml::Spanned::into_inner) {
        None | Some(schema::Method::ActiveSet) => Method::ActiveSet,
        Some(schema::Method::Homotopy) => Method::Homotopy,
        Some(schema::Method::CoordinateDescent) => Method::CoordinateDescent,
        Some(schema::Method::Threshold) => Method::Threshold,
        Some(schema::Method::L1Ball(raw)) => {
            Method::L1Ball { radius: bound("coding.method.l1_ball", "radius", raw.radius) }
        }
        Some(schema::Method::Error(raw)) => {
            Method::Error { error: bound("coding.method.error", "error", raw.error) }
        }
        Some(schema::Method::Omp(raw)) => omp(findings, span, raw),
    }
}

/// Orthogonal matching pursuit with one limit or both.
fn omp(findings: &mut Findings<'_>, span: Option<Range<usize>>, raw: schema::Omp) -> Method {
    if raw.n_nonzero.is_none() && raw.error.is_none() {
        let problem = Problem::new("`coding.method` = omp has no limit")
            .at(span.clone(), "at least one of `n_nonzero` and `error` is needed here")
            .help("write { omp = { n_nonzero = 5 } } or { omp = { error = 0.01 } }");
        findings.push(problem);
    }
    let mut table = Table { path: "coding.method.omp".to_owned(), span, findings };
    Method::Omp {
        n_nonzero: raw.n_nonzero.map(|n_nonzero| table.count("n_nonzero", Some(n_nonzero))),
        error: raw.error.map(|error| table.number("error", Some(error))),
    }
}

/// The weight of the l1 norm; 0 where it is left out because nothing asks for it.
fn regularization(
    table: &mut Table<'_, '_>,
    regularization: Value<f64>,
    method: Method,
    elastic_penalty: f64,
    learned: Option<Learned>,
) -> f64 {
    let given = regularization.is_some();
    if !given && learned.is_none() && elastic_penalty > 0.0 && matches!(method, Method::L1Ball { .. }) {
        let title =
            "[coding] lacks the key `regularization`, to which the ridge `elastic_penalty` is relative";
        let problem = Problem::new(title)
            .at(table.span.clone(), "`regularization` is missing in this table")
            .help("add `regularization = 0.1`, or write the ridge as `l2_regularization`, which is absolute");
        table.findings.push(problem);
        return 0.0;
    }
    if given || needs_regularization(method, elastic_penalty, false) {
        return table.number("regularization", regularization);
    }
    if let Some(learned) = learned {
        let name = method.name();
        let title = "[coding] lacks the key `regularization`, by which the dictionary is learned";
        let problem = Problem::new(title)
            .at(table.span.clone(), "`regularization` is missing in this table")
            .at(learned.place, "what learns")
            .help("add `regularization = 0.1`: the dictionary is learned with codes of the lower level, by active_set")
            .help(format!("to code by {name} alone, set learn.max_iterations = 0 and leave [task] out"));
        table.findings.push(problem);
    }
    0.0
}

/// A method and the keys that it does not take.
fn method_fits(table: &mut Table<'_, '_>, raw: &schema::Coding) {
    let Some(method) = &raw.method else { return };
    let mut refuse = |title: &str, key: Option<Range<usize>>, label: &str, help: &str| {
        let problem = Problem::new(title).at(key, label).at(Some(method.span()), "the method").help(help);
        table.findings.push(problem);
    };
    let squared = matches!(raw.loss.as_ref().map(toml::Spanned::get_ref), None | Some(schema::Loss::Squared));
    let any_loss = matches!(method.get_ref(), schema::Method::ActiveSet | schema::Method::CoordinateDescent);
    if !squared && !any_loss {
        refuse(
            "`coding.method` and `coding.loss` do not go together",
            span_of(&raw.loss),
            "this method takes the squared loss alone",
            "active_set and coordinate_descent take every loss; or leave `loss` out",
        );
    }
    let positive = |value: &Value<f64>| value.as_ref().is_some_and(|value| *value.get_ref() > 0.0);
    match method.get_ref() {
        schema::Method::Omp(_) => {
            if raw.non_negative.as_ref().is_some_and(|flag| *flag.get_ref()) {
                let help =
                    "active_set, homotopy, coordinate_descent, threshold, l1_ball and error have such codes";
                let title = "`coding.method` = omp has no codes restricted to c >= 0";
                refuse(title, span_of(&raw.non_negative), "not with omp", help);
            }
            if raw.weights.is_some() {
                let title = "`coding.method` = omp has no l1 norm for `coding.weights` to weigh";
                refuse(
                    title,
                    span_of(&raw.weights),
                    "not with omp",
                    "leave `weights` out, or choose another method",
                );
            }
        }
        schema::Method::Error(_) => {
            let ridges =
                [("elastic_penalty", &raw.elastic_penalty), ("l2_regularization", &raw.l2_regularization)];
            for (name, value) in ridges.into_iter().filter(|(_, value)| positive(value)) {
                let title = format!("`coding.method` = error takes no ridge, so no `coding.{name}`");
                refuse(&title, span_of(value), "a ridge", "leave it out, or choose l1_ball, which takes one");
            }
        }
        _ => {}
    }
}

/// What has as many entries as there are atoms, or at most as many.
pub fn fits_atoms(
    findings: &mut Findings<'_>,
    coding: &Value<schema::Coding>,
    dictionary: &Value<schema::Dictionary>,
) {
    let n_components = dictionary.as_ref().and_then(|table| table.get_ref().n_components.as_ref());
    let (Some(coding), Some(n_components)) = (coding, n_components) else { return };
    if let Some(weights) = &coding.get_ref().weights {
        weights_fit(findings, weights, n_components);
    }
    let method = coding.get_ref().method.as_ref().map(toml::Spanned::get_ref);
    let Some(schema::Method::Omp(schema::Omp { n_nonzero: Some(n_nonzero), .. })) = method else { return };
    let (found, most) = (*n_nonzero.get_ref(), *n_components.get_ref());
    if most > 0 && found > most {
        let title = format!(
            "`coding.method.omp.n_nonzero` = {found} is more than `dictionary.n_components` = {most}"
        );
        let problem = Problem::new(title)
            .at(Some(n_nonzero.span()), format!("accepted: 1 to {most}"))
            .at(Some(n_components.span()), "the atoms")
            .help("a code has at most one entry per atom");
        findings.push(problem);
    }
}

/// A list of weights has one number an atom.
fn weights_fit(
    findings: &mut Findings<'_>,
    weights: &toml::Spanned<forms::AtomWeights>,
    n_components: &toml::Spanned<i64>,
) {
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

fn atom_weights(
    table: &mut Table<'_, '_>,
    folder: &Path,
    weights: Value<forms::AtomWeights>,
) -> Option<AtomWeights> {
    let span = span_of(&weights);
    match weights.as_ref()?.get_ref() {
        forms::AtomWeights::List(list) => {
            let wrong = list.iter().position(|weight| !(weight.is_finite() && *weight >= 0.0));
            if let Some(j) = wrong {
                let title =
                    format!("`coding.weights` holds {} for atom {j} (counted from 0)", short(list[j]));
                let label = "accepted: finite numbers >= 0, one per atom";
                table.object(&weights, title, label, "a weight of 0 leaves an atom without penalty");
            } else if list.is_empty() {
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
