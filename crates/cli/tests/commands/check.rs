//! `tddl check`: the resolved config, nothing run, nothing written.

use std::fs;

use crate::bytes::{f8, npy};
use crate::lab::{Lab, config};

#[test]
fn prints_the_experiment_and_writes_nothing() {
    for name in ["squared", "abs", "huber", "sphere", "missing", "omp", "digits"] {
        let lab = Lab::with(&config(name));
        let outcome = lab.tddl(&["check", "test.toml", "--set", "seed=7"]);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{name}");
        let printed = cli::config::parse(&outcome.stdout, &lab.path("printed.toml"), &[]).unwrap();
        let seed = ["seed=7".to_owned()];
        let typed = cli::config::parse(&config(name), &lab.path("test.toml"), &seed).unwrap();
        assert_eq!(printed, typed, "{name}");
        assert_eq!(fs::read_dir(lab.path("")).unwrap().count(), 1, "only the config is there");
    }
}

#[test]
fn refuses_what_a_run_would_refuse() {
    let lab = Lab::with(
        "[data.file]\nsamples = 'x.npy'\n[dictionary]\nn_components = 2\n[coding]\nregularization = 0.1\n",
    );
    lab.write("x.npy", &npy("<f8", "False", "(3, 2)", &f8(&[1.0, 2.0, 3.0, f64::NAN, 5.0, 6.0])));
    let [check, run] = [lab.tddl(&["check", "test.toml"]), lab.run(&[])];
    assert_eq!((check.code, check.stdout.as_str()), (Some(2), ""));
    assert!(check.stderr.contains("row 1, column 1 is NaN"), "{}", check.stderr);
    assert_eq!((check.stderr, run.code), (run.stderr, Some(2)));
    assert_eq!(fs::read_dir(lab.path("")).unwrap().count(), 2, "config and samples");
}
