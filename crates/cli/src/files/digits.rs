//! The digits data set, embedded in the program: 1797 images of 8 x 8 pixels, ten classes, five fixed splits.
//!
//! Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository,
//! 1998, CC BY 4.0; see `data/README.md`.

use std::io::Cursor;

use super::array::Array;
use super::npy::Values;
use super::npz;

const DIGITS: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/digits.npz"));
const SPLITS: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/digits_splits.npz"));

/// Number of splits.
pub const SPLIT_COUNT: usize = 5;

/// The images and what they show.
#[derive(Debug, Clone, PartialEq)]
pub struct Digits {
    /// 1797 x 64, integers 0 to 16; a row is an 8 x 8 image, row by row.
    pub pixels: Array,
    /// 1797 classes, 0 to 9.
    pub labels: Vec<u8>,
}

/// Unpacks the data set. Cost: about 120 000 numbers inflated, milliseconds.
pub fn digits() -> Digits {
    let pixels = embedded(DIGITS, "X").into_array().expect("X is 1797 x 64");
    let labels = embedded(DIGITS, "y").into_labels().expect("y has one dimension");
    // Classes are 0 to 9: the conversion is exact.
    Digits { pixels, labels: labels.into_iter().map(|y| y as u8).collect() }
}

/// Row indices (train, test) of one of the five stratified 70/30 splits.
///
/// # Panics
/// `index >= SPLIT_COUNT`.
#[track_caller]
pub fn split(index: usize) -> (Vec<usize>, Vec<usize>) {
    assert!(index < SPLIT_COUNT, "split {index}, but there are {SPLIT_COUNT}, counted from 0");
    let part = |name: &str| {
        let rows =
            embedded(SPLITS, &format!("{name}{index}")).into_labels().expect("indices have one dimension");
        // Indices are below 1797: the conversion is exact.
        rows.into_iter().map(|i| i as usize).collect()
    };
    (part("train"), part("test"))
}

fn embedded(bytes: &[u8], name: &str) -> Values {
    let (_, values) =
        npz::read(Cursor::new(bytes), bytes.len() as u64, Some(name)).expect("embedded and tested");
    values
}
