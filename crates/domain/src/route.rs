//! How an entry is built: by which bundler, and who resolves its packages.

use crate::fingerprint::Part;

/// How one entry is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The bundler part of its fingerprint: adapter, version, options and formats that change output. `None` while
    /// the adapter is unavailable; the part then counts as unchanged.
    pub identity: Option<Part>,
    /// Who resolves its packages.
    pub resolver: Resolver,
}

/// Who resolves the packages of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolver {
    /// The port [`Packages`](crate::ports::Packages): they are prepared, and the bundle imports what was prepared.
    Packages,
    /// The bundler itself: nothing is prepared, and the bundle holds everything. With the packages part of the
    /// fingerprint.
    Bundler(Part),
}

impl Route {
    /// Built by a bundler of this identity from packages that are prepared.
    #[must_use]
    pub const fn prepared(identity: Part) -> Self {
        Self { identity: Some(identity), resolver: Resolver::Packages }
    }
}
