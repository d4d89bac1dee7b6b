//! Vendor units: one resolved package with the entries that one module graph needs of it.
//!
//! A unit is identified by its tree, its entries, the packages that stay outside and the vendor bundler's identity, never by
//! who asked first, so every extension that needs the same gets the same. What was built is recorded in
//! `<state>/npm/units/<aa>/<key>.json`; a record counts only as long as the store has what it names. Which packages
//! stay outside, and why nothing else decides it: `design/packages.md`, "Units".

mod records;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use futures::future::try_join_all;
use mangrove_domain::{
    bundle::{BundleFile, BundleRef, Presence, StoredObject},
    digest::Digest,
    failure::Fault,
    fingerprint::{Line, Part},
    outage::Outages,
    ports::BundleStore,
    problem::Code,
};
use mangrove_fs::faults::{Operation, io_fault};
use tokio::sync::Semaphore;

pub(super) use self::records::recorded;
use self::records::{DraftRecord, ObjectRecord, read_record, write_record};
use super::{
    archive::{self, Bounds},
    fetch::{PackageFetcher, blocking},
    flight::Flights,
    sharing::{self, Survey},
    specifier::PackageId,
    tree::{InstallPath, Tree},
};
use crate::vendor::{VendorBundler, VendorOutput, VendorRequest};

/// The version of what goes into a unit's key and of how units are laid out for the bundler.
const FORMAT: u32 = 2;

/// Scratch directories older than this were left behind by a process that died.
const ABANDONED: Duration = Duration::from_hours(24);

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
    surveys: Flights<Digest, Arc<Survey>>,
    drafts: Flights<Digest, Draft>,
    links: Flights<Digest, StoredObject>,
    outputs: Mutex<VecDeque<(Digest, Arc<VendorOutput>)>>,
    /// Taken when everything has been fetched: nobody waits here for a network.
    places: Semaphore,
}

/// A unit in the store.
#[derive(Clone, Debug)]
pub(super) struct Built {
    object: StoredObject,
    /// From bare specifier to the file name of its chunk.
    entries: BTreeMap<String, String>,
    /// The object and everything that it imports.
    pub(super) closure: BTreeSet<StoredObject>,
}

impl Built {
    /// What an extension bundle imports for a sub-path.
    pub(super) fn import(&self, name: &str, sub_path: Option<&str>) -> Option<String> {
        let file = self.entries.get(&bare(name, sub_path))?;
        Some(format!("../vendor/{}/{file}", self.object.key.digest()))
    }
}

/// One package instance of a module graph.
struct Instance {
    tree: Arc<Tree>,
    /// Bare specifiers.
    entries: BTreeSet<String>,
}

/// A unit whose imports of other units may have no places yet.
#[derive(Clone, Debug)]
struct Draft {
    key: Digest,
    request: Arc<DraftRequest>,
    /// Bare specifiers of other units that it imports.
    imports: BTreeSet<String>,
    /// Where it is, if it imports none.
    object: Option<StoredObject>,
}

/// What a draft is made from.
#[derive(Debug)]
struct DraftRequest {
    tree: Arc<Tree>,
    entries: BTreeMap<String, String>,
    /// The packages that stay outside: those at the top of its tree.
    shared: BTreeMap<String, PackageId>,
}

impl DraftRequest {
    fn new(instance: &Instance, shared: BTreeMap<String, PackageId>) -> Self {
        let mut entries = BTreeMap::new();
        for specifier in &instance.entries {
            let is_taken = |taken: &str| entries.values().any(|known: &String| known.eq_ignore_ascii_case(taken));
            let file = file_name(specifier, is_taken);
            entries.insert(specifier.clone(), file);
        }
        Self { tree: Arc::clone(&instance.tree), entries, shared }
    }

    fn key(&self, vendor_identity: &str) -> Digest {
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

impl UnitBuilder {
    pub(super) fn new(
        fetcher: Arc<PackageFetcher>,
        vendor: Arc<dyn VendorBundler>,
        vendor_identity: String,
        store: Arc<dyn BundleStore>,
    ) -> Self {
        Self {
            fetcher,
            vendor,
            vendor_identity,
            store,
            surveys: Flights::new(),
            drafts: Flights::new(),
            links: Flights::new(),
            outputs: Mutex::default(),
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
            let path = builder.record_path(key);
            if let Some(survey) = read_record::<Survey>(&path) {
                return Ok(Arc::new(survey));
            }
            builder.fetcher.ensure_all(&tree.integrity, &outages).await?;
            let _place = builder.places.acquire().await;
            let fetcher = Arc::clone(&builder.fetcher);
            blocking(move || {
                let directory = lay_out(&fetcher, &tree)?;
                let survey = sharing::survey(&tree, directory.path());
                write_record(&path, &survey)?;
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
            let path = builder.record_path(key);
            if let Some(draft) = builder.recorded_draft(key, &path, &request).await? {
                return Ok(draft);
            }
            let output = builder.build(&request, &outages).await?;
            let object = if output.shared_imports.is_empty() { Some(builder.put(&output.files).await?) } else { None };
            let record = DraftRecord {
                package: request.tree.root.to_string(),
                entries: request.entries.clone(),
                imports: output.shared_imports.clone(),
                vendor: object.map(ObjectRecord::of),
            };
            let imports = output.shared_imports.clone();
            if object.is_none() {
                builder.keep_output(key, output);
            }
            blocking(move || write_record(&path, &record)).await?;
            Ok(Draft { key, request, imports, object })
        };
        self.drafts.join(key, start).await
    }

    async fn recorded_draft(
        &self,
        key: Digest,
        path: &Path,
        request: &Arc<DraftRequest>,
    ) -> Result<Option<Draft>, Fault> {
        let Some(record) = read_record::<DraftRecord>(path) else { return Ok(None) };
        let object = record.vendor.as_ref().and_then(ObjectRecord::object);
        let is_usable = match object {
            Some(object) => self.is_present(object).await?,
            None => !record.imports.is_empty(),
        };
        let draft = || Draft { key, request: Arc::clone(request), imports: record.imports.clone(), object };
        Ok(is_usable.then(draft))
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
            targets.insert(specifier.clone(), format!("../{}/{file}", unit.object.key.digest()));
            closure.extend(unit.closure.iter().copied());
        }
        let entries = draft.request.entries.clone();
        let object = match draft.object {
            Some(object) => object,
            None => self.linked(draft, targets, outages).await?,
        };
        closure.insert(object);
        Ok(Built { object, entries, closure })
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
            let path = builder.record_path(key);
            if let Some(object) = read_record::<ObjectRecord>(&path).as_ref().and_then(ObjectRecord::object)
                && builder.is_present(object).await?
            {
                return Ok(object);
            }
            let output = match builder.kept_output(draft.key) {
                Some(output) => output,
                None => Arc::new(builder.build(&draft.request, &outages).await?),
            };
            let object = builder.put(&output.link(&targets)).await?;
            blocking(move || write_record(&path, &ObjectRecord::of(object))).await?;
            Ok(object)
        };
        self.links.join(key, start).await
    }

    async fn build(&self, request: &DraftRequest, outages: &Arc<Outages>) -> Result<VendorOutput, Fault> {
        self.fetcher.ensure_all(&request.tree.integrity, outages).await?;
        let _place = self.places.acquire().await;
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

    fn record_path(&self, key: Digest) -> PathBuf {
        let name = key.to_string();
        self.fetcher.cache.units().join(&name[..2]).join(format!("{name}.json"))
    }
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

/// A file name that every file system and URL can hold and that is not taken.
fn file_name(specifier: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let stem: String = specifier
        .trim_start_matches('@')
        .chars()
        .map(|character| match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' => character,
            '/' => '.',
            _ => '_',
        })
        .collect();
    let numbered = (2_u32..).map(|number| format!("{stem}.{number}.js"));
    let mut names = std::iter::once(format!("{stem}.js")).chain(numbered);
    names.find(|name| !is_taken(name)).unwrap_or(stem)
}

/// Unpacks the tree as `node_modules` directories into a directory that goes away when dropped.
fn lay_out(fetcher: &PackageFetcher, tree: &Tree) -> Result<tempfile::TempDir, Fault> {
    let scratch = fetcher.cache.scratch();
    fs::create_dir_all(&scratch).map_err(|error| io_fault(Operation::Create, &scratch, &error))?;
    sweep(&scratch);
    let directory = tempfile::Builder::new()
        .prefix("unit-")
        .tempdir_in(&scratch)
        .map_err(|error| io_fault(Operation::Create, &scratch, &error))?;
    for (place, package) in &tree.placed {
        let integrity = tree.integrity.get(package).map_or("", String::as_str);
        let bytes = fetcher.cached_archive(package, integrity)?;
        let target = directory.path().join(place.to_string());
        archive::unpack(&package.to_string(), &bytes, Some(&target), Bounds::default())?;
    }
    Ok(directory)
}

#[expect(clippy::disallowed_methods, reason = "compared with the times that the file system gave")]
fn sweep(scratch: &Path) {
    let now = SystemTime::now();
    for entry in fs::read_dir(scratch).into_iter().flatten().flatten() {
        let modified = entry.metadata().and_then(|found| found.modified());
        if modified.is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age > ABANDONED)) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
