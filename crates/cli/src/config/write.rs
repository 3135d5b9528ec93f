//! An experiment as TOML with every key spelt out: what `tddl check` prints and a run folder keeps.
//!
//! The text is a function of the experiment alone, and reading it back gives the same experiment: numbers are
//! written with as many digits as it takes, paths as they resolved. A key without a value becomes a comment.

use super::experiment::{
    AtomWeights, CodesFormat, Coding, Dictionary, Experiment, FileSource, Init, Source, Task, TaskStart,
    Unsupervised,
};
use super::keys::{self, Default};
use crate::files::read::ArrayFile;
use crate::files::table::{Column, HeaderRow, TableOptions};
use dictlearn::dictionary::Constraint;
use dictlearn::learner::{DescentOptions, Optimizer, Project};
use dictlearn::loss::Loss;
use dictlearn::method::Method;
use dictlearn::preprocessing::Preprocessing;
use solvers::schedule::Schedule;
use std::fmt::{Debug, Display};

/// TOML text under construction.
struct Writer {
    text: String,
    table: String,
}

/// The experiment as TOML.
pub fn to_toml(experiment: &Experiment) -> String {
    let mut out = Writer {
        text: "# Every key of this experiment; defaults included.\n".to_owned(),
        table: String::new(),
    };
    out.key("name", quoted(&experiment.name));
    out.key("seed", experiment.seed);
    source(&mut out, &experiment.source);
    preprocessing(&mut out, experiment.preprocessing);
    dictionary(&mut out, &experiment.dictionary);
    coding(&mut out, &experiment.coding, experiment.regularization());
    out.table("learn");
    out.key(
        "objective",
        match experiment.learn.objective {
            Unsupervised::Reconstruction => "\"reconstruction\"",
            Unsupervised::Full => "\"full\"",
        },
    );
    descent(&mut out, &experiment.learn.descent, experiment.learn.require_convergence);
    if let Some(experiment) = &experiment.task {
        task(&mut out, experiment);
    }
    out.table("evaluation");
    out.key("folds", experiment.evaluation.folds);
    out.key("ridges", list(&experiment.evaluation.ridges));
    out.table("output");
    out.key(
        "codes",
        match experiment.codes {
            CodesFormat::Csr => "\"csr\"",
            CodesFormat::Dense => "\"dense\"",
            CodesFormat::None => "\"none\"",
        },
    );
    out.text
}

impl Writer {
    fn table(&mut self, path: &str) {
        self.text += &format!("\n[{path}]\n");
        self.table = path.to_owned();
    }

    fn key(&mut self, name: &str, value: impl Display) {
        self.text += &format!("{name} = {value}\n");
    }

    /// A key that may have no value; then a comment says what that means.
    fn optional(&mut self, name: &str, value: Option<String>) {
        let path = format!("{}.{name}", self.table);
        match (value, keys::find(&path).map(|key| key.default)) {
            (Some(value), _) => self.key(name, value),
            (None, Some(Default::Unset(words))) => self.text += &format!("# {name} is unset: {words}\n"),
            (None, _) => {}
        }
    }
}

/// A number with the digits that read back to the same bits.
fn number(x: f64) -> String {
    format!("{x:?}")
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn list<T: Debug>(values: &[T]) -> String {
    format!("{values:?}")
}

fn path(file: &ArrayFile) -> String {
    quoted(&file.path.to_string_lossy())
}

fn array(file: &ArrayFile) -> Option<String> {
    file.array.as_deref().map(quoted)
}

/// A file as the value of a choice.
fn file_choice(file: &ArrayFile) -> String {
    match array(file) {
        None => format!("{{ file = {} }}", path(file)),
        Some(array) => format!("{{ file = {{ path = {}, array = {array} }} }}", path(file)),
    }
}

fn source(out: &mut Writer, source: &Source) {
    match source {
        Source::Synthetic { options, test_fraction } => {
            out.table("data.synthetic");
            out.key("n_samples", options.n_samples);
            out.key("n_features", options.n_features);
            out.key("n_atoms", options.n_atoms);
            out.key("n_nonzero", options.n_nonzero);
            out.key("scale", number(options.scale));
            out.key("noise", number(options.noise));
            out.key("test_fraction", number(*test_fraction));
        }
        Source::Digits { split, positive } => {
            out.table("data.digits");
            out.key("split", split);
            out.key("positive", list(positive));
        }
        Source::File(file) => file_source(out, file),
    }
}

fn file_source(out: &mut Writer, file: &FileSource) {
    out.table("data.file");
    out.key("samples", path(&file.samples));
    out.optional("array", array(&file.samples));
    out.optional("labels", file.labels.as_ref().map(path));
    out.optional("labels_array", file.labels.as_ref().and_then(array));
    out.optional(
        "label_column",
        file.samples.table.label.as_ref().map(|column| match column {
            Column::Name(name) => quoted(name),
            Column::Index(index) => index.to_string(),
        }),
    );
    if file.reads_csv() {
        csv(out, &file.samples.table);
    }
    out.optional("positive", file.positive.as_deref().map(list));
    out.optional("weights", file.weights.as_ref().map(path));
    out.optional("weights_array", file.weights.as_ref().and_then(array));
    out.key("missing", if file.missing { "\"nan\"" } else { "\"refuse\"" });
    out.optional("mask", file.mask.as_ref().map(path));
    out.optional("mask_array", file.mask.as_ref().and_then(array));
    out.key("test_fraction", number(file.test_fraction));
}

fn csv(out: &mut Writer, table: &TableOptions) {
    out.key(
        "header",
        match table.header {
            HeaderRow::Auto => "\"auto\"",
            HeaderRow::Present => "\"yes\"",
            HeaderRow::Absent => "\"no\"",
        },
    );
    out.key("delimiter", quoted(&char::from(table.delimiter).to_string()));
}

fn preprocessing(out: &mut Writer, preprocessing: Preprocessing) {
    out.table("data.preprocessing");
    out.key("scale", number(preprocessing.scale));
    out.key("center", preprocessing.center);
    out.key("unit_norm", preprocessing.unit_norm);
}

fn dictionary(out: &mut Writer, dictionary: &Dictionary) {
    out.table("dictionary");
    out.key("n_components", dictionary.n_components);
    out.key(
        "init",
        match &dictionary.init {
            Init::Svd => "\"svd\"".to_owned(),
            Init::Samples => "\"samples\"".to_owned(),
            Init::Random => "\"random\"".to_owned(),
            Init::File(file) => file_choice(file),
        },
    );
    out.key(
        "constraint",
        match dictionary.constraint {
            Constraint::UnitSphere => "\"unit_sphere\"",
            Constraint::UnitBall => "\"unit_ball\"",
            Constraint::FrobeniusSphere => "\"frobenius_sphere\"",
        },
    );
}

fn coding(out: &mut Writer, coding: &Coding, regularization: Option<f64>) {
    out.table("coding");
    out.key(
        "loss",
        match coding.lower.loss {
            Loss::Squared => "\"squared\"".to_owned(),
            Loss::Huber { delta } => format!("{{ huber = {{ delta = {delta:?} }} }}"),
            Loss::Power { exponent } => format!("{{ power = {{ exponent = {exponent:?} }} }}"),
        },
    );
    out.key("method", method(coding.options.method));
    match regularization {
        Some(regularization) => out.key("regularization", number(regularization)),
        None => out.text += "# regularization is unset: the method has none, and nothing is learned\n",
    }
    out.key("elastic_penalty", number(coding.lower.elastic_penalty));
    out.key("l2_regularization", number(coding.lower.l2_regularization));
    out.key("non_negative", coding.lower.non_negative);
    let weights = coding.weights.as_ref().map(|weights| match weights {
        AtomWeights::List(weights) => list(weights),
        AtomWeights::File(file) => file_choice(file),
    });
    out.optional("weights", weights);
    out.key("tolerance", number(coding.options.tolerance));
    out.key("max_iterations", coding.options.max_iterations);
    out.key("require_convergence", coding.require_convergence);
}

/// A method as the value of a choice.
fn method(method: Method) -> String {
    match method {
        Method::ActiveSet | Method::Homotopy | Method::CoordinateDescent | Method::Threshold => {
            quoted(method.name())
        }
        Method::Omp { n_nonzero, error } => {
            let n_nonzero = n_nonzero.map(|n_nonzero| format!("n_nonzero = {n_nonzero}"));
            let error = error.map(|error| format!("error = {error:?}"));
            let limits: Vec<String> = n_nonzero.into_iter().chain(error).collect();
            format!("{{ omp = {{ {} }} }}", limits.join(", "))
        }
        Method::L1Ball { radius } => format!("{{ l1_ball = {{ radius = {radius:?} }} }}"),
        Method::Error { error } => format!("{{ error = {{ error = {error:?} }} }}"),
    }
}

fn task(out: &mut Writer, task: &Task) {
    out.table("task");
    out.key(
        "start",
        match task.start {
            TaskStart::Init => "\"init\"",
            TaskStart::Learned => "\"learned\"",
        },
    );
    out.table("task.logistic");
    out.key("l2", number(task.logistic.l2));
    out.key("penalize_intercept", task.logistic.penalize_intercept);
    out.table("task.learn");
    descent(out, &task.descent, task.require_convergence);
}

/// The keys of the open table, then the table of the method.
fn descent(out: &mut Writer, options: &DescentOptions, require_convergence: bool) {
    out.key("max_iterations", options.max_iterations);
    out.key("tolerance", number(options.tolerance));
    if !matches!(options.optimizer, Optimizer::ProximalGradient { .. }) {
        out.optional("batch_size", options.batch_size.map(|size| size.to_string()));
        out.key(
            "project",
            match options.project {
                Project::EachStep => "\"each_step\"",
                Project::AtEnd => "\"at_end\"",
            },
        );
    }
    out.key("require_convergence", require_convergence);
    optimizer(out, &options.optimizer);
}

fn optimizer(out: &mut Writer, optimizer: &Optimizer) {
    let method = |name: &str| format!("{}.{name}", out.table);
    match optimizer {
        Optimizer::ProximalGradient { acceleration, restart, initial_step, max_halvings } => {
            out.table(&method("proximal_gradient"));
            out.key("acceleration", acceleration);
            out.key("restart", restart);
            out.key("initial_step", number(*initial_step));
            out.key("max_halvings", max_halvings);
        }
        Optimizer::Adam(adam) => {
            out.table(&method("adam"));
            schedule(out, &adam.schedule);
            out.key("beta1", number(adam.beta1));
            out.key("beta2", number(adam.beta2));
            out.key("epsilon", number(adam.epsilon));
        }
        Optimizer::Sgd(sgd) => {
            out.table(&method("sgd"));
            schedule(out, &sgd.schedule);
            out.key("momentum", number(sgd.momentum));
        }
    }
}

fn schedule(out: &mut Writer, schedule: &Schedule) {
    let (step, choice) = match *schedule {
        Schedule::Constant { step } => (step, "\"constant\"".to_owned()),
        Schedule::Exponential { step, decay } => {
            (step, format!("{{ exponential = {{ decay = {decay:?} }} }}"))
        }
        Schedule::Cosine { step, last, .. } => (step, format!("{{ cosine = {{ last = {last:?} }} }}")),
        Schedule::InverseTime { step, t0 } => (step, format!("{{ inverse_time = {{ t0 = {t0:?} }} }}")),
    };
    out.key("step", number(step));
    out.key("schedule", choice);
}
