//! cli
pub mod files;
