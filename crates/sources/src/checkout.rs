//! What of a directory belongs to the extension whose manifest stands in it: what the manifest lists, and what that
//! imports. The rules are those of a mount (`design/origins.md`).

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use mangrove_domain::{
    failure::Fault,
    kind_layout::KindLayout,
    module_graph::{ConfigKind, EdgeTarget, ModuleGraph},
    observation::RootAccess,
    ports::{Documents, ObserveError},
    problem::Code,
    pulled::{MANIFEST, PackageManifest},
    source::{Extension, Origin, RelativePath, RootId},
};
use mangrove_fs::{
    read::{self, FileKind, Within},
    walk::{Bounds, Budget},
};

use crate::{
    config::Configs,
    graph::module_graph,
    layout::EXTENSIONS_DIRECTORY,
    parser::ModuleParser,
    path::{join, parent},
    places::{self, Context, Places, Prepared},
    root::Root,
    roots::RootSpec,
    session::{Session, blocking},
    view::{Listing, Node, View},
    walk::Candidates,
};

/// The lists of a manifest that name neither sources nor workflows.
const FILE_LISTS: [&str; 2] = ["files", "additionalFiles"];

/// Where such files lie, and where they are put.
const FILES: &str = "files";

const WORKFLOWS: &str = "workflows";

/// A directory with an extension.
pub struct Checkout {
    /// The directory that holds the manifest, or the `extension/` or `extensions/` with it.
    pub directory: PathBuf,
    /// The kinds of sources.
    pub kinds: Vec<KindLayout>,
    /// Reads the manifest.
    pub documents: Arc<dyn Documents>,
    /// Reads modules.
    pub parser: Arc<dyn ModuleParser>,
    /// How much is looked at.
    pub bounds: Bounds,
}

/// Files by their paths below the extension.
type Files = BTreeMap<RelativePath, Arc<[u8]>>;

impl Checkout {
    /// The files that belong to the extension, with the manifest, by their paths below it.
    ///
    /// # Errors
    /// There is no manifest, it breaks the rules, or something that it lists cannot be taken.
    pub async fn collect(self) -> Result<Files, Fault> {
        let Self { directory, kinds, documents, parser, bounds } = self;
        let reading = Arc::clone(&documents);
        let opened = blocking(move || open(&directory, kinds, &reading, bounds)).await.map_err(fault)?;
        let Opened { prepared, manifest, bytes } = opened?;
        let Prepared { view, places, walk, .. } = prepared;
        let entries = entries(&manifest, &places, &walk.files)?;
        let mut session = Session::new(view, Configs::new(documents), true);
        let wanted: Vec<String> = entries.keys().cloned().collect();
        let (session, governed) = blocking(move || {
            let govern = |path: &String| (session.configs.in_force(&mut session.view, parent(path)), path.clone());
            let governed: Vec<(usize, String)> = wanted.iter().map(govern).collect();
            (session, governed)
        })
        .await
        .map_err(fault)?;
        let session = session.close(governed.clone(), &parser).await.map_err(fault)?;
        blocking(move || {
            let mut collection = Collection { files: Files::new(), view: None };
            for (config, entry) in &governed {
                let path = RelativePath::parse(entry).map_err(|error| wrong(error.to_string()))?;
                let graph = module_graph(&session, *config, path);
                let graph = graph.ok_or_else(|| wrong(format!("{entry} cannot be read")))?;
                collection.sources(&graph)?;
            }
            collection.view = Some(session.view);
            collection.finish(&manifest, bytes, &entries)
        })
        .await
        .map_err(fault)?
    }
}

fn fault(error: ObserveError) -> Fault {
    match error {
        ObserveError::Repository { fault } => fault,
    }
}

fn wrong(message: String) -> Fault {
    Fault::environment(Code::INVALID_DOCUMENT, "checkout", message)
}

struct Opened {
    prepared: Prepared,
    manifest: PackageManifest,
    bytes: Vec<u8>,
}

fn open(
    directory: &Path,
    kinds: Vec<KindLayout>,
    documents: &Arc<dyn Documents>,
    bounds: Bounds,
) -> Result<Opened, Fault> {
    let places = ["", "extension", EXTENSIONS_DIRECTORY].map(|below| directory.join(below));
    let root = places.into_iter().find(|place| place.join(MANIFEST).is_file()).ok_or_else(|| {
        let message = format!("{} holds no {MANIFEST}, which an extension is pulled by", directory.display());
        Fault::environment(Code::PACKAGE_MALFORMED, "checkout", message)
    })?;
    let io = |error: std::io::Error| mangrove_fs::faults::io_fault(mangrove_fs::faults::Operation::List, &root, &error);
    let root = root.canonicalize().map_err(io)?;
    let path = root.join(MANIFEST);
    let bytes = read::bytes(&path, Within::Root(&root), FileKind::Document).map_err(read::ReadError::into_fault)?;
    let name = path.display().to_string();
    let text = String::from_utf8(bytes.clone()).map_err(|_| wrong(format!("{name} is not UTF-8")))?;
    let document = documents
        .parse(&name, &text)
        .map_err(|error| Fault::environment(Code::MALFORMED_DOCUMENT, "checkout", error.message).at(error.position))?;
    let manifest = PackageManifest::read(&document.root).map_err(|wrongs| match wrongs.first() {
        Some((node, message)) => wrong(message.clone()).at(node.position(&name)),
        None => wrong("the manifest cannot be used".to_owned()),
    })?;
    let id = RootId::mount("checkout");
    let view = Root::open(id.clone(), Origin::Mounted, root.clone()).map_err(io)?;
    let view = View::new(Arc::new(view), Arc::default(), None, false);
    let spec = RootSpec {
        id,
        origin: Origin::Mounted,
        directory: root,
        access: RootAccess::Reachable,
        extension: Extension { name: manifest.name.as_str().into(), version: manifest.version.as_str().into() },
        is_recursive: false,
        only: None,
        locked_files: BTreeSet::new(),
        pull: None,
    };
    let context = Context {
        spec,
        layout: crate::Layout::default(),
        environment: BTreeMap::new(),
        kinds,
        documents: Arc::clone(documents),
        candidates: Candidates::Modules,
        claimed: Arc::default(),
        budget: Budget::new(bounds),
    };
    Ok(Opened { prepared: places::prepare(view, context)?, manifest, bytes })
}

/// The sources that the manifest lists, each with the directory that the directory of its kind lies in.
fn entries(
    manifest: &PackageManifest,
    places: &Places,
    found: &BTreeSet<String>,
) -> Result<BTreeMap<String, Option<String>>, Fault> {
    let mut entries = BTreeMap::new();
    for (index, kind) in places.kinds.iter().enumerate() {
        for listed in manifest.lists.get(&*kind.directory).into_iter().flatten() {
            let mut is_there = false;
            for path in found {
                let Some(place) = places.of(path).filter(|place| place.kinds.contains(&index)) else { continue };
                let directory = places.directory(place, index);
                let below = path.strip_prefix(directory).and_then(|rest| rest.strip_prefix('/'));
                let names = [Some(path.as_str()), below.filter(|_| !manifest.lists_from_manifest)];
                let is_it = |name: &str| {
                    name == listed.as_str()
                        || name.strip_prefix(listed.as_str()).is_some_and(|rest| rest.starts_with('/'))
                };
                if names.into_iter().flatten().any(is_it) {
                    is_there = true;
                    let base = match directory {
                        _ if below.is_none() => None,
                        directory if *directory == *kind.directory => Some(String::new()),
                        directory => directory.strip_suffix(&format!("/{}", kind.directory)).map(str::to_owned),
                    };
                    entries.insert(path.clone(), base);
                }
            }
            if !is_there {
                let what =
                    format!("the manifest lists {listed} under `{}`, and there is no such source", kind.directory);
                return Err(wrong(what));
            }
        }
    }
    Ok(entries)
}

struct Collection {
    files: Files,
    view: Option<View>,
}

impl Collection {
    fn sources(&mut self, graph: &ModuleGraph) -> Result<(), Fault> {
        for edge in &graph.edges {
            if edge.target == EdgeTarget::OutsideRoot {
                let message =
                    format!("{} imports {:?}, which lies outside of the extension", edge.importer, edge.specifier);
                return Err(Fault::environment(Code::IMPORT_OUTSIDE_ROOT, "checkout", message));
            }
        }
        self.files.extend(graph.files.iter().map(|file| (file.path.clone(), Arc::clone(&file.bytes))));
        for config in &graph.config_files {
            // What is in the graph is reduced to what matters to a bundler.
            if config.kind != ConfigKind::Lock {
                self.files.entry(config.path.clone()).or_insert_with(|| Arc::from(config.text.as_bytes()));
            }
        }
        Ok(())
    }

    fn finish(
        mut self,
        manifest: &PackageManifest,
        manifest_text: Vec<u8>,
        entries: &BTreeMap<String, Option<String>>,
    ) -> Result<Files, Fault> {
        let base = self.base(entries)?;
        let mut files = Files::new();
        for (path, bytes) in std::mem::take(&mut self.files) {
            let below = path.as_str().strip_prefix(&base).and_then(|rest| rest.strip_prefix('/'));
            let below = below.and_then(|below| RelativePath::parse(below).ok());
            files.insert(below.unwrap_or(path), bytes);
        }
        for listed in manifest.lists.get(WORKFLOWS).into_iter().flatten() {
            let places = if manifest.lists_from_manifest {
                vec![listed.to_string()]
            } else {
                let inside = join(WORKFLOWS, listed.as_str());
                vec![join(EXTENSIONS_DIRECTORY, &inside), inside, listed.to_string()]
            };
            let name = listed.as_str().strip_prefix("workflows/").unwrap_or(listed.as_str());
            self.copy(&places, &join(WORKFLOWS, name), &mut files)?;
        }
        for listed in FILE_LISTS.iter().filter_map(|list| manifest.lists.get(list)).flatten() {
            let inside = join(FILES, listed.as_str());
            let places = [join(EXTENSIONS_DIRECTORY, &inside), inside, listed.to_string()];
            let name = listed.as_str().strip_prefix("files/").unwrap_or(listed.as_str());
            self.copy(&places, &join(FILES, name), &mut files)?;
        }
        let top = self.names("");
        let is_about = |name: &String| ["README", "LICENSE", "LICENCE"].iter().any(|about| name.starts_with(about));
        for name in top.iter().filter(|name| is_about(name)) {
            if self.node(name) == Node::File {
                self.copy(std::slice::from_ref(name), name, &mut files)?;
            }
        }
        files.insert(RelativePath::parse(MANIFEST).map_err(|error| wrong(error.to_string()))?, manifest_text.into());
        Ok(files)
    }

    /// The directory that is taken off: that around the directories of the kinds, unless something outside of it is needed.
    fn base(&self, entries: &BTreeMap<String, Option<String>>) -> Result<String, Fault> {
        let bases: BTreeSet<&str> = entries.values().filter_map(Option::as_deref).collect();
        let is_known = |base: &&str| base.is_empty() || *base == EXTENSIONS_DIRECTORY;
        let base = match bases.first() {
            Some(base) if bases.len() == 1 => *base,
            Some(_) | None => "",
        };
        let is_whole = self.files.iter().all(|(path, bytes)| {
            let is_independent = || !String::from_utf8_lossy(bytes).contains("./");
            path.is_inside(base) || (is_configuration(path) && is_independent())
        });
        if is_whole && entries.values().all(Option::is_some) {
            return Ok(base.to_owned());
        }
        match bases.iter().find(|base| !is_known(base)) {
            None => Ok(String::new()),
            Some(base) => Err(wrong(format!(
                "its sources lie in {base}, and need files outside of it: pulled extensions have them in `models` and its like"
            ))),
        }
    }

    fn node(&mut self, path: &str) -> Node {
        self.view.as_mut().map_or(Node::Absent, |view| view.node(path))
    }

    fn names(&mut self, directory: &str) -> Vec<String> {
        let Some(view) = &mut self.view else { return Vec::new() };
        match &view.directory(directory).listing {
            Listing::Names { names, .. } => names.iter().map(|name| name.name.clone()).collect(),
            Listing::Absent | Listing::Outside | Listing::Failed(_) => Vec::new(),
        }
    }

    /// Takes over the first of these files or directories that is there.
    fn copy(&mut self, places: &[String], target: &str, into: &mut Files) -> Result<(), Fault> {
        for place in places {
            match self.node(place) {
                Node::Absent => {}
                Node::Outside => return Err(wrong(format!("{place} leads outside of the extension"))),
                Node::File => {
                    let read = self.view.as_mut().and_then(|view| view.begin(place, false, true)).map(|job| job.read());
                    let bytes = read.and_then(|read| read.bytes);
                    let bytes = bytes.ok_or_else(|| wrong(format!("{place} cannot be read")))?;
                    let target = RelativePath::parse(target).map_err(|error| wrong(error.to_string()))?;
                    into.insert(target, bytes);
                    return Ok(());
                }
                // Links to directories might lead in circles.
                Node::Directory if self.view.as_mut().is_some_and(|view| view.is_link(place)) => {
                    return Err(wrong(format!("{place} is a link to a directory, and is not followed")));
                }
                Node::Directory => {
                    for name in self.names(place).into_iter().filter(|name| !name.starts_with('.')) {
                        self.copy(&[join(place, &name)], &join(target, &name), into)?;
                    }
                    return Ok(());
                }
            }
        }
        Err(wrong(format!("the manifest lists {}, which is not there", places.last().map_or("", String::as_str))))
    }
}

fn is_configuration(path: &RelativePath) -> bool {
    let name = path.as_str().rsplit('/').next().unwrap_or_default();
    ["deno.json", "deno.jsonc", "package.json"].contains(&name)
}
