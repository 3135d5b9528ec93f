//! `.npy`: every type, endianness, order and version; golden bytes of the writer.

use cli::files::error::{NpyError, ReadError};
use cli::files::npy::{Values, read, write_matrix, write_vector};
use cli::files::read::{ArrayFile, read_labels, read_samples};

use crate::bytes::{f8, file, fixture, header, npy};

fn parse(bytes: &[u8]) -> Result<Values, NpyError> {
    read(bytes, bytes.len() as u64, bytes.len() as u64)
}

/// One type: `little` and `big` hold the same 2 x 3 values in the two byte orders.
#[track_caller]
fn check(kind: &str, dtype: &str, little: &[u8], values: [f64; 6]) {
    let item = little.len() / 6;
    let big: Vec<u8> = little.chunks(item).flat_map(|x| x.iter().rev().copied()).collect();
    // Column-major: elements 0 3 1 4 2 5.
    let by_columns = [0, 3, 1, 4, 2, 5];
    let fortran: Vec<u8> =
        by_columns.iter().flat_map(|&k| little[k * item..(k + 1) * item].to_vec()).collect();
    let mut files = vec![
        npy(&format!("<{kind}"), "False", "(2, 3)", little),
        npy(&format!(">{kind}"), "False", "(2, 3)", &big),
        npy(&format!("<{kind}"), "True", "(2, 3)", &fortran),
    ];
    if item == 1 {
        files.push(npy(&format!("|{kind}"), "False", "(2, 3)", little));
    }
    for bytes in files {
        let found = parse(&bytes).unwrap();
        assert_eq!((found.shape.as_slice(), found.dtype), (&[2, 3][..], dtype));
        assert_eq!(found.data, values, "{kind}");
    }
}

fn le<const N: usize, T: Copy>(values: [T; 6], bytes: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    values.into_iter().flat_map(bytes).collect()
}

#[test]
fn floats() {
    let values = [0.5, -1.25, 3.0, f64::INFINITY, -0.0, 1e30];
    check("f8", "float64", &le(values, f64::to_le_bytes), values);
    let single = values.map(|x| x as f32);
    check("f4", "float32", &le(single, f32::to_le_bytes), single.map(f64::from));
}

#[test]
fn signed_integers() {
    check(
        "i1",
        "int8",
        &le([0, 1, -1, i8::MIN, i8::MAX, 7], i8::to_le_bytes),
        [0., 1., -1., -128., 127., 7.],
    );
    let two = [0, 1, -1, i16::MIN, i16::MAX, 258];
    check("i2", "int16", &le(two, i16::to_le_bytes), two.map(f64::from));
    let four = [0, 1, -1, i32::MIN, i32::MAX, 16_909_060];
    check("i4", "int32", &le(four, i32::to_le_bytes), four.map(f64::from));
    let eight = [0, 1, -1, -(1 << 53), 1 << 53, 72_623_859_790_382];
    check("i8", "int64", &le(eight, i64::to_le_bytes), eight.map(|x| x as f64));
}

#[test]
fn unsigned_integers_and_booleans() {
    check("u1", "uint8", &[0, 1, 2, 127, 128, 255], [0., 1., 2., 127., 128., 255.]);
    let two = [0, 1, 255, 256, 258, u16::MAX];
    check("u2", "uint16", &le(two, u16::to_le_bytes), two.map(f64::from));
    let four = [0, 1, 255, 256, 16_909_060, u32::MAX];
    check("u4", "uint32", &le(four, u32::to_le_bytes), four.map(f64::from));
    let eight = [0, 1, 255, 256, 1 << 53, 72_623_859_790_382];
    check("u8", "uint64", &le(eight, u64::to_le_bytes), eight.map(|x| x as f64));
    check("b1", "bool", &[0, 1, 1, 0, 0, 1], [0., 1., 1., 0., 0., 1.]);
}

#[test]
fn integers_beyond_2_to_53_are_refused_with_their_place() {
    let beyond = (1_i64 << 53) + 1;
    for (order, data, place) in
        [("False", [0, 0, 0, beyond, 0, 0], (1, 0)), ("True", [0, 0, 0, -beyond, 0, 0], (1, 1))]
    {
        let bytes = npy("<i8", order, "(2, 3)", &le(data, i64::to_le_bytes));
        match parse(&bytes).unwrap_err() {
            NpyError::Inexact { dtype: "int64", value, row, column } => {
                assert_eq!((row, column), place);
                assert!(value.ends_with("9007199254740993"));
            }
            other => panic!("{other}"),
        }
    }
    let bytes = npy("<u8", "False", "(1,)", &u64::MAX.to_le_bytes());
    assert!(matches!(
        parse(&bytes).unwrap_err(),
        NpyError::Inexact { dtype: "uint64", row: 0, column: 0, .. }
    ));
}

#[test]
fn all_three_versions() {
    for version in 1..=3 {
        let mut bytes = header(version, "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }");
        bytes.extend(f8(&[1.5, -2.0]));
        let found = parse(&bytes).unwrap();
        assert_eq!((found.shape, found.data), (vec![2], vec![1.5, -2.0]));
    }
}

#[test]
fn files_that_numpy_wrote() {
    let samples = read_samples(&ArrayFile::new(fixture("fortran_big_endian.npy"))).unwrap();
    let expected: Vec<f64> = (0..12).map(|k| f64::from(k) / 8.0 - 0.5).collect();
    assert_eq!((samples.array.rows, samples.array.columns, samples.array.dtype.as_str()), (3, 4, "float32"));
    assert_eq!(samples.array.data, expected);
    let problem = read_samples(&ArrayFile::new(fixture("structured.npy"))).unwrap_err();
    assert!(matches!(problem, ReadError::Npy { problem: NpyError::DType { kind: "structured", .. }, .. }));
}

#[test]
fn labels_are_a_row_of_numbers_or_one_column() {
    for shape in ["(3,)", "(3, 1)"] {
        let (_folder, path) = file("y.npy", &npy("|u1", "False", shape, &[2, 0, 1]));
        assert_eq!(read_labels(&ArrayFile::new(path)).unwrap(), [2.0, 0.0, 1.0]);
    }
    let (_folder, path) = file("y.npy", &npy("|u1", "False", "(1, 3)", &[2, 0, 1]));
    assert!(read_labels(&ArrayFile::new(path)).is_err());
    let (_folder, path) = file("x.npy", &npy("|u1", "False", "(3,)", &[2, 0, 1]));
    assert!(read_samples(&ArrayFile::new(path)).is_err());
}

/// What `numpy.save` writes, byte for byte.
#[test]
fn written_bytes_are_those_of_numpy() {
    let mut written = Vec::new();
    write_matrix(&mut written, 2, 3, &[1.0, 2.0, 3.0, -4.0, 0.5, f64::NAN]).unwrap();
    assert_eq!(written, npy("<f8", "False", "(2, 3)", &f8(&[1.0, 2.0, 3.0, -4.0, 0.5, f64::NAN])));
    assert_eq!(written.len(), 128 + 48);
    let mut written = Vec::new();
    write_vector(&mut written, &[0.1]).unwrap();
    assert_eq!(written, npy("<f8", "False", "(1,)", &f8(&[0.1])));
}

/// The extremes of `f64` come back with the same bits.
#[test]
fn round_trip_keeps_every_bit() {
    let data = [f64::MIN_POSITIVE / 8.0, f64::MAX, -0.0, f64::NAN, f64::NEG_INFINITY, 0.1 + 0.2];
    let mut written = Vec::new();
    write_matrix(&mut written, 3, 2, &data).unwrap();
    let array = parse(&written).unwrap().into_array().unwrap();
    assert_eq!((array.rows, array.columns), (3, 2));
    assert_eq!(array.data.map_bits(), data.to_vec().map_bits());
}

trait Bits {
    fn map_bits(&self) -> Vec<u64>;
}

impl Bits for Vec<f64> {
    fn map_bits(&self) -> Vec<u64> {
        self.iter().map(|x| x.to_bits()).collect()
    }
}
