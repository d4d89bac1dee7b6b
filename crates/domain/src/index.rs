//! The published snapshot: which type is which row. Immutable once it is published.
//!
//! A next snapshot is a clone of the current one with some rows put or removed. Both share all the rest, so that
//! neither the clone nor a change of one row depends on how many rows there are.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use foldhash::fast::RandomState;
use rpds::{HashTrieMapSync, RedBlackTreeMapSync};

use crate::{
    claims::precedence,
    nearest::nearest,
    row::Row,
    source::{Kind, SourceId},
    state::StateName,
    type_name::TypeName,
};

/// The hash is seeded for each map, as that of the standard library is, and costs a fraction of it: half of a look-up's
/// time was the hash.
type TypeMap = HashTrieMapSync<TypeName, Entry, RandomState>;

/// How many names [`TypeIndex::nearest`] offers at most.
const OFFERED_NAMES: usize = 3;

/// Everything that is known of one type name of one kind. Lists are in order of precedence.
#[derive(Clone, Debug, Default, PartialEq)]
struct Entry {
    resolved: Option<Arc<Row>>,
    claimants: Vec<Arc<Row>>,
    add_ons: Vec<Arc<Row>>,
}

/// All rows, by source and by type. Resolving is a hash look-up without locks, I/O or allocation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TypeIndex {
    kinds: BTreeMap<Kind, TypeMap>,
    rows: RedBlackTreeMapSync<SourceId, Arc<Row>>,
}

impl Entry {
    fn put(&mut self, row: &Arc<Row>) {
        let list = self.list_of(row);
        let place = list.partition_point(|other| precedence(other, row).is_lt());
        list.insert(place, Arc::clone(row));
        self.choose();
    }

    fn remove(&mut self, row: &Row) {
        self.list_of(row).retain(|other| other.source != row.source);
        self.choose();
    }

    fn list_of(&mut self, row: &Row) -> &mut Vec<Arc<Row>> {
        if row.is_add_on() { &mut self.add_ons } else { &mut self.claimants }
    }

    fn choose(&mut self) {
        self.resolved = self.claimants.iter().find(|row| row.is_resolvable()).cloned();
    }

    fn is_empty(&self) -> bool {
        self.claimants.is_empty() && self.add_ons.is_empty()
    }
}

impl TypeIndex {
    /// The index of these rows, in any order. Their `shadowed_by` must be settled ([`claims`](crate::claims)); if two
    /// rows of one type resolve all the same, the first in precedence does.
    pub fn build(rows: impl IntoIterator<Item = Arc<Row>>) -> Self {
        let mut index = Self::default();
        for row in rows {
            index.put(row);
        }
        index
    }

    /// Adds a row, in the place of the one of the same source. Gives that one.
    pub fn put(&mut self, row: Arc<Row>) -> Option<Arc<Row>> {
        let before = self.rows.get(&row.source).map(Arc::clone);
        if let Some(before) = &before {
            self.remove_type(before);
        }
        if let Some(type_name) = published_type(&row) {
            if !self.kinds.contains_key(&row.kind) {
                self.kinds.insert(row.kind.clone(), TypeMap::default());
            }
            if let Some(types) = self.kinds.get_mut(&row.kind) {
                if let Some(entry) = types.get_mut(type_name) {
                    entry.put(&row);
                } else {
                    let mut entry = Entry::default();
                    entry.put(&row);
                    types.insert_mut(type_name.clone(), entry);
                }
            }
        }
        self.rows.insert_mut(row.source.clone(), row);
        before
    }

    /// Removes the row of this source. Gives it.
    pub fn remove(&mut self, source: &SourceId) -> Option<Arc<Row>> {
        let before = self.rows.get(source).map(Arc::clone)?;
        self.remove_type(&before);
        self.rows.remove_mut(source);
        Some(before)
    }

    /// Takes the row out of the entry of its type.
    fn remove_type(&mut self, row: &Row) {
        let (Some(type_name), Some(types)) = (published_type(row), self.kinds.get_mut(&row.kind)) else { return };
        if let Some(entry) = types.get_mut(type_name) {
            entry.remove(row);
            if entry.is_empty() {
                types.remove_mut(type_name);
            }
        }
        if types.is_empty() {
            self.kinds.remove(&row.kind);
        }
    }

    /// Makes these the rows, all of them; a row that is the same as before is kept as it is. Gives what changed: each
    /// source with the row before and the row after.
    pub fn replace(&mut self, rows: impl IntoIterator<Item = Row>) -> Vec<Replaced> {
        let rows: Vec<Row> = rows.into_iter().collect();
        let mut changes = Vec::new();
        let known = rows.iter().filter(|row| self.rows.contains_key(&row.source)).count();
        if known < self.rows.size() {
            let sources: HashSet<&SourceId> = rows.iter().map(|row| &row.source).collect();
            let gone: Vec<SourceId> = self.rows.keys().filter(|source| !sources.contains(source)).cloned().collect();
            let gone = gone.into_iter().filter_map(|source| self.remove(&source));
            changes.extend(gone.map(|before| Replaced { before: Some(before), after: None }));
        }
        for row in rows {
            if self.rows.get(&row.source).is_some_and(|before| **before == row) {
                continue;
            }
            let after = Arc::new(row);
            let before = self.put(Arc::clone(&after));
            changes.push(Replaced { before, after: Some(after) });
        }
        changes
    }

    /// The row of this source.
    #[must_use]
    pub fn row(&self, source: &SourceId) -> Option<&Arc<Row>> {
        self.rows.get(source)
    }

    fn entry(&self, kind: &Kind, type_name: &TypeName) -> Option<&Entry> {
        self.kinds.get(kind)?.get(type_name)
    }

    /// The row that resolves the type.
    #[must_use]
    pub fn resolve(&self, kind: &Kind, type_name: &TypeName) -> Option<&Arc<Row>> {
        self.entry(kind, type_name)?.resolved.as_ref()
    }

    /// The rows that are the type or claim to be it, in order of precedence, whatever their state: where "unknown
    /// type" looks for its reason (fault 28).
    #[must_use]
    pub fn claimants(&self, kind: &Kind, type_name: &TypeName) -> Vec<Arc<Row>> {
        self.entry(kind, type_name).map_or_else(Vec::new, |entry| entry.claimants.clone())
    }

    /// The `Indexed` rows that add to the type, in order of precedence.
    #[must_use]
    pub fn add_ons(&self, kind: &Kind, type_name: &TypeName) -> Vec<Arc<Row>> {
        let add_ons = self.entry(kind, type_name).map_or(&[][..], |entry| entry.add_ons.as_slice());
        add_ons.iter().filter(|row| row.state.name() == StateName::Indexed).cloned().collect()
    }

    /// The rows that would add to the type and do not, because they failed or were rejected.
    #[must_use]
    pub fn broken_add_ons(&self, kind: &Kind, type_name: &TypeName) -> Vec<Arc<Row>> {
        let add_ons = self.entry(kind, type_name).map_or(&[][..], |entry| entry.add_ons.as_slice());
        add_ons.iter().filter(|row| row.state.name() != StateName::Indexed).cloned().collect()
    }

    /// The `Indexed` add-ons whose type does not resolve, sorted by source.
    pub fn waiting_add_ons(&self) -> impl Iterator<Item = &Arc<Row>> {
        self.rows().filter(|row| {
            let is_indexed_add_on = row.is_add_on() && row.state.name() == StateName::Indexed;
            is_indexed_add_on && row.type_name().is_some_and(|name| self.resolve(&row.kind, name).is_none())
        })
    }

    /// The kinds and types that resolve and have `Indexed` add-ons, sorted.
    #[must_use]
    pub fn extended_types(&self) -> BTreeSet<(Kind, TypeName)> {
        let add_ons = self.rows().filter(|row| row.is_add_on() && row.state.name() == StateName::Indexed);
        add_ons
            .filter_map(|row| Some((row.kind.clone(), row.type_name()?.clone())))
            .filter(|(kind, type_name)| self.resolve(kind, type_name).is_some())
            .collect()
    }

    /// The names of this kind that are or are claimed as types and resemble `type_name` most, nearest first, at most
    /// three.
    #[must_use]
    pub fn nearest(&self, kind: &Kind, type_name: &TypeName) -> Vec<TypeName> {
        let types = self.kinds.get(kind).into_iter().flat_map(TypeMap::iter);
        let names = types.filter(|(name, entry)| *name != type_name && !entry.claimants.is_empty());
        nearest(type_name.as_str(), names.map(|(name, _)| name.as_str()), OFFERED_NAMES)
            .into_iter()
            .map(TypeName::stored)
            .collect()
    }

    /// The kinds of which rows are or claim to be this type, sorted.
    #[must_use]
    pub fn kinds_of(&self, type_name: &TypeName) -> Vec<Kind> {
        let is_claimed = |types: &TypeMap| types.get(type_name).is_some_and(|entry| !entry.claimants.is_empty());
        let kinds: BTreeSet<&Kind> =
            self.kinds.iter().filter(|(_, types)| is_claimed(types)).map(|(kind, _)| kind).collect();
        kinds.into_iter().cloned().collect()
    }

    /// As [`nearest`](Self::nearest), of all kinds: names with the kind of each, a name of two kinds twice.
    #[must_use]
    pub fn nearest_of_all(&self, text: &str) -> Vec<(Kind, TypeName)> {
        let claimed = |types: &TypeMap| -> Vec<TypeName> {
            types.iter().filter(|(_, entry)| !entry.claimants.is_empty()).map(|(name, _)| name.clone()).collect()
        };
        let mut kinds: BTreeMap<TypeName, BTreeSet<&Kind>> = BTreeMap::new();
        for (kind, types) in &self.kinds {
            for name in claimed(types) {
                kinds.entry(name).or_default().insert(kind);
            }
        }
        let near = nearest(text, kinds.keys().map(TypeName::as_str).filter(|name| *name != text), OFFERED_NAMES);
        let near = near.into_iter().map(TypeName::stored);
        near.flat_map(|name| {
            let kinds: Vec<Kind> = kinds.get(&name).into_iter().flatten().map(|kind| (*kind).clone()).collect();
            kinds.into_iter().map(move |kind| (kind, name.clone()))
        })
        .collect()
    }

    /// All rows, sorted by source.
    #[must_use]
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &Arc<Row>> {
        self.rows.values()
    }
}

/// One difference between two sets of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Replaced {
    /// The row before; `None` if there was none.
    pub before: Option<Arc<Row>>,
    /// The row after; `None` if it is gone.
    pub after: Option<Arc<Row>>,
}

impl Replaced {
    /// The source that both rows are of.
    #[must_use]
    pub fn source(&self) -> Option<&SourceId> {
        self.after.as_ref().or(self.before.as_ref()).map(|row| &row.source)
    }
}

/// The type under which a row is found; none of a row that is leaving.
fn published_type(row: &Row) -> Option<&TypeName> {
    row.type_name().filter(|_| row.state.name() != StateName::Tombstoned)
}
