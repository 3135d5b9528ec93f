//! What an accepted config means: defaults, overrides, the way to text and back, and that no text panics.

use cli::config::experiment::{Coding, Source};
use cli::config::keys::{self, Accepts, Default, KEYS};
use cli::config::{Experiment, load, parse, to_toml};
use dictlearn::active_set::CoderOptions;
use dictlearn::learner::Optimizer;
use dictlearn::preprocessing::Preprocessing;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use solvers::adam::Adam;
use solvers::sgd::Sgd;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const DIGITS: &str = "[data.digits]\n[dictionary]\nn_components = 7\n[coding]\nregularization = 0.1\n";

/// Configs that between them use every key and every choice.
const EVERYTHING: &[&str] = &[
    DIGITS,
    "[data.synthetic]\nn_samples = 9\nn_features = 5\nn_atoms = 4\nn_nonzero = 2\n\
     [dictionary]\nn_components = 3\ninit = \"random\"\nconstraint = \"unit_ball\"\n\
     [coding]\nregularization = 1e-3\nweights = { file = \"/w.npy\" }\nloss = { huber = { delta = 0.3 } }\n\
     [learn]\nobjective = \"full\"\n[learn.adam]\nschedule = { exponential = { decay = 0.5 } }\n\
     [task.logistic]\n[output]\ncodes = \"none\"\n",
    "seed = 9223372036854775807\nname = \"a.b-c_d\"\n\
     [data.file]\nsamples = \"x.csv\"\nlabel_column = \"species \\\"x\\\" \\u00e9\"\ndelimiter = \"\\t\"\nheader = \"yes\"\n\
     weights = \"w.NPZ\"\nweights_array = \"w\"\npositive = [1, -2.5]\ntest_fraction = 0.25\n\
     missing = \"nan\"\nmask = \"m.npz\"\nmask_array = \"m\"\n\
     [dictionary]\nn_components = 3\ninit = { file = \"/tmp/d.npy\" }\n\
     [coding]\nregularization = 0\nloss = { power = { exponent = 2.1 } }\n\
     non_negative = true\nweights = [1, 0.5, 0]\n\
     [learn]\ntolerance = 1e-7\nrequire_convergence = true\nbatch_size = 4\n\
     [learn.adam]\nschedule = { cosine = {} }\n[output]\ncodes = \"dense\"\n\
     [task]\nstart = \"learned\"\n[task.logistic]\n[task.learn.proximal_gradient]\nrestart = true\n",
    "[data.file]\nsamples = \"x.npz\"\narray = \"X\"\nlabels = \"../y.npz\"\nlabels_array = \"y\"\n\
     [dictionary]\nn_components = 3\ninit = { file = { path = \"d.npz\", array = \"D\" } }\n\
     [coding]\nregularization = 0.1\nweights = { file = { path = \"w.npz\", array = \"w\" } }\n\
     method = { l1_ball = { radius = 2 } }\n\
     [learn.adam]\nschedule = { inverse_time = { t0 = 3 } }\n\
     [task.logistic]\n[task.learn.sgd]\nschedule = \"constant\"\n",
    "[data.file]\nsamples = \"x.csv\"\nlabel_column = 0\nheader = \"no\"\n\
     [dictionary]\nn_components = 3\ninit = \"samples\"\n[coding]\nregularization = 0.1\nmethod = \"homotopy\"\n\
     [learn.sgd]\nschedule = { exponential = { decay = 1 } }\n\
     [task.logistic]\n[task.learn.sgd]\nschedule = { cosine = { last = 1e-5 } }\n",
    "[data.digits]\n[dictionary]\nn_components = 3\nconstraint = \"frobenius_sphere\"\n[coding]\nregularization = 0.1\n\
     [learn]\nproject = \"at_end\"\n[learn.sgd]\nschedule = { inverse_time = { t0 = 3 } }\n\
     [task.logistic]\n[task.learn]\nbatch_size = 8\n[task.learn.adam]\nschedule = { cosine = {} }\n",
    "[data.digits]\n[dictionary]\nn_components = 3\n[learn]\nmax_iterations = 0\n\
     [coding]\nmethod = { error = { error = 0.25 } }\n",
    "[data.digits]\n[dictionary]\nn_components = 3\n[learn]\nmax_iterations = 0\n\
     [coding]\nmethod = { omp = { n_nonzero = 2, error = 1e-3 } }\nelastic_penalty = 0.5\n",
    "[data.digits]\n[dictionary]\nn_components = 3\n[coding]\nmethod = { omp = { error = 0 } }\nregularization = 0\n",
];

fn accepted(text: &str, overrides: &[&str]) -> Experiment {
    let overrides: Vec<String> = overrides.iter().map(|&set| set.to_owned()).collect();
    parse(text, Path::new("dir/test.toml"), &overrides).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

/// Every value of a TOML text with its dotted path.
fn leaves(text: &str) -> BTreeMap<String, toml::Value> {
    fn walk(prefix: &str, table: toml::Table, found: &mut BTreeMap<String, toml::Value>) {
        for (name, value) in table {
            let path = format!("{prefix}{name}");
            match value {
                toml::Value::Table(inner) => walk(&format!("{path}."), inner, found),
                value => drop(found.insert(path, value)),
            }
        }
    }
    let mut found = BTreeMap::new();
    walk("", text.parse().expect("valid TOML"), &mut found);
    found
}

fn configs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
    let entries = std::fs::read_dir(folder).expect("the repository has configs");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    files.sort();
    files
}

#[test]
fn shipped_configs_are_accepted_and_introduce_themselves() {
    let files = configs();
    assert!(files.len() >= 5);
    for file in files {
        load(&file, &[]).unwrap_or_else(|error| panic!("{error}"));
        let text = std::fs::read_to_string(&file).expect("it was just read");
        assert!(text.starts_with("# ") && text.is_ascii(), "{}", file.display());
    }
}

#[test]
fn text_and_back_is_the_same_experiment() {
    let shipped = configs().into_iter().map(|file| load(&file, &[]).expect("accepted above"));
    let listed = EVERYTHING.iter().map(|text| accepted(text, &[]));
    for experiment in shipped.chain(listed) {
        let text = to_toml(&experiment);
        // Its own folder is no longer that of the first text: paths are written as they resolved.
        let again = parse(&text, Path::new("elsewhere.toml"), &[]);
        assert_eq!(again.as_ref(), Ok(&experiment), "{text}");
    }
}

#[test]
fn the_written_keys_are_those_of_the_table() {
    let mut written = BTreeSet::new();
    for text in EVERYTHING {
        for path in leaves(&to_toml(&accepted(text, &[]))).into_keys() {
            let key = keys::find(&path).unwrap_or_else(|| panic!("`{path}` is not in the table"));
            written.insert(key.path);
        }
    }
    let listed: BTreeSet<&str> = KEYS.iter().map(|key| key.path).collect();
    assert_eq!(written, listed);
    assert_eq!(listed.len(), KEYS.len(), "a key is listed twice");
}

#[test]
fn an_absent_key_has_the_default_of_the_table() {
    for text in EVERYTHING {
        assert_library_accepts(&accepted(text, &[]));
        let given = leaves(text);
        for (path, value) in leaves(&to_toml(&accepted(text, &[]))) {
            let key = keys::find(&path).expect("checked above");
            let default = match key.default {
                Default::Value(default) => default,
                Default::Unset(_) if path == "name" => "\"test\"",
                Default::Unset(_) | Default::Required(_) => "\"must be given\"",
            };
            let default = leaves(&format!("{path} = {default}")).remove(&path);
            assert!(given.contains_key(&path) || Some(&value) == default.as_ref(), "{path} = {value}");
        }
    }
}

/// What is a default in the library and in the config is the same default.
#[test]
fn defaults_are_those_of_the_library() {
    let bare = accepted(&format!("{DIGITS}[learn.sgd]\n[task.logistic]\n"), &[]);
    assert_eq!(bare.learn.descent.optimizer, Optimizer::Sgd(<Sgd as std::default::Default>::default()));
    let task = bare.task.expect("a task is given");
    assert_eq!(task.descent.optimizer, Optimizer::Adam(<Adam as std::default::Default>::default()));
    assert_eq!(bare.coding.options, <CoderOptions as std::default::Default>::default());
    assert_eq!(bare.preprocessing, <Preprocessing as std::default::Default>::default());
}

/// The names that deserialising expects in a table, from the error of a key that no table has.
fn expected_names(table: &str) -> BTreeSet<String> {
    let set = format!("{table}.no_such_key=1").trim_start_matches('.').to_owned();
    let text = DIGITS.replace("[data.digits]\n", "");
    let error = parse(&text, Path::new("test.toml"), &[set]).expect_err("the key does not exist").to_string();
    let (_, names) = error.split_once("accepted here: ").unwrap_or_else(|| panic!("{table}: {error}"));
    names.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_schema_has_the_keys_of_the_table() {
    let prefixes = |path: &'static str| path.match_indices('.').map(move |(end, _)| &path[..end]);
    let tables: BTreeSet<&str> = KEYS.iter().flat_map(|key| prefixes(key.path)).chain([""]).collect();
    for table in tables {
        let is_choice = keys::find(table).is_some_and(|key| matches!(key.accepts, Accepts::OneOf(_)));
        if is_choice {
            continue;
        }
        let prefix = if table.is_empty() { String::new() } else { format!("{table}.") };
        let mut listed: BTreeSet<String> = KEYS
            .iter()
            .filter_map(|key| key.path.strip_prefix(&prefix)?.split('.').next().map(str::to_owned))
            .collect();
        if table == "task" {
            listed.insert("learn".to_owned());
        }
        assert_eq!(expected_names(table), listed, "[{table}]");
    }
}

/// Puts numbers around every bound into every numeric key: refused exactly where the table says so.
#[test]
fn every_range_of_the_table_is_enforced() {
    let mut tried = BTreeSet::new();
    for text in EVERYTHING {
        for path in leaves(&to_toml(&accepted(text, &[]))).into_keys() {
            let accepts = keys::find(&path).expect("checked above").accepts;
            let integers = matches!(accepts, Accepts::Integer(..));
            if !integers && !matches!(accepts, Accepts::Number(_) | Accepts::NonZero) {
                continue;
            }
            for value in [
                "-1",
                "0",
                "1",
                "2",
                "4",
                "5",
                "10",
                "11",
                "60",
                "61",
                "100000000",
                "100000001",
                "1e-15",
                "1e-14",
                "1e-2",
                "2e-2",
                "0.99",
                "inf",
                "nan",
            ] {
                if integers && value.parse::<i64>().is_err() {
                    continue;
                }
                let number: f64 = value.parse().expect("a number");
                let expected = accepts.accepts_number(number) || accepts.accepts_integer(number as i64);
                let set = format!("{path}={value}");
                let result = parse(text, Path::new("test.toml"), std::slice::from_ref(&set));
                let verdicts = ["out of range", "not accepted"]
                    .map(|verdict| format!("`{path}` = {value} is {verdict}"));
                let refused = result.is_err_and(|error| {
                    let error = error.to_string();
                    verdicts.iter().any(|verdict| error.contains(verdict))
                });
                assert_eq!(refused, !expected, "{set}");
            }
            tried.insert(path);
        }
    }
    assert!(tried.len() >= 40, "{tried:?}");
}

#[test]
fn overrides_set_one_key() {
    let seed = |overrides: &[&str]| accepted(DIGITS, overrides).seed;
    assert_eq!(seed(&["seed=3"]), 3);
    assert_eq!(seed(&["seed = 3", "seed=4"]), 4);
    assert_eq!(seed(&["seed=0x10"]), 16);
    let written =
        |overrides: &[&str], path: &str| leaves(&to_toml(&accepted(DIGITS, overrides)))[path].to_string();
    assert_eq!(written(&["coding.regularization=2"], "coding.regularization"), "2.0");
    assert_eq!(written(&["dictionary.init=samples"], "dictionary.init"), "\"samples\"");
    assert_eq!(written(&["dictionary.init=\"random\""], "dictionary.init"), "\"random\"");
    assert_eq!(written(&["dictionary.init.file=a-b/d_0.npy"], "dictionary.init.file"), "\"dir/a-b/d_0.npy\"");
    assert_eq!(written(&["coding.loss.huber.delta=0.5"], "coding.loss.huber.delta"), "0.5");
    assert_eq!(written(&["coding.loss={ huber = { delta = 0.5 } }"], "coding.loss.huber.delta"), "0.5");
    assert_eq!(written(&["learn.adam.step=0.5", "learn.batch_size=3"], "learn.batch_size"), "3");
    assert_eq!(written(&["name=b", "name=c"], "name"), "\"c\"");
}

#[test]
fn paths_are_relative_to_the_config() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("named.toml");
    let text = DIGITS.replace("[data.digits]", "[data.file]\nsamples = \"x.npy\"");
    std::fs::write(&file, text).expect("a writable folder");
    let experiment = load(&file, &[]).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(experiment.name, "named");
    let written = leaves(&to_toml(&experiment));
    let expected = folder.path().join("x.npy");
    assert_eq!(written["data.file.samples"].as_str(), expected.to_str());
    // A copy elsewhere means the same files.
    let other = tempfile::tempdir().expect("a temporary folder");
    let copy = other.path().join("config.toml");
    std::fs::write(&copy, to_toml(&experiment)).expect("a writable folder");
    assert_eq!(load(&copy, &[]).unwrap_or_else(|error| panic!("{error}")), experiment);
}

/// A path that the resolved text could not hold is refused.
#[cfg(unix)]
#[test]
fn folders_have_readable_names() {
    use std::os::unix::ffi::OsStrExt as _;
    let file = Path::new(std::ffi::OsStr::from_bytes(b"d\xff/test.toml"));
    let text = DIGITS.replace("[data.digits]", "[data.file]\nsamples = \"x.npy\"");
    let error = parse(&text, file, &[]).expect_err("the folder is no text").to_string();
    assert!(error.contains("a folder whose name is not UTF-8"), "{error}");
    assert!(parse(DIGITS, file, &[]).is_ok());
}

/// What the config layer accepts, the library accepts.
fn assert_library_accepts(experiment: &Experiment) {
    if let Source::Synthetic { options, .. } = &experiment.source {
        options.check().expect("checked synthetic data");
    }
    experiment.coding.lower.check().expect("a checked lower level");
    let Coding { lower, options, weights, .. } = &experiment.coding;
    options.check().expect("checked coder options");
    options.method.check_problem(lower, weights.is_some()).expect("a method that takes the problem");
    let task = experiment.task.as_ref();
    if let Some(task) = task {
        task.logistic.check().expect("a checked task");
    }
    for descent in [Some(&experiment.learn.descent), task.map(|task| &task.descent)].into_iter().flatten() {
        descent.check().expect("a checked descent");
    }
}

fn bounded() -> ProptestConfig {
    ProptestConfig {
        cases: 1000,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0),
        ..ProptestConfig::default()
    }
}

/// Reads a text and renders what is wrong with it; an accepted one must survive the way to text and back.
fn survives(text: &str, overrides: &[String]) {
    match parse(text, Path::new("/dir/test.toml"), overrides) {
        Ok(experiment) => {
            assert_library_accepts(&experiment);
            let again = parse(&to_toml(&experiment), Path::new("/x.toml"), &[]);
            assert_eq!(again.as_ref(), Ok(&experiment));
        }
        Err(error) => {
            assert!(error.render(false).starts_with("error: ") && !error.render(true).is_empty())
        }
    }
}

/// Nesting is bounded, so that walking a document cannot overflow the stack.
#[test]
fn deep_nesting_is_refused() {
    for (open, value, close) in [("a.", "a=1", ""), ("a={", "a=1", "}"), ("a=[", "1", "]")] {
        let (open, close) = (open.repeat(50_000), close.repeat(50_000));
        let text = format!("{open}{value}{close}");
        survives(&text, &[]);
        survives(DIGITS, &[text]);
    }
}

/// A config with a few of its lines, characters and values exchanged.
fn mutated() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        "\\PC{0,3}",
        Just("\n".to_owned()),
        Just("[[coding]]\n".to_owned()),
        Just("\"".to_owned()),
        Just("= -1 #".to_owned()),
        Just("{ }".to_owned()),
        Just("\u{e9}\u{1f600}".to_owned()),
        Just("\r\n\t".to_owned()),
        Just("1e999".to_owned()),
    ];
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, pieces), 1..4);
    (prop::sample::select(EVERYTHING), edits).prop_map(|(text, edits)| {
        let mut chars: Vec<char> = text.chars().collect();
        for (place, removed, piece) in edits {
            let start = place.index(chars.len() + 1);
            let end = (start + removed).min(chars.len());
            chars.splice(start..end, piece.chars());
        }
        chars.into_iter().collect()
    })
}

/// A key of the table with some value, as an override.
fn assignment() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        "\\PC{0,8}",
        any::<f64>().prop_map(|x| format!("{x:?}")),
        any::<i64>().prop_map(|n| n.to_string()),
        Just("squared".to_owned()),
        Just("[1, \"x\"]".to_owned()),
        Just("{ huber = { delta = 0 }, x = [] }".to_owned()),
        Just("1979-05-27".to_owned()),
    ];
    (prop::sample::select(KEYS), value).prop_map(|(key, value)| format!("{}={value}", key.path))
}

proptest! {
    #![proptest_config(bounded())]

    #[test]
    fn no_text_panics(text in "\\PC{0,40}(\n\\PC{0,20}){0,3}", set in "\\PC{0,20}") {
        survives(&text, &[]);
        survives(DIGITS, std::slice::from_ref(&set));
        survives(&text, &[set]);
    }

    #[test]
    fn no_mutated_config_panics(text in mutated()) {
        survives(&text, &[]);
    }

    #[test]
    fn no_override_panics(text in prop::sample::select(EVERYTHING), sets in prop::collection::vec(assignment(), 1..4)) {
        survives(text, &sets);
    }
}
