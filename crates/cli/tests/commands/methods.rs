//! `coding.method` from the config to the files: each method's codes against what defines them, and learning with one
//! method while coding with another.
//!
//! `x_i` are the samples, `d_j` the atoms, `c_i` the codes as they lie in the files, `r_i = x_i - sum_j c_ij d_j`.

use cli::load::load;
use dictlearn::codes::Codes;
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
    samples: Vec<Vec<f64>>,
    atoms: Vec<Vec<f64>>,
    codes: Codes,
}

impl Coded {
    #[track_caller]
    fn run(lab: &Lab, sets: &[&str]) -> Self {
        let results = results(lab, sets);
        let bytes = std::fs::read(lab.path("x.npy")).unwrap();
        let values: Vec<f64> = bytes[bytes.len() - 8 * N * D..]
            .chunks_exact(8)
            .map(|eight| f64::from_le_bytes(eight.try_into().unwrap()))
            .collect();
        let samples = values.chunks_exact(D).map(<[f64]>::to_vec).collect();
        let dictionary = results.dictionary("dictionary.npy");
        let atoms = (0..K).map(|j| column(dictionary.as_ref(), j).to_vec()).collect();
        let codes = results.codes();
        assert_eq!((codes.n_samples(), codes.n_components()), (N, K));
        assert_eq!(results.number("/coding/not_converged"), 0.0);
        Self { results, samples, atoms, codes }
    }

    fn residual(&self, i: usize) -> Vec<f64> {
        let mut residual = self.samples[i].clone();
        for (j, c) in self.codes.row(i).iter() {
            residual.iter_mut().zip(&self.atoms[j]).for_each(|(r, d)| *r -= c * d);
        }
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
    let learn = ["coding.regularization=0.1", "learn.max_iterations=4"];
    let task = [
        "coding.regularization=0.1",
        "task.learn.max_iterations=4",
        "task.logistic.l2=0.1",
        "task.learn.adam.step=0.05",
    ];
    for (sets, stage) in [(&learn[..], "/without_task"), (&task, "/with_task")] {
        let lasso = results(&lab, sets);
        let found = Coded::run(&lab, &[sets, &["coding.method.omp.n_nonzero=2"]].concat());
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

/// Objective, explained variance, nonzeros and the head of one stage, from the codes in the file.
fn summary_is_of_the_codes(found: &Coded, stage: &str) {
    let results = &found.results;
    let data = load(&results.experiment()).unwrap();
    let rows = &data.training.rows;
    let n = rows.len() as f64;
    let codes = found.codes.select(rows);
    let mean: Vec<f64> = (0..D).map(|t| rows.iter().map(|&i| found.samples[i][t]).sum::<f64>() / n).collect();
    let squares = |vector: &[f64]| dot(vector, vector);
    let unexplained: f64 = rows.iter().map(|&i| squares(&found.residual(i))).sum();
    let distance = |i: &usize| found.samples[*i].iter().zip(&mean).map(|(x, m)| (x - m).powi(2)).sum::<f64>();
    let number = |name: &str| results.number(&format!("{stage}/{name}"));
    assert_close(
        number("explained_variance"),
        1.0 - unexplained / rows.iter().map(distance).sum::<f64>(),
        0.0,
        1e-12,
    );
    assert_close(number("nonzeros_per_sample"), codes.nnz() as f64 / n, 1e-14, 0.0);
    let labels = data.training.labels.as_deref().unwrap();
    let objective = if stage == "/with_task" {
        let head = results.vector("task_weights.npy");
        let (intercept, weights) = head.split_last().unwrap();
        let loss = |(code, y): (dictlearn::codes::Code<'_>, &f64)| {
            let z = code.dot(weights) + intercept;
            z.exp().ln_1p() - y * z
        };
        codes.rows().zip(labels).map(loss).sum::<f64>() + 0.05 * squares(weights)
    } else {
        0.5 * unexplained
    };
    assert_close(number("objective"), objective, 1e-12, 0.0);
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
    let is_observed = |i: usize, t: usize| (i + t) % 4 > 0;
    let mask: Vec<f64> = (0..N * D).map(|k| f64::from(u8::from(is_observed(k / D, k % D)))).collect();
    lab.write("m.npy", &npy("<f8", "False", &format!("({N}, {D})"), &f8(&mask)));
    for method in ["coding.method.omp.error=0.1", "coding.method.error.error=0.1"] {
        let found = Coded::run(&lab, &[method, "data.file.mask=m.npy"]);
        for i in 0..N {
            let residual = found.residual(i);
            let square: f64 = (0..D).filter(|&t| is_observed(i, t)).map(|t| residual[t].powi(2)).sum();
            assert!(square <= 0.1 * (1.0 + 1e-11), "{method}: {square}");
        }
    }
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
        assert!(
            outcome
                .stdout
                .lines()
                .next()
                .is_some_and(|line| words == format!("{}\n", &line[line.len() + 1 - words.len()..])),
            "{}",
            outcome.stdout
        );
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
        let headline = outcome.stdout.lines().next().unwrap();
        assert!(headline.ends_with(words), "{headline}");
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
    let learn = ["coding.regularization=0.1", "learn.max_iterations=4"];
    let task = [
        "coding.regularization=0.1",
        "task.learn.max_iterations=4",
        "task.logistic.l2=0.1",
        "task.learn.adam.step=0.05",
    ];
    for (sets, stage) in [(&learn[..], "/without_task"), (&task, "/with_task")] {
        let lasso = results(&lab, sets);
        let found = Coded::run(&lab, &[sets, &["coding.method.omp.n_nonzero=2"]].concat());
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

/// Objective, explained variance, nonzeros and the head of one stage, from the codes in the file.
fn summary_is_of_the_codes(found: &Coded, stage: &str) {
    let results = &found.results;
    let data = load(&results.experiment()).unwrap();
    let rows = &data.training.rows;
    let n = rows.len() as f64;
    let codes = found.codes.select(rows);
    let mean: Vec<f64> = (0..D).map(|t| rows.iter().map(|&i| found.samples[i][t]).sum::<f64>() / n).collect();
    let squares = |vector: &[f64]| dot(vector, vector);
    let unexplained: f64 = rows.iter().map(|&i| squares(&found.residual(i))).sum();
    let distance = |i: &usize| found.samples[*i].iter().zip(&mean).map(|(x, m)| (x - m).powi(2)).sum::<f64>();
    let number = |name: &str| results.number(&format!("{stage}/{name}"));
    assert_close(
        number("explained_variance"),
        1.0 - unexplained / rows.iter().map(distance).sum::<f64>(),
        0.0,
        1e-12,
    );
    assert_close(number("nonzeros_per_sample"), codes.nnz() as f64 / n, 1e-14, 0.0);
    let labels = data.training.labels.as_deref().unwrap();
    let objective = if stage == "/with_task" {
        let head = results.vector("task_weights.npy");
        let (intercept, weights) = head.split_last().unwrap();
        let loss = |(code, y): (dictlearn::codes::Code<'_>, &f64)| {
            let z = code.dot(weights) + intercept;
            z.exp().ln_1p() - y * z
        };
        codes.rows().zip(labels).map(loss).sum::<f64>() + 0.05 * squares(weights)
    } else {
        0.5 * unexplained
    };
    assert_close(number("objective"), objective, 1e-12, 0.0);
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
    let is_observed = |i: usize, t: usize| (i + t) % 4 > 0;
    let mask: Vec<f64> = (0..N * D).map(|k| f64::from(u8::from(is_observed(k / D, k % D)))).collect();
    lab.write("m.npy", &npy("<f8", "False", &format!("({N}, {D})"), &f8(&mask)));
    for method in ["coding.method.omp.error=0.1", "coding.method.error.error=0.1"] {
        let found = Coded::run(&lab, &[method, "data.file.mask=m.npy"]);
        for i in 0..N {
            let residual = found.residual(i);
            let square: f64 = (0..D).filter(|&t| is_observed(i, t)).map(|t| residual[t].powi(2)).sum();
            assert!(square <= 0.1 * (1.0 + 1e-11), "{method}: {square}");
        }
    }
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
        assert!(
            outcome
                .stdout
                .lines()
                .next()
                .is_some_and(|line| words == format!("{}\n", &line[line.len() + 1 - words.len()..])),
            "{}",
            outcome.stdout
        );
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
