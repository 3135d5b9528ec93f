//! The output folder: every result of a run, whole or not at all.
//!
//! | file | content |
//! |---|---|
//! | `config.toml` | the resolved config: running it again gives these results |
//! | `history.csv` | one line a step |
//! | `summary.json` | shapes, losses, scores, recovery, coherence, seed, versions |
//! | `dictionary.npy` | atoms as rows, (n_components, n_features); with the task where there is one |
//! | `dictionary_without_task.npy` | the dictionary before the task, where there is a task |
//! | `task_weights.npy` | (n_components + 1,): weights, then the intercept |
//! | `codes.npz` or `codes.npy` | codes under `dictionary.npy`, one row a sample of the data (held-out ones included) |

use crate::config::experiment::CodesFormat;
use crate::config::{Experiment, to_toml};
use crate::files::error::WriteError;
use crate::files::output::OutputFolder;
use crate::files::sparse::Csr;
use crate::files::{npy, sparse};
use crate::load::Data;
use crate::run::{Report, Step};
use crate::summary::Summary;
use faer::MatRef;
use linalg::columns::column;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why results cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// The file system refuses.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The folder belongs to another config.
    #[error(
        "{} holds the results of another config: choose another folder with --out, or replace them with --force",
        .0.display()
    )]
    Occupied(PathBuf),
    /// The folder has files of these names, but no config that says which run they are of.
    #[error(
        "{} would be overwritten, and no config.toml says that a run wrote it: choose another folder with --out, or \
         replace it with --force",
        .0.display()
    )]
    Foreign(PathBuf),
}

/// Checks, before any work is done, that results may go to `folder` and can be written there.
///
/// # Errors
/// The folder holds another config's results or files of the same names (and `force` is not set), or is not writable.
/// Nothing is left behind.
pub fn claim(folder: &Path, experiment: &Experiment, force: bool) -> Result<(), ResultsError> {
    let config = folder.join("config.toml");
    let foreign = || NAMES.iter().map(|name| folder.join(name)).find(|path| path.exists());
    if let (false, false, Some(path)) = (force, config.exists(), foreign()) {
        return Err(ResultsError::Foreign(path));
    }
    if !force && config.exists() {
        let same = std::fs::read_to_string(&config).is_ok_and(|text| text == to_toml(experiment));
        if !same {
            return Err(ResultsError::Occupied(folder.to_owned()));
        }
    }
    let mut probe = OutputFolder::open(folder)?;
    probe.stage("config.toml", |writer| writer.write_all(to_toml(experiment).as_bytes()))?;
    Ok(())
}

/// Writes all results to `folder`; files of an earlier run that this one does not write are removed.
///
/// # Errors
/// The file system refuses; earlier results are then as they were, unless renaming itself fails midway.
pub fn write(
    folder: &Path,
    experiment: &Experiment,
    data: &Data,
    report: &Report,
) -> Result<(), ResultsError> {
    let mut out = OutputFolder::open(folder)?;
    out.stage("config.toml", |writer| writer.write_all(to_toml(experiment).as_bytes()))?;
    out.stage("history.csv", |writer| history(writer, &report.steps))?;
    out.stage("summary.json", |writer| {
        serde_json::to_writer_pretty(&mut *writer, &Summary::new(experiment, data, report))?;
        writeln!(writer)
    })?;
    out.stage("dictionary.npy", |writer| matrix(writer, report.result().dictionary.as_ref()))?;
    if report.task.is_some() {
        out.stage("dictionary_without_task.npy", |writer| {
            matrix(writer, report.learned.dictionary.as_ref())
        })?;
    }
    if let Some(head) = report.task.as_ref().and_then(|learned| learned.head.as_ref()) {
        let values: Vec<f64> = head.weights.iter().copied().chain([head.intercept]).collect();
        out.stage("task_weights.npy", |writer| npy::write_vector(writer, &values))?;
    }
    match experiment.codes {
        CodesFormat::Csr => out.stage("codes.npz", |writer| codes(writer, report))?,
        CodesFormat::Dense => {
            let dense = report.codes.to_dense_columns();
            out.stage("codes.npy", |writer| matrix(writer, dense.as_ref()))?;
        }
        CodesFormat::None => {}
    }
    let written = out.commit()?;
    for name in &NAMES[NAMES.len() - OPTIONAL..] {
        let path = folder.join(name);
        if !written.contains(&path) {
            let _ = std::fs::remove_file(path);
        }
    }
    Ok(())
}

/// Every file of a run but `config.toml`; the last [`OPTIONAL`] of them some runs write and others do not.
const NAMES: [&str; 7] = [
    "history.csv",
    "summary.json",
    "dictionary.npy",
    "dictionary_without_task.npy",
    "task_weights.npy",
    "codes.npz",
    "codes.npy",
];
const OPTIONAL: usize = 4;

/// Columns of the matrix as rows of the array.
fn matrix(writer: impl Write, matrix: MatRef<'_, f64>) -> io::Result<()> {
    let values: Vec<f64> = (0..matrix.ncols()).flat_map(|j| column(matrix, j).iter().copied()).collect();
    npy::write_matrix(writer, matrix.ncols(), matrix.nrows(), &values)
}

fn codes(writer: impl Write, report: &Report) -> io::Result<()> {
    let codes = &report.codes;
    let csr = Csr {
        columns: codes.n_components(),
        offsets: codes.indptr().to_vec(),
        indices: codes.indices().iter().map(|&j| j as usize).collect(),
        values: codes.values().to_vec(),
    };
    sparse::write(writer, &csr)
}

/// Names of the columns of `history.csv`.
pub const HISTORY_COLUMNS: &str = "stage,iteration,objective,step,nonzeros_per_sample,explained_variance,\
     kkt_violation,duality_gap,not_converged,undecided,rank_deficient,seconds";

fn history(mut writer: impl Write, steps: &[Step]) -> io::Result<()> {
    writeln!(writer, "{HISTORY_COLUMNS}")?;
    for Step { stage, record, seconds } in steps {
        let coding = &record.coding;
        writeln!(
            writer,
            "{},{},{:?},{:?},{:?},{:?},{:?},{:?},{},{},{},{seconds:.6}",
            stage.name(),
            record.iteration,
            record.objective,
            record.step,
            record.nonzeros,
            record.explained_variance,
            coding.violation,
            coding.duality_gap,
            coding.not_converged,
            coding.undecided,
            record.rank_deficient,
        )?;
    }
    Ok(())
}
