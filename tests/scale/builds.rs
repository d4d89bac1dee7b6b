//! Nodes that begin at once with an empty catalog and an empty bucket: each thing is built by one of them.

use std::{
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use mangrove_testkit::{
    postgres::PostgresServer,
    s3_server::{BUCKET, S3Server},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::checkout::Checkout;

/// How many models there are, and how many entries with those of `init`.
const MODELS: u64 = 60;
const ENTRIES: u64 = MODELS + 3;
/// Until others have what a node had of which nothing is heard any more.
const LEASE: Duration = Duration::from_secs(15);
/// What a machine may take that does much else.
const BUSY: Duration = Duration::from_mins(1);

/// What nodes share.
struct Shared {
    server: PostgresServer,
    database: String,
    bucket: S3Server,
    _runtime: tokio::runtime::Runtime,
    place: TempDir,
}

impl Shared {
    fn start() -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let bucket = runtime.block_on(S3Server::start());
        let server = PostgresServer::start();
        let (database, place) = (server.create_database(), TempDir::new().expect("a directory"));
        let shared = Self { server, database, bucket, _runtime: runtime, place };
        let one = Checkout::new(shared.place.path().join("one"), &shared.server.url(&shared.database));
        let marker = std::fs::read_to_string(one.directory.join("mangrove.yaml")).expect("a marker");
        let endpoint = shared.bucket.endpoint();
        let bundles = format!("bundles:\n  url: s3://{BUCKET}/builds\n  endpoint: {endpoint}\n  allowHttp: true\n");
        one.write("mangrove.yaml", &format!("{marker}{bundles}"));
        for number in 0..MODELS {
            one.write(&format!("extensions/models/m{number}.ts"), &model(number));
        }
        shared
    }

    fn node(&self, name: &str) -> Checkout<'static> {
        let one = Checkout { variables: S3Server::credentials(), ..Checkout::at(&self.place.path().join("one")) };
        let one = Checkout { catalog: self.server.url(&self.database), ..one };
        one.cloned(self.place.path().join(name))
    }

    fn sql(&self, statement: &str) -> String {
        self.server.sql(&self.database, statement).trim().to_owned()
    }

    /// Whether anybody builds something.
    fn is_held(&self) -> bool {
        self.sql("SELECT to_regclass('mangrove_runs.build_leases') IS NOT NULL") == "t"
            && self.sql("SELECT count(*) > 0 FROM mangrove_runs.build_leases") == "t"
    }

    /// Starts a scan and waits until it has something that others wait for.
    fn start_building(&self, node: &Checkout<'_>) -> Child {
        let scanning = start(node);
        let began = Instant::now();
        while !self.is_held() {
            assert!(began.elapsed() < BUSY, "it builds nothing");
            thread::sleep(Duration::from_millis(2));
        }
        scanning
    }
}

fn model(number: u64) -> String {
    format!(
        "const schema = () => ({{ _def: {{}}, parse: (value) => value, safeParse: (value) => ({{ success: true, data: value }}) }});
export const model = {{
  type: \"@builds/m{number}\",
  version: \"2026.05.23.1\",
  methods: {{ say: {{ description: \"Say\", arguments: schema(), execute: async () => ({{ dataHandles: [] }}) }} }},
}};
"
    )
}

fn start(node: &Checkout<'_>) -> Child {
    let mut command = node.command(&["scan", "--json", "--jobs", "2"]);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program starts")
}

fn ended(scanning: Child) -> Value {
    let output = scanning.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("a document")
}

fn count(document: &Value, what: &str) -> u64 {
    document["summary"].pointer(what).and_then(Value::as_u64).unwrap_or(0)
}

fn signal(scanning: &Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &scanning.id().to_string()]).status().expect("`kill` runs");
    assert!(sent.success());
}

#[test]
fn nodes_that_begin_at_once_build_each_thing_once() {
    let shared = Shared::start();
    let nodes = ["two", "three", "four"].map(|name| shared.node(name));
    let scans = nodes.each_ref().map(start).map(ended);
    let built: Vec<u64> = scans.iter().map(|scan| count(scan, "/built")).collect();
    for scan in &scans {
        assert_eq!(count(scan, "/states/Indexed"), ENTRIES, "{:#}", scan["summary"]);
    }
    assert_eq!(built.iter().sum::<u64>(), ENTRIES, "{built:?}");
    // Each bundle was remembered once, by who built it.
    let remembered = shared.sql("SELECT max(id) FROM mangrove_catalog.inspections");
    assert_eq!(remembered, (2 * ENTRIES).to_string(), "bundles and inspections");
    assert!(!shared.is_held(), "all is given back");
}

/// A role that may not say who builds what, as one whose tables nobody has made: it builds without.
#[test]
fn a_node_that_can_ask_nobody_builds_anyway() {
    let shared = Shared::start();
    let mut node = shared.node("two");
    shared.sql("CREATE ROLE builder LOGIN");
    node.succeed(&["catalog", "migrate", "--grant", "builder"]);
    shared.sql("REVOKE USAGE ON SCHEMA mangrove_runs FROM builder");
    node.catalog = shared.server.url_as("builder", &shared.database);
    let scanned = ended(start(&node));
    assert_eq!((count(&scanned, "/states/Indexed"), count(&scanned, "/built")), (ENTRIES, ENTRIES));
}

#[test]
fn what_a_killed_node_was_building_is_built_by_another_one() {
    let shared = Shared::start();
    let (dies, lives) = (shared.node("two"), shared.node("three"));
    let mut dying = shared.start_building(&dies);
    signal(&dying, "-KILL");
    dying.wait().expect("it is dead");
    let left: u64 = shared.sql("SELECT count(*) FROM mangrove_runs.build_leases").parse().expect("a number");
    assert!(left > 0, "it had something");
    let began = Instant::now();
    let scanned = ended(start(&lives));
    let took = began.elapsed();
    assert_eq!(count(&scanned, "/states/Indexed"), ENTRIES, "{:#}", scanned["summary"]);
    assert!(took < LEASE + BUSY, "{took:?}");
    assert!(took > Duration::from_secs(5), "nobody waited for what {left} leases were of: {took:?}");
}

#[test]
fn a_node_that_stood_still_changes_nothing_that_another_one_committed() {
    let shared = Shared::start();
    let (late, newer) = (shared.node("two"), shared.node("three"));
    let late = shared.start_building(&late);
    signal(&late, "-STOP");
    let scanned = ended(start(&newer));
    assert_eq!(count(&scanned, "/states/Indexed"), ENTRIES, "{:#}", scanned["summary"]);
    let rows = "SELECT string_agg(path || revision, ',' ORDER BY path) FROM mangrove_catalog.sources";
    let committed = shared.sql(rows);
    signal(&late, "-CONT");
    let late = ended(late);
    assert_eq!(count(&late, "/states/Indexed"), ENTRIES, "{:#}", late["summary"]);
    assert_eq!(shared.sql(rows), committed);
    assert!(!shared.is_held());
}
