//! What goes to which stream, and streams that nobody reads.

use std::process::Stdio;

use crate::lab::{Lab, Outcome, config};

#[test]
fn quiet_prints_nothing() {
    let lab = Lab::with(&config("squared"));
    let outcome = lab.run(&["--quiet"]);
    assert_eq!((outcome.code, outcome.stdout.as_str(), outcome.stderr.as_str()), (Some(0), "", ""));
    assert_eq!(lab.read("out").names().len(), 7);
}

#[test]
fn the_table_goes_to_standard_output_alone() {
    let outcome = Lab::with(&config("squared")).run(&[]);
    assert!(outcome.stdout.starts_with("test: 74 samples") && outcome.stdout.ends_with("s)\n"));
    assert_eq!(outcome.stderr, "");
}

#[test]
fn version_and_help() {
    let lab = Lab::new();
    let version = lab.tddl(&["--version"]);
    assert_eq!((version.code, version.stdout), (Some(0), format!("tddl {}\n", env!("CARGO_PKG_VERSION"))));
    for arguments in [&["--help"][..], &["-h"], &["run", "--help"], &["check", "--help"], &["help", "run"]] {
        let outcome = lab.tddl(arguments);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(outcome.stdout.contains("Exit codes:"), "{arguments:?}");
    }
    let nothing = lab.tddl(&[]);
    assert_eq!((nothing.code, nothing.stdout.as_str()), (Some(2), ""));
    assert!(nothing.stderr.contains("Usage:"));
}

/// Runs with the reading end of one stream closed, as behind `| head -1` when that has gone.
fn unread(lab: &Lab, arguments: &[&str], standard_output: bool) -> Outcome {
    let mut command = lab.command(arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    if standard_output {
        drop(child.stdout.take())
    } else {
        drop(child.stderr.take())
    }
    child.wait_with_output().unwrap().into()
}

#[test]
fn a_closed_standard_output_is_no_error() {
    let lab = Lab::with(&config("squared"));
    for arguments in [&["test.toml"][..], &["check", "test.toml"], &["--help"]] {
        let outcome = unread(&lab, arguments, true);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{arguments:?}");
    }
    assert_eq!(lab.read("runs/test").names().len(), 7);
}

#[test]
fn a_closed_standard_error_is_no_error() {
    let lab = Lab::with(&config("squared"));
    assert_eq!(unread(&lab, &["missing.toml"], false).code, Some(2));
    let demanding = ["test.toml", "--set", "learn={ tolerance = 1e-12, require_convergence = true }"];
    assert_eq!(unread(&lab, &demanding, false).code, Some(3));
}
