//! Sparse matrices in compressed sparse rows (CSR), written so that `scipy.sparse.load_npz` reads them.
//!
//! Row i has the nonzeros `values[k]` in the columns `indices[k]` for k in `offsets[i] .. offsets[i + 1]`.
//!
//! | member of the `.npz` | type | shape |
//! |---|---|---|
//! | `indices` | i4 (i8 if a column or the number of nonzeros exceeds 2^31 - 1) | nonzeros |
//! | `indptr` | as `indices` | rows + 1 |
//! | `format` | `\|S3`, the bytes `csr` | () |
//! | `shape` | i8 | 2 |
//! | `data` | f8 | nonzeros |
//!
//! Every member carries the date 1980-01-01, so the bytes depend on the matrix alone. Cost: time and memory linear in rows +
//! nonzeros.
//!
//! Source: `scipy.sparse.save_npz`.

use std::io::{self, BufWriter, Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::npy;

/// The archive is made in memory, where no write fails: a `ZipWriter` that has failed tries to finish again when it is
/// dropped, and prints that it could not.
type Archive = ZipWriter<Cursor<Vec<u8>>>;

/// A matrix in compressed sparse rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Csr {
    /// Number of columns.
    pub columns: usize,
    /// Where each row starts in `indices` and `values`; rows + 1 entries, the first 0, the last the nonzeros.
    pub offsets: Vec<usize>,
    /// Columns of the nonzeros, ascending in each row.
    pub indices: Vec<usize>,
    /// Values of the nonzeros.
    pub values: Vec<f64>,
}

impl Csr {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether offsets ascend from 0 to the nonzeros, and columns ascend within each row and within the matrix.
    fn is_valid(&self) -> bool {
        let whole = self.offsets.first() == Some(&0) && self.offsets.last() == Some(&self.values.len());
        let row = |w: &[usize]| {
            self.indices.get(w[0]..w[1]).is_some_and(|columns| {
                columns.is_sorted_by(|a, b| a < b) && columns.last().is_none_or(|&j| j < self.columns)
            })
        };
        whole && self.indices.len() == self.values.len() && self.offsets.windows(2).all(row)
    }
}

/// Writes the five members, deflated.
///
/// # Errors
/// The writer fails.
///
/// # Panics
/// The matrix is malformed: offsets do not ascend from 0 to the nonzeros, or columns do not ascend in a row.
#[track_caller]
pub fn write(mut writer: impl Write, matrix: &Csr) -> io::Result<()> {
    assert!(matrix.is_valid(), "a malformed CSR matrix");
    let nonzeros = matrix.values.len();
    let narrow = i32::try_from(matrix.columns.max(nonzeros)).is_ok();
    let mut zip = Archive::new(Cursor::default());
    member(&mut zip, "indices", nonzeros, |w| integers(w, &matrix.indices, narrow))?;
    member(&mut zip, "indptr", matrix.offsets.len(), |w| integers(w, &matrix.offsets, narrow))?;
    member(&mut zip, "format", 1, |w| npy::write(w, "|S3", &[], [*b"csr"]))?;
    member(&mut zip, "shape", 2, |w| integers(w, &[matrix.rows(), matrix.columns], false))?;
    member(&mut zip, "data", nonzeros, |w| npy::write_vector(w, &matrix.values))?;
    writer.write_all(zip.finish()?.get_ref())?;
    writer.flush()
}

/// One deflated member `NAME.npy` of `elements` elements, with a fixed date and mode.
fn member(
    zip: &mut Archive,
    name: &str,
    elements: usize,
    content: impl FnOnce(&mut BufWriter<&mut Archive>) -> io::Result<()>,
) -> io::Result<()> {
    // Beyond 4 GiB (less a margin for the header and for incompressible data) sizes need the zip64 fields.
    let large = elements as u64 >= (1 << 32) / 8 - (1 << 20);
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(6))
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644)
        .large_file(large);
    zip.start_file(format!("{name}.npy"), options)?;
    let mut buffered = BufWriter::with_capacity(1 << 16, zip);
    content(&mut buffered)?;
    buffered.flush()
}

fn integers(writer: impl Write, values: &[usize], narrow: bool) -> io::Result<()> {
    let shape = [values.len() as u64];
    if narrow {
        let bytes = |&n: &usize| i32::try_from(n).expect("at most the columns or the nonzeros").to_le_bytes();
        npy::write(writer, "<i4", &shape, values.iter().map(bytes))
    } else {
        let bytes = |&n: &usize| i64::try_from(n).expect("no memory holds 2^63 elements").to_le_bytes();
        npy::write(writer, "<i8", &shape, values.iter().map(bytes))
    }
}
