//! Ctrl-C: exit code 130, and the folder as it was.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::lab::{Lab, Outcome, config};

fn signal(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn leaves_earlier_results_as_they_were() {
    let lab = Lab::with(&config("digits"));
    lab.write("earlier.toml", config("squared").as_bytes());
    assert_eq!(lab.tddl(&["earlier.toml", "--out", "out"]).code, Some(0));
    let earlier = lab.read("out");
    let endless = ["run", "test.toml", "--out", "out", "--force", "--set", "learn.max_iterations=1000000000"];
    let mut child = lab.command(&endless).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The first line of progress comes when steps are being taken.
    let mut first = String::new();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    stderr.read_line(&mut first).unwrap();
    assert!(first.starts_with("learn ") && first.contains("/1000000000: objective "), "{first}");
    signal(&child);
    let rest: Vec<String> = stderr.lines().map(|line| line.unwrap()).collect();
    let outcome = Outcome::from(child.wait_with_output().unwrap());
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(130), ""));
    let last = rest.last().unwrap();
    assert_eq!(last, "error: interrupted: nothing was written, earlier results are as they were");
    assert_eq!(lab.read("out"), earlier, "no file has changed and no temporary one is left");
}

/// No step is taken here that would notice the signal: heads are being fitted.
#[cfg(target_os = "linux")]
#[test]
fn is_heard_during_the_evaluation() {
    let lab = Lab::with(&config("digits"));
    let none = ["learn.max_iterations=0", "task.learn.max_iterations=0"];
    let arguments = ["run", "test.toml", "--out", "out"].into_iter();
    let arguments: Vec<&str> = arguments.chain(none.iter().flat_map(|set| ["--set", *set])).collect();
    let child = lab.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !listens(&child) {
        std::thread::sleep(Duration::from_millis(2));
    }
    signal(&child);
    let outcome = Outcome::from(child.wait_with_output().unwrap());
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(130), ""), "{}", outcome.stderr);
    assert!(!lab.path("out").exists());
}

/// Whether the process has a handler of SIGINT (bit 1 of the mask of caught signals).
#[cfg(target_os = "linux")]
fn listens(child: &Child) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("the process has ended");
    u64::from_str_radix(caught.trim(), 16).unwrap() & 0b10 != 0
}
