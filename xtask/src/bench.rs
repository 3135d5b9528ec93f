//! `cargo xtask bench --peers`: ours against the best existing tools, on the same arrays, in turn.
//!
//! Builds the example `code_arrays` with the release profile, once with the clocks of the feature `phases` and once
//! without, makes a Python environment with the versions pinned in `benchmarks/requirements.txt` in `<target>/bench/venv`
//! (once), and runs `benchmarks/peers.py` in it, which measures, checks every result with one independent function and
//! writes `benchmarks/RESULTS.md`. The peers run on one thread each; settings of the caller's environment that would hold
//! back their linear algebra are taken away.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::workspace;

const HELP: &str = "\
Usage: cargo xtask bench --peers [CASE ..]

Measures our coder and hypergradients against SPAMS, scikit-learn, skglm and jaxopt on the same
arrays, A B A B, and where our time goes, and writes benchmarks/RESULTS.md; with names of cases it
measures only those and writes <target>/bench/RESULTS.md instead. Needs python3 with venv, and the
network at the first time. Takes about ten minutes; leave the machine alone meanwhile.
";

/// Variables that make OpenBLAS slower than it is by itself.
const UNSET: &[&str] = &["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "PYTHONPATH", "JAX_PLATFORMS"];
/// One thread for every library of the peers.
const ONE_THREAD: &[&str] =
    &["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"];

/// Runs the measurements that the arguments ask for; the error value says which step failed.
pub fn run(arguments: &[&str]) -> Result<(), String> {
    let cases = match arguments {
        ["--help" | "-h"] => {
            print!("{HELP}");
            return Ok(());
        }
        ["--peers", cases @ ..] => cases,
        [] => return Err(format!("bench: what is to be measured?\n\n{HELP}")),
        [other, ..] => return Err(format!("bench: unknown argument `{other}`\n\n{HELP}")),
    };
    let target = workspace::target()?;
    let folder = target.join("bench");
    let with_clocks = folder.join(format!("with_clocks{}", std::env::consts::EXE_SUFFIX));
    let program = example(&target, &["--features", "phases"])?;
    std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::copy(&program, &with_clocks))
        .map_err(|error| format!("bench: {}: {error}", with_clocks.display()))?;
    let program = example(&target, &[])?;
    let python = environment(&folder.join("venv"))?;
    let results = if cases.is_empty() { benchmarks() } else { folder.clone() }.join("RESULTS.md");
    let mut command = Command::new(python);
    command.arg(benchmarks().join("peers.py")).args([program, with_clocks, folder.join("arrays")]);
    command.arg(&results).args(cases);
    for name in UNSET {
        command.env_remove(name);
    }
    command.envs(ONE_THREAD.iter().map(|name| (name, "1")));
    checked(command.env("PYTHONDONTWRITEBYTECODE", "1"))?;
    println!("written: {}", results.display());
    Ok(())
}

/// The built example `code_arrays`.
fn example(target: &Path, features: &[&str]) -> Result<PathBuf, String> {
    let build = ["build", "--release", "--locked", "--package", "dictlearn", "--example", "code_arrays"];
    checked(Command::new(workspace::cargo()).args(build).args(features))?;
    Ok(target.join("release").join("examples").join(format!("code_arrays{}", std::env::consts::EXE_SUFFIX)))
}

/// The folder of the Python part.
fn benchmarks() -> PathBuf {
    workspace::root().join("benchmarks")
}

/// The Python of an environment that holds the pinned packages; made where it is missing or out of date.
fn environment(venv: &Path) -> Result<PathBuf, String> {
    let python = venv.join("bin").join("python");
    let requirements = benchmarks().join("requirements.txt");
    let wanted = std::fs::read_to_string(&requirements)
        .map_err(|error| format!("bench: {}: {error}", requirements.display()))?;
    // The list is copied into the environment when everything in it is installed.
    let installed = venv.join("requirements.txt");
    if python.exists() && std::fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(python);
    }
    println!("bench: making a Python environment in {}", venv.display());
    checked(Command::new("python3").args(["-m", "venv", "--clear"]).arg(venv)).map_err(|reason| {
        format!("bench: no Python environment ({reason}); install python3 with its module venv")
    })?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
    checked(pip.arg(&requirements)).map_err(|reason| {
        format!("bench: the peers cannot be installed ({reason}); is the package index within reach?")
    })?;
    std::fs::write(&installed, wanted).map_err(|error| format!("{}: {error}", installed.display()))?;
    Ok(python)
}

/// Runs a command in the workspace's root; the error value names it.
fn checked(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().display().to_string();
    let status = command.current_dir(workspace::root()).stdin(Stdio::null()).status();
    let status = status.map_err(|error| format!("{name} does not start: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{name}: {status}")) }
}

#[cfg(test)]
mod tests {
    use super::{benchmarks, run};

    #[test]
    fn help_is_no_error_and_other_arguments_are() {
        assert_eq!(run(&["--help"]), Ok(()));
        assert!(run(&[]).is_err_and(|reason| reason.contains("Usage")));
        assert!(run(&["--kernels"]).is_err_and(|reason| reason.contains("`--kernels`")));
    }

    #[test]
    fn every_package_is_pinned() {
        let text = std::fs::read_to_string(benchmarks().join("requirements.txt"));
        let text = text.expect("the list of packages is part of the workspace");
        assert!(
            text.lines().all(|line| line.split_once("==").is_some_and(|(_, version)| !version.is_empty()))
        );
    }
}
