//! Bundles in a bucket of S3, from the command line: with a cache and without, with another machine, damage, outages and
//! other catalogs.

use std::{
    collections::BTreeMap,
    fs,
    process::Command,
    time::{Duration, Instant},
};

use mangrove_testkit::{
    corpus::Corpus,
    s3_server::{KEY_ID, S3Server, SECRET},
};
use serde_json::Value;

use crate::{
    fixtures::model,
    sandbox::{Output, Sandbox, Scan},
};

const GREETER: &str = "extensions/models/greeter.ts";
const OTHER: &str = "extensions/models/other.ts";
const DEFINITION: &str = "models/@acme/greeter/11111111-1111-4111-8111-111111111111.yaml";

/// A server, and one repository after the other that uses it.
struct World {
    runtime: tokio::runtime::Runtime,
    server: S3Server,
}

impl World {
    fn new() -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let server = runtime.block_on(S3Server::start());
        Self { runtime, server }
    }

    /// A machine with two models, whose bundles lie at this server.
    fn machine(&self) -> Machine<'_> {
        let sandbox = Sandbox::new("");
        sandbox.write(GREETER, &model("@acme/greeter"));
        sandbox.write(OTHER, &model("@acme/other"));
        sandbox.write(DEFINITION, "id: 11111111-1111-4111-8111-111111111111\nname: greeter\ntype: \"@acme/greeter\"\n");
        let endpoint = self.server.endpoint();
        let marker = format!(
            "repoId: 00000000-0000-4000-8000-000000000001\nbundles:\n  url: s3://bundles/team\n  endpoint: {endpoint}\n  \
             allowHttp: true\n  cacheSize: 10MiB\n"
        );
        sandbox.write("mangrove.yaml", &marker);
        Machine { sandbox, variables: S3Server::credentials(), world: self }
    }
}

struct Machine<'a> {
    sandbox: Sandbox,
    variables: BTreeMap<String, String>,
    world: &'a World,
}

impl Machine<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.command();
        command.envs(&self.variables).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().expect("the program starts");
        let output = Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
        };
        for hidden in [SECRET, KEY_ID] {
            assert!(!output.to_string().contains(hidden), "{arguments:?}: {output}");
        }
        output
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(output.code, 0, "{arguments:?}: {output}");
        output.document()
    }

    fn scan(&self) -> Scan {
        Scan(self.json(&["scan", "--all"]))
    }

    fn greet(&self) -> Output {
        self.run(&["model", "run", "greeter", "greet", "--input", "name=Ada"])
    }

    fn lose_cache(&self) {
        fs::remove_dir_all(self.sandbox.tree.path(".mangrove/bundle-cache")).expect("a cache");
    }

    /// Another machine with the same sources and the same catalog, and nothing else of this one.
    fn second(&self) -> Machine<'_> {
        let second = self.world.machine();
        let catalog = second.sandbox.tree.path(".mangrove/catalog.db");
        fs::create_dir_all(catalog.parent().expect("a directory")).expect("a state directory");
        let made = self.run(&["catalog", "backup", catalog.to_str().expect("a path")]);
        assert_eq!(made.code, 0, "{made}");
        second
    }
}

#[test]
fn a_lost_cache_costs_requests_and_no_build() {
    let world = World::new();
    let machine = world.machine();
    assert_eq!(machine.scan().built(), 2);
    assert_eq!(world.server.objects().keys().filter(|key| key.ends_with(".js")).count(), 2);
    assert!(world.server.objects().contains_key("team/catalog-id"));
    assert!(machine.sandbox.bundles().is_empty(), "nothing lies where bundles lie otherwise");
    let run = machine.greet();
    assert!(run.code == 0 && run.to_string().contains("hello Ada"), "{run}");

    let before = world.server.requests();
    assert_eq!(machine.greet().code, 0);
    let asked = world.server.requests() - before;
    assert!(asked <= 3, "whose it is and what is there is asked, and nothing is fetched: {asked} requests");

    machine.lose_cache();
    let before = world.server.requests();
    let run = machine.greet();
    assert!(run.code == 0 && run.to_string().contains("hello Ada"), "{run}");
    assert!(world.server.requests() - before > asked, "it was fetched");
    let scan = machine.scan();
    assert_eq!((scan.built(), scan.count("inspected")), (0, 0), "{:#}", scan.0);
}

#[test]
fn a_second_machine_builds_nothing() {
    let world = World::new();
    let first = world.machine();
    assert_eq!(first.scan().built(), 2);
    let second = first.second();
    let scan = second.scan();
    assert_eq!((scan.built(), scan.states().len()), (0, 2), "{:#}", scan.0);
    let run = second.greet();
    assert!(run.code == 0 && run.to_string().contains("hello Ada"), "{run}");
}

/// Whole processes, and what a second machine asks of the server. `--nocapture` prints the figures.
#[test]
fn many_bundles_take_few_requests_of_a_second_machine() {
    const ENTRIES: u64 = 200;
    let world = World::new();
    let first = world.machine();
    let corpus = Corpus { entries: 200, services: 20, broken: 0, invalid: 0 };
    let marker = first.sandbox.tree.read("mangrove.yaml").expect("a marker");
    let sandbox = Sandbox::corpus(corpus).0;
    sandbox.write("mangrove.yaml", &marker);
    let first = Machine { sandbox, ..first };
    let timed = |machine: &Machine<'_>, what: &str| {
        let (began, before) = (Instant::now(), world.server.requests());
        let scan = machine.scan();
        let (took, asked) = (began.elapsed(), world.server.requests() - before);
        println!("{what}: {took:?}, {asked} requests, {:?} an entry", took / 200);
        (scan, asked)
    };
    let (scan, asked) = timed(&first, "the first machine, cold");
    assert_eq!(scan.built(), ENTRIES);
    assert!(asked >= 200, "{asked} requests");
    timed(&first, "the first machine, warm");

    let backup = first.sandbox.tree.path("catalog.backup");
    assert_eq!(first.run(&["catalog", "backup", backup.to_str().expect("a path")]).code, 0);
    let second = Machine { sandbox: Sandbox::corpus(corpus).0, variables: S3Server::credentials(), world: &world };
    second.sandbox.write("mangrove.yaml", &marker);
    let catalog = second.sandbox.tree.path(".mangrove/catalog.db");
    fs::create_dir_all(catalog.parent().expect("a directory")).expect("a state directory");
    fs::rename(backup, catalog).expect("moved");
    let (scan, asked) = timed(&second, "the second machine, cold");
    assert_eq!((scan.built(), scan.count("inspected")), (0, 0), "{:#}", scan.0["summary"]);
    assert!(asked <= 5, "{asked} requests for {ENTRIES} bundles");
    let (_, asked) = timed(&second, "the second machine, warm");
    assert!(asked <= 5, "{asked} requests");
}

#[test]
fn fault_42_what_is_gone_or_damaged_is_built_again() {
    let world = World::new();
    let machine = world.machine();
    machine.scan();
    let objects = world.server.objects();
    let bundles: Vec<_> = objects.iter().filter(|(key, _)| key.ends_with(".js")).map(|(_, path)| path).collect();
    fs::remove_file(bundles[0]).expect("removed");
    let cached = machine.sandbox.tree.path(".mangrove/bundle-cache");
    assert!(cached.is_dir());
    let scan = machine.scan();
    assert_eq!(scan.built(), 1, "the bucket counts, not the cache: {:#}", scan.0);
    assert!(bundles[0].is_file());

    for bundle in bundles {
        let mut bytes = fs::read(bundle).expect("a bundle");
        bytes[0] ^= 1;
        fs::write(bundle, bytes).expect("damaged");
    }
    machine.lose_cache();
    let run = machine.greet();
    assert!(run.code == 0 && run.to_string().contains("hello Ada"), "it was built again: {run}");
    let doctor = machine.run(&["doctor"]);
    assert!(doctor.code == 1 && doctor.to_string().contains("MG0411"), "the other one is still damaged: {doctor}");
    let repaired = machine.run(&["doctor", "--repair", "--apply"]);
    assert_eq!(repaired.code, 0, "{repaired}");
    assert_eq!(machine.run(&["doctor"]).code, 0);
}

#[test]
fn an_outage_is_told_as_one_and_passes() {
    let world = World::new();
    let machine = world.machine();
    machine.scan();
    world.runtime.block_on(world.server.stop());
    let run = machine.greet();
    assert!(run.code == 0 && run.to_string().contains("hello Ada"), "what is in the cache runs: {run}");

    machine.sandbox.write(GREETER, &model("@acme/greeter").replace("hello", "good day"));
    let scan = machine.run(&["scan"]);
    assert!(scan.to_string().contains("MG0423"), "{scan}");
    let why = machine.run(&["why", "@acme/greeter"]);
    assert!(why.to_string().contains("MG0423") && why.to_string().contains("Transient"), "{why}");

    world.runtime.block_on(world.server.start_again());
    let run = machine.greet();
    assert!(run.code == 0 && run.to_string().contains("good day Ada"), "the first run after it: {run}");
}

#[test]
fn what_is_wrong_with_the_store_is_said_with_what_to_do() {
    let world = World::new();
    let mut machine = world.machine();
    machine.scan();
    machine.lose_cache();
    machine.variables.insert("AWS_SECRET_ACCESS_KEY".to_owned(), "another-one".to_owned());
    let refused = machine.run(&["scan"]);
    assert!(refused.code == 3 && refused.stderr.contains("MG0424"), "{refused}");
    assert!(refused.stderr.contains("SignatureDoesNotMatch") && refused.stderr.contains("MG0424"), "{refused}");
    machine.variables.clear();
    let began = Instant::now();
    let refused = machine.run(&["scan"]);
    assert!(refused.stderr.contains("MG0424") && refused.stderr.contains("AWS_ACCESS_KEY_ID"), "{refused}");
    assert!(began.elapsed() < Duration::from_secs(30), "nobody asks the machine for credentials");
    let page = machine.run(&["explain", "MG0424"]);
    assert!(page.stdout.contains("s3:ListBucket"), "{page}");

    machine.sandbox.edit("mangrove.yaml", "s3://bundles/team", "s3://user:hunter2@bundles/team");
    let refused = machine.run(&["types"]);
    assert!(refused.code == 2 && refused.stderr.contains("mangrove.yaml:3"), "{refused}");
    assert!(!refused.stderr.contains("hunter2"), "{refused}");
}

#[test]
fn the_store_is_shown() {
    let world = World::new();
    let mut machine = world.machine();
    machine.scan();
    let place = format!("s3://bundles/team at {}", world.server.endpoint());
    let doctor = machine.run(&["doctor"]);
    assert!(doctor.code == 0 && doctor.stdout.contains(&format!("bundles in {place}")), "{doctor}");
    assert_eq!(machine.json(&["doctor"])["store"]["place"], place.as_str());
    assert_eq!(machine.json(&["cache", "info"])["bundles"]["directory"], place.as_str());

    let setting = |machine: &Machine<'_>, key: &str| {
        let checked = machine.json(&["serve", "--check"]);
        let settings = checked["settings"].as_array().expect("settings").clone();
        let found = settings.into_iter().find(|setting| setting["key"] == key).expect("a setting");
        (found["value"].as_str().expect("a value").to_owned(), found["source"].as_str().expect("a source").to_owned())
    };
    assert_eq!(setting(&machine, "bundles"), ("s3://bundles/team".to_owned(), "mangrove.yaml:3".to_owned()));
    assert_eq!(setting(&machine, "bundles.cacheSize"), ("10.4 MB".to_owned(), "mangrove.yaml:6".to_owned()));
    machine.variables.insert("MANGROVE_BUNDLES".to_owned(), "local".to_owned());
    let (value, source) = setting(&machine, "bundles");
    assert!(value.ends_with(".mangrove/bundles") && source == "MANGROVE_BUNDLES", "{value} {source}");
}

#[test]
fn a_store_of_another_catalog_is_refused_until_it_is_taken_over() {
    let world = World::new();
    let (ours, theirs) = (world.machine(), world.machine());
    ours.scan();
    let objects = world.server.objects();
    let refused = theirs.run(&["scan"]);
    assert!(refused.to_string().contains("MG0412"), "{refused}");
    assert!(theirs.sandbox.run(&["types", "--json"]).document()["types"].as_array().is_some_and(Vec::is_empty));
    assert_eq!(world.server.objects(), objects, "and nothing was touched");
    let rebuilt = theirs.run(&["catalog", "rebuild"]);
    assert_eq!(rebuilt.code, 0, "{rebuilt}");
    assert!(theirs.greet().code == 0);
    let refused = ours.run(&["scan", "--rehash"]);
    assert!(refused.to_string().contains("MG0412"), "{refused}");
}
