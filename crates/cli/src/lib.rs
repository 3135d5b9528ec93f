//! `tddl`: task-driven sparse dictionary learning from TOML experiment configs.
//!
//! The way of a run: [`args`] -> [`config`] (TOML text to a checked experiment) -> [`load`] (data) -> [`run`]
//! (`dictlearn` at work) -> [`results`] (the output folder) and [`terminal`] (the table).

pub mod app;
pub mod args;
pub mod progress;
pub mod results;
pub mod summary;
pub mod terminal;
pub mod run;
pub mod evaluate;
pub mod recode;
pub mod load;
pub mod config;
pub mod files;
