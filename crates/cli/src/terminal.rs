//! The table that a run ends with.
//!
//! Pure functions from a report to text; numbers with six significant digits, so that machines which round differently in
//! the last place print the same.

use crate::config::Experiment;
use crate::config::keys::short;
use crate::evaluate::{Comparison, EvaluationRow};
use crate::load::Data;
use crate::recode::{learning_method, recodes, remedy, violation_name};
use crate::run::Report;
use dictlearn::evaluation::Scores;
use dictlearn::learner::{Learned, Status};
use dictlearn::loss::Loss;
use dictlearn::method::Method;
use std::fmt::Write as _;

/// The whole closing text.
pub fn summary(experiment: &Experiment, data: &Data, report: &Report) -> String {
    let mut out = headline(experiment, data);
    out.push('\n');
    out.push_str(&descents(experiment, data, report));
    if let Some((without, with)) = &report.recovery {
        out.push_str("\nPlanted atoms, best |cos| with a learned one: ");
        let _ = write!(out, "mean {:.4}, min {:.4} without task", without.mean, without.min);
        if let Some(with) = with {
            let _ = write!(out, "; mean {:.4}, min {:.4} with task", with.mean, with.min);
        }
        out.push('\n');
    }
    if !report.comparisons.is_empty() {
        out.push_str(&comparisons(&report.comparisons, experiment.coding.options.method));
    }
    if !report.evaluation.is_empty() {
        out.push_str(&evaluation(&report.evaluation));
    }
    out
}

fn headline(experiment: &Experiment, data: &Data) -> String {
    let (d, n) = (data.training.samples.nrows(), data.training.samples.ncols());
    let n_held_out = data.held_out.as_ref().map_or(0, |part| part.samples.ncols());
    let held_out = if n_held_out > 0 { format!(" (and {n_held_out} held out)") } else { String::new() };
    let missing = match data.n_missing() {
        0 => String::new(),
        n_missing => format!(" ({n_missing} of {} entries missing)", d * (n + n_held_out)),
    };
    let (lower, method) = (&experiment.coding.lower, experiment.coding.options.method);
    let codes_by = match method {
        Method::ActiveSet => String::new(),
        _ if experiment.learns() && recodes(method) => {
            format!(", codes by {}, learned by {}", method_name(method), learning_method(method).name())
        }
        _ => format!(", codes by {}", method_name(method)),
    };
    let regularization =
        experiment.regularization().map_or(String::new(), |x| format!(", regularization {}", short(x)));
    let signs = if lower.non_negative { ", codes >= 0" } else { "" };
    let weighted = if data.atom_weights.is_some() { ", weighted atoms" } else { "" };
    format!(
        "{}: {n} samples{held_out} of {d} features{missing}, {} atoms, {}{codes_by}{regularization}{signs}{weighted}\n",
        experiment.name,
        experiment.dictionary.n_components,
        loss_name(lower.loss),
    )
}

/// A loss with its parameter, in words.
pub fn loss_name(loss: Loss) -> String {
    match loss {
        Loss::Squared => "squared loss".to_string(),
        Loss::Power { exponent } => format!("power loss (exponent {})", short(exponent)),
        Loss::Huber { delta } => format!("huber loss (delta {})", short(delta)),
    }
}

/// A method with its parameters, in words.
pub fn method_name(method: Method) -> String {
    let name = method.name();
    match method {
        Method::ActiveSet | Method::Homotopy | Method::CoordinateDescent | Method::Threshold => {
            name.to_string()
        }
        Method::Omp { n_nonzero: Some(most), error: Some(error) } => {
            format!("{name} (n_nonzero {most}, error {})", short(error))
        }
        Method::Omp { n_nonzero: Some(most), .. } => format!("{name} (n_nonzero {most})"),
        Method::Omp { error, .. } => format!("{name} (error {})", short(error.unwrap_or(0.0))),
        Method::L1Ball { radius } => format!("{name} (radius {})", short(radius)),
        Method::Error { error } => format!("{name} (error {})", short(error)),
    }
}

/// Which codes of which loss, in words: a method that minimises no lower level says it all.
pub fn codes_name(loss: Loss, method: Method) -> String {
    match method {
        Method::ActiveSet => loss_name(loss),
        Method::Homotopy | Method::CoordinateDescent => {
            format!("{} by {}", loss_name(loss), method_name(method))
        }
        _ => method_name(method),
    }
}

/// How a descent ended, in words.
pub fn status_name(status: Status) -> &'static str {
    match status {
        Status::Converged => "converged",
        Status::MaxIterations => "all steps taken",
        Status::Diverged => "diverged",
        Status::Stopped => "stopped",
    }
}

fn descents(experiment: &Experiment, data: &Data, report: &Report) -> String {
    let method = experiment.coding.options.method;
    let violation = violation_name(method);
    let header = ["dictionary", "steps", "status", "objective", "nonzeros", "explained variance", violation];
    let mut rows = vec![header.map(str::to_string).to_vec()];
    let stages = [("without task", Some(&report.learned)), ("with task", report.task.as_ref())];
    for (name, learned) in stages.into_iter().filter_map(|(name, l)| l.map(|l| (name, l))) {
        rows.push(descent(name, learned));
    }
    let mut out = table(&rows);
    let coding = &report.coding;
    // Of a dictionary that diverged no code is asked.
    if coding.not_converged > 0 && report.result().status != Status::Diverged {
        let tolerance = experiment.coding.options.tolerance;
        let _ = writeln!(
            out,
            "{} of {} samples not coded to the tolerance {tolerance:e}: {}",
            coding.not_converged,
            coding.n_samples,
            remedy(experiment, data, report.result().dictionary.as_ref())
        );
    }
    let deficient = report.steps.iter().map(|step| step.record.rank_deficient).max().unwrap_or(0);
    if deficient > 0 {
        let _ = writeln!(
            out,
            "up to {deficient} samples per step had a singular implicit system: raise coding.l2_regularization"
        );
    }
    out
}

fn descent(name: &str, learned: &Learned) -> Vec<String> {
    let codes = &learned.coded.codes;
    vec![
        name.to_string(),
        learned.history.len().to_string(),
        status_name(learned.status).to_string(),
        significant(learned.objective),
        format!("{:.2}", codes.nnz() as f64 / codes.n_samples() as f64),
        four_decimals(learned.explained_variance),
        format!("{:.0e}", learned.coded.report.violation),
    ]
}

fn comparisons(rows: &[Comparison], method: Method) -> String {
    let mut out =
        "\nTask loss of the head learned with the task (a sum, without ridge), on codes of the dictionary\n"
            .to_string();
    let mut lines = vec![vec![
        "codes by".to_string(),
        "without task".to_string(),
        "with task".to_string(),
        String::new(),
    ]];
    for row in rows {
        let verdict = if row.with_task < row.without_task { "is smaller" } else { "is not smaller" };
        lines.push(vec![
            codes_name(row.loss, method),
            significant(row.without_task),
            significant(row.with_task),
            format!("with task {verdict}"),
        ]);
    }
    out.push_str(&table(&lines));
    out
}

fn evaluation(rows: &[EvaluationRow]) -> String {
    let mut out = "\nLogistic heads (log-loss is a mean over samples)\n".to_string();
    let header = ["features", "ridge", "training accuracy", "log-loss", "held-out accuracy", "log-loss"];
    let mut lines = vec![header.map(str::to_string).to_vec()];
    for row in rows {
        let held_out = |number: fn(&Scores) -> f64| {
            row.held_out.as_ref().map_or("-".to_string(), |scores| four_decimals(number(scores)))
        };
        lines.push(vec![
            row.features.to_string(),
            short(row.ridge),
            format!("{:.4}", row.training.accuracy),
            four_decimals(row.training.log_loss),
            held_out(|scores| scores.accuracy),
            held_out(|scores| scores.log_loss),
        ]);
    }
    out.push_str(&table(&lines));
    if rows.iter().any(|row| row.converged == Some(false)) {
        out.push_str("some heads did not converge\n");
    }
    out
}

/// Six significant digits, plain where that is readable.
pub fn significant(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let digits = 5 - value.abs().log10().floor() as i32;
    if (0..=12).contains(&digits) { format!("{value:.*}", digits as usize) } else { format!("{value:.5e}") }
}

/// Four decimals, with an exponent where many digits would stand before them.
fn four_decimals(value: f64) -> String {
    if value.is_finite() && value.abs() >= 1e6 { format!("{value:.4e}") } else { format!("{value:.4}") }
}

/// Columns aligned: the first to the left, the rest to the right, the header's own alignment the same.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| rows.iter().filter_map(|row| row.get(c)).map(String::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (c, cell) in row.iter().enumerate() {
            let _ = match c {
                0 => write!(line, "  {cell:<width$}", width = widths[c]),
                _ => write!(line, "  {cell:>width$}", width = widths[c]),
            };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_significant_digits() {
        for (value, text) in
            [(51.289_999_9, "51.2900"), (0.0012345678, "0.00123457"), (123456789.0, "1.23457e8"), (0.0, "0")]
        {
            assert_eq!(significant(value), text);
        }
    }

    #[test]
    fn no_number_is_longer_than_its_digits() {
        for (value, text) in [(0.54321, "0.5432"), (-1.5e150, "-1.5000e150"), (f64::INFINITY, "inf")] {
            assert_eq!(four_decimals(value), text);
        }
    }

    #[test]
    fn the_verdict_is_that_of_the_numbers() {
        let row = |with_task| Comparison { loss: Loss::Squared, without_task: 1.0, with_task };
        let text = |with_task| comparisons(&[row(with_task)], Method::ActiveSet);
        assert!(text(0.5).contains("with task is smaller"));
        assert!(text(1.5).contains("with task is not smaller"));
        assert!(text(1.0).contains("with task is not smaller"));
    }

    #[test]
    fn comparisons_name_loss_and_method() {
        let row = Comparison { loss: Loss::Squared, without_task: 1.0, with_task: 0.5 };
        for (method, name) in [
            (Method::ActiveSet, "squared loss"),
            (Method::Homotopy, "squared loss by homotopy"),
            (Method::Error { error: 1e-150 }, "error (error 1e-150)"),
        ] {
            let text = comparisons(&[row], method);
            let rows: Vec<&str> = text.lines().filter(|line| line.contains("is smaller")).collect();
            assert!(rows.len() == 1 && rows[0].starts_with(&format!("  {name}  ")), "{text}");
        }
        let other = Comparison { loss: Loss::Huber { delta: 1e-5 }, ..row };
        assert_eq!(comparisons(&[row, other], Method::ActiveSet).matches("is smaller").count(), 2);
    }
}
