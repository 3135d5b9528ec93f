//! What a caller can get wrong when setting up a solver.

/// An option outside its accepted range.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The option `name` has a value that its range does not hold.
    #[error("{name} = {value}: must be {accepted}")]
    OutOfRange {
        /// The option, as its field is called.
        name: &'static str,
        /// What was given.
        value: f64,
        /// The accepted range, in words.
        accepted: &'static str,
    },
}

/// `Ok` when `inside`, else the error for `name`. Not a number is in no range: write `inside` as a comparison.
pub(crate) fn require(
    inside: bool,
    name: &'static str,
    value: f64,
    accepted: &'static str,
) -> Result<(), Error> {
    if inside { Ok(()) } else { Err(Error::OutOfRange { name, value, accepted }) }
}
