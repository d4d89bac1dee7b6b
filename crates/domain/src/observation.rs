//! What a look at the disk says, before anything is decided.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    bundle::Presence,
    digest::Digest,
    failure::Fault,
    fingerprint::{Inputs, Part},
    glob::Glob,
    problem::Problem,
    row::Row,
    source::{Extension, Kind, Origin, RelativePath, RootId, SourceId},
    type_name::TypeName,
};

/// One entry point as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// Which one.
    pub source: SourceId,
    /// Where its root comes from.
    pub origin: Origin,
    /// The extension it belongs to.
    pub extension: Extension,
    /// Its kind.
    pub kind: Kind,
    /// The type that its text names.
    pub claimed_type: Option<TypeName>,
    /// True if its text exports an add-on to that type ([`KindLayout::add_on_export_names`]).
    ///
    /// [`KindLayout::add_on_export_names`]: crate::kind_layout::KindLayout::add_on_export_names
    pub claims_add_on: bool,
    /// Whether it could be read.
    pub entry: Entry,
}

/// Whether an entry point could be read.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// It could.
    Readable {
        /// The digest of its bytes.
        digest: Digest,
        /// What a bundle would be made from.
        inputs: Inputs,
    },
    /// It could not. The fault's cause key names the operating system's error, so that the same error
    /// is recognised again.
    Unreadable(Fault),
}

impl Observation {
    /// The inputs, if the entry could be read.
    #[must_use]
    pub fn inputs(&self) -> Option<&Inputs> {
        match &self.entry {
            Entry::Readable { inputs, .. } => Some(inputs),
            Entry::Unreadable(_) => None,
        }
    }

    /// The same with the parts empty that do not come from files: packages and bundler.
    #[must_use]
    pub fn without_outside_parts(&self) -> Self {
        let mut observation = self.clone();
        if let Entry::Readable { inputs, .. } = &mut observation.entry {
            inputs.packages = Part::of([]);
            inputs.bundler = Part::of([]);
        }
        observation
    }

    /// The digest of the entry's bytes, if they could be read.
    #[must_use]
    pub fn entry_digest(&self) -> Option<Digest> {
        match &self.entry {
            Entry::Readable { digest, .. } => Some(*digest),
            Entry::Unreadable(_) => None,
        }
    }
}

/// What one root looks like now.
#[derive(Clone, Debug, PartialEq)]
pub struct RootView {
    /// Where it comes from.
    pub origin: Origin,
    /// Whether it could be looked into.
    pub access: RootAccess,
    /// Directories, relative to the root, whose listing failed or broke off; nothing below them counts
    /// as gone.
    pub incomplete: BTreeSet<String>,
    /// Kinds whose directory is configured and not there: a misspelt setting takes nothing away.
    pub missing_directories: BTreeMap<Kind, String>,
    /// Files that the lockfile names for this root.
    pub locked_files: BTreeSet<RelativePath>,
}

/// Whether a configured root could be looked into.
#[derive(Clone, Debug, PartialEq)]
pub enum RootAccess {
    /// It was listed.
    Reachable,
    /// It is configured and not there, or cannot be entered.
    Unreachable(Fault),
}

/// Everything that a scan saw: one side of the plan.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct DiskView {
    /// The entry points, in any order.
    pub observations: Vec<Observation>,
    /// The configured roots that this scan looked at.
    pub roots: BTreeMap<RootId, RootView>,
    /// Why the lockfile of pulled extensions could not be read, if it could not.
    pub lockfile_fault: Option<Fault>,
    /// Why the list of source mounts could not be read, if it could not.
    pub mounts_fault: Option<Fault>,
    /// The patterns that name configured mounts. A root that one of them covers is configured, even if nothing
    /// matches it at the moment.
    pub mount_patterns: Vec<Glob>,
    /// Sources around which a manifest stands that cannot be used: their rows keep the extension they had.
    pub unknown_identities: BTreeSet<SourceId>,
    /// Files that are there and export none of the known names.
    pub helpers: BTreeSet<SourceId>,
    /// What the store says of the bundles that rows name; a row without an entry here was not looked up
    /// and counts as present.
    pub presence: BTreeMap<SourceId, Presence>,
    /// What is wrong outside the entry points: unreadable directories, malformed manifests, ….
    pub problems: Vec<Problem>,
}

impl DiskView {
    /// Gives sources whose manifest cannot be used the extension that the catalog knows of them: a mistake in a
    /// manifest moves nothing to another extension.
    pub fn keep_known_identities(&mut self, catalog: &CatalogView) {
        if self.unknown_identities.is_empty() {
            return;
        }
        let known: BTreeMap<&SourceId, &Extension> =
            catalog.rows.iter().map(|row| (&row.source, &row.extension)).collect();
        for observation in &mut self.observations {
            if let (true, Some(extension)) =
                (self.unknown_identities.contains(&observation.source), known.get(&observation.source))
            {
                observation.extension = (*extension).clone();
            }
        }
    }

    /// What the store says of this source's bundle.
    #[must_use]
    pub fn presence_of(&self, source: &SourceId) -> Presence {
        self.presence.get(source).copied().unwrap_or(Presence::Present)
    }
}

/// Everything that the catalog knows: the other side of the plan.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct CatalogView {
    /// All rows, in any order. One whose description is gone counts as built and not inspected.
    pub rows: Vec<Row>,
    /// What is damaged: rows that cannot be understood and are left out, descriptions that are gone. The next
    /// commit of the source fixes it.
    pub damaged: Vec<Problem>,
    /// The sources among them whose rows are left out.
    pub unreadable: BTreeSet<SourceId>,
    /// Names what the catalog held when this was read, all rows of it: another view with this version was read from the
    /// same rows, whoever has committed meanwhile what. `None` where that is not known.
    pub version: Option<Digest>,
}

impl CatalogView {
    /// Takes note that the catalog has no usable description for the rows of these sources: each counts as built and not
    /// inspected ([`Row::without_description`]), and is listed as damaged.
    pub fn lose_descriptions(&mut self, sources: &BTreeSet<SourceId>) {
        let lost = self.rows.iter_mut().filter(|row| sources.contains(&row.source));
        for row in lost {
            *row = row.clone().without_description();
            self.damaged.push(row.undescribed());
        }
    }
}
