//! What a refused config says: one snapshot of the rendered text per kind of error.

use std::path::Path;

/// The smallest config.
const MINIMAL: &str = "\
[data.digits]

[dictionary]
n_components = 7

[coding]
regularization = 0.1
";

/// The rendered error of a config with overrides.
fn refused(text: &str, overrides: &[&str]) -> String {
    let overrides: Vec<String> = overrides.iter().map(|&set| set.to_owned()).collect();
    match cli::config::parse(text, Path::new("dir/test.toml"), &overrides) {
        Ok(experiment) => format!("accepted: {experiment:?}"),
        Err(error) => error.to_string(),
    }
}

/// The minimal config with one edit.
fn edited(from: &str, to: &str) -> String {
    assert!(MINIMAL.contains(from), "{from} is not in the minimal config");
    refused(&MINIMAL.replacen(from, to, 1), &[])
}

/// The minimal config with more lines at its end.
fn with(more: &str) -> String {
    refused(&format!("{MINIMAL}{more}"), &[])
}

/// The minimal config with overrides.
fn set(overrides: &[&str]) -> String {
    refused(MINIMAL, overrides)
}

/// Compares the cases, one below the other, with the snapshot of this name.
fn check(name: &str, cases: &[(&str, String)]) {
    let document: String = cases.iter().map(|(title, error)| format!("--- {title}\n{error}\n\n")).collect();
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, document));
}

#[test]
fn minimal_is_accepted() {
    assert!(set(&[]).starts_with("accepted"));
}

#[test]
fn syntax() {
    check(
        "syntax",
        &[
            ("unquoted text", with("loss = squared\n")),
            ("duplicate key", with("regularization = 0.2\n")),
            ("unclosed table", with("[learn\n")),
            ("no value", with("tolerance\n")),
        ],
    );
}

#[test]
fn names() {
    check(
        "names",
        &[
            ("misspelt key", edited("regularization", "regularisation")),
            ("misspelt table", edited("[dictionary]", "[dictionnary]")),
            ("key of another table", with("[learn]\nstep = 0.1\n")),
            ("unknown key", with("[output]\npictures = true\n")),
            ("misspelt choice", with("loss = \"sqaured\"\n")),
            ("misspelt method", with("method = \"cordinate_descent\"\n")),
            ("misspelt choice with parameters", with("loss = { hubber = { delta = 0.1 } }\n")),
            ("unknown choice", edited("n_components = 7", "n_components = 7\ninit = \"kmeans\"")),
            ("misspelt file of weights", with("weights = { fil = \"w.npy\" }\n")),
            (
                "unknown kind of missing",
                edited("[data.digits]", "[data.file]\nsamples = \"x.csv\"\nmissing = \"NaN\""),
            ),
            ("misspelt parameter", with("loss = { huber = { detla = 0.1 } }\n")),
            ("parameter of another choice", with("method = { error = { epsilon = 0.1 } }\n")),
            ("objective of a task", with("[task.logistic]\n[task.learn]\nobjective = \"full\"\n")),
        ],
    );
}

#[test]
fn types() {
    check(
        "types",
        &[
            ("text for a number", edited("0.1", "\"0.1\"")),
            ("fraction for a count", edited("7", "7.5")),
            ("text for a flag", with("require_convergence = \"yes\"\n")),
            ("number for a choice", with("loss = 2\n")),
            ("choice without parameters", with("loss = \"huber\"\n")),
            ("method without parameters", with("method = \"omp\"\n")),
            ("two choices", with("loss = { huber = { delta = 0.1 }, power = { exponent = 3 } }\n")),
            ("number for a parameter table", with("loss = { huber = 0.1 }\n")),
            (
                "number for a table",
                edited(
                    "[coding]\nregularization = 0.1\n",
                    "[coding]\nregularization = 0.1\n[data]\npreprocessing = 3",
                ),
            ),
            (
                "number for missing",
                edited("[data.digits]", "[data.file]\nsamples = \"x.csv\"\nmissing = -1.0"),
            ),
            ("text for weights", with("weights = \"w.npy\"\n")),
            ("text among weights", with("weights = [1, \"2\"]\n")),
            ("array of tables", edited("[coding]", "[[coding]]")),
            ("table for a number", with("[coding.tolerance]\nrelative = 1e-3\n")),
            ("too large a number", edited("0.1", "1e999")),
            ("too large an integer", edited("7", "99999999999999999999")),
            (
                "flag for a column",
                edited("[data.digits]", "[data.file]\nsamples = \"x.csv\"\nlabel_column = true"),
            ),
        ],
    );
}

fn stem_that_is_no_name() -> String {
    let error = cli::config::parse(MINIMAL, Path::new("my config.toml"), &[]);
    error.expect_err("the stem holds a blank").to_string()
}

#[test]
fn ranges() {
    check(
        "ranges",
        &[
            ("no components", edited("7", "0")),
            ("negative regularization", edited("0.1", "-0.1")),
            ("not a number", edited("0.1", "nan")),
            ("tolerance", with("tolerance = 0.5\n")),
            ("negative weight", with("weights = [1, 1, 1, -1, 1, 1, 1]\n")),
            ("no weights", with("weights = []\n")),
            ("no file of weights", with("weights = {}\n")),
            ("exponent", with("loss = { power = { exponent = 1 } }\n")),
            ("limits of a pursuit", with("method = { omp = { n_nonzero = 0, error = -1 } }\n")),
            ("negative radius", with("method = { l1_ball = { radius = -1 } }\n")),
            ("digit split", edited("[data.digits]", "[data.digits]\nsplit = 5")),
            (
                "all digits positive",
                edited("[data.digits]", "[data.digits]\npositive = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"),
            ),
            ("zero scale", with("[data.preprocessing]\nscale = 0\n")),
            ("empty ridges", with("[evaluation]\nridges = []\n")),
            ("name", edited("[data.digits]", "name = \"../x\"\n[data.digits]")),
            ("stem that is no name", stem_that_is_no_name()),
            ("delimiter", edited("[data.digits]", "[data.file]\nsamples = \"x.csv\"\ndelimiter = \"; \"")),
            (
                "several at once",
                with(
                    "tolerance = 0\nmax_iterations = 0\nelastic_penalty = -1\n\
             [learn.adam]\nstep = 0\nbeta1 = 1\nbeta2 = 2\nepsilon = -1\n",
                ),
            ),
        ],
    );
}

#[test]
fn missing() {
    check(
        "missing",
        &[
            ("key", edited("regularization = 0.1", "# none")),
            ("parameter", with("loss = { huber = {} }\n")),
            ("table", edited("[coding]\nregularization = 0.1", "")),
            ("everything", refused("", &[])),
            ("source", edited("[data.digits]", "[data.preprocessing]")),
            ("task", with("[task]\n")),
            (
                "labels",
                refused(
                    &format!("{MINIMAL}[task.logistic]\n")
                        .replace("[data.digits]", "[data.file]\nsamples = \"x.npy\""),
                    &[],
                ),
            ),
        ],
    );
}

#[test]
fn conflicts() {
    check(
        "conflicts",
        &[
            ("two sources", edited("[data.digits]", "[data.synthetic]\n[data.digits]\n")),
            ("two methods", with("[learn.sgd]\n[learn.adam]\n")),
            ("batches without a first order method", with("[learn]\nbatch_size = 4\nproject = \"at_end\"\n")),
            ("convergence without a tolerance", with("[learn]\nrequire_convergence = true\n")),
            (
                "more nonzeros than atoms",
                edited(
                    "[data.digits]",
                    "[data.synthetic]\nn_samples = 9\nn_features = 5\nn_atoms = 4\nn_nonzero = 5",
                ),
            ),
            (
                "more samples and atoms than memory holds",
                edited(
                    "[data.digits]",
                    "[data.synthetic]\nn_samples = 10_000_001\nn_features = 100\nn_atoms = 100_000_000\nn_nonzero = 5",
                ),
            ),
            (
                "two kinds of labels",
                edited(
                    "[data.digits]",
                    "[data.file]\nsamples = \"x.csv\"\nlabels = \"y.npy\"\nlabel_column = 0",
                ),
            ),
            (
                "keys of no use",
                edited(
                    "[data.digits]",
                    "[data.file]\nsamples = \"x.npy\"\narray = \"X\"\nlabels_array = \"y\"\npositive = [1]\ndelimiter = \";\"",
                ),
            ),
            ("weights of other atoms", with("weights = [1, 2]\n")),
            ("weights in a .csv", with("weights = { file = \"w.csv\" }\n")),
            (
                "array without a mask",
                edited("[data.digits]", "[data.file]\nsamples = \"x.npz\"\nmask_array = \"m\""),
            ),
            ("unknown ending", edited("n_components = 7", "n_components = 7\ninit = { file = \"d.csv\" }")),
        ],
    );
}

#[test]
fn methods() {
    check(
        "methods",
        &[
            (
                "homotopy with another loss",
                with("method = \"homotopy\"\nloss = { huber = { delta = 0.1 } }\n"),
            ),
            (
                "a pursuit with signs and weights",
                with(
                    "method = { omp = { n_nonzero = 8 } }\nnon_negative = true\nweights = [1, 1, 1, 1, 1, 1, 1]\n",
                ),
            ),
            (
                "an error with ridges",
                with(
                    "method = { error = { error = 0.1 } }\nelastic_penalty = 0.1\nl2_regularization = 1e-3\n",
                ),
            ),
            ("limit of a pursuit", with("method = { omp = {} }\n")),
            ("radius", with("method = { l1_ball = {} }\n")),
            ("a weight", with("weights = [1, 2, 0, 1, -1e-200, 1, 1]\n")),
            (
                "a ridge relative to nothing",
                edited(
                    "regularization = 0.1",
                    "method = { l1_ball = { radius = 1 } }\nelastic_penalty = 0.1\n[learn]\nmax_iterations = 0",
                ),
            ),
            (
                "regularization to learn by",
                edited(
                    "regularization = 0.1",
                    "method = { omp = { n_nonzero = 5 } }\n[learn]\nmax_iterations = 10",
                ),
            ),
            (
                "regularization to learn a task by",
                edited(
                    "regularization = 0.1",
                    "method = { error = { error = 0.1 } }\n[learn]\nmax_iterations = 0\n[task.logistic]",
                ),
            ),
        ],
    );
}

#[test]
fn overrides() {
    check(
        "overrides",
        &[
            ("out of range", set(&["seed=1", "coding.regularization=-1"])),
            ("misspelt key", set(&["coding.regularisation=1"])),
            ("misspelt choice", set(&["coding.loss=sqared"])),
            ("wrong type", set(&["dictionary.n_components=many"])),
            ("no value", set(&["seed"])),
            ("empty value", set(&["seed="])),
            ("not a key", set(&["coding..loss=squared"])),
            ("a comment", set(&["#=0"])),
            ("a table", set(&["[coding]#=0"])),
            ("not a value", set(&["coding.loss={ huber = "])),
            ("line break", set(&["seed=1\nname=\"x\""])),
            ("through a value", set(&["coding.regularization.relative=1"])),
            ("through a choice", set(&["coding.loss=squared", "coding.loss.huber.delta=1e-9"])),
            (
                "over another choice",
                set(&["coding.method.error={ error = 1 }", "coding.method.omp.n_nonzero=3"]),
            ),
            ("conflict with the file", set(&["data.synthetic.n_samples=5"])),
            ("missing table created", set(&["learn.batch_size=5"])),
        ],
    );
}

/// The error of a file that cannot be read; `folder` is shown as `dir`.
fn unreadable(folder: &Path, name: &str) -> String {
    let error = cli::config::load(&folder.join(name), &[]).expect_err("no config is there");
    error.to_string().replace(folder.to_str().expect("a readable folder"), "dir")
}

#[test]
fn files() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    std::fs::write(folder.join("huber.toml"), MINIMAL).expect("a writable folder");
    std::fs::write(folder.join("latin1.toml"), b"seed = 1\nname = \"na\xefve\"\n")
        .expect("a writable folder");
    check(
        "files",
        &[
            ("missing", unreadable(folder, "other/config.toml")),
            ("misspelt", unreadable(folder, "hubr.toml")),
            ("folder", unreadable(folder, "")),
            ("not UTF-8", unreadable(folder, "latin1.toml")),
        ],
    );
}

#[test]
fn colour_is_only_an_addition() {
    let error = cli::config::parse("", Path::new("x.toml"), &[]).expect_err("nothing is given");
    let colored = error.render(true);
    assert!(colored.contains("\u{1b}["));
    assert!(!error.render(false).contains('\u{1b}'));
}
