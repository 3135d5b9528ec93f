//! `cargo xtask digits`: the experiment of `configs/digits.toml` on its five fixed splits, as one Markdown table.
//!
//! Every split is run by `tddl run` into `<target>/xtask/digits/split-I`; the numbers come from each `summary.json`.
//! A cell is the mean over the splits, with the least and the greatest value; log-losses are means over samples.
//! Cost: some minutes, most of it the task-driven steps.

use serde::Deserialize;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::workspace;

/// Number of fixed splits of the digits.
const N_SPLITS: usize = 5;

/// The part of a summary that the table shows.
#[derive(Deserialize)]
struct Summary {
    evaluation: Vec<Row>,
}

/// One set of features with the scores of its head.
#[derive(Deserialize)]
struct Row {
    features: String,
    training: Scores,
    held_out: Scores,
}

/// Scores on one part of the samples.
#[derive(Deserialize)]
struct Scores {
    accuracy: f64,
    log_loss: f64,
}

/// Runs the five splits and prints the table; the error value says which step failed.
pub fn run() -> Result<(), String> {
    run_command(Command::new(workspace::cargo()).args(["build", "--locked", "--package", "cli"]))?;
    let built = workspace::target()?;
    let program = built.join("debug").join(format!("tddl{}", std::env::consts::EXE_SUFFIX));
    let mut splits = Vec::new();
    for split in 0..N_SPLITS {
        let folder = built.join("xtask").join("digits").join(format!("split-{split}"));
        let mut command = Command::new(&program);
        command.args(["run", "configs/digits.toml", "--quiet", "--force"]);
        command.arg("--set").arg(format!("data.digits.split={split}")).arg("--out").arg(&folder);
        println!("split {split} of {N_SPLITS}");
        run_command(&mut command)?;
        splits.push(read_summary(&folder.join("summary.json"))?);
    }
    print!("\n{}", table(&splits)?);
    Ok(())
}

/// Runs a command in the workspace's root; the error value names it.
fn run_command(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().display().to_string();
    let status = command.current_dir(workspace::root()).stdin(Stdio::null()).status();
    let status = status.map_err(|error| format!("{name} does not start: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{name}: {status}")) }
}

fn read_summary(path: &Path) -> Result<Summary, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// A column of the table: its title and the number of a row that it shows.
type Column = (&'static str, fn(&Row) -> f64);

const COLUMNS: &[Column] = &[
    ("training accuracy", |row| row.training.accuracy),
    ("held-out accuracy", |row| row.held_out.accuracy),
    ("held-out log-loss", |row| row.held_out.log_loss),
];

/// One line a set of features, one cell a column.
fn table(splits: &[Summary]) -> Result<String, String> {
    let titles: String = COLUMNS.iter().map(|(title, _)| format!(" {title} |")).collect();
    let mut text = format!("| features |{titles}\n|---|{}\n", "---|".repeat(COLUMNS.len()));
    let first = splits.first().ok_or("no split was run")?;
    for (index, row) in first.evaluation.iter().enumerate() {
        let rows: Option<Vec<&Row>> = splits.iter().map(|split| split.evaluation.get(index)).collect();
        let rows = rows.filter(|rows| rows.iter().all(|other| other.features == row.features));
        let rows = rows.ok_or("the splits differ in their features")?;
        text.push_str(&format!("| {} |", row.features));
        for (_, number) in COLUMNS {
            text.push_str(&format!(" {} |", cell(rows.iter().map(|row| number(row)))));
        }
        text.push('\n');
    }
    Ok(text)
}

/// `mean (least to greatest)`.
fn cell(values: impl ExactSizeIterator<Item = f64> + Clone) -> String {
    let mean = values.clone().sum::<f64>() / values.len() as f64;
    let least = values.clone().fold(f64::INFINITY, f64::min);
    let greatest = values.fold(f64::NEG_INFINITY, f64::max);
    format!("{mean:.4} ({least:.4} to {greatest:.4})")
}

#[cfg(test)]
mod tests {
    use super::{Summary, table};

    fn split(features: &str, accuracy: f64) -> Summary {
        let text = format!(
            r#"{{"seed": 0, "evaluation": [{{"features": "{features}", "ridge": 1.0,
            "training": {{"accuracy": 1.0, "log_loss": 0.0}},
            "held_out": {{"accuracy": {accuracy}, "log_loss": 0.25}}}}]}}"#
        );
        serde_json::from_str(&text).expect("a summary of this form is read")
    }

    #[test]
    fn cells_are_the_mean_and_the_range_over_the_splits() {
        let text = table(&[split("codes", 0.5), split("codes", 0.75), split("codes", 0.25)]);
        let last =
            "| codes | 1.0000 (1.0000 to 1.0000) | 0.5000 (0.2500 to 0.7500) | 0.2500 (0.2500 to 0.2500) |";
        assert_eq!(text.expect("the splits agree").lines().last(), Some(last));
    }

    #[test]
    fn splits_with_other_features_are_refused() {
        assert!(table(&[split("codes", 0.5), split("samples", 0.5)]).is_err());
        assert!(table(&[]).is_err());
    }
}
