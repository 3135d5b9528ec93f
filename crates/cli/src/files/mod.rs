//! Arrays, tables and files: what comes in from disk and what goes out to it.
//!
//! Nothing here knows about dictionaries. A file becomes [`array::Samples`] (a row-major matrix whose rows are samples)
//! or a list of labels; results leave through [`output::OutputFolder`], whole or not at all.
//!
//! | file | in | out |
//! |---|---|---|
//! | `.npy` | f4 f8, i1..i8, u1..u8, bool; either endianness and order; 1-D or 2-D | f8, C order |
//! | `.npz` | any array of the above kinds, stored or deflated | CSR in the layout of `scipy.sparse` |
//! | `.csv` | numbers, header optional, one column of labels optional | |
//!
//! Whatever bytes a file holds, reading ends in a value or an error: sizes are compared with the file before memory is
//! taken, and the text that third-party parsers see has been checked by a bounded one.

pub mod read;
pub mod table;
pub mod digits;
pub mod npz;
pub mod sparse;
pub mod npy;
mod npy_element;
mod npy_header;
pub mod output;
pub mod atomic;
pub mod array;
pub mod error;
