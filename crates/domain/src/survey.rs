//! What a look at all sources found.

use std::{collections::BTreeSet, path::PathBuf};

use crate::{
    digest::Digest,
    kind_layout::KindLayout,
    observation::{DiskView, Observation},
    shipped::Shipped,
    source::{Extension, Kind, Origin, SourceId},
};

/// What a survey found.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// The view that plans are made of, without packages and bundler parts.
    pub disk: DiskView,
    /// Per observed entry, in the order of `disk.observations`, what it needs from outside.
    pub entries: Vec<SurveyedEntry>,
    /// What the survey cost.
    pub statistics: SurveyStatistics,
    /// Names the content: equal marks mean equal content for the same request. `None` where no later survey could
    /// give it again. A survey whose mark is the one of [`ObserveRequest::unless`](crate::ports::ObserveRequest::unless) has no content.
    pub mark: Option<Digest>,
    /// Where this is not everything: the mark of the survey that
    /// [`ObserveRequest::unless`](crate::ports::ObserveRequest::unless) names. Nothing has changed since but the text of
    /// modules, and only the entries that reach these are here; whatever else that survey said still holds.
    pub since: Option<Digest>,
}

/// What one entry's module graph needs from outside.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SurveyedEntry {
    /// Specifiers that are no local files, sorted: `npm:zod@4`, `node:fs`, `jsr:…`, `https:…`, bare names
    /// after import maps have been applied.
    pub specifiers: BTreeSet<String>,
    /// The `deno.lock` that governs the entry, absolute; `None` if there is none.
    pub lock: Option<PathBuf>,
    /// What its extension ships for it. Looked for only in pulled extensions, and only where a specifier is one that
    /// nothing maps ([`crate::shipped::is_unmapped`]).
    pub shipped: Option<Shipped>,
}

/// Edits of modules, for a look at what follows from them and at nothing else.
#[derive(Clone, Debug, Default)]
pub struct Edits {
    /// The kinds to look for, with what the loaders say of them.
    pub kinds: Vec<KindLayout>,
    /// The modules whose text changed.
    pub files: BTreeSet<SourceId>,
    /// The entries that are these modules, or reach them.
    pub entries: Vec<EditedEntry>,
}

/// An entry as it is known before its edit. None of this changes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditedEntry {
    /// The source.
    pub source: SourceId,
    /// Where its root comes from.
    pub origin: Origin,
    /// The extension that it belongs to.
    pub extension: Extension,
    /// The kind that it is of.
    pub kind: Kind,
}

/// What a survey cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SurveyStatistics {
    /// Source and configuration files that were opened.
    pub files_read: u64,
    /// Directories that were listed.
    pub directories_listed: u64,
}

impl Survey {
    /// The observations together with what they need.
    pub fn observed(&self) -> impl Iterator<Item = (&Observation, &SurveyedEntry)> {
        self.disk.observations.iter().zip(&self.entries)
    }
}
