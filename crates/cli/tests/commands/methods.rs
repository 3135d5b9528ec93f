//! `coding.method` from the config to the files: each method's codes against what defines them, and learning with one
//! method while coding with another.
//!
//! `x_i` are the samples, `d_j` the atoms, `c_i` the codes as they lie in the files, `r_i = x_i - sum_j c_ij d_j`.

use std::path::Path;

use cli::config::experiment::Unsupervised;
use cli::config::{parse, to_toml};
use cli::load::{Data, load};
use dictlearn::codes::{Code, Codes};
use dictlearn::evaluation::{fit_head, score};
use dictlearn::task::Logistic;
use linalg::columns::{column, dot, norm};
use testkit::{assert_close, assert_slices_close};

use crate::bytes::{f8, npy};
use crate::lab::Lab;
use crate::results::Results;

const CONFIG: &str = "\
[data.file]
samples = \"x.npy\"
labels = \"y.npy\"
test_fraction = 0.25
[dictionary]
n_components = 9
init = { file = \"d.npy\" }
[coding]
tolerance = 1e-12
[learn]
max_iterations = 0
";

const N: usize = 32;
const D: usize = 6;
const K: usize = 9;

fn lab() -> Lab {
    let lab = Lab::with(CONFIG);
    let sine = |k: usize| ((7 * k + k * k / 5 + 1) as f64).sin();
    let values: Vec<f64> = (0..N * D).map(sine).collect();
    lab.write("x.npy", &npy("<f8", "False", &format!("({N}, {D})"), &f8(&values)));
    let labels: Vec<f64> =
        (0..N).map(|i| f64::from(u8::from(values[D * i] + 0.3 * values[D * i + 1] > 0.0))).collect();
    lab.write("y.npy", &npy("<f8", "False", &format!("({N},)"), &f8(&labels)));
    // Atoms of different lengths: no method may take them for unit vectors.
    let atoms: Vec<f64> = (0..K * D).map(|k| (0.5 + (k / D) as f64 / 4.0) * sine(1000 + k)).collect();
    lab.write("d.npy", &npy("<f8", "False", &format!("({K}, {D})"), &f8(&atoms)));
    lab
}

fn results(lab: &Lab, sets: &[&str]) -> Results {
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", *set]).collect();
    lab.results(&[&["--force"], &sets[..]].concat())
}

/// Samples, atoms and codes of a run, one entry a sample or an atom.
struct Coded {
    results: Results,
    data: Data,
    samples: Vec<Vec<f64>>,
    atoms: Vec<Vec<f64>>,
    codes: Codes,
}

impl Coded {
    #[track_caller]
    fn run(lab: &Lab, sets: &[&str]) -> Self {
        let results = results(lab, sets);
        let data = load(&results.experiment()).unwrap();
        let mut samples = vec![Vec::new(); N];
        for part in [Some(&data.training), data.held_out.as_ref()].into_iter().flatten() {
            let of = |i: usize| column(part.samples.as_ref(), i).to_vec();
            part.rows.iter().enumerate().for_each(|(i, &row)| samples[row] = of(i));
        }
        let dictionary = results.dictionary("dictionary.npy");
        let atoms = (0..K).map(|j| column(dictionary.as_ref(), j).to_vec()).collect();
        let codes = results.codes();
        assert_eq!((codes.n_samples(), codes.n_components()), (N, K));
        assert_eq!(results.number("/coding/not_converged"), 0.0);
        Self { results, data, samples, atoms, codes }
    }

    /// 0 where features are missing.
    fn residual(&self, i: usize) -> Vec<f64> {
        let mut residual = self.samples[i].clone();
        for (j, c) in self.codes.row(i).iter() {
            residual.iter_mut().zip(&self.atoms[j]).for_each(|(r, d)| *r -= c * d);
        }
        residual.iter_mut().filter(|r| r.is_nan()).for_each(|r| *r = 0.0);
        residual
    }

    fn correlations(&self, vector: &[f64]) -> Vec<f64> {
        self.atoms.iter().map(|atom| dot(atom, vector)).collect()
    }

    /// There is a multiplier `t >= 0` with `d_j . r = t w_j sign(c_j)` on the support and `abs(d_j . r) <= t w_j` off it.
    fn is_on_the_path(&self, i: usize, weights: &[f64; K]) {
        let g = self.correlations(&self.residual(i));
        let t = (0..K).map(|j| g[j].abs() / weights[j]).fold(0.0, f64::max);
        for (j, c) in self.codes.row(i).iter() {
            assert_close(g[j], t * weights[j] * c.signum(), 0.0, 1e-9);
        }
    }
}

const ONES: [f64; K] = [1.0; K];

#[test]
fn methods_of_the_lower_level_agree() {
    let lab = lab();
    // The ridge bounds how much a violation of 1e-12 moves a code.
    for more in [
        ["coding.regularization=0.2", "coding.l2_regularization=0.1", "learn.max_iterations=0"],
        ["coding.regularization=0.05", "coding.l2_regularization=0.05", "learn.max_iterations=4"],
    ] {
        let by =
            |method: &str| Coded::run(&lab, &[&more[..], &[&format!("coding.method={method}")]].concat());
        let expected = by("active_set");
        assert!(expected.codes.nnz() > 2 * N);
        assert!(expected.results.numbers() == results(&lab, &more).numbers(), "it is the default");
        for method in ["homotopy", "coordinate_descent"] {
            let found = by(method);
            assert_eq!(found.results.summary()["coding"]["method"], method);
            assert_eq!(found.results.summary()["without_task"]["coding"]["method"], method);
            for (atom, expected) in found.atoms.iter().zip(&expected.atoms) {
                assert_slices_close(atom, expected, 0.0, 1e-9);
            }
            for (code, expected) in found.codes.rows().zip(expected.codes.rows()) {
                assert_eq!(code.support, expected.support, "{method}");
                assert_slices_close(code.values, expected.values, 0.0, 1e-9);
            }
        }
    }
}

#[test]
fn pursuit_has_as_many_atoms_as_it_may() {
    let lab = lab();
    let one = Coded::run(&lab, &["coding.method.omp.n_nonzero=1"]);
    for i in 0..N {
        let (g, code) = (one.correlations(&one.samples[i]), one.codes.row(i));
        let score = |j: usize| g[j].abs() / norm(&one.atoms[j]);
        let best = (0..K).max_by(|&a, &b| score(a).total_cmp(&score(b))).unwrap();
        assert_eq!(code.support, [best as u32]);
        assert_close(code.values[0], g[best] / dot(&one.atoms[best], &one.atoms[best]), 1e-12, 0.0);
    }
    let three = Coded::run(&lab, &["coding.method.omp.n_nonzero=3"]);
    for i in 0..N {
        let (code, g) = (three.codes.row(i), three.correlations(&three.residual(i)));
        assert_eq!(code.support.len(), 3);
        assert!(code.support.contains(&one.codes.row(i).support[0]), "atoms stay");
        code.iter().for_each(|(j, _)| assert_close(g[j], 0.0, 0.0, 1e-12));
    }
    assert_eq!(three.results.number("/without_task/nonzeros_per_sample"), 3.0);
    // An error that all samples reach with some atoms, and fewer than that do not.
    let near = Coded::run(&lab, &["coding.method.omp.error=0.3"]);
    let both = Coded::run(&lab, &["coding.method={ omp = { error = 0.3, n_nonzero = 3 } }"]);
    let mut sizes = Vec::new();
    for i in 0..N {
        let residual = near.residual(i);
        assert!(dot(&residual, &residual) <= 0.3);
        let size = near.codes.row(i).support.len();
        let expected = if size < 3 { near.codes.row(i) } else { three.codes.row(i) };
        assert_eq!(both.codes.row(i).support, expected.support);
        sizes.push(size);
    }
    assert!(sizes.iter().any(|&size| size < 3) && sizes.iter().any(|&size| size > 3), "{sizes:?}");
}

#[test]
fn threshold_is_its_formula() {
    let found = Coded::run(
        &lab(),
        &["coding.method=threshold", "coding.regularization=0.5", "coding.l2_regularization=0.25"],
    );
    let dense = found.codes.to_dense_columns();
    for i in 0..N {
        for (j, g) in found.correlations(&found.samples[i]).into_iter().enumerate() {
            let expected = g.signum() * (g.abs() - 0.5).max(0.0) / 1.25;
            assert_close(dense[(j, i)], expected, 1e-13, 1e-13);
        }
    }
}

#[test]
fn the_ball_is_reached() {
    let lab = lab();
    let weights = [0.5, 1.0, 2.0, 1.0, 0.75, 1.5, 1.0, 1.25, 0.6];
    let listed = format!("coding.weights={weights:?}");
    for (weights, more) in [(ONES, &[][..]), (weights, &[listed.as_str()])] {
        let found = Coded::run(&lab, &[&["coding.method.l1_ball.radius=0.4"][..], more].concat());
        for i in 0..N {
            let l1: f64 = found.codes.row(i).iter().map(|(j, c)| weights[j] * c.abs()).sum();
            assert_close(l1, 0.4, 1e-11, 0.0);
            found.is_on_the_path(i, &weights);
        }
    }
}

#[test]
fn the_error_is_reached() {
    let found = Coded::run(&lab(), &["coding.method.error.error=2"]);
    let mut zero = 0;
    for i in 0..N {
        let (residual, energy) = (found.residual(i), dot(&found.samples[i], &found.samples[i]));
        assert_close(dot(&residual, &residual), energy.min(2.0), 1e-11, 0.0);
        zero += usize::from(energy <= 2.0);
        assert_eq!(found.codes.row(i).support.is_empty(), energy <= 2.0);
        found.is_on_the_path(i, &ONES);
    }
    assert!((1..N / 2).contains(&zero), "{zero}");
}

/// Codes that no descent goes through leave the descent as it is, and all that is reported is theirs.
#[test]
fn a_dictionary_is_learned_by_active_sets_and_coded_by_the_method() {
    let lab = lab();
    let weights: Vec<f64> = (0..N).map(|i| 0.5 + i as f64 / 16.0).collect();
    lab.write("w.npy", &npy("<f8", "False", &format!("({N},)"), &f8(&weights)));
    let shared = ["coding.regularization=0.1", "coding.l2_regularization=0.1", "data.file.weights=w.npy"];
    for (more, stage) in [
        (&["learn.max_iterations=4"][..], "/without_task"),
        (&["learn.max_iterations=2", "learn.objective=full"], "/without_task"),
        (&["task.learn.max_iterations=4", "task.logistic.l2=0.1", "task.learn.adam.step=0.05"], "/with_task"),
    ] {
        let sets = [&shared[..], more].concat();
        let lasso = results(&lab, &sets);
        let found = Coded::run(&lab, &[&sets[..], &["coding.method.omp.n_nonzero=2"]].concat());
        for file in ["dictionary.npy", "dictionary_without_task.npy", "task_weights.npy"] {
            assert!(found.results.files.get(file) == lasso.files.get(file), "{file}");
        }
        assert!(found.results.timeless()["history.csv"] == lasso.timeless()["history.csv"]);
        assert!(found.codes.rows().all(|code| code.support.len() == 2));
        assert!(lasso.codes().rows().any(|code| code.support.len() != 2));
        summary_is_of_the_codes(&found, stage);
    }
    // Nothing to learn: the file's atoms, of any length.
    let found = Coded::run(&lab, &["coding.method.omp.n_nonzero=2"]);
    assert!((norm(&found.atoms[K - 1]) - 1.0).abs() > 0.1);
    summary_is_of_the_codes(&found, "/without_task");
}

/// `sum_i weight_i L_i(c_i)` over the training samples, and the ridge of the head.
fn objective(found: &Coded, with_task: bool) -> f64 {
    let (experiment, training) = (found.results.experiment(), &found.data.training);
    let lower = experiment.coding.lower;
    let head = with_task.then(|| found.results.vector("task_weights.npy"));
    let mut sum = 0.0;
    for (place, &i) in training.rows.iter().enumerate() {
        let (code, residual) = (found.codes.row(i), found.residual(i));
        let l1: f64 = code.values.iter().map(|c| c.abs()).sum();
        let loss = match (&head, experiment.learn.objective) {
            (Some(head), _) => {
                let z = code.dot(&head[..K]) + head[K];
                z.exp().ln_1p() - training.labels.as_ref().unwrap()[place] * z
            }
            (None, Unsupervised::Reconstruction) => 0.5 * dot(&residual, &residual),
            (None, Unsupervised::Full) => {
                let penalty = lower.regularization * l1 + 0.5 * lower.ridge() * dot(code.values, code.values);
                0.5 * dot(&residual, &residual) + penalty
            }
        };
        sum += loss * training.weights.as_ref().map_or(1.0, |weights| weights[place]);
    }
    let l2 = experiment.task.map_or(0.0, |task| task.logistic.l2);
    sum + head.map_or(0.0, |head| 0.5 * l2 * dot(&head[..K], &head[..K]))
}

/// Objective, explained variance, nonzeros and the head of one stage, from the codes in the file.
fn summary_is_of_the_codes(found: &Coded, stage: &str) {
    let (results, data) = (&found.results, &found.data);
    let rows = &data.training.rows;
    let codes = found.codes.select(rows);
    let squares = |vector: &[f64]| dot(vector, vector);
    let mut energy = 0.0;
    for t in 0..D {
        let observed: Vec<f64> = rows.iter().map(|&i| found.samples[i][t]).filter(|x| !x.is_nan()).collect();
        let mean = observed.iter().sum::<f64>() / observed.len() as f64;
        energy += observed.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
    }
    let unexplained: f64 = rows.iter().map(|&i| squares(&found.residual(i))).sum();
    let number = |name: &str| results.number(&format!("{stage}/{name}"));
    assert_close(number("explained_variance"), 1.0 - unexplained / energy, 0.0, 1e-12);
    assert_close(number("nonzeros_per_sample"), codes.nnz() as f64 / rows.len() as f64, 1e-14, 0.0);
    assert_close(number("objective"), objective(found, stage == "/with_task"), 1e-12, 0.0);
    let labels = data.training.labels.as_deref().unwrap();
    let summary = results.summary();
    let name = if stage == "/with_task" { "codes with task" } else { "codes without task" };
    let rows = summary["evaluation"].as_array().unwrap();
    let row = rows.iter().find(|row| row["features"] == name).unwrap();
    let l2 = row["ridge"].as_f64().unwrap();
    let head = fit_head(&codes, labels, Logistic { l2, penalize_intercept: false }).unwrap().head;
    let part = data.held_out.as_ref().unwrap();
    for (codes, labels, column) in [
        (&codes, labels, "training"),
        (&found.codes.select(&part.rows), part.labels.as_deref().unwrap(), "held_out"),
    ] {
        let scores = score(&head, codes, labels);
        assert_close(row[column]["log_loss"].as_f64().unwrap(), scores.log_loss, 1e-9, 0.0);
        assert_close(row[column]["accuracy"].as_f64().unwrap(), scores.accuracy, 0.0, 0.0);
    }
}

/// Missing features take no part: an error is one of the observed features.
#[test]
fn missing_features_are_left_out() {
    let lab = lab();
    let is_observed = |i: usize, t: usize| !(i + t).is_multiple_of(4);
    let mask: Vec<f64> = (0..N * D).map(|k| f64::from(u8::from(is_observed(k / D, k % D)))).collect();
    lab.write("m.npy", &npy("<f8", "False", &format!("({N}, {D})"), &f8(&mask)));
    for method in ["coding.method.omp.error=0.1", "coding.method.error.error=0.1"] {
        let found = Coded::run(&lab, &[method, "data.file.mask=m.npy"]);
        for i in 0..N {
            assert!((0..D).all(|t| found.samples[i][t].is_nan() != is_observed(i, t)));
            let residual = found.residual(i);
            let square = dot(&residual, &residual);
            assert!(square <= 0.1 * (1.0 + 1e-11), "{method}: {square}");
        }
        summary_is_of_the_codes(&found, "/without_task");
    }
}

/// Where nothing is learned nothing is scaled, so the constraint asks nothing of the atoms: not their norms, not that they
/// are not zero. No code uses a zero atom.
#[test]
fn a_dictionary_from_which_nothing_is_learned_is_used_as_it_is() {
    let lab = lab();
    let mut values: Vec<f64> = (0..K * D).map(|k| 3.0 * ((7 * k + k * k / 5 + 2) as f64).cos()).collect();
    values[4 * D..5 * D].fill(0.0);
    lab.write("d.npy", &npy("<f8", "False", &format!("({K}, {D})"), &f8(&values)));
    for constraint in ["unit_sphere", "unit_ball", "frobenius_sphere"] {
        for method in [
            "coding.method=active_set",
            "coding.method=homotopy",
            "coding.method=coordinate_descent",
            "coding.method=threshold",
            "coding.method.omp.n_nonzero=3",
            "coding.method.l1_ball.radius=1.0",
            "coding.method.error.error=0.1",
        ] {
            let constraint = format!("dictionary.constraint={constraint}");
            let found = Coded::run(&lab, &[method, &constraint, "coding.regularization=0.1"]);
            assert_eq!(found.atoms.concat(), values, "{method}");
            assert!(found.codes.nnz() > 0 && found.codes.rows().all(|code| !code.support.contains(&4)));
        }
    }
    let learned =
        lab.run(&["--force", "--set", "coding.regularization=0.1", "--set", "learn.max_iterations=1"]);
    assert_eq!(learned.code, Some(2));
    assert!(learned.stderr.contains("d.npy: atom 4 (counted from 0) is zero"), "{}", learned.stderr);
}

#[test]
fn the_headline_names_the_method() {
    let lab = lab();
    for (sets, words) in [
        (&["coding.regularization=0.1"][..], "9 atoms, squared loss, regularization 0.1"),
        (
            &["coding.regularization=0.1", "coding.method=homotopy", "learn.max_iterations=1"],
            "squared loss, codes by homotopy, regularization 0.1",
        ),
        (
            &["coding.method={ omp = { n_nonzero = 3, error = 0.5 } }"],
            "squared loss, codes by omp (n_nonzero 3, error 0.5)",
        ),
        (
            &["coding.method.l1_ball.radius=2", "coding.regularization=0.1", "learn.max_iterations=1"],
            "squared loss, codes by l1_ball (radius 2), learned by active_set, regularization 0.1",
        ),
    ] {
        let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", *set]).collect();
        let outcome = lab.run(&[&["--force"], &sets[..]].concat());
        let headline = outcome.stdout.lines().next().unwrap();
        assert!(headline.ends_with(words), "{headline}");
    }
}

/// Three atoms do not span six features: what an error asks for may be out of reach.
#[test]
fn an_error_out_of_reach_is_not_converged() {
    let lab = lab();
    let atoms: Vec<f64> = (0..3 * D).map(|k| ((3 * k * k + 1) as f64).cos()).collect();
    lab.write("d.npy", &npy("<f8", "False", &format!("(3, {D})"), &f8(&atoms)));
    for method in ["coding.method.omp.error=1e-6", "coding.method.error.error=1e-6"] {
        let sets = ["dictionary.n_components=3", method, "coding.require_convergence=true"];
        let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", *set]).collect();
        let outcome = lab.run(&[&["--force"], &sets[..]].concat());
        assert_eq!(outcome.code, Some(3));
        assert!(
            outcome.stderr.contains("32 of 32 samples not converged (largest relative violation"),
            "{}",
            outcome.stderr
        );
        assert!(outcome.stdout.contains("below that of least squares"), "{}", outcome.stdout);
        assert_eq!(lab.read("out").number("/coding/not_converged"), 32.0);
    }
}

/// Without an l1 norm and without anything to learn no regularization is asked for, and none is written.
#[test]
fn regularization_is_asked_for_where_it_plays_a_part() {
    let text = |method: &str, more: &str| {
        format!("[data.digits]\n[dictionary]\nn_components = 7\n[coding]\nmethod = {method}\n{more}")
    };
    let without = [
        ("{ omp = { n_nonzero = 3 } }", true),
        ("{ omp = { error = 0.1 } }\nelastic_penalty = 0.5", true),
        ("{ l1_ball = { radius = 1 } }\nl2_regularization = 0.5", true),
        ("{ l1_ball = { radius = 1 } }\nelastic_penalty = 0.5", false),
        ("{ error = { error = 0.1 } }", true),
        ("\"threshold\"", false),
        ("\"homotopy\"", false),
        ("\"coordinate_descent\"", false),
        ("\"active_set\"", false),
    ];
    let file = Path::new("test.toml");
    for (method, enough) in without {
        let codes_only = text(method, "[learn]\nmax_iterations = 0\n");
        let found = parse(&codes_only, file, &[]);
        assert_eq!(found.is_ok(), enough, "{method}");
        if let Ok(experiment) = found {
            assert_eq!(experiment.regularization(), None);
            assert!(to_toml(&experiment).contains("# regularization is unset"));
            let given = parse(&codes_only, file, &["coding.regularization=0.5".to_owned()]).unwrap();
            assert!(to_toml(&given).contains("\nregularization = 0.5\n"));
        }
        for more in ["", "[learn]\nmax_iterations = 1\n", "[learn]\nmax_iterations = 0\n[task.logistic]\n"] {
            let error = parse(&text(method, more), file, &[]).unwrap_err().to_string();
            assert!(error.contains("[coding] lacks the"), "{error}");
        }
    }
}

/// Samples that the active set leaves unsolved within few rounds, and homotopy solves, are counted.
#[test]
fn rescued_samples_are_counted() {
    let lab = lab();
    let lambda = "coding.regularization=0.05";
    let whole = Coded::run(&lab, &[lambda]);
    let mut rescued = 0;
    for rounds in [8, 10, 12] {
        let few = results(&lab, &[lambda, &format!("coding.max_iterations={rounds}")]);
        let [solved, unsolved] =
            ["/coding/rescued", "/coding/not_converged"].map(|name| few.number(name) as usize);
        let differs = |(a, b): (Code<'_>, Code<'_>)| {
            let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-6;
            a.support != b.support || !a.values.iter().zip(b.values).all(near)
        };
        let others = few.codes().rows().zip(whole.codes.rows()).filter(|&pair| differs(pair)).count();
        assert!(others <= unsolved, "{rounds} rounds: {others} of {unsolved} differ");
        rescued += solved;
    }
    assert!(rescued > 0);
    assert_eq!(whole.results.number("/coding/rescued"), 0.0);
}
