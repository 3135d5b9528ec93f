//! `cargo xtask ci`: every check of a commit, from the quickest to the longest, up to the first that fails.
//!
//! | step | what must hold |
//! |---|---|
//! | format | `cargo fmt` would change nothing |
//! | tidy | see `tidy` |
//! | lints | clippy is silent on every target, with every feature |
//! | tests | all tests pass with the committed snapshots; their counts are summed in one line |
//! | docs | rustdoc is silent |
//! | configs and examples | every config passes `tddl check`, every short one `tddl run`; every example runs |

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::{tidy, workspace};

/// Configs that are checked but not run here: a run takes seconds, and the tests of `cli` run them.
const LONG_CONFIGS: &[&str] = &["digits.toml"];

/// Variables of the caller's environment that would change what a test sees.
const UNSET_FOR_TESTS: &[&str] = &[
    "INSTA_FORCE_PASS",
    "INSTA_FORCE_UPDATE",
    "INSTA_WORKSPACE_ROOT",
    "PROPTEST_CASES",
    "PROPTEST_RNG_SEED",
    "COLUMNS",
    "CLICOLOR_FORCE",
    "FORCE_COLOR",
];

/// A named step of the run.
type Step = (&'static str, fn() -> Result<(), String>);

const STEPS: &[Step] = &[
    ("format", || run_command(&mut cargo("fmt --all --check"))),
    ("tidy", tidy::run),
    ("lints", lints),
    ("tests", tests),
    ("docs", docs),
    ("configs", configs),
    ("examples", examples),
];

/// Runs the steps in order; the error value names the step that failed and why.
pub fn run() -> Result<(), String> {
    let start = Instant::now();
    let n_steps = STEPS.len();
    for (index, (name, step)) in STEPS.iter().enumerate() {
        let number = index + 1;
        println!("\n==> {number}/{n_steps} {name}");
        let step_start = Instant::now();
        let outcome = step();
        println!("    {name}: {:.1} s", step_start.elapsed().as_secs_f64());
        outcome.map_err(|reason| format!("ci: FAILED at step {number}/{n_steps} ({name}): {reason}"))?;
    }
    println!("\nci: all {n_steps} steps passed in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// With every feature, so that code that only measurements compile is checked too.
fn lints() -> Result<(), String> {
    run_command(&mut cargo("clippy --workspace --all-targets --all-features --locked -- -D warnings"))
}

/// All tests, with the summed counts of every test program in one line.
fn tests() -> Result<(), String> {
    // A failing program does not stop the others: the counts are those of all tests.
    let mut command = cargo("test --workspace --locked --no-fail-fast");
    UNSET_FOR_TESTS.iter().for_each(|name| {
        command.env_remove(name);
    });
    command.env("INSTA_UPDATE", "no").stdout(Stdio::piped());
    announce(&command);
    let mut child = command.spawn().map_err(|error| format!("cargo does not start: {error}"))?;
    let mut counts = Counts::default();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            let line = line.map_err(|error| format!("the tests' output breaks off: {error}"))?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            counts.add(&line);
        }
    }
    let status = child.wait().map_err(|error| format!("cargo is lost: {error}"))?;
    println!("{}", counts.summary());
    if status.success() { Ok(()) } else { Err(format!("cargo test: {status}")) }
}

/// Numbers of tests.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Counts {
    /// Adds the counts of a line `test result: ok. 1 passed; 2 failed; 3 ignored; ..`; other lines add nothing.
    fn add(&mut self, line: &str) {
        let line = without_colours(line);
        let Some(result) = line.strip_prefix("test result: ") else {
            return;
        };
        let (_, counts) = result.split_once(". ").unwrap_or_default();
        for count in counts.split(';') {
            let (number, kind) = count.trim().split_once(' ').unwrap_or_default();
            let number: usize = number.parse().unwrap_or(0);
            match kind {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" | "filtered out" => self.skipped += number,
                _ => {}
            }
        }
    }

    /// The line that states the sums.
    fn summary(&self) -> String {
        format!("{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// The line without terminal colours (`ESC [ .. m`).
fn without_colours(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

/// The documentation, warnings as errors.
fn docs() -> Result<(), String> {
    run_command(cargo("doc --workspace --no-deps --locked").env("RUSTDOCFLAGS", "-D warnings"))
}

/// Every config is valid, and every short one runs to its end in a fresh folder.
fn configs() -> Result<(), String> {
    let configs = toml_files(&workspace::root().join("configs"));
    if configs.is_empty() {
        println!("    skipped: there is no config yet");
        return Ok(());
    }
    // With `--examples` cargo takes the features of the tests, so nothing is built a second time.
    run_command(&mut cargo("build --workspace --bin tddl --examples --locked"))?;
    let program = built()?.join(format!("tddl{}", std::env::consts::EXE_SUFFIX));
    let runs = fresh_folder("runs")?;
    for config in &configs {
        let name = config.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let path = Path::new("configs").join(&name);
        run_command(command(&program).arg("check").arg(&path))?;
        if LONG_CONFIGS.contains(&name.as_str()) {
            println!("    not run: {name} takes seconds, and the tests ran it");
            continue;
        }
        let folder = runs.join(config.file_stem().unwrap_or_default());
        run_command(command(&program).arg("run").arg(&path).arg("--out").arg(folder))?;
    }
    Ok(())
}

/// Every example is built and runs to its end.
fn examples() -> Result<(), String> {
    let names = example_names(&workspace::root().join("crates"));
    if names.is_empty() {
        println!("    skipped: there is no example yet");
        return Ok(());
    }
    run_command(&mut cargo("build --workspace --examples --locked"))?;
    let folder = built()?.join("examples");
    let program = |name: &String| folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    names.iter().try_for_each(|name| run_command(&mut command(&program(name))))
}

/// The TOML files in a folder, by name; none if there is no such folder.
fn toml_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = entries(folder);
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files
}

/// The names of the crates' examples: files `examples/name.rs` and folders `examples/name/` with a `main.rs`.
fn example_names(crates: &Path) -> Vec<String> {
    let examples = entries(crates).into_iter().flat_map(|krate| entries(&krate.join("examples")));
    let is_example = |path: &PathBuf| match path.extension() {
        Some(extension) => extension == "rs",
        None => path.join("main.rs").is_file(),
    };
    let name = |path: PathBuf| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    examples.filter(is_example).map(name).collect()
}

/// What lies in a folder, by name; nothing if there is no such folder.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = listed.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// The folder where cargo puts what a plain build makes.
fn built() -> Result<PathBuf, String> {
    Ok(workspace::target()?.join("debug"))
}

/// An empty folder `xtask/<name>` in the target folder.
fn fresh_folder(name: &str) -> Result<PathBuf, String> {
    let folder = workspace::target()?.join("xtask").join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)
            .map_err(|error| format!("cannot empty {}: {error}", folder.display()))?;
    }
    std::fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    Ok(folder)
}

/// Cargo with these arguments (separated by blanks).
fn cargo(arguments: &str) -> Command {
    let mut cargo = command(&workspace::cargo());
    cargo.args(arguments.split(' '));
    cargo
}

/// A program that starts in the workspace's root and reads nothing.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace::root()).stdin(Stdio::null());
    command
}

/// Prints the command, runs it, and says how it failed if it did.
fn run_command(command: &mut Command) -> Result<(), String> {
    announce(command);
    let status =
        command.status().map_err(|error| format!("`{}` does not start: {error}", spelled(command)))?;
    if status.success() { Ok(()) } else { Err(format!("`{}`: {status}", spelled(command))) }
}

/// Prints the command.
fn announce(command: &Command) {
    println!("    $ {}", spelled(command));
    // A closed standard output shows at the next line that is printed.
    let _ = std::io::stdout().flush();
}

/// The command as it would be typed, programs by their file names.
fn spelled(command: &Command) -> String {
    let variables = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let variables =
        variables.map(|(name, value)| format!("{}={}", name.display(), quoted(&value.to_string_lossy())));
    let program =
        Path::new(command.get_program()).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let arguments = command.get_args().map(|argument| quoted(&argument.to_string_lossy()));
    variables.chain([program]).chain(arguments).collect::<Vec<_>>().join(" ")
}

/// The word, in quotes if it holds blanks.
fn quoted(word: &str) -> String {
    if word.contains(' ') { format!("\"{word}\"") } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{Counts, cargo, example_names, spelled, without_colours};

    #[test]
    fn counts_are_summed_over_the_result_lines_alone() {
        let mut counts = Counts::default();
        for line in [
            "running 3 tests",
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.10s",
            "test result: \u{1b}[31mFAILED\u{1b}[0m. 3 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.2s",
            "  test result: ok. 9 passed; 9 failed; 9 ignored;",
        ] {
            counts.add(line);
        }
        assert_eq!(counts, Counts { passed: 15, failed: 4, skipped: 3 });
        assert_eq!(counts.summary(), "15 passed, 4 failed, 3 skipped");
    }

    #[test]
    fn colours_are_dropped_and_text_is_kept() {
        assert_eq!(without_colours("a\u{1b}[1;32mb\u{1b}[0mc m"), "abc m");
    }

    #[test]
    fn commands_are_spelled_as_typed() {
        let mut command = cargo("doc --locked");
        command.env("RUSTDOCFLAGS", "-D warnings").env_remove("COLUMNS");
        assert_eq!(spelled(&command), "RUSTDOCFLAGS=\"-D warnings\" cargo doc --locked");
    }

    #[test]
    fn a_folder_that_is_not_there_has_no_examples() {
        assert_eq!(example_names(&crate::workspace::root().join("no-such-folder")), [""; 0]);
    }
}
