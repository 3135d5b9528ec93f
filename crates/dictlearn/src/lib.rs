//! dictlearn
