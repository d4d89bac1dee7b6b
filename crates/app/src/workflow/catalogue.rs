//! What is known of types without building any.

use std::sync::Arc;

use mangrove_domain::{advice::Advice, description::Description, source::Kind, type_name::TypeName};

/// A view of the catalog for validation: look-ups only, nothing is built.
#[expect(clippy::module_name_repetitions, reason = "a catalogue of types, told apart from the port `Catalog`")]
pub trait TypeCatalogue: Send + Sync {
    /// The description of a type that resolves, or that resolved when it was last good.
    fn describe(&self, kind: &Kind, name: &TypeName) -> Option<Arc<Description>>;

    /// Every name that resolves, for suggestions.
    fn names(&self, kind: &Kind) -> Vec<TypeName>;

    /// What claims a type that has no description, and why it has none, or where it may be; `None` if nothing is
    /// known of it.
    fn claim(&self, kind: &Kind, name: &TypeName) -> Option<Claim>;
}

/// What is known of a type that has no description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Why it has none, as one sentence.
    pub reason: String,
    /// What to do about it.
    pub advice: Advice,
    /// True if nobody looked at what claims it yet: it may be in order.
    pub is_unscanned: bool,
}
