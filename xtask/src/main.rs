//! The project's own tasks: `cargo xtask <task>`.
//!
//! A task is one line of `TASKS`, one arm of the `match` in `run` and one file (or folder) named after it.

mod bench;
mod ci;
mod digits;
mod tidy;
mod workspace;

use std::process::ExitCode;

/// Name and meaning of every task, in the order of the help text.
const TASKS: &[(&str, &str)] = &[
    ("ci", "every check of a commit: format, tidy, lints, tests, docs, configs and examples"),
    ("tidy", "the architecture and style checks alone (part of ci, and a test of this package)"),
    ("bench", "with --peers: ours and other tools on the same arrays, in turn; writes benchmarks/RESULTS.md"),
    ("digits", "the digits experiment on its five splits, as a table; takes about half a minute"),
];

/// Exit code for a command line that names no known task.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    run(&arguments)
}

/// Runs the task that the arguments name.
fn run(arguments: &[String]) -> ExitCode {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        [] | ["help" | "-h" | "--help"] => {
            print!("{}", help());
            return ExitCode::SUCCESS;
        }
        ["ci"] => ci::run(),
        ["tidy"] => tidy::run(),
        ["bench", "--peers"] => bench::run(),
        ["digits"] => digits::run(),
        _ => {
            eprint!("unknown task `{}`\n\n{}", words.join(" "), help());
            return ExitCode::from(USAGE);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

/// The list of tasks.
fn help() -> String {
    let mut text = String::from("Usage: cargo xtask <task>\n\nTasks:\n");
    for (name, meaning) in TASKS {
        text.push_str(&format!("  {name:<6} {meaning}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{TASKS, help, run};
    use std::process::ExitCode;

    #[test]
    fn help_lists_every_task() {
        let text = help();
        assert!(TASKS.iter().all(|(name, meaning)| text.contains(name) && text.contains(meaning)));
    }

    #[test]
    fn an_unknown_task_or_a_stray_argument_is_a_usage_error() {
        for line in [vec!["no-such-task"], vec!["tidy", "stray"]] {
            let arguments: Vec<String> = line.into_iter().map(String::from).collect();
            assert_eq!(format!("{:?}", run(&arguments)), format!("{:?}", ExitCode::from(2)));
        }
    }
}
