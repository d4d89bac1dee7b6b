//! One row of the catalog: everything that is remembered of one source.

use crate::{
    advice::{Advice, UserAction},
    bundle::BundleRef,
    digest::Digest,
    failure::Failure,
    fingerprint::Inputs,
    problem::{Code, Problem},
    shipped::{self, Acceptance},
    source::{Extension, Kind, Origin, SourceId},
    state::State,
    type_name::TypeName,
};

/// What is remembered of one source. `design/freshness.md` explains `built` and `attempted`.
///
/// Rows come out of [`settle`](crate::settle) and of storage; nothing else makes them, so that state, inputs and
/// failure always fit together.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The key.
    pub source: SourceId,
    /// Where its root comes from.
    pub origin: Origin,
    /// The extension it belongs to.
    pub extension: Extension,
    /// Its kind.
    pub kind: Kind,
    /// The type that the source's text names, kept even when no build ever succeeded, so that
    /// "unknown type" can point here (fault 28).
    pub claimed_type: Option<TypeName>,
    /// True if the source's text exports an add-on to that type instead of the type itself. A failed or rejected
    /// add-on never stands in the way of its target (fault 24).
    pub claims_add_on: bool,
    /// The digest of the entry file's bytes when it was last read.
    pub entry_digest: Option<Digest>,
    /// What is known.
    pub state: State,
    /// The inputs that the row's bundle was made from; there exactly if the state has a bundle.
    pub built: Option<Inputs>,
    /// The inputs of the latest attempt that failed since.
    pub attempted: Option<Inputs>,
    /// Beside [`State::Indexed`]: the failure in spite of which the last good bundle is kept.
    pub degraded: Option<Failure>,
    /// The violations of an earlier rejection, kept when a later build failed.
    pub rejected_before: Vec<crate::description::Violation>,
    /// The version of the kind's rules that judged the export; 0 if none ever did, or if they must do so
    /// again.
    pub rule_version: u32,
    /// The row that resolves the type instead of this one.
    pub shadowed_by: Option<SourceId>,
    /// True if it resolves only because a higher row failed without a bundle.
    pub shadow_fallback: bool,
    /// The bundle that its extension ships and that was accepted last; kept whether the row runs it or not.
    pub shipped: Option<Acceptance>,
    /// Grows with each commit of this row; commits are conditional on it (I9). 0 = never committed.
    pub revision: u64,
}

impl Row {
    /// True if the row resolves its type: indexed, not shadowed, no add-on.
    #[must_use]
    pub fn is_resolvable(&self) -> bool {
        self.state.indexed().is_some_and(|indexed| !indexed.is_add_on) && self.shadowed_by.is_none()
    }

    /// The failure that the row carries, in its state or beside it.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        self.state.failure().or(self.degraded.as_ref())
    }

    /// The bundle that the row keeps.
    #[must_use]
    pub fn bundle(&self) -> Option<&BundleRef> {
        self.state.bundle()
    }

    /// The digest of the row's bundle if that is the one which its extension ships, and was not built here.
    #[must_use]
    pub fn shipped_bundle(&self) -> Option<Digest> {
        let bundle = self.bundle().filter(|_| self.shipped.is_some())?.entry.key.digest();
        let named = shipped::named_in(&self.built.as_ref()?.packages)?;
        (named == bundle).then_some(bundle)
    }

    /// True if the row runs a shipped bundle and its sources are `observed`, others than that was accepted for. Such a
    /// bundle is no earlier good one: changed sources are never hidden by it (fault 5). Of sources that cannot all be
    /// read nobody knows whether they changed.
    #[must_use]
    pub fn runs_outdated_shipped_bundle(&self, observed: &Inputs) -> bool {
        let is_changed = self.built.as_ref().is_some_and(|built| built.source != observed.source);
        is_changed && self.shipped_bundle().is_some() && !observed.has_unreadable_source()
    }

    /// The row while the catalog has no usable description for it: as one that was built and waits for its inspection.
    /// That yields the description again, without a build.
    #[must_use]
    pub fn without_description(self) -> Self {
        match self.state {
            State::Indexed(indexed) => {
                Row { state: State::Bundled { bundle: indexed.bundle }, degraded: None, attempted: None, ..self }
            }
            State::Bundled { .. }
            | State::BundleBuildFailed { .. }
            | State::ValidationFailed { .. }
            | State::EntryPointUnreadable { .. }
            | State::OrphanedBundleOnly { .. }
            | State::Tombstoned { .. } => self,
        }
    }

    /// The warning that the catalog has no usable description for the row.
    #[must_use]
    pub fn undescribed(&self) -> Problem {
        let source = &self.source;
        let message = format!("the description of {source} in the catalog is gone or damaged");
        let advice = Advice::new("a run that needs the type makes it again from the bundle, and so does ");
        Problem::warning(Code::CATALOG_ROW, source.to_string(), message).advise(advice.and(UserAction::Repair))
    }

    /// True if the row adds to the type of another source, or tries to.
    #[must_use]
    pub fn is_add_on(&self) -> bool {
        self.state.indexed().map_or(self.claims_add_on, |indexed| indexed.is_add_on)
    }

    /// The type that the row defines, or the one that its source claims.
    #[must_use]
    pub fn type_name(&self) -> Option<&TypeName> {
        self.state.indexed().map_or(self.claimed_type.as_ref(), |indexed| Some(&indexed.type_name))
    }
}
