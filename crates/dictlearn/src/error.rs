//! Misuse of the library, as values: every variant holds the numbers found and says what is accepted.

/// An option outside its range.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{name} = {value}: accepted is {accepted}")]
pub struct InvalidOption {
    /// The option's name, as in TOML and in the API.
    pub name: &'static str,
    /// The value found, as text.
    pub value: String,
    /// The accepted range in words.
    pub accepted: &'static str,
}
