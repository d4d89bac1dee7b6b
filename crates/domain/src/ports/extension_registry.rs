//! Registries of extensions.

use async_trait::async_trait;

use crate::{digest::Digest, failure::Fault, outage::Outages};

/// Asks registries of extensions.
///
/// Implementations MUST NOT ask anybody before a method is called, nor at all where the network may not be used; MUST
/// remember no failure; MUST try again at once only what may pass by itself; MUST tell a credential to nobody but the
/// registry that the person named; MUST give up on an archive that is larger than any honest one. The adapter is held to
/// it by the tests of the crate `npm`.
#[async_trait]
pub trait ExtensionRegistry: Send + Sync {
    /// The address of the registry to ask for an extension of which the lockfile has recorded this one: the address that
    /// the person named, else the recorded one, else the usual one. Without a slash at its end.
    fn address(&self, recorded: Option<&str>) -> Result<String, Fault>;

    /// The newest version of an extension in a channel, or of those for everybody; `None` if there is none.
    async fn newest(
        &self,
        address: &str,
        name: &str,
        channel: Option<&str>,
        outages: &Outages,
    ) -> Result<Option<String>, Fault>;

    /// The SHA-256 that the registry promises of the archive of a version; `None` if it promises none.
    async fn checksum(
        &self,
        address: &str,
        name: &str,
        version: &str,
        outages: &Outages,
    ) -> Result<Option<Digest>, Fault>;

    /// The archive of a version, with this digest if one is given; `None` if there is no such version.
    async fn archive(
        &self,
        address: &str,
        name: &str,
        version: &str,
        checksum: Option<Digest>,
        outages: &Outages,
    ) -> Result<Option<Vec<u8>>, Fault>;
}
