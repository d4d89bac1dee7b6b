//! What a unit is made from, and what it is before its imports of other units have their places.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mangrove_domain::{
    bundle::StoredObject,
    digest::Digest,
    fingerprint::{Line, Part},
};

use super::{layout::file_name, records::DraftRecord};
use crate::{specifier::PackageId, tree::Tree, vendor::EntryNames};

/// The version of what goes into a unit's key and of how units are laid out for the bundler.
pub(super) const FORMAT: u32 = 3;

/// One package instance of a module graph.
pub(super) struct Instance {
    pub(super) tree: Arc<Tree>,
    /// Bare specifiers.
    pub(super) entries: BTreeSet<String>,
}

/// A unit whose imports of other units may have no places yet.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) key: Digest,
    pub(super) request: Arc<DraftRequest>,
    /// Bare specifiers of other units that it imports.
    pub(super) imports: BTreeSet<String>,
    /// What its entries offer by name, by bare specifier.
    pub(super) names: Arc<BTreeMap<String, EntryNames>>,
    /// What it imports of other units by name, by bare specifier.
    pub(super) imported_names: Arc<BTreeMap<String, BTreeSet<String>>>,
    /// Where it is, if it imports none.
    pub(super) object: Option<StoredObject>,
}

/// What a draft is made from.
#[derive(Debug)]
pub(super) struct DraftRequest {
    pub(super) tree: Arc<Tree>,
    pub(super) entries: BTreeMap<String, String>,
    /// The packages that stay outside: those at the top of its tree.
    pub(super) shared: BTreeMap<String, PackageId>,
}

impl DraftRequest {
    pub(super) fn new(instance: &Instance, shared: BTreeMap<String, PackageId>) -> Self {
        let mut entries = BTreeMap::new();
        for specifier in &instance.entries {
            let is_taken = |taken: &str| entries.values().any(|known: &String| known.eq_ignore_ascii_case(taken));
            let file = file_name(specifier, is_taken);
            entries.insert(specifier.clone(), file);
        }
        Self { tree: Arc::clone(&instance.tree), entries, shared }
    }

    pub(super) fn key(&self, vendor_identity: &str) -> Digest {
        let entries = self.entries.iter().map(|(specifier, file)| Line::new(format!("entry {specifier}"), file));
        let shared = self.shared.iter().map(|(name, id)| Line::new(format!("shared {name}"), id.to_string()));
        let fixed = [
            Line::new("format", FORMAT.to_string()),
            Line::new("bundler", vendor_identity),
            Line::new("tree", self.tree.digest().to_string()),
        ];
        Part::of(entries.chain(shared).chain(fixed)).digest()
    }
}

impl DraftRecord {
    pub(super) fn draft(&self, key: Digest, request: Arc<DraftRequest>, object: Option<StoredObject>) -> Draft {
        Draft {
            key,
            request,
            imports: self.imports.clone(),
            names: Arc::new(self.names.clone()),
            imported_names: Arc::new(self.imported_names.clone()),
            object,
        }
    }
}
