//! The keys of `[coding]` that shape the penalty: weights of the atoms and the sign of the codes.

use testkit::{assert_close, assert_slices_close};
use zip::CompressionMethod;

use crate::bytes::{f8, npy, npz};
use crate::lab::Lab;
use crate::results::Results;

const CONFIG: &str = "\
[data.file]
samples = \"x.npy\"
[dictionary]
n_components = 4
init = { file = \"d.npy\" }
constraint = \"unit_ball\"
[coding]
regularization = 0.2
[learn]
objective = \"full\"
max_iterations = 0
";

const WEIGHTS: [f64; 4] = [0.5, 2.0, 1.0, 0.25];

fn lab() -> Lab {
    let lab = Lab::with(CONFIG);
    let sines = |n: usize| (0..6 * n).map(|k| ((7 * k + k * k / 5 + 1) as f64).sin()).collect::<Vec<f64>>();
    lab.write("x.npy", &npy("<f8", "False", "(20, 6)", &f8(&sines(20))));
    let atoms = sines(8)[24..].to_vec();
    lab.write("d.npy", &npy("<f8", "False", "(4, 6)", &f8(&atoms)));
    let scaled: Vec<f64> = (0..24).map(|k| atoms[k] / WEIGHTS[k / 6]).collect();
    lab.write("scaled.npy", &npy("<f8", "False", "(4, 6)", &f8(&scaled)));
    lab
}

fn results(lab: &Lab, sets: &[&str]) -> Results {
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", *set]).collect();
    lab.results(&[&["--force"], &sets[..]].concat())
}

/// `w_j |c_j|` for the atom `d_j` is `|c_j w_j|` for the atom `d_j / w_j`.
#[test]
fn weights_are_lengths_of_atoms() {
    let lab = lab();
    let weights = npy("<f8", "False", "(4,)", &f8(&WEIGHTS));
    lab.write("w.npy", &weights);
    lab.write("w.npz", &npz(&[("a.npy", &weights), ("b.npy", &weights)], CompressionMethod::Stored));
    let list = format!("coding.weights={WEIGHTS:?}");
    let weighted = results(&lab, &[&list]);
    for file in ["coding.weights.file=w.npy", "coding.weights={ file = { path = 'w.npz', array = 'b' } }"] {
        assert!(results(&lab, &[file]).numbers() == weighted.numbers(), "{file}");
    }
    let scaled = results(&lab, &["dictionary.init.file=scaled.npy"]);
    assert_close(
        weighted.number("/without_task/objective"),
        scaled.number("/without_task/objective"),
        1e-9,
        0.0,
    );
    let (weighted, scaled) = (weighted.codes(), scaled.codes());
    assert!(weighted.nnz() > 20);
    for (code, expected) in weighted.rows().zip(scaled.rows()) {
        let lengths: Vec<f64> = code.iter().map(|(j, c)| c * WEIGHTS[j]).collect();
        assert_eq!(code.support, expected.support);
        assert_slices_close(&lengths, expected.values, 0.0, 1e-8);
    }
    let ones = results(&lab, &["coding.weights=[1, 1, 1, 1]"]);
    assert!(ones.numbers() == results(&lab, &[]).numbers());
}

#[test]
fn non_negative_codes_are_of_one_sign() {
    let lab = lab();
    let either = results(&lab, &["learn.max_iterations=5"]);
    assert!(either.codes().values().iter().any(|c| *c < 0.0));
    let positive = results(&lab, &["learn.max_iterations=5", "coding.non_negative=true"]);
    assert!(positive.codes().nnz() > 20 && positive.codes().values().iter().all(|c| *c > 0.0));
    // A smaller set of codes: from the same dictionary the minimum is larger.
    let [either, positive] = [&[][..], &["coding.non_negative=true"]].map(|sets| results(&lab, sets));
    assert!(positive.number("/without_task/objective") > 1.01 * either.number("/without_task/objective"));
}
