//! The seven states of a row and the transitions between them. The table is rendered into
//! `design/states.md` and compared with it by a test.

// A new state or outcome must be decided about wherever one is matched.
#![warn(clippy::wildcard_enum_match_arm)]

mod transition;

use std::{fmt, sync::Arc};

pub use transition::{Event, IllegalTransition, next};

use crate::{bundle::BundleRef, description::Violation, digest::Digest, failure::Failure, type_name::TypeName};

/// What is known of one source.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Bundled, inspected and accepted: the only state that type resolution sees.
    Indexed(Indexed),
    /// Built, inspection pending. Exists in memory only, never in the catalog.
    Bundled {
        /// What was built.
        bundle: BundleRef,
    },
    /// No loadable bundle could be produced, and there is no earlier good one.
    BundleBuildFailed {
        /// Why.
        failure: Failure,
        /// What was built, if only inspection could not be carried out: a retry need only inspect.
        bundle: Option<BundleRef>,
    },
    /// The bundle loads; its export breaks the rules of its kind.
    ValidationFailed {
        /// What was inspected.
        bundle: BundleRef,
        /// Every rule that is broken.
        violations: Vec<Violation>,
    },
    /// The entry cannot be read, or a locked file is missing, and there is no good bundle.
    EntryPointUnreadable {
        /// Why.
        failure: Failure,
        /// A bundle that is left over from before and was never accepted, or is not in the store now. It can be
        /// adopted if the entry comes back unchanged.
        bundle: Option<BundleRef>,
    },
    /// The source is gone, a bundle is left.
    OrphanedBundleOnly {
        /// What is left.
        bundle: BundleRef,
    },
    /// Leaving: deleted in the transaction that records it.
    Tombstoned {
        /// Why.
        reason: TombstoneReason,
    },
}

/// The payload of [`State::Indexed`].
#[derive(Clone, Debug, PartialEq)]
pub struct Indexed {
    /// The type that the export defines, or the one that an add-on adds to.
    pub type_name: TypeName,
    /// The version that the export declares.
    pub version: Option<Arc<str>>,
    /// True for an add-on: it shares its target's name and never resolves by itself.
    pub is_add_on: bool,
    /// The digest under which the catalog keeps the description.
    pub description: Digest,
    /// What runs.
    pub bundle: BundleRef,
}

/// Why a row leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TombstoneReason {
    /// The file was deleted.
    SourceDeleted,
    /// The extension or mount is no longer configured or locked.
    ExtensionRemoved,
    /// The same bytes appear under another path.
    Renamed,
    /// The file is there and no longer exports the kind.
    NoLongerEntryPoint,
    /// An orphan that somebody asked to be removed.
    Pruned,
}

impl TombstoneReason {
    /// `source-deleted`, `extension-removed`, `renamed`, `no-longer-entry-point` or `pruned`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            TombstoneReason::SourceDeleted => "source-deleted",
            TombstoneReason::ExtensionRemoved => "extension-removed",
            TombstoneReason::Renamed => "renamed",
            TombstoneReason::NoLongerEntryPoint => "no-longer-entry-point",
            TombstoneReason::Pruned => "pruned",
        }
    }
}

/// A state without its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StateName {
    /// [`State::Indexed`]
    Indexed,
    /// [`State::Bundled`]
    Bundled,
    /// [`State::BundleBuildFailed`]
    BundleBuildFailed,
    /// [`State::ValidationFailed`]
    ValidationFailed,
    /// [`State::EntryPointUnreadable`]
    EntryPointUnreadable,
    /// [`State::OrphanedBundleOnly`]
    OrphanedBundleOnly,
    /// [`State::Tombstoned`]
    Tombstoned,
}

impl StateName {
    /// Every state.
    pub const ALL: [StateName; 7] = [
        StateName::Indexed,
        StateName::Bundled,
        StateName::BundleBuildFailed,
        StateName::ValidationFailed,
        StateName::EntryPointUnreadable,
        StateName::OrphanedBundleOnly,
        StateName::Tombstoned,
    ];

    /// The name as the catalog and JSON documents spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            StateName::Indexed => "Indexed",
            StateName::Bundled => "Bundled",
            StateName::BundleBuildFailed => "BundleBuildFailed",
            StateName::ValidationFailed => "ValidationFailed",
            StateName::EntryPointUnreadable => "EntryPointUnreadable",
            StateName::OrphanedBundleOnly => "OrphanedBundleOnly",
            StateName::Tombstoned => "Tombstoned",
        }
    }

    /// The state of this spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        StateName::ALL.into_iter().find(|name| name.as_str() == text)
    }
}

impl fmt::Display for StateName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl State {
    /// The state without its payload.
    #[must_use]
    pub const fn name(&self) -> StateName {
        match self {
            State::Indexed(_) => StateName::Indexed,
            State::Bundled { .. } => StateName::Bundled,
            State::BundleBuildFailed { .. } => StateName::BundleBuildFailed,
            State::ValidationFailed { .. } => StateName::ValidationFailed,
            State::EntryPointUnreadable { .. } => StateName::EntryPointUnreadable,
            State::OrphanedBundleOnly { .. } => StateName::OrphanedBundleOnly,
            State::Tombstoned { .. } => StateName::Tombstoned,
        }
    }

    /// What an indexed row offers; `None` in every other state.
    #[must_use]
    pub const fn indexed(&self) -> Option<&Indexed> {
        match self {
            State::Indexed(indexed) => Some(indexed),
            State::Bundled { .. }
            | State::BundleBuildFailed { .. }
            | State::ValidationFailed { .. }
            | State::EntryPointUnreadable { .. }
            | State::OrphanedBundleOnly { .. }
            | State::Tombstoned { .. } => None,
        }
    }

    /// The bundle that belongs to the row, in whatever state.
    #[must_use]
    pub const fn bundle(&self) -> Option<&BundleRef> {
        match self {
            State::Indexed(indexed) => Some(&indexed.bundle),
            State::Bundled { bundle }
            | State::ValidationFailed { bundle, .. }
            | State::OrphanedBundleOnly { bundle } => Some(bundle),
            State::BundleBuildFailed { bundle, .. } | State::EntryPointUnreadable { bundle, .. } => bundle.as_ref(),
            State::Tombstoned { .. } => None,
        }
    }

    /// The failure that the state itself carries.
    #[must_use]
    pub const fn failure(&self) -> Option<&Failure> {
        match self {
            State::BundleBuildFailed { failure, .. } | State::EntryPointUnreadable { failure, .. } => Some(failure),
            State::Indexed(_)
            | State::Bundled { .. }
            | State::ValidationFailed { .. }
            | State::OrphanedBundleOnly { .. }
            | State::Tombstoned { .. } => None,
        }
    }
}
