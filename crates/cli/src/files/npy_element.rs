//! Element types of `.npy` files and their conversion to `f64`.
//!
//! `descr` is the byte order (`<` little, `>` big, `|` for single bytes), a letter for the kind and the size in bytes.
//! Everything up to 32 bits converts exactly; 64-bit integers do up to 2^53 in absolute value, and are an error beyond.

use std::collections::TryReserveError;
use std::io::{self, Read};

use npyz::{Deserialize, NpyFile};

use super::array::quoted;
use super::error::NpyError;
use super::npy_header::Header;

/// The element types that convert to `f64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F32,
    F64,
}

impl Element {
    /// The type that `descr` names: endianness `<`, `>` (or `|` where it has no meaning), kind, bytes.
    pub fn of(header: &Header) -> Result<Self, NpyError> {
        let descr = header.descr.as_bytes();
        if !header.plain || descr.len() < 2 || !descr.is_ascii() {
            return Err(unsupported(header));
        }
        let (endianness, kind) = (descr[0], &header.descr[1..]);
        let element = match kind {
            "b1" => Self::Bool,
            "i1" => Self::I8,
            "i2" => Self::I16,
            "i4" => Self::I32,
            "i8" => Self::I64,
            "u1" => Self::U8,
            "u2" => Self::U16,
            "u4" => Self::U32,
            "u8" => Self::U64,
            "f4" => Self::F32,
            "f8" => Self::F64,
            _ => return Err(unsupported(header)),
        };
        let known = matches!(endianness, b'<' | b'>') || (endianness == b'|' && element.bytes() == 1);
        if known { Ok(element) } else { Err(unsupported(header)) }
    }

    /// Bytes of one element.
    pub fn bytes(self) -> u64 {
        match self {
            Self::Bool | Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }

    /// NumPy's name of the type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::I8 => "int8",
            Self::I16 => "int16",
            Self::I32 => "int32",
            Self::I64 => "int64",
            Self::U8 => "uint8",
            Self::U16 => "uint16",
            Self::U32 => "uint32",
            Self::U64 => "uint64",
            Self::F32 => "float32",
            Self::F64 => "float64",
        }
    }

    /// All elements as `f64`, in the order of the file; `at(k)` is the row and column of element `k`.
    ///
    /// Memory for `capacity` elements is taken at once, for further ones as they arrive.
    pub fn decode<R: Read>(
        self,
        file: NpyFile<R>,
        capacity: usize,
        at: impl Fn(usize) -> (usize, usize),
    ) -> Result<Vec<f64>, NpyError> {
        let inexact = |k: usize, value: String| {
            let (row, column) = at(k);
            NpyError::Inexact { dtype: self.name(), value, row, column }
        };
        match self {
            Self::Bool => convert(file, capacity, |_, x: bool| Ok(f64::from(u8::from(x)))),
            Self::I8 => convert(file, capacity, |_, x: i8| Ok(f64::from(x))),
            Self::I16 => convert(file, capacity, |_, x: i16| Ok(f64::from(x))),
            Self::I32 => convert(file, capacity, |_, x: i32| Ok(f64::from(x))),
            Self::U8 => convert(file, capacity, |_, x: u8| Ok(f64::from(x))),
            Self::U16 => convert(file, capacity, |_, x: u16| Ok(f64::from(x))),
            Self::U32 => convert(file, capacity, |_, x: u32| Ok(f64::from(x))),
            Self::F32 => convert(file, capacity, |_, x: f32| Ok(f64::from(x))),
            Self::F64 => convert(file, capacity, |_, x: f64| Ok(x)),
            Self::I64 => convert(file, capacity, |k, x: i64| match x.unsigned_abs() <= EXACT {
                true => Ok(x as f64),
                false => Err(inexact(k, x.to_string())),
            }),
            Self::U64 => convert(file, capacity, |k, x: u64| match x <= EXACT {
                true => Ok(x as f64),
                false => Err(inexact(k, x.to_string())),
            }),
        }
    }
}

/// Every integer up to 2^53 in absolute value is a `f64`.
const EXACT: u64 = 1 << 53;

fn convert<R: Read, T: Deserialize>(
    file: NpyFile<R>,
    capacity: usize,
    exactly: impl Fn(usize, T) -> Result<f64, NpyError>,
) -> Result<Vec<f64>, NpyError> {
    let invalid = |problem: npyz::DTypeError| io::Error::new(io::ErrorKind::InvalidData, problem.to_string());
    let elements = file.data::<T>().map_err(|problem| NpyError::Io { problem: invalid(problem) })?;
    let mut data = Vec::new();
    let memory = |problem| NpyError::Io { problem: io::Error::new(io::ErrorKind::OutOfMemory, problem) };
    data.try_reserve_exact(capacity).map_err(|problem: TryReserveError| memory(problem))?;
    for (k, element) in elements.enumerate() {
        data.push(exactly(k, element.map_err(|problem| NpyError::Io { problem })?)?);
    }
    Ok(data)
}

fn unsupported(header: &Header) -> NpyError {
    let kind = match header.descr.as_bytes() {
        _ if !header.plain => "structured",
        [_, b'c', ..] => "complex",
        [_, b'U' | b'S' | b'a', ..] => "text",
        [_, b'O', ..] => "Python objects, pickled",
        [_, b'M' | b'm', ..] => "dates or time spans",
        [_, b'V', ..] => "raw bytes",
        [first, ..] if !b"<>|".contains(first) => "without a byte order",
        [b'|', b'f' | b'i' | b'u', b'2' | b'4' | b'8'] => "without a byte order",
        [_, b'f', ..] => "a float of another size",
        _ => "not a type of numbers",
    };
    NpyError::DType { found: quoted(header.descr.as_bytes()), kind }
}
