//! Task-driven sparse dictionary learning by bilevel optimisation: exact codes, hypergradients, learner.
//!
//! Given samples `x_i` (`d`), find a dictionary `D` (`d x k`, atoms are columns) whose sparse codes `c*_i` (`k`) serve an
//! upper-level loss:
//!
//! ```text
//! upper:  minimise over D (and a head v, b)   F(D, v, b) = sum_i weight_i L_i(c*_i, D c*_i, x_i)
//! lower:  c*_i = argmin_c  sum_t phi((x_i - D c)_t)
//!                + regularization (sum_j w_j |c_j| + elastic_penalty/2 |c|^2) + l2_regularization/2 |c|^2
//!         (c >= 0 if asked for; the weights w_j of the l1 norm are 1 unless given)
//! ```
//!
//! Everything is a sum, never a mean: over the entries `t` of a residual and over the samples `i`. `phi` is one of the
//! losses of [`loss`]; `D` lives in a [`dictionary::Constraint`]. The lower level is solved to a KKT violation that is
//! returned with the codes; the gradient of `F` goes through the codes by implicit differentiation on their supports.
//! Not converging is a value in the result, misuse is an [`error::Error`]. Results are the same bits for any number of
//! threads.
//!
//! | module | what it is |
//! |---|---|
//! | [`learner`] | descends an objective over the dictionary: proximal gradient, Adam, SGD |
//! | [`evaluation`] | heads on fixed features: fit, ridge by cross-validation, scores |
//! | [`objective`] | the upper level as a function of its flattened variables |
//! | [`synthetic`] | signals with a planted dictionary |
//! | [`preprocessing`] | scale, centre and normalise samples |
//! | [`dictionary`] | first dictionaries, constraints, coherence, recovery |
//! | [`hypergradient`] | derivatives of any upper-level loss through the codes |
//! | [`task`] | the logistic task and its head |
//! | [`upper`] | upper-level losses: the trait, the reconstruction, the whole lower objective |
//! | [`coder`] | codes of all samples, with their certificate |
//! | [`certificate`] | how well codes solve their problems |
//! | [`homotopy`] | the code of one sample by following its regularisation path, and the whole path |
//! | [`omp`] | greedy codes: orthogonal matching pursuit |
//! | [`threshold`] | codes by thresholding correlations |
//! | [`coordinate_descent`] | the code of one sample, coordinate by coordinate |
//! | [`active_set`] | the code of one sample, for any loss |
//! | [`duality`] | duality gap of a code, support certificate |
//! | [`method`] | which code is meant, and how it is found |
//! | [`lower`] | the lower-level problem, what samples share |
//! | [`loss`] | losses of a residual entry |
//! | [`samples`] | samples as they come: `f64`, `f32` or sparse, with missing features |
//! | [`codes`] | sparse codes in compressed rows |
//! | [`phases`] | where the time of the block coder goes |
//! | [`random`] | one seed, independent streams |
//! | [`error`] | misuse, as values |
//!
//! Learn a dictionary from an array of one's own, then code it:
//!
//! ```
//! use dictlearn::active_set::CoderOptions;
//! use dictlearn::coder::encode;
//! use dictlearn::dictionary::{Constraint, Initialization};
//! use dictlearn::learner::{DescentOptions, Learner, Optimizer, Project};
//! use dictlearn::loss::Loss;
//! use dictlearn::lower::{LowerLevel, Problem};
//! use dictlearn::objective::{Objective, TrainingData};
//! use std::ops::ControlFlow;
//!
//! // A C-order array of shape (n = 4, d = 3): its rows are the columns of a 3 x 4 view, without a copy.
//! let array = [1.0, 0.1, 0.0, 0.9, 0.0, 0.1, 0.0, 1.0, 1.1, 0.1, 0.8, 1.0];
//! let samples = faer::MatRef::from_column_major_slice(&array, 3, 4);
//!
//! let lower =
//!     LowerLevel { elastic_penalty: 0.01, ..LowerLevel::new(Loss::Squared, 0.1) };
//! let coder = CoderOptions::default();
//! let learner = Learner { lower, weights: None, coder, constraint: Constraint::UnitSphere };
//! let descent = DescentOptions {
//!     optimizer: Optimizer::ProximalGradient {
//!         acceleration: true,
//!         restart: true,
//!         initial_step: 1.0,
//!         max_halvings: 30,
//!     },
//!     max_iterations: 200,
//!     tolerance: 1e-6,
//!     batch_size: None,
//!     project: Project::EachStep,
//! };
//! let start = Initialization::Svd.draw(samples, 2, 0)?;
//! let data = TrainingData { samples: samples.into(), labels: None, weights: None };
//! let mut watch = |_: dictlearn::learner::Progress<'_>| ControlFlow::Continue(());
//! let learned = learner.learn(data, start.as_ref(), Objective::Full, &descent, 0, &mut watch)?;
//! assert!(learned.explained_variance > 0.97);
//!
//! let problem = Problem::new(lower, learned.dictionary.as_ref());
//! let coded = encode(&problem, samples, None, CoderOptions::default())?;
//! assert_eq!(coded.report.not_converged, 0);
//! // The first two samples use one atom, the last two the other.
//! let supports: Vec<&[u32]> = coded.codes.rows().map(|code| code.support).collect();
//! assert_eq!(supports[0], supports[1]);
//! assert_eq!(supports[2], supports[3]);
//! # Ok::<(), dictlearn::error::Error>(())
//! ```

pub mod learner;
pub mod evaluation;
pub mod objective;
mod batches;
pub mod synthetic;
pub mod preprocessing;
pub mod dictionary;
pub mod hypergradient;
pub mod task;
pub mod upper;
pub mod coder;
mod gram;
mod methods;
pub mod certificate;
mod margins;
pub mod homotopy;
pub mod omp;
pub mod threshold;
pub mod coordinate_descent;
mod optimality;
pub mod active_set;
pub mod duality;
pub mod method;
pub mod lower;
pub mod loss;
pub mod samples;
pub mod codes;
pub mod phases;
pub mod random;
pub mod error;
