//! Packages of extensions: archives and directories.

use std::path::Path;

use async_trait::async_trait;

use crate::{digest::Digest, failure::Fault, kind_layout::KindLayout, pulled::Arranged};

/// Opens packages of extensions.
///
/// Implementations MUST give nothing that lies outside of the archive or the directory, whatever paths and links in it
/// say; MUST bound what they read, in number and in size; MUST say what is wrong with what is refused. Of a directory,
/// only what its manifest lists belongs to the package, with what that imports. The adapter is held to it by `tests/cli`.
#[async_trait]
pub trait ExtensionPackages: Send + Sync {
    /// The files in an archive of the extension that people call `label`.
    async fn unpack(&self, label: &str, archive: Vec<u8>) -> Result<Arranged, Fault>;

    /// The package that an archive or a directory of the file system is. Sources of these kinds count.
    async fn local(&self, path: &Path, kinds: &[KindLayout]) -> Result<LocalPackage, Fault>;
}

/// A package that is no registry's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalPackage {
    /// Its files.
    pub files: Arranged,
    /// SHA-256 of the archive; `None` of a directory.
    pub checksum: Option<Digest>,
}
