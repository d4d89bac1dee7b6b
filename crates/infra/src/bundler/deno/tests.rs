//! The adapter with programs that stand in for Deno: scripts that end as Deno does, and recorded words of it.

use std::{collections::BTreeSet, os::unix::fs::PermissionsExt as _};

use mangrove_domain::{
    advice::{Advice, UserAction},
    module_graph::{ConfigFile, ConfigKind, ModuleGraph},
};
use mangrove_npm::registry::{Limits, Proxies, SystemPause};
use mangrove_sources::parser::ParsedModule;
use mangrove_testkit::{
    graphs::{external, module_graph, path},
    registry::FakeRegistry,
};

use super::*;
use crate::{bundler::embedded, system::SystemEntropy};

/// How long a host may send nothing here.
pub(super) const SILENCE: Duration = Duration::from_millis(400);

/// Reads modules in this process.
struct InProcess;

#[async_trait]
impl ModuleParser for InProcess {
    async fn parse(&self, path: &str, bytes: Arc<[u8]>) -> Result<ParsedModule, Fault> {
        Ok(mangrove_sources::parse::parse_module(path, &bytes))
    }
}

pub(super) struct World {
    pub(super) directory: tempfile::TempDir,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) is_offline: bool,
    is_locked: bool,
    pub(super) limit: Duration,
}

impl World {
    /// A program with this script; `$2`, `$command` and `$out` tell what is asked of it.
    pub(super) fn new(script: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("fake-deno");
        let prelude = format!(
            r#"#!/bin/sh
command=$1; log={log}
echo "$@" >> $log/calls
env > $log/environment
pwd > $log/directory
for argument in "$@"; do entry=$argument; done
loads() {{ echo "DEBUG RS - deno::tools::bundle:1 - on_load: OnLoadArgs {{ key: 0, path: \"$1\", namespace: \"file\" }}" >&2; }}
[ "$command" = bundle ] && loads "$entry"
out=; previous=
for argument in "$@"; do [ "$previous" = -o ] && out=$argument; previous=$argument; done
"#,
            log = directory.path().display()
        );
        fs::write(&program, prelude + script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir_all(directory.path().join("state/deno/cache/dl/esbuild-1")).unwrap();
        let environment = BTreeMap::from([
            ("MANGROVE_DENO".to_owned(), program.display().to_string()),
            ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
            ("AWS_SECRET_ACCESS_KEY".to_owned(), "secret".to_owned()),
        ]);
        Self { directory, environment, is_offline: false, is_locked: false, limit: Duration::from_secs(30) }
    }

    pub(super) fn bundler(&self) -> DenoBundler {
        let state_directory = self.directory.path().join("state");
        DenoBundler::new(Options {
            places: ProgramLocations {
                configured: None,
                environment: self.environment.clone(),
                state_directory: state_directory.clone(),
            },
            versions: Versions::new(&state_directory, false),
            repository: self.directory.path().to_owned(),
            state_directory,
            environment: self.environment.clone(),
            is_offline: self.is_offline,
            is_locked: self.is_locked,
            embedded: Arc::new(embedded::InProcess),
            parser: Arc::new(InProcess),
            client: Arc::new(Client::new(
                Proxies::of(&self.environment),
                Limits { connect: SILENCE, silence: SILENCE, ..Limits::default() },
                Arc::new(SystemPause),
                Arc::new(SystemEntropy),
            )),
            limit: self.limit,
        })
    }

    pub(super) async fn bundle(&self, graph: ModuleGraph) -> Result<Bundle, BuildFailure> {
        let request = BundleRequest { graph, imports: BTreeMap::new(), offers: BTreeMap::new(), inlined: Vec::new() };
        self.bundler().bundle(request, &Arc::default()).await
    }

    pub(super) async fn fault(&self, graph: ModuleGraph) -> Fault {
        self.bundle(graph).await.expect_err("this cannot be bundled").fault
    }

    fn log(&self, name: &str) -> String {
        fs::read_to_string(self.directory.path().join(name)).unwrap_or_default()
    }

    /// What was asked of the program, without what every call has, the build cut off.
    pub(super) fn calls(&self) -> Vec<String> {
        let shorten = |line: &str| {
            let words = line.split(' ').map(|word| match word.split_once("/files/") {
                Some((_, below)) => below.to_owned(),
                None if word.ends_with("/out.js") => "OUT".to_owned(),
                None => word.to_owned(),
            });
            words.filter(|word| !word.starts_with("--unstable-")).collect::<Vec<_>>().join(" ")
        };
        self.log("calls").lines().map(shorten).collect()
    }
}

/// The entry `models/a.ts` with edges by specifier and what it means outside.
fn graph(text: &str, edges: &[(&str, &str)]) -> ModuleGraph {
    let edges: Vec<_> = edges.iter().map(|(specifier, target)| ("models/a.ts", *specifier, external(target))).collect();
    module_graph(&[("models/a.ts", text)], &edges)
}

pub(super) fn jsr() -> ModuleGraph {
    graph(
        "import { join } from 'jsr:@std/path@1';\nexport const model = fetch(join('a'));\n",
        &[("jsr:@std/path@1", "jsr:@std/path@1")],
    )
}

fn needs(specifier: &str) -> PackageRequest {
    PackageRequest { specifiers: BTreeSet::from([specifier.to_owned()]), lock: None }
}

fn config(kind: ConfigKind, name: &str) -> ConfigFile {
    ConfigFile { path: path(name), kind, text: "{\"kept\":1}".to_owned() }
}

const COPIES: &str = "cp \"$entry\" $out; ls -A \"${entry%/models/a.ts}\" > $log/build; sed -i '/^import/d' $out\n";

#[tokio::test]
async fn files_ask_for_their_own_place() {
    let world = World::new(r#"cp "$entry" "$out""#);
    let text = "import 'jsr:@std/path@1'; export const model = `${import.meta.url}`; // import.meta\n";
    let mut own = self::graph(text, &[("jsr:@std/path@1", "jsr:@std/path@1")]);
    own_places::tell(&mut own, &InProcess).await.unwrap();
    assert_eq!(
        std::str::from_utf8(&own.files[0].bytes).unwrap(),
        "import 'jsr:@std/path@1'; export const model = \
         `${Object(globalThis[Symbol.for(\"mangrove.importMeta\")]?.(\"models/a.ts\") ?? import.meta).url}`; // import.meta\n"
    );
    let bundle = world.bundle(self::graph("export const model = import.meta.url;\n", &[])).await.unwrap();
    assert!(bundle.code.contains("(\"models/a.ts\") ?? import.meta).url"), "{}", bundle.code);
}

#[tokio::test]
async fn bundles_the_bytes_of_the_request_and_leaves_nothing_behind() {
    let world = World::new(COPIES);
    let bundle = world.bundle(jsr()).await.unwrap();
    assert!(bundle.code.contains("export const model"), "{}", bundle.code);
    assert_eq!(bundle.requirements, ["fetch"]);
    let home = world.directory.path().join("state/deno");
    let left: Vec<_> = fs::read_dir(home).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["cache"]);
}

#[tokio::test]
async fn f01_a_file_of_the_machine_is_refused_before_deno_is_asked() {
    let world = World::new(COPIES);
    for target in ["FILE:///etc/hosts", "file:///etc/hosts", "/etc/hosts"] {
        let fault = world.fault(graph("import x from 'x';\nexport const model = x;\n", &[("x", target)])).await;
        assert_eq!((fault.class, fault.code), (FailureClass::Deterministic, Code::IMPORT_OUTSIDE_ROOT), "{fault}");
    }
    assert!(world.calls().is_empty(), "{:?}", world.calls());
}

#[tokio::test]
async fn fault_35_needs_no_home_and_sees_no_secret() {
    let world = World::new(COPIES);
    world.bundle(jsr()).await.unwrap();
    let environment = world.log("environment");
    assert!(!environment.contains("HOME=") && !environment.contains("secret"), "{environment}");
    let cache = world.directory.path().join("state/deno/cache");
    assert!(environment.lines().any(|line| line == format!("DENO_DIR={}", cache.display())), "{environment}");
}

#[tokio::test]
async fn every_permutation_of_configurations() {
    let lock = || config(ConfigKind::Lock, "deno.lock");
    let bare = || graph("import z from 'zod';\nexport const model = z;\n", &[("zod", "npm:zod@4")]);
    let cases = [
        ("nothing", jsr(), vec![], "--no-config --node-modules-dir=none --no-lock", "", "models"),
        (
            "deno.json",
            jsr(),
            vec![config(ConfigKind::Deno, "deno.json"), config(ConfigKind::ImportMap, "map.json")],
            "--config deno.json --node-modules-dir=none --no-lock",
            "",
            "deno.json map.json models",
        ),
        (
            "deno.json with a lock",
            jsr(),
            vec![config(ConfigKind::Deno, "deno.json"), lock()],
            "--config deno.json --node-modules-dir=none --lock deno.lock",
            "",
            "deno.json deno.lock models",
        ),
        (
            "deno.json below the root",
            jsr(),
            vec![config(ConfigKind::Deno, "models/deno.json")],
            "--config models/deno.json --node-modules-dir=none --no-lock",
            "/models",
            "models",
        ),
        (
            "package.json and bare names",
            bare(),
            vec![config(ConfigKind::Package, "package.json"), lock()],
            "--node-modules-dir=auto --lock deno.lock",
            "",
            "deno.lock models package.json",
        ),
        (
            "package.json without bare names",
            jsr(),
            vec![config(ConfigKind::Package, "package.json"), lock()],
            "--no-config --node-modules-dir=none --lock deno.lock",
            "",
            "deno.lock models",
        ),
    ];
    for (name, mut graph, files, flags, below, build) in cases {
        graph.config_files = files;
        let world = World::new(COPIES);
        world.bundle(graph).await.unwrap();
        assert_eq!(world.calls(), [format!("bundle --platform deno -o OUT {flags} models/a.ts")], "{name}");
        let directory = world.log("directory");
        let (_, inside) = directory.trim().split_once("/files").expect("it works in the build");
        assert_eq!(inside, below, "{name}: where it works");
        assert_eq!(world.log("build").split_whitespace().collect::<Vec<_>>().join(" "), build, "{name}");
    }
}

#[tokio::test]
async fn what_its_settings_name_is_beside_the_entry_and_its_variables_are_passed() {
    let mut world = World::new(COPIES);
    fs::write(world.directory.path().join(".npmrc"), "//r/:_authToken=${COMPANY_TOKEN}\n").unwrap();
    world.environment.insert("COMPANY_TOKEN".to_owned(), "t".to_owned());
    world.environment.insert("MANGROVE_NPM_REGISTRY".to_owned(), "http://127.0.0.1:1/".to_owned());
    world.bundle(jsr()).await.unwrap();
    assert!(world.log("build").contains(".npmrc"));
    let environment = world.log("environment");
    assert!(environment.contains("COMPANY_TOKEN=t") && environment.contains("NPM_CONFIG_REGISTRY=http://127.0.0.1:1/"));
}

#[tokio::test]
async fn the_programs_absence_is_a_fault_of_the_environment_with_a_remedy() {
    let mut world = World::new(COPIES);
    world.environment.remove("MANGROVE_DENO");
    let fault = world.fault(jsr()).await;
    assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::RUNTIME_MISSING));
    let advice = Advice::for_code(fault.code).expect("a remedy");
    assert!(advice.phrases().contains(&UserAction::InstallDeno.into()), "{advice}");
    let route = world.bundler().route(&needs("jsr:@std/path@1")).await;
    assert_eq!(route.identity, None, "the part counts as unchanged");
}

#[tokio::test]
async fn errors_of_the_extension_itself_need_no_program() {
    let mut world = World::new("exit 1\n");
    world.environment.remove("MANGROVE_DENO");
    let fault = world.fault(graph("import 'jsr:@a/b';\nexport const = 1;\n", &[("jsr:@a/b", "jsr:@a/b")])).await;
    assert_eq!((fault.class, fault.code), (FailureClass::Deterministic, Code::SYNTAX));
    assert_eq!(fault.position.map(|at| (at.file, at.line)), Some(("models/a.ts".to_owned(), 2)));
}

#[tokio::test]
async fn fault_36_a_hanging_program_is_killed() {
    let mut world = World::new("echo Download something >&2; exec sleep 1000\n");
    world.limit = Duration::from_millis(400);
    let fault = world.fault(jsr()).await;
    assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::RUNTIME_TIMED_OUT), "{fault}");
}

#[tokio::test]
async fn a_program_that_is_killed_says_nothing_about_the_source() {
    let world = World::new("kill -9 $$\n");
    let fault = world.fault(jsr()).await;
    assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::RUNTIME_FAILED), "{fault}");
}

#[tokio::test]
async fn a_success_without_a_bundle_is_none() {
    let fault = World::new("exit 0\n").fault(jsr()).await;
    assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::RUNTIME_FAILED), "{fault}");
}

#[tokio::test]
async fn an_import_that_was_left_out_is_no_bundle() {
    let fault = World::new("[ $command = bundle ] && cp \"$entry\" $out; exit 0\n").fault(jsr()).await;
    assert_eq!(fault.code, Code::BUNDLE_FAILED, "{fault}");
    assert!(fault.message.contains("jsr:@std/path@1"), "{fault}");
}

#[tokio::test]
async fn without_its_tool_and_without_a_network_it_says_so() {
    let mut world = World::new(&format!("cat >&2 <<'END'\n{TOOL_OFFLINE}\nEND\nexit 1\n"));
    let registry = FakeRegistry::start().unwrap();
    world.environment.insert("MANGROVE_NPM_REGISTRY".to_owned(), registry.url());
    fs::remove_dir_all(world.directory.path().join("state/deno")).unwrap();
    let fault = world.fault(jsr()).await;
    assert_eq!((fault.class, fault.code), (FailureClass::Transient, Code::RUNTIME_INCOMPLETE), "{fault}");
    assert_eq!(&*fault.cause.0, "registry:registry.npmjs.org:443");
    assert!(fault.message.contains("esbuild") && fault.message.contains("dns error"), "{fault}");
    assert_eq!(world.calls().len(), 1, "nothing else is tried without it");

    // Nobody accepts connections: Deno, which would wait, is not even started.
    drop(registry);
    let fault = world.fault(jsr()).await;
    assert_eq!((fault.class, fault.code), (FailureClass::Transient, Code::RUNTIME_INCOMPLETE), "{fault}");
    assert!(fault.cause.0.starts_with("registry:127.0.0.1:"), "{fault:?}");
    assert_eq!(world.calls().len(), 1);
}

#[tokio::test]
async fn fault_37_many_sources_that_lack_the_tool_share_one_attempt() {
    let mut world = World::new("exit 1\n");
    let registry = FakeRegistry::start().unwrap();
    world.environment.insert("MANGROVE_NPM_REGISTRY".to_owned(), registry.url());
    fs::remove_dir_all(world.directory.path().join("state/deno")).unwrap();
    let (bundler, outages) = (world.bundler(), Arc::default());
    let builds = (0..8).map(|_| {
        bundler.bundle(
            BundleRequest { graph: jsr(), imports: BTreeMap::new(), offers: BTreeMap::new(), inlined: Vec::new() },
            &outages,
        )
    });
    let outcomes = futures::future::join_all(builds).await;
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Err(failure) if failure.fault.code == Code::RUNTIME_INCOMPLETE))
    );
    assert_eq!(world.calls().len(), 1);
}

/// `deno bundle` and `deno cache` of the same source, one after the other.
fn script(bundle: &str, cache: &str) -> String {
    format!(
        "if [ $command = bundle ]; then cat >&2 <<'END'\n{bundle}\nEND\nelse cat >&2 <<'END'\n{cache}\nEND\nfi\nexit 1\n"
    )
}

#[tokio::test]
async fn what_bundle_hides_is_asked_of_cache() {
    let world = World::new(&script(BUNDLE_NPM, CACHE_NPM_OFFLINE));
    let fault = world.fault(jsr()).await;
    assert_eq!((fault.class, fault.code), (FailureClass::Transient, Code::REGISTRY_UNREACHABLE), "{fault}");
    assert_eq!(world.calls().iter().map(|call| &call[..5]).collect::<Vec<_>>(), ["bundl", "cache"]);
}

#[tokio::test]
async fn fault_47_what_was_not_there_is_asked_for_again() {
    // Found when asked again, and bundled then.
    let script = format!(
        "case \"$*\" in\n*--reload*) touch $log/there; exit 0;;\nesac\n[ $command = bundle ] && [ -e $log/there ] && {{ {COPIES} exit 0; }}\n{}",
        script(BUNDLE_NPM, CACHE_NPM_404)
    );
    let world = World::new(&script);
    world.bundle(jsr()).await.unwrap();
    let calls = world.calls();
    assert!(calls[2].starts_with("cache --reload "), "{calls:?}");

    let world = World::new(&self::script(BUNDLE_NPM, CACHE_NPM_404));
    let fault = world.fault(jsr()).await;
    assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::PACKAGE_NOT_FOUND), "{fault}");
}

#[tokio::test]
async fn offline_nothing_is_asked_for() {
    let mut world = World::new(&script(BUNDLE_NPM, CACHE_NPM_OFFLINE));
    world.is_offline = true;
    let fault = world.fault(jsr()).await;
    assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::OFFLINE), "{fault}");
    assert!(world.log("environment").contains("HTTPS_PROXY=http://127.0.0.1:9\n"));
}

/// A graph that `deno.lock` with this text governs.
fn governed(graph: ModuleGraph, lock: &str) -> ModuleGraph {
    let lock = ConfigFile { path: path("deno.lock"), kind: ConfigKind::Lock, text: lock.to_owned() };
    ModuleGraph { config_files: vec![config(ConfigKind::Deno, "deno.json"), lock], ..graph }
}

const LOCKED: &str = r#"{"version":"5","specifiers":{"jsr:@std/path@1":"1.0.8"},
    "jsr":{"@std/path@1.0.8":{"integrity":"x"}},"workspace":{"dependencies":["npm:of-somebody-else@1"]}}"#;

#[tokio::test]
async fn fault_46_what_is_locked_is_all_that_locked_builds_use() {
    let mut world = World::new(COPIES);
    world.is_locked = true;
    world.bundle(governed(jsr(), LOCKED)).await.expect("it is locked");
    assert_eq!(world.calls().len(), 1);

    let other = |text: &str, specifier: &str| graph(text, &[(specifier, specifier)]);
    let cases = [
        ("no lock at all", jsr(), "jsr:@std/path@1 is not locked (no deno.lock governs the entry)"),
        (
            "another package",
            governed(other("import 'jsr:@std/fs@1';\nexport const model = 1;\n", "jsr:@std/fs@1"), LOCKED),
            "jsr:@std/fs@1 is not locked (deno.lock does not hold it)",
        ),
        (
            "an address",
            governed(other("import 'https://x/y.ts';\nexport const model = 1;\n", "https://x/y.ts"), LOCKED),
            "https://x/y.ts is not locked (deno.lock does not hold it)",
        ),
    ];
    for (name, graph, told) in cases {
        let fault = world.fault(graph).await;
        assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::LOCK_OUTDATED), "{name}: {fault}");
        assert!(fault.message.starts_with(told), "{name}: {fault}");
    }
    assert_eq!(world.calls().len(), 1, "Deno, which would resolve it again, is not asked");

    let fault = world.fault(governed(jsr(), "{")).await;
    assert_eq!(fault.code, Code::MALFORMED_DOCUMENT, "{fault}");
    world.is_locked = false;
    world.bundle(jsr()).await.expect("nothing has to be locked");
}

#[tokio::test]
async fn fault_46_what_deno_adds_to_the_lock_is_no_part_of_a_locked_build() {
    let grown = r#"{"version":"5","specifiers":{"jsr:@std/path@1":"1.0.8","jsr:@std/internal@1":"1.0.2"},"jsr":{}}"#;
    let script = format!("{COPIES}echo '{grown}' > \"${{entry%/models/a.ts}}/deno.lock\"\n");
    let mut world = World::new(&script);
    world.bundle(governed(jsr(), LOCKED)).await.expect("it may grow");
    world.is_locked = true;
    let fault = world.fault(governed(jsr(), LOCKED)).await;
    assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::LOCK_OUTDATED), "{fault}");
    assert!(fault.message.starts_with("jsr:@std/internal@1 is not locked (deno.lock does not hold it)"), "{fault}");
}

#[tokio::test]
async fn the_identity_is_the_programs_version() {
    let world = World::new("echo 'deno 2.9.6 (stable)'\n");
    let route = world.bundler().route(&needs("jsr:@std/path@1")).await;
    let lines = route.identity.unwrap().lines().unwrap();
    assert!(lines.contains(&Line::new("version", "deno 2.9.6")), "{lines:?}");
    assert!(
        matches!(route.resolver, Resolver::Bundler(part) if part.lines().unwrap() == [Line::new("jsr:@std/path@1", "unlocked")])
    );
}

#[tokio::test]
async fn fault_46_the_lock_that_governs_counts_wherever_it_lies() {
    let world = World::new("echo 'deno 2.9.6 (stable)'\n");
    let elsewhere = tempfile::tempdir().unwrap();
    let lock = elsewhere.path().join("deno.lock");
    let request = PackageRequest { lock: Some(lock.clone()), ..needs("jsr:@std/path@1") };
    let bundler = world.bundler();
    let mut parts = Vec::new();
    for version in ["1.0.8", "1.0.9"] {
        fs::write(&lock, format!(r#"{{"version":"5","specifiers":{{"jsr:@std/path@1":"{version}"}}}}"#)).unwrap();
        let at = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(parts.len() as u64);
        fs::File::options().write(true).open(&lock).unwrap().set_modified(at).unwrap();
        let Resolver::Bundler(part) = bundler.route(&request).await.resolver else { panic!("Deno resolves it") };
        parts.push(part.lines().unwrap());
    }
    assert_eq!(parts[0], [Line::new("jsr:@std/path@1", "@std/path@1.0.8")]);
    assert_eq!(parts[1], [Line::new("jsr:@std/path@1", "@std/path@1.0.9")]);
}

const TOOL_OFFLINE: &str = r#"⚠️  deno bundle is experimental and subject to changes
Download https://registry.npmjs.org/@esbuild%2flinux-x64
error: Failed loading https://registry.npmjs.org/@esbuild%2flinux-x64 for package "@esbuild/linux-x64"

Caused by:
    error sending request for url (https://registry.npmjs.org/@esbuild%2flinux-x64): client error (Connect): dns error: failed to lookup address information: Temporary failure in name resolution"#;
const BUNDLE_NPM: &str = "⚠️  deno bundle is experimental and subject to changes
Download https://registry.npmjs.org/zod
error: Could not find constraint 'zod@4.3.6' in the list of packages.
    at file:///ROOM/models/a.ts:1:18
error: bundling failed";
const CACHE_NPM_OFFLINE: &str = r#"Download https://registry.npmjs.org/zod
error: Failed loading https://registry.npmjs.org/zod for package "zod"
    0: error sending request for url (https://registry.npmjs.org/zod): client error (Connect): dns error: failed to lookup address information: Temporary failure in name resolution
    at file:///ROOM/models/a.ts:1:19"#;
const CACHE_NPM_404: &str = "Download https://registry.npmjs.org/zod-x
error: npm package 'zod-x' does not exist.
    at file:///ROOM/models/a.ts:1:19";

/// Recorded from Deno 2.9.6.
#[test]
fn recorded_words_and_what_they_mean() {
    use FailureClass::{Deterministic, Environment, Transient};
    let answered = |status: u16| {
        format!(
            "Download http://127.0.0.1:18765/zod\nerror: Failed loading http://127.0.0.1:18765/zod for package \"zod\"\n    0: Bad response: {status}\n       \n       garbage\n    at file:///ROOM/a.ts:1:19"
        )
    };
    let refused = "error: Failed loading http://127.0.0.1:18765/zod for package \"zod\"\n    0: error sending request for url (http://127.0.0.1:18765/zod): client error (Connect): tcp connect error: Connection refused (os error 111)\n    at file:///ROOM/a.ts:1:19";
    let garbage = "error: Failed loading http://127.0.0.1:18765/zod for package \"zod\"\n    0: npm packument missing name\n    at file:///ROOM/a.ts:1:19";
    let trust = "error: Failed loading https://registry.npmjs.org/@esbuild%2flinux-x64 for package \"@esbuild/linux-x64\"\n\nCaused by:\n    error sending request for url (https://registry.npmjs.org/@esbuild%2flinux-x64): client error (Connect): invalid peer certificate: UnknownIssuer";
    let https = "error: Import 'https://deno.land/std@0.224.0/path/mod.ts' failed.\n    0: error sending request for url (https://deno.land/std@0.224.0/path/mod.ts): client error (Connect): dns error: failed to lookup address information: Temporary failure in name resolution\n    1: client error (Connect)\n    2: dns error\n    at file:///ROOM/a.ts:1:8";
    let jsr = "error: JSR package manifest for '@std/path' failed to load. Import 'https://jsr.io/@std/path/meta.json' failed.\n    at file:///ROOM/a.ts:1:19";
    let range = "error: Could not find npm package 'zod' matching '99'.\n    at file:///ROOM/a.ts:1:19";
    let host = "error: Requires import access to \"nosuchhost.invalid:443\", run again with the --allow-import flag\n    at file:///ROOM/a.ts:1:19\nerror: bundling failed";
    let bare = "error: Import \"chalk\" not a dependency\n    at file:///ROOM/a.ts:1:18\nerror: bundling failed";
    let target = |target: &str| {
        format!(
            "error: [ERR_INVALID_PACKAGE_TARGET] Invalid \"imports\" target {target} defined for '#x' in the package config /x/npm/registry.npmjs.org/a/1.0.0/package.json imported from 'file:///x/npm/registry.npmjs.org/a/1.0.0/index.js'\n    at file:///x/npm/registry.npmjs.org/a/1.0.0/index.js:1:25\nerror: bundling failed\n\nStack backtrace:\n   0: <unknown>"
        )
    };
    let syntax = "error: SyntaxError: Unexpected token `<eof>`. Expected identifier, string literal, numeric literal or [ for the computed key\n  |\n1 | export const model = {\n  |                       ~\n    at file:///ROOM/a.ts:1:23\nerror: bundling failed";
    let export =
        "error: No matching export in \"b.ts\" for import \"a\"\n    at file:///ROOM/a.ts:1:9\nerror: bundling failed";
    let table: [(&str, FailureClass, Code, &str); 24] = [
        (CACHE_NPM_OFFLINE, Transient, Code::REGISTRY_UNREACHABLE, "registry:registry.npmjs.org:443"),
        (CACHE_NPM_404, Environment, Code::PACKAGE_NOT_FOUND, "deno:zod-x"),
        (refused, Transient, Code::REGISTRY_UNREACHABLE, "registry:127.0.0.1:18765"),
        (garbage, Transient, Code::REGISTRY_FAILED, "registry:127.0.0.1:18765"),
        (trust, Environment, Code::REGISTRY_UNREACHABLE, "registry:registry.npmjs.org:443"),
        (&answered(429), Transient, Code::REGISTRY_FAILED, "registry:127.0.0.1:18765"),
        (&answered(500), Transient, Code::REGISTRY_FAILED, "registry:127.0.0.1:18765"),
        (&answered(503), Transient, Code::REGISTRY_FAILED, "registry:127.0.0.1:18765"),
        (&answered(401), Environment, Code::REGISTRY_REFUSED, "registry:127.0.0.1:18765"),
        (&answered(403), Environment, Code::REGISTRY_REFUSED, "registry:127.0.0.1:18765"),
        (&answered(418), Environment, Code::REGISTRY_FAILED, "registry:127.0.0.1:18765"),
        (https, Transient, Code::REGISTRY_UNREACHABLE, "registry:deno.land:443"),
        (jsr, Transient, Code::REGISTRY_UNREACHABLE, "registry:jsr.io:443"),
        (range, Environment, Code::PACKAGE_NOT_FOUND, "deno:zod"),
        (host, Environment, Code::UNSUPPORTED_SPECIFIER, "deno:nosuchhost.invalid:443"),
        (bare, Environment, Code::UNSUPPORTED_SPECIFIER, "deno:chalk"),
        (&target("../x.mjs"), Environment, Code::PACKAGE_IMPORT_OUTSIDE, "bundler:deno"),
        (&target("./../x.mjs"), Environment, Code::PACKAGE_IMPORT_OUTSIDE, "bundler:deno"),
        (&target("file:///x.mjs"), Environment, Code::PACKAGE_IMPORT_OUTSIDE, "bundler:deno"),
        (&target("x.mjs"), Environment, Code::PACKAGE_UNSUPPORTED, "bundler:deno"),
        (syntax, Deterministic, Code::SYNTAX, "bundler:deno"),
        (export, Deterministic, Code::UNRESOLVED_IMPORT, "bundler:deno"),
        ("error: writing: No space left on device (os error 28)", Environment, Code::DISK_FULL, "disk:full"),
        ("error: something new", Environment, Code::BUNDLE_FAILED, "bundler:deno"),
    ];
    for (words, class, code, cause) in table {
        let fault = classify::output(words, &["file:///ROOM/".to_owned()]);
        assert_eq!((fault.class, fault.code, &*fault.cause.0), (class, code, cause), "{words}\n{fault}");
        assert!(!fault.message.contains("ROOM") && !fault.message.contains('\n'), "{fault}");
        assert!(!fault.message.contains("backtrace"), "{fault}");
    }
    let fault = classify::output(syntax, &["file:///ROOM/".to_owned()]);
    assert_eq!(fault.position.map(|at| (at.file, at.line, at.column)), Some(("a.ts".to_owned(), 1, 23)));
}
