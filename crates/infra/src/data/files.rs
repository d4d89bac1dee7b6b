//! What the files of all places say together.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use mangrove_domain::{
    data::{self, DataHandle},
    failure::Fault,
    ports::{Content, DataField, DataSearch, Documents, FoundData, Removed},
    problem::Code,
};
use mangrove_fs::{
    json_text,
    read::{self, FileKind, Within},
};

use super::{
    Place, RAW, Versions,
    evidence::{Evidence, Links, Looker, Root, Tree},
    existing::Existing,
    first_layout::{FirstLayout, Specs, content_name},
    malformed,
    ours::Ours,
};

/// The three places. Cheap to clone.
#[derive(Clone)]
pub(super) struct Files {
    pub(super) ours: Ours,
    pub(super) first: FirstLayout,
    pub(super) existing: Option<Arc<Existing>>,
    /// Where the clock of the file system may be asked; `None` if nothing may be written.
    pub(super) probe: Option<PathBuf>,
}

/// Where the items of one model lie, as far as that does not follow from its identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Model {
    pub(super) id: String,
    /// The directories of its specifications in the first layout.
    pub(super) specs: Specs,
    /// Its directory in the tree that the repository brings.
    pub(super) existing: Option<PathBuf>,
}

/// A version as searches see it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    pub(super) place: Place,
    pub(super) handle: DataHandle,
    /// True for the latest one of its step, unless its item is gone.
    pub(super) is_latest: bool,
}

/// Models with the names of their items, of which some may have no version.
pub(super) type Listing = Vec<(Model, BTreeMap<String, u8>)>;

/// In which places an item has a directory: the sum of these.
pub(super) mod side {
    pub(in super::super) const OURS: u8 = 1;
    pub(in super::super) const FIRST: u8 = 2;
    pub(in super::super) const EXISTING: u8 = 4;
}

impl Files {
    /// These directories, in which nothing is written but data.
    pub(super) fn new(root: Arc<Path>) -> Self {
        let root = Root { tree: Tree::Ours, path: root };
        Self { ours: Ours::new(root.clone()), first: FirstLayout::new(root), existing: None, probe: None }
    }

    pub(super) fn add_existing(&mut self, directory: PathBuf, documents: Arc<dyn Documents>) {
        let root = Root { tree: Tree::Existing, path: directory.into() };
        self.existing = Some(Arc::new(Existing::new(root, documents)));
    }

    /// Looks at the files as they are now.
    pub(super) fn looker(&self) -> Looker {
        let existing = self.existing.as_ref().map(|existing| existing.root());
        Looker::new(self.ours.root(), existing, self.probe.as_deref())
    }

    /// The model of this identifier, which may have no item.
    pub(super) fn model(&self, id: &str, looker: &Looker) -> Result<Model, Fault> {
        let existing = match &self.existing {
            Some(existing) => existing.models(looker)?.directories.get(id).cloned(),
            None => None,
        };
        Ok(Model { id: id.to_owned(), specs: self.first.specs(id, looker)?, existing })
    }

    /// All models that have a directory, sorted by their identifiers. Some may have no item.
    pub(super) fn models(&self, looker: &Looker) -> Result<Vec<Model>, Fault> {
        let mut places = BTreeMap::new();
        if let Some(existing) = &self.existing {
            let models = existing.models(looker)?;
            places.extend(models.directories.iter().map(|(id, path)| (id.clone(), Some(path.clone()))));
        }
        for id in self.own_models()? {
            places.entry(id).or_default();
        }
        let model = |(id, existing): (String, _)| Ok(Model { specs: self.first.specs(&id, looker)?, id, existing });
        places.into_iter().map(model).collect()
    }

    /// The identifiers of the models that have a directory in our tree.
    fn own_models(&self) -> Result<BTreeSet<String>, Fault> {
        let root = &self.ours.root().path;
        let mut ids = BTreeSet::new();
        let Some(directory) = super::opened(root, root)? else { return Ok(ids) };
        for name in super::directories_in(&directory)? {
            let Some(escaped) = name.to_str() else { continue };
            let id = match super::names::unescape(escaped) {
                None if super::names::is_cut(escaped) => {
                    let path = root.join(escaped);
                    let any = match self.ours.any(&path)? {
                        None => self.first.any(&path)?,
                        any => any,
                    };
                    any.map(|handle| handle.model_id)
                }
                id => id,
            };
            ids.extend(id.filter(|id| super::names::escape(id) == escaped));
        }
        Ok(ids)
    }

    /// The names of the items of a model and the [sides](side) on which they lie. Some may have no version.
    pub(super) fn names(&self, model: &Model, evidence: &mut Evidence<'_>) -> Result<BTreeMap<String, u8>, Fault> {
        let mut names: BTreeMap<String, u8> = BTreeMap::new();
        let mut add = |found: BTreeSet<String>, side: u8| {
            for name in found {
                *names.entry(name).or_default() |= side;
            }
        };
        add(self.ours.names(&model.id, evidence)?, side::OURS);
        add(self.first.names(&model.specs, evidence)?, side::FIRST);
        if let (Some(existing), Some(directory)) = (&self.existing, &model.existing) {
            add(existing.names(directory, evidence)?, side::EXISTING);
        }
        Ok(names)
    }

    /// The versions of an item that there are.
    pub(super) fn versions_of(
        &self,
        model: &Model,
        name: &str,
        evidence: &mut Evidence<'_>,
    ) -> Result<Versions, Fault> {
        let mut versions = match (&self.existing, &model.existing) {
            (Some(existing), Some(directory)) => existing.versions(directory, name, evidence)?.0,
            _ => Versions::new(),
        };
        versions.extend(self.first.versions(&model.specs, name, evidence)?);
        let own = self.ours.versions(&model.id, name, evidence)?;
        versions.retain(|number, _| *number > own.hidden_up_to);
        versions.extend(own.places);
        Ok(versions)
    }

    /// The highest number of an item that is taken where nothing is written.
    pub(super) fn highest_of_others(&self, model_id: &str, name: &str) -> Result<u32, Fault> {
        let (model, evidence) = (self.model(model_id, &self.looker())?, &mut Evidence::unwanted());
        let existing = match (&self.existing, &model.existing) {
            (Some(existing), Some(directory)) => existing.versions(directory, name, evidence)?.1,
            _ => 0,
        };
        let first = self.first.versions(&model.specs, name, evidence)?;
        Ok(first.last_key_value().map_or(existing, |(number, _)| existing.max(*number)))
    }

    fn handle(&self, place: &Place, version: u32, evidence: &mut Evidence<'_>) -> Result<Option<DataHandle>, Fault> {
        match (place, &self.existing) {
            (Place::Ours(path), _) => self.ours.handle(path),
            (Place::First(path), _) => self.first.handle(path, version).map(Some),
            (Place::Existing(path), Some(existing)) => existing.handle(path, evidence).map(Some),
            (Place::Existing(_), None) => Ok(None),
        }
    }

    fn content(&self, place: &Place, handle: &DataHandle) -> Result<Content, Fault> {
        self.whole_content(place, handle)?.map_err(|damage| malformed(place.path(), &damage))
    }

    /// The content of a version that a search has found; `None` for one that is damaged, which is no reason to find no other.
    pub(super) fn found_content(&self, place: &Place, handle: &DataHandle) -> Result<Option<Content>, Fault> {
        let content = self.whole_content(place, handle)?;
        Ok(content.inspect_err(|damage| tracing::warn!(path = %place.path().display(), "left out: {damage}")).ok())
    }

    /// The content, or how it is damaged.
    fn whole_content(&self, place: &Place, handle: &DataHandle) -> Result<Result<Content, String>, Fault> {
        let bytes = match place {
            Place::Ours(path) | Place::Existing(path) => {
                let within = match (place, &self.existing) {
                    (Place::Existing(_), Some(existing)) => Within::Root(&existing.root().path),
                    _ => Within::Unlinked,
                };
                let path = path.join(RAW);
                read::bytes(&path, within, FileKind::State).map_err(read::ReadError::into_fault)?
            }
            Place::First(path) => self.first.content(path, handle)?,
        };
        // Longer is what somebody has edited.
        if matches!(place, Place::Ours(_)) && (bytes.len() as u64) < handle.size_bytes {
            let (found, wanted) = (bytes.len(), handle.size_bytes);
            return Ok(Err(format!(
                "of the content, {found} of {wanted} bytes are there: it was not on the disk when the machine stopped; delete \
                 the version, or write the item again"
            )));
        }
        let json = if data::is_json(&handle.content_type) {
            std::str::from_utf8(&bytes).ok().and_then(|text| json_text::parse(text).ok())
        } else {
            None
        };
        Ok(Ok(Content { bytes, json }))
    }

    /// The newest version that is there, with what is known of it.
    fn newest(&self, versions: &Versions) -> Result<Option<(Place, DataHandle)>, Fault> {
        for (number, place) in versions.iter().rev() {
            if let Some(handle) = self.handle(place, *number, &mut Evidence::unwanted())? {
                return Ok(Some((place.clone(), handle)));
            }
        }
        Ok(None)
    }

    pub(super) fn read_item(
        &self,
        model_id: &str,
        name: &str,
        version: Option<u32>,
    ) -> Result<Option<(DataHandle, Content)>, Fault> {
        let model = self.model(model_id, &self.looker())?;
        let versions = self.versions_of(&model, name, &mut Evidence::unwanted())?;
        let found = match version {
            None => self.newest(&versions)?,
            Some(number) => match versions.get(&number) {
                Some(place) => {
                    let handle = self.handle(place, number, &mut Evidence::unwanted())?;
                    handle.map(|handle| (place.clone(), handle))
                }
                None => None,
            },
        };
        let Some((place, handle)) = found else { return Ok(None) };
        let content = self.content(&place, &handle)?;
        Ok(Some((handle, content)))
    }

    /// Where the content of a version lies, or would lie.
    pub(super) fn content_path(&self, model_id: &str, name: &str, version: u32) -> PathBuf {
        let versions = self.model(model_id, &self.looker());
        let versions = versions.and_then(|model| self.versions_of(&model, name, &mut Evidence::unwanted()));
        match versions.unwrap_or_default().get(&version) {
            Some(Place::Existing(path)) => path.join(RAW),
            Some(Place::First(path)) => path.join(content_name(version)),
            Some(Place::Ours(_)) | None => self.ours.version(model_id, name, version).join(RAW),
        }
    }

    pub(super) fn all_versions(
        &self,
        model: &Model,
        name: &str,
        evidence: &mut Evidence<'_>,
    ) -> Result<Vec<(Place, DataHandle)>, Fault> {
        let versions = self.versions_of(model, name, evidence)?;
        let mut handles = Vec::with_capacity(versions.len());
        for (number, place) in versions {
            if let Some(handle) = self.handle(&place, number, evidence)? {
                handles.push((place, handle));
            }
        }
        Ok(handles)
    }

    /// The versions of an item as searches see them, the newest first.
    pub(super) fn told(&self, model: &Model, name: &str, evidence: &mut Evidence<'_>) -> Result<Vec<Told>, Fault> {
        let versions = self.all_versions(model, name, evidence)?;
        let is_gone = versions.last().is_some_and(|(_, newest)| newest.is_gone());
        // The newest come first, so that the first of each step is its latest.
        let mut steps = BTreeSet::new();
        let told = versions.into_iter().rev().map(|(place, handle)| {
            let is_latest = steps.insert(handle.step_name().to_owned()) && !is_gone;
            Told { place, handle, is_latest }
        });
        Ok(told.collect())
    }

    /// The items of this model, or of all. `None` if there are at least so many.
    pub(super) fn listed(&self, model_id: Option<&str>, enough: usize) -> Result<Option<Listing>, Fault> {
        let looker = self.looker();
        let models = match model_id {
            Some(id) => vec![self.model(id, &looker)?],
            None => self.models(&looker)?,
        };
        let (mut listing, mut count) = (Listing::new(), 0);
        for model in models {
            let names = self.names(&model, &mut Evidence::unwanted())?;
            count += names.len();
            if count >= enough {
                return Ok(None);
            }
            listing.push((model, names));
        }
        Ok((count < enough).then_some(listing))
    }

    /// The latest versions of all items of a model, sorted by specification and name. What was listed of it is not listed again.
    pub(super) fn latest_items(&self, model_id: &str, listing: Option<Listing>) -> Result<Vec<DataHandle>, Fault> {
        let listing = match listing {
            Some(listing) => listing,
            None => {
                let model = self.model(model_id, &self.looker())?;
                let names = self.names(&model, &mut Evidence::unwanted())?;
                vec![(model, names)]
            }
        };
        let mut handles = Vec::new();
        for (model, names) in &listing {
            for name in names.keys() {
                let versions = self.versions_of(model, name, &mut Evidence::unwanted())?;
                handles.extend(self.newest(&versions)?.map(|(_, handle)| handle));
            }
        }
        sort(&mut handles);
        Ok(handles)
    }

    /// The identifiers of all models that have an item, sorted.
    pub(super) fn model_ids(&self) -> Result<Vec<String>, Fault> {
        let mut ids = Vec::new();
        for model in self.models(&self.looker())? {
            for name in self.names(&model, &mut Evidence::unwanted())?.keys() {
                let versions = self.versions_of(&model, name, &mut Evidence::unwanted())?;
                if self.newest(&versions)?.is_some() {
                    ids.push(model.id);
                    break;
                }
            }
        }
        Ok(ids)
    }

    /// The models that a search looks into.
    pub(super) fn models_for(&self, search: &DataSearch, looker: &Looker) -> Result<Vec<Model>, Fault> {
        match wanted(search, &DataField::ModelId) {
            Some(id) => Ok(vec![self.model(id, looker)?]),
            None => self.models(looker),
        }
    }

    /// What a search finds. What was listed of the models that it looks into is not listed again.
    pub(super) fn search(&self, search: &DataSearch, listing: Option<Listing>) -> Result<Vec<FoundData>, Fault> {
        let mut found = Vec::new();
        if let Some(listing) = listing {
            for (model, names) in &listing {
                for name in names.keys() {
                    self.search_item(model, name, search, &mut found)?;
                }
            }
            return Ok(found);
        }
        let looker = self.looker();
        for model in self.models_for(search, &looker)? {
            if let Some(name) = wanted(search, &DataField::Name) {
                if self.may_have(&model, name, &looker) {
                    self.search_item(&model, name, search, &mut found)?;
                }
                continue;
            }
            for name in self.names(&model, &mut Evidence::unwanted())?.keys() {
                self.search_item(&model, name, search, &mut found)?;
            }
        }
        Ok(found)
    }

    /// False if a model has no directory for an item of this name: one look at each place.
    fn may_have(&self, model: &Model, name: &str, looker: &Looker) -> bool {
        let is_there = |(tree, path): (Tree, String)| !looker.look(tree, &path, Links::Refused).is_absent();
        self.item_directories(model, name).any(is_there)
    }

    /// Where the directories of a model would lie, below the roots.
    pub(super) fn model_directories(&self, model: &Model) -> impl Iterator<Item = (Tree, String)> {
        let ours = relative(self.ours.root(), &self.ours.model(&model.id));
        let existing = self.existing.as_ref().zip(model.existing.as_ref());
        ours.into_iter().chain(existing.and_then(|(existing, directory)| relative(existing.root(), directory)))
    }

    /// In which directories those of its items would lie, below the roots.
    pub(super) fn directories_of_items(&self, model: &Model) -> impl Iterator<Item = (Tree, String)> {
        let specs = model.specs.iter().filter_map(|spec| relative(self.ours.root(), spec));
        self.model_directories(model).chain(specs)
    }

    /// Where the directories of an item would lie, below the roots.
    pub(super) fn item_directories(&self, model: &Model, name: &str) -> impl Iterator<Item = (Tree, String)> {
        let ours = relative(self.ours.root(), &self.ours.item(&model.id, name));
        let first =
            model.specs.iter().filter_map(|spec| relative(self.ours.root(), &spec.join(super::names::escape(name))));
        let existing = self.existing.as_ref().zip(model.existing.as_ref());
        let existing = existing.and_then(|(existing, directory)| relative(existing.root(), &directory.join(name)));
        ours.into_iter().chain(first).chain(existing)
    }

    fn search_item(
        &self,
        model: &Model,
        name: &str,
        search: &DataSearch,
        found: &mut Vec<FoundData>,
    ) -> Result<(), Fault> {
        for Told { place, handle, is_latest } in self.told(model, name, &mut Evidence::unwanted())? {
            if fits(search, &handle, is_latest) {
                let content = if search.wants_content { self.found_content(&place, &handle)? } else { None };
                if content.is_some() || !search.wants_content {
                    found.push(FoundData { handle, is_latest, content });
                }
            }
        }
        Ok(())
    }

    pub(super) fn remove(&self, model_id: &str, name: &str, version: Option<u32>) -> Result<Removed, Fault> {
        let mut removed = Removed::default();
        let model = self.model(model_id, &self.looker())?;
        let all = self.all_versions(&model, name, &mut Evidence::unwanted())?;
        let highest = all.last().map_or(0, |(_, handle)| handle.version);
        let going: Vec<_> =
            all.iter().filter(|(_, handle)| version.is_none_or(|only| only == handle.version)).collect();
        let is_foreign = |place: &Place| !matches!(place, Place::Ours(_));
        if let Some((place, handle)) = going.iter().find(|(place, _)| is_foreign(place) && version.is_some()) {
            let path = place.path().display();
            let message = format!("{path}: version {} of `{name}` was not written by this store", handle.version);
            return Err(Fault::environment(Code::NOT_WRITABLE, "data:file", message));
        }
        if going.iter().any(|(place, _)| is_foreign(place)) {
            self.ours.hide(model_id, name, highest)?;
        }
        for (place, handle) in going {
            if matches!(place, Place::Ours(_)) {
                self.ours.remove(model_id, name, handle.version)?;
            }
            removed.versions += 1;
            removed.bytes += handle.size_bytes;
        }
        if version.is_none() {
            self.ours.tidy(model_id, name)?;
        }
        Ok(removed)
    }
}

fn relative(root: &Root, path: &Path) -> Option<(Tree, String)> {
    root.relative(path).map(|path| (root.tree, path.to_owned()))
}

/// True if a search wants this version.
pub(super) fn fits(search: &DataSearch, handle: &DataHandle, is_latest: bool) -> bool {
    (is_latest || search.wants_every_version)
        && !handle.is_gone()
        && search.equal.iter().all(|(field, value)| field.of(handle) == value)
}

/// What a search wants a field to be.
pub(super) fn wanted<'a>(search: &'a DataSearch, field: &DataField) -> Option<&'a str> {
    search.equal.iter().find(|(known, _)| known == field).map(|(_, value)| value.as_str())
}

/// Sorts latest versions by specification and name.
pub(super) fn sort(handles: &mut [DataHandle]) {
    handles.sort_by(|one, other| (&one.spec_name, &one.name).cmp(&(&other.spec_name, &other.name)));
}
