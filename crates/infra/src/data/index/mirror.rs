//! What the index rests on, in memory: which models and items it has, and by which looks they are proved.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::Path,
    sync::Arc,
};

use mangrove_domain::{digest::Digest, failure::Fault};
use serde::{Deserialize, Serialize};

use super::{
    super::{
        evidence::{Evidence, Look, Looker, Root, Tree},
        files::{Files, Model, Told},
    },
    IndexError, parallel, stored,
};

/// Models and items of the index as one of its generations has them.
#[derive(Clone, Debug)]
pub(super) struct Mirror {
    /// The generation; -1 for none.
    pub(super) generation: i64,
    pub(super) models: HashMap<String, ModelEntry>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct ModelEntry {
    /// A [`ModelProof`]; `None` until all items are there.
    pub(super) evidence: Option<Box<[u8]>>,
    pub(super) items: BTreeMap<String, ItemEntry>,
}

#[derive(Clone, Debug)]
pub(super) struct ItemEntry {
    pub(super) sides: u8,
    /// An [`ItemProof`].
    pub(super) evidence: Box<[u8]>,
}

/// What says that the items of a model are those.
#[derive(Serialize, Deserialize)]
struct ModelProof<P> {
    is_lasting: bool,
    /// How many items there are.
    count: usize,
    /// Where else its items lie: a change there is one of every item.
    places: Vec<P>,
    looks: Vec<Look<P>>,
}

/// What says that the versions of an item are those.
#[derive(Serialize, Deserialize)]
struct ItemProof<P> {
    /// Of the versions, if the looks prove nothing: they are read again each time, and seldom differ.
    unproved: Option<[u8; 32]>,
    looks: Vec<Look<P>>,
}

/// What has to be read again.
#[derive(Default)]
pub(super) struct Stale {
    pub(super) gone_models: Vec<String>,
    pub(super) gone_items: Vec<(String, String)>,
    pub(super) items: Vec<StaleItem>,
    /// With what proves them once their items are there.
    pub(super) models: Vec<(String, Box<[u8]>)>,
}

/// An item that has to be read again.
pub(super) struct StaleItem {
    model: Arc<Model>,
    name: String,
    sides: u8,
}

/// An item that was read.
pub(super) struct FreshItem {
    pub(super) model: String,
    pub(super) name: String,
    pub(super) sides: u8,
    pub(super) evidence: Box<[u8]>,
    pub(super) versions: Vec<FreshVersion>,
}

/// A version that was read.
#[derive(Serialize)]
pub(super) struct FreshVersion {
    #[serde(skip)]
    pub(super) told: Told,
    is_latest: bool,
    /// As [`stored`] has it.
    pub(super) handle: Vec<u8>,
}

impl Default for Mirror {
    fn default() -> Self {
        Self { generation: -1, models: HashMap::new() }
    }
}

impl Stale {
    pub(super) fn is_empty(&self) -> bool {
        self.gone_models.is_empty() && self.gone_items.is_empty() && self.items.is_empty() && self.models.is_empty()
    }
}

impl Mirror {
    /// Looks at everything that answers about these models rest on; about all models if `scope` is `None`.
    pub(super) fn check(&self, files: &Files, looker: &Looker, scope: Option<&str>) -> Result<Stale, IndexError> {
        let models = match scope {
            Some(id) => vec![files.model(id, looker)?],
            None => files.models(looker)?,
        };
        let mut stale = Stale::default();
        if scope.is_none() {
            let there: HashSet<&str> = models.iter().map(|model| model.id.as_str()).collect();
            stale.gone_models.extend(self.models.keys().filter(|id| !there.contains(id.as_str())).cloned());
        }
        let none = ModelEntry::default();
        let mut to_look_at = Vec::new();
        for model in models.into_iter().map(Arc::new) {
            let known = self.models.get(&model.id).unwrap_or(&none);
            let places = places(files, &model)?;
            let proof =
                known.evidence.as_deref().and_then(|bytes| postcard::from_bytes::<ModelProof<&str>>(bytes).ok());
            let is_moved = proof.as_ref().is_some_and(|proof| proof.places != places);
            let is_proved = |proof: ModelProof<&str>| {
                proof.is_lasting
                    && proof.count == known.items.len()
                    && files
                        .model_directories(&model)
                        .any(|(tree, path)| shows(&proof.looks, tree, |look| look == path))
                    && looker.finds(&proof.looks)
            };
            let above: Arc<[(Tree, String)]> = files.directories_of_items(&model).collect();
            if !is_moved && proof.is_some_and(is_proved) {
                let items = known.items.iter();
                to_look_at.extend(items.map(|(name, item)| (Arc::clone(&model), Arc::clone(&above), name, item)));
                continue;
            }
            let mut evidence = Evidence::by(looker);
            let names = files.names(&model, &mut evidence)?;
            if names.is_empty() {
                stale.gone_models.extend(self.models.contains_key(&model.id).then(|| model.id.clone()));
                continue;
            }
            let count = names.len();
            let gone = known.items.keys().filter(|name| !names.contains_key(*name));
            stale.gone_items.extend(gone.map(|name| (model.id.clone(), name.clone())));
            for (name, sides) in names {
                match known.items.get_key_value(&name) {
                    Some((name, item)) if item.sides == sides && !is_moved => {
                        to_look_at.push((Arc::clone(&model), Arc::clone(&above), name, item));
                    }
                    _ => stale.items.push(StaleItem { model: Arc::clone(&model), name, sides }),
                }
            }
            let proof = ModelProof { is_lasting: evidence.is_lasting, count, places, looks: evidence.looks };
            let bytes = encoded(&proof)?;
            if known.evidence.as_ref() != Some(&bytes) {
                stale.models.push((model.id.clone(), bytes));
            }
        }
        let looked_at = parallel::map(&to_look_at, |(model, above, name, item)| {
            let proof = postcard::from_bytes::<ItemProof<&str>>(&item.evidence).ok();
            let holds = proof.is_some_and(|proof| {
                proof.unproved.is_none() && is_of_item(above, &proof.looks) && looker.finds(&proof.looks)
            });
            (!holds).then(|| StaleItem { model: Arc::clone(model), name: (*name).clone(), sides: item.sides })
        });
        stale.items.extend(looked_at.into_iter().flatten());
        Ok(stale)
    }

    /// True if the index has what was read, word for word.
    pub(super) fn has(&self, fresh: &FreshItem) -> bool {
        let known = self.models.get(&fresh.model).and_then(|model| model.items.get(&fresh.name));
        known.is_some_and(|known| known.sides == fresh.sides && known.evidence == fresh.evidence)
    }
}

/// Reads what has to be read again.
pub(super) fn read(files: &Files, looker: &Looker, stale: &[StaleItem]) -> Result<Vec<FreshItem>, IndexError> {
    parallel::map(stale, |item| item.read(files, looker)).into_iter().collect()
}

impl StaleItem {
    fn read(&self, files: &Files, looker: &Looker) -> Result<FreshItem, IndexError> {
        let mut evidence = Evidence::by(looker);
        let mut versions = Vec::new();
        for told in files.told(&self.model, &self.name, &mut evidence)? {
            let handle = stored::encode(&told.handle).ok_or(IndexError::Unusable)?;
            versions.push(FreshVersion { is_latest: told.is_latest, handle, told });
        }
        let digest = |versions: &Vec<FreshVersion>| postcard::to_stdvec(versions).map(|bytes| Digest::of(&bytes));
        let unproved = if evidence.is_lasting {
            None
        } else {
            Some(*digest(&versions).map_err(|_| IndexError::Unusable)?.as_bytes())
        };
        let evidence = encoded(&ItemProof { unproved, looks: evidence.looks })?;
        Ok(FreshItem { model: self.model.id.clone(), name: self.name.clone(), sides: self.sides, evidence, versions })
    }
}

/// True if a directory of an item was looked at and was there. A file that a repository has brought can tell anything, but not
/// what the stamps of directories will be.
fn is_of_item(above: &[(Tree, String)], looks: &[Look<&str>]) -> bool {
    let is_item = |name: &str| !name.is_empty() && name != ".." && !name.contains('/');
    above.iter().any(|(tree, above)| {
        let is_below =
            |path: &str| path.strip_prefix(above.as_str()).and_then(|path| path.strip_prefix('/')).is_some_and(is_item);
        shows(looks, *tree, is_below)
    })
}

fn shows(looks: &[Look<&str>], tree: Tree, is_it: impl Fn(&str) -> bool) -> bool {
    looks.iter().any(|look| look.shows_directory(tree) && is_it(look.path()))
}

/// Where items of a model lie that does not follow from its identifier, below the roots.
fn places(files: &Files, model: &Model) -> Result<Vec<String>, IndexError> {
    let relative = |root: &Root, path: &Path| root.relative(path).map(str::to_owned).ok_or(IndexError::Unusable);
    let mut places = Vec::new();
    if let (Some(existing), Some(directory)) = (&files.existing, &model.existing) {
        places.push(format!("existing:{}", relative(existing.root(), directory)?));
    }
    for spec in model.specs.iter() {
        places.push(relative(files.ours.root(), spec)?);
    }
    Ok(places)
}

fn encoded(proof: &impl Serialize) -> Result<Box<[u8]>, IndexError> {
    postcard::to_stdvec(proof).map(Vec::into_boxed_slice).map_err(|_| IndexError::Unusable)
}

impl From<Fault> for IndexError {
    fn from(fault: Fault) -> Self {
        Self::Files(fault)
    }
}
