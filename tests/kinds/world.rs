//! A repository with one source of every kind in each origin, and processes that scan it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use mangrove_app::{
    loaders::Registry,
    scan::{Observed, Ports, Report, RetryMode, ScanRequest, Scanner},
};
use mangrove_domain::{
    bundle::Presence,
    row::Row,
    settle::AuditRecord,
    source::{Kind, RelativePath, RootId, SourceId},
    state::StateName,
    type_name::TypeName,
};
use mangrove_infra::{
    attempt_cache::CachedInspector,
    catalog::{OpenMode, SqliteCatalog},
    documents::YamlDocuments,
    store::LocalStore,
    worker::{Pool, PoolOptions},
};
use mangrove_npm::NpmPackages;
use mangrove_sources::{LocalTree, TreeOptions};
use mangrove_testkit::{
    fakes::{ManualClock, MemorySeals, SeededEntropy},
    fixture::Tree,
    sources::{Condition, SAMPLES, Sample, note},
};

/// An origin, and the one root of it that the repository has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Local,
    Mount,
    Pulled,
}

pub(crate) use Place::{Local, Mount, Pulled};

impl Place {
    /// Where the directories of the kinds lie, below the repository.
    pub(crate) const fn directory(self) -> &'static str {
        match self {
            Local => "extensions",
            Mount => "mounts/shared/extensions",
            Pulled => ".swamp/pulled-extensions/@acme/tools",
        }
    }

    /// The key of a source of this kind here.
    pub(crate) fn source(self, kind: &str, file: &str) -> SourceId {
        let (root, prefix) = match self {
            Local => (RootId::local(), "extensions/"),
            Mount => (RootId::mount("mounts/shared"), "extensions/"),
            Pulled => (RootId::pulled("@acme/tools"), ""),
        };
        SourceId { root, path: RelativePath::parse(&format!("{prefix}{kind}s/{file}")).expect("a path") }
    }
}

const SOURCES: &str = ".swamp-sources.yaml";
const LOCKFILE: &str = "extensions/models/upstream_extensions.json";

/// A repository. What it writes, it writes for every kind.
pub(crate) struct Repository {
    pub(crate) tree: Tree,
}

impl Repository {
    /// `own.ts`, `mounted.ts` and `pulled.ts` of every kind, each in the origin that its name says.
    pub(crate) fn new() -> Self {
        let repository = Self { tree: Tree::new("").expect("a directory") };
        repository.put("mangrove.yaml", "repoId: 00000000-0000-4000-8000-000000000001\n");
        repository.mount(&["mounts/shared"]);
        repository.lock(&["@acme/tools"], &[]);
        for (place, name) in [(Local, "own"), (Mount, "mounted"), (Pulled, "pulled")] {
            repository.note(place, "first");
            repository.write(place, &format!("{name}.ts"), &format!("@acme/{name}"), Condition::Good);
        }
        repository
    }

    /// The same in another place, state included.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self { tree: Tree::new("").expect("a directory") };
        copy_directory(&self.tree.root(), &copy.tree.root());
        copy
    }

    /// Writes one file as it is.
    pub(crate) fn put(&self, path: &str, text: &str) {
        self.tree.write(path, text).expect("it can be written");
    }

    /// What `.swamp-sources.yaml` lists.
    pub(crate) fn mount(&self, paths: &[&str]) {
        self.put(SOURCES, &format!("sources: [{}]\n", paths.join(", ")));
    }

    /// What the lockfile names, and the files (of every kind) that it promises.
    pub(crate) fn lock(&self, names: &[&str], files: &[&str]) {
        let promised =
            SAMPLES.iter().flat_map(|sample| files.iter().map(|file| format!("\"{}s/{file}\"", sample.kind)));
        let promised = promised.collect::<Vec<_>>().join(", ");
        let entry = |name: &&str| format!(r#""{name}": {{ "version": "2026.01.01.1", "files": [{promised}] }}"#);
        let entries: Vec<String> = names.iter().map(entry).collect();
        self.put(LOCKFILE, &format!("{{ {} }}", entries.join(", ")));
    }

    /// The file that every source of this origin imports.
    pub(crate) fn note(&self, place: Place, text: &str) {
        self.put(&format!("{}/_lib/note.ts", place.directory()), &note(text));
    }

    pub(crate) fn remove_note(&self, place: Place) {
        self.tree.remove(&format!("{}/_lib/note.ts", place.directory())).expect("it is there");
    }

    /// A source of every kind.
    pub(crate) fn write(&self, place: Place, file: &str, type_name: &str, condition: Condition) {
        self.describe(place, file, type_name, condition, "says");
    }

    /// A source of every kind with this description.
    pub(crate) fn describe(&self, place: Place, file: &str, type_name: &str, condition: Condition, description: &str) {
        self.each(place, file, |sample, path| {
            fs::create_dir_all(path.parent().expect("a directory")).expect("it can be made");
            // What is there may be a link.
            let _ = fs::remove_file(path);
            fs::write(path, sample.text(type_name, condition, description)).expect("it can be written");
        });
    }

    pub(crate) fn remove(&self, place: Place, file: &str) {
        self.each(place, file, |_, path| fs::remove_file(path).expect("it is there"));
    }

    /// Renames within an origin, or moves between two.
    pub(crate) fn rename(&self, (place, file): (Place, &str), (to, new): (Place, &str)) {
        self.each(place, file, |sample, path| {
            let target = self.path(to, sample, new);
            fs::create_dir_all(target.parent().expect("a directory")).expect("it can be made");
            fs::rename(path, target).expect("it moves");
        });
    }

    /// A link to itself cannot be read, not even by the superuser.
    pub(crate) fn make_unreadable(&self, place: Place, file: &str) {
        self.each(place, file, |_, path| {
            let _ = fs::remove_file(path);
            symlink(file, path).expect("a link");
        });
    }

    /// Takes the directory of an origin away, or brings it back.
    pub(crate) fn move_directory(&self, from: &str, to: &str) {
        fs::rename(self.tree.path(from), self.tree.path(to)).expect("it moves");
    }

    fn path(&self, place: Place, sample: &Sample, file: &str) -> PathBuf {
        self.tree.path(format!("{}/{}s/{file}", place.directory(), sample.kind))
    }

    fn each(&self, place: Place, file: &str, act: impl Fn(&Sample, &Path)) {
        for sample in &SAMPLES {
            act(sample, &self.path(place, sample, file));
        }
    }
}

fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("it can be made");
    for entry in fs::read_dir(from).expect("a directory") {
        let (source, target) = entry.map(|entry| (entry.path(), to.join(entry.file_name()))).expect("an entry");
        if source.is_dir() {
            copy_directory(&source, &target);
        } else {
            fs::copy(&source, &target).expect("it can be copied");
        }
    }
}

/// What a scan left behind.
pub(crate) struct Seen {
    pub(crate) rows: BTreeMap<SourceId, Row>,
    /// What resolves each type.
    pub(crate) resolved: BTreeMap<(Kind, TypeName), SourceId>,
    pub(crate) report: Report,
}

/// There is no registry to be patient with.
struct NoPause;

#[async_trait]
impl mangrove_npm::registry::Pause for NoPause {
    async fn pause(&self, _duration: Duration) {}
}

/// Workers of the real program.
pub(crate) fn pool() -> Pool {
    Pool::new(PoolOptions::new(PathBuf::from(env!("CARGO_BIN_EXE_mangrove")), vec!["worker".to_owned()]))
}

/// Every loader that the program has.
pub(crate) fn loaders() -> Registry {
    Registry::built_in().with(mangrove_loader_datastore::loader())
}

/// A process that works on a repository, with its state in a directory of the caller's choice.
pub(crate) struct Process {
    pub(crate) scanner: Arc<Scanner>,
    catalog: Arc<SqliteCatalog>,
}

impl Process {
    pub(crate) async fn start(repository: &Repository, state: &Path, pool: &Pool) -> Self {
        let environment = BTreeMap::new();
        let tree = LocalTree::new(TreeOptions {
            repository: repository.tree.root(),
            state_directory: state.to_owned(),
            environment: environment.clone(),
            parser: Arc::new(pool.clone()),
            documents: Arc::new(YamlDocuments),
            extensions_directory: None,
            is_read_only: false,
            walk_bounds: mangrove_fs::walk::Bounds::default(),
        });
        let opened = SqliteCatalog::open(&state.join("catalog.db"), OpenMode::ReadWrite).await;
        let catalog = Arc::new(opened.expect("a catalog").catalog);
        let store = Arc::new(LocalStore::new(state.join("bundles")));
        let packages = NpmPackages::new(mangrove_npm::Options {
            state_directory: state.to_owned(),
            repository: repository.tree.root(),
            environment,
            is_offline: true,
            is_locked: false,
            vendor: Arc::new(pool.clone()),
            vendor_identity: "none".to_owned(),
            locks: Arc::new(mangrove_domain::ports::NoBuildLocks),
            store: Arc::clone(&store) as _,
            limits: mangrove_npm::registry::Limits::default(),
            pause: Arc::new(NoPause),
            entropy: Arc::new(SeededEntropy::new(3)),
        });
        let ports = Ports {
            tree: Arc::new(tree.expect("a repository")),
            packages: Arc::new(packages),
            bundler: Arc::new(pool.clone()),
            store,
            inspector: Arc::new(CachedInspector::new(Arc::new(pool.clone()), Arc::clone(&catalog) as _)),
            catalog: Arc::clone(&catalog) as _,
            seals: Arc::new(MemorySeals::new()),
            locks: Arc::new(mangrove_domain::ports::NoBuildLocks),
            leases: None,
            clock: Arc::new(ManualClock::default()),
            entropy: Arc::new(SeededEntropy::new(7)),
        };
        Self { scanner: Arc::new(Scanner::new(ports, loaders(), 2)), catalog }
    }

    pub(crate) async fn scan(&self, request: &ScanRequest) -> Seen {
        let report = self.scanner.scan(request).await.expect("no source is a reason for a scan to fail");
        let snapshot = self.scanner.ports().catalog.snapshot().await.expect("a catalog that can be read");
        let rows: BTreeMap<SourceId, Row> = snapshot.rows.into_iter().map(|row| (row.source.clone(), row)).collect();
        let index = self.scanner.index();
        let published: Vec<&Row> = index.rows().map(AsRef::as_ref).collect();
        assert_eq!(published, rows.values().collect::<Vec<_>>(), "what is published is what is stored");
        let types: BTreeSet<(Kind, TypeName)> =
            rows.values().filter_map(|row| Some((row.kind.clone(), row.type_name()?.clone()))).collect();
        let resolved = types.into_iter().filter_map(|(kind, name)| {
            let source = index.resolve(&kind, &name)?.source.clone();
            Some(((kind, name), source))
        });
        let resolved = resolved.collect();
        Seen { rows, resolved, report }
    }

    /// Sources that a scan of this mode would attempt. Nothing is written.
    pub(crate) async fn attempts(&self, retry: RetryMode) -> BTreeSet<SourceId> {
        let request = ScanRequest { retry, dry_run: true, ..ScanRequest::default() };
        let observed = self.scanner.look(&request).await.expect("it can be looked at");
        let plan = self.scanner.plan(&observed);
        let Observed { disk, catalog, .. } = observed;
        for row in catalog.rows.iter().filter(|row| row.state.name() == StateName::Indexed) {
            let presence = disk.presence.get(&row.source).copied();
            assert_eq!(presence.unwrap_or(Presence::Present), Presence::Present, "{} (I7)", row.source);
        }
        plan.steps.into_iter().filter(|step| step.action.is_attempt()).map(|step| step.source).collect()
    }

    pub(crate) async fn history(&self, source: &SourceId) -> Vec<AuditRecord> {
        self.scanner.ports().catalog.transitions(source).await.expect("a catalog that can be read")
    }

    pub(crate) async fn end(self) {
        drop(self.scanner);
        Arc::into_inner(self.catalog).expect("nobody else works on it").close().await;
    }
}
