//! A weight of 2 is a sample that occurs twice, a weight of 0 one that is not there.

use testkit::{assert_close, assert_slices_close};

use crate::bytes::{f8, npy};
use crate::lab::Lab;
use crate::results::Results;

const CONFIG: &str = "\
[data.file]
samples = \"x.npy\"
labels = \"y.npy\"
weights = \"w.npy\"
[dictionary]
n_components = 4
init = \"random\"
[coding]
regularization = 0.05
elastic_penalty = 0.1
[learn]
max_iterations = 5
[task]
start = \"learned\"
[task.logistic]
[task.learn]
max_iterations = 5
[task.learn.proximal_gradient]
acceleration = true
";

/// A run on these samples of 5 features, each with its weight.
fn run(samples: &[(usize, f64)]) -> Results {
    let lab = Lab::with(CONFIG);
    let sines = |i: usize| (0..5).map(move |j| ((7 * i + 3 * j * j + 1) as f64).sin());
    let values: Vec<f64> = samples.iter().flat_map(|&(i, _)| sines(i)).collect();
    let labels: Vec<f64> = samples.iter().map(|&(i, _)| f64::from(u8::from(i % 3 == 0))).collect();
    let weights: Vec<f64> = samples.iter().map(|&(_, weight)| weight).collect();
    let n = samples.len();
    lab.write("x.npy", &npy("<f8", "False", &format!("({n}, 5)"), &f8(&values)));
    lab.write("y.npy", &npy("<f8", "False", &format!("({n},)"), &f8(&labels)));
    lab.write("w.npy", &npy("<f8", "False", &format!("({n},)"), &f8(&weights)));
    lab.results(&[])
}

/// The same sums in another order: rounding apart by some 1e-16, carried through ten steps.
fn assert_same(one: &Results, other: &Results) {
    for stage in ["/without_task/objective", "/with_task/objective"] {
        assert_close(one.number(stage), other.number(stage), 1e-10, 0.0);
    }
    for dictionary in ["dictionary_without_task.npy", "dictionary.npy"] {
        assert_slices_close(&one.array(dictionary).data, &other.array(dictionary).data, 0.0, 1e-8);
    }
}

#[test]
fn two_is_twice_and_zero_is_not_there() {
    let once = |range: std::ops::Range<usize>| range.map(|i| (i, 1.0)).collect::<Vec<_>>();
    let mut twice = once(0..12);
    twice.extend([(3, 1.0), (7, 1.0)]);
    let mut weighted = once(0..12);
    (weighted[3].1, weighted[7].1) = (2.0, 2.0);
    assert_same(&run(&twice), &run(&weighted));
    weighted.push((20, 0.0));
    assert_same(&run(&twice), &run(&weighted));
    let plain = run(&once(0..12)).number("/without_task/objective");
    assert!((plain - run(&twice).number("/without_task/objective")).abs() > 1e-3);
}
