//! The command line: `tddl run CONFIG`, its short form `tddl CONFIG`, and `tddl check CONFIG`.
//!
//! A new subcommand is a variant of [`Command`] with a struct of its arguments.

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, Subcommand};
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  2    bad input: command line, config or data
  3    diverged, or not converged where the config demands it
  130  interrupted; nothing is written, earlier results stay";

const EXAMPLES: &str = "\
Examples:
  tddl configs/huber.toml
  tddl run configs/huber.toml --set seed=1 --set coding.regularization=0.02 --out runs/huber-1
  tddl run configs/digits.toml --threads 4 --quiet
  tddl check configs/digits.toml --set 'coding.loss={ huber = { delta = 0.1 } }'";

/// Task-driven sparse dictionary learning from TOML experiment configs.
#[derive(Debug, Parser)]
#[command(
    name = "tddl",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    arg_required_else_help = true,
    after_help = EXIT_CODES,
    after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}")
)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Option<RunArgs>,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Run an experiment and write its folder (also: tddl CONFIG)
    #[command(after_help = EXIT_CODES)]
    Run(RunArgs),
    /// Check a config and print it with every key spelt out; runs nothing
    #[command(after_help = EXIT_CODES)]
    Check(CheckArgs),
}

/// Arguments of `tddl run`.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct RunArgs {
    /// Experiment config, a TOML file; docs/CONFIG.md lists its keys
    #[arg(value_name = "CONFIG")]
    pub config: PathBuf,
    /// Set one key of the config; may be repeated, the later one wins
    ///
    /// KEY is a dotted path as coding.regularization, VALUE is TOML; plain words and paths need no quotes.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Folder for the results [default: runs/NAME, the experiment's name]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Worker threads, 1 to 1024; results do not depend on it [default: all cores]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<NonZeroUsize>,
    /// Print no progress and no summary; errors are printed
    #[arg(long, short)]
    pub quiet: bool,
    /// Replace the results of an earlier run in the same folder
    #[arg(long, short)]
    pub force: bool,
}

/// Arguments of `tddl check`.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct CheckArgs {
    /// Experiment config, a TOML file; docs/CONFIG.md lists its keys
    #[arg(value_name = "CONFIG")]
    pub config: PathBuf,
    /// Set one key of the config; may be repeated, the later one wins
    ///
    /// KEY is a dotted path as coding.regularization, VALUE is TOML; plain words and paths need no quotes.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// Reads a command line; the first argument is the program's name.
///
/// # Errors
/// A usage error, or a request for help or the version; `clap::Error::exit` prints either, with exit code 2 or 0.
pub fn parse<I, T>(arguments: I) -> Result<Command, clap::Error>
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    let parsed = Args::try_parse_from(&arguments)
        .map_err(|error| explain(error, arguments.get(1..).unwrap_or_default()))?;
    match (parsed.command, parsed.run) {
        (Some(command), _) => Ok(command),
        (None, Some(run)) => match misspelt_command(&run.config) {
            Some(command) => Err(not_a_config(&run.config, &command)),
            None => Ok(Command::Run(run)),
        },
        (None, None) => Err(Args::command().error(ErrorKind::MissingSubcommand, "no config is given")),
    }
}

/// The command line's grammar, for help texts, completions and manual pages.
pub fn command() -> clap::Command {
    Args::command()
}

/// The subcommand that a missing config was meant to be: it has no ending, is no file, and is near a subcommand.
fn misspelt_command(config: &Path) -> Option<String> {
    if config.extension().is_some() || config.exists() {
        return None;
    }
    let found = config.to_str()?;
    let names: Vec<String> = Args::command().get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(found, &name), name))
        .filter(|(distance, _)| *distance <= 2)
        .min()
        .map(|(_, name)| name)
}

fn not_a_config(found: &Path, command: &str) -> clap::Error {
    let found = found.display();
    let message = format!("`{found}` is neither a file nor a subcommand: did you mean `tddl {command}`?");
    Args::command().error(ErrorKind::InvalidSubcommand, message)
}

/// A second positional, or a subcommand behind options, reads as a conflict; says what it is instead.
fn explain(error: clap::Error, arguments: &[OsString]) -> clap::Error {
    if error.kind() != ErrorKind::ArgumentConflict {
        return error;
    }
    let is_subcommand = |argument: &OsString| Args::command().find_subcommand(argument).is_some();
    let first = arguments.first().map_or(Path::new(""), Path::new);
    match arguments.iter().find(|argument| is_subcommand(argument)) {
        Some(name) if !is_subcommand(&arguments[0]) => {
            let name = name.display();
            let message =
                format!("`{name}` comes first and its options after it: tddl {name} CONFIG [OPTIONS]");
            Args::command().error(ErrorKind::ArgumentConflict, message)
        }
        _ => match misspelt_command(first) {
            Some(command) => not_a_config(first, &command),
            None => Args::command().error(ErrorKind::ArgumentConflict, "one config at a time is accepted"),
        },
    }
}

/// Keeps a slip of the finger from starting threads for minutes.
const MAX_THREADS: usize = 1024;

fn threads(text: &str) -> Result<NonZeroUsize, &'static str> {
    let parsed = text.parse().ok().filter(|threads: &NonZeroUsize| threads.get() <= MAX_THREADS);
    parsed.ok_or("a whole number from 1 to 1024 is accepted")
}
