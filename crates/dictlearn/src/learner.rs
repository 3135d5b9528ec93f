//! The bilevel learner: a dictionary (and the head of a task) by descent through the codes.
//!
//! `minimise over (D, w, b) of F(D, w, b)` for `D` in the constraint set, `F` the [`Objective`] at the exact codes of `D`.
//! Methods: proximal gradient with backtracking, the projection being the prox; Adam or SGD on all samples or on
//! mini-batches, with a projection after each step or at the end. Cost: one coding pass for each value, one coding pass
//! and `8 s d` flops a sample for each gradient; a line search takes one value more for each halving.
//! Same data, options and seed give the same bits for any number of threads.

use crate::active_set::CoderOptions;
use crate::batches::Batches;
use crate::coder::{Coded, CodingReport};
use crate::dictionary::{Constraint, DictionaryProx};
use crate::error::{Error, InvalidOption};
use crate::lower::{LowerLevel, Problem};
use crate::objective::{Objective, TrainingData, UpperObjective};
use crate::task::Head;
use faer::{Mat, MatRef};
use linalg::columns::{column, norm};
use prox::Prox;
use solvers::Smooth;
use solvers::adam::{Adam, AdamState};
use solvers::proximal_gradient::ProximalGradient;
use solvers::schedule::Schedule;
use solvers::sgd::{Sgd, SgdState};
use solvers::step_rule::StepRule;
use std::ops::ControlFlow;

/// When Adam and SGD put the dictionary back into its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Project {
    /// After every step.
    EachStep,
    /// Once, after the last step; codes come from the raw dictionary until then.
    AtEnd,
}

/// The method of the upper level.
#[derive(Clone, Debug, PartialEq)]
pub enum Optimizer {
    /// (Accelerated) proximal gradient with backtracking; the constraint is the prox. All samples at each step.
    ProximalGradient {
        /// Nesterov momentum.
        acceleration: bool,
        /// Restart of the momentum when it points uphill.
        restart: bool,
        /// First step size, positive.
        initial_step: f64,
        /// Largest number of halvings per line search.
        max_halvings: u32,
    },
    /// Adam, with steps by the schedule.
    Adam(Adam),
    /// Stochastic gradient descent with momentum, with steps by the schedule.
    Sgd(Sgd),
}

/// How an upper level is descended.
#[derive(Clone, Debug, PartialEq)]
pub struct DescentOptions {
    /// The method.
    pub optimizer: Optimizer,
    /// Largest number of steps (mini-batch steps where there is a batch size).
    pub max_iterations: usize,
    /// Stop when `|x - P(x - t grad F(x))| / t <= tolerance (1 + |x|)`, `x` all variables, `P` the projection, `t` the
    /// step in force. 0, and any mini-batch run, takes all steps.
    pub tolerance: f64,
    /// Samples per step, for Adam and SGD; `None` takes all.
    pub batch_size: Option<usize>,
    /// When the dictionary is projected, for Adam and SGD.
    pub project: Project,
}

/// Why a descent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The tolerance was reached.
    Converged,
    /// All steps were taken.
    MaxIterations,
    /// The objective or the variables are no longer finite; the result is the last point with finite variables (its own
    /// objective may be infinite).
    Diverged,
    /// The observer asked to stop.
    Stopped,
}

/// One step of a descent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record {
    /// Counted from 1.
    pub iteration: usize,
    /// The objective: after the step for proximal gradient, before it (and of the scaled batch) for Adam and SGD.
    pub objective: f64,
    /// Step size of the step.
    pub step: f64,
    /// Mean number of nonzeros per code where the objective was taken.
    pub nonzeros: f64,
    /// `1 - |X - C D|^2 / |X - mean|^2` there.
    pub explained_variance: f64,
    /// Certificate of the codes there.
    pub coding: CodingReport,
    /// Samples with a singular implicit system in the last gradient.
    pub rank_deficient: usize,
}

/// What an observer sees after each step.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// The step.
    pub record: &'a Record,
    /// The dictionary after it, `d x k` (not projected where that waits for the end).
    pub dictionary: MatRef<'a, f64>,
    /// The head after it, for a task.
    pub head: Option<&'a Head>,
}

/// Called after each step; `ControlFlow::Break` stops the descent.
pub type Observer<'a> = dyn FnMut(Progress<'_>) -> ControlFlow<()> + 'a;

/// A learned dictionary.
#[derive(Clone, Debug)]
pub struct Learned {
    /// Dictionary, `d x k`, in its set.
    pub dictionary: Mat<f64>,
    /// Head, for a task.
    pub head: Option<Head>,
    /// Why the descent ended.
    pub status: Status,
    /// The steps.
    pub history: Vec<Record>,
    /// Objective of the result over all samples.
    pub objective: f64,
    /// `1 - |X - C D|^2 / |X - mean|^2` of the result; not finite where all samples are equal.
    pub explained_variance: f64,
    /// Codes of all samples under the result.
    pub coded: Coded,
}

/// The lower level and the constraint: all that does not change from one descent to the next.
#[derive(Clone, Debug, PartialEq)]
pub struct Learner {
    /// Loss and penalty of the codes.
    pub lower: LowerLevel,
    /// Weights of the l1 norm, one an atom, finite and not negative; none: all 1.
    pub weights: Option<Vec<f64>>,
    /// How far codes are solved.
    pub coder: CoderOptions,
    /// The set in which the dictionary lives.
    pub constraint: Constraint,
}

impl Learner {
    /// The lower level with this dictionary (`d x k`).
    ///
    /// # Errors
    /// If the weights are not one an atom, or one of them is negative or not finite.
    pub fn problem(&self, dictionary: MatRef<'_, f64>) -> Result<Problem, Error> {
        let problem = Problem::new(self.lower, dictionary);
        match &self.weights {
            Some(weights) => problem.with_weights(weights),
            None => Ok(problem),
        }
    }

    /// Minimises `objective` from `dictionary` (`d x k`, used as it is) and a zero head.
    ///
    /// # Errors
    /// Options out of range, a coder whose codes do not minimise the lower level (see [`crate::method`]), data that cannot
    /// be learned from, a dictionary of another number of features or one that the constraint cannot take, weights that
    /// are not one an atom. Not converging and diverging are values: see [`Learned::status`].
    pub fn learn(
        &self,
        data: TrainingData<'_>,
        dictionary: MatRef<'_, f64>,
        objective: Objective,
        options: &DescentOptions,
        seed: u64,
        observer: &mut Observer<'_>,
    ) -> Result<Learned, Error> {
        self.lower.check()?;
        self.coder.check()?;
        self.coder.method.check_learning()?;
        self.coder.method.check_problem(&self.lower, false)?;
        options.check()?;
        data.check(objective)?;
        Error::check_length(
            "the dictionary",
            "features",
            dictionary.nrows(),
            data.samples.n_features(),
            "the samples",
        )?;
        InvalidOption::check(dictionary.ncols() > 0, "n_components", 0, "at least 1")?;
        Error::check_finite("the dictionary", dictionary)?;
        self.constraint.check(dictionary)?;
        // The weights fit.
        self.problem(dictionary)?;
        let k = dictionary.ncols();
        let upper = UpperObjective::new(data, self.lower, self.coder, objective, k)
            .with_atom_weights(self.weights.as_deref());
        let mut x: Vec<f64> = (0..k).flat_map(|j| column(dictionary, j).iter().copied()).collect();
        x.resize(upper.n_variables(), 0.0);
        let prox =
            DictionaryProx { constraint: self.constraint, n_features: dictionary.nrows(), n_components: k };
        let mut descent = Descent { upper, prox, options, observer, history: Vec::new(), x };
        let status = match &options.optimizer {
            Optimizer::ProximalGradient { .. } => descent.proximal_gradient(),
            Optimizer::Adam(adam) => {
                let mut state = AdamState::new(descent.x.len());
                descent.first_order(seed, adam.schedule, |x, g| adam.advance(&mut state, x, g))
            }
            Optimizer::Sgd(sgd) => {
                let mut state = SgdState::new(descent.x.len());
                descent.first_order(seed, sgd.schedule, |x, g| sgd.advance(&mut state, x, g))
            }
        };
        Ok(descent.finish(status))
    }
}

impl DescentOptions {
    /// Whether every option is in its range.
    ///
    /// # Errors
    /// Names the option, its value and the accepted range.
    pub fn check(&self) -> Result<(), Error> {
        let tolerance = self.tolerance >= 0.0 && self.tolerance.is_finite();
        InvalidOption::check(tolerance, "tolerance", self.tolerance, "a finite number that is not negative")?;
        if let Some(size) = self.batch_size {
            InvalidOption::check(size > 0, "batch_size", size, "at least 1")?;
        }
        match &self.optimizer {
            Optimizer::ProximalGradient { .. } => {
                let size = self.batch_size.unwrap_or(0);
                let accepted = "none with proximal_gradient, which takes all samples: use adam or sgd";
                InvalidOption::check(self.batch_size.is_none(), "batch_size", size, accepted)?;
                self.line_search().map_or(Ok(()), |solver| solver.check())?;
            }
            Optimizer::Adam(adam) => adam.check()?,
            Optimizer::Sgd(sgd) => sgd.check()?,
        }
        Ok(())
    }

    fn line_search(&self) -> Option<ProximalGradient> {
        let Optimizer::ProximalGradient { acceleration, restart, initial_step, max_halvings } =
            self.optimizer
        else {
            return None;
        };
        let step = StepRule::Backtracking { initial: initial_step, max_halvings, reset_below: 1e-6 };
        Some(ProximalGradient { acceleration, restart, step, ..ProximalGradient::default() })
    }
}

/// A descent under way.
struct Descent<'a, 'o> {
    upper: UpperObjective<'a>,
    prox: DictionaryProx,
    options: &'a DescentOptions,
    observer: &'a mut Observer<'o>,
    history: Vec<Record>,
    x: Vec<f64>,
}

impl Descent<'_, '_> {
    fn proximal_gradient(&mut self) -> Status {
        let solver = self.options.line_search().expect("called for proximal gradient only");
        let mut state = solver.start(&self.x);
        for _ in 0..self.options.max_iterations {
            solver.advance(&mut state, &mut self.upper, &self.prox);
            if state.diverged {
                return Status::Diverged;
            }
            self.x.copy_from_slice(&state.x);
            let value = state.value.expect("backtracking evaluates the point it accepts");
            if self.record(value, state.last_step).is_break() {
                return Status::Stopped;
            }
            if self.within_tolerance(state.violation) && self.converged(state.last_step) {
                return Status::Converged;
            }
        }
        Status::MaxIterations
    }

    /// Adam and SGD: `advance` moves the variables along a gradient.
    fn first_order(
        &mut self,
        seed: u64,
        schedule: Schedule,
        mut advance: impl FnMut(&mut [f64], &[f64]),
    ) -> Status {
        let n = self.upper.n_samples();
        let mut batches =
            self.options.batch_size.filter(|&size| size < n).map(|size| Batches::new(n, size, seed));
        let each_step = self.options.project == Project::EachStep;
        let mut gradient = vec![0.0; self.x.len()];
        let mut next = self.x.clone();
        for iteration in 0..self.options.max_iterations {
            if let Some(batches) = &mut batches {
                self.upper.set_batch(Some(batches.next_batch()));
            }
            let step = schedule.at(iteration as u64);
            let value = self.upper.value_and_gradient(&self.x, &mut gradient);
            if batches.is_none() && self.within_tolerance(self.mapping(&gradient, step)) {
                return Status::Converged;
            }
            advance(&mut next, &gradient);
            if each_step {
                self.prox.prox(&mut next, step);
            }
            if !value.is_finite() || next.iter().any(|v| !v.is_finite()) {
                return Status::Diverged;
            }
            self.x.copy_from_slice(&next);
            if self.record(value, step).is_break() {
                return Status::Stopped;
            }
        }
        Status::MaxIterations
    }

    /// `|x - P(x - t g)| / t`.
    fn mapping(&self, gradient: &[f64], step: f64) -> f64 {
        if self.options.tolerance == 0.0 {
            return f64::INFINITY;
        }
        let mut moved: Vec<f64> = self.x.iter().zip(gradient).map(|(x, g)| x - step * g).collect();
        self.prox.prox(&mut moved, step);
        moved.iter_mut().zip(&self.x).for_each(|(m, x)| *m -= x);
        norm(&moved) / step
    }

    fn within_tolerance(&self, mapping: f64) -> bool {
        self.options.tolerance > 0.0 && mapping <= self.options.tolerance * (1.0 + norm(&self.x))
    }

    /// The stopping rule at `x` itself, for one more gradient.
    fn converged(&mut self, step: f64) -> bool {
        let mut gradient = vec![0.0; self.x.len()];
        self.upper.value_and_gradient(&self.x, &mut gradient);
        self.within_tolerance(self.mapping(&gradient, step))
    }

    fn record(&mut self, objective: f64, step: f64) -> ControlFlow<()> {
        let seen = self.upper.last.as_ref().expect("a step evaluates the objective");
        let record = Record {
            iteration: self.history.len() + 1,
            objective,
            step,
            nonzeros: seen.coded.codes.nnz() as f64 / seen.coded.codes.n_samples() as f64,
            explained_variance: seen.explained_variance,
            coding: seen.coded.report,
            rank_deficient: seen.rank_deficient,
        };
        self.history.push(record);
        let (dictionary, head) = self.upper.unflatten(&self.x);
        (self.observer)(Progress { record: &record, dictionary, head: head.as_ref() })
    }

    /// Projects and evaluates the result over all samples.
    fn finish(mut self, status: Status) -> Learned {
        let at_end = !matches!(self.options.optimizer, Optimizer::ProximalGradient { .. })
            && self.options.project == Project::AtEnd
            && self.options.max_iterations > 0;
        if at_end {
            self.prox.prox(&mut self.x, 1.0);
        }
        self.upper.set_batch(None);
        let objective = self.upper.value(&self.x);
        let (dictionary, head) = self.upper.unflatten(&self.x);
        let dictionary = dictionary.to_owned();
        let seen = self.upper.last.take().expect("the objective was just evaluated at a finite point");
        Learned {
            dictionary,
            head,
            status,
            history: self.history,
            objective,
            explained_variance: seen.explained_variance,
            coded: seen.coded,
        }
    }
}
