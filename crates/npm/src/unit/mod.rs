//! Vendor units: one resolved package with the entries that one module graph needs of it.
//!
//! A unit is identified by its tree, its entries, the packages that stay outside and the vendor bundler's identity, never by
//! who asked first, so every extension that needs the same gets the same. What was built is recorded in
//! `<state>/npm/units/<aa>/<key>.json`; a record counts only as long as the store has what it names. Which packages
//! stay outside, and why nothing else decides it: `design/packages.md`, "Units".

mod draft;
mod layout;
mod offers;
mod records;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::try_join_all;
use mangrove_domain::{
    bundle::{BundleFile, BundleRef, Presence, StoredObject},
    digest::Digest,
    failure::Fault,
    fingerprint::{Line, Part},
    outage::Outages,
    package::Offer,
    ports::{Acquired, BuildLock, BuildLocks, BundleStore},
    problem::Code,
};
use tokio::sync::{Semaphore, SemaphorePermit};

pub(super) use self::records::recorded;
use self::records::{DraftRecord, ObjectRecord, RecordFile};
use self::{
    draft::{Draft, DraftRequest, FORMAT, Instance},
    layout::lay_out,
    offers::{LatestOffers, Offers},
};
use super::{
    fetch::{PackageFetcher, blocking},
    flight::Flights,
    sharing::{self, Survey},
    specifier::PackageId,
    tree::{InstallPath, Tree},
};
use crate::vendor::{VendorBundler, VendorOutput, VendorRequest};

/// How long a unit waits for another process that builds it: as long as that may take. Then it is built here as well.
const PATIENCE: Duration = Duration::from_mins(2);

/// So many trees are unpacked and built at once. The bundler has places of its own; this is about disk and memory.
const AT_ONCE: usize = 4;

/// So many drafts that wait for their links are kept in memory; others are built again when they are needed.
const DRAFTS_KEPT: usize = 8;

/// Builds units.
pub(super) struct UnitBuilder {
    pub(super) fetcher: Arc<PackageFetcher>,
    pub(super) vendor: Arc<dyn VendorBundler>,
    pub(super) vendor_identity: String,
    pub(super) store: Arc<dyn BundleStore>,
    locks: Arc<dyn BuildLocks>,
    surveys: Flights<Digest, Arc<Survey>>,
    drafts: Flights<Digest, Draft>,
    links: Flights<Digest, StoredObject>,
    outputs: Mutex<VecDeque<(Digest, Arc<VendorOutput>)>>,
    offers: LatestOffers,
    /// Taken when everything has been fetched: nobody waits here for a network.
    places: Semaphore,
}

/// A unit in the store.
#[derive(Clone, Debug)]
pub(super) struct Built {
    object: StoredObject,
    /// From bare specifier to the file name of its chunk.
    entries: BTreeMap<String, String>,
    /// From bare specifier to what can be imported of it by name.
    offers: Arc<Offers>,
    /// The object and everything that it imports.
    pub(super) closure: BTreeSet<StoredObject>,
}

impl Built {
    /// What an extension bundle imports for a sub-path.
    pub(super) fn import(&self, name: &str, sub_path: Option<&str>) -> Option<String> {
        let file = self.entries.get(&bare(name, sub_path))?;
        Some(place(self.object, file))
    }

    /// What can be imported by name of a sub-path.
    pub(super) fn offer(&self, name: &str, sub_path: Option<&str>) -> Option<&Arc<Offer>> {
        self.offers.get(&bare(name, sub_path))
    }
}

/// What it takes to build a unit.
struct Turn<'a> {
    _place: Option<SemaphorePermit<'a>>,
    _lock: Option<BuildLock>,
    /// True if another process had the lock until now, so that the unit may be there.
    is_after_others: bool,
}

impl UnitBuilder {
    pub(super) fn new(
        fetcher: Arc<PackageFetcher>,
        vendor: Arc<dyn VendorBundler>,
        vendor_identity: String,
        store: Arc<dyn BundleStore>,
        locks: Arc<dyn BuildLocks>,
    ) -> Self {
        Self {
            fetcher,
            vendor,
            vendor_identity,
            store,
            locks,
            surveys: Flights::new(),
            drafts: Flights::new(),
            links: Flights::new(),
            outputs: Mutex::default(),
            offers: LatestOffers::default(),
            places: Semaphore::new(AT_ONCE),
        }
    }

    /// The units of one module graph, by package; built if they are not there. `wanted` is what the graph imports
    /// itself: trees with sub-paths, `None` for the main entry. Of two trees of one package the first counts.
    pub(super) async fn obtain(
        self: &Arc<Self>,
        wanted: impl IntoIterator<Item = (Arc<Tree>, Option<String>)>,
        outages: &Arc<Outages>,
    ) -> Result<BTreeMap<PackageId, Built>, Fault> {
        let mut instances: BTreeMap<PackageId, Instance> = BTreeMap::new();
        for (tree, sub_path) in wanted {
            let entry = bare(&tree.root.name, sub_path.as_deref());
            let instance =
                instances.entry(tree.root.clone()).or_insert_with(|| Instance { tree, entries: BTreeSet::new() });
            instance.entries.insert(entry);
        }
        self.add_shareable(&mut instances, outages).await?;

        // Whoever imports another unit has the larger tree, so the entries of one are complete when it has its turn.
        // Units of equal size know nothing of each other and are built at once.
        let mut sizes: Vec<usize> = instances.values().map(|instance| instance.tree.placed.len()).collect();
        sizes.sort_unstable_by(|left, right| right.cmp(left));
        sizes.dedup();
        let mut drafts: BTreeMap<PackageId, Draft> = BTreeMap::new();
        for size in sizes {
            let requests: Vec<(PackageId, DraftRequest)> = instances
                .iter()
                .filter(|(_, instance)| instance.tree.placed.len() == size && !instance.entries.is_empty())
                .map(|(id, instance)| (id.clone(), DraftRequest::new(instance, shared_by(&instances, id, instance))))
                .collect();
            let building = requests
                .into_iter()
                .map(|(id, request)| async move { Ok::<_, Fault>((id, self.draft(request, outages).await?)) });
            for (id, draft) in try_join_all(building).await? {
                for specifier in &draft.imports {
                    let target = owner(specifier, &draft.request.shared).and_then(|id| instances.get_mut(id));
                    if let Some(target) = target {
                        target.entries.insert(specifier.clone());
                    }
                }
                drafts.insert(id, draft);
            }
        }

        let mut order: Vec<(usize, PackageId)> =
            drafts.iter().map(|(id, draft)| (draft.request.tree.placed.len(), id.clone())).collect();
        order.sort();
        let mut built: BTreeMap<PackageId, Built> = BTreeMap::new();
        for (_, id) in order {
            if let Some(draft) = drafts.remove(&id) {
                let unit = self.link(draft, &built, outages).await?;
                built.insert(id, unit);
            }
        }
        Ok(built)
    }

    /// Adds the packages of these trees that have to be one instance wherever they are used.
    async fn add_shareable(
        self: &Arc<Self>,
        instances: &mut BTreeMap<PackageId, Instance>,
        outages: &Arc<Outages>,
    ) -> Result<(), Fault> {
        let trees: Vec<Arc<Tree>> = instances.values().map(|instance| Arc::clone(&instance.tree)).collect();
        let surveys = try_join_all(trees.iter().map(|tree| self.survey(Arc::clone(tree), outages))).await?;
        for (tree, survey) in trees.iter().zip(surveys) {
            for (name, places) in &survey.shareable {
                let Some(id) = tree.placed.get(&InstallPath::top(name)) else { continue };
                instances.entry(id.clone()).or_insert_with(|| Instance {
                    tree: Arc::new(sharing::subtree(tree, id, places)),
                    entries: BTreeSet::new(),
                });
            }
        }
        Ok(())
    }

    async fn survey(self: &Arc<Self>, tree: Arc<Tree>, outages: &Arc<Outages>) -> Result<Arc<Survey>, Fault> {
        if tree.placed.len() == 1 {
            return Ok(Arc::default());
        }
        let key = Part::of([Line::new("survey", FORMAT.to_string()), Line::new("tree", tree.digest().to_string())]);
        let key = key.digest();
        let (builder, outages) = (Arc::clone(self), Arc::clone(outages));
        let start = move || async move {
            let file = builder.record(key);
            if let Some(survey) = file.read::<Survey>() {
                return Ok(Arc::new(survey));
            }
            builder.fetcher.ensure_all(&tree.integrity, &outages).await?;
            let _place = builder.places.acquire().await;
            let fetcher = Arc::clone(&builder.fetcher);
            blocking(move || {
                let directory = lay_out(&fetcher, &tree)?;
                let survey = sharing::survey(&tree, directory.path());
                file.write(&survey)?;
                Ok(Arc::new(survey))
            })
            .await
        };
        self.surveys.join(key, start).await
    }

    async fn draft(self: &Arc<Self>, request: DraftRequest, outages: &Arc<Outages>) -> Result<Draft, Fault> {
        let key = request.key(&self.vendor_identity);
        let (builder, outages) = (Arc::clone(self), Arc::clone(outages));
        let start = move || async move {
            let request = Arc::new(request);
            let file = builder.record(key);
            if let Some(draft) = builder.recorded_draft(key, &file, &request).await? {
                return Ok(draft);
            }
            let turn = builder.turn(key, &request.tree, &outages).await?;
            if turn.is_after_others
                && let Some(draft) = builder.recorded_draft(key, &file, &request).await?
            {
                return Ok(draft);
            }
            let output = builder.build(&request).await?;
            let object = if output.shared_imports.is_empty() { Some(builder.put(&output.files).await?) } else { None };
            let record = DraftRecord {
                package: request.tree.root.to_string(),
                entries: request.entries.clone(),
                imports: output.shared_imports.clone(),
                names: output.names.clone(),
                imported_names: output.shared_names.clone(),
                vendor: object.map(ObjectRecord::of),
            };
            let draft = record.draft(key, request, object);
            if object.is_none() {
                builder.keep_output(key, output);
            }
            blocking(move || file.write(&record)).await?;
            drop(turn);
            Ok(draft)
        };
        self.drafts.join(key, start).await
    }

    async fn recorded_draft(
        &self,
        key: Digest,
        file: &RecordFile,
        request: &Arc<DraftRequest>,
    ) -> Result<Option<Draft>, Fault> {
        let Some(record) = file.read::<DraftRecord>() else { return Ok(None) };
        let object = record.vendor.as_ref().and_then(ObjectRecord::object);
        let is_usable = match object {
            Some(object) => self.is_present(object).await?,
            None => !record.imports.is_empty(),
        };
        Ok(is_usable.then(|| record.draft(key, Arc::clone(request), object)))
    }

    /// Puts the places of the units that it imports into a draft.
    async fn link(
        self: &Arc<Self>,
        draft: Draft,
        built: &BTreeMap<PackageId, Built>,
        outages: &Arc<Outages>,
    ) -> Result<Built, Fault> {
        let mut targets = BTreeMap::new();
        let mut closure = BTreeSet::new();
        for specifier in &draft.imports {
            let unit = owner(specifier, &draft.request.shared).and_then(|id| built.get(id));
            let found = unit.and_then(|unit| Some((unit, unit.entries.get(specifier)?)));
            let Some((unit, file)) = found else {
                let package = &draft.request.tree.root;
                let message = format!("the unit of {specifier}, which {package} imports, was not built");
                let cause = format!("package:{package}");
                return Err(Fault::environment(Code::BUNDLE_FAILED, cause, message));
            };
            offers::check(&draft, specifier, unit.offers.get(specifier).map(|offer| &**offer))?;
            targets.insert(specifier.clone(), format!("../{}/{file}", unit.object.key.digest()));
            closure.extend(unit.closure.iter().copied());
        }
        let (entries, key) = (draft.request.entries.clone(), draft.key);
        let (package, names, shared) =
            (draft.request.tree.root.to_string(), Arc::clone(&draft.names), draft.request.shared.clone());
        let object = match draft.object {
            Some(object) => object,
            None => self.linked(draft, targets, outages).await?,
        };
        closure.insert(object);
        let handed_on = |specifier: &str| owner(specifier, &shared).and_then(|id| built.get(id)?.offers.get(specifier));
        let make = || offers::of(&package, &names, |file| place(object, file), handed_on);
        let offers = self.offers.get_or_make(key, object.key.digest(), make);
        Ok(Built { object, entries, offers, closure })
    }

    async fn linked(
        self: &Arc<Self>,
        draft: Draft,
        targets: BTreeMap<String, String>,
        outages: &Arc<Outages>,
    ) -> Result<StoredObject, Fault> {
        let lines = targets.iter().map(|(specifier, target)| Line::new(format!("import {specifier}"), target.clone()));
        let key = Part::of(lines.chain([Line::new("draft", draft.key.to_string())])).digest();
        let (builder, outages) = (Arc::clone(self), Arc::clone(outages));
        let start = move || async move {
            let file = builder.record(key);
            if let Some(object) = builder.recorded_object(&file).await? {
                return Ok(object);
            }
            let turn = builder.turn(key, &draft.request.tree, &outages).await?;
            if turn.is_after_others
                && let Some(object) = builder.recorded_object(&file).await?
            {
                return Ok(object);
            }
            let output = match builder.kept_output(draft.key) {
                Some(output) => output,
                None => Arc::new(builder.build(&draft.request).await?),
            };
            let object = builder.put(&output.link(&targets)).await?;
            blocking(move || file.write(&ObjectRecord::of(object))).await?;
            drop(turn);
            Ok(object)
        };
        self.links.join(key, start).await
    }

    async fn recorded_object(&self, file: &RecordFile) -> Result<Option<StoredObject>, Fault> {
        let recorded = file.read::<ObjectRecord>().as_ref().and_then(ObjectRecord::object);
        Ok(match recorded {
            Some(object) if self.is_present(object).await? => Some(object),
            Some(_) | None => None,
        })
    }

    /// Fetches what a unit is made of, and then waits for a place and while another process builds the same one. In this
    /// order, so that no process waits for the network of another one, nor for what that one cannot begin yet.
    async fn turn(&self, key: Digest, tree: &Tree, outages: &Arc<Outages>) -> Result<Turn<'_>, Fault> {
        self.fetcher.ensure_all(&tree.integrity, outages).await?;
        let turn = |place: Option<_>, lock, is_after_others| Turn { _place: place, _lock: lock, is_after_others };
        let place = self.places.acquire().await.ok();
        match self.locks.acquire(key, Duration::ZERO).await {
            Acquired::AtOnce(lock) | Acquired::AfterOthers(lock) => return Ok(turn(place, Some(lock), false)),
            Acquired::Unavailable => return Ok(turn(place, None, false)),
            Acquired::Busy => drop(place),
        }
        let lock = match self.locks.acquire(key, PATIENCE).await {
            Acquired::AtOnce(lock) | Acquired::AfterOthers(lock) => Some(lock),
            Acquired::Busy | Acquired::Unavailable => None,
        };
        Ok(turn(self.places.acquire().await.ok(), lock, true))
    }

    /// Builds a unit whose archives are cached, for who has a [`Turn`].
    async fn build(&self, request: &DraftRequest) -> Result<VendorOutput, Fault> {
        let directory = {
            let (fetcher, tree) = (Arc::clone(&self.fetcher), Arc::clone(&request.tree));
            blocking(move || lay_out(&fetcher, &tree)).await?
        };
        let output = self
            .vendor
            .build_vendor(VendorRequest {
                package: request.tree.root.to_string(),
                directory: directory.path().to_owned(),
                entries: request.entries.clone(),
                shared: request.shared.keys().cloned().collect(),
            })
            .await;
        // Waited for: a process that ends before it is gone would leave it behind for a day.
        let removed = mangrove_fs::blocking(move || drop(directory)).await;
        if let Err(error) = removed {
            tracing::debug!(%error, "a scratch directory stays");
        }
        output
    }

    async fn put(&self, files: &[BundleFile]) -> Result<StoredObject, Fault> {
        self.store.put_vendor(files).await.map_err(|error| error.fault().clone())
    }

    async fn is_present(&self, object: StoredObject) -> Result<bool, Fault> {
        let reference = BundleRef { entry: object, vendors: Vec::new() };
        let presence = self.store.presence(&[&reference]).await.map_err(|error| error.fault().clone())?;
        Ok(presence.iter().all(|found| *found == Presence::Present))
    }

    fn keep_output(&self, key: Digest, output: VendorOutput) {
        let mut outputs = self.outputs.lock().unwrap_or_else(PoisonError::into_inner);
        outputs.push_back((key, Arc::new(output)));
        while outputs.len() > DRAFTS_KEPT {
            outputs.pop_front();
        }
    }

    fn kept_output(&self, key: Digest) -> Option<Arc<VendorOutput>> {
        let outputs = self.outputs.lock().unwrap_or_else(PoisonError::into_inner);
        outputs.iter().find(|(kept, _)| *kept == key).map(|(_, output)| Arc::clone(output))
    }

    fn record(&self, key: Digest) -> RecordFile {
        RecordFile::of(&self.fetcher.cache, key)
    }
}

/// What an extension bundle imports for a file of a unit.
fn place(object: StoredObject, file: &str) -> String {
    format!("../vendor/{}/{file}", object.key.digest())
}

/// The instances that stay outside of this one: those at the top of its tree whose own trees are smaller, which is
/// what keeps two units from importing each other.
fn shared_by(
    instances: &BTreeMap<PackageId, Instance>,
    id: &PackageId,
    instance: &Instance,
) -> BTreeMap<String, PackageId> {
    let tree = &instance.tree;
    instances
        .iter()
        .filter(|(other, other_instance)| *other != id && other_instance.tree.placed.len() < tree.placed.len())
        .filter(|(other, _)| tree.placed.get(&InstallPath::top(&other.name)) == Some(*other))
        .map(|(other, _)| (other.name.clone(), other.clone()))
        .collect()
}

/// The shared package that a bare specifier belongs to.
fn owner<'a>(specifier: &str, shared: &'a BTreeMap<String, PackageId>) -> Option<&'a PackageId> {
    shared
        .iter()
        .find(|(name, _)| {
            specifier.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
        .map(|(_, id)| id)
}

/// The bare specifier that an import of this sub-path would use.
fn bare(name: &str, sub_path: Option<&str>) -> String {
    sub_path.map_or_else(|| name.to_owned(), |path| format!("{name}/{path}"))
}
