//! The published snapshot: which type is which row. Immutable; a new one replaces it as a whole.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use crate::{claims::precedence, nearest::nearest, row::Row, source::Kind, state::StateName, type_name::TypeName};

/// How many names [`TypeIndex::nearest`] offers at most.
const OFFERED_NAMES: usize = 3;

/// Everything that is known of one type name of one kind.
#[derive(Clone, Debug, Default)]
struct Entry {
    resolved: Option<Arc<Row>>,
    claimants: Vec<Arc<Row>>,
    add_ons: Vec<Arc<Row>>,
}

/// All rows, by type. Resolving is a hash look-up without locks, I/O or allocation.
#[derive(Clone, Debug, Default)]
pub struct TypeIndex {
    kinds: HashMap<Kind, HashMap<TypeName, Entry>>,
    rows: Vec<Arc<Row>>,
}

impl TypeIndex {
    /// The index of these rows, in any order. Their `shadowed_by` must be settled ([`claims`](crate::claims)); if two
    /// rows of one type resolve all the same, the first in precedence does.
    pub fn build(rows: impl IntoIterator<Item = Arc<Row>>) -> Self {
        let mut rows: Vec<Arc<Row>> = rows.into_iter().collect();
        rows.sort_by(|left, right| left.source.cmp(&right.source));
        let mut kinds: HashMap<Kind, HashMap<TypeName, Entry>> = HashMap::new();
        for row in &rows {
            let Some(type_name) = row.type_name().filter(|_| row.state.name() != StateName::Tombstoned) else {
                continue;
            };
            let types = kinds.entry(row.kind.clone()).or_default();
            let entry = types.entry(type_name.clone()).or_default();
            let list = if row.is_add_on() { &mut entry.add_ons } else { &mut entry.claimants };
            list.push(Arc::clone(row));
        }
        for entry in kinds.values_mut().flat_map(HashMap::values_mut) {
            entry.claimants.sort_by(|left, right| precedence(left, right));
            entry.add_ons.sort_by(|left, right| precedence(left, right));
            entry.resolved = entry.claimants.iter().find(|row| row.is_resolvable()).cloned();
        }
        Self { kinds, rows }
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
        self.rows.iter().filter(|row| {
            let is_indexed_add_on = row.is_add_on() && row.state.name() == StateName::Indexed;
            is_indexed_add_on && row.type_name().is_some_and(|name| self.resolve(&row.kind, name).is_none())
        })
    }

    /// The kinds and types that resolve and have `Indexed` add-ons, sorted.
    #[must_use]
    pub fn extended_types(&self) -> BTreeSet<(Kind, TypeName)> {
        let add_ons = self.rows.iter().filter(|row| row.is_add_on() && row.state.name() == StateName::Indexed);
        add_ons
            .filter_map(|row| Some((row.kind.clone(), row.type_name()?.clone())))
            .filter(|(kind, type_name)| self.resolve(kind, type_name).is_some())
            .collect()
    }

    /// The names of this kind that are or are claimed as types and resemble `type_name` most, nearest first, at most
    /// three.
    #[must_use]
    pub fn nearest(&self, kind: &Kind, type_name: &TypeName) -> Vec<TypeName> {
        let types = self.kinds.get(kind).into_iter().flatten();
        let names = types.filter(|(name, entry)| *name != type_name && !entry.claimants.is_empty());
        nearest(type_name.as_str(), names.map(|(name, _)| name.as_str()), OFFERED_NAMES)
            .into_iter()
            .map(TypeName::stored)
            .collect()
    }

    /// The kinds of which rows are or claim to be this type, sorted.
    #[must_use]
    pub fn kinds_of(&self, type_name: &TypeName) -> Vec<Kind> {
        let is_claimed =
            |types: &HashMap<TypeName, Entry>| types.get(type_name).is_some_and(|entry| !entry.claimants.is_empty());
        let kinds: BTreeSet<&Kind> =
            self.kinds.iter().filter(|(_, types)| is_claimed(types)).map(|(kind, _)| kind).collect();
        kinds.into_iter().cloned().collect()
    }

    /// As [`nearest`](Self::nearest), of all kinds: names with the kind of each, a name of two kinds twice.
    #[must_use]
    pub fn nearest_of_all(&self, text: &str) -> Vec<(Kind, TypeName)> {
        let claimed = |types: &HashMap<TypeName, Entry>| -> Vec<TypeName> {
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
        self.rows.iter()
    }
}
