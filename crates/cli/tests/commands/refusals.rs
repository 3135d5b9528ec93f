//! Bad input: exit code 2, what is wrong and what to do on standard error, nothing written.

use std::fmt::Write as _;
use std::fs;

use dictlearn::evaluation::hold_out;
use zip::CompressionMethod;

use crate::bytes::{f8, npy, npz};
use crate::lab::{Lab, Outcome, config};
use crate::snapshot::{Numbers, check};

/// Samples of a file, ten of three features, with labels.
const CONFIG: &str = "\
[data.file]
samples = \"x.npy\"
labels = \"y.npy\"

[dictionary]
n_components = 3

[coding]
regularization = 0.1

[task.logistic]
l2 = 0.01
";

/// Refusals one below the other.
#[derive(Default)]
struct Refusals {
    text: String,
}

impl Refusals {
    /// Runs in `lab` with more arguments: refused, and no `out` is made.
    #[track_caller]
    fn run(&mut self, title: &str, lab: &Lab, arguments: &[&str]) {
        assert!(!lab.path("out").exists(), "{title}");
        let outcome = lab.run(arguments);
        self.add(title, &outcome);
        assert!(!lab.path("out").exists(), "{title}: a folder was left behind");
    }

    /// Runs in a lab with good samples after a change to it.
    #[track_caller]
    fn after(&mut self, title: &str, change: impl Fn(&Lab), sets: &[&str]) {
        let lab = good();
        change(&lab);
        let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", *set]).collect();
        self.run(title, &lab, &sets);
        let check = lab.tddl(&[&["check", "test.toml"], &sets[..]].concat());
        let ends = self.text.ends_with(&format!("{}\n", check.stderr));
        assert!(check.code == Some(2) && ends, "{title}: check says {}", check.stderr);
    }

    #[track_caller]
    fn add(&mut self, title: &str, outcome: &Outcome) {
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{title}: {}", outcome.stderr);
        for word in ["panicked", "RUST_BACKTRACE", "stack backtrace"] {
            assert!(!outcome.stderr.contains(word), "{title}: {}", outcome.stderr);
        }
        let _ = writeln!(self.text, "--- {title}\n{}", outcome.stderr);
    }

    fn check(self, name: &str) {
        check(name, &self.text, Numbers::Kept);
    }
}

const N: usize = 10;

fn samples() -> Vec<f64> {
    (0..N).flat_map(|i| (0..3).map(move |j| ((3 * i + 5 * j + i * j * j + 1) as f64).cos())).collect()
}

fn matrix(rows: usize, columns: usize, values: &[f64]) -> Vec<u8> {
    assert_eq!(values.len(), rows * columns);
    npy("<f8", "False", &format!("({rows}, {columns})"), &f8(values))
}

fn vector(values: &[f64]) -> Vec<u8> {
    npy("<f8", "False", &format!("({},)", values.len()), &f8(values))
}

fn labels() -> Vec<f64> {
    (0..N).map(|i| (i % 2) as f64).collect()
}

/// A lab whose config runs.
fn good() -> Lab {
    let lab = Lab::with(CONFIG);
    lab.write("x.npy", &matrix(N, 3, &samples()));
    lab.write("y.npy", &vector(&labels()));
    lab
}

fn samples_with(index: usize, value: f64) -> Vec<u8> {
    let mut values = samples();
    values[index] = value;
    matrix(N, 3, &values)
}

fn labels_with(index: usize, value: f64) -> Vec<u8> {
    let mut values = labels();
    values[index] = value;
    vector(&values)
}

#[test]
fn nothing_is_refused_that_is_good() {
    let outcome = good().run(&[]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
}

#[test]
fn of_configs() {
    let mut refusals = Refusals::default();
    refusals.run("missing config", &Lab::new(), &[]);
    let near = Lab::new();
    near.write("tests.toml", b"");
    refusals.run("missing config with a neighbour", &near, &[]);
    let text = config("squared");
    for (title, from, to) in [
        ("syntax", "[coding]", "[coding"),
        ("misspelt key", "regularization =", "regularisation ="),
        ("wrong type", "regularization = 0.01", "regularization = '0.01'"),
        ("out of range", "regularization = 0.01", "regularization = -0.01"),
        ("no atoms", "n_components = 7", "n_components = 0"),
        ("unknown loss", "loss = \"squared\"", "loss = \"square\""),
    ] {
        assert!(text.contains(from), "{title}");
        refusals.run(title, &Lab::with(&text.replacen(from, to, 1)), &[]);
    }
    refusals.run(
        "not UTF-8",
        &{
            let lab = Lab::new();
            lab.write("test.toml", b"name = '\xe9'\n");
            lab
        },
        &[],
    );
    refusals.check("of_configs");
}

#[test]
fn of_command_lines() {
    let mut refusals = Refusals::default();
    let lab = Lab::with(&config("squared"));
    for (title, arguments) in [
        ("--set without value", &["--set", "seed"][..]),
        ("--set of an unknown key", &["--set", "learn.max_iteration=3"]),
        ("--set out of range", &["--set", "coding.tolerance=1"]),
        ("--set of a wrong type", &["--set", "seed=one"]),
        ("no threads", &["--threads", "0"]),
        ("too many threads", &["--threads", "100000"]),
        ("threads in words", &["--threads", "two"]),
        ("two configs", &["other.toml"]),
        ("unknown option", &["--thread", "2"]),
    ] {
        refusals.run(title, &lab, arguments);
    }
    refusals.check("of_command_lines");
}

#[test]
fn of_samples() {
    let mut refusals = Refusals::default();
    refusals.after("NaN in .npy", |lab| lab.write("x.npy", &samples_with(17, f64::NAN)), &[]);
    refusals.after("infinite in .npy", |lab| lab.write("x.npy", &samples_with(29, f64::NEG_INFINITY)), &[]);
    let csv = "data.file.samples=x.csv";
    refusals.after("NaN in .csv", |lab| lab.write("x.csv", b"a,b\n1,2\n\n3,nan\n"), &[csv]);
    refusals.after("infinite in .csv", |lab| lab.write("x.csv", b"1,2\n-inf,3\n"), &[csv]);
    refusals.after("text in .csv", |lab| lab.write("x.csv", b"1,2\n3,four\n"), &[csv]);
    refusals.after("ragged .csv", |lab| lab.write("x.csv", b"1,2\n3\n"), &[csv]);
    refusals.after("empty .csv", |lab| lab.write("x.csv", b""), &[csv]);
    refusals.after("header alone", |lab| lab.write("x.csv", b"a,b\n"), &[csv]);
    refusals.after("no rows", |lab| lab.write("x.npy", &matrix(0, 3, &[])), &[]);
    refusals.after("no columns", |lab| lab.write("x.npy", &matrix(3, 0, &[])), &[]);
    refusals.after("one-dimensional", |lab| lab.write("x.npy", &vector(&samples())), &[]);
    refusals.after("all held out", |_| (), &["data.file.test_fraction=0.99"]);
    refusals.after("none held out", |_| (), &["data.file.test_fraction=0.09", "evaluation.folds=2"]);
    refusals.after(
        "overflow by scale",
        |lab| lab.write("x.npy", &samples_with(4, 1e300)),
        &["data.preprocessing.scale=1e10"],
    );
    refusals.check("of_samples");
}

/// The third sample is zero; whether it is held out or not, it is row 2 of the file.
#[test]
fn of_zero_samples() {
    let zero = |lab: &Lab| {
        let mut values = samples();
        values[6..9].fill(0.0);
        lab.write("x.npy", &matrix(N, 3, &values));
    };
    let unit = ["data.preprocessing.unit_norm=true", "data.file.test_fraction=0.5", "evaluation.folds=2"];
    let refused = |seed: u64| {
        let mut refusals = Refusals::default();
        let seed = format!("seed={seed}");
        refusals.after("zero sample", zero, &[&unit[..], &[&seed]].concat());
        refusals.text
    };
    let is_held_out = |seed: u64| hold_out(N, Some(&labels()), 0.5, seed).1.contains(&2);
    let inside = (0..).find(|&seed| !is_held_out(seed)).unwrap();
    let outside = (0..).find(|&seed| is_held_out(seed)).unwrap();
    for seed in [inside, outside] {
        check("of_zero_samples", &refused(seed), Numbers::Kept);
    }
}

#[test]
fn of_files() {
    let mut refusals = Refusals::default();
    refusals.after("missing samples", |lab| fs::remove_file(lab.path("x.npy")).unwrap(), &[]);
    refusals.after("missing labels", |lab| fs::remove_file(lab.path("y.npy")).unwrap(), &[]);
    refusals.after(
        "truncated .npy",
        |lab| {
            let bytes = fs::read(lab.path("x.npy")).unwrap();
            lab.write("x.npy", &bytes[..bytes.len() - 9]);
        },
        &[],
    );
    let samples_npz = "data.file.samples=x.npz";
    refusals.after(
        "PNG as .npz",
        |lab| lab.write("x.npz", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01"),
        &[samples_npz],
    );
    refusals.after("PNG as .npy", |lab| lab.write("x.npy", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01"), &[]);
    let archive = |member: &'static str, content: Vec<u8>| {
        move |lab: &Lab| lab.write("x.npz", &npz(&[(member, &content)], CompressionMethod::Deflated))
    };
    refusals.after(
        "objects",
        archive("x.npy", npy("|O", "False", "(2, 2)", b"\x80\x04\x95pickle.")),
        &[samples_npz],
    );
    let array = archive("samples.npy", matrix(N, 3, &samples()));
    refusals.after("wrong array name", array, &[samples_npz, "data.file.array=sample"]);
    refusals.after("no array in the archive", archive("x.txt", b"hello".to_vec()), &[samples_npz]);
    refusals.after("unknown ending", |lab| lab.write("x.mat", b""), &["data.file.samples=x.mat"]);
    refusals.after(
        "folder as samples",
        |lab| fs::create_dir(lab.path("f.npy")).unwrap(),
        &["data.file.samples=f.npy"],
    );
    refusals.check("of_files");
}

#[test]
fn of_labels() {
    let mut refusals = Refusals::default();
    refusals.after("another length", |lab| lab.write("y.npy", &vector(&labels()[..9])), &[]);
    refusals.after("one class", |lab| lab.write("y.npy", &vector(&[2.0; N])), &[]);
    refusals.after("three classes", |lab| lab.write("y.npy", &labels_with(3, 7.0)), &[]);
    refusals.after("positive that none has", |_| (), &["data.file.positive=[5]"]);
    refusals.after("positive that all have", |_| (), &["data.file.positive=[0, 1]"]);
    refusals.after("NaN", |lab| lab.write("y.npy", &labels_with(3, f64::NAN)), &[]);
    refusals.after("two columns", |lab| lab.write("y.npy", &matrix(5, 2, &labels())), &[]);
    refusals.after("text", |lab| lab.write("y.csv", b"class\ncat\ndog\n"), &["data.file.labels=y.csv"]);
    let one = |lab: &Lab| lab.write("y.npy", &vector(&[&[1.0][..], &[0.0; N - 1]].concat()));
    refusals.after("a class held out", one, &["data.file.test_fraction=0.5"]);
    refusals.after("fewer than folds", |_| (), &["data.file.test_fraction=0.5", "evaluation.folds=4"]);
    let table = |text: &'static str, label: &str| {
        let lab = Lab::with(&CONFIG.replace("labels = \"y.npy\"", &format!("label_column = {label}")));
        lab.write(
            "test.toml",
            fs::read_to_string(lab.path("test.toml")).unwrap().replace("x.npy", "x.csv").as_bytes(),
        );
        lab.write("x.csv", text.as_bytes());
        lab
    };
    let named = "a,b,class\n1,2,0\n3,4,1\n5,6,1\n";
    refusals.run("no such column", &table(named, "'clas'"), &[]);
    refusals.run("column name without header", &table("1,2,0\n3,4,1\n", "'class'"), &[]);
    refusals.run("column beyond the last", &table(named, "3"), &[]);
    refusals.run("empty label", &table("a,b,class\n1,2,0\n3,4,\n", "'class'"), &[]);
    refusals.run("label column of text", &table("a,b,class\n1,2,cat\n3,4,dog\n", "'class'"), &[]);
    for (title, key) in
        [("one class in a file", "labels = \"y.npy\""), ("one class in a column", "label_column = 2")]
    {
        let lab = Lab::with(&format!(
            "[data.file]\nsamples = \"x.csv\"\n{key}\n[dictionary]\nn_components = 1\n[coding]\nregularization = 1\n"
        ));
        lab.write("x.csv", b"1,2,3\n4,5,3\n");
        lab.write("y.npy", &vector(&[3.0; 2]));
        refusals.run(title, &lab, &[]);
    }
    let unlabelled = good();
    unlabelled.write("test.toml", CONFIG.replace("labels = \"y.npy\"\n", "").as_bytes());
    refusals.run("a task without labels", &unlabelled, &[]);
    refusals.check("of_labels");
}

#[test]
fn of_weights() {
    let mut refusals = Refusals::default();
    let weights = |index: usize, value: f64| {
        move |lab: &Lab| {
            let mut weights = vec![1.0; N];
            weights[index] = value;
            lab.write("w.npy", &vector(&weights));
        }
    };
    let named = "data.file.weights=w.npy";
    refusals.after("negative", weights(4, -0.5), &[named]);
    refusals.after("NaN", weights(9, f64::NAN), &[named]);
    refusals.after("another length", |lab| lab.write("w.npy", &vector(&[1.0; N + 1])), &[named]);
    refusals.after("all 0", |lab| lab.write("w.npy", &vector(&[0.0; N])), &[named]);
    refusals.check("of_weights");
    // The row is the file's, in the training part or not.
    for row in 0..N {
        let mut one = Refusals::default();
        let sets = [named, "data.file.test_fraction=0.5", "evaluation.folds=2"];
        one.after("negative", weights(row, -1.0), &sets);
        assert!(one.text.contains(&format!("w.npy: weight -1 at row {row} ")), "{}", one.text);
    }
}

/// Row 0 of the mask with this value in column 1.
fn mask_with(value: f64) -> Vec<u8> {
    let mut mask = vec![1.0; 3 * N];
    mask[1] = value;
    matrix(N, 3, &mask)
}

#[test]
fn of_missing_features() {
    let mut refusals = Refusals::default();
    let (nan, csv, mask) = ("data.file.missing=nan", "data.file.samples=x.csv", "data.file.mask=m.npy");
    let without = |kept: usize| {
        move |lab: &Lab| {
            let mut values = samples();
            (0..N).filter(|&i| i != kept).for_each(|i| values[3 * i + 1] = f64::NAN);
            lab.write("x.npy", &matrix(N, 3, &values));
        }
    };
    refusals.after("empty field", |lab| lab.write("x.csv", b"a,b\n1,2\n,3\n"), &[csv]);
    refusals.after("infinite", |lab| lab.write("x.npy", &samples_with(5, f64::INFINITY)), &[nan]);
    refusals.after("column that no sample observes", without(N), &[nan]);
    let table = |lab: &Lab| {
        lab.write("x.csv", b"width,height\n1,\n2,\n");
        lab.write("y.npy", &vector(&[0.0, 1.0]));
    };
    refusals.after("named column that no sample observes", table, &[nan, csv]);
    let held_out = hold_out(N, Some(&labels()), 0.5, 0).1[0];
    let half = [nan, "data.file.test_fraction=0.5", "evaluation.folds=2"];
    refusals.after("column that only a held-out sample observes", without(held_out), &half);
    let sample = |lab: &Lab| {
        let mut values = samples();
        values[6..9].fill(f64::NAN);
        lab.write("x.npy", &matrix(N, 3, &values));
    };
    refusals.after("norm of nothing", sample, &[nan, "data.preprocessing.unit_norm=true"]);
    let unlabelled = |lab: &Lab| lab.write("y.npy", &labels_with(2, f64::NAN));
    refusals.after("missing label", unlabelled, &[nan]);
    let other = |lab: &Lab| lab.write("m.npy", &matrix(3, N, &[1.0; 3 * N]));
    refusals.after("mask of another shape", other, &[mask]);
    refusals.after("mask of another value", |lab| lab.write("m.npy", &mask_with(0.5)), &[mask]);
    let table = |lab: &Lab| lab.write("m.csv", b"a,b,c\n1,0,1\n1,nan,1\n");
    refusals.after("short mask in a .csv", table, &["data.file.mask=m.csv"]);
    let table = |lab: &Lab| lab.write("m.csv", format!("a,b,c\n1,nan,1\n{}", "1,1,1\n".repeat(9)).as_bytes());
    refusals.after("mask of NaN in a .csv", table, &["data.file.mask=m.csv"]);
    refusals.after("no mask", |_| (), &[mask]);
    let nowhere = |lab: &Lab| {
        let mask: Vec<f64> = (0..3 * N).map(|k| f64::from(u8::from(k % 3 != 1))).collect();
        lab.write("m.npy", &matrix(N, 3, &mask));
    };
    refusals.after("column that the mask hides", nowhere, &[mask]);
    let beside = |lab: &Lab| {
        lab.write("m.npy", &mask_with(0.0));
        lab.write("x.npy", &samples_with(2, f64::NAN));
    };
    refusals.after("NaN beside the mask", beside, &[mask]);
    refusals.check("of_missing_features");
}

#[test]
fn of_atom_weights() {
    let mut refusals = Refusals::default();
    let named = "coding.weights.file=w.npy";
    let write = |weights: &'static [f64]| move |lab: &Lab| lab.write("w.npy", &vector(weights));
    refusals.after("other atoms", write(&[1.0; 4]), &[named]);
    refusals.after("negative", write(&[1.0, 2.0, -0.5]), &[named]);
    refusals.after("infinite", write(&[1.0, f64::INFINITY, 0.5]), &[named]);
    refusals.after("small", write(&[1.0, -1e-150, 0.5]), &[named]);
    let two = |lab: &Lab| {
        let arrays = ["v.npy", "w.npy"].map(|name| (name, vector(&[1.0; 3])));
        let arrays = [(arrays[0].0, &arrays[0].1[..]), (arrays[1].0, &arrays[1].1[..])];
        lab.write("w.npz", &npz(&arrays, CompressionMethod::Deflated));
    };
    refusals.after("two arrays", two, &["coding.weights.file=w.npz"]);
    refusals.after("two columns", |lab| lab.write("w.npy", &matrix(1, 3, &[1.0; 3])), &[named]);
    refusals.after("no file", |_| (), &[named]);
    refusals.after("list of other atoms", |_| (), &["coding.weights=[1, 2]"]);
    refusals.check("of_atom_weights");
}

#[test]
fn of_dictionaries() {
    let mut refusals = Refusals::default();
    let named = "dictionary.init={ file = 'd.npy' }";
    let atoms = |rows: usize, columns: usize, index: usize, value: f64| {
        let mut values = samples()[..rows * columns].to_vec();
        values[index] = value;
        matrix(rows, columns, &values)
    };
    refusals.after("other atoms", |lab| lab.write("d.npy", &atoms(4, 3, 0, 1.0)), &[named]);
    refusals.after("other features", |lab| lab.write("d.npy", &atoms(3, 4, 0, 1.0)), &[named]);
    refusals.after("NaN", |lab| lab.write("d.npy", &atoms(3, 3, 5, f64::NAN)), &[named]);
    let zero = |lab: &Lab| {
        let mut values = samples()[..9].to_vec();
        values[3..6].fill(0.0);
        lab.write("d.npy", &matrix(3, 3, &values));
    };
    refusals.after("zero atom", zero, &[named]);
    refusals.after("missing file", |_| (), &[named]);
    let repeated = |lab: &Lab| {
        let values: Vec<f64> = (0..N).flat_map(|i| [1.0, (i % 4) as f64, 0.0]).collect();
        lab.write("x.npy", &matrix(N, 3, &values));
    };
    let more = ["dictionary.init=samples", "dictionary.n_components=5"];
    refusals.after("more atoms than distinct samples", repeated, &more);
    let many = "dictionary.n_components=100000000";
    refusals.after("too many atoms", |_| (), &[many]);
    let unlearned = |lab: &Lab| {
        let text = CONFIG.replace("[task.logistic]\nl2 = 0.01\n", "[learn]\nmax_iterations = 0\n");
        lab.write("test.toml", text.as_bytes());
    };
    refusals.after("too many atoms to code by", unlearned, &[many]);
    let held_out = ["dictionary.n_components=30000", "data.file.test_fraction=0.2", "evaluation.folds=2"];
    refusals.after("too many atoms for a head", |_| (), &held_out);
    let dense = ["dictionary.n_components=4000000", "output.codes=dense"];
    let tall = |lab: &Lab| {
        unlearned(lab);
        lab.write("x.npy", &matrix(200, 1, &[1.0; 200]));
        lab.write("y.npy", &vector(&[&[0.0; 100][..], &[1.0; 100]].concat()));
    };
    refusals.after("too many dense codes", tall, &dense);
    refusals.check("of_dictionaries");
}

#[test]
fn of_output_folders() {
    let mut refusals = Refusals::default();
    let lab = good();
    lab.write("file", b"kept");
    for name in ["file", "file/below"] {
        refusals.add(name, &lab.tddl(&["run", "test.toml", "--out", name]));
    }
    assert_eq!(fs::read(lab.path("file")).unwrap(), b"kept");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::create_dir(lab.path("locked")).unwrap();
        fs::set_permissions(lab.path("locked"), fs::Permissions::from_mode(0o555)).unwrap();
        // A superuser may write anywhere.
        if fs::write(lab.path("locked/probe"), b"").is_err() {
            for name in ["locked", "locked/below"] {
                let outcome = lab.tddl(&["run", "test.toml", "--out", name]);
                assert_eq!(outcome.code, Some(2));
                assert!(outcome.stderr.contains("permission denied"), "{}", outcome.stderr);
            }
            assert_eq!(fs::read_dir(lab.path("locked")).unwrap().count(), 0);
        }
    }
    refusals.check("of_output_folders");
}

/// A file that may not grow stands for a full disk: one line, and nothing of its own by the writer of archives.
#[cfg(target_os = "linux")]
#[test]
fn of_full_disks() {
    let lab = Lab::with(
        "[data.synthetic]\nn_samples = 6000\nn_features = 13\nn_atoms = 7\nn_nonzero = 3\n\
         [dictionary]\nn_components = 7\n[coding]\nregularization = 0.01\n[learn]\nmax_iterations = 0\n",
    );
    let run =
        format!("trap '' XFSZ; ulimit -f 64; exec {} run test.toml --out out", env!("CARGO_BIN_EXE_tddl"));
    let mut shell = std::process::Command::new("sh");
    let outcome = Outcome::from(shell.args(["-c", &run]).current_dir(lab.path("")).output().unwrap());
    let mut refusals = Refusals::default();
    refusals.add("no room for the codes", &outcome);
    assert!(!lab.path("out").exists());
    refusals.check("of_full_disks");
}

#[test]
fn of_occupied_folders() {
    let lab = good();
    let first = lab.results(&[]);
    let again = lab.results(&[]);
    assert_eq!(first.timeless(), again.timeless(), "the same config replaces its own results");
    assert_ne!(first.text("summary.json"), again.text("summary.json"), "they were written anew");
    let mut refusals = Refusals::default();
    refusals.add("another config", &lab.run(&["--set", "seed=1"]));
    assert_eq!(lab.read("out"), again);
    lab.write("x.npy", &samples_with(17, f64::NAN));
    refusals.add("bad data over good results", &lab.run(&["--force"]));
    assert_eq!(lab.read("out"), again);
    lab.write("x.npy", &matrix(N, 3, &samples()));
    let forced = lab.results(&["--set", "seed=1", "--force"]);
    assert!(forced.text("config.toml").contains("seed = 1\n"));
    fs::create_dir(lab.path("mine")).unwrap();
    lab.write("mine/dictionary.npy", b"made by hand");
    let into = ["run", "test.toml", "--out", "mine"];
    refusals.add("files that no run wrote", &lab.tddl(&into));
    assert_eq!(lab.read("mine").files["dictionary.npy"], b"made by hand");
    assert_eq!(lab.tddl(&[&into[..], &["--force"]].concat()).code, Some(0));
    refusals.check("of_occupied_folders");
}
