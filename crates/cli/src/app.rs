//! A command line to an exit code: 0 done, 2 bad input, 3 diverged or not converged where the config demands it,
//! 130 interrupted.

use crate::args::{CheckArgs, Command, RunArgs};
use crate::config::{self, ConfigError, Experiment, to_toml};
use crate::load::{Data, LoadError, initial_dictionary, load};
use crate::progress::{Watcher, interrupted, say_aside};
use crate::results::{self, ResultsError};
use crate::run::{Report, RunError, run};
use crate::terminal;
use std::io::{IsTerminal, Write};
use std::path::Path;

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{}", .0.render(std::io::stderr().is_terminal()).trim_end())]
    Config(#[from] ConfigError),
    #[error("error: {0}")]
    Load(#[from] LoadError),
    #[error("error: {0}")]
    Results(#[from] ResultsError),
    #[error("error: {0}")]
    Run(#[from] RunError),
    #[error("error: {0} threads could not be started: choose fewer with --threads")]
    Threads(usize),
}

impl Failure {
    fn exit_code(&self) -> u8 {
        if matches!(self, Failure::Run(RunError::Interrupted)) { 130 } else { 2 }
    }
}

/// Runs a command; everything it says goes to standard output and standard error.
pub fn execute(command: &Command) -> u8 {
    let done = match command {
        Command::Run(args) => run_command(args),
        Command::Check(args) => check_command(args).map(|()| 0),
    };
    done.unwrap_or_else(|failure| {
        say_aside(&failure.to_string());
        failure.exit_code()
    })
}

/// Validates config and data, and prints the resolved config.
fn check_command(args: &CheckArgs) -> Result<(), Failure> {
    let experiment = config::load(&args.config, &args.set)?;
    let data = load(&experiment)?;
    initial_dictionary(&experiment, &data)?;
    say(&to_toml(&experiment));
    Ok(())
}

fn run_command(args: &RunArgs) -> Result<u8, Failure> {
    let experiment = config::load(&args.config, &args.set)?;
    let folder = args.out.clone().unwrap_or_else(|| Path::new("runs").join(&experiment.name));
    let threads = args.threads.map_or(0, std::num::NonZero::get);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|_| Failure::Threads(threads))?;
    pool.install(|| experiment_to_folder(&experiment, &folder, args))
}

fn experiment_to_folder(experiment: &Experiment, folder: &Path, args: &RunArgs) -> Result<u8, Failure> {
    let mut watcher = Watcher::new(args.quiet);
    results::claim(folder, experiment, args.force)?;
    let data = load(experiment)?;
    let report = run(experiment, &data, &mut watcher)?;
    drop(watcher);
    // Between the last step and here nobody asks the watcher.
    if interrupted() {
        return Err(RunError::Interrupted.into());
    }
    results::write(folder, experiment, &data, &report)?;
    if !args.quiet {
        say(&terminal::summary(experiment, &data, &report));
        say(&format!("\nResults in {} ({:.1} s)\n", folder.display(), report.seconds));
    }
    Ok(verdict(experiment, &data, &report))
}

fn verdict(experiment: &Experiment, data: &Data, report: &Report) -> u8 {
    let shortfalls = report.shortfalls(experiment, data);
    shortfalls.iter().for_each(|shortfall| say_aside(&format!("warning: {shortfall}")));
    if shortfalls.is_empty() { 0 } else { 3 }
}

/// Prints to standard output; a closed pipe (`| head`) is no error.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
