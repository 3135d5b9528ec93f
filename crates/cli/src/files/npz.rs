//! `.npz`: a zip archive whose members are `NAME.npy`, stored or deflated.
//!
//! Sizes in a zip directory are claims. Deflate cannot expand a byte to more than 1032, so a larger claim is refused
//! before anything is unpacked; the array then grows only as bytes arrive, at most [`LARGEST_UNPACKED`] of them, and at
//! most those that the `.npy` header inside promises.
//!
//! Source: `numpy.savez`; deflate's bound from RFC 1951 (258 bytes out of 2 bits).

use std::io::{BufReader, Read, Seek};

use zip::read::ZipFile;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::array::{name_list, suggestion};
use super::error::{NpyError, NpzError};
use super::npy::{self, Values};

/// Largest size, in bytes, to which a compressed array may unpack.
pub const LARGEST_UNPACKED: u64 = 1 << 34;

/// Most bytes that deflate makes of one.
const DEFLATE_BOUND: u64 = 1032;

/// Reads the array called `name`; without a name, the only one in the file.
///
/// `size` is the length of the file in bytes. Returns the array's name too.
///
/// # Errors
/// See [`NpzError`]: no zip archive, no such array, several arrays and no name, an encrypted or otherwise compressed
/// member, a size that deflate cannot reach, a malformed array.
pub fn read<R: Read + Seek>(reader: R, size: u64, name: Option<&str>) -> Result<(String, Values), NpzError> {
    let mut archive = ZipArchive::new(reader).map_err(|problem| NpzError::Archive { problem })?;
    let (index, name) = choose(&array_names(&archive), name)?;
    let on_disk = unpackable(&mut archive, index, &name, size)?;
    let member = archive.by_index(index).map_err(|problem| of_member(problem, &name))?;
    let unpacked = member.size();
    // Elements are read one by one: the decompressor should not be.
    match npy::read(BufReader::with_capacity(1 << 16, member), unpacked, on_disk) {
        Ok(values) => Ok((name, values)),
        Err(problem) => Err(NpzError::Array { name, problem }),
    }
}

/// Index in the archive and name of every `.npy` member.
fn array_names<R: Read + Seek>(archive: &ZipArchive<R>) -> Vec<(usize, String)> {
    let name = |bytes: &[u8]| Some(String::from_utf8_lossy(bytes.strip_suffix(b".npy")?).into_owned());
    archive.file_names_raw().enumerate().filter_map(|(index, bytes)| Some((index, name(bytes)?))).collect()
}

fn choose(arrays: &[(usize, String)], wanted: Option<&str>) -> Result<(usize, String), NpzError> {
    let names: Vec<_> = arrays.iter().map(|(_, name)| name).collect();
    match (arrays, wanted) {
        ([], _) => Err(NpzError::NoArrays),
        ([only], None) => Ok(only.clone()),
        // What `scipy.sparse.save_npz` writes, whatever the format.
        (_, None)
            if ["format", "shape", "data"].iter().all(|part| names.iter().any(|name| *name == part)) =>
        {
            Err(NpzError::SparseMatrix)
        }
        (_, None) => {
            let (key, available) = (String::new(), name_list(&names));
            Err(NpzError::NameNeeded { key, count: names.len(), available })
        }
        (_, Some(wanted)) => {
            arrays.iter().find(|(_, name)| name == wanted).cloned().ok_or_else(|| NpzError::NoSuchArray {
                name: wanted.to_owned(),
                suggestion: suggestion(wanted, &names),
                available: name_list(&names),
            })
        }
    }
}

/// Checks method and sizes of a member before it is unpacked; returns the bytes that it takes on disk.
fn unpackable<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    index: usize,
    name: &str,
    size: u64,
) -> Result<u64, NpzError> {
    let member = archive.by_index_raw(index).map_err(|problem| of_member(problem, name))?;
    if let Some(found) = unsupported_method(&member) {
        return Err(NpzError::Method { name: name.to_owned(), found });
    }
    let on_disk = member.compressed_size().min(size);
    let factor = if member.compression() == CompressionMethod::Stored { 1 } else { DEFLATE_BOUND };
    let limit = on_disk.saturating_mul(factor).min(LARGEST_UNPACKED.max(on_disk));
    if member.size() > limit {
        return Err(NpzError::TooLarge { name: name.to_owned(), found: member.size(), limit });
    }
    Ok(on_disk.min(member.size()))
}

fn unsupported_method<R: Read>(member: &ZipFile<'_, R>) -> Option<String> {
    match member.compression() {
        _ if member.encrypted() => Some("encrypted".to_owned()),
        CompressionMethod::Stored | CompressionMethod::Deflated => None,
        other => Some(format!("compressed by {other}")),
    }
}

fn of_member(problem: ZipError, name: &str) -> NpzError {
    match problem {
        ZipError::Io(problem) => NpzError::Array { name: name.to_owned(), problem: NpyError::Io { problem } },
        problem => NpzError::Archive { problem },
    }
}
