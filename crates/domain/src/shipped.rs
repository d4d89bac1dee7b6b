//! Bundles that pulled extensions ship, and when one may stand in for a build (`design/origins.md`, fault 5).
//!
//! Building comes first, always. A shipped bundle is looked at only after a build failed because no configuration says
//! which package a bare name means ([`stands_in_for`]); and it is taken only if it is what was accepted for these very
//! sources before, or if nothing was ([`judge`]). What lies there is part of the packages part of a fingerprint
//! ([`Shipped::added_to`]), so that a shipped bundle that appears, changes or goes makes its source stale like
//! anything else that a bundle is made from.

use std::sync::Arc;

use crate::{
    digest::Digest,
    failure::Fault,
    fingerprint::{Line, Part},
    problem::Code,
    source::RelativePath,
};

/// The line of a packages part that names the bundle which an extension ships.
const BUNDLE: &str = "shipped bundle";
/// The line of a packages part that says with which pull it came.
const PULL: &str = "shipped with";

/// The bundle that an extension ships for one of its entry points, as it lies there now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shipped {
    /// One that can be taken: it parses, and imports nothing that is not built into an engine.
    Bundle(ShippedBundle),
    /// There is something, and it cannot be taken.
    Unusable {
        /// Half a sentence for people: what is wrong with it.
        why: String,
    },
}

/// A bundle that lies in the root of a pulled extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShippedBundle {
    /// Where it lies below the root.
    pub path: RelativePath,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Names the pull that brought it: the lockfile's `version`, and ` pulled ` and its `pulledAt` where it says so.
    pub pull: Arc<str>,
}

/// What was accepted: one bundle, for one state of the sources, of one pull. Remembered by the row whatever becomes of
/// it, until another pull is accepted: without it, a changed source would find an old bundle "for the first time".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// The digest of the shipped bundle.
    pub bundle: Digest,
    /// The digest of the source part of the sources that it was accepted for.
    pub source: Digest,
    /// The pull that it came with; see [`ShippedBundle::pull`].
    pub pull: Arc<str>,
    /// Why nothing could be built: the imports that no configuration maps, sorted.
    pub unmapped: Vec<String>,
}

/// Whether a shipped bundle may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It may: the first, one that another pull brought, or the same as before for the same sources.
    Accept,
    /// It may not: the sources are those of the accepted one, and it is another.
    Changed {
        /// The digest that was accepted.
        accepted: Digest,
    },
    /// It may not: what was accepted was accepted for other sources.
    OtherSources,
}

/// True for the one failure that a shipped bundle may stand in for: nothing says which package a bare name means. Other
/// failures pass, or are about the sources, and an old bundle would hide that.
#[must_use]
pub fn stands_in_for(fault: &Fault) -> bool {
    fault.code == Code::UNMAPPED_IMPORT
}

/// True for a specifier, import maps applied, that needs a configuration to mean anything: a bare name such as `zod`.
#[must_use]
pub fn is_unmapped(specifier: &str) -> bool {
    !specifier.contains(':')
}

/// Whether `offered` may be taken for sources whose source part has the digest `source`, after what was accepted before.
#[must_use]
pub fn judge(accepted: Option<&Acceptance>, offered: &ShippedBundle, source: Digest) -> Judgement {
    let Some(accepted) = accepted else {
        return Judgement::Accept;
    };
    let is_same_source = accepted.source == source;
    let is_same_bundle = accepted.bundle == offered.digest;
    let is_same_pull = accepted.pull == offered.pull;
    match (is_same_source, is_same_bundle, is_same_pull) {
        // As before; or somebody pulled, and what came with it is accepted again.
        (true, true, _) | (_, false, false) => Judgement::Accept,
        (true, false, true) => Judgement::Changed { accepted: accepted.bundle },
        // Also if the lockfile names another pull: a file that it left behind is no bundle of the new sources.
        (false, true, _) | (false, false, true) => Judgement::OtherSources,
    }
}

/// The digest of the shipped bundle that a packages part names.
#[must_use]
pub fn named_in(packages: &Part) -> Option<Digest> {
    let lines = packages.lines().ok()?;
    lines.iter().find(|line| line.key == BUNDLE).and_then(|line| line.value.parse().ok())
}

impl Shipped {
    /// The packages part of an entry whose imports nothing maps, with what is shipped in their stead.
    #[must_use]
    pub fn added_to(&self, packages: &Part) -> Part {
        let mut lines = packages.lines().unwrap_or_default();
        match self {
            Shipped::Bundle(bundle) => {
                lines.push(Line::new(BUNDLE, bundle.digest.to_string()));
                lines.push(Line::new(PULL, &*bundle.pull));
            }
            Shipped::Unusable { why } => lines.push(Line::new(BUNDLE, format!("unusable: {why}"))),
        }
        Part::of(lines)
    }
}
