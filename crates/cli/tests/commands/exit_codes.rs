//! Diverging and not converging: exit code 3 where it matters, results on disk in any case.

use serde_json::Value;

use crate::lab::{Lab, Outcome, config};
use crate::snapshot::{Numbers, check};

/// Runs a config of the repository with these `--set`s.
fn run(name: &str, sets: &[&str]) -> (Lab, Outcome) {
    let lab = Lab::with(&config(name));
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", *set]).collect();
    let outcome = lab.run(&sets);
    (lab, outcome)
}

#[test]
fn diverging_before_the_first_step() {
    // 1e40 to the power 10 is no f64: the objective is infinite at once.
    let sets = ["data.synthetic.scale=1e40", "coding.loss={ power = { exponent = 10.0 } }"];
    let (lab, outcome) = run("squared", &sets);
    assert_eq!(outcome.code, Some(3));
    check("diverging_at_once", &format!("{}{}", outcome.stdout, outcome.stderr), Numbers::Masked);
    let results = lab.read("out");
    let summary = results.summary();
    assert_eq!(summary["without_task"]["status"], "diverged");
    assert_eq!((&summary["without_task"]["objective"], &summary["with_task"]), (&Value::Null, &Value::Null));
    assert!(results.array("dictionary.npy").data.iter().all(|x| x.is_finite()));
}

#[test]
fn diverging_later() {
    let sets =
        ["task.learn={ max_iterations = 50, project = 'at_end', sgd = { step = 1e300, momentum = 0.0 } }"];
    let (lab, outcome) = run("squared", &sets);
    assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
    assert!(outcome.stderr.starts_with("warning: task: diverged after "), "{}", outcome.stderr);
    let results = lab.read("out");
    assert_eq!(results.summary()["with_task"]["status"], "diverged");
    assert!(results.array("dictionary.npy").data.iter().all(|x| x.is_finite()));
    assert_eq!(results.codes().n_samples(), 74);
}

#[test]
fn codes_that_do_not_converge() {
    let sets = ["coding.max_iterations=1", "coding.require_convergence=true"];
    let (lab, demanded) = run("huber", &sets);
    assert_eq!(demanded.code, Some(3));
    assert!(demanded.stderr.starts_with("warning: coding: "), "{}", demanded.stderr);
    assert!(
        demanded.stderr.ends_with("): raise coding.max_iterations or coding.tolerance, or add a ridge\n"),
        "{}",
        demanded.stderr
    );
    assert_eq!(lab.read("out").names().len(), 7);
    assert!(lab.read("out").number("/coding/not_converged") > 0.0);
    let (_, tolerated) = run("huber", &sets[..1]);
    assert_eq!((tolerated.code, tolerated.stderr.as_str()), (Some(0), ""));
    assert!(tolerated.stdout.contains("not coded to the tolerance 1e-10: raise coding.max_iterations"));
    let (_, reached) = run("huber", &sets[1..]);
    assert_eq!((reached.code, reached.stderr.as_str()), (Some(0), ""));
    assert!(!reached.stdout.contains("not coded"));
}

/// No number of iterations takes rounding out of the correlations.
#[test]
fn a_regularization_lost_in_rounding_is_named() {
    for (method, regularization, is_lost) in [
        ("active_set", "1e-13", true),
        ("active_set", "1e-300", true),
        ("active_set", "1e-8", false),
        ("homotopy", "1e-13", true),
        ("coordinate_descent", "1e-13", true),
    ] {
        let lab = Lab::with(&format!(
            "[data.synthetic]\nn_samples = 10\nn_features = 6\nn_atoms = 8\nn_nonzero = 3\nnoise = 1.0\n\
             [dictionary]\nn_components = 8\ninit = \"random\"\n[learn]\nmax_iterations = 0\n\
             [coding]\nmethod = \"{method}\"\nregularization = {regularization}\nrequire_convergence = true\n"
        ));
        let outcome = lab.run(&[]);
        assert_eq!(outcome.code, Some(3), "{method} {regularization}");
        for text in [&outcome.stdout, &outcome.stderr] {
            let is_named = text.contains(": raise coding.regularization, which is lost in the rounding");
            assert_eq!(is_named, is_lost, "{method} {regularization}: {text}");
        }
    }
}

/// Singular implicit systems are no failure, but the table, the summary and the history say how many there were.
#[test]
fn singular_systems_are_reported() {
    let sets = ["coding.regularization=0.0", "dictionary.init=samples", "dictionary.n_components=20"];
    let (lab, outcome) = run("squared", &sets);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let line = "up to 74 samples per step had a singular implicit system: raise coding.l2_regularization\n";
    assert!(outcome.stdout.contains(line), "{}", outcome.stdout);
    let results = lab.read("out");
    for stage in ["/without_task", "/with_task"] {
        assert_eq!(results.number(&format!("{stage}/rank_deficient")), 74.0);
    }
    let (lab, outcome) = run("squared", &[&sets[..], &["coding.l2_regularization=0.01"]].concat());
    assert!(!outcome.stdout.contains("singular"), "{}", outcome.stdout);
    assert_eq!(lab.read("out").number("/without_task/rank_deficient"), 0.0);
}

#[test]
fn descents_that_do_not_converge() {
    for stage in ["learn", "task.learn"] {
        let keys = [("tolerance", "1e-12"), ("require_convergence", "true")];
        let sets = keys.map(|(key, value)| format!("{stage}.{key}={value}"));
        let (_, outcome) = run("squared", &[&sets[0], &sets[1]]);
        let name = stage.split('.').next().unwrap();
        let remedy = format!("raise {stage}.max_iterations or {stage}.tolerance");
        let expected = format!("warning: {name}: tolerance not reached in max_iterations steps: {remedy}\n");
        assert_eq!((outcome.code, outcome.stderr), (Some(3), expected));
    }
}

#[test]
fn a_descent_that_converges() {
    let sets = ["learn.tolerance=1.0", "learn.require_convergence=true"];
    let (lab, outcome) = run("squared", &sets);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    assert_eq!(lab.read("out").summary()["without_task"]["status"], "converged");
}
