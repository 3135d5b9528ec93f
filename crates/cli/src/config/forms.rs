//! Values with two written forms: a column by name or index, a file by path or by table, weights by list or by file,
//! NaN as a word or as the number.
//!
//! Deserialised by hand: `untagged` would try one form after the other and lose the place of an error.

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};
use std::fmt;
use toml::Spanned;

/// A column of a .csv: its name or its index from 0.
#[derive(Debug)]
pub enum Column {
    /// Name in the header.
    Name(String),
    /// Index from 0.
    Index(i64),
}

impl<'de> Deserialize<'de> for Column {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ColumnVisitor;
        impl Visitor<'_> for ColumnVisitor {
            type Value = Column;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a column's name or index")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Column, E> {
                Ok(Column::Name(name.to_owned()))
            }

            fn visit_i64<E: Error>(self, index: i64) -> Result<Column, E> {
                Ok(Column::Index(index))
            }
        }
        deserializer.deserialize_any(ColumnVisitor)
    }
}

/// What NaN in the samples is.
#[derive(Clone, Copy, Debug)]
pub enum Missing {
    /// An error.
    Refuse,
    /// A missing feature.
    Nan,
}

impl<'de> Deserialize<'de> for Missing {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MissingVisitor;
        impl Visitor<'_> for MissingVisitor {
            type Value = Missing;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"refuse\" or \"nan\"")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Missing, E> {
                match name {
                    "refuse" => Ok(Missing::Refuse),
                    "nan" => Ok(Missing::Nan),
                    other => Err(E::unknown_variant(other, &["refuse", "nan"])),
                }
            }

            /// Without quotes `nan` is a number of TOML.
            fn visit_f64<E: Error>(self, number: f64) -> Result<Missing, E> {
                if number.is_nan() {
                    Ok(Missing::Nan)
                } else {
                    Err(E::invalid_type(Unexpected::Float(number), &self))
                }
            }
        }
        deserializer.deserialize_any(MissingVisitor)
    }
}

/// Atoms in a file: its path, or a table of path and array.
#[derive(Debug)]
pub struct AtomFile {
    /// Path of the file. Required.
    pub path: Option<Spanned<String>>,
    /// Array inside the .npz.
    pub array: Option<Spanned<String>>,
}

/// The long form of [`AtomFile`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AtomFileTable {
    path: Option<Spanned<String>>,
    array: Option<Spanned<String>>,
}

impl<'de> Deserialize<'de> for AtomFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AtomFileVisitor;
        impl<'de> Visitor<'de> for AtomFileVisitor {
            type Value = AtomFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path or a table of path and array")
            }

            /// The short form; its place in the text is that of the whole choice.
            fn visit_str<E: Error>(self, path: &str) -> Result<AtomFile, E> {
                Ok(AtomFile { path: Some(Spanned::new(0..0, path.to_owned())), array: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AtomFile, A::Error> {
                let AtomFileTable { path, array } =
                    AtomFileTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(AtomFile { path, array })
            }
        }
        deserializer.deserialize_any(AtomFileVisitor)
    }
}

/// Weights of the atoms: a list, or a table that names a file.
#[derive(Debug)]
pub enum AtomWeights {
    /// One number an atom.
    List(Vec<f64>),
    /// A file of them; `None` where the table is empty.
    File(Option<AtomFile>),
}

/// The long form of [`AtomWeights`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AtomWeightsTable {
    file: Option<AtomFile>,
}

impl<'de> Deserialize<'de> for AtomWeights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AtomWeightsVisitor;
        impl<'de> Visitor<'de> for AtomWeightsVisitor {
            type Value = AtomWeights;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of numbers or a file")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<AtomWeights, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(AtomWeights::List)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AtomWeights, A::Error> {
                let table = AtomWeightsTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(AtomWeights::File(table.file))
            }
        }
        deserializer.deserialize_any(AtomWeightsVisitor)
    }
}
