//! Whatever the bytes, reading ends in a value or an error, and never holds more than the file can.

use std::io::Cursor;

use cli::files::npy::{self, Values};
use cli::files::npz;
use cli::files::table::{self, Column, TableOptions};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use zip::CompressionMethod;

use crate::bytes;

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20_261_124),
        ..ProptestConfig::default()
    }
}

/// Invariants of a decoded array from a stream that cannot unpack to more than `most` bytes.
fn check(values: &Values, most: usize) {
    assert!(matches!(values.shape.len(), 1 | 2));
    assert_eq!(values.shape.iter().product::<usize>(), values.data.len());
    assert!((1..=most).contains(&values.data.len()));
}

fn read_npy(bytes: &[u8]) -> bool {
    let size = bytes.len() as u64;
    let result = npy::read(bytes, size, size);
    if let Ok(values) = &result {
        check(values, bytes.len());
    }
    result.is_ok()
}

fn read_npz(bytes: &[u8]) -> bool {
    let result = npz::read(Cursor::new(bytes), bytes.len() as u64, None);
    if let Ok((_, values)) = &result {
        check(values, 1032 * bytes.len());
    }
    result.is_ok()
}

fn valid_npy() -> Vec<u8> {
    bytes::npy("<i2", "False", "(4, 3)", &[7; 24])
}

fn valid_npz(method: CompressionMethod) -> Vec<u8> {
    bytes::npz(&[("x.npy", &valid_npy())], method)
}

#[test]
fn a_cut_file_is_refused_at_every_length() {
    let whole = valid_npy();
    assert!(read_npy(&whole));
    (0..whole.len()).for_each(|n| assert!(!read_npy(&whole[..n]), "{n}"));
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        let whole = valid_npz(method);
        assert!(read_npz(&whole));
        (0..whole.len()).for_each(|n| assert!(!read_npz(&whole[..n]), "{n}"));
    }
}

/// Every single bit of a small archive, in turn.
#[test]
fn any_flipped_bit_ends_in_a_value_or_an_error() {
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        let whole = valid_npz(method);
        for bit in 0..8 * whole.len() {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            read_npz(&bytes);
        }
    }
}

#[test]
fn hostile_headers_are_refused() {
    let huge = u64::MAX.to_string();
    for shape in [
        "(1152921504606846976,)".to_owned(),
        "(1152921504606846976, 16)".to_owned(),
        "(4294967296, 4294967296)".to_owned(),
        format!("({huge}, {huge})"),
        format!("(0, {huge})"),
        format!("({huge}, 0)"),
        format!("({huge}0,)"),
        "(-1,)".to_owned(),
        "(0,)".to_owned(),
        "()".to_owned(),
        "(1, 1, 1)".to_owned(),
        format!("({})", "1, ".repeat(9000)),
        format!("{}{}", "(".repeat(20_000), ")".repeat(20_000)),
    ] {
        for data in [0, 8, 16] {
            assert!(!read_npy(&bytes::npy("<f8", "False", &shape, &vec![0; data])), "{shape:.60}");
        }
    }
    for text in [
        "",
        "{}",
        "{'descr': '<f8', 'shape': (1,), }",
        "{'descr': '<f8', 'fortran_order': False, }",
        "{'fortran_order': False, 'shape': (1,), }",
        "{'descr': '', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '|f8', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f18446744073709551616', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<\u{e9}8', 'fortran_order': False, 'shape': (1,), }",
    ] {
        let mut file = bytes::header(1, text);
        file.extend([0; 8]);
        assert!(!read_npy(&file), "{text}");
    }
}

/// A length field of 4 GiB takes no memory.
#[test]
fn a_header_length_is_compared_with_the_file_and_with_a_limit() {
    let mut file = b"\x93NUMPY\x02\x00\xff\xff\xff\xff{".to_vec();
    assert!(!read_npy(&file));
    file.resize(200_000, b' ');
    file[8..12].copy_from_slice(&150_000_u32.to_le_bytes());
    let problem = npy::read(file.as_slice(), 200_000, 200_000).unwrap_err();
    assert!(problem.to_string().contains("claims 150000 bytes, at most 65536"), "{problem}");
}

/// Small lengths, of which some make whole files, and any.
fn length() -> impl Strategy<Value = u64> {
    prop_oneof![3 => 0_u64..4, 1 => any::<u64>()]
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(!read_npy(&bytes) && !read_npz(&bytes));
        let label = Some(Column::Index(1));
        for options in [TableOptions::default(), TableOptions { label, ..TableOptions::default() }] {
            if let Ok(table) = table::read(&bytes, &options) {
                prop_assert_eq!(table.array.rows * table.array.columns, table.array.data.len());
                prop_assert_eq!(table.lines.len(), table.array.rows);
            }
        }
    }

    #[test]
    fn any_text_after_the_magic(text in "[{}()\\[\\]',: 0-9a-z<>|\\\\TF]{0,120}", data in 0_usize..20) {
        let mut file = bytes::header(1, &text);
        file.extend(vec![0; data]);
        read_npy(&file);
    }

    #[test]
    fn any_table(text in "[0-9,;\"\r\n .a-c\u{e9}-]{0,120}") {
        if let Ok(table) = table::read(text.as_bytes(), &TableOptions::default()) {
            prop_assert_eq!(table.array.rows * table.array.columns, table.array.data.len());
            prop_assert!(table.lines.is_sorted_by(|a, b| a < b));
        }
    }

    #[test]
    fn mutated_npy(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = valid_npy();
        for (place, byte) in edits {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        read_npy(&bytes);
    }

    #[test]
    fn any_shape(rows in length(), columns in length(), data in 0_usize..8, more in 0_usize..2) {
        let file = bytes::npy("<f8", "True", &format!("({rows}, {columns})"), &vec![0; 8 * data + more]);
        let data = 8 * data + more;
        let elements = u128::from(rows).checked_mul(u128::from(columns));
        let whole = data > 0 && elements.is_some_and(|n| n.checked_mul(8) == Some(data as u128));
        prop_assert_eq!(read_npy(&file), whole);
    }

    #[test]
    fn mutated_npz(
        deflated in any::<bool>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let method = if deflated { CompressionMethod::Deflated } else { CompressionMethod::Stored };
        let mut bytes = valid_npz(method);
        for (place, byte) in edits {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        read_npz(&bytes);
        bytes.drain(..cut.index(bytes.len()));
        read_npz(&bytes);
    }
}
