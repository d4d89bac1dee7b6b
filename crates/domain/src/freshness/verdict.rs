//! What [`decide`](super::decide) can say, as data and as one sentence each.

use std::fmt;

use crate::{
    bundle::ObjectKey,
    failure::{Failure, Fault},
    fingerprint::Change,
    source::{Kind, SourceId},
    state::TombstoneReason,
};

/// What is true of one source. Shown, it is one sentence for `mangrove why`.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// What is remembered holds.
    Fresh(Fresh),
    /// A degraded row's last good bundle fits the disk again: the failure is cleared without a build.
    Recovered,
    /// What is remembered no longer holds.
    Stale(Stale),
}

/// Why nothing need be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Fresh {
    /// Inputs, bundle and rules are the ones that were accepted.
    Unchanged,
    /// The same error of the operating system as recorded, or the same loss of a root.
    StillUnreadable {
        /// What was seen again.
        fault: Fault,
    },
    /// The same inputs were rejected by the same rules.
    StillRejected,
    /// The source cannot be reached, and the row says so already.
    StillOrphaned,
    /// Nothing is known about the source now.
    NotLookedAt(NotLookedAt),
}

/// Why nothing is known about a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotLookedAt {
    /// This plan is about other sources, roots or kinds.
    OutOfScope,
    /// No loader of its kind is registered.
    NoLoader(Kind),
    /// A directory on the way could not be listed completely.
    IncompleteListing {
        /// The directory, relative to the root; empty for the root itself.
        directory: String,
    },
    /// The directory that is configured for its kind does not exist.
    MissingDirectory {
        /// The directory, relative to the root.
        directory: String,
    },
    /// The list of source mounts cannot be read, so nothing mounted can be judged.
    MountsUnreadable {
        /// What went wrong.
        fault: Fault,
    },
    /// The lockfile of pulled extensions cannot be read, so nothing pulled can be judged.
    LockfileUnreadable {
        /// What went wrong.
        fault: Fault,
    },
}

/// Why something is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Stale {
    /// Nothing is remembered of the source.
    New {
        /// The kind of a row of the same source, if it was of another kind before.
        formerly: Option<Kind>,
    },
    /// The entry cannot be read.
    Unreadable {
        /// The failure that was recorded before, if any.
        before: Option<String>,
        /// What went wrong now.
        fault: Fault,
    },
    /// The entry could not be read or reached before, and can now.
    SourceReappeared {
        /// True if its inputs are the ones of the bundle that is left: it is adopted, not built.
        unchanged: bool,
    },
    /// The latest attempt failed, and a failure is never a cached answer.
    RetryFailedBuild {
        /// That failure.
        failure: Failure,
    },
    /// The entry, or a local file that it reaches, changed.
    SourceChanged {
        /// By file.
        changes: Vec<Change>,
    },
    /// A setting that governs the entry changed.
    ConfigChanged {
        /// By setting.
        changes: Vec<Change>,
    },
    /// The resolved packages changed.
    PackagesChanged {
        /// By package.
        changes: Vec<Change>,
    },
    /// The bundler, its options or our formats changed.
    BundlerChanged {
        /// By option.
        changes: Vec<Change>,
    },
    /// The rules of the kind changed since the export was judged.
    RulesChanged {
        /// The version that judged it; 0 if it is to be judged again.
        before: u32,
        /// The version now.
        after: u32,
    },
    /// An object of the bundle's closure is not in the store.
    BundleMissing {
        /// Which one.
        object: ObjectKey,
    },
    /// An object of the bundle's closure has another size than recorded.
    BundleCorrupt {
        /// Which one.
        object: ObjectKey,
        /// The size that was recorded.
        recorded_bytes: u64,
        /// The size that was found.
        found_bytes: u64,
    },
    /// A row that is only built: foreign or damaged data.
    InspectionPending,
    /// The walk did not meet the source, and it is known to be gone.
    Removed {
        /// Why.
        reason: TombstoneReason,
        /// Where the same bytes appeared, if it was renamed.
        renamed_to: Option<SourceId>,
    },
    /// The walk did not meet the source, and it may come back: its root is unreachable, or a lockfile names it.
    Unavailable {
        /// What went wrong.
        fault: Fault,
    },
}

impl From<Fresh> for Verdict {
    fn from(fresh: Fresh) -> Self {
        Verdict::Fresh(fresh)
    }
}

impl From<Stale> for Verdict {
    fn from(stale: Stale) -> Self {
        Verdict::Stale(stale)
    }
}

impl Verdict {
    /// The name that JSON documents use: `Unchanged`, `SourceChanged`, `RetryFailedBuild`, ….
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Verdict::Recovered => "Recovered",
            Verdict::Fresh(fresh) => match fresh {
                Fresh::Unchanged => "Unchanged",
                Fresh::StillUnreadable { .. } => "StillUnreadable",
                Fresh::StillRejected => "StillRejected",
                Fresh::StillOrphaned => "StillOrphaned",
                Fresh::NotLookedAt(reason) => match reason {
                    NotLookedAt::OutOfScope => "OutOfScope",
                    NotLookedAt::NoLoader(_) => "NoLoader",
                    NotLookedAt::IncompleteListing { .. } => "IncompleteListing",
                    NotLookedAt::MissingDirectory { .. } => "MissingDirectory",
                    NotLookedAt::MountsUnreadable { .. } => "MountsUnreadable",
                    NotLookedAt::LockfileUnreadable { .. } => "LockfileUnreadable",
                },
            },
            Verdict::Stale(stale) => match stale {
                Stale::New { .. } => "New",
                Stale::Unreadable { .. } => "Unreadable",
                Stale::SourceReappeared { .. } => "SourceReappeared",
                Stale::RetryFailedBuild { .. } => "RetryFailedBuild",
                Stale::SourceChanged { .. } => "SourceChanged",
                Stale::ConfigChanged { .. } => "ConfigChanged",
                Stale::PackagesChanged { .. } => "PackagesChanged",
                Stale::BundlerChanged { .. } => "BundlerChanged",
                Stale::RulesChanged { .. } => "RulesChanged",
                Stale::BundleMissing { .. } => "BundleMissing",
                Stale::BundleCorrupt { .. } => "BundleCorrupt",
                Stale::InspectionPending => "InspectionPending",
                Stale::Removed { reason, .. } => match reason {
                    TombstoneReason::SourceDeleted => "SourceDeleted",
                    TombstoneReason::ExtensionRemoved => "ExtensionRemoved",
                    TombstoneReason::Renamed => "Renamed",
                    TombstoneReason::NoLongerEntryPoint => "NoLongerEntryPoint",
                    TombstoneReason::Pruned => "Pruned",
                },
                Stale::Unavailable { .. } => "Unavailable",
            },
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Fresh(fresh) => fresh.fmt(out),
            Verdict::Recovered => {
                out.write_str("the failing change was undone; the last good bundle matches the sources again")
            }
            Verdict::Stale(stale) => stale.fmt(out),
        }
    }
}

impl fmt::Display for Fresh {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fresh::Unchanged => out.write_str("nothing changed since it was accepted"),
            Fresh::StillUnreadable { fault } => write!(out, "still unreadable for the recorded reason: {fault}"),
            Fresh::StillRejected => out.write_str("the same inputs were rejected by the same rules"),
            Fresh::StillOrphaned => out.write_str("its source still cannot be reached"),
            Fresh::NotLookedAt(reason) => reason.fmt(out),
        }
    }
}

impl fmt::Display for NotLookedAt {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotLookedAt::OutOfScope => out.write_str("kept as it is: outside the scope of this scan"),
            NotLookedAt::NoLoader(kind) => write!(out, "kept as it is: no loader for the kind {kind} is registered"),
            NotLookedAt::IncompleteListing { directory } if directory.is_empty() => {
                out.write_str("kept as it is: its root could not be listed completely")
            }
            NotLookedAt::IncompleteListing { directory } => {
                write!(out, "kept as it is: the directory {directory} could not be listed completely")
            }
            NotLookedAt::MissingDirectory { directory } => {
                write!(out, "kept as it is: the directory {directory} that is configured for its kind does not exist")
            }
            NotLookedAt::MountsUnreadable { fault } => {
                write!(out, "kept as it is: the list of source mounts cannot be read ({fault})")
            }
            NotLookedAt::LockfileUnreadable { fault } => {
                write!(out, "kept as it is: the lockfile of pulled extensions cannot be read ({fault})")
            }
        }
    }
}

impl fmt::Display for Stale {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stale::New { formerly: None } => out.write_str("never seen before"),
            Stale::New { formerly: Some(kind) } => {
                write!(out, "no longer an entry point of the kind {kind}, and new in its present kind")
            }
            Stale::Unreadable { before: None, fault } => write!(out, "the entry cannot be read: {fault}"),
            Stale::Unreadable { before: Some(before), fault } => {
                write!(out, "the entry cannot be read: {fault} (before: {before})")
            }
            Stale::SourceReappeared { unchanged: true } => {
                out.write_str("the source is back, unchanged since its bundle was built")
            }
            Stale::SourceReappeared { unchanged: false } => out.write_str("the source is back"),
            Stale::RetryFailedBuild { failure } => write!(
                out,
                "the last attempt failed, so it is tried again ({} so far): {}",
                counted(failure.attempts, "attempt"),
                failure.latest_message
            ),
            Stale::SourceChanged { changes } => changed(out, "a source file", changes),
            Stale::ConfigChanged { changes } => changed(out, "the configuration", changes),
            Stale::PackagesChanged { changes } => changed(out, "a package", changes),
            Stale::BundlerChanged { changes } => changed(out, "the bundler", changes),
            Stale::RulesChanged { before: 0, after } => {
                write!(out, "its export has not been checked against version {after} of the rules of its kind yet")
            }
            Stale::RulesChanged { before, after } => {
                write!(out, "the rules of its kind changed from version {before} to {after}")
            }
            Stale::BundleMissing { object } => write!(out, "{object} is missing from the store"),
            Stale::BundleCorrupt { object, recorded_bytes, found_bytes } => {
                write!(out, "{object} should have {recorded_bytes} bytes and has {found_bytes}")
            }
            Stale::InspectionPending => out.write_str("built, but never inspected"),
            Stale::Removed { reason, renamed_to } => match (reason, renamed_to) {
                (TombstoneReason::Renamed, Some(target)) => write!(out, "the source was renamed to {target}"),
                (TombstoneReason::Renamed, None) => out.write_str("the source was renamed"),
                (TombstoneReason::SourceDeleted, _) => out.write_str("the source was deleted"),
                (TombstoneReason::ExtensionRemoved, _) => {
                    out.write_str("its extension or mount is no longer configured")
                }
                (TombstoneReason::NoLongerEntryPoint, _) => {
                    out.write_str("the file exists, but no longer exports what its kind requires")
                }
                (TombstoneReason::Pruned, _) => {
                    out.write_str("its source cannot be reached, and its bundle was never accepted")
                }
            },
            Stale::Unavailable { fault } => write!(out, "the source cannot be reached: {fault}"),
        }
    }
}

/// How many differences a sentence names before it only counts them.
const NAMED_CHANGES: usize = 3;

fn changed(out: &mut fmt::Formatter<'_>, what: &str, changes: &[Change]) -> fmt::Result {
    write!(out, "{what} changed")?;
    for (index, change) in changes.iter().take(NAMED_CHANGES).enumerate() {
        out.write_str(if index == 0 { ": " } else { "; " })?;
        match (&change.before, &change.after) {
            (Some(before), Some(after)) => write!(out, "{} from {} to {}", change.key, short(before), short(after))?,
            (None, Some(after)) => write!(out, "{} is new ({})", change.key, short(after))?,
            (Some(before), None) => write!(out, "{} is gone (was {})", change.key, short(before))?,
            (None, None) => out.write_str(&change.key)?,
        }
    }
    if changes.len() > NAMED_CHANGES { write!(out, "; and {} more", changes.len() - NAMED_CHANGES) } else { Ok(()) }
}

/// Digests and other long values in a length that a sentence can bear.
fn short(value: &str) -> String {
    let is_digest = value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    let limit = if is_digest { 12 } else { 60 };
    match value.char_indices().nth(limit) {
        Some((end, _)) if is_digest => value[..end].to_owned(),
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

fn counted(count: u32, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
