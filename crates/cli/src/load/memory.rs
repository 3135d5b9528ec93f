//! Whether memory is likely to hold what the shapes ask for, so that a slip of the finger ends in an error and not in a
//! machine without memory.
//!
//! | what | entries of 8 bytes |
//! |---|---|
//! | copies of the dictionary, atoms padded to chunks | 5 `k d`, with steps 10 `k d`, with a task 13 `k d` |
//! | Newton's system and its factor, for a head on `m` features | 2 `(m + 1)^2`, `m` the larger of `k` and `d` |
//! | `n` dense codes, and the same row by row | 2 `k n` |
//!
//! The copies were counted by the growth of whole runs with `k`. Samples with missing features take one more a thread.

use super::{LoadError, Raw};
use crate::config::Experiment;
use crate::config::experiment::CodesFormat;
use dictlearn::dictionary::MOST_ENTRIES;
use linalg::simd::padded;

/// Refuses what would take more than [`MOST_ENTRIES`], before any of it is allocated.
pub(super) fn check(raw: &Raw, experiment: &Experiment) -> Result<(), LoadError> {
    let (d, n, k) = (raw.samples.nrows(), raw.samples.ncols(), experiment.dictionary.n_components);
    let check = |entries: usize, what: String, remedy: String| {
        let origin = raw.origin.clone();
        if entries <= MOST_ENTRIES {
            Ok(())
        } else {
            Err(LoadError::Memory { origin, what, entries, remedy })
        }
    };
    let copies = match (&experiment.task, experiment.learns()) {
        (Some(_), _) => 13,
        (None, true) => 10,
        (None, false) => 5,
    };
    let most = MOST_ENTRIES / (copies * padded(d));
    check(
        k.saturating_mul(copies * padded(d)),
        format!(
            "{copies} copies of dictionary.n_components = {k} atoms of {} entries ({d} and padding)",
            padded(d)
        ),
        format!("lower dictionary.n_components to at most {most}"),
    )?;
    if raw.labels.is_some() && !raw.held_out.is_empty() {
        let (features, remedy) = if k > d {
            (format!("dictionary.n_components = {k} atoms"), "lower dictionary.n_components")
        } else {
            (format!("{d} features"), "take fewer features")
        };
        let square = (k.max(d) + 1).saturating_mul(k.max(d) + 1);
        let alternative =
            if experiment.test_fraction() > 0.0 { ", or hold out no samples: test_fraction = 0" } else { "" };
        check(
            square.saturating_mul(2),
            format!("the two square matrices of a head on {features}, to be scored on held-out samples,"),
            format!("{remedy} to at most {}{alternative}", (MOST_ENTRIES / 2).isqrt() - 1),
        )?;
    }
    if experiment.codes == CodesFormat::Dense {
        check(
            k.saturating_mul(n).saturating_mul(2),
            format!("two copies of {n} dense codes by dictionary.n_components = {k} atoms"),
            "write sparse codes: output.codes = \"csr\"".to_owned(),
        )?;
    }
    Ok(())
}
