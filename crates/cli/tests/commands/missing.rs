//! Missing features in every form that is read: NaN, empty fields or a mask give the same bits.

use std::fmt::Write as _;

use zip::CompressionMethod;

use crate::bytes::{f8, npy, npz};
use crate::lab::Lab;
use crate::results::Results;

const CONFIG: &str = "\
name = \"missing\"
[data.file]
samples = \"x.npy\"
labels = \"y.npy\"
test_fraction = 0.25
[data.preprocessing]
scale = 0.01
center = true
unit_norm = true
[dictionary]
n_components = 8
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

fn value(i: usize, j: usize) -> f64 {
    ((37 * i * i + 101 * i * j + 53 * j * j * j + 11 * i) % 201) as f64 - 100.0
}

fn is_missing(i: usize, j: usize) -> bool {
    (7 * i + 11 * j + i * j).is_multiple_of(6)
}

/// Entries in C order.
fn entries(entry: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    (0..ROWS * COLUMNS).map(|k| entry(k / COLUMNS, k % COLUMNS)).collect()
}

/// Samples with this in place of what is missing.
fn samples(missing: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    entries(|i, j| if is_missing(i, j) { missing(i, j) } else { value(i, j) })
}

fn array(values: &[f64]) -> Vec<u8> {
    npy("<f8", "False", "(40, 6)", &f8(values))
}

/// A table with this text in place of what is missing.
fn table(missing: &str) -> String {
    let cell =
        |i: usize, j: usize| if is_missing(i, j) { missing.to_owned() } else { value(i, j).to_string() };
    let mut text = "a,b,c,d,e,f\n".to_owned();
    for i in 0..ROWS {
        let cells: Vec<String> = (0..COLUMNS).map(|j| cell(i, j)).collect();
        let _ = writeln!(text, "{}", cells.join(","));
    }
    text
}

fn lab() -> Lab {
    let lab = Lab::with(CONFIG);
    lab.write("x.npy", &array(&samples(|_, _| f64::NAN)));
    let labels: Vec<f64> = (0..ROWS).map(|i| f64::from(u8::from(value(i, 0) > value(i, 1)))).collect();
    lab.write("y.npy", &npy("<f8", "False", "(40,)", &f8(&labels)));
    lab
}

fn results(lab: &Lab, sets: &[&str]) -> Results {
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", *set]).collect();
    lab.results(&[&["--force"], &sets[..]].concat())
}

#[test]
fn every_form_is_the_same() {
    let lab = lab();
    let expected = results(&lab, &["data.file.missing=nan"]);
    crate::outputs::consistent(&expected);
    let n_missing = samples(|_, _| f64::NAN).iter().filter(|x| x.is_nan()).count();
    assert_eq!(expected.number("/shapes/n_missing") as usize, n_missing);
    let mask = entries(|i, j| f64::from(u8::from(!is_missing(i, j))));
    let bytes: Vec<u8> = mask.iter().map(|&m| m as u8).collect();
    let mask_table: String =
        mask.chunks(COLUMNS).map(|row| format!("{row:?}\n").replace(['[', ']'], "")).collect();
    let mask_array = npy("|b1", "False", "(40, 6)", &bytes);
    let narrow: Vec<u8> = samples(|_, _| f64::NAN).iter().flat_map(|&x| (x as f32).to_le_bytes()).collect();
    lab.write("f4.npy", &npy("<f4", "False", "(40, 6)", &narrow));
    lab.write("empty.csv", table("").as_bytes());
    lab.write("nan.csv", table("NaN").as_bytes());
    lab.write("word.csv", table("-7").as_bytes());
    lab.write("full.npy", &array(&samples(value)));
    lab.write("garbage.npy", &array(&samples(|i, _| [f64::NAN, f64::INFINITY, 1e300][i % 3])));
    lab.write("m.npy", &mask_array);
    lab.write("m.csv", mask_table.as_bytes());
    let other = npy("<f8", "False", "(2,)", &f8(&[1.0, 0.0]));
    lab.write("m.npz", &npz(&[("m.npy", &mask_array), ("z.npy", &other)], CompressionMethod::Deflated));
    let (nan, mask) = ("data.file.missing=nan", "data.file.mask=m.npy");
    for sets in [
        &["data.file.samples=f4.npy", nan][..],
        &["data.file.samples=empty.csv", nan],
        &["data.file.samples=nan.csv", nan],
        &["data.file.samples=full.npy", mask],
        &["data.file.samples=garbage.npy", mask],
        &["data.file.samples=garbage.npy", mask, nan],
        &["data.file.samples=empty.csv", mask],
        &["data.file.samples=word.csv", "data.file.mask=m.csv"],
        &["data.file.samples=full.npy", "data.file.mask=m.npz", "data.file.mask_array=m"],
    ] {
        assert!(results(&lab, sets).numbers() == expected.numbers(), "{sets:?}");
    }
}

/// `missing = "nan"` without a NaN, or a mask of ones, changes nothing.
#[test]
fn where_nothing_is_missing_nothing_changes() {
    let lab = lab();
    lab.write("x.npy", &array(&samples(value)));
    lab.write("m.npy", &array(&[1.0; ROWS * COLUMNS]));
    let expected = results(&lab, &[]);
    assert!(expected.summary()["shapes"].get("n_missing").is_none());
    for set in ["data.file.missing=nan", "data.file.mask=m.npy"] {
        assert!(results(&lab, &[set]).numbers() == expected.numbers(), "{set}");
    }
}

/// A sample of which nothing is observed has the code 0, whatever the loss and even without any penalty.
#[test]
fn a_sample_without_observed_features_has_the_code_zero() {
    let lab = lab();
    let row = |i: usize| i == 4 || i == 17;
    let holed = entries(|i, j| if row(i) || is_missing(i, j) { f64::NAN } else { value(i, j) });
    lab.write("x.npy", &array(&holed));
    let common = ["data.file.missing=nan", "data.preprocessing.unit_norm=false"];
    for more in [
        &["coding.loss=squared"][..],
        &["coding.loss={ huber = { delta = 0.1 } }", "coding.non_negative=true", "dictionary.init=samples"],
        &["coding.loss={ power = { exponent = 3 } }"],
        &["coding.regularization=0.0", "coding.l2_regularization=0.01"],
        &["coding.regularization=0.0", "coding.non_negative=true"],
        &["coding.regularization=0.0"],
    ] {
        let results = results(&lab, &[&common[..], more].concat());
        let codes = results.codes();
        for i in 0..ROWS {
            let is_zero = codes.row(i).values.iter().all(|c| *c == 0.0);
            assert!(!row(i) || is_zero, "{more:?}: {:?}", codes.row(i));
        }
        assert!(codes.nnz() > 0 && results.number("/without_task/objective").is_finite(), "{more:?}");
    }
}

/// A mask of words, with or without a header; its first line is not lost.
#[test]
fn a_mask_in_words() {
    let lab = lab();
    let word = |i: usize, j: usize| if is_missing(i, j) { "False" } else { "TRUE" };
    let row = |i: usize| (0..COLUMNS).map(|j| word(i, j)).collect::<Vec<_>>().join(",") + "\n";
    let mask: String = (0..ROWS).map(row).collect();
    lab.write("bare.csv", mask.as_bytes());
    lab.write("named.csv", format!("a,b,c,d,e,f\n{mask}").as_bytes());
    lab.write("full.npy", &array(&samples(value)));
    let expected = results(&lab, &["data.file.missing=nan"]);
    for name in ["bare", "named"] {
        let file = format!("data.file.mask={name}.csv");
        assert!(results(&lab, &["data.file.samples=full.npy", &file]).numbers() == expected.numbers());
    }
}
