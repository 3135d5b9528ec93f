//! Matrices of samples and where they came from.
//!
//! | symbol | shape | meaning |
//! |---|---|---|
//! | `data` | rows x columns | row-major: element (i, j) is `data[i * columns + j]`; rows are samples |
//! | `labels` | rows | one label per sample, where a table has such a column |

use std::path::PathBuf;

use super::error::NonFinite;

/// A dense matrix of `f64`, row-major: rows are samples, columns are features.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Number of samples, at least 1 when read from a file.
    pub rows: usize,
    /// Number of features, at least 1 when read from a file.
    pub columns: usize,
    /// `rows * columns` elements; (i, j) is at `i * columns + j`.
    pub data: Vec<f64>,
    /// Element type in the file, NumPy's name ("float32", "uint8", ..); "text" for a table.
    pub dtype: String,
}

/// Samples with the labels and the places in the file that belong to them.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// The features.
    pub array: Array,
    /// One label per row, if a label column was asked for.
    pub labels: Option<Vec<f64>>,
    /// Where they were read.
    pub origin: Origin,
}

/// The place in the file system that an error about a value can name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Origin {
    /// The file.
    pub path: PathBuf,
    /// Name of the array inside a `.npz`.
    pub array: Option<String>,
    /// For a table: the 1-based line of each row; empty for arrays.
    pub lines: Vec<u64>,
    /// For a table with a header: the name of each feature column; empty otherwise.
    pub column_names: Vec<String>,
}

/// First element, in row-major order, that is NaN or infinite: (row, column, value), 0-based. Cost: one pass.
pub fn first_non_finite(array: &Array) -> Option<(usize, usize, f64)> {
    let k = array.data.iter().position(|x| !x.is_finite())?;
    Some((k / array.columns, k % array.columns, array.data[k]))
}

impl Samples {
    /// `Ok` if every feature and every label is finite. Cost: one pass.
    ///
    /// # Errors
    /// The first value that is not (features before labels), with its place.
    pub fn require_finite(&self) -> Result<(), NonFinite> {
        self.require_finite_unless(|_| false)
    }

    /// As [`Samples::require_finite`], but the features that `may_be_nan` (by their place in `array.data`) may be NaN.
    ///
    /// # Errors
    /// The first other value that is not finite, with its place.
    pub fn require_finite_unless(&self, may_be_nan: impl Fn(usize) -> bool) -> Result<(), NonFinite> {
        let Array { columns, data, .. } = &self.array;
        let is_right = |k: usize| data[k].is_finite() || (data[k].is_nan() && may_be_nan(k));
        if let Some(k) = (0..data.len()).find(|&k| !is_right(k)) {
            return Err(self.non_finite(k / columns, Some(k % columns), data[k]));
        }
        let labels = self.labels.as_deref().unwrap_or_default();
        match labels.iter().position(|y| !y.is_finite()) {
            Some(row) => Err(self.non_finite(row, None, labels[row])),
            None => Ok(()),
        }
    }

    fn non_finite(&self, row: usize, column: Option<usize>, value: f64) -> NonFinite {
        let place = self.origin.place(row, column);
        let path = self.origin.path.clone();
        NonFinite { path, place, row, column, value }
    }
}

impl Origin {
    /// `array "X", row 3, column 5`, `row 3 (line 5), column 5 ("width")`; the label column is `None`.
    pub fn place(&self, row: usize, column: Option<usize>) -> String {
        let array =
            self.array.as_ref().map_or(String::new(), |name| format!("array {}, ", quoted(name.as_bytes())));
        let column = match column {
            None => "label".to_owned(),
            Some(j) => self.column(j),
        };
        let line = self.lines.get(row).map_or(String::new(), |line| format!(" (line {line})"));
        format!("{array}row {row}{line}, {column}")
    }

    /// `column 5`, with its name where there is a header: `column 5 ("width")`.
    pub fn column(&self, j: usize) -> String {
        match self.column_names.get(j) {
            Some(name) => format!("column {j} ({})", quoted(name.as_bytes())),
            None => format!("column {j}"),
        }
    }
}

/// The text in quotes, cut after 40 characters, safe to print whatever its bytes.
///
/// Control characters, double quotes and backslashes are escaped, bytes that are no UTF-8 are written as `\xe9`.
/// Single quotes, which headers are full of, stay.
pub(super) fn quoted(text: &[u8]) -> String {
    const LONGEST: usize = 40;
    let mut shown = Vec::new();
    // A character has at most four bytes, so this prefix decides, without a look at the rest.
    for chunk in text[..text.len().min(4 * LONGEST + 4)].utf8_chunks() {
        shown.extend(chunk.valid().chars().map(|c| match c {
            '\'' => c.to_string(),
            c => c.escape_debug().to_string(),
        }));
        shown.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    let cut = if shown.len() > LONGEST { ".." } else { "" };
    shown.truncate(LONGEST);
    format!("\"{}{cut}\"", shown.concat())
}

/// Names in quotes with commas between, cut after 20.
pub(super) fn name_list<S: AsRef<str>>(names: &[S]) -> String {
    const MOST: usize = 20;
    let mut shown: Vec<_> = names.iter().take(MOST).map(|name| quoted(name.as_ref().as_bytes())).collect();
    if names.len() > MOST {
        shown.push(format!(".. and {} more", names.len() - MOST));
    }
    shown.join(", ")
}

/// `, did you mean "x"?` for the nearest of `names`, or nothing if none is near.
pub(super) fn suggestion<S: AsRef<str>>(wanted: &str, names: &[S]) -> String {
    const NEAR: f64 = 0.7; // Jaro-Winkler; 1 is equal
    const LONGEST: usize = 100; // the distance costs a product of lengths
    let nearest = names
        .iter()
        .map(AsRef::as_ref)
        .filter(|name| name.len() <= LONGEST && wanted.len() <= LONGEST)
        .map(|name| (strsim::jaro_winkler(&wanted.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    nearest.map_or(String::new(), |(_, name)| format!(", did you mean {}?", quoted(name.as_bytes())))
}
