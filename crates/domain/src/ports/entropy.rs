//! Random numbers and identifiers.

/// Random values. Implementations MUST NOT repeat an identifier.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait Entropy: Send + Sync {
    /// A number in 0..=1, evenly spread.
    fn fraction(&self) -> f64;

    /// A new unique identifier, a UUID in text; later ones sort after earlier ones.
    fn identifier(&self) -> String;
}
