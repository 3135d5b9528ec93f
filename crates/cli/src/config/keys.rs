//! Every key of a config: type, default, accepted values, meaning. The one table behind defaults, range checks,
//! error texts, suggestions and the reference in `docs/CONFIG.md`.
//!
//! `[task.learn]` has the keys of `[learn]` except `objective`; they are listed once, under `learn`.
//! Losses, ridges and the l1 norm are sums over samples and entries, never means.

use std::fmt::Write as _;

/// One key: where it stands, what it accepts, what it does.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Dotted path from the top of the config.
    pub path: &'static str,
    /// Type and accepted values.
    pub accepts: Accepts,
    /// What holds when the key is absent.
    pub default: Default,
    /// Meaning and unit.
    pub meaning: &'static str,
}

/// Type and accepted values of a key.
#[derive(Clone, Copy, Debug)]
pub enum Accepts {
    /// A finite number in an interval.
    Number(Interval),
    /// A finite number other than 0.
    NonZero,
    /// An integer between two bounds, both included; the largest i64 means "no upper bound".
    Integer(i64, i64),
    /// `true` or `false`.
    Boolean,
    /// One of these values, as they are written in TOML.
    OneOf(&'static str),
    /// Another type: its name and the accepted values in words.
    Other(&'static str, &'static str),
}

/// An interval of finite numbers; an infinite end is no bound.
#[derive(Clone, Copy, Debug)]
pub struct Interval {
    low: f64,
    low_included: bool,
    high: f64,
    high_included: bool,
}

/// What holds when a key is absent.
#[derive(Clone, Copy, Debug)]
pub enum Default {
    /// The key must be given; a typical value, as TOML.
    Required(&'static str),
    /// This value, as TOML.
    Value(&'static str),
    /// No value: what happens then, in words.
    Unset(&'static str),
}

const FINITE: Interval = interval(f64::NEG_INFINITY, true, f64::INFINITY, true);
const POSITIVE: Interval = interval(0.0, false, f64::INFINITY, true);
const NOT_NEGATIVE: Interval = interval(0.0, true, f64::INFINITY, true);
const BELOW_ONE: Interval = interval(0.0, true, 1.0, false);
const NO_BOUND: i64 = i64::MAX;
/// Largest size of anything: keeps a slip of the finger from filling the memory.
const MOST: i64 = 100_000_000;
const SCHEDULES: Accepts = Accepts::OneOf(
    "\"constant\" | { exponential = { decay = 0.99 } } | { cosine = { last = 0.0 } } | { inverse_time = { t0 = 100.0 } }",
);
const METHODS: Accepts = Accepts::OneOf(
    "\"active_set\" | \"homotopy\" | \"coordinate_descent\" | \"threshold\" | { omp = { n_nonzero = 5 } } | \
     { omp = { error = 0.01 } } | { l1_ball = { radius = 1.0 } } | { error = { error = 0.01 } }",
);
const DATA_PATH: Accepts = Accepts::Other("path", "a .npy, .npz or .csv file, relative to the config file");
const ATOM_PATH: Accepts = Accepts::Other("path", "a .npy or .npz file, relative to the config file");
const ARRAY_NAME: Accepts = Accepts::Other("string", "name of an array inside the .npz");

const fn interval(low: f64, low_included: bool, high: f64, high_included: bool) -> Interval {
    Interval { low, low_included, high, high_included }
}

const fn key(path: &'static str, accepts: Accepts, default: Default, meaning: &'static str) -> Key {
    Key { path, accepts, default, meaning }
}

const fn required(path: &'static str, accepts: Accepts, example: &'static str, meaning: &'static str) -> Key {
    key(path, accepts, Default::Required(example), meaning)
}

const fn value(path: &'static str, accepts: Accepts, default: &'static str, meaning: &'static str) -> Key {
    key(path, accepts, Default::Value(default), meaning)
}

const fn unset(path: &'static str, accepts: Accepts, otherwise: &'static str, meaning: &'static str) -> Key {
    key(path, accepts, Default::Unset(otherwise), meaning)
}

/// All keys, in the order of the reference.
#[rustfmt::skip]
pub const KEYS: &[Key] = {
    use Accepts::{Boolean, Integer, NonZero, Number, OneOf, Other};
    &[
    unset("name", Other("string", "letters, digits, `.`, `_`, `-`; not starting with `.`"), "the config's file name without its extension", "name of the experiment and of its folder `runs/<name>`"),
    value("seed", Integer(0, NO_BOUND), "0", "seed of everything random: synthetic data, splits, random starts, mini-batches"),
    required("data.synthetic.n_samples", Integer(1, MOST), "74", "samples to draw"),
    required("data.synthetic.n_features", Integer(1, MOST), "13", "entries of a sample"),
    required("data.synthetic.n_atoms", Integer(1, MOST), "7", "atoms of the planted dictionary"),
    required("data.synthetic.n_nonzero", Integer(1, MOST), "3", "non-zero entries of a planted code; at most `n_atoms`"),
    value("data.synthetic.scale", Number(POSITIVE), "1.0", "factor of the noise-free signal"),
    value("data.synthetic.noise", Number(NOT_NEGATIVE), "0.0", "standard deviation of the Gaussian noise per entry, in the unit of the samples"),
    value("data.synthetic.test_fraction", Number(BELOW_ONE), "0.0", "share of the samples held out, stratified by label"),
    value("data.digits.split", Integer(0, 4), "0", "which of the five fixed splits into training and test samples"),
    value("data.digits.positive", Other("list of integers", "digits 0 to 9, each at most once, neither none nor all"), "[1, 3, 5, 7, 9]", "digits with label 1; the others have label 0"),
    required("data.file.samples", DATA_PATH, "\"samples.npz\"", "table of samples, one a row"),
    unset("data.file.array", ARRAY_NAME, "the only array", "array that holds the samples"),
    unset("data.file.labels", DATA_PATH, "no labels", "one label per sample, for tasks, evaluation and stratified splits"),
    unset("data.file.labels_array", ARRAY_NAME, "the only array", "array that holds the labels"),
    unset("data.file.label_column", Other("string or integer", "a column's name, or its index from 0"), "no label column", "column of the samples' .csv that holds the labels"),
    value("data.file.header", OneOf("\"auto\" | \"yes\" | \"no\""), "\"auto\"", "whether the first line of a .csv names the columns; auto: it does if none of its fields is a number and one is not empty, it is data if all are numbers or empty, and a mixture is an error. The same for all .csv files of the config"),
    value("data.file.delimiter", Other("string", "one ASCII character other than a quote or a line break"), "\",\"", "what separates the fields of a .csv"),
    unset("data.file.positive", Other("list of numbers", "finite numbers, at least one, each at most once"), "the larger of exactly two values", "label values of class 1"),
    unset("data.file.weights", DATA_PATH, "all 1", "weight of each sample in the upper level, not negative"),
    unset("data.file.weights_array", ARRAY_NAME, "the only array", "array that holds the weights"),
    value("data.file.missing", OneOf("\"refuse\" | \"nan\""), "\"refuse\"", "what NaN (in a .csv also an empty field) in the samples is: an error, or a missing feature, which no loss, mean or norm counts. A sample with nothing observed has the code 0 (and `unit_norm` refuses it); a blank line is skipped, but an error in a table of one column with missing features"),
    unset("data.file.mask", DATA_PATH, "nothing is masked", "array of the samples' shape: 1 or true where a feature is observed, 0 or false where it is missing, whatever the samples hold there; in a .csv true and false in any case"),
    unset("data.file.mask_array", ARRAY_NAME, "the only array", "array that holds the mask"),
    value("data.file.test_fraction", Number(BELOW_ONE), "0.0", "share of the samples held out, stratified by label where there are labels"),
    value("data.preprocessing.scale", NonZero, "1.0", "factor of every sample; applied first"),
    value("data.preprocessing.center", Boolean, "false", "subtract the mean of the training samples, of a feature over those that observe it; applied second"),
    value("data.preprocessing.unit_norm", Boolean, "false", "divide each sample by the Euclidean norm of its observed features; applied last"),
    required("dictionary.n_components", Integer(1, MOST), "100", "atoms to learn"),
    value("dictionary.init", OneOf("\"svd\" | \"samples\" | \"random\" | { file = \"d.npy\" } | { file = { path = \"d.npz\", array = \"D\" } }"), "\"svd\"", "where the dictionary starts: leading right singular vectors of the samples, random samples (missing features have the mean of the observed values in both), Gaussian atoms, or a file"),
    unset("dictionary.init.file", ATOM_PATH, "another start", "atoms to start from, one a row, short for `{ path = .. }`. They are used as they are, the constraint holds from the first step on: where nothing is learned they keep their norms and may be zero"),
    unset("dictionary.init.file.path", ATOM_PATH, "another start", "atoms to start from, one a row"),
    unset("dictionary.init.file.array", ARRAY_NAME, "the only array", "array that holds the atoms"),
    value("dictionary.constraint", OneOf("\"unit_sphere\" | \"unit_ball\" | \"frobenius_sphere\""), "\"unit_sphere\"", "set of dictionaries: every atom has norm 1, every atom has norm at most 1, or the whole matrix has norm 1. It holds from the first step on: atoms of `init.file` are used as they are until then"),
    value("coding.loss", OneOf("\"squared\" | { huber = { delta = 0.01 } } | { power = { exponent = 2.1 } }"), "\"squared\"", "loss of a residual entry r, summed: r^2/2, Huber (r^2/2 up to delta, linear beyond), or |r|^exponent without a factor"),
    required("coding.loss.huber.delta", Number(POSITIVE), "0.01", "residual size from which on the loss is linear, in the unit of the samples"),
    required("coding.loss.power.exponent", Number(interval(2.0, true, 10.0, true)), "2.1", "power of the absolute residual"),
    value("coding.method", METHODS, "\"active_set\"", "which code is meant, and how it is found. The first three minimise the lower level: many coefficients at once, along the exact path from the code 0, or one coefficient after the other (slow where atoms are correlated). The others are other codes; threshold is soft(d_j . x, regularization w_j) / (1 + ridge). All but active_set and coordinate_descent take the squared loss alone"),
    unset("coding.method.omp.n_nonzero", Integer(1, MOST), "`error` alone", "orthogonal matching pursuit stops at this many atoms; at most `dictionary.n_components`"),
    unset("coding.method.omp.error", Number(NOT_NEGATIVE), "`n_nonzero` alone", "orthogonal matching pursuit stops where the squared norm of the residual, |x - D c|^2 (no factor 1/2), is at most this"),
    required("coding.method.l1_ball.radius", Number(NOT_NEGATIVE), "1.0", "minimise the loss (and ridge) subject to sum_j w_j |c_j| at most this, in the unit of the codes"),
    required("coding.method.error.error", Number(NOT_NEGATIVE), "0.01", "bound on the squared norm of the residual: minimise sum_j w_j |c_j| subject to |x - D c|^2 (no factor 1/2) at most this"),
    required("coding.regularization", Number(NOT_NEGATIVE), "0.1", "weight of the l1 norm of a code"),
    value("coding.elastic_penalty", Number(NOT_NEGATIVE), "0.0", "ridge relative to `regularization`: adds regularization elastic_penalty/2 |c|^2"),
    value("coding.l2_regularization", Number(NOT_NEGATIVE), "0.0", "absolute ridge: adds l2_regularization/2 |c|^2"),
    value("coding.non_negative", Boolean, "false", "whether codes are restricted to c >= 0"),
    unset("coding.weights", Other("list of numbers", "finite numbers >= 0, one per atom; or { file = \"w.npy\" } | { file = { path = \"w.npz\", array = \"w\" } }"), "all 1", "weight w_j of each atom in the l1 norm: regularization sum_j w_j |c_j|"),
    unset("coding.weights.file", ATOM_PATH, "the list, or all 1", "weights in a file, one per atom; short for `{ path = .. }`"),
    unset("coding.weights.file.path", ATOM_PATH, "the list, or all 1", "weights in a file, one per atom"),
    unset("coding.weights.file.array", ARRAY_NAME, "the only array", "array that holds the weights"),
    value("coding.tolerance", Number(interval(1e-14, true, 1e-2, true)), "1e-10", "largest accepted violation of a code. For active_set, homotopy and coordinate_descent that of the KKT conditions, relative to `regularization`; for l1_ball and error the same relative to the multiplier of the constraint (to the largest correlation |d_j . x| where the multiplier is below 1e-5 of it), and that of the constraint itself; for omp that of the least squares on its atoms, relative to the largest correlation; codes by threshold have none"),
    value("coding.max_iterations", Integer(1, NO_BOUND), "1000", "iterations per sample at most: rounds of active_set and coordinate_descent, steps of the path of homotopy, l1_ball and error; omp and threshold ignore it"),
    value("coding.require_convergence", Boolean, "false", "end with exit code 3 when a sample is not converged"),
    value("learn.objective", OneOf("\"reconstruction\" | \"full\""), "\"reconstruction\"", "what the dictionary minimises: the loss of the residuals, or the whole lower-level objective"),
    value("learn.max_iterations", Integer(0, NO_BOUND), "100", "steps at most; a mini-batch is one step"),
    value("learn.tolerance", Number(NOT_NEGATIVE), "0.0", "stop when the gradient mapping is below this times 1 + |x|; 0 runs all steps"),
    unset("learn.batch_size", Integer(1, NO_BOUND), "all samples", "samples per step; only with `adam` or `sgd`"),
    value("learn.project", OneOf("\"each_step\" | \"at_end\""), "\"each_step\"", "when the dictionary is put back into its set; only with `adam` or `sgd`"),
    value("learn.require_convergence", Boolean, "false", "end with exit code 3 when `tolerance` is not reached; needs `tolerance` > 0"),
    value("learn.proximal_gradient.acceleration", Boolean, "true", "Nesterov momentum"),
    value("learn.proximal_gradient.restart", Boolean, "false", "restart the momentum when it points uphill"),
    value("learn.proximal_gradient.initial_step", Number(POSITIVE), "1.0", "first step size of the backtracking line search"),
    value("learn.proximal_gradient.max_halvings", Integer(1, 60), "15", "halvings per line search at most"),
    value("learn.adam.step", Number(POSITIVE), "0.001", "step size"),
    value("learn.adam.schedule", SCHEDULES, "\"constant\"", "step size over the iterations t"),
    value("learn.adam.beta1", Number(BELOW_ONE), "0.9", "decay of the first moment"),
    value("learn.adam.beta2", Number(BELOW_ONE), "0.999", "decay of the second moment"),
    value("learn.adam.epsilon", Number(POSITIVE), "1e-8", "floor of the denominator"),
    required("learn.adam.schedule.exponential.decay", Number(interval(0.0, false, 1.0, true)), "0.99", "step decay^t"),
    value("learn.adam.schedule.cosine.last", Number(NOT_NEGATIVE), "0.0", "falls from step to this along half a cosine over `max_iterations`"),
    required("learn.adam.schedule.inverse_time.t0", Number(POSITIVE), "100.0", "step min(1, t0/t), t0 in iterations"),
    value("learn.sgd.step", Number(POSITIVE), "0.001", "step size"),
    value("learn.sgd.schedule", SCHEDULES, "\"constant\"", "step size over the iterations t"),
    value("learn.sgd.momentum", Number(BELOW_ONE), "0.9", "momentum"),
    required("learn.sgd.schedule.exponential.decay", Number(interval(0.0, false, 1.0, true)), "0.99", "step decay^t"),
    value("learn.sgd.schedule.cosine.last", Number(NOT_NEGATIVE), "0.0", "falls from step to this along half a cosine over `max_iterations`"),
    required("learn.sgd.schedule.inverse_time.t0", Number(POSITIVE), "100.0", "step min(1, t0/t), t0 in iterations"),
    value("task.start", OneOf("\"init\" | \"learned\""), "\"init\"", "dictionary from which the task starts: that of `dictionary.init`, or the one learned without the task"),
    value("task.logistic.l2", Number(NOT_NEGATIVE), "0.001", "ridge of the head with weights v and intercept b, l2/2 (|v|^2 + b^2), counted once whatever the batch"),
    value("task.logistic.penalize_intercept", Boolean, "false", "whether b^2 is part of the ridge"),
    value("evaluation.folds", Integer(2, NO_BOUND), "3", "cross-validation folds inside the training part that choose the ridge of a head"),
    value("evaluation.ridges", Other("list of numbers", "numbers > 0, at least one"), "[0.0001, 0.001, 0.01, 0.1, 1.0, 10.0, 100.0]", "ridges to choose from, l2/2 |v|^2"),
    value("output.codes", OneOf("\"csr\" | \"dense\" | \"none\""), "\"csr\"", "how codes are written: compressed sparse rows, dense, or not at all"),
    ]
};

impl Interval {
    fn contains(self, x: f64) -> bool {
        let above = if self.low_included { x >= self.low } else { x > self.low };
        let below = if self.high_included { x <= self.high } else { x < self.high };
        x.is_finite() && above && below
    }

    /// The interval behind `noun`, which an interval without two ends calls finite.
    fn text(self, noun: &str) -> String {
        let open = if self.low_included { '[' } else { '(' };
        let close = if self.high_included { ']' } else { ')' };
        let relation = if self.low_included { ">=" } else { ">" };
        let low = short(self.low);
        match (self.low.is_finite(), self.high.is_finite()) {
            (true, true) => format!("{noun} in {open}{low}, {}{close}", short(self.high)),
            (true, false) => format!("finite {noun} {relation} {low}"),
            (false, _) => format!("finite {noun}"),
        }
    }
}

/// A number as one writes it: no `.0` on integers, exponents where they are shorter.
pub fn short(x: f64) -> String {
    let text = format!("{x:?}");
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

impl Key {
    /// The meaning without its details, for an error: its first sentence.
    pub fn gist(&self) -> &'static str {
        self.meaning.split(". ").next().unwrap_or(self.meaning)
    }
}

impl Accepts {
    /// Whether a number is accepted; keys that take no number accept none.
    pub fn accepts_number(self, x: f64) -> bool {
        match self {
            Accepts::Number(interval) => interval.contains(x),
            Accepts::NonZero => FINITE.contains(x) && x != 0.0,
            _ => false,
        }
    }

    /// Whether an integer is accepted; keys that take no integer accept none.
    pub fn accepts_integer(self, n: i64) -> bool {
        matches!(self, Accepts::Integer(low, high) if (low..=high).contains(&n))
    }

    /// Name of the type.
    pub fn type_name(self) -> &'static str {
        match self {
            Accepts::Number(_) | Accepts::NonZero => "number",
            Accepts::Integer(..) => "integer",
            Accepts::Boolean => "boolean",
            Accepts::OneOf(_) => "choice",
            Accepts::Other(name, _) => name,
        }
    }

    /// Accepted values in words.
    pub fn text(self) -> String {
        match self {
            Accepts::Number(interval) => interval.text("number"),
            Accepts::NonZero => "finite number other than 0".to_owned(),
            Accepts::Integer(low, NO_BOUND) => format!("integer >= {low}"),
            Accepts::Integer(low, high) => format!("integer from {low} to {high}"),
            Accepts::Boolean => "true | false".to_owned(),
            Accepts::OneOf(choices) => choices.to_owned(),
            Accepts::Other(_, text) => text.to_owned(),
        }
    }

    /// Type and accepted values, for an error.
    pub fn sentence(self) -> String {
        match self {
            Accepts::Number(_) | Accepts::NonZero => format!("a {}", self.text()),
            Accepts::Integer(..) => format!("an {}", self.text()),
            Accepts::Boolean => "true or false, without quotes".to_owned(),
            Accepts::OneOf(_) => self.text(),
            Accepts::Other(name, _) => format!("a {name}: {}", self.text()),
        }
    }
}

/// The key at a dotted path; `task.learn.x` is looked up as `learn.x`.
pub fn find(path: &str) -> Option<&'static Key> {
    let path = canonical(path);
    KEYS.iter().find(|key| key.path == path)
}

/// Whether a path is a table: something stands below it and it is no key itself.
pub fn is_table(path: &str) -> bool {
    let below = format!("{}.", canonical(path));
    find(path).is_none() && (path == "task.learn" || KEYS.iter().any(|key| key.path.starts_with(&below)))
}

/// The path under which the table lists a key of `[task.learn]`.
fn canonical(path: &str) -> &str {
    match path.strip_prefix("task.") {
        Some(rest) if rest == "learn" || (rest.starts_with("learn.") && rest != "learn.objective") => rest,
        _ => path,
    }
}

/// The name nearest to a misspelt one, if it is near enough: at most a third of its letters differ.
pub fn nearest<'a>(misspelt: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (misspelt.chars().count() / 3).max(1);
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(misspelt, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Where a key of this name stands, for a key that was put into the wrong table.
pub fn tables_with(name: &str) -> Vec<&'static str> {
    let ending = |key: &'static Key| key.path.rsplit_once('.').filter(|(_, last)| *last == name);
    KEYS.iter().filter_map(ending).map(|(table, _)| table).collect()
}

/// The reference of all keys as Markdown, one table per TOML table.
pub fn reference() -> String {
    let mut text = String::from(
        "# Keys of a config\n\n\
         Written by `UPDATE_DOCS=1 cargo test -p cli --test config_reference` from `crates/cli/src/config/keys.rs`.\n\n\
         A config is TOML. Paths are relative to the config file. Losses and penalties are sums, not means.\n\
         What is drawn (synthetic samples, planted atoms, an initial dictionary) has at most a billion entries.\n\
         So have all copies of the dictionary that a run makes (13 with a task, 10 with steps, 5 without; atoms count with\n\
         `n_features` rounded up to a multiple of 16), the two square matrices of a head that is scored on held-out\n\
         samples, and two copies of dense codes: 8 GB each.\n\
         Exactly one of `[data.synthetic]`, `[data.digits]`, `[data.file]`; at most one of\n\
         `[learn.proximal_gradient]` (the default), `[learn.adam]`, `[learn.sgd]`.\n\
         `[task]` is optional and needs `[task.logistic]`; `[task.learn]` has the keys of `[learn]` except\n\
         `objective`, and its default method is `adam`.\n\
         A dictionary is learned through codes that minimise the lower level: with another `coding.method` it is learned\n\
         by `active_set`, and all codes, scores and files at the end are by `coding.method`.\n\
         `coding.regularization` plays no part in codes by `omp`, `l1_ball` and `error` (but for the relative ridge of\n\
         `l1_ball`): with these it may be left out where nothing is learned (`learn.max_iterations = 0`, no `[task]`).\n\
         `coding.elastic_penalty` plays none in codes by `omp`: least squares on the atoms chosen, with `l2_regularization`.\n\
         `--set KEY=VALUE` on the command line sets one key, written with its dotted path.\n",
    );
    let mut section = None;
    for key in KEYS {
        let (table, name) = split(key.path);
        if section != Some(table) {
            let title = if table.is_empty() { "Top of the file".to_owned() } else { format!("`[{table}]`") };
            let _ = write!(
                text,
                "\n## {title}\n\n| key | type | default | accepted | meaning |\n|---|---|---|---|---|\n"
            );
            section = Some(table);
        }
        let default = match key.default {
            Default::Required(_) => "*required*".to_owned(),
            Default::Value(value) => format!("`{value}`"),
            Default::Unset(words) => words.to_owned(),
        };
        let cells = [key.accepts.text(), key.meaning.to_owned()].map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(
            text,
            "| `{name}` | {} | {default} | {} | {} |",
            key.accepts.type_name(),
            cells[0],
            cells[1]
        );
    }
    text
}

/// The TOML table and the name of a key; parameters of a choice stay with the table of the choice.
fn split(path: &'static str) -> (&'static str, &'static str) {
    let choice =
        KEYS.iter().find(|key| path.starts_with(key.path) && path[key.path.len()..].starts_with('.'));
    let table = choice.map_or(path, |key| key.path).rsplit_once('.').map_or("", |(table, _)| table);
    (table, path[table.len()..].trim_start_matches('.'))
}
