//! The second bundler, with a real Deno and with programs that stand in for it.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use mangrove_testkit::registry::FakeRegistry;
use serde_json::Value;

use crate::{
    fixtures::{model, model_with},
    sandbox::{Output, Sandbox, Scan},
};

/// A real Deno: `MANGROVE_TEST_DENO`, then `PATH`, then, in continuous integration, what this very program installs.
/// `None` where there is none and this is not continuous integration, or no registry can be reached.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) fn real() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("MANGROVE_TEST_DENO") {
        return Some(path.into());
    }
    let directories = std::env::var_os("PATH").unwrap_or_default();
    if let Some(found) = std::env::split_paths(&directories).map(|path| path.join("deno")).find(|path| path.is_file()) {
        return Some(found);
    }
    if std::env::var_os("CI").is_none_or(|value| value != "true") {
        eprintln!("SKIPPED: this test needs Deno; `MANGROVE_TEST_DENO` or `PATH` names it, CI=true installs it");
        return None;
    }
    let state = Path::new(env!("CARGO_TARGET_TMPDIR")).join("deno");
    let sandbox = Sandbox::new("");
    let mut command = Command::new(env!("CARGO_BIN_EXE_mangrove"));
    command.current_dir(sandbox.tree.root()).arg("--state-dir").arg(&state).args(["runtime", "install", "deno"]);
    let output = command.output().expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    // A network that fails is no defect of ours; anything else is.
    if ["MG0301", "MG0302", "MG0303"].iter().any(|code| said.contains(code)) {
        eprintln!("SKIPPED: Deno cannot be fetched from a registry here");
        return None;
    }
    assert!(output.status.success(), "Deno cannot be installed: {said}");
    Some(state.join("runtime/deno"))
}

/// Variables that a real Deno needs to reach its registry from here.
pub(crate) fn network() -> impl Iterator<Item = (String, String)> {
    let names = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "NPM_CONFIG_REGISTRY"];
    names.into_iter().flat_map(|name| [name.to_owned(), name.to_lowercase()]).filter_map(|name| {
        let value = std::env::var(&name).ok()?;
        Some((name, value))
    })
}

fn run(sandbox: &Sandbox, deno: &Path, arguments: &[&str]) -> Output {
    let output =
        sandbox.command().envs(network()).env("MANGROVE_DENO", deno).args(arguments).output().expect("it starts");
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
    }
}

/// A program in the sandbox that stands in for Deno, and tells what it reads as Deno does.
fn program(sandbox: &Sandbox, script: &str) -> PathBuf {
    sandbox.write(
        "bin/deno",
        &format!("#!/bin/sh\n[ \"$1\" = --version ] && {{ echo deno 2.9.6; exit 0; }}\n{LOADS}\n{script}\n"),
    );
    let path = sandbox.tree.path("bin/deno");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be made a program");
    path
}

const LOADS: &str = r#"for argument in "$@"; do entry=$argument; done
[ "$1" = bundle ] && echo "DEBUG RS - deno::tools::bundle:1 - on_load: OnLoadArgs { path: \"$entry\" }" >&2"#;

const JSR: &str = "import { join } from 'jsr:@std/path@1'; export const joined = join('a', 'b');";

#[test]
fn without_deno_a_jsr_import_names_the_command_that_gets_it() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &model_with(JSR, "@acme/a", ""));
    sandbox.write("extensions/models/b.ts", &model("@acme/b"));
    let output =
        sandbox.command().env("PATH", "/nowhere").args(["scan", "--json", "--all"]).output().expect("it starts");
    let scan = Scan(serde_json::from_slice(&output.stdout).expect("JSON"));
    assert_eq!(scan.source("extensions/models/b.ts")["state"], "Indexed", "others need no Deno");
    let failure = &scan.source("extensions/models/a.ts")["failure"];
    assert_eq!((&failure["class"], &failure["code"]), (&Value::from("Environment"), &Value::from("MG0230")));
    let hint = failure["hint"].as_str().unwrap_or_default();
    assert!(hint.contains("mangrove runtime install deno"), "{failure:#}");
    let message = failure["message"].as_str().unwrap_or_default();
    assert!(message.contains("the import \"jsr:@std/path@1\" needs Deno"), "{failure:#}");
    let told = sandbox.command().env("PATH", "/nowhere").args(["why", "extensions/models/a.ts"]).output();
    let told = String::from_utf8(told.expect("it starts").stdout).expect("text");
    assert!(told.contains("extensions/models/a.ts:1:"), "{told}");
}

#[test]
fn f20_an_import_that_the_embedded_bundler_refuses_has_its_place() {
    let sandbox = Sandbox::new("");
    sandbox.write("mangrove.yaml", "repoId: 00000000-0000-4000-8000-000000000001\nbundler: embedded\n");
    sandbox
        .write("extensions/models/a.ts", &model_with("import { join } from '../lib/path.ts'; join();", "@acme/a", ""));
    sandbox.write("extensions/lib/path.ts", &format!("// paths\n{JSR}\nexport {{ join }};\n"));
    let output = sandbox.run(&["scan", "--all"]);
    let told = format!("{}{}", output.stdout, output.stderr);
    assert!(told.contains("jsr:@std/path@1") && told.contains("extensions/lib/path.ts:2:22"), "{told}");
}

#[test]
fn a_working_type_goes_on_working_when_deno_is_taken_away() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &model_with(JSR, "@acme/a", ""));
    let copy =
        "for argument in \"$@\"; do entry=$argument; [ \"$previous\" = -o ] && out=$argument; previous=$argument; done
sed '/^import/d' \"$entry\" > \"$out\"";
    let deno = program(&sandbox, copy);
    let scan =
        |arguments: &[&str]| Scan(run(&sandbox, &deno, &[&["scan", "--json", "--all"], arguments].concat()).document());
    assert_eq!(scan(&[]).source("extensions/models/a.ts")["state"], "Indexed");
    fs::remove_file(&deno).expect("it is there");
    let after = scan(&[]);
    assert_eq!(after.built(), 0, "an absent program is no change: {:#}", after.0);
    assert_eq!(after.source("extensions/models/a.ts")["degraded"], false);
    sandbox.edit("extensions/models/a.ts", "2026.05.23.1", "2026.05.23.2");
    let edited = scan(&[]);
    let source = edited.source("extensions/models/a.ts");
    assert_eq!((&source["state"], &source["degraded"]), (&Value::from("Indexed"), &Value::from(true)), "{source:#}");
}

#[test]
fn configuration_names_bundler_and_program() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &model("@acme/a"));
    program(&sandbox, "echo 'error: something new' >&2; exit 1");
    sandbox.write("mangrove.yaml", "repoId: 00000000-0000-4000-8000-000000000001\nbundler: deno\ndeno: bin/deno\n");
    let status = sandbox.json(&["runtime", "status"]);
    let deno =
        status["programs"].as_array().and_then(|programs| programs.iter().find(|program| program["name"] == "deno"));
    let deno = deno.expect("deno is told");
    assert_eq!(
        (&status["bundler"], &deno["origin"]),
        (&Value::from("deno"), &Value::from("configuration")),
        "{status:#}"
    );
    assert_eq!(deno["version"], "2.9.6");
    let failure = sandbox.scan(&[]).source("extensions/models/a.ts")["failure"].clone();
    assert_eq!(failure["code"], "MG0231", "its tool is not there: {failure:#}");
    assert_eq!(sandbox.scan(&["--bundler", "embedded"]).source("extensions/models/a.ts")["state"], "Indexed");

    sandbox.write("mangrove.yaml", "bundler: dneo\n");
    let output = sandbox.run(&["scan"]);
    assert_eq!(output.code, 2, "{output}");
    assert!(output.stderr.contains("did you mean `deno`?"), "{output}");
}

#[test]
fn status_changes_nothing() {
    let sandbox = Sandbox::new("");
    assert_eq!(sandbox.run(&["runtime", "status"]).code, 0);
    assert!(!sandbox.tree.path(".mangrove").exists(), "fault 40: looking writes nothing");
}

#[test]
fn deno_cannot_be_installed_from_a_registry_that_lacks_it() {
    let sandbox = Sandbox::new("");
    let registry = FakeRegistry::start().expect("a free port");
    let install = || {
        let arguments = ["runtime", "install", "deno", "--json"];
        let output =
            sandbox.command().env("MANGROVE_NPM_REGISTRY", registry.url()).args(arguments).output().expect("it starts");
        let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        (output.status.code(), document)
    };
    let (code, error) = install();
    assert_eq!((code, &error["code"]), (Some(3), &Value::from("MG0304")), "{error:#}");
    registry.go_down();
    let (code, error) = install();
    assert_eq!((code, &error["code"]), (Some(75), &Value::from("MG0301")), "{error:#}");
}

/// What the fixtures export, built by each bundler.
fn descriptions(sandbox: &Sandbox, deno: &Path, bundler: &str) -> BTreeMap<String, Value> {
    let state = format!(".state-{bundler}");
    let run = |arguments: &[&str]| {
        run(sandbox, deno, &[&["--bundler", bundler, "--state-dir", &state, "--json"], arguments].concat())
    };
    let scan = run(&["scan", "--all"]);
    assert_eq!(scan.code, 0, "{scan}");
    let scan = Scan(scan.document());
    let types = scan.states().into_iter().map(|(path, state)| {
        let name = scan.source(&path)["type"].as_str().map(str::to_owned);
        let description = match name {
            Some(name) if state == "Indexed" => {
                let mut description = run(&["describe", &name]).document();
                // Deno's bundle holds the packages too, and what they touch while they load is told with the rest.
                description["requirements"].take();
                description
            }
            _ => Value::from(format!("{state} {}", scan.source(&path)["failure"]["code"])),
        };
        (path, description)
    });
    types.collect()
}

#[test]
fn a_real_deno_gives_what_the_embedded_bundler_gives() {
    let Some(deno) = real() else { return };
    let zod_model = |import: &str, name: &str| {
        format!(
            "{import}\nexport const model = {{ type: \"@acme/{name}\", version: \"2026.05.23.1\", methods: {{ go: {{ \
             description: \"Go\", arguments: z.object({{ to: z.string() }}), execute: async () => ({{ dataHandles: [] }}) }} }} }};\n"
        )
    };
    let sandbox = Sandbox::new("");
    sandbox.write(
        "extensions/models/local.ts",
        &model_with("import { one } from './_lib/one.ts'; one();", "@acme/local", ""),
    );
    sandbox.write("extensions/models/_lib/one.ts", "export const one = (): number => 1;\n");
    sandbox.write("extensions/models/npm.ts", &zod_model("import { z } from \"npm:zod@4.3.6\";", "npm"));
    sandbox.write("extensions/models/broken.ts", "export const model = { type: '@acme/broken', ;\n");
    sandbox.write(
        "extensions/models/missing.ts",
        "import './gone.ts';\nexport const model = { type: '@acme/missing' };\n",
    );
    sandbox.write(
        "extensions/models/mapped/deno.json",
        r#"{ "imports": { "z4": "npm:zod@4.3.6" }, "tasks": { "x": "y" } }"#,
    );
    sandbox.write("extensions/models/mapped/a.ts", &zod_model("import { z } from \"z4\";", "mapped"));
    sandbox.write("extensions/models/bare/package.json", r#"{ "dependencies": { "zod": "4.3.6" } }"#);
    sandbox.write("extensions/models/bare/a.ts", &zod_model("import { z } from \"zod\";", "bare"));
    let by_deno = descriptions(&sandbox, &deno, "deno");
    let embedded = descriptions(&sandbox, &deno, "embedded");
    assert_eq!(by_deno, embedded);
    assert_eq!(by_deno.values().filter(|value| value.is_object()).count(), 4, "{by_deno:#?}");
    let written = crate::sandbox::files_below(&sandbox.tree.root());
    let foreign =
        written.iter().filter(|path| path.ends_with("deno.lock") || path.to_string_lossy().contains("node_modules"));
    let foreign: Vec<_> = foreign.filter(|path| !path.to_string_lossy().contains("/.state-")).collect();
    assert_eq!(
        foreign,
        [""; 0].map(PathBuf::from).iter().collect::<Vec<_>>(),
        "a build writes nothing into the repository"
    );
}

/// The part that a real Deno fetches before its first bundle: package, version, and the file in the sandbox.
pub(crate) fn tool(sandbox: &Sandbox, deno: &Path) -> (String, String, PathBuf) {
    sandbox.write("extensions/models/a.ts", &model("@acme/a"));
    let scan = run(sandbox, deno, &["scan", "--bundler", "deno", "--json", "--all"]);
    assert_eq!(Scan(scan.document()).source("extensions/models/a.ts")["state"], "Indexed", "{scan}");
    let file = crate::sandbox::files_below(&sandbox.tree.path(".mangrove/deno/cache/dl")).remove(0);
    let name = file.file_name().and_then(|name| name.to_str()).expect("a name").replacen("esbuild-", "@esbuild/", 1);
    let directory = file.parent().and_then(Path::file_name).and_then(|name| name.to_str()).expect("a directory");
    let version = directory.split('-').nth(1).expect("esbuild-<version>-<format>").to_owned();
    (name, version, file)
}
