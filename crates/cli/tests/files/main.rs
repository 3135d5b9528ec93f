//! The file layer from outside: bytes made by hand, round trips, hostile input, error texts.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod bytes;
mod errors;
mod fuzz;
mod npy;
mod npz;
mod output;
mod table;
