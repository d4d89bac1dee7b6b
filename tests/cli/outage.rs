//! The case that the product exists for, live: a host without network, then with it. The host is a network namespace
//! of its own, the registry a process inside of it. Needs root and `ip`.

use std::{
    io::Read as _,
    path::Path,
    process::{Child, Stdio},
    time::Duration,
};

use mangrove_testkit::{
    namespaces::Namespace,
    registry::{FakePackage, FakeRegistry},
};
use serde_json::Value;

use crate::{
    fixtures::model_with,
    sandbox::{Output, Sandbox},
};

/// Set for the process that serves the registry: where it writes its address.
const REGISTRY_ADDRESS_FILE: &str = "MANGROVE_TEST_REGISTRY_ADDRESS_FILE";

/// Set as well if it shall serve what Deno fetches before its first bundle: package, version and file, by lines.
const REGISTRY_TOOL: &str = "MANGROVE_TEST_REGISTRY_TOOL";

const DEFINITION: &str = "id: 7f9c24e5-2f64-4c1e-8f0b-9c8b7d6e5a41
name: shouter
version: 1
methods: {}
";

const WORKFLOW: &str = "id: 5b1f0a3e-2f64-4c1e-8f0b-9c8b7d6e5a41
name: hello
version: 1
jobs:
  - name: only
    steps:
      - name: greet
        task: { type: model_method, modelIdOrName: shouter, methodName: greet, inputs: { name: world } }
";

/// Runs the program on a repository in a namespace, with this registry.
pub(crate) fn run(namespace: &Namespace, sandbox: &Sandbox, registry: &str, arguments: &[&str]) -> Output {
    let mut command = namespace.command(Path::new(env!("CARGO_BIN_EXE_mangrove")));
    sandbox.prepare(&mut command);
    let output = command.env("MANGROVE_NPM_REGISTRY", registry).args(arguments).output().expect("ip starts");
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
    }
}

/// The registry as a process of the namespace.
pub(crate) struct Registry {
    process: Child,
    pub(crate) url: String,
}

impl Registry {
    pub(crate) fn start(namespace: &Namespace) -> Self {
        Self::start_with(namespace, None)
    }

    /// A registry that also serves what Deno fetches before its first bundle.
    fn start_with(namespace: &Namespace, tool: Option<&str>) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let address = directory.path().join("address");
        let process = namespace
            .command(&std::env::current_exe().expect("this program"))
            .args(["--exact", "outage::serves_the_registry_when_it_is_asked_to", "--nocapture"])
            .env(REGISTRY_ADDRESS_FILE, &address)
            .envs(tool.map(|tool| (REGISTRY_TOOL, tool)))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the registry starts");
        let mut registry = Self { process, url: String::new() };
        for _ in 0..1500 {
            if let Ok(url) = std::fs::read_to_string(&address)
                && url.ends_with('/')
            {
                registry.url = url;
                return registry;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the registry did not start within 30 s");
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Not a test of its own: the registry of the others, when they start this program again.
#[test]
fn serves_the_registry_when_it_is_asked_to() {
    let Some(address) = std::env::var_os(REGISTRY_ADDRESS_FILE) else { return };
    let registry = FakeRegistry::start().expect("a free port");
    registry.publish(
        FakePackage::new("shout", "1.2.0").file("index.js", "export const shout = (text) => text.toUpperCase();\n"),
    );
    registry.publish(
        FakePackage::new("whisper", "1.0.0").file("index.js", "export const whisper = (text) => text.toLowerCase();\n"),
    );
    if let Ok(tool) = std::env::var(REGISTRY_TOOL) {
        let [name, version, file] = tool.lines().collect::<Vec<_>>()[..] else { panic!("three lines: {tool}") };
        let bytes = std::fs::read(file).expect("the tool");
        registry.publish(FakePackage::new(name, version).raw_file("package/bin/esbuild", &bytes));
    }
    std::fs::write(address, registry.url()).expect("the address can be told");
    // Serves until whoever started it closes the pipe or kills it.
    let mut nothing = Vec::new();
    let _ = std::io::stdin().read_to_end(&mut nothing);
}

pub(crate) fn repository() -> Sandbox {
    let sandbox = Sandbox::new("");
    let source = model_with("import { shout } from \"npm:shout@^1\";", "@acme/shout", "")
        .replace("`hello ${args.name}`", "`hello ${shout(args.name)}`");
    sandbox.write("extensions/models/shout.ts", &source);
    sandbox.write("extensions/models/rejected.ts", &model_with("", "@acme/rejected", "checks: 3,"));
    sandbox.write("models/@acme/shout/7f9c24e5-2f64-4c1e-8f0b-9c8b7d6e5a41.yaml", DEFINITION);
    sandbox.write("workflows/hello.yaml", WORKFLOW);
    sandbox
}

fn source<'a>(scan: &'a Value, path: &str) -> &'a Value {
    let sources = scan["sources"].as_array().expect("sources");
    sources.iter().find(|source| source["path"] == path).unwrap_or_else(|| panic!("{path} is not told: {scan:#}"))
}

#[test]
fn fault_01_the_first_run_after_an_outage_succeeds_without_another_command() {
    let Some(namespace) = Namespace::create("first") else { return };
    namespace.loopback("up");
    let registry = Registry::start(&namespace);
    namespace.loopback("down");
    let sandbox = repository();
    let run = |arguments: &[&str]| run(&namespace, &sandbox, &registry.url, arguments);

    let scan = run(&["scan", "--json", "--all"]);
    assert_eq!(scan.code, 0, "{scan}");
    let scan = scan.document();
    let failed = source(&scan, "extensions/models/shout.ts");
    assert_eq!(failed["state"], "BundleBuildFailed", "{failed:#}");
    assert_eq!(failed["failure"]["class"], "Transient", "{failed:#}");
    assert_eq!(failed["failure"]["code"], "MG0301", "{failed:#}");
    assert_eq!(source(&scan, "extensions/models/rejected.ts")["state"], "ValidationFailed");

    for attempts in [2, 3] {
        let blocked = run(&["workflow", "run", "hello", "--json"]);
        assert_eq!(blocked.code, 75, "try again later: {blocked}");
        let last: Value = blocked.stdout.lines().last().and_then(|line| serde_json::from_str(line).ok()).expect("JSON");
        assert_eq!(last["status"], "blocked", "{last:#}");
        assert_eq!(last["error"]["blockedBy"], "@acme/shout", "{last:#}");
        assert_eq!(last["error"]["failure"]["attempts"], attempts, "every process tries once: {last:#}");
        let told = last["error"]["message"].as_str().unwrap_or_default();
        assert!(told.contains("extensions/models/shout.ts"), "the source is named: {told}");
    }

    namespace.loopback("up");
    let succeeded = run(&["workflow", "run", "hello"]);
    assert_eq!(succeeded.code, 0, "{succeeded}");
    assert!(succeeded.stdout.contains("hello WORLD"), "{succeeded}");

    // What was rejected is a cached answer, whatever the network does.
    let settled = run(&["scan", "--json", "--all"]).document();
    assert_eq!(settled["summary"]["built"], 0, "{settled:#}");
    assert_eq!(source(&settled, "extensions/models/rejected.ts")["state"], "ValidationFailed");

    // What is cached needs no network.
    namespace.loopback("down");
    let offline = run(&["workflow", "run", "hello"]);
    assert_eq!(offline.code, 0, "{offline}");
}

#[test]
fn fault_01_the_first_run_after_an_outage_succeeds_with_deno_as_well() {
    let Some(deno) = crate::deno::real() else { return };
    let Some(namespace) = Namespace::create("deno") else { return };
    let kept = Sandbox::new("");
    let (name, version, file) = crate::deno::tool(&kept, &deno);
    namespace.loopback("up");
    let registry = Registry::start_with(&namespace, Some(&format!("{name}\n{version}\n{}", file.display())));
    namespace.loopback("down");
    let sandbox = repository();
    let marker = format!("repoId: 00000000-0000-4000-8000-000000000001\nbundler: deno\ndeno: {}\n", deno.display());
    sandbox.write("mangrove.yaml", &marker);
    let run = |arguments: &[&str]| run(&namespace, &sandbox, &registry.url, arguments);

    // On a cold cache not even a source without imports can be built.
    let scan = run(&["scan", "--json", "--all"]).document();
    for path in ["extensions/models/shout.ts", "extensions/models/rejected.ts"] {
        let failed = source(&scan, path);
        assert_eq!(failed["state"], "BundleBuildFailed", "{failed:#}");
        assert_eq!(failed["failure"]["class"], "Transient", "{failed:#}");
        assert_eq!(failed["failure"]["code"], "MG0231", "{failed:#}");
    }
    for attempts in [2, 3] {
        let blocked = run(&["workflow", "run", "hello", "--json"]);
        assert_eq!(blocked.code, 75, "try again later: {blocked}");
        let last: Value = blocked.stdout.lines().last().and_then(|line| serde_json::from_str(line).ok()).expect("JSON");
        assert_eq!(last["status"], "blocked", "{last:#}");
        assert_eq!(last["error"]["failure"]["attempts"], attempts, "every process tries once: {last:#}");
    }

    namespace.loopback("up");
    let succeeded = run(&["workflow", "run", "hello"]);
    assert_eq!(succeeded.code, 0, "{succeeded}");
    assert!(succeeded.stdout.contains("hello WORLD"), "{succeeded}");
    let settled = run(&["scan", "--json", "--all"]).document();
    assert_eq!(source(&settled, "extensions/models/rejected.ts")["state"], "ValidationFailed", "{settled:#}");
}

#[test]
fn a_working_type_goes_on_working_through_an_outage() {
    let Some(namespace) = Namespace::create("working") else { return };
    namespace.loopback("up");
    let registry = Registry::start(&namespace);
    let sandbox = repository();
    let run = |arguments: &[&str]| run(&namespace, &sandbox, &registry.url, arguments);
    assert_eq!(run(&["scan"]).code, 0);

    namespace.loopback("down");
    sandbox.edit("extensions/models/shout.ts", "npm:shout@^1", "npm:shout@~1.2");
    let scan = run(&["scan", "--json", "--all"]).document();
    let degraded = source(&scan, "extensions/models/shout.ts");
    assert_eq!(
        (&degraded["state"], &degraded["degraded"]),
        (&Value::from("Indexed"), &Value::from(true)),
        "{degraded:#}"
    );
    let served = run(&["workflow", "run", "hello"]);
    assert_eq!(served.code, 0, "the last good bundle serves: {served}");

    namespace.loopback("up");
    let healed = run(&["scan", "--json", "--all"]).document();
    assert_eq!(source(&healed, "extensions/models/shout.ts")["degraded"], false, "{healed:#}");
}
