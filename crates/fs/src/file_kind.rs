//! What is read, and how large it may be (`design/security.md`).

use std::fmt;

/// One mebibyte in bytes.
pub(crate) const MIB: u64 = 1 << 20;

/// What is read, which decides how large it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// What people write for us to understand: definitions, workflows, markers, manifests, lists of mounts, settings,
    /// inputs; and lock files.
    Document,
    /// Modules, what they import, and every file of a pulled extension.
    Source,
    /// Code that was built.
    Bundle,
    /// What Mangrove keeps for itself, such as caches and archives of packages; what the kernel tells in files.
    State,
}

impl FileKind {
    /// Every kind.
    pub const ALL: [FileKind; 4] = [FileKind::Document, FileKind::Source, FileKind::Bundle, FileKind::State];

    /// The largest file of the kind that is read, in bytes.
    #[must_use]
    pub const fn limit_bytes(self) -> u64 {
        match self {
            FileKind::Document => 16 * MIB,
            FileKind::Source => 64 * MIB,
            FileKind::Bundle => 256 * MIB,
            FileKind::State => 1024 * MIB,
        }
    }

    /// The kind as a noun in the plural.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            FileKind::Document => "documents",
            FileKind::Source => "sources",
            FileKind::Bundle => "bundles",
            FileKind::State => "files of the state directory",
        }
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}
