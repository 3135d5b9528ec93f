//! Samples in every format that is read: the same values give the same bits.

use testkit::assert_close;

use crate::bytes::{f8, npy, npz};
use crate::lab::Lab;
use crate::results::Results;

const CONFIG: &str = "\
name = \"files\"
[data.file]
samples = \"x.npy\"
test_fraction = 0.25
[data.preprocessing]
scale = 0.01
center = true
unit_norm = true
[dictionary]
n_components = 5
[coding]
regularization = 0.1
elastic_penalty = 0.01
[learn]
max_iterations = 5
[task]
start = \"learned\"
[task.logistic]
[task.learn]
max_iterations = 5
[task.learn.adam]
step = 1e-2
[evaluation]
folds = 2
";

const ROWS: usize = 40;
const COLUMNS: usize = 6;

/// Integers from -100 to 100, which every element type but the unsigned ones holds.
fn value(i: usize, j: usize) -> i8 {
    let from_zero = (37 * i * i + 101 * i * j + 53 * j * j * j + 11 * i) % 201;
    i8::try_from(from_zero as i64 - 100).unwrap()
}

fn label(i: usize) -> u8 {
    u8::from(value(i, 0) > value(i, 1))
}

/// Elements in C order as bytes of one type.
fn c_order<const N: usize>(bytes: impl Fn(i8) -> [u8; N]) -> Vec<u8> {
    (0..ROWS * COLUMNS).flat_map(|k| bytes(value(k / COLUMNS, k % COLUMNS))).collect()
}

fn array(descr: &str, data: &[u8]) -> Vec<u8> {
    npy(descr, "False", "(40, 6)", data)
}

fn labels() -> Vec<f64> {
    (0..ROWS).map(|i| f64::from(label(i))).collect()
}

/// A lab with the samples as f64 in C order and their labels.
fn lab() -> Lab {
    let lab = Lab::with(CONFIG);
    lab.write("x.npy", &array("<f8", &c_order(|v| f64::from(v).to_le_bytes())));
    lab.write("y.npy", &npy("<f8", "False", "(40,)", &f8(&labels())));
    lab
}

fn results(lab: &Lab, sets: &[&str]) -> Results {
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", *set]).collect();
    lab.results(&[&["--force"], &sets[..]].concat())
}

/// Samples as text, with the labels as column 1 where asked.
fn table(header: Option<&str>, delimiter: &str, with_labels: bool) -> String {
    let row = |i: usize| {
        let mut cells: Vec<String> = (0..COLUMNS).map(|j| value(i, j).to_string()).collect();
        if with_labels {
            cells.insert(1, label(i).to_string());
        }
        cells.join(delimiter)
    };
    header.map(str::to_owned).into_iter().chain((0..ROWS).map(row)).map(|line| line + "\n").collect()
}

#[test]
fn element_types_and_orders_do_not_matter() {
    let lab = lab();
    let expected = results(&lab, &["data.file.labels=y.npy"]).numbers();
    let column_by_column: Vec<f64> =
        (0..ROWS * COLUMNS).map(|k| f64::from(value(k % ROWS, k / ROWS))).collect();
    let variants = [
        ("f4", array("<f4", &c_order(|v| f32::from(v).to_le_bytes()))),
        ("f8 big endian", array(">f8", &c_order(|v| f64::from(v).to_be_bytes()))),
        ("i1", array("|i1", &c_order(i8::to_le_bytes))),
        ("i2 big endian", array(">i2", &c_order(|v| i16::from(v).to_be_bytes()))),
        ("i4", array("<i4", &c_order(|v| i32::from(v).to_le_bytes()))),
        ("i8", array("<i8", &c_order(|v| i64::from(v).to_le_bytes()))),
        ("Fortran order", npy("<f8", "True", "(40, 6)", &f8(&column_by_column))),
    ];
    for (name, bytes) in variants {
        lab.write("v.npy", &bytes);
        let found = results(&lab, &["data.file.labels=y.npy", "data.file.samples=v.npy"]).numbers();
        assert!(found == expected, "{name}");
    }
}

#[test]
fn archives_and_tables_do_not_matter() {
    let lab = lab();
    let expected = results(&lab, &["data.file.labels=y.npy"]).numbers();
    let samples = std::fs::read(lab.path("x.npy")).unwrap();
    let labels = std::fs::read(lab.path("y.npy")).unwrap();
    for (name, method) in
        [("stored.npz", zip::CompressionMethod::Stored), ("deflated.npz", zip::CompressionMethod::Deflated)]
    {
        lab.write(name, &npz(&[("X.npy", &samples), ("y.npy", &labels)], method));
    }
    lab.write("plain.csv", table(None, ",", false).as_bytes());
    lab.write("header.csv", table(Some("a,b,c,d,e,f"), ",", false).as_bytes());
    lab.write("labelled.csv", table(Some("a;class;b;c;d;e;f"), ";", true).as_bytes());
    let own = |sets: &[&'static str]| [&["data.file.labels=y.npy"], sets].concat();
    let cases = [
        own(&["data.file.samples=stored.npz", "data.file.array=X"]),
        own(&["data.file.samples=deflated.npz", "data.file.array=X"]),
        own(&["data.file.samples=plain.csv"]),
        own(&["data.file.samples=plain.csv", "data.file.header=no"]),
        own(&["data.file.samples=header.csv"]),
        own(&["data.file.samples=header.csv", "data.file.header=yes"]),
        vec!["data.file.labels=stored.npz", "data.file.labels_array=y"],
        vec!["data.file.samples=labelled.csv", "data.file.delimiter=';'", "data.file.label_column=class"],
        vec!["data.file.samples=labelled.csv", "data.file.delimiter=';'", "data.file.label_column=1"],
    ];
    for sets in cases {
        assert!(results(&lab, &sets).numbers() == expected, "{sets:?}");
    }
}

#[test]
fn label_values_do_not_matter() {
    let lab = lab();
    let expected = results(&lab, &["data.file.labels=y.npy"]).numbers();
    let signs: Vec<f64> = labels().iter().map(|y| 2.0 * y - 1.0).collect();
    lab.write("signs.npy", &npy("<f8", "False", "(40, 1)", &f8(&signs)));
    assert!(results(&lab, &["data.file.labels=signs.npy"]).numbers() == expected);
    // Classes 3 and 5 together are class 1.
    let many: Vec<f64> = (0..ROWS).map(|i| if label(i) == 0 { 1.0 } else { [3.0, 5.0][i % 2] }).collect();
    lab.write("many.npy", &npy("<f8", "False", "(40,)", &f8(&many)));
    let sets = ["data.file.labels=many.npy", "data.file.positive=[3, 5]"];
    assert!(results(&lab, &sets).numbers() == expected);
}

#[test]
fn files_agree_with_each_other_and_with_the_config() {
    let lab = lab();
    let results = results(&lab, &["data.file.labels=y.npy"]);
    crate::outputs::consistent(&results);
    let ones = labels().iter().sum::<f64>();
    let held_out = (0.25 * ones + 0.5).floor() + (0.25 * (ROWS as f64 - ones) + 0.5).floor();
    assert_eq!(results.number("/shapes/n_held_out"), held_out);
}

#[test]
fn a_dictionary_is_where_the_next_run_starts() {
    let lab = lab();
    let first = results(&lab, &["data.file.labels=y.npy"]);
    lab.write("d.npy", &first.files["dictionary_without_task.npy"]);
    let stay = ["data.file.labels=y.npy", "learn.max_iterations=0", "dictionary.init={ file = 'd.npy' }"];
    let next = results(&lab, &stay);
    for file in ["dictionary_without_task.npy", "dictionary.npy", "task_weights.npy", "codes.npz"] {
        assert!(first.files[file] == next.files[file], "{file}");
    }
}

/// `x / 100`, less its mean, divided by its norm: by the program or by hand.
#[test]
fn preprocessing_is_what_it_says() {
    let lab = lab();
    let all = ["data.file.labels=y.npy", "data.file.test_fraction=0.0"];
    let by_program = results(&lab, &all);
    let mean = |j: usize| (0..ROWS).map(|i| 0.01 * f64::from(value(i, j))).sum::<f64>() / ROWS as f64;
    let centred = |i: usize| (0..COLUMNS).map(move |j| 0.01 * f64::from(value(i, j)) - mean(j));
    let by_hand = (0..ROWS).flat_map(|i| {
        let length = centred(i).map(|x| x * x).sum::<f64>().sqrt();
        centred(i).map(move |x| x / length)
    });
    lab.write("h.npy", &array("<f8", &f8(&by_hand.collect::<Vec<_>>())));
    let none = ["data.file.samples=h.npy", "data.preprocessing={}"];
    let by_hand = results(&lab, &[&all[..], &none].concat());
    for stage in ["/without_task/objective", "/with_task/objective"] {
        // Rounding of 1e-16 in the samples, carried through ten steps.
        assert_close(by_hand.number(stage), by_program.number(stage), 1e-10, 0.0);
    }
    let unscaled = [&all[..], &["data.preprocessing={ scale = 0.01 }"]].concat();
    let differs = results(&lab, &unscaled).number("/without_task/objective");
    assert!((differs - by_hand.number("/without_task/objective")).abs() > 1e-3);
}
