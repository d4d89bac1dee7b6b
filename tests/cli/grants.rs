//! What grants of paths mean: the table of `design/running.md`, a test for each of its cells, in both engines.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use mangrove_domain::{
    bundle::LoadedBundle,
    json::Json,
    permission::{Grant, Grants, Permission},
    ports::{HostCall, MethodHost, MethodRunner, RunError},
    problem::Code,
    source::RootId,
};
use mangrove_infra::{
    runner::deno::{self, DenoRunner, Roots},
    runtime::ProgramLocations,
    worker::{Pool, PoolOptions},
};
use mangrove_testkit::{
    fakes::SeededEntropy,
    fixture::Tree,
    requests::{open_model, unchecked_call},
};

/// What is protected: what an entry has to name, and a file of it.
const PROTECTED: [(&str, &str); 22] = [
    ("repo/mangrove.yaml", "repo/mangrove.yaml"),
    ("repo/.swamp.yaml", "repo/.swamp.yaml"),
    ("repo/.swamp-sources.yaml", "repo/.swamp-sources.yaml"),
    ("repo/.git", "repo/.git/config"),
    ("repo/.mangrove", "repo/.mangrove/catalog.db"),
    ("repo/.env", "repo/.env"),
    ("repo/.env.local", "repo/.env.local"),
    ("repo/.envrc", "repo/.envrc"),
    ("repo/prod.env", "repo/prod.env"),
    ("repo/.npmrc", "repo/.npmrc"),
    ("repo/vaults", "repo/vaults/a.yaml"),
    ("repo/.swamp/secrets", "repo/.swamp/secrets/key"),
    ("repo/.swamp/vault", "repo/.swamp/vault/local/v.yaml"),
    ("repo/below/.env", "repo/below/.env"),
    ("repo/below/.git", "repo/below/.git/config"),
    ("repo/node_modules/p/.env", "repo/node_modules/p/.env"),
    ("repo/mount/mangrove.yaml", "repo/mount/mangrove.yaml"),
    ("repo/mount/.mangrove", "repo/mount/.mangrove/catalog.db"),
    ("repo/mount/vaults", "repo/mount/vaults/a.yaml"),
    ("repo/mount/.swamp/secrets", "repo/mount/.swamp/secrets/key"),
    ("repo/mount/.swamp/vault", "repo/mount/.swamp/vault/local/v.yaml"),
    ("repo/vaults/deep/named.yaml", "repo/vaults/deep/named.yaml"),
];

/// The state directory in use, which lies elsewhere.
const STATE: (&str, &str) = ("repo/state", "repo/state/catalog.db");

/// Links to what is protected, or out of what is granted, with a file at their end.
const LINKS: [(&str, &str, &str); 7] = [
    ("repo/data/to-git", "../.git", "repo/data/to-git/config"),
    ("repo/data/to-env", "../.env", "repo/data/to-env"),
    ("repo/data/to-state", "../state", "repo/data/to-state/catalog.db"),
    ("repo/data/up", "..", "repo/data/up/.env"),
    ("repo/data/beside", "../below", "repo/data/beside/.env"),
    ("repo/data/by-two", "up", "repo/data/by-two/.env"),
    ("repo/data/to-secret", "../vaults/a.yaml", "repo/data/to-secret"),
];

/// Links out of the repository.
const LINKS_OUT: [(&str, &str, &str); 2] = [
    ("repo/data/out", "../../outside", "repo/data/out/file.txt"),
    ("repo/data/out-file", "../../outside/file.txt", "repo/data/out-file"),
];

/// What is nothing special, a link to it included.
const PLAIN: [&str; 4] =
    ["repo/data/plain.txt", "repo/below/plain.txt", "repo/data/to-plain", "repo/data/sub/plain.txt"];

struct World {
    tree: Tree,
}

struct OneRoot(PathBuf, PathBuf);

#[async_trait]
impl Roots for OneRoot {
    async fn directory(&self, _root: &RootId) -> Option<PathBuf> {
        Some(self.0.clone())
    }

    async fn directories(&self) -> Vec<PathBuf> {
        vec![self.0.clone(), self.1.clone()]
    }
}

struct Nobody;

#[async_trait]
impl MethodHost for Nobody {
    async fn call(&self, _call: HostCall) -> Result<Json, String> {
        Ok(Json::Null)
    }
}

impl World {
    fn new() -> Self {
        let tree = Tree::new("").expect("a directory");
        let files = PROTECTED.iter().chain([&STATE]).map(|(_, file)| *file).chain(PLAIN).chain(["outside/file.txt"]);
        for file in files.filter(|file| !file.ends_with("to-plain")) {
            tree.write(file, "text").expect("a file");
        }
        for (link, target, _) in
            LINKS.iter().chain(&LINKS_OUT).chain([&("repo/data/to-plain", "../below/plain.txt", "")])
        {
            symlink(target, tree.path(link)).expect("a link");
        }
        Self { tree }
    }

    fn runner(&self, deno: &Path) -> DenoRunner {
        let repository = self.tree.path("repo");
        DenoRunner::new(deno::Options {
            launcher: Vec::new(),
            places: ProgramLocations { configured: Some(deno.to_owned()), ..ProgramLocations::default() },
            state_directory: self.tree.path(STATE.0),
            repository: repository.clone(),
            environment: BTreeMap::new(),
            roots: Arc::new(OneRoot(repository, self.tree.path("repo/mount"))),
            entropy: Arc::new(SeededEntropy::new(1)),
            size: 1,
            memory_limit_bytes: deno::MEMORY_LIMIT_BYTES,
            open_limit: Duration::from_mins(1),
            call_limit: Duration::from_mins(1),
            pool: deno::PoolLimits::default(),
        })
    }

    /// What code reaches of these files, read or written to with these grants.
    fn reached(&self, deno: &Path, grants: &Grants, is_write: bool, files: &[&str]) -> BTreeSet<String> {
        let paths: Vec<String> = files.iter().map(|file| self.tree.path(file).display().to_string()).collect();
        let attempt = if is_write { "Deno.writeTextFile(path, 'text')" } else { "Deno.readTextFile(path)" };
        let code = format!(
            "export const model = {{ async run() {{
                const reached = [];
                for (const path of {paths:?}) {{
                    try {{ await {attempt}; reached.push(path); }}
                    catch (error) {{ if (error.name !== 'NotCapable') throw error; }}
                }}
                return reached;
            }} }};"
        );
        let outcome = run(&self.runner(deno), &code, grants);
        let Ok(Json::Array(reached)) = outcome else { panic!("{grants:?}: {outcome:?}") };
        let short = |path: &Json| {
            let path = Path::new(path.as_str().expect("a path"));
            path.strip_prefix(self.tree.root()).expect("in the tree").display().to_string()
        };
        reached.iter().map(short).collect()
    }
}

fn run(runner: &dyn MethodRunner, code: &str, grants: &Grants) -> Result<Json, RunError> {
    let mut request = open_model(LoadedBundle { code: code.into(), vendor_files: Vec::new() });
    request.grantee.grants = grants.clone();
    let work = async {
        let mut session = runner.open(request).await?;
        let call = unchecked_call(vec!["run".to_owned()], Json::Null, Json::Object(Vec::new()));
        session.call(call, Arc::new(Nobody)).await
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(work)
}

fn only(names: impl IntoIterator<Item = impl Into<String>>) -> Grant {
    Grant::Only(names.into_iter().map(Into::into).collect())
}

/// A grant without the directory of the repository before its names.
fn named(names: &[&str]) -> Grant {
    only(names.iter().map(|name| name.trim_start_matches("repo/")))
}

fn set<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

/// Everything that is tried.
fn everything() -> Vec<&'static str> {
    let protected = PROTECTED.iter().chain([&STATE]).map(|(_, file)| *file);
    let links = LINKS.iter().chain(&LINKS_OUT).map(|(_, _, file)| *file);
    protected.chain(links).chain(PLAIN).chain(["outside/file.txt"]).collect()
}

#[test]
fn f10_where_nothing_is_said_only_what_is_nothing_special_is_readable() {
    let Some(deno) = crate::deno::real() else { return };
    let world = World::new();
    assert_eq!(world.reached(&deno, &Grants::new(), false, &everything()), set(PLAIN));
    assert_eq!(world.reached(&deno, &Grants::new(), true, &everything()), set([]));
}

#[test]
fn f07_f08_a_directory_is_granted_without_what_is_protected_in_it() {
    let Some(deno) = crate::deno::real() else { return };
    for (permission, is_write) in [(Permission::Read, false), (Permission::Write, true)] {
        let world = World::new();
        let grants = Grants::from([(permission, named(&["."]))]);
        assert_eq!(world.reached(&deno, &grants, is_write, &everything()), set(PLAIN), "{permission:?} .");
        // A link to another directory of the repository leads out of this grant.
        let grants = Grants::from([(permission, named(&["data"]))]);
        let expected = set(["repo/data/plain.txt", "repo/data/sub/plain.txt"]);
        assert_eq!(world.reached(&deno, &grants, is_write, &everything()), expected, "{permission:?} data");
    }
}

#[test]
fn f07_everything_is_granted_without_what_is_protected_in_the_roots() {
    let Some(deno) = crate::deno::real() else { return };
    for (permission, is_write) in [(Permission::Read, false), (Permission::Write, true)] {
        let world = World::new();
        let grants = Grants::from([(permission, Grant::All)]);
        let links_out = LINKS_OUT.iter().map(|(_, _, file)| *file);
        let expected = set(PLAIN.into_iter().chain(links_out).chain(["outside/file.txt"]));
        assert_eq!(world.reached(&deno, &grants, is_write, &everything()), expected, "{permission:?}");
    }
}

#[test]
fn f10_what_an_entry_names_exactly_is_granted_and_nothing_beside_it() {
    let Some(deno) = crate::deno::real() else { return };
    for (permission, is_write) in [(Permission::Read, false), (Permission::Write, true)] {
        for (name, file) in PROTECTED {
            let world = World::new();
            // With the directory above as well, which alone does not grant it.
            let grants = Grants::from([(permission, named(&[".", name]))]);
            let reached = world.reached(&deno, &grants, is_write, &everything());
            let inside = everything().into_iter().filter(|path| path.starts_with(&format!("{name}/")));
            let expected = set(PLAIN.into_iter().chain([file]).chain(inside));
            // Links to what is granted now lead nowhere else.
            let through_links = |path: &&String| LINKS.iter().any(|(_, _, end)| end == path);
            let beside: BTreeSet<String> = reached.iter().filter(|path| !through_links(path)).cloned().collect();
            assert_eq!(beside, expected, "{permission:?} {name}");
        }
    }
}

#[test]
fn the_state_directory_in_use_is_readable_by_name_and_never_written_to() {
    let Some(deno) = crate::deno::real() else { return };
    let world = World::new();
    let (name, file) = STATE;
    let grants = |permission| Grants::from([(permission, named(&[name]))]);
    assert_eq!(world.reached(&deno, &grants(Permission::Read), false, &[file]), set([file]));
    assert_eq!(world.reached(&deno, &grants(Permission::Write), true, &[file]), set([]));
}

#[test]
fn f07_what_is_protected_cannot_be_made_where_it_is_not() {
    let Some(deno) = crate::deno::real() else { return };
    let files = [
        "repo/mangrove.yaml",
        "repo/.swamp.yaml",
        "repo/.swamp-sources.yaml",
        "repo/.git/hooks/post-checkout",
        "repo/.env",
        "repo/.envrc",
        "repo/.npmrc",
        "repo/vaults/new.yaml",
        "repo/.swamp/secrets/key",
        "repo/.mangrove/new",
        "repo/data/dangling",
    ];
    for grant in [named(&["."]), named(&["data"]), Grant::All] {
        let tree = Tree::new("").expect("a directory");
        tree.write("repo/data/plain.txt", "text").expect("a file");
        for directory in [".git/hooks", "vaults", ".swamp/secrets", ".mangrove"] {
            fs::create_dir_all(tree.path("repo").join(directory)).expect("a directory");
        }
        symlink("../../nothing", tree.path("repo/data/dangling")).expect("a link");
        let world = World { tree };
        let grants = Grants::from([(Permission::Write, grant)]);
        assert_eq!(world.reached(&deno, &grants, true, &files), set([]), "{grants:?}");
        assert!(!world.tree.path("nothing").exists());
    }
    let world = World::new();
    let grants = Grants::from([(Permission::Write, named(&["data"]))]);
    assert_eq!(world.reached(&deno, &grants, true, &["repo/data/.envrc", "repo/data/.git"]), set([]));
}

#[test]
fn f08_code_gives_what_is_protected_no_other_name() {
    let Some(deno) = crate::deno::real() else { return };
    let world = World::new();
    let (from, to) = (world.tree.path("repo/.env"), world.tree.path("repo/data/made"));
    let grants = Grants::from([(Permission::Read, Grant::All), (Permission::Write, Grant::All)]);
    for attempt in ["symlinkSync", "linkSync", "renameSync", "copyFileSync"] {
        let attempt = format!("Deno.{attempt}({from:?}, {to:?}); return Deno.readTextFileSync({to:?});");
        let code = format!("export const model = {{ run() {{ {attempt} }} }};");
        let outcome = run(&world.runner(&deno), &code, &grants);
        assert!(outcome.is_err(), "{attempt} {outcome:?}");
        assert!(to.symlink_metadata().is_err(), "{attempt}");
    }
}

#[test]
fn the_embedded_engine_reaches_no_file_under_any_grant() {
    let pool = Pool::new(PoolOptions::new(PathBuf::from(env!("CARGO_BIN_EXE_mangrove")), vec!["worker".to_owned()]));
    let all = named(&everything());
    for grant in [None, Some(named(&["."])), Some(Grant::All), Some(all)] {
        for (permission, attempt) in [
            (Permission::Read, "Deno.readTextFileSync('mangrove.yaml')"),
            (Permission::Write, "Deno.writeTextFileSync('mangrove.yaml', '')"),
        ] {
            let grants: Grants = grant.clone().map(|grant| (permission, grant)).into_iter().collect();
            let code = format!("export const model = {{ run() {{ return {attempt}; }} }};");
            let outcome = run(&pool, &code, &grants);
            let Err(RunError::Fault(fault)) = outcome else { panic!("{attempt}: {outcome:?}") };
            assert_eq!(fault.code, Code::REQUIREMENT_MISSING, "{fault}");
        }
    }
}
