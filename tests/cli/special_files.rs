//! Something else than a regular file under every name that is read: named pipes, sockets, devices, links that lead
//! nowhere, round in circles or out of the repository, directories, and files without end. No command waits, none reads
//! what does not belong to the repository, and what has nothing to do with it works as before.

use std::{
    fs::{self, File},
    os::unix::{fs::symlink, net::UnixListener},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use mangrove_domain::digest::Digest;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::{
    fixtures::model,
    sandbox::{Output, Sandbox},
};

/// A command that takes longer hangs: none has anything to do for it.
const PATIENCE: Duration = Duration::from_secs(40);
/// What stands outside of the repository, and is shown by nobody.
const SECRET: &str = "root:*:20228:0:99999:7:::";
const MODEL: &str = "extensions/models/greeter.ts";

const REPOSITORY: &str = "
//- /models/@acme/greeter/greeter.yaml
id: 11111111-1111-4111-8111-111111111111
name: greeter
//- /workflows/hello.yaml
id: 22222222-2222-4222-8222-222222222222
name: hello
jobs:
  - name: first
    steps:
      - name: greet
        task: { type: model_method, modelIdOrName: greeter, methodName: greet, inputs: { name: you } }
";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Special {
    Pipe,
    Socket,
    /// A link to a device that never ends.
    Device,
    /// A link to itself.
    Loop,
    /// A link to a file outside of the repository.
    Out,
    /// A link to nothing.
    Nowhere,
    Directory,
    /// 20 GiB that take no space.
    Huge,
}

impl Special {
    const ALL: [Special; 8] = [
        Special::Pipe,
        Special::Socket,
        Special::Device,
        Special::Loop,
        Special::Out,
        Special::Nowhere,
        Special::Directory,
        Special::Huge,
    ];

    /// The code by which it is told where a file is read.
    const fn code(self) -> &'static str {
        match self {
            Special::Pipe | Special::Socket | Special::Directory => "MG0417",
            Special::Device | Special::Out => "MG0405",
            Special::Loop | Special::Nowhere => "MG0401",
            Special::Huge => "MG0418",
        }
    }

    /// The beginning of a file's name.
    fn stem(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// A repository in which one workflow runs, and a file outside of it.
struct World {
    sandbox: Sandbox,
    outside: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let sandbox = Sandbox::new(REPOSITORY);
        sandbox.write(MODEL, &model("@acme/greeter"));
        let outside = tempfile::tempdir().expect("a directory");
        fs::write(outside.path().join("shadow"), SECRET).expect("a file");
        Self { sandbox, outside }
    }

    /// Puts something special in the place of a file, with the directories above it.
    fn put(&self, special: Special, path: &str) {
        let path = self.sandbox.tree.path(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        if path.is_dir() && !path.is_symlink() {
            fs::remove_dir_all(&path).expect("removed");
        } else if path.symlink_metadata().is_ok() {
            fs::remove_file(&path).expect("removed");
        }
        match special {
            Special::Pipe => mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).expect("a pipe"),
            Special::Socket => {
                // The name of a socket may not be long, that of a file may.
                let short = self.outside.path().join("s");
                drop(UnixListener::bind(&short).expect("a socket"));
                fs::rename(&short, &path).expect("its place");
            }
            Special::Device => symlink("/dev/zero", &path).expect("a link"),
            Special::Loop => symlink(path.file_name().expect("a name"), &path).expect("a link"),
            Special::Out => symlink(self.outside.path().join("shadow"), &path).expect("a link"),
            Special::Nowhere => symlink("nothing", &path).expect("a link"),
            Special::Directory => fs::create_dir(&path).expect("a directory"),
            Special::Huge => {
                File::create(&path).and_then(|file| file.set_len(20 << 30)).expect("a file without blocks");
            }
        }
    }

    /// Runs a command, which must end in time and show nothing from outside.
    fn run(&self, arguments: &[&str]) -> Output {
        let [stdout, stderr] = ["stdout", "stderr"].map(|name| self.outside.path().join(name));
        let mut child = self
            .sandbox
            .command()
            .args(arguments)
            .stdout(File::create(&stdout).expect("a file"))
            .stderr(File::create(&stderr).expect("a file"))
            .spawn()
            .expect("the program starts");
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = child.try_wait().expect("it can be waited for") {
                break status;
            }
            if Instant::now() > deadline {
                child.kill().expect("killed");
                child.wait().expect("ended");
                panic!("{arguments:?} hangs");
            }
            thread::sleep(Duration::from_millis(5));
        };
        let text = |path: &Path| fs::read_to_string(path).expect("UTF-8");
        let output = Output { code: status.code().unwrap_or(-1), stdout: text(&stdout), stderr: text(&stderr) };
        assert!(!all(&output).contains(SECRET), "{arguments:?}: {output}");
        output
    }

    /// Runs the workflow, which has nothing to do with what is special.
    fn assert_workflow_runs(&self, about: &dyn std::fmt::Debug) {
        let output = self.run(&["workflow", "run", "hello"]);
        assert_eq!(output.code, 0, "{about:?}: {output}");
    }

    /// The state of a source after a scan.
    fn state(&self, path: &str) -> Option<String> {
        let output = self.run(&["scan", "--json", "--all"]);
        let document = output.document();
        let sources = document["sources"].as_array().expect("a list of sources");
        let found = sources.iter().find(|source| source["path"] == path)?;
        found["state"].as_str().map(str::to_owned)
    }
}

fn all(output: &Output) -> String {
    [output.stdout.as_str(), output.stderr.as_str()].concat()
}

/// Asserts that a line names the file and another, or the same, the code.
fn assert_told(output: &Output, file: &str, code: &str) {
    let text = all(output);
    assert!(text.contains(file) && text.contains(code), "{file} and {code} are not told: {output}");
}

#[test]
fn f02_f03_definitions_and_workflows() {
    let world = World::new();
    let files = |directory: &str, special: Special| format!("{directory}/{}.yaml", special.stem());
    for directory in ["models/@acme/greeter", "workflows", "extensions/workflows"] {
        for special in Special::ALL {
            world.put(special, &files(directory, special));
        }
    }
    world.assert_workflow_runs(&"files of every kind");
    world.run(&["workflow", "list"]);
    world.run(&["doctor"]);
    let output = world.run(&["workflow", "validate", "--json"]);
    let document = output.document();
    let problems = document["problems"].as_array().expect("a list of problems");
    for directory in ["models/@acme/greeter", "workflows", "extensions/workflows"] {
        for special in Special::ALL.into_iter().filter(|special| *special != Special::Directory) {
            let file = files(directory, special);
            let found = problems.iter().find(|problem| problem["path"] == *file);
            let found = found.unwrap_or_else(|| panic!("nothing is told of {file}: {document:#}"));
            assert_eq!(found["code"], special.code(), "{found:#}");
        }
    }
}

#[test]
fn f02_links_in_circles_make_no_second_document() {
    for (link, target) in [
        ("workflows/up", ".."),
        ("workflows/here", "."),
        ("models/up", ".."),
        ("models/@acme/greeter/top", "../../../models"),
        ("extensions/workflows", "../workflows"),
        ("workflows/again.yaml", "hello.yaml"),
        ("models/@acme/greeter/again.yaml", "greeter.yaml"),
    ] {
        let world = World::new();
        symlink(target, world.sandbox.tree.path(link)).expect("a link");
        world.assert_workflow_runs(&(link, target));
        let list = world.run(&["workflow", "list"]);
        assert_eq!(list.stderr, "", "{link} -> {target}");
        assert_eq!(list.stdout.lines().count(), 1, "{link} -> {target}: {list}");
    }
}

#[test]
fn f02_f03_sources() {
    let world = World::new();
    let file = |special: Special| format!("extensions/models/{}.ts", special.stem());
    for special in Special::ALL {
        world.put(special, &file(special));
    }
    let output = world.run(&["scan", "--json", "--all"]);
    for special in Special::ALL.into_iter().filter(|special| *special != Special::Directory) {
        assert_told(&output, &file(special), special.code());
    }
    world.assert_workflow_runs(&"sources of every kind");
    for special in [Special::Pipe, Special::Socket, Special::Loop, Special::Nowhere, Special::Huge] {
        assert_eq!(world.state(&file(special)).as_deref(), Some("EntryPointUnreadable"), "{special:?}");
    }
}

#[test]
fn f24_a_source_that_became_special_is_unreadable_and_goes_on_working() {
    for special in [Special::Pipe, Special::Socket, Special::Loop, Special::Nowhere, Special::Huge] {
        let world = World::new();
        assert_eq!(world.state(MODEL).as_deref(), Some("Indexed"));
        world.put(special, MODEL);
        for _ in 0..2 {
            assert_eq!(world.state(MODEL).as_deref(), Some("Indexed"), "{special:?}");
        }
        assert_told(&world.run(&["why", "@acme/greeter"]), "greeter", special.code());
        world.assert_workflow_runs(&special);
        fs::remove_file(world.sandbox.tree.path(MODEL)).expect("removed");
        assert_eq!(world.state(MODEL), None, "{special:?}: what is gone is gone");
    }
}

#[test]
fn f02_f03_imports() {
    let world = World::new();
    for special in Special::ALL {
        for (ending, clause) in [("ts", ""), ("json", " with { type: \"json\" }")] {
            let helper = format!("{}.{ending}", special.stem());
            world.put(special, &format!("extensions/models/_lib/{helper}"));
            let import = format!("import * as helper from \"./_lib/{helper}\"{clause};\nconsole.log(helper);\n");
            let source = [import, model(&format!("@acme/{}-{ending}", special.stem()))].concat();
            world.sandbox.write(&format!("extensions/models/imports-{}-{ending}.ts", special.stem()), &source);
        }
    }
    world.assert_workflow_runs(&"imports of every kind");
    for special in Special::ALL {
        for ending in ["ts", "json"] {
            let source = format!("extensions/models/imports-{}-{ending}.ts", special.stem());
            assert_ne!(world.state(&source).as_deref(), Some("Indexed"), "{source}");
        }
    }
}

/// What each command says of a repository in which this file is special.
fn each(file: &str, arguments: &[&str], mut check: impl FnMut(Special, &World, Output)) {
    for special in Special::ALL {
        let world = World::new();
        world.put(special, file);
        let output = world.run(arguments);
        check(special, &world, output);
    }
}

#[test]
fn f02_f03_lists_of_roots() {
    for file in [".swamp-sources.yaml", "extensions/models/upstream_extensions.json"] {
        each(file, &["scan", "--json", "--all"], |special, world, output| {
            assert_told(&output, file, special.code());
            world.assert_workflow_runs(&(file, special));
        });
    }
}

#[test]
fn f02_f03_configuration_beside_sources() {
    for file in ["extensions/manifest.yaml", "deno.json", "package.json"] {
        each(file, &["scan", "--json", "--all"], |special, world, output| {
            // A directory, or a link to nothing, is no configuration.
            let is_told =
                file.ends_with(".yaml") || !matches!(special, Special::Directory | Special::Loop | Special::Nowhere);
            if is_told {
                assert_told(&output, file, special.code());
            }
            world.assert_workflow_runs(&(file, special));
        });
    }
}

#[test]
fn f02_f03_settings_and_locks_of_packages() {
    for file in [".npmrc", "mangrove.lock", "deno.lock", ".mangrove/npm.lock"] {
        for special in Special::ALL {
            let world = World::new();
            world.sandbox.write("extensions/models/p.ts", &["import 'npm:left-pad@1';\n", &model("@acme/p")].concat());
            world.put(special, file);
            if file.starts_with(".mangrove")
                && matches!(special, Special::Device | Special::Out | Special::Nowhere | Special::Loop)
            {
                // Refused with the whole state directory.
                continue;
            }
            let output = world.run(&["scan", "--offline", "--json", "--all"]);
            let state = output.document()["sources"].as_array().expect("a list").clone();
            let good = state.iter().find(|source| source["path"] == MODEL).expect("the good model");
            assert_eq!(good["state"], "Indexed", "{file} {special:?}: {output}");
        }
    }
}

#[test]
fn f02_f03_the_marker() {
    each("mangrove.yaml", &["scan"], |special, _, output| {
        if special == Special::Directory {
            assert_told(&output, "repository", "MG0601");
        } else {
            assert_told(&output, "mangrove.yaml", special.code());
        }
        assert!(output.code > 0, "{special:?}: {output}");
    });
}

#[test]
fn f02_input_files() {
    for special in Special::ALL {
        let world = World::new();
        world.put(special, "inputs.yaml");
        let output = world.run(&["workflow", "run", "hello", "--input-file", "inputs.yaml"]);
        // A person names it, so a link may lead anywhere.
        if special == Special::Out {
            assert_eq!(output.code, 0, "{output}");
        } else {
            let code = if special == Special::Device { "MG0417" } else { special.code() };
            assert_told(&output, "inputs.yaml", code);
            assert_eq!(output.code, 2, "{special:?}: {output}");
        }
    }
}

#[test]
fn f02_f03_files_of_pulled_extensions() {
    const FILE: &str = ".swamp/pulled-extensions/@acme/tools/models/p.ts";
    for special in Special::ALL {
        let world = World::new();
        let source = model("@acme/pulled");
        let lock = serde_json::json!({ "@acme/tools": {
            "version": "2026.01.01.1",
            "files": ["models/p.ts"],
            "filesChecksum": { "models/p.ts": Digest::of(source.as_bytes()).to_string() },
        } });
        world.sandbox.write("extensions/models/upstream_extensions.json", &lock.to_string());
        world.sandbox.write(FILE, &source);
        world.put(special, FILE);
        let document = world.run(&["doctor", "--json"]).document();
        let text = document["lockfile"].to_string();
        assert!(text.contains("models/p.ts"), "{special:?} is not told: {document:#}");
        world.assert_workflow_runs(&special);
    }
}

#[test]
fn f27_a_bundle_that_became_special_is_built_again() {
    for special in Special::ALL {
        let world = World::new();
        assert_eq!(world.state(MODEL).as_deref(), Some("Indexed"));
        let bundles = world.sandbox.bundles();
        let bundle = bundles[0].strip_prefix(world.sandbox.tree.root()).expect("in the repository");
        world.put(special, bundle.to_str().expect("UTF-8"));
        if special == Special::Directory {
            // Nothing of ours is put over a directory; the doctor takes it away.
            world.run(&["doctor", "--repair", "--apply"]);
        }
        world.assert_workflow_runs(&special);
        assert_eq!(world.sandbox.bundles(), bundles, "{special:?}");
        let secret = fs::read_to_string(world.outside.path().join("shadow")).expect("a file");
        assert_eq!(secret, SECRET, "{special:?}");
    }
}

#[test]
fn f02_f03_files_of_the_state_directory() {
    for file in ["catalog.db-lock", "runs.db-lock", "stat-cache", "seal", "data", "runs.db-running", "catalog.db"] {
        for special in [Special::Pipe, Special::Socket, Special::Device, Special::Out, Special::Nowhere, Special::Loop]
        {
            let world = World::new();
            world.put(special, &format!(".mangrove/{file}"));
            for arguments in [["scan", "--quiet"].as_slice(), &["workflow", "run", "hello"], &["doctor"]] {
                world.run(arguments);
            }
            let secret = fs::read_to_string(world.outside.path().join("shadow")).expect("a file");
            assert_eq!(secret, SECRET, "{file} {special:?}");
            let left: Vec<PathBuf> = crate::sandbox::files_below(world.outside.path());
            assert_eq!(left.len(), 3, "{file} {special:?}: {left:?}");
        }
    }
}

#[test]
fn f20_temporary_files_of_dead_processes_are_removed() {
    let world = World::new();
    world.assert_workflow_runs(&"before");
    let old = [".mangrove/clock-abcdef", ".mangrove/.new-abcdef"];
    let long_ago = std::time::SystemTime::now() - Duration::from_hours(2);
    for path in old {
        world.sandbox.write(path, "");
        let file = File::options().write(true).open(world.sandbox.tree.path(path)).expect("opens");
        file.set_modified(long_ago).expect("a time");
    }
    world.sandbox.write(".mangrove/.new-young", "");
    world.run(&["scan", "--quiet"]);
    for path in old {
        assert!(!world.sandbox.tree.path(path).exists(), "{path} is left");
    }
    assert!(world.sandbox.tree.path(".mangrove/.new-young").exists(), "somebody may be writing it");
}
