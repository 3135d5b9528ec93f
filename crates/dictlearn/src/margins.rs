//! Margins: how far the atoms off a support are from joining it, carried from one coding of the samples to the next.
//!
//! Of a sample with residual `r` the atoms are its support, a short list, and the rest, on which `|d_j . r| <= lambda -
//! slack` (for non-negative codes `d_j . r`; atoms over their weights). When the dictionary has moved a little and the
//! support has a new solution with residual `r'`,
//! `|d'_j . r'| <= |d_j . r| + max_j |d'_j - d_j| |r| + max_j |d'_j| |r' - r|`:
//! while the slack is not used up, the list has to be looked at and nothing else. Cost: `2 s d` for `r' - r` and `2 d` an
//! atom of the list, in place of `2 k d`. Memory: some 20 numbers a sample.

use crate::codes::Codes;
use crate::loss::Loss;
use crate::lower::Problem;

/// Entries of a dictionary from which margins save more than they cost: measured on patches, 64 to 4096 atoms.
const PAYING: usize = 1 << 16;

/// Whether margins are worth their while: the block coder alone has them.
pub(crate) fn pay(problem: &Problem) -> bool {
    problem.lower.loss == Loss::Squared && problem.n_features() * problem.n_components() >= PAYING
}

/// Margins of many samples.
#[derive(Clone, Debug, Default)]
pub(crate) struct Margins {
    slack: Vec<f64>,
    /// The end of each sample's list.
    ends: Vec<usize>,
    atoms: Vec<u32>,
}

impl Margins {
    /// Appends those of the next sample, in the unit of the scaled sample.
    pub fn push(&mut self, slack: f64, atoms: &[u32]) {
        self.slack.push(slack);
        self.atoms.extend_from_slice(atoms);
        self.ends.push(self.atoms.len());
    }

    /// Appends the samples of `other`.
    pub fn append(&mut self, other: &Self) {
        let offset = self.atoms.len();
        self.slack.extend_from_slice(&other.slack);
        self.atoms.extend_from_slice(&other.atoms);
        self.ends.extend(other.ends.iter().map(|end| end + offset));
    }

    /// Slack and list of a sample; a slack of minus infinity where none is known.
    pub fn of(&self, row: usize) -> (f64, &[u32]) {
        match self.ends.get(row) {
            Some(&end) => {
                let start = if row == 0 { 0 } else { self.ends[row - 1] };
                (self.slack[row], &self.atoms[start..end])
            }
            None => (f64::NEG_INFINITY, &[]),
        }
    }
}

/// Where a coding begins, and whether it notes its margins.
#[derive(Clone, Copy, Default)]
pub(crate) struct Warm<'a> {
    /// One code a sample.
    pub codes: Option<&'a Codes>,
    pub earlier: Option<Earlier<'a>>,
    pub note: bool,
}

/// The coding that gave [`Warm::codes`]: of the same samples, by the same lower level with the same weights.
#[derive(Clone, Copy)]
pub(crate) struct Earlier<'a> {
    pub problem: &'a Problem,
    pub margins: &'a Margins,
    /// `max_j |d'_j - d_j| / w_j`.
    pub moved: f64,
}

impl<'a> Earlier<'a> {
    /// With how far the atoms have moved since. Cost `k d`.
    pub fn new(problem: &'a Problem, margins: &'a Margins, now: &Problem) -> Self {
        let atoms = 0..now.n_components();
        let distance = |a: &[f64], b: &[f64]| {
            let squares: f64 = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
            squares.sqrt()
        };
        let moves = atoms.map(|j| distance(problem.atom(j), now.atom(j)) / now.weight(j));
        Self { problem, margins, moved: moves.fold(0.0, f64::max) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::active_set::CoderOptions;
    use crate::coder::{Coded, encode_checked};
    use crate::lower::LowerLevel;
    use faer::MatRef;

    const D: usize = 24;
    const K: usize = 300;
    const N: usize = 150;

    /// Dictionary after dictionary, each a step of relative size `step` from the one before.
    fn walk(step: f64, count: usize) -> Vec<Vec<f64>> {
        let mut atoms = testkit::unit_columns(D, K, 71);
        // Two atoms all but equal, and one that no sample needs.
        let (first, rest) = atoms.split_at_mut(D);
        rest[..D].copy_from_slice(first);
        rest[0] += 1e-9;
        rest[D..2 * D].iter_mut().for_each(|v| *v *= 1e-3);
        (0..count)
            .map(|i| {
                let noise = testkit::normal_vector(D * K, 72 + i as u64);
                atoms.iter_mut().zip(noise).for_each(|(a, noise)| *a += step * noise / (D as f64).sqrt());
                atoms.clone()
            })
            .collect()
    }

    fn problem(atoms: &[f64], lower: LowerLevel, weights: Option<&[f64]>) -> Problem {
        let problem = Problem::new(lower, MatRef::from_column_major_slice(atoms, D, K));
        match weights {
            Some(weights) => problem.with_weights(weights).expect("positive weights"),
            None => problem,
        }
    }

    fn code(problem: &Problem, samples: &[f64], warm: Warm<'_>) -> (Coded, Margins) {
        let samples = MatRef::from_column_major_slice(samples, D, N).into();
        encode_checked(problem, samples, Warm { note: true, ..warm }, CoderOptions::default())
    }

    #[test]
    fn codes_and_certificates_are_the_same_with_and_without_margins() {
        let samples = testkit::unit_columns(D, N, 70);
        let weights: Vec<f64> = (0..K).map(|j| 0.5 + (j % 9) as f64 / 4.0).collect();
        for (non_negative, ridge, weights) in [
            (false, 0.0, None),
            (true, 0.0, None),
            (false, 0.1, Some(&weights[..])),
            (true, 0.0, Some(&weights)),
        ] {
            let lower =
                LowerLevel { non_negative, l2_regularization: ridge, ..LowerLevel::new(Loss::Squared, 0.25) };
            for step in [1e-4, 1e-3, 1e-2] {
                let mut last: Option<(Problem, Coded, Margins)> = None;
                for atoms in walk(step, 6) {
                    let now = problem(&atoms, lower, weights);
                    let warm = last.as_ref().map_or(Warm::default(), |(problem, coded, margins)| Warm {
                        codes: Some(&coded.codes),
                        earlier: Some(Earlier::new(problem, margins, &now)),
                        note: true,
                    });
                    let (coded, margins) = code(&now, &samples, warm);
                    let (plain, _) = code(&now, &samples, Warm { earlier: None, ..warm });
                    assert!(coded.codes == plain.codes, "codes differ, step {step}");
                    assert_eq!(coded.report, plain.report, "step {step}");
                    let (cold, _) = code(&now, &samples, Warm::default());
                    assert!(cold.codes == plain.codes, "cold codes differ, step {step}");
                    last = Some((now, coded, margins));
                }
                let (_, _, margins) = last.expect("six dictionaries");
                let known = (0..N).filter(|&i| margins.of(i).0 > 0.0).count();
                assert!(known > N / 2, "{known} margins of {N}");
            }
        }
    }

    /// The product is skipped indeed: margins that lie are believed.
    #[test]
    fn what_margins_rule_out_is_not_looked_at() {
        let samples = testkit::unit_columns(D, N, 70);
        let (lower, walk) = (LowerLevel::new(Loss::Squared, 0.25), walk(0.1, 2));
        let (before, now) = (problem(&walk[0], lower, None), problem(&walk[1], lower, None));
        let (coded, honest) = code(&before, &samples, Warm::default());
        let mut lies = Margins::default();
        (0..N).for_each(|_| lies.push(1e6, &[]));
        for (margins, same) in [(&honest, true), (&lies, false)] {
            let earlier = Some(Earlier::new(&before, margins, &now));
            let warm = Warm { codes: Some(&coded.codes), earlier, note: true };
            let (found, _) = code(&now, &samples, warm);
            let (plain, _) = code(&now, &samples, Warm::default());
            // Bounds on the gap may differ, warm and cold, by what is rounding.
            assert_eq!(found.codes == plain.codes, same);
        }
    }
}
