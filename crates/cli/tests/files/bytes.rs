//! Files made by hand, so that reader and writer are not tested against each other alone.

use std::io::{Cursor, Write};
use std::path::PathBuf;

use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A folder that lives as long as the test, and a path in it with the given content.
pub fn file(name: &str, content: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

/// A file written by NumPy.
pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Magic, version 1 to 3, length, and the text padded to a multiple of 64 as NumPy does.
pub fn header(version: u8, text: &str) -> Vec<u8> {
    let prefix = if version == 1 { 10 } else { 12 };
    let padding = 63 - (prefix + text.len()) % 64;
    let length = text.len() + padding + 1;
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend([version, 0]);
    match version {
        1 => bytes.extend(u16::try_from(length).unwrap().to_le_bytes()),
        _ => bytes.extend(u32::try_from(length).unwrap().to_le_bytes()),
    }
    bytes.extend(text.bytes());
    bytes.extend(std::iter::repeat_n(b' ', padding));
    bytes.push(b'\n');
    bytes
}

/// A whole `.npy` of version 1; `order` is "True" or "False" for Fortran order.
pub fn npy(descr: &str, order: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
    let mut bytes = header(1, &text);
    bytes.extend(data);
    bytes
}

/// A zip archive of the given members.
pub fn npz(members: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        zip.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Little-endian f8.
pub fn f8(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}
