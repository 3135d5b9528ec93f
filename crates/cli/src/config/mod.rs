//! Configs: TOML text to a checked [`Experiment`] and back.
//!
//! File and `--set` overrides -> `document` (one TOML document that knows where each value stands)
//! -> `schema` (as typed) -> `resolve` (checked) -> [`Experiment`] -> `write` (every key spelt out).
//! [`keys`] is the one table of all keys; [`diagnostic`] shows what is wrong, where, and what to do.

mod write;
mod resolve;
mod explain;
mod document;
mod check;
mod schema;
mod forms;
pub mod experiment;
pub mod keys;
pub mod diagnostic;

pub use diagnostic::ConfigError;
pub use experiment::Experiment;
pub use keys::reference;
pub use write::to_toml;

use diagnostic::{Problem, Text};
use serde::Deserialize as _;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::Path;

/// Reads and checks a config file with its overrides (`KEY=VALUE`, the later one wins).
///
/// Paths inside it come back absolute, so that the resolved text means the same from any folder.
///
/// # Errors
/// A file that cannot be read, or a config that is refused; the error renders as text for the terminal.
pub fn load(file: &Path, overrides: &[String]) -> Result<Experiment, ConfigError> {
    let bytes = std::fs::read(file).map_err(|error| unreadable(file, &error))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count();
        let title = format!("{} is not text in UTF-8: line {line} breaks off", file.display());
        ConfigError::without_text(Problem::new(title).help("a config is a TOML text file; save it as UTF-8"))
    })?;
    let absolute = std::path::absolute(file).map_err(|error| unreadable(file, &error))?;
    parse_at(&text, &file.display().to_string(), &absolute, overrides)
}

/// Checks a config given as text. `file` gives the name in errors, the default name of the experiment and the
/// folder to which paths are relative; it is not read.
///
/// # Errors
/// A config that is refused.
pub fn parse(text: &str, file: &Path, overrides: &[String]) -> Result<Experiment, ConfigError> {
    parse_at(text, &file.display().to_string(), file, overrides)
}

fn parse_at(
    file_text: &str,
    label: &str,
    file: &Path,
    overrides: &[String],
) -> Result<Experiment, ConfigError> {
    let mut text = Text::default();
    let layout = document::Layout::new(&mut text, label, file_text, overrides);
    checked(&layout, file, &text).map_err(|problems| ConfigError::new(text, problems))
}

fn checked(layout: &document::Layout, file: &Path, text: &Text) -> Result<Experiment, Vec<Problem>> {
    let document = layout.parse().map_err(|problem| vec![problem])?;
    let deserializer = toml::de::Deserializer::from(toml::Spanned::new(0..0, document.clone()));
    let config = schema::Config::deserialize(deserializer)
        .map_err(|error| vec![explain::explain(&error, &document, text)])?;
    resolve::resolve(config, file, text)
}

fn unreadable(file: &Path, error: &std::io::Error) -> ConfigError {
    let shown = file.display();
    let problem = match error.kind() {
        ErrorKind::NotFound => {
            let problem = Problem::new(format!("there is no file {shown}"));
            match neighbour(file) {
                Some(near) => problem.help(format!("did you mean {near}?")),
                None => problem.help("name a TOML config, as in tddl run configs/huber.toml"),
            }
        }
        ErrorKind::IsADirectory => {
            Problem::new(format!("{shown} is a folder")).help("name a TOML config inside it")
        }
        ErrorKind::PermissionDenied => {
            Problem::new(format!("{shown} may not be read")).help("its permissions forbid it")
        }
        _ => Problem::new(format!("{shown} cannot be read: {error}")),
    };
    ConfigError::without_text(problem)
}

/// The TOML file in the same folder whose name is nearest to a missing one.
fn neighbour(missing: &Path) -> Option<String> {
    let folder = missing.parent()?;
    let listed = if folder == Path::new("") { Path::new(".") } else { folder };
    let mut names: Vec<String> = std::fs::read_dir(listed)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| Path::new(name).extension() == Some(OsStr::new("toml")))
        .collect();
    names.sort();
    let wanted = missing.file_name()?.to_str()?;
    let nearest = keys::nearest(wanted, names.iter().map(String::as_str))?;
    Some(folder.join(nearest).display().to_string())
}
