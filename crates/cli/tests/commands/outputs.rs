//! The files of a run against each other and against the mathematics: `x ~ D c`, one row of `codes.npz` a sample.
//!
//! For the loss `phi` with slopes `phi'`, residual `r = x - D c` (0 where features are missing), ridge `rho` and l1 weight
//! `lambda w_j`: `g_j = d_j . phi'(r) - rho c_j` equals `lambda w_j sign(c_j)` on the support and `|g_j|` (for non-negative
//! codes `g_j`) is at most `lambda w_j` elsewhere.

use cli::config::Experiment;
use cli::config::experiment::Unsupervised;
use cli::load::{Data, Part, load};
use dictlearn::coder::encode;
use dictlearn::codes::Codes;
use dictlearn::dictionary::{Constraint, coherence};
use dictlearn::lower::{LowerLevel, Problem};
use faer::{Mat, MatRef};
use linalg::columns::{column, dot, norm};
use testkit::{assert_close, assert_slices_close};

use crate::lab::{Lab, config};
use crate::results::Results;

#[test]
fn of_every_loss_and_constraint() {
    for (name, more) in [
        ("squared", &[][..]),
        ("abs", &[]),
        ("huber", &["dictionary.constraint='unit_ball'"]),
        ("sphere", &["learn.objective='full'", "coding.l2_regularization=0.02"]),
        (
            "sphere",
            &["data.synthetic.test_fraction=0.3", "data.preprocessing={ center = true, unit_norm = true }"],
        ),
    ] {
        let sets: Vec<&str> = more.iter().flat_map(|set| ["--set", *set]).collect();
        consistent(&Lab::with(&config(name)).results(&sets));
    }
}

/// Missing features, non-negative codes, weighted atoms and Huber's loss at once, with a task.
#[test]
fn of_missing_features_and_weighted_atoms() {
    let weights: Vec<f64> = (0..24).map(|j| 0.5 + f64::from(j % 5) / 4.0).collect();
    let weights = format!("coding.weights={weights:?}");
    let more = ["task.logistic.l2=0.1", "task.learn.max_iterations=20", "data.preprocessing.center=true"];
    for constraint in ["unit_sphere", "unit_ball"] {
        let constraint = format!("dictionary.constraint={constraint}");
        let sets = [&more[..], &[weights.as_str(), constraint.as_str()]].concat();
        let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", *set]).collect();
        let results = Lab::with(&config("missing")).results(&sets);
        consistent(&results);
        assert!(results.number("/shapes/n_missing") > 3000.0);
    }
}

#[test]
fn dense_codes_are_the_sparse_ones() {
    let lab = Lab::with(&config("squared"));
    let sparse = lab.results(&[]).codes().to_dense_columns();
    let dense = lab.results(&["--set", "output.codes='dense'", "--force"]);
    assert!(!dense.files.contains_key("codes.npz"), "the file of the earlier run is gone");
    let array = dense.array("codes.npy");
    assert_eq!((array.rows, array.columns), (74, 7));
    assert_slices_close(
        &array.data,
        &(0..74).flat_map(|i| column(sparse.as_ref(), i).to_vec()).collect::<Vec<_>>(),
        0.0,
        0.0,
    );
    let none = lab.results(&["--set", "output.codes='none'", "--force"]);
    assert!(none.names().iter().all(|name| !name.starts_with("codes")));
}

#[test]
fn without_a_task_there_are_no_files_of_one() {
    let lab = Lab::with(&config("squared"));
    lab.results(&[]);
    let text = config("squared");
    lab.write("test.toml", text.split("# With the task").next().unwrap().as_bytes());
    let results = lab.results(&["--force"]);
    let expected = ["codes.npz", "config.toml", "dictionary.npy", "history.csv", "summary.json"];
    assert_eq!(results.names(), expected);
    assert!(results.summary()["with_task"].is_null());
    assert!(results.history().iter().all(|(stage, _)| *stage == "learn"));
}

/// Asserts everything that must hold between the files of a run with a task.
pub fn consistent(results: &Results) {
    let experiment = results.experiment();
    let data = load(&experiment).unwrap();
    let training = &data.training;
    let without_task = results.dictionary("dictionary_without_task.npy");
    let dictionary = results.dictionary("dictionary.npy");
    for dictionary in [&without_task, &dictionary] {
        assert_eq!(dictionary.nrows(), training.samples.nrows());
        assert_eq!(dictionary.ncols(), experiment.dictionary.n_components);
        in_its_set(experiment.dictionary.constraint, dictionary.as_ref());
    }
    let codes = results.codes();
    for part in [Some(training), data.held_out.as_ref()].into_iter().flatten() {
        solved(&experiment, &data, dictionary.as_ref(), part, &codes.select(&part.rows));
    }
    let fitted = codes.select(&training.rows);
    summary_of_codes(results, "/with_task", dictionary.as_ref(), training, &fitted);
    task(results, &experiment, training, &fitted);
    let before = encoded(&experiment, &data, without_task.as_ref(), training);
    summary_of_codes(results, "/without_task", without_task.as_ref(), training, &before);
    let objective = unsupervised(&experiment, &data, without_task.as_ref(), &before);
    assert_close(results.number("/without_task/objective"), objective, 1e-9, 0.0);
    assert_close(results.number("/coherence"), coherence(dictionary.as_ref()), 1e-12, 0.0);
    history(results, &data);
}

fn in_its_set(constraint: Constraint, dictionary: MatRef<'_, f64>) {
    let norms: Vec<f64> = (0..dictionary.ncols()).map(|j| norm(column(dictionary, j))).collect();
    match constraint {
        Constraint::UnitSphere => norms.iter().for_each(|&n| assert_close(n, 1.0, 1e-14, 0.0)),
        Constraint::UnitBall => assert!(norms.iter().all(|&n| n <= 1.0 + 1e-14), "{norms:?}"),
        Constraint::FrobeniusSphere => assert_close(norm(&norms), 1.0, 1e-14, 0.0),
    }
}

/// Residuals of a part of the samples, one column a sample; 0 where features are missing.
fn residuals(dictionary: MatRef<'_, f64>, part: &Part, codes: &Codes) -> Mat<f64> {
    let at = |t: usize, i: usize| codes.row(i).iter().map(|(j, c)| c * dictionary[(t, j)]).sum::<f64>();
    Mat::from_fn(dictionary.nrows(), codes.n_samples(), |t, i| match part.samples[(t, i)] {
        x if x.is_nan() => 0.0,
        x => x - at(t, i),
    })
}

/// The codes satisfy the optimality conditions and are those of the library.
fn solved(experiment: &Experiment, data: &Data, dictionary: MatRef<'_, f64>, part: &Part, codes: &Codes) {
    let LowerLevel { loss, regularization, non_negative, .. } = experiment.coding.lower;
    let tolerance = 2.0 * experiment.coding.options.tolerance * regularization;
    let residuals = residuals(dictionary, part, codes);
    let dense = codes.to_dense_columns();
    for i in 0..codes.n_samples() {
        let slopes: Vec<f64> = column(residuals.as_ref(), i).iter().map(|&r| loss.slope(r)).collect();
        for (j, &c) in column(dense.as_ref(), i).iter().enumerate() {
            let g = dot(column(dictionary, j), &slopes) - experiment.coding.lower.ridge() * c;
            let threshold = regularization * data.atom_weights.as_ref().map_or(1.0, |weights| weights[j]);
            let size = if non_negative { g } else { g.abs() };
            let violation = if c == 0.0 {
                (size - threshold).max(0.0)
            } else {
                assert!(c > 0.0 || !non_negative, "sample {i}, atom {j}, code {c}");
                (g - threshold * c.signum()).abs()
            };
            assert!(violation <= tolerance, "sample {i}, atom {j}, code {c}: {violation:e} > {tolerance:e}");
        }
    }
    let again = encoded(experiment, data, dictionary, part).to_dense_columns();
    let scale = codes.values().iter().fold(0.0_f64, |largest, c| largest.max(c.abs()));
    for i in 0..codes.n_samples() {
        assert_slices_close(column(dense.as_ref(), i), column(again.as_ref(), i), 0.0, 1e-7 * scale);
    }
}

fn problem(experiment: &Experiment, data: &Data, dictionary: MatRef<'_, f64>) -> Problem {
    let problem = Problem::new(experiment.coding.lower, dictionary);
    match &data.atom_weights {
        Some(weights) => problem.with_weights(weights).unwrap(),
        None => problem,
    }
}

fn encoded(experiment: &Experiment, data: &Data, dictionary: MatRef<'_, f64>, part: &Part) -> Codes {
    let problem = problem(experiment, data, dictionary);
    encode(&problem, part.view(), None, experiment.coding.options).unwrap().codes
}

/// Nonzeros and explained variance, `1 - |X - D C|^2 / |X - mean|^2`, are those of the codes.
fn summary_of_codes(results: &Results, stage: &str, dictionary: MatRef<'_, f64>, part: &Part, codes: &Codes) {
    let n = codes.n_samples();
    let nonzeros = codes.nnz() as f64 / n as f64;
    assert_close(results.number(&format!("{stage}/nonzeros_per_sample")), nonzeros, 1e-14, 0.0);
    let residuals = residuals(dictionary, part, codes);
    let square = |x: f64| x * x;
    let (mut unexplained, mut total) = (0.0, 0.0);
    for t in 0..dictionary.nrows() {
        let observed: Vec<f64> = (0..n).map(|i| part.samples[(t, i)]).filter(|x| !x.is_nan()).collect();
        let mean = observed.iter().sum::<f64>() / observed.len() as f64;
        unexplained += (0..n).map(|i| square(residuals[(t, i)])).sum::<f64>();
        total += observed.iter().map(|x| square(x - mean)).sum::<f64>();
    }
    let explained = 1.0 - unexplained / total;
    assert_close(results.number(&format!("{stage}/explained_variance")), explained, 0.0, 1e-9);
}

/// The loss of the head of `task_weights.npy` on the codes, `sum_i log(1 + exp(z_i)) - y_i z_i`, and its ridge.
fn task(results: &Results, experiment: &Experiment, training: &Part, codes: &Codes) {
    let head = results.vector("task_weights.npy");
    let (intercept, weights) = head.split_last().unwrap();
    assert_eq!(weights.len(), experiment.dictionary.n_components);
    let labels = training.labels.as_deref().unwrap();
    let scores = codes.rows().map(|code| code.dot(weights) + intercept);
    let loss: f64 = scores.zip(labels).map(|(z, y)| z.max(0.0) + (-z.abs()).exp().ln_1p() - y * z).sum();
    let options = experiment.task.as_ref().unwrap().logistic;
    let intercept = if options.penalize_intercept { *intercept } else { 0.0 };
    let ridge = 0.5 * options.l2 * (dot(weights, weights) + intercept * intercept);
    let summary = results.summary();
    let configured = summary["task_losses"].as_array().unwrap().last().unwrap();
    assert_close(configured["with_task"].as_f64().unwrap(), loss, 1e-9, 0.0);
    assert_close(results.number("/with_task/objective"), loss + ridge, 1e-9, 0.0);
}

fn unsupervised(experiment: &Experiment, data: &Data, dictionary: MatRef<'_, f64>, codes: &Codes) -> f64 {
    let lower = experiment.coding.lower;
    let residuals = residuals(dictionary, &data.training, codes);
    let fit: f64 = (0..codes.n_samples()).map(|i| lower.loss.sum(column(residuals.as_ref(), i))).sum();
    match experiment.learn.objective {
        Unsupervised::Reconstruction => fit,
        Unsupervised::Full => {
            let problem = problem(experiment, data, dictionary);
            fit + codes.rows().map(|code| problem.penalty(code)).sum::<f64>()
        }
    }
}

/// One line a step, counted from 1 in each stage, time ascending, and as many steps as the summary says.
fn history(results: &Results, data: &Data) {
    let rows = results.history();
    for (stage, pointer) in [("learn", "/without_task/steps"), ("task", "/with_task/steps")] {
        let iterations: Vec<f64> = rows.iter().filter(|(s, _)| *s == stage).map(|(_, n)| n[0]).collect();
        let expected: Vec<f64> = (1..=results.number(pointer) as usize).map(|i| i as f64).collect();
        assert_eq!(iterations, expected);
    }
    let seconds: Vec<f64> = rows.iter().map(|(_, numbers)| numbers[9]).collect();
    assert!(seconds.is_sorted() && seconds.last() <= Some(&results.number("/seconds")));
    let columns = cli::results::HISTORY_COLUMNS.split(',').count();
    assert!(rows.iter().all(|(_, numbers)| numbers.len() + 1 == columns));
    let held_out = data.held_out.as_ref().map_or(0, |part| part.rows.len());
    assert_eq!(results.number("/shapes/n_held_out") as usize, held_out);
    assert_eq!(results.codes().n_samples(), held_out + data.training.rows.len());
}
