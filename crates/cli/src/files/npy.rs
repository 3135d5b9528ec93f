//! `.npy` arrays of real numbers, to and from `f64`.
//!
//! Element (i, j) of an r x c array stands at `i c + j` in C order and at `i + j r` in Fortran order; the result is
//! always in C order (row-major), so a Fortran file is transposed once.
//!
//! | type in the file | conversion |
//! |---|---|
//! | bool, i1 i2 i4, u1 u2 u4, f4, f8 | exact |
//! | i8, u8 | exact up to 2^53 in absolute value, an error beyond |
//!
//! Before memory is taken, `product(shape) * itemsize` is compared with the bytes that the stream holds; memory is at
//! most 8 bytes per element read (16 while a Fortran file is transposed). Cost: one pass.
//!
//! Source: NumPy enhancement proposal 1, "A simple file format for NumPy arrays".

use std::io::{self, Read, Write};

use npyz::{NpyFile, NpyHeader};

use super::array::Array;
use super::error::NpyError;
use super::npy_element::Element;
use super::npy_header::{self, Header, fill};

/// A decoded array of one or two dimensions.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    /// One or two lengths, each at least 1.
    pub shape: Vec<usize>,
    /// Elements in C order.
    pub data: Vec<f64>,
    /// NumPy's name of the element type in the file.
    pub dtype: &'static str,
}

impl Values {
    /// The array as a matrix of samples.
    ///
    /// # Errors
    /// The array is one-dimensional.
    pub fn into_array(self) -> Result<Array, NpyError> {
        let [rows, columns] = self.shape[..] else {
            const EXPECTED: &str =
                "2 dimensions (samples, features): save a single feature as array.reshape(-1, 1)";
            return Err(self.dimensions(EXPECTED));
        };
        Ok(Array { rows, columns, data: self.data, dtype: self.dtype.to_owned() })
    }

    /// The array as a list: shape (n,) or (n, 1).
    ///
    /// # Errors
    /// The array has more than one column.
    pub fn into_labels(self) -> Result<Vec<f64>, NpyError> {
        match self.shape[..] {
            [_] | [_, 1] => Ok(self.data),
            _ => Err(self.dimensions("1 dimension or a single column: save one number per row")),
        }
    }

    fn dimensions(&self, expected: &'static str) -> NpyError {
        let shape: Vec<_> = self.shape.iter().map(|&n| n as u64).collect();
        NpyError::Dimensions { shape: npy_header::shape_text(&shape), expected }
    }
}

/// Reads one `.npy` stream to its end.
///
/// `size`: bytes that the stream holds, by the file system or by the zip directory. `on_disk`: bytes that are surely
/// there (for a file `size`, for a compressed member less); memory for the elements that fit in them is taken at once,
/// for any further ones as they arrive.
///
/// # Errors
/// See [`NpyError`]: another format, a size that disagrees with the shape, an element type or shape that is not accepted,
/// a 64-bit integer beyond 2^53, a failing stream.
pub fn read<R: Read>(mut reader: R, size: u64, on_disk: u64) -> Result<Values, NpyError> {
    let (header, header_bytes) = npy_header::read(&mut reader, size)?;
    let element = Element::of(&header)?;
    let shape = checked_shape(&header)?;
    let promised = promised_bytes(&header, element)?;
    let found = size - header_bytes;
    if promised > found {
        return Err(NpyError::Truncated { promised, found });
    }
    if promised < found {
        return Err(NpyError::Trailing { promised, found });
    }
    let capacity = usize::try_from(promised.min(on_disk) / element.bytes()).map_err(|_| overflow(&header))?;
    let mut data = elements(&mut reader, &header, element, promised, capacity)?;
    // One read beyond the end: a longer stream shows, and a zip member's checksum is compared.
    let beyond = fill(&mut reader, &mut [0])? as u64;
    if beyond > 0 {
        return Err(NpyError::Trailing { promised, found: promised + beyond });
    }
    if header.fortran_order && shape.len() == 2 {
        data = transposed(&data, shape[0], shape[1]);
    }
    Ok(Values { shape, data, dtype: element.name() })
}

/// The `promised` bytes after the header, decoded in the order of the file.
fn elements(
    reader: &mut impl Read,
    header: &Header,
    element: Element,
    promised: u64,
    capacity: usize,
) -> Result<Vec<f64>, NpyError> {
    let mut stream = Counted { inner: reader.take(promised), bytes: 0 };
    let file = NpyFile::with_header(canonical(header)?, &mut stream);
    // The lengths fit: their product does.
    let rows = header.shape[0] as usize;
    let columns = header.shape.get(1).map_or(1, |&n| n as usize);
    let at = |k| {
        if header.fortran_order { (k % rows, k / rows) } else { (k / columns, k % columns) }
    };
    let decoded = element.decode(file, capacity, at);
    decoded.map_err(|error| match error {
        NpyError::Io { problem } if problem.kind() == io::ErrorKind::UnexpectedEof => {
            NpyError::Truncated { promised, found: stream.bytes }
        }
        error => error,
    })
}

/// One or two lengths, none of them zero.
fn checked_shape(header: &Header) -> Result<Vec<usize>, NpyError> {
    if !(1..=2).contains(&header.shape.len()) {
        let expected = "1 or 2 dimensions: reshape it to (samples, features)";
        return Err(NpyError::Dimensions { shape: npy_header::shape_text(&header.shape), expected });
    }
    if header.shape.contains(&0) {
        return Err(NpyError::Empty { shape: npy_header::shape_text(&header.shape) });
    }
    let lengths = header.shape.iter().map(|&n| usize::try_from(n).ok()).collect::<Option<Vec<_>>>();
    lengths.ok_or_else(|| overflow(header))
}

fn overflow(header: &Header) -> NpyError {
    NpyError::Overflow { shape: npy_header::shape_text(&header.shape), dtype: header.descr.clone() }
}

fn promised_bytes(header: &Header, element: Element) -> Result<u64, NpyError> {
    let elements = header.shape.iter().try_fold(1_u64, |product, &n| product.checked_mul(n));
    let bytes = elements.and_then(|n| n.checked_mul(element.bytes()));
    // As many f64 must be addressable too.
    let memory = elements.and_then(|n| n.checked_mul(8)).filter(|&n| isize::try_from(n).is_ok());
    bytes.filter(|_| memory.is_some()).ok_or_else(|| overflow(header))
}

/// `npyz` builds a header only from bytes: write the checked one afresh and let it read that.
fn canonical(header: &Header) -> Result<NpyHeader, NpyError> {
    let bytes = npy_header::written(&header.descr, header.fortran_order, &header.shape);
    NpyHeader::from_reader(&bytes[..]).map_err(|problem| NpyError::Io { problem })
}

fn transposed(data: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    let mut result = Vec::with_capacity(data.len());
    for i in 0..rows {
        result.extend(data[i..].iter().step_by(rows).take(columns));
    }
    result
}

/// Counts the bytes that pass, so that a broken stream can say how far it went.
struct Counted<R> {
    inner: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.bytes += n as u64;
        Ok(n)
    }
}

/// Writes an `rows x columns` row-major matrix as f8, little endian, C order. Bytes depend on the arguments alone.
///
/// # Errors
/// The writer fails.
///
/// # Panics
/// `data.len() != rows * columns`.
#[track_caller]
pub fn write_matrix(writer: impl Write, rows: usize, columns: usize, data: &[f64]) -> io::Result<()> {
    assert_eq!(data.len(), rows * columns, "elements of a {rows} x {columns} matrix");
    write(writer, "<f8", &[rows as u64, columns as u64], data.iter().map(|x| x.to_le_bytes()))
}

/// Writes a one-dimensional array as f8, little endian. Bytes depend on the arguments alone.
///
/// # Errors
/// The writer fails.
pub fn write_vector(writer: impl Write, data: &[f64]) -> io::Result<()> {
    write(writer, "<f8", &[data.len() as u64], data.iter().map(|x| x.to_le_bytes()))
}

/// Writes an array of the given shape: elements in C order, little endian, of the type `descr`.
pub(super) fn write<const N: usize>(
    mut writer: impl Write,
    descr: &str,
    shape: &[u64],
    elements: impl IntoIterator<Item = [u8; N]>,
) -> io::Result<()> {
    writer.write_all(&npy_header::written(descr, false, shape))?;
    elements.into_iter().try_for_each(|element| writer.write_all(&element))
}
