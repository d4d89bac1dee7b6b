//! Extensions from elsewhere: pulled from a registry, an archive, a directory; restored, listed, removed.

use std::{collections::BTreeMap, fs, os::unix::fs::symlink, path::Path, time::Duration};

use mangrove_domain::digest::Digest;
use mangrove_testkit::{
    extensions::FakeExtension,
    registry::{FakePackage, FakeRegistry, Misbehaviour},
};
use serde_json::Value;

use crate::{
    fixtures::model,
    sandbox::{Output, Sandbox, files_below},
};

const LOCKFILE: &str = "extensions/models/upstream_extensions.json";
const PULLED: &str = ".swamp/pulled-extensions";

struct World {
    sandbox: Sandbox,
    registry: FakeRegistry,
}

impl World {
    fn new() -> Self {
        Self { sandbox: Sandbox::new(""), registry: FakeRegistry::start().expect("a free port") }
    }

    fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = self.sandbox.command();
        command.args(arguments).env("SWAMP_CLUB_URL", self.registry.url()).envs(variables.iter().copied());
        let output = command.output().expect("the program starts");
        Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    /// `mangrove extension …` with the address of the registry in the environment.
    fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(&[&["extension"], arguments].concat(), &[])
    }

    fn good(&self, arguments: &[&str]) -> Output {
        let output = self.run(arguments);
        assert_eq!(output.code, 0, "{arguments:?}: {output}");
        output
    }

    fn json(&self, arguments: &[&str]) -> Value {
        self.good(&[arguments, &["--json"]].concat()).document()
    }

    fn lock(&self) -> Value {
        serde_json::from_str(&self.sandbox.tree.read(LOCKFILE).expect("a lockfile")).expect("JSON")
    }

    /// Everything but the state, by path.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let root = self.sandbox.tree.root();
        let below = |path: &Path| path.strip_prefix(&root).expect("below").display().to_string();
        let files = files_below(&root).into_iter().filter(|path| !path.starts_with(root.join(".mangrove")));
        files.map(|path| (below(&path), fs::read(&path).expect("a file"))).collect()
    }

    fn pulled(&self) -> Vec<String> {
        let below = |path: String| path.strip_prefix(&format!("{PULLED}/")).map(str::to_owned);
        self.files().into_keys().filter_map(below).collect()
    }

    /// The types that resolve, by their names, with the version of their extension.
    fn types(&self) -> BTreeMap<String, String> {
        self.sandbox.scan(&[]);
        let document = self.sandbox.json(&["types"]);
        let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let types = document["types"].as_array().expect("types");
        types.iter().map(|found| (text(found, "type"), text(found, "extension"))).collect()
    }
}

fn dns(version: &str) -> FakeExtension {
    FakeExtension::new("@acme/dns", version, "models: [dns.ts]")
        .file("models/dns.ts", &model("@acme/dns"))
        .file("README.md", version)
}

#[test]
fn what_is_pulled_is_locked_and_the_next_scan_has_it() {
    let world = World::new();
    world.registry.publish_extension(dns("2026.05.01.1"));
    let document = world.json(&["pull", "@acme/dns"]);
    assert_eq!(document["extensions"][0]["version"], "2026.05.01.1");
    assert_eq!(document["extensions"][0]["status"], "pulled");
    assert_eq!(world.pulled(), ["@acme/dns/README.md", "@acme/dns/manifest.yaml", "@acme/dns/models/dns.ts"]);
    let entry = &world.lock()["@acme/dns"];
    let archive = dns("2026.05.01.1").archive();
    assert_eq!(entry["version"], "2026.05.01.1");
    assert_eq!(entry["checksum"], Digest::of(&archive).to_string());
    assert_eq!(entry["serverUrl"], world.registry.url().trim_end_matches('/'));
    assert_eq!(entry["files"][2], ".swamp/pulled-extensions/@acme/dns/models/dns.ts");
    let files = world.files();
    let digest = |path: &str| Digest::of(&files[&format!("{PULLED}/@acme/dns/{path}")]).to_string();
    let lines = ["README.md", "manifest.yaml", "models/dns.ts"].map(|path| format!("{path}\0{}\n", digest(path)));
    assert_eq!(entry["filesChecksum"], Digest::of(lines.concat().as_bytes()).to_string());
    assert!(entry["pulledAt"].as_str().is_some_and(|at| at.ends_with('Z')));
    assert_eq!(world.types(), BTreeMap::from([("@acme/dns".to_owned(), "@acme/dns".to_owned())]));
    assert_eq!(world.sandbox.run(&["doctor"]).code, 0);
    let asked: Vec<String> = world.registry.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(
        asked,
        [
            "/api/v1/extensions/@acme/dns",
            "/api/v1/extensions/@acme/dns@2026.05.01.1/checksum",
            "/api/v1/extensions/@acme/dns@2026.05.01.1/download",
            "/signed/@acme/dns@2026.05.01.1?signature=1",
        ]
    );
    world.registry.forget_requests();
    let again = world.json(&["pull", "@acme/dns"]);
    assert_eq!(again["extensions"][0]["status"], "up_to_date");
    assert_eq!(world.registry.requests().len(), 1, "only the newest version was asked for");
}

#[test]
fn a_newer_version_takes_the_place_of_the_older_one() {
    let world = World::new();
    world.registry.publish_extension(dns("2026.05.01.1").file("models/gone.ts", ""));
    world.good(&["pull", "@acme/dns"]);
    world.sandbox.edit(LOCKFILE, "{", "{\n  \"@acme/other\": { \"version\": \"1\", \"theirs\": [1.5, null] },");
    world.registry.publish_extension(dns("2026.05.02.1"));
    let document = world.json(&["pull", "@acme/dns"]);
    assert_eq!(document["extensions"][0]["previousVersion"], "2026.05.01.1");
    assert_eq!(world.pulled(), ["@acme/dns/README.md", "@acme/dns/manifest.yaml", "@acme/dns/models/dns.ts"]);
    assert_eq!(world.lock()["@acme/other"]["theirs"][0], 1.5, "what others wrote stays");
    assert_eq!(world.lock()["@acme/dns"]["version"], "2026.05.02.1");
    world.good(&["pull", "@acme/dns@2026.05.01.1"]);
    assert_eq!(world.lock()["@acme/dns"]["version"], "2026.05.01.1", "a version that is named is pulled, older or not");
}

#[test]
fn channels_are_asked_for_and_remembered() {
    let world = World::new();
    world.registry.publish_extension(dns("2026.05.01.1"));
    world.registry.publish_extension(dns("2026.06.01.1").in_channel("rc"));
    world.registry.publish_extension(dns("2026.07.01.1").in_channel("nightly"));
    for (channel, version) in [("rc", "2026.06.01.1"), ("nightly", "2026.07.01.1")] {
        world.good(&["pull", "@acme/dns", "--channel", channel]);
        assert_eq!(world.lock()["@acme/dns"]["version"], version);
        assert_eq!(world.lock()["@acme/dns"]["channel"], channel);
    }
    world.registry.publish_extension(dns("2026.07.02.1").in_channel("nightly"));
    world.good(&["pull", "@acme/dns"]);
    assert_eq!(world.lock()["@acme/dns"]["version"], "2026.07.02.1", "the channel of the lockfile");
    let refused = world.run(&["pull", "@acme/dns", "--channel", "beta"]);
    assert_eq!(refused.code, 1, "{refused}");
    assert!(refused.stderr.contains("MG0304") && refused.stderr.contains("in the channel beta"), "{refused}");
}

#[test]
fn install_restores_exactly_what_is_locked_and_asks_nobody_if_all_is_there() {
    let world = World::new();
    world.registry.publish_extension(dns("2026.05.01.1"));
    world.good(&["pull", "@acme/dns"]);
    world.registry.publish_extension(dns("2026.05.02.1"));
    let before = world.files();
    world.sandbox.tree.remove(".swamp").expect("it is there");
    let missing = world.sandbox.run(&["doctor"]);
    assert!(
        missing.stdout.contains("mangrove extension install") || missing.stderr.contains("mangrove extension install"),
        "{missing}"
    );
    // The address is the one of the lockfile.
    let output = world.sandbox.json(&["extension", "install"]);
    assert_eq!(output["entries"][0]["status"], "installed");
    assert_eq!((&output["installed"], &output["upToDate"], &output["failed"]), (&1.into(), &0.into(), &0.into()));
    assert_eq!(world.files(), before);
    world.sandbox.tree.remove(&format!("{PULLED}/@acme/dns/models/dns.ts")).expect("it is there");
    world.sandbox.write(&format!("{PULLED}/@acme/dns/notes.txt"), "mine");
    world.good(&["install"]);
    let mut with_notes = before.clone();
    with_notes.insert(format!("{PULLED}/@acme/dns/notes.txt"), b"mine".to_vec());
    assert_eq!(world.files(), with_notes, "only what is missing is added");
    world.registry.forget_requests();
    world.registry.go_down();
    let offline = world.json(&["install", "--offline"]);
    assert_eq!(offline["entries"][0]["status"], "up_to_date");
    assert_eq!(world.json(&["list"])["extensions"][0]["missing"], Value::Array(Vec::new()));
    assert!(world.registry.requests().is_empty());
}

#[test]
fn install_goes_on_where_one_fails_and_says_what_each_came_to() {
    let world = World::new();
    for name in ["@acme/a", "@acme/b", "@acme/c"] {
        let extension = FakeExtension::new(name, "2026.05.01.1", "models: [m.ts]").file("models/m.ts", &model(name));
        world.registry.publish_extension(extension);
        world.good(&["pull", name]);
    }
    let lock = world.sandbox.tree.read(LOCKFILE).expect("a lockfile");
    world.sandbox.tree.remove(".swamp").expect("it is there");
    let checksum = world.lock()["@acme/b"]["checksum"].as_str().expect("a checksum").to_owned();
    world.sandbox.write(LOCKFILE, &lock.replace(&checksum, &"0".repeat(64)));
    let output = world.run(&["install", "--json"]);
    assert_eq!(output.code, 1, "{output}");
    let document = output.document();
    let statuses: Vec<&str> = document["entries"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| entry["status"].as_str().expect("a status"))
        .collect();
    assert_eq!(statuses, ["installed", "failed", "installed"]);
    assert_eq!(document["entries"][1]["code"], "MG0305");
    assert!(document["entries"][1].to_string().contains("the lockfile promises the checksum"), "{document:#}");
    assert!(!world.sandbox.tree.path(format!("{PULLED}/@acme/b")).exists());
    world.sandbox.write(LOCKFILE, &lock);
    assert_eq!(world.json(&["install"])["installed"], 1);
    assert_eq!(world.types().len(), 3);
}

#[test]
fn an_outage_is_told_and_forgotten() {
    let world = World::new();
    world.registry.publish_extension(dns("2026.05.01.1"));
    let before = world.files();
    world.registry.go_down();
    let down = world.run(&["pull", "@acme/dns"]);
    assert_eq!(down.code, 75, "{down}");
    assert!(down.stderr.contains("MG0301") && down.stderr.contains(&world.registry.origin()), "{down}");
    assert_eq!(world.files(), before);
    world.registry.come_up().expect("the port is free");
    for (misbehaviour, code) in [
        (Misbehaviour::Status(503), "MG0302"),
        (Misbehaviour::Garbage, "MG0302"),
        (Misbehaviour::BreakOff(3), "MG0301"),
    ] {
        world.registry.misbehave(None, misbehaviour.clone(), None);
        let output = world.run(&["pull", "@acme/dns"]);
        assert_eq!(output.code, 75, "{misbehaviour:?}: {output}");
        assert!(output.stderr.contains(code), "{misbehaviour:?}: {output}");
        assert_eq!(world.files(), before, "{misbehaviour:?}");
        world.registry.heal().expect("it heals");
    }
    // Twice is tried again at once.
    world.registry.misbehave(None, Misbehaviour::Status(500), Some(2));
    world.good(&["pull", "@acme/dns"]);
}

#[test]
fn what_a_registry_must_not_send_leaves_nothing() {
    let manifest = "models: [m.ts]";
    let evil = |change: fn(FakePackage) -> FakePackage| {
        FakeExtension::new("@acme/evil", "2026.05.01.1", manifest).file("models/m.ts", "").with(change)
    };
    for (extension, code, expected) in [
        (evil(|package| package.raw_file("extension/../../../evil.ts", b"1")), "MG0308", "leads upward"),
        (evil(|package| package.raw_file("/tmp/mangrove-evil.ts", b"1")), "MG0308", "absolute path"),
        (evil(|package| package.raw_symlink("extension/models/out", "../../../../..")), "MG0308", "links out"),
        (evil(|package| package.raw_hard_link("extension/models/out", "/etc/passwd")), "MG0308", "links out"),
        (evil(|package| package.raw_pipe("extension/models/pipe")), "MG0308", "neither a file nor"),
        (evil(|package| package.raw_file("extension/models/M.ts", b"1")), "MG0308", "only in the case"),
        (FakeExtension::new("@acme/evil", "2026.05.01.1", "").file("models/m.ts", ""), "MG0308", "must list something"),
        (FakeExtension::new("@acme/evil", "2026.05.01.1", "models: [../../m.ts]"), "MG0308", "lead down"),
        (
            FakeExtension::new("@acme/evil", "2026.05.01.1", "name2: [").file("models/m.ts", ""),
            "MG0308",
            "manifest.yaml of @acme/evil",
        ),
    ] {
        let world = World::new();
        let before = world.files();
        world.registry.publish_extension(extension);
        let output = world.run(&["pull", "@acme/evil"]);
        assert_eq!(output.code, 1, "{output}");
        assert!(output.stderr.contains(code) && output.stderr.contains(expected), "{expected}: {output}");
        assert_eq!(world.files(), before, "{expected}");
    }
    assert!(!Path::new("/tmp/mangrove-evil.ts").exists());
    let world = World::new();
    world.registry.publish_extension(dns("2026.05.01.1"));
    world.registry.misbehave(Some("/signed/@acme/dns@2026.05.01.1?signature=1"), Misbehaviour::WrongIntegrity, None);
    let output = world.run(&["pull", "@acme/dns"]);
    assert_eq!(output.code, 1, "{output}");
    assert!(output.stderr.contains("MG0305"), "{output}");
    // An archive of something else, of which no checksum is promised.
    world.registry.heal().expect("it heals");
    let other = FakeExtension::new("@acme/trojan", "2026.05.01.1", "models: [m.ts]").file("models/m.ts", "");
    let archive = other.archive();
    let copy = FakeExtension::new("@acme/dns", "2026.05.03.1", "models: [m.ts]").without_checksum();
    world.registry.publish_extension(copy.with(move |_| FakePackage::of_bytes("@acme/dns", "2026.05.03.1", archive)));
    let output = world.run(&["pull", "@acme/dns"]);
    assert!(output.stderr.contains("holds @acme/trojan@2026.05.01.1"), "{output}");
    assert!(world.pulled().is_empty());
}

#[test]
fn what_an_extension_needs_comes_with_it_or_nothing_comes() {
    let world = World::new();
    let needing = |name: &str, needed: &str| {
        FakeExtension::new(name, "2026.05.01.1", &format!("models: [m.ts]\ndependencies: [{needed}]"))
            .file("models/m.ts", &model(name))
    };
    world.registry.publish_extension(needing("@acme/top", "\"@acme/mid@2020.01.01.1\""));
    world.registry.publish_extension(needing("@acme/mid", "{ name: \"@acme/low\", version: \"1\" }"));
    let missing = world.run(&["pull", "@acme/top"]);
    assert_eq!(missing.code, 1, "{missing}");
    let needed = "it is needed by @acme/mid, and that by @acme/top";
    assert!(missing.stderr.contains("@acme/low") && missing.stderr.contains(needed), "{missing}");
    world.sandbox.tree.write("top.tar.gz", needing("@acme/top", "\"@acme/mid\"").archive()).expect("an archive");
    let unreachable = world.run(&["pull", "./top.tar.gz", "--offline"]);
    let needed = "it is needed by @acme/top; one that is there already, also from an archive or a directory";
    assert!(unreachable.code != 0 && unreachable.stderr.contains(needed), "{unreachable}");
    assert!(world.pulled().is_empty() && !world.sandbox.tree.path(LOCKFILE).exists());
    // It needs the first one itself.
    world.registry.publish_extension(needing("@acme/low", "\"@acme/top\""));
    let document = world.json(&["pull", "@acme/top"]);
    let pulled: Vec<(&str, Option<&str>)> = document["extensions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (one["name"].as_str().expect("a name"), one["neededBy"].as_str()))
        .collect();
    assert_eq!(pulled, [("@acme/top", None), ("@acme/mid", Some("@acme/top")), ("@acme/low", Some("@acme/mid"))]);
    assert_eq!(world.types().len(), 3);
    for number in 0..13 {
        world.registry.publish_extension(needing(&format!("@deep/x{number}"), &format!("\"@deep/x{}\"", number + 1)));
    }
    let deep = world.run(&["pull", "@deep/x0"]);
    assert_eq!(deep.code, 1, "{deep}");
    assert!(deep.stderr.contains("MG0307") && deep.stderr.contains("10 deep"), "{deep}");
    assert!(!world.lock().as_object().expect("an object").keys().any(|name| name.starts_with("@deep")));
}

#[test]
fn what_somebody_changed_is_neither_replaced_nor_removed_unless_it_is_said() {
    let world = World::new();
    world.registry.publish_extension(dns("2026.05.01.1"));
    world.good(&["pull", "@acme/dns"]);
    let readme = format!("{PULLED}/@acme/dns/README.md");
    world.sandbox.write(&readme, "my notes");
    world.registry.publish_extension(dns("2026.05.02.1"));
    for arguments in [["pull", "@acme/dns"], ["rm", "@acme/dns"]] {
        let before = world.files();
        let output = world.run(&arguments);
        assert_eq!(output.code, 1, "{output}");
        assert!(output.stderr.contains("MG0416") && output.stderr.contains("--force"), "{output}");
        assert_eq!(world.files(), before);
    }
    world.good(&["pull", "@acme/dns", "--force"]);
    assert_eq!(world.sandbox.tree.read(&readme).expect("a file"), "2026.05.02.1");
    // What is added is not pulled: it stays, and its directory with it.
    world.sandbox.write(&format!("{PULLED}/@acme/dns/models/mine.ts"), "mine");
    let document = world.json(&["rm", "@acme/dns"]);
    assert_eq!(document["kept"][0], "models/mine.ts");
    assert_eq!(world.pulled(), ["@acme/dns/models/mine.ts"]);
    assert_eq!(world.lock(), serde_json::json!({}));
    let gone = world.run(&["rm", "@acme/dsn"]);
    assert_eq!(gone.code, 1, "{gone}");
    assert!(gone.stderr.contains("MG0413"), "{gone}");
    // Nobody knows what lies there: it is no extension of the lockfile.
    let refused = world.run(&["pull", "@acme/dns"]);
    assert!(refused.code == 1 && refused.stderr.contains("models/mine.ts"), "{refused}");
}

#[test]
fn a_change_that_was_interrupted_is_taken_up_again() {
    let world = World::new();
    world.registry.publish_extension(dns("2026.05.01.1"));
    world.good(&["pull", "@acme/dns"]);
    let lock = world.sandbox.tree.read(LOCKFILE).expect("a lockfile");
    // The files are in place, and the lockfile was not written.
    world.sandbox.tree.remove(LOCKFILE).expect("it is there");
    world.sandbox.write(&format!("{PULLED}/.new-left/1/models/half.ts"), "");
    world.good(&["pull", "@acme/dns"]);
    assert!(!world.sandbox.tree.path(format!("{PULLED}/.new-left")).exists());
    world.registry.publish_extension(dns("2026.05.02.1"));
    world.good(&["pull", "@acme/dns"]);
    world.sandbox.write(LOCKFILE, &lock);
    world.good(&["pull", "@acme/dns"]);
    assert_eq!(world.lock()["@acme/dns"]["version"], "2026.05.02.1");
    assert_eq!(world.types().len(), 1);
}

#[test]
fn f03_nothing_is_pulled_through_a_link() {
    let world = World::new();
    world.registry.publish_extension(dns("2026.05.01.1"));
    let outside = Sandbox::new("");
    for link in [".swamp", ".swamp/pulled-extensions", ".swamp/pulled-extensions/@acme", "extensions"] {
        let path = world.sandbox.tree.path(link);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        symlink(outside.tree.root(), &path).expect("a link");
        let before = files_below(&outside.tree.root());
        let output = world.run(&["pull", "@acme/dns"]);
        assert_ne!(output.code, 0, "{link}: {output}");
        assert_eq!(files_below(&outside.tree.root()), before, "{link}");
        fs::remove_file(&path).expect("a link");
        let left = world.pulled();
        assert!(left.is_empty(), "{link}: {left:?}");
    }
}

#[test]
fn a_token_is_told_to_the_registry_that_was_named_and_to_nobody_else() {
    let world = World::new();
    let other = FakeRegistry::start().expect("a free port");
    for registry in [&world.registry, &other] {
        registry.publish_extension(dns("2026.05.01.1"));
    }
    world.registry.require_token("s3cret");
    let refused = world.run(&["pull", "@acme/dns"]);
    assert_eq!(refused.code, 1, "{refused}");
    assert!(refused.stderr.contains("MG0303") && refused.stderr.contains("MANGROVE_EXTENSION_TOKEN"), "{refused}");
    let token = [("MANGROVE_EXTENSION_TOKEN", "s3cret")];
    // The archive lies elsewhere.
    world.registry.send_downloads_to(&other.url());
    let pulled = world.run_with(&["extension", "pull", "@acme/dns"], &token);
    assert_eq!(pulled.code, 0, "{pulled}");
    // A lockfile that was cloned names an address of its own.
    world.sandbox.tree.remove(".swamp").expect("it is there");
    let lock = world.sandbox.tree.read(LOCKFILE).expect("a lockfile");
    world.sandbox.write(LOCKFILE, &lock.replace(&world.registry.origin(), &other.origin()));
    let mut command = world.sandbox.command();
    command.args(["extension", "install"]).envs(token);
    let output = command.output().expect("the program starts");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(!other.requests().is_empty());
    let told = other.requests().into_iter().filter(|request| request.headers.contains_key("authorization"));
    assert_eq!(told.count(), 0);
    assert!(!world.sandbox.tree.read(LOCKFILE).expect("a lockfile").contains("s3cret"));
}

#[test]
fn addresses_are_taken_from_the_command_line_first_and_have_no_secrets() {
    let world = World::new();
    world.registry.publish_extension(dns("2026.05.01.1"));
    let pull = |address: &str| {
        world.run_with(
            &["extension", "pull", "@acme/dns", "--registry", address],
            &[("SWAMP_CLUB_URL", "http://127.0.0.1:9")],
        )
    };
    for wrong in
        ["nonsense", "ftp://x/", "https://me:s3cret@registry.example/", "https://registry.example/?token=s3cret"]
    {
        let output = pull(wrong);
        assert_eq!(output.code, 2, "{wrong}: {output}");
        assert!(output.stderr.contains("MG0605") && !output.stderr.contains("s3cret"), "{output}");
    }
    let output = pull(&world.registry.url());
    assert_eq!(output.code, 0, "{output}");
    let named = world.run_with(&["extension", "pull", "acme"], &[]);
    assert_ne!(named.code, 0, "a word is a path: {named}");
    let wrong = world.run(&["pull", "@acme"]);
    assert_eq!(wrong.code, 2, "{wrong}");
}

#[test]
fn an_archive_and_a_directory_are_pulled_without_a_network() {
    let world = World::new();
    fs::write(world.sandbox.tree.path("dns.tar.gz"), dns("2026.05.01.1").archive()).expect("a file");
    let document = world.json(&["pull", "dns.tar.gz", "--offline"]);
    assert_eq!(document["extensions"][0]["name"], "@acme/dns");
    let entry = &world.lock()["@acme/dns"];
    assert_eq!(entry["checksum"], Digest::of(&dns("2026.05.01.1").archive()).to_string());
    assert!(entry.get("serverUrl").is_none(), "{entry}");
    world.sandbox.write(
        "elsewhere/manifest.yaml",
        "name: \"@acme/tools\"\nversion: \"2026.05.02.1\"\nmodels: [a.ts, deep/b.ts]\nvaults: []\nworkflows: [w.yaml]\nfiles: [data]\nbinaries: [tool]\n",
    );
    let head = "import { help } from \"../lib/help.ts\"; help();\n";
    world.sandbox.write("elsewhere/extensions/models/a.ts", &format!("{head}{}", model("@acme/a")));
    world.sandbox.write("elsewhere/extensions/models/deep/b.ts", &model("@acme/b"));
    world.sandbox.write("elsewhere/extensions/models/unlisted.ts", &model("@acme/unlisted"));
    world.sandbox.write("elsewhere/extensions/lib/help.ts", "export const help = () => 1;\n");
    world.sandbox.write("elsewhere/extensions/lib/unused.ts", "export const unused = 1;\n");
    world.sandbox.write("elsewhere/workflows/w.yaml", "id: x\n");
    world.sandbox.write("elsewhere/files/data/tool", "#!/bin/sh\n");
    world.sandbox.write("elsewhere/.git/config", "[core]\n");
    world.sandbox.write("elsewhere/README.md", "about\n");
    world.good(&["pull", "./elsewhere", "--offline"]);
    let tools: Vec<String> = world.pulled().into_iter().filter(|path| path.starts_with("@acme/tools")).collect();
    assert_eq!(
        tools,
        [
            "@acme/tools/README.md",
            "@acme/tools/files/data/tool",
            "@acme/tools/lib/help.ts",
            "@acme/tools/manifest.yaml",
            "@acme/tools/models/a.ts",
            "@acme/tools/models/deep/b.ts",
            "@acme/tools/workflows/w.yaml",
        ]
    );
    let types = world.types();
    assert_eq!(types.keys().map(String::as_str).collect::<Vec<_>>(), ["@acme/a", "@acme/b", "@acme/dns"]);
    assert!(world.lock()["@acme/tools"].get("checksum").is_none());
    assert!(world.registry.requests().is_empty());
    // Where it came from is not known any more: the registry has nothing of that name, or something else.
    world.sandbox.tree.remove(&format!("{PULLED}/@acme/tools")).expect("it is there");
    let imposter = FakeExtension::new("@acme/tools", "2026.05.02.1", "models: [a.ts]").file("models/a.ts", "evil");
    world.registry.publish_extension(imposter);
    let refused = world.run(&["install"]);
    assert_eq!(refused.code, 1, "{refused}");
    assert!(refused.stderr.contains("MG0305"), "{refused}");
    assert!(!world.pulled().iter().any(|path| path.starts_with("@acme/tools")));
}

#[test]
fn a_directory_that_cannot_be_taken_says_why() {
    let world = World::new();
    let write = |path: &str, text: &str| world.sandbox.write(&format!("there/{path}"), text);
    let manifest = "name: \"@acme/x\"\nversion: \"2026.05.02.1\"\n";
    for (what, expected) in [
        ("", "holds no manifest.yaml"),
        ("name: x\nversion: 2026.05.02.1\nmodels: [a.ts]\n", "`name` must be `@collective/name`"),
        ("name: \"@acme/x\"\nversion: one\nmodels: [a.ts]\n", "`version` must be"),
        (manifest, "must list something"),
        (&format!("{manifest}models: [gone.ts]\n"), "there is no such source"),
        (&format!("{manifest}models: [out.ts]\n"), "lies outside of the extension"),
        (&format!("{manifest}models: [a.ts]\nfiles: [gone.txt]\n"), "which is not there"),
    ] {
        if !what.is_empty() {
            write("manifest.yaml", what);
        }
        write("models/a.ts", &model("@acme/a"));
        write("models/out.ts", &format!("import x from \"../../outside.ts\"; x();\n{}", model("@acme/out")));
        world.sandbox.write("outside.ts", "export default () => 1;\n");
        let output = world.run(&["pull", "there"]);
        assert!(output.code == 1 || output.code == 2, "{expected}: {output}");
        assert!(output.stderr.contains(expected), "{expected}: {output}");
        assert!(!output.stderr.contains("the next command reads it again") || !what.is_empty(), "{output}");
        assert!(world.pulled().is_empty());
    }
    let gone = world.run(&["pull", "./nowhere"]);
    assert!(gone.code != 0 && gone.stderr.contains("nowhere"), "{gone}");
}

#[test]
fn what_was_pulled_from_a_path_is_advised_to_be_pulled_from_there_again() {
    let world = World::new();
    world.sandbox.tree.write("dns.tar.gz", dns("2026.05.01.1").archive()).expect("an archive");
    world.good(&["pull", "./dns.tar.gz"]);
    world.sandbox.write(&format!("{PULLED}/@acme/dns/README.md"), "my notes");
    let refused = world.run(&["pull", "./dns.tar.gz"]);
    assert_eq!(refused.code, 1, "{refused}");
    assert!(refused.stderr.contains("`mangrove extension pull ./dns.tar.gz --force`"), "{refused}");
}

#[test]
fn what_was_pulled_from_a_path_and_is_missing_says_so() {
    let world = World::new();
    world.sandbox.tree.write("dns.tar.gz", dns("2026.05.01.1").archive()).expect("an archive");
    world.good(&["pull", "./dns.tar.gz"]);
    world.sandbox.tree.remove(&format!("{PULLED}/@acme/dns")).expect("it is there");
    for arguments in [&["install"][..], &["install", "--offline"], &["pull", "@acme/dns@2026.05.01.1"]] {
        let failed = world.run(arguments);
        assert_ne!(failed.code, 0, "{arguments:?}: {failed}");
        let origin = "the lockfile names no registry for @acme/dns: it was pulled from an archive or a directory";
        assert!(failed.stderr.contains(origin), "{arguments:?}: {failed}");
    }
    let failed = world.run(&["install"]);
    assert!(failed.stderr.contains("`mangrove extension pull PATH`"), "{failed}");
    let listed = world.good(&["list"]);
    assert!(listed.stderr.contains("`mangrove extension pull PATH`"), "{listed}");
    world.good(&["pull", "./dns.tar.gz"]);
    assert!(!world.good(&["list"]).stderr.contains("PATH"));
}

#[test]
fn a_removal_that_was_killed_goes_on() {
    let world = World::new();
    world.registry.publish_extension(dns("2026.05.01.1"));
    world.good(&["pull", "@acme/dns"]);
    world.sandbox.write(&format!("{PULLED}/@acme/dns/models/mine.ts"), "mine");
    // One of its files was taken away, and the lockfile was not written.
    let lockfile = Digest::of(world.sandbox.tree.read(LOCKFILE).expect("a lockfile").as_bytes());
    let left = world.sandbox.tree.path(format!("{PULLED}/.new-left"));
    fs::create_dir(&left).expect("a directory");
    fs::rename(world.sandbox.tree.path(format!("{PULLED}/@acme/dns/README.md")), left.join("1")).expect("taken away");
    fs::write(left.join("1.taken-from"), format!("{lockfile}\n@acme/dns/README.md")).expect("a note");
    let document = world.json(&["rm", "@acme/dns"]);
    assert_eq!(document["kept"], serde_json::json!(["models/mine.ts"]));
    assert_eq!(world.pulled(), ["@acme/dns/models/mine.ts"]);
}

#[test]
fn what_was_added_is_no_reason_to_refuse_a_removal() {
    let world = World::new();
    world.registry.publish_extension(dns("2026.05.01.1"));
    world.good(&["pull", "@acme/dns"]);
    world.sandbox.write(&format!("{PULLED}/@acme/dns/models/mine.ts"), "mine");
    let readme = format!("{PULLED}/@acme/dns/README.md");
    world.sandbox.write(&readme, "my notes");
    let refused = world.run(&["rm", "@acme/dns"]);
    assert!(refused.code == 1 && !refused.stderr.contains("mine.ts"), "{refused}");
    world.sandbox.tree.remove(&readme).expect("it is there");
    let refused = world.run(&["rm", "@acme/dns"]);
    assert!(refused.code == 1 && !refused.stderr.contains("mine.ts"), "{refused}");
    let expected =
        "files of @acme/dns are missing, and nobody knows whether the others are as they were pulled: README.md";
    assert!(refused.stderr.contains(expected), "{refused}");
}

#[test]
fn a_lockfile_that_cannot_be_read_is_not_written_over() {
    let world = World::new();
    world.registry.publish_extension(dns("2026.05.01.1"));
    for text in ["", "{", "[]", "{ \"@acme/../x\": {} }"] {
        world.sandbox.write(LOCKFILE, text);
        for arguments in [&["pull", "@acme/dns"][..], &["install"], &["list"], &["rm", "@acme/dns"]] {
            let output = world.run(arguments);
            assert_eq!(output.code, 2, "{arguments:?}: {output}");
            assert!(output.stderr.contains(LOCKFILE), "{output}");
        }
        assert_eq!(world.sandbox.tree.read(LOCKFILE).expect("a file"), text);
        assert!(world.pulled().is_empty());
    }
}

#[test]
fn pulls_at_one_moment_all_reach_the_lockfile() {
    let world = World::new();
    let names: Vec<String> = (0..6).map(|number| format!("@acme/x{number}")).collect();
    for name in &names {
        let extension = FakeExtension::new(name, "2026.05.01.1", "models: [m.ts]").file("models/m.ts", &model(name));
        world.registry.publish_extension(extension);
    }
    let children: Vec<_> = names
        .iter()
        .map(|name| {
            let mut command = world.sandbox.command();
            command.args(["extension", "pull", name]).env("SWAMP_CLUB_URL", world.registry.url());
            command.spawn().expect("the program starts")
        })
        .collect();
    for mut child in children {
        assert!(child.wait().expect("it ends").success());
    }
    assert_eq!(world.lock().as_object().expect("an object").len(), names.len());
    assert_eq!(world.types().len(), names.len());
}

#[test]
fn a_pull_that_is_killed_at_any_moment_leaves_one_version_whole() {
    let world = World::new();
    let texts =
        |version: &str| BTreeMap::from([("README.md", version.to_owned()), ("models/dns.ts", format!("// {version}"))]);
    let extension = |version: &str| {
        let dns = FakeExtension::new("@acme/dns", version, "models: [dns.ts]");
        texts(version).iter().fold(dns, |dns, (path, text)| dns.file(path, text))
    };
    let versions = ["2026.05.01.1", "2026.05.02.1"];
    for version in versions {
        world.registry.publish_extension(extension(version));
    }
    world.good(&["pull", &format!("@acme/dns@{}", versions[0])]);
    for round in 0..30 {
        let wanted = format!("@acme/dns@{}", versions[(round + 1) % 2]);
        let mut command = world.sandbox.command();
        command.args(["extension", "pull", &wanted, "--quiet"]).env("SWAMP_CLUB_URL", world.registry.url());
        let mut child = command.spawn().expect("the program starts");
        std::thread::sleep(Duration::from_millis(fastrand::u64(0..80)));
        child.kill().expect("it is there or has ended");
        child.wait().expect("it ends");
        let read = |path: &str| world.sandbox.tree.read(&format!("{PULLED}/@acme/dns/{path}")).expect("a file");
        let found: Vec<BTreeMap<&str, String>> = versions.iter().map(|version| texts(version)).collect();
        let there = BTreeMap::from([("README.md", read("README.md")), ("models/dns.ts", read("models/dns.ts"))]);
        assert!(found.contains(&there), "{there:?}");
        assert!(versions.contains(&world.lock()["@acme/dns"]["version"].as_str().expect("a version")));
        world.good(&["pull", &wanted, "--quiet"]);
        assert!(world.sandbox.tree.read(&format!("{PULLED}/@acme/dns/README.md")).expect("a file") == wanted[10..]);
    }
    // The next change takes away what is left.
    world.good(&["pull", &format!("@acme/dns@{}", versions[1])]);
    let hidden = fs::read_dir(world.sandbox.tree.path(PULLED)).expect("a list").count();
    assert_eq!(hidden, 1, "nothing is left beside the extensions");
}

#[test]
fn an_entry_of_an_older_layout_is_pulled_and_names_its_files_afterwards() {
    let world = World::new();
    world.registry.publish_extension(dns("2026.05.01.1"));
    for files in [r#"["extensions/models/dns.ts"]"#, r#"[".swamp/pulled-extensions/models/@acme/dns/dns.ts"]"#] {
        let _ = world.sandbox.tree.remove(".swamp");
        let entry = format!(r#"{{ "@acme/dns": {{ "version": "2026.05.01.1", "files": {files}, "include": [1] }} }}"#);
        world.sandbox.write(LOCKFILE, &entry);
        let document = world.json(&["install"]);
        let is_named = files.starts_with("[\"extensions/");
        assert_eq!(document["entries"][0]["status"], if is_named { "migrated" } else { "installed" }, "{files}");
        assert_eq!(document["migrated"], u8::from(is_named));
        assert_eq!(world.lock()["@acme/dns"]["include"][0], 1);
        assert_eq!(world.json(&["install"])["upToDate"], 1, "{files}");
        assert_eq!(world.types().len(), 1);
    }
}

/// What cannot be built from what was pulled runs the bundle that came with it.
#[test]
fn bundles_of_an_archive_are_where_shipped_ones_are_looked_for() {
    let world = World::new();
    let source = format!("import thing from \"thing\";\nthing();\n{}", model("@acme/bare"));
    let extension = FakeExtension::new("@acme/bare", "2026.05.01.1", "models: [bare.ts]")
        .file("models/bare.ts", &source)
        .file("bundles/bare.js", &model("@acme/bare"));
    world.registry.publish_extension(extension);
    world.good(&["pull", "@acme/bare"]);
    assert_eq!(world.types().len(), 1);
    let doctor = world.sandbox.run(&["doctor"]);
    assert!(format!("{doctor}").contains("MG0420"), "{doctor}");
}

/// As another program writes it, with bundles beside the extension that may be cleared.
#[test]
fn a_lockfile_that_names_bundles_beside_the_extension_is_healthy() {
    let sandbox = Sandbox::new("");
    sandbox.write(&format!("{PULLED}/@acme/github/models/github/repos.ts"), &model("@acme/github/repos"));
    sandbox.write(
        &format!("{PULLED}/@acme/github/manifest.yaml"),
        "name: \"@acme/github\"\nversion: \"2026.07.16.1\"\nmodels: [github/repos.ts]\n",
    );
    sandbox.write(".swamp/bundles/9d92b9c9/github/repos.js", "export const model = 1;");
    sandbox.write(
        LOCKFILE,
        r#"{ "@acme/github": { "version": "2026.07.16.1", "pulledAt": "2026-07-20T10:00:00.000Z", "files": [
          ".swamp/pulled-extensions/@acme/github/models/github/repos.ts", ".swamp/bundles/9d92b9c9/github/repos.js",
          ".swamp/pulled-extensions/@acme/github/manifest.yaml" ], "filesChecksum": "ab" } }"#,
    );
    for _ in 0..2 {
        let strict = sandbox.run(&["scan", "--strict"]);
        assert_eq!(strict.code, 0, "{strict}");
        let doctor = sandbox.run(&["doctor"]);
        assert_eq!(doctor.code, 0, "{doctor}");
        assert!(!format!("{doctor}").contains("9d92b9c9"), "{doctor}");
        let _ = sandbox.tree.remove(".swamp/bundles");
    }
    let listed = sandbox.json(&["extension", "list"]);
    assert_eq!(listed["extensions"][0]["missing"], Value::Array(Vec::new()));
}

#[test]
fn one_that_lies_in_what_it_needs_is_pulled_with_it() {
    let world = World::new();
    let aws =
        FakeExtension::new("@acme/aws", "2026.05.01.1", "models: [m.ts]").file("models/m.ts", &model("@acme/aws"));
    let cost = FakeExtension::new("@acme/aws/cost", "2026.05.01.1", "models: [m.ts]\ndependencies: [\"@acme/aws\"]")
        .file("models/m.ts", &model("@acme/aws/cost"));
    world.registry.publish_extension(aws);
    world.registry.publish_extension(cost);
    world.good(&["pull", "@acme/aws/cost"]);
    assert_eq!(
        world.pulled(),
        [
            "@acme/aws/cost/manifest.yaml",
            "@acme/aws/cost/models/m.ts",
            "@acme/aws/manifest.yaml",
            "@acme/aws/models/m.ts"
        ]
    );
    assert_eq!(world.json(&["install"])["upToDate"], 2);
}

#[test]
fn what_is_needed_is_looked_for_where_the_one_that_needs_it_came_from() {
    let world = World::new();
    world.registry.publish_extension(dns("2026.05.01.1"));
    world.good(&["pull", "@acme/dns"]);
    let low = FakeExtension::new("@acme/low", "2026.05.01.1", "models: [m.ts]").file("models/m.ts", "");
    world.registry.publish_extension(low);
    let next = FakeExtension::new("@acme/dns", "2026.05.02.1", "models: [dns.ts]\ndependencies: [\"@acme/low\"]");
    world.registry.publish_extension(next.file("models/dns.ts", &model("@acme/dns")));
    // Nobody names the registry: its address is the one of the lockfile.
    world.sandbox.json(&["extension", "pull", "@acme/dns"]);
    assert_eq!(world.lock()["@acme/low"]["serverUrl"], world.registry.url().trim_end_matches('/'));
}

#[test]
fn files_of_another_version_than_the_locked_one_are_not_up_to_date() {
    let world = World::new();
    world.registry.publish_extension(dns("2026.05.01.1"));
    world.registry.publish_extension(dns("2026.05.02.1"));
    world.good(&["pull", "@acme/dns@2026.05.01.1"]);
    let old = world.sandbox.tree.read(LOCKFILE).expect("a lockfile");
    world.good(&["pull", "@acme/dns@2026.05.02.1"]);
    world.sandbox.write(LOCKFILE, &old);
    let before = world.files();
    let output = world.run(&["install", "--json"]);
    assert_eq!(output.code, 1, "{output}");
    assert_eq!(output.document()["entries"][0]["status"], "failed");
    assert!(output.stdout.contains("are those of 2026.05.02.1"), "{output}");
    assert_eq!(world.files(), before);
    world.good(&["pull", "@acme/dns@2026.05.01.1", "--force"]);
    assert_eq!(world.json(&["install"])["upToDate"], 1);
}

#[test]
fn a_link_in_the_place_of_a_locked_file_is_not_called_mended() {
    let world = World::new();
    world.registry.publish_extension(dns("2026.05.01.1"));
    world.good(&["pull", "@acme/dns"]);
    let place = world.sandbox.tree.path(format!("{PULLED}/@acme/dns/README.md"));
    fs::remove_file(&place).expect("it is there");
    symlink("manifest.yaml", &place).expect("a link");
    let output = world.run(&["install"]);
    assert_eq!(output.code, 1, "{output}");
    fs::remove_file(&place).expect("it is there");
    fs::create_dir(&place).expect("a directory");
    fs::write(place.join("x"), "x").expect("a file");
    let output = world.run(&["install"]);
    assert_eq!(output.code, 1, "{output}");
}
