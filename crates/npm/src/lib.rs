//! Packages from an npm registry, and the client of registries of extensions ([`extensions`]). Packages are resolved, locked, fetched, verified, cached, and built once into vendor
//! bundles. How the parts fit together and what each file on disk means: `design/packages.md`; why there is
//! a resolver of our own: `design/decisions/0004-npm-resolver.md`.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod address;
pub mod archive;
pub mod cache;
pub mod deno_lock;
pub mod extensions;
mod fetch;
mod flight;
pub mod lock;
pub mod maintenance;
mod package_cache;
mod packages;
pub mod packument;
pub mod registry;
pub mod resolve;
pub mod settings;
mod sharing;
pub mod specifier;
pub mod tree;
mod unit;
pub mod update;
pub mod vendor;

pub use packages::{NpmPackages, Options, unmapped};

#[cfg(test)]
mod tests;

use std::{error::Error, fmt::Write as _};

/// The message of an error with those of its sources, joined by colons: what a fault tells people.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let _ = write!(text, ": {inner}");
        source = inner.source();
    }
    text
}
