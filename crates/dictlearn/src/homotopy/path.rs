//! The whole regularisation path of one sample.

use super::{Homotopy, Quadratic, Stop};
use crate::active_set::CoderOptions;
use crate::error::Error;
use crate::lower::Problem;
use crate::method::Method;
use crate::samples::Samples;
use std::collections::BTreeMap;

/// A code at a multiplier of the l1 norm.
#[derive(Clone, Debug, PartialEq)]
pub struct Kink {
    /// The multiplier `lambda`.
    pub regularization: f64,
    /// Atoms in use, ascending.
    pub support: Vec<u32>,
    /// Their coefficients.
    pub values: Vec<f64>,
}

/// The codes of a sample for every regularisation: `c(lambda)` is linear between kinks.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// Kinks in the order of the path, `regularization` falling strictly: from the smallest one with the code of all larger
    /// ones (without weights of 0: the code 0) to the one asked for.
    pub kinks: Vec<Kink>,
    /// Whether the last kink is at the regularization asked for.
    pub complete: bool,
}

impl Path {
    /// The code at `regularization`, between the two kinks around it; beyond the ends, the code at the end.
    pub fn at(&self, regularization: f64) -> Kink {
        let after = self.kinks.partition_point(|kink| kink.regularization > regularization);
        let (Some(low), true) = (self.kinks.get(after), after > 0) else {
            let none = Kink { regularization, support: Vec::new(), values: Vec::new() };
            let end = self.kinks.get(after).or(self.kinks.last());
            return end.map_or(none, |kink| Kink { regularization, ..kink.clone() });
        };
        let high = &self.kinks[after - 1];
        let share = (high.regularization - regularization) / (high.regularization - low.regularization);
        let mut mixed = BTreeMap::<u32, f64>::new();
        for (kink, factor) in [(high, 1.0 - share), (low, share)] {
            for (&j, &c) in kink.support.iter().zip(&kink.values) {
                *mixed.entry(j).or_default() += factor * c;
            }
        }
        mixed.retain(|_, c| *c != 0.0);
        let (support, values) = mixed.into_iter().unzip();
        Kink { regularization, support, values }
    }
}

/// The codes of `sample` (`d` entries, all observed) from the largest `lambda` down to `problem.lower.regularization`, for
///
/// `minimise 1/2 |x - D c|^2 + lambda sum_j w_j |c_j| + ridge/2 |c|^2`
///
/// with the ridge that the problem has at its own regularization, for all `lambda`. Of the options, `max_iterations`
/// counts: the most kinks. Cost: see [`crate::homotopy`].
///
/// ```
/// use dictlearn::active_set::CoderOptions;
/// use dictlearn::homotopy::regularization_path;
/// use dictlearn::loss::Loss;
/// use dictlearn::lower::{LowerLevel, Problem};
///
/// let atoms = faer::mat![[1.0, 0.0], [0.0, 1.0]];
/// let problem = Problem::new(LowerLevel::new(Loss::Squared, 0.0), atoms.as_ref());
/// let path = regularization_path(&problem, &[3.0, -1.0], CoderOptions::default())?;
/// let lambdas: Vec<f64> = path.kinks.iter().map(|kink| kink.regularization).collect();
/// assert_eq!(lambdas, [3.0, 1.0, 0.0]);
/// assert_eq!(path.at(0.5).values, [2.5, -0.5]);
/// # Ok::<(), dictlearn::error::Error>(())
/// ```
///
/// # Errors
/// If the loss is not squared, an option or the lower level is out of range, or the sample does not fit the dictionary.
pub fn regularization_path(problem: &Problem, sample: &[f64], options: CoderOptions) -> Result<Path, Error> {
    problem.lower.check()?;
    options.check()?;
    Method::Homotopy.check_problem(&problem.lower, problem.weights().is_some())?;
    Error::check_length("the sample", "features", sample.len(), problem.n_features(), "the dictionary")?;
    Samples::from(faer::MatRef::from_column_major_slice(sample, sample.len(), 1)).check()?;
    let quadratic = Quadratic::of(problem).expect("the loss was checked to be squared");
    let mut kinks: Vec<Kink> = Vec::new();
    let mut keep = |state: &Homotopy| {
        let regularization = state.multiplier();
        if kinks.last().is_some_and(|last| last.regularization <= regularization) {
            kinks.pop();
        }
        let code = state.code(problem.n_components());
        let (support, values) = code.into_iter().map(|(j, c)| (j as u32, c)).unzip();
        kinks.push(Kink { regularization, support, values });
    };
    let stop = Stop::Multiplier(problem.lower.regularization);
    let mut homotopy = Homotopy::default();
    let complete = homotopy.run(&quadratic, sample, stop, options.max_iterations, &mut keep);
    Ok(Path { kinks, complete })
}
