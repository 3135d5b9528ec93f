//! The same bits for any number of threads; other bits for another seed.

use crate::lab::{Lab, config};

const SHORT_DIGITS: &[&str] = &[
    "--set",
    "learn.max_iterations=2",
    "--set",
    "task.learn.max_iterations=3",
    "--set",
    "task.learn.batch_size=500",
    "--set",
    "evaluation.ridges=[0.01, 0.1]",
];

#[test]
fn do_not_change_a_bit() {
    for (name, more) in [("digits", SHORT_DIGITS), ("abs", &[]), ("huber", &[]), ("sphere", &[])] {
        let lab = Lab::with(&config(name));
        let one = lab.results(&[more, &["--threads", "1"]].concat()).timeless();
        assert!(one.len() >= 7);
        for threads in ["2", "3", "8"] {
            let other = lab.results(&[more, &["--threads", threads]].concat()).timeless();
            for (file, bytes) in &one {
                assert!(*bytes == other[file], "{name}: {file} differs with {threads} threads");
            }
        }
    }
}

#[test]
fn another_seed_differs() {
    let lab = Lab::with(&config("squared"));
    let zero = lab.results(&[]).timeless();
    let one = lab.results(&["--set", "seed=1", "--force"]).timeless();
    assert!(zero.iter().all(|(file, bytes)| *bytes != one[file]));
}
