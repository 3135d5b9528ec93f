//! The command `tddl` from outside: the built program, its files, its exit codes and its words.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod configs;
mod outputs;
mod threads;
mod refusals;
mod data_files;
mod missing;
mod coding;
mod methods;
mod weights;
#[cfg(unix)]
mod interrupt;
mod exit_codes;
mod streams;
mod check;
mod results;
mod lab;
mod snapshot;
#[expect(dead_code, reason = "the tests of the file layer use the rest")]
#[path = "../files/bytes.rs"]
mod bytes;
