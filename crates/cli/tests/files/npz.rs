//! `.npz`: choice of the array, methods, claims about sizes; CSR; the embedded digits.

use std::io::{Cursor, Read};

use cli::files::array::Array;
use cli::files::digits;
use cli::files::error::{NpyError, NpzError};
use cli::files::npy::Values;
use cli::files::npz::read;
use cli::files::read::{ArrayFile, read_labels, read_samples};
use cli::files::sparse::{self, Csr};
use zip::CompressionMethod::{Deflated, Stored};

use crate::bytes::{f8, fixture, npy, npz};

fn parse(bytes: &[u8], name: Option<&str>) -> Result<(String, Values), NpzError> {
    read(Cursor::new(bytes), bytes.len() as u64, name)
}

#[test]
fn one_array_needs_no_name() {
    let array = npy("<f8", "False", "(2, 1)", &f8(&[1.0, 2.0]));
    for method in [Stored, Deflated] {
        let bytes = npz(&[("notes.txt", b"hello"), ("codes.npy", &array)], method);
        let (name, values) = parse(&bytes, None).unwrap();
        assert_eq!((name.as_str(), values.data), ("codes", vec![1.0, 2.0]));
        assert!(matches!(parse(&bytes, Some("notes.txt")), Err(NpzError::NoSuchArray { .. })));
    }
}

#[test]
fn several_arrays_need_a_name() {
    let source = ArrayFile { array: Some("X".to_owned()), ..ArrayFile::new(fixture("mixed.npz")) };
    let samples = read_samples(&source).unwrap();
    assert_eq!((samples.array.rows, samples.array.columns), (3, 4));
    assert_eq!(samples.array.data[5], 5.0 / 8.0 - 0.5);
    let source = ArrayFile { array: Some("y".to_owned()), ..ArrayFile::new(fixture("mixed.npz")) };
    assert_eq!(read_labels(&source).unwrap(), [2.0, 0.0, 1.0]);
    assert!(read_samples(&ArrayFile::new(fixture("mixed.npz"))).is_err());
}

/// The offset of a field in the central directory entry of a single-member archive.
fn in_directory(bytes: &[u8], field: usize) -> usize {
    bytes.windows(4).position(|w| w == b"PK\x01\x02").unwrap() + field
}

const SIZE_ON_DISK: usize = 20;
const SIZE_UNPACKED: usize = 24;

fn patched(bytes: &[u8], field: usize, value: u32) -> Vec<u8> {
    let at = in_directory(bytes, field);
    let mut bytes = bytes.to_vec();
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    bytes
}

/// A header that promises 2^60 bytes in a tiny archive: refused before anything is unpacked or any memory taken.
#[test]
fn impossible_sizes_are_refused() {
    let shape = format!("({}, 2)", 1_u64 << 56);
    let bytes = npz(&[("x.npy", &npy("<f8", "False", &shape, &[0; 64]))], Deflated);
    let truncated = |problem| matches!(problem, NpzError::Array { problem: NpyError::Truncated { .. }, .. });
    assert!(truncated(parse(&bytes, None).unwrap_err()));
    let bytes = patched(&bytes, SIZE_UNPACKED, u32::MAX - 1);
    assert!(matches!(parse(&bytes, None).unwrap_err(), NpzError::TooLarge { .. }));
}

/// The directory agrees with the header, but the stream ends early or goes on.
#[test]
fn claims_are_compared_with_the_stream() {
    let honest = npy("|u1", "False", "(300,)", &[0; 300]);
    let bytes = npz(&[("x.npy", &honest)], Deflated);
    assert_eq!(parse(&bytes, None).unwrap().1.data, vec![0.0; 300]);

    let short = npz(&[("x.npy", &npy("|u1", "False", "(400,)", &[0; 300]))], Deflated);
    let problem = parse(&patched(&short, SIZE_UNPACKED, 128 + 400), None).unwrap_err();
    let expected = |p: &NpyError| matches!(p, NpyError::Truncated { promised: 400, found: 300 });
    assert!(matches!(&problem, NpzError::Array { problem, .. } if expected(problem)), "{problem}");

    let long = npz(&[("x.npy", &npy("|u1", "False", "(200,)", &[0; 300]))], Deflated);
    let problem = parse(&patched(&long, SIZE_UNPACKED, 128 + 200), None).unwrap_err();
    let larger = |p: &NpyError| p.to_string().contains("larger than its declared");
    assert!(matches!(&problem, NpzError::Array { problem, .. } if larger(problem)), "{problem}");

    let cut = patched(&bytes, SIZE_ON_DISK, 8);
    assert!(parse(&cut, None).is_err());
}

#[test]
fn a_damaged_member_is_refused_by_its_checksum() {
    let mut bytes = npz(&[("x.npy", &npy("|u1", "False", "(3,)", &[1, 2, 3]))], Stored);
    let at = bytes.windows(3).position(|w| w == [1, 2, 3]).unwrap();
    bytes[at] = 9;
    let problem = parse(&bytes, None).unwrap_err();
    assert!(matches!(problem, NpzError::Array { problem: NpyError::Io { .. }, .. }), "{problem}");
}

#[test]
fn encrypted_and_other_methods_are_refused() {
    let bytes = npz(&[("x.npy", &npy("|u1", "False", "(3,)", &[1, 2, 3]))], Stored);
    let flags = in_directory(&bytes, 8);
    let local_flags = 6;
    let mut encrypted = bytes.clone();
    encrypted[flags] |= 1;
    encrypted[local_flags] |= 1;
    let problem = parse(&encrypted, None).unwrap_err();
    assert!(matches!(&problem, NpzError::Method { found, .. } if found == "encrypted"), "{problem}");
    let mut lzma = bytes.clone();
    lzma[flags + 2] = 14;
    lzma[local_flags + 2] = 14;
    let problem = parse(&lzma, None).unwrap_err();
    assert!(matches!(&problem, NpzError::Method { .. }), "{problem}");
}

/// `[[0, 1.5, 0, -2], [0, 0, 0, 0], [7, 0, 0, 0]]`.
fn csr() -> Csr {
    Csr { columns: 4, offsets: vec![0, 2, 2, 3], indices: vec![1, 3, 0], values: vec![1.5, -2.0, 7.0] }
}

/// The members, in order, byte for byte as `scipy.sparse.save_npz` writes them; dates fixed.
#[test]
fn csr_members_are_those_of_scipy() {
    let mut written = Cursor::new(Vec::new());
    sparse::write(&mut written, &csr()).unwrap();
    let bytes = written.into_inner();
    let i4 = |values: &[i32]| values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>();
    let i8 = |values: &[i64]| values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>();
    let expected = [
        ("indices.npy", npy("<i4", "False", "(3,)", &i4(&[1, 3, 0]))),
        ("indptr.npy", npy("<i4", "False", "(4,)", &i4(&[0, 2, 2, 3]))),
        ("format.npy", npy("|S3", "False", "()", b"csr")),
        ("shape.npy", npy("<i8", "False", "(2,)", &i8(&[3, 4]))),
        ("data.npy", npy("<f8", "False", "(3,)", &f8(&[1.5, -2.0, 7.0]))),
    ];
    let mut archive = zip::ZipArchive::new(Cursor::new(&bytes)).unwrap();
    assert_eq!(archive.len(), expected.len());
    for (index, (name, content)) in expected.iter().enumerate() {
        let mut member = archive.by_index(index).unwrap();
        assert_eq!(member.name().unwrap(), *name);
        assert_eq!(member.last_modified().map(|t| (t.datepart(), t.timepart())), Some((0x21, 0)));
        let mut found = Vec::new();
        member.read_to_end(&mut found).unwrap();
        assert_eq!(found, *content, "{name}");
    }
    let mut again = Cursor::new(Vec::new());
    sparse::write(&mut again, &csr()).unwrap();
    assert_eq!(again.into_inner(), bytes);
}

#[test]
fn csr_indices_widen_with_the_columns() {
    for (columns, kind) in [(i32::MAX as usize, "int32"), (i32::MAX as usize + 1, "int64")] {
        let matrix = Csr { columns, offsets: vec![0, 1], indices: vec![columns - 1], values: vec![1.0] };
        let mut written = Cursor::new(Vec::new());
        sparse::write(&mut written, &matrix).unwrap();
        let bytes = written.into_inner();
        for name in ["indices", "indptr"] {
            assert_eq!(parse(&bytes, Some(name)).unwrap().1.dtype, kind);
        }
        assert_eq!(parse(&bytes, Some("indices")).unwrap().1.data, [(columns - 1) as f64]);
    }
}

#[test]
#[should_panic(expected = "a malformed CSR matrix")]
fn a_csr_matrix_out_of_order_is_a_mistake() {
    let matrix = Csr { columns: 4, offsets: vec![0, 2], indices: vec![3, 1], values: vec![1.0, 2.0] };
    let _ = sparse::write(Cursor::new(Vec::new()), &matrix);
}

/// Sums known from the UCI file: they fix pixels and labels as a whole.
#[test]
fn digits_are_whole() {
    let digits = digits::digits();
    let Array { rows, columns, data, dtype } = &digits.pixels;
    assert_eq!((*rows, *columns, dtype.as_str(), data.len()), (1797, 64, "float32", 1797 * 64));
    assert!(data.iter().all(|x| (0.0..=16.0).contains(x) && x.fract() == 0.0));
    assert_eq!(data.iter().sum::<f64>(), 561_718.0);
    let mut counts = [0; 10];
    digits.labels.iter().for_each(|&y| counts[usize::from(y)] += 1);
    assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
}

#[test]
fn splits_part_the_rows() {
    let mut seen = std::collections::BTreeSet::new();
    for index in 0..digits::SPLIT_COUNT {
        let (train, test) = digits::split(index);
        let mut all = [train.as_slice(), test.as_slice()].concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..1797));
        assert_eq!((train.len(), test.len()), (1257, 540));
        assert!(seen.insert(test));
    }
}
