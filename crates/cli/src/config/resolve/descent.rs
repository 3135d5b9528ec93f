//! `[learn]` and `[task.learn]`: one method, its step sizes, when to stop.

use super::super::check::{Table, span_of};
use super::super::schema::{self, Value};
use dictlearn::learner::{DescentOptions, Optimizer, Project};
use solvers::adam::Adam;
use solvers::schedule::Schedule;
use solvers::sgd::Sgd;

/// A method of descent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Accelerated proximal gradient.
    ProximalGradient,
    /// Adam.
    Adam,
    /// Stochastic gradient descent.
    Sgd,
}

/// How an upper level is descended, and whether not converging fails the run; `default` is the method without a table.
pub fn descent(table: &mut Table<'_, '_>, mut raw: schema::Learn, default: Method) -> (DescentOptions, bool) {
    let method = method(table, &raw).unwrap_or(default);
    let max_iterations = table.count("max_iterations", raw.max_iterations.take());
    let tolerance = table.number("tolerance", raw.tolerance.take());
    let mini_batches = method != Method::ProximalGradient;
    let batch_size = raw.batch_size.take();
    let project = raw.project.take();
    if !mini_batches {
        only_first_order(table, "batch_size", &batch_size);
        only_first_order(table, "project", &project);
    }
    let batch_size = batch_size.map(|size| table.count("batch_size", Some(size)));
    let project = match project.map(toml::Spanned::into_inner) {
        None | Some(schema::Project::EachStep) => Project::EachStep,
        Some(schema::Project::AtEnd) => Project::AtEnd,
    };
    let required = raw.require_convergence.take();
    let require_convergence = table.flag("require_convergence", required.clone());
    if require_convergence && tolerance == 0.0 {
        let path = &table.path;
        let title = format!("`{path}.require_convergence` needs `{path}.tolerance` > 0");
        table.object(
            &required,
            title,
            "a tolerance of 0 is never reached",
            "set `tolerance`, as in tolerance = 1e-6",
        );
    }
    let optimizer = optimizer(table, method, raw, max_iterations);
    let options = DescentOptions { optimizer, max_iterations, tolerance, batch_size, project };
    (options, require_convergence)
}

/// The method whose table is given.
fn method(table: &mut Table<'_, '_>, raw: &schema::Learn) -> Option<Method> {
    let tables = [
        (
            Method::ProximalGradient,
            "proximal_gradient",
            raw.proximal_gradient.is_some(),
            span_of(&raw.proximal_gradient),
        ),
        (Method::Adam, "adam", raw.adam.is_some(), span_of(&raw.adam)),
        (Method::Sgd, "sgd", raw.sgd.is_some(), span_of(&raw.sgd)),
    ];
    let mut given: Vec<_> = tables.into_iter().filter(|(_, _, is_given, _)| *is_given).collect();
    given.sort_by_key(|(_, _, _, span)| span.as_ref().map_or(0, |span| span.start));
    let paths: Vec<String> = given.iter().map(|(_, name, _, _)| table.path_of(name)).collect();
    let places: Vec<_> =
        paths.iter().zip(&given).map(|(path, (_, _, _, span))| (path.as_str(), span.clone())).collect();
    table.findings.at_most_one(&places);
    given.first().map(|(method, ..)| *method)
}

fn only_first_order<T>(table: &mut Table<'_, '_>, name: &str, value: &Value<T>) {
    if value.is_some() {
        let path = table.path_of(name);
        let title = format!("`{path}` does not go with proximal_gradient");
        let help = format!("add [{0}.adam] or [{0}.sgd], or leave `{name}` out", table.path);
        table.object(value, title, "only with adam or sgd", help);
    }
}

fn optimizer(
    table: &mut Table<'_, '_>,
    method: Method,
    raw: schema::Learn,
    max_iterations: usize,
) -> Optimizer {
    match method {
        Method::ProximalGradient => {
            let path = table.path_of("proximal_gradient");
            let (mut table, raw) = Table::open(table.findings, path, raw.proximal_gradient);
            let max_halvings = table.integer("max_halvings", raw.max_halvings);
            Optimizer::ProximalGradient {
                acceleration: table.flag("acceleration", raw.acceleration),
                restart: table.flag("restart", raw.restart),
                initial_step: table.number("initial_step", raw.initial_step),
                max_halvings: u32::try_from(max_halvings).expect("the key table accepts at most 60"),
            }
        }
        Method::Adam => {
            let path = table.path_of("adam");
            let (mut table, raw) = Table::open(table.findings, path, raw.adam);
            let step = table.number("step", raw.step);
            Optimizer::Adam(Adam {
                schedule: schedule(&mut table, raw.schedule, step, max_iterations),
                beta1: table.number("beta1", raw.beta1),
                beta2: table.number("beta2", raw.beta2),
                epsilon: table.number("epsilon", raw.epsilon),
            })
        }
        Method::Sgd => {
            let path = table.path_of("sgd");
            let (mut table, raw) = Table::open(table.findings, path, raw.sgd);
            let step = table.number("step", raw.step);
            Optimizer::Sgd(Sgd {
                schedule: schedule(&mut table, raw.schedule, step, max_iterations),
                momentum: table.number("momentum", raw.momentum),
                nesterov: false,
            })
        }
    }
}

fn schedule(
    table: &mut Table<'_, '_>,
    schedule: Value<schema::Schedule>,
    step: f64,
    max_iterations: usize,
) -> Schedule {
    let span = span_of(&schedule);
    let path = table.path_of("schedule");
    let mut parameter = |choice: &str, name: &str, value: Value<f64>| {
        let mut table =
            Table { path: format!("{path}.{choice}"), span: span.clone(), findings: table.findings };
        table.number(name, value)
    };
    match schedule.map(toml::Spanned::into_inner) {
        None | Some(schema::Schedule::Constant) => Schedule::Constant { step },
        Some(schema::Schedule::Exponential(raw)) => {
            Schedule::Exponential { step, decay: parameter("exponential", "decay", raw.decay) }
        }
        Some(schema::Schedule::Cosine(raw)) => Schedule::Cosine {
            step,
            last: parameter("cosine", "last", raw.last),
            // Without a step the length does not matter, but a schedule has one.
            iterations: max_iterations.max(1) as u64,
        },
        Some(schema::Schedule::InverseTime(raw)) => {
            Schedule::InverseTime { step, t0: parameter("inverse_time", "t0", raw.t0) }
        }
    }
}
