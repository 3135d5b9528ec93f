//! The configs of the repository: layout of what they print and write, and the numbers they reach.

use std::fmt::Write as _;
use std::sync::OnceLock;

use testkit::{assert_close, assert_slices_close};

use crate::lab::{Lab, Outcome, config};
use crate::results::Results;
use crate::snapshot::{Numbers, check, masked};

/// A config's name, what it printed and what it wrote.
struct Done {
    name: &'static str,
    outcome: Outcome,
    results: Results,
}

impl Done {
    fn run(name: &'static str) -> Self {
        let lab = Lab::new();
        lab.write(&format!("{name}.toml"), config(name).as_bytes());
        let outcome = lab.tddl(&[&format!("{name}.toml")]);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let results = lab.read(&format!("runs/{name}"));
        Self { name, outcome, results }
    }

    /// Printed text, summary, history and files in one text.
    fn layout(&self) -> String {
        let summary = serde_json::to_string_pretty(&masked(&self.results.summary())).unwrap();
        let history = self.results.history();
        let count = |wanted: &str| history.iter().filter(|(stage, _)| *stage == wanted).count();
        let header = self.results.text("history.csv").lines().next().unwrap();
        let mut text = format!("{}\n--- summary.json\n{summary}\n", self.outcome.stdout);
        let _ = writeln!(text, "--- history.csv\n{header}");
        let _ = writeln!(text, "{} lines of learn, {} lines of task", count("learn"), count("task"));
        let _ = writeln!(text, "--- files\n{}", self.results.names().join("\n"));
        text
    }

    /// Layout, alignment and verdicts: what holds for every config.
    fn check(&self) {
        check(self.name, &self.layout(), Numbers::Masked);
        self.columns_align();
        self.verdicts_are_those_of_the_numbers();
        for (stage, numbers) in self.results.history() {
            assert!(numbers[1..].iter().all(|x| x.is_finite()), "{stage} {numbers:?}");
        }
    }

    /// The last column of a table is flush right, so all of its lines are equally long.
    fn columns_align(&self) {
        let is_row = |line: &&str| line.starts_with("  ");
        for table in self.outcome.stdout.split("\n\n") {
            let lengths: Vec<usize> = table.lines().filter(is_row).map(str::len).collect();
            // The header of the comparisons has no name over its verdicts.
            let skipped = usize::from(table.contains("codes by"));
            assert!(lengths[skipped.min(lengths.len())..].windows(2).all(|w| w[0] == w[1]), "{table}");
        }
    }

    fn verdicts_are_those_of_the_numbers(&self) {
        let summary = self.results.summary();
        let printed: Vec<bool> = self
            .outcome
            .stdout
            .lines()
            .filter(|line| line.contains("with task is"))
            .map(|line| !line.contains("is not smaller"))
            .collect();
        let rows = summary["task_losses"].as_array().unwrap();
        assert_eq!(rows.len(), printed.len());
        for (row, printed) in rows.iter().zip(printed) {
            let smaller = row["with_task"].as_f64() < row["without_task"].as_f64();
            assert_eq!((row["with_task_is_smaller"].as_bool(), printed), (Some(smaller), smaller));
        }
    }

    fn number(&self, pointer: &str) -> f64 {
        self.results.number(pointer)
    }

    /// Six digits of objective without and with task, then of the task losses: by the squared loss, and by the config's
    /// where that is another.
    fn ends_at(&self, objectives: [f64; 2], task_losses: &[[f64; 2]]) {
        let stages = ["without_task", "with_task"];
        let check = |name: String, value: f64| {
            // What is stored here is rounded to six digits itself.
            assert_close(self.number(&name), value, SIX_DIGITS, 0.0);
        };
        stages
            .into_iter()
            .zip(objectives)
            .for_each(|(stage, value)| check(format!("/{stage}/objective"), value));
        for (i, values) in task_losses.iter().enumerate() {
            let row = stages.into_iter().zip(values);
            row.for_each(|(stage, value)| check(format!("/task_losses/{i}/{stage}"), *value));
        }
        assert_eq!(self.results.summary()["task_losses"].as_array().unwrap().len(), task_losses.len());
    }

    fn accuracy(&self, features: &str) -> f64 {
        let summary = self.results.summary();
        let rows = summary["evaluation"].as_array().unwrap();
        let row = rows.iter().find(|row| row["features"] == features).unwrap();
        row["held_out"]["accuracy"].as_f64().unwrap()
    }
}

/// The digits take seconds: one run for all tests of this program.
fn digits() -> &'static Done {
    static DIGITS: OnceLock<Done> = OnceLock::new();
    DIGITS.get_or_init(|| Done::run("digits"))
}

/// Twenty steps amplify the last place by far less than 1e5: six digits agree on every machine.
const SIX_DIGITS: f64 = 5e-6;

#[test]
fn squared() {
    let done = Done::run("squared");
    done.check();
    done.ends_at([0.0948575, 51.1242], &[[51.1357, 51.1242]]);
    assert!(done.number("/task_losses/0/with_task") < done.number("/task_losses/0/without_task"));
    assert!((0.90..0.92).contains(&done.number("/without_task/explained_variance")));
}

#[test]
fn abs() {
    let done = Done::run("abs");
    done.check();
    done.ends_at([0.0770632, 51.1165], &[[51.1294, 51.1259], [51.1230, 51.1165]]);
    assert!(done.number("/task_losses/1/with_task") < done.number("/task_losses/1/without_task"));
    assert!((0.93..0.96).contains(&done.number("/without_task/explained_variance")));
    assert!((0.92..0.95).contains(&done.number("/with_task/explained_variance")));
}

/// The numbers are those that README.md shows.
#[test]
fn huber() {
    let done = Done::run("huber");
    done.check();
    done.ends_at([0.165946, 51.1745], &[[51.1545, 51.1257], [51.1579, 51.1745]]);
    assert!((0.52..0.56).contains(&done.number("/without_task/explained_variance")));
    assert!(done.number("/without_task/nonzeros_per_sample") < 2.0);
}

#[test]
fn sphere() {
    let done = Done::run("sphere");
    done.check();
    let (with, without) =
        (done.number("/task_losses/0/with_task"), done.number("/task_losses/0/without_task"));
    assert!(with < 0.85 * without, "{with} {without}");
    assert!(done.number("/without_task/explained_variance") > 0.97);
    assert!(done.number("/recovery/without_task/mean") > 0.8);
}

#[test]
fn missing() {
    let done = Done::run("missing");
    done.check();
    let [samples, codes] =
        ["samples, means where missing", "codes without task"].map(|features| done.accuracy(features));
    // One of 60 held-out images is 0.017.
    assert!(samples > 0.88 && codes > 0.92, "{samples} {codes}");
    assert!((0.68..0.72).contains(&done.number("/without_task/explained_variance")));
    assert!(done.results.codes().values().iter().all(|c| *c > 0.0));
}

#[test]
fn omp() {
    let done = Done::run("omp");
    done.check();
    let codes = done.results.codes();
    assert!(codes.rows().all(|code| code.support.len() <= 10));
    let [samples, codes] = ["samples", "codes without task"].map(|features| done.accuracy(features));
    // One of 540 held-out images is 0.0019.
    assert!((0.88..0.94).contains(&samples) && codes > 0.88, "{samples} {codes}");
    assert!(done.number("/without_task/explained_variance") > 0.8);
}

#[test]
fn digits_are_told_apart() {
    let done = digits();
    done.check();
    let [samples, without, with] =
        ["samples", "codes without task", "codes with task"].map(|features| done.accuracy(features));
    // One of 540 held-out images is 0.0019.
    assert!((0.88..0.94).contains(&samples), "{samples}");
    assert!(without > 0.96, "{without}");
    assert!(with > 0.975 && with > without - 0.004, "{with} {without}");
    assert_eq!(done.results.codes().n_samples(), 1797);
}

#[test]
fn digits_results_are_consistent() {
    crate::outputs::consistent(&digits().results);
}

#[test]
fn the_resolved_config_reruns_to_the_same_results() {
    for (name, shorter) in [
        ("squared", &[][..]),
        ("abs", &[]),
        ("huber", &[]),
        ("sphere", &[]),
        ("missing", &[]),
        ("omp", &["--set", "learn.max_iterations=2"]),
        ("digits", &["--set", "learn.max_iterations=2", "--set", "task.learn.max_iterations=2"]),
    ] {
        let lab = Lab::with(&config(name));
        let first = lab.results(shorter);
        let again = lab.tddl(&["run", "out/config.toml", "--out", "again"]);
        assert_eq!(again.code, Some(0), "{name}: {}", again.stderr);
        let again = lab.read("again");
        assert_eq!(first.names(), again.names());
        for (file, bytes) in first.timeless() {
            assert!(bytes == again.timeless()[&file], "{name}: {file} differs");
        }
    }
}

#[test]
fn the_short_form_is_run() {
    let lab = Lab::with(&config("squared"));
    let long = lab.results(&[]);
    assert_eq!(lab.tddl(&["test.toml"]).code, Some(0));
    assert_eq!(long.timeless(), lab.read("runs/test").timeless());
    let weights = long.vector("task_weights.npy");
    assert_slices_close(&weights, &lab.read("runs/test").vector("task_weights.npy"), 0.0, 0.0);
}
