//! A folder of its own for each test, and the program at work in it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::results::Results;

/// A folder that lives as long as the test.
pub struct Lab {
    folder: TempDir,
}

/// What a command left behind.
#[derive(Debug)]
pub struct Outcome {
    /// Exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Lab {
    /// An empty folder.
    pub fn new() -> Self {
        Self { folder: tempfile::Builder::new().prefix("tddl-lab-").tempdir().unwrap() }
    }

    /// A folder with the config `test.toml`.
    pub fn with(config: &str) -> Self {
        let lab = Self::new();
        lab.write("test.toml", config.as_bytes());
        lab
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.path(name), content).unwrap();
    }

    /// The program, about to run in the folder. Backtraces are asked for: no error may show one.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tddl"));
        command.args(arguments).current_dir(self.folder.path()).env("RUST_BACKTRACE", "1");
        command
    }

    /// Runs the program to its end.
    pub fn tddl(&self, arguments: &[&str]) -> Outcome {
        self.command(arguments).output().unwrap().into()
    }

    /// Runs `test.toml` with further arguments into the folder `out`.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        self.tddl(&[&["run", "test.toml", "--out", "out"], arguments].concat())
    }

    /// [`Lab::run`] that must succeed; its results.
    #[track_caller]
    pub fn results(&self, arguments: &[&str]) -> Results {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, Some(0), "{arguments:?}: {}", outcome.stderr);
        self.read("out")
    }

    /// The files of a folder.
    pub fn read(&self, name: &str) -> Results {
        Results::read(&self.path(name))
    }
}

/// The text of a config of the repository, with its data where they are for a copy elsewhere.
pub fn config(name: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = fs::read_to_string(root.join("configs").join(format!("{name}.toml"))).unwrap();
    text.replace("../data/", &format!("{}/", root.join("data").display()))
}
