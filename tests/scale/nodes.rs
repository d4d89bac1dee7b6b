//! The case that the product exists for, on several machines: two daemons that share a catalog on PostgreSQL and bundles in S3,
//! each in a network of its own, while one thing after the other fails between them. Nothing is ever started again.

use std::{
    thread,
    time::{Duration, Instant},
};

use mangrove_testkit::{
    postgres::{Listens, PostgresServer, Setup},
    registry::{FakePackage, FakeRegistry},
    s3_server::{BUCKET, S3Server},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    checkout::{Checkout, Output},
    daemon::Daemon,
    network::{Network, REGISTRY, SHARED},
};

const S3_PORT: u16 = 9_000;
const REGISTRY_PORT: u16 = 4_873;

/// Until what heals by a timer has healed: the delays of the first tries, the time-outs of whoever was asking when it began, and
/// a machine that does much else.
const HEALED: Duration = Duration::from_secs(40);

/// What a person waits for an answer of a daemon whose servers are away, at most: the patience with the database, one attempt to
/// reach it, and what a silent bucket is waited for.
const ANSWERED: Duration = Duration::from_secs(35);

const SHOUT: &str = "extensions/models/shout.ts";
const LATE: &str = "extensions/models/late.ts";
const LATER: &str = "extensions/models/later.ts";

/// A model whose method says what `words` is.
fn model(head: &str, name: &str, words: &str) -> String {
    format!(
        "{head}
const schema = () => ({{ _def: {{}}, parse: (value) => value, safeParse: (value) => ({{ success: true, data: value }}) }});
export const model = {{
  type: \"@drill/{name}\",
  version: \"2026.05.23.1\",
  methods: {{
    say: {{
      description: \"Say something\",
      arguments: schema(),
      execute: async (args, context) => {{ context.logger.info(`{words}`); return {{ dataHandles: [] }}; }},
    }},
  }},
}};
"
    )
}

/// A definition of such a model, and a workflow that runs its method; both are called `name`.
fn add_workflow(checkout: &Checkout<'_>, name: &str, number: u8) {
    let id = |kind: u8| format!("7f9c24e5-2f64-4c1e-8f0b-9c8b7d6e{kind:02x}{number:02x}");
    let definition = format!("id: {}\nname: {name}\nversion: 1\nmethods: {{}}\n", id(0xaa));
    checkout.write(&format!("models/@drill/{name}/{}.yaml", id(0xaa)), &definition);
    let task = format!("{{ type: model_method, modelIdOrName: {name}, methodName: say }}");
    let steps = format!("    steps:\n      - name: say\n        task: {task}\n");
    let workflow = format!("id: {}\nname: {name}\nversion: 1\njobs:\n  - name: only\n{steps}", id(0xbb));
    checkout.write(&format!("workflows/{name}.yaml"), &workflow);
}

fn checkout<'a>(place: &TempDir, network: &'a Network, catalog: &str) -> Checkout<'a> {
    let mut checkout = Checkout::new(place.path().join("one"), catalog);
    checkout.namespace = Some(network.node(1));
    checkout.variables = S3Server::credentials();
    checkout.variables.insert("MANGROVE_NPM_REGISTRY".to_owned(), format!("http://{REGISTRY}:{REGISTRY_PORT}/"));
    let marker = std::fs::read_to_string(checkout.directory.join("mangrove.yaml")).expect("a marker");
    let endpoint = format!("http://{SHARED}:{S3_PORT}");
    let bundles = format!("bundles:\n  url: s3://{BUCKET}/drill\n  endpoint: {endpoint}\n  allowHttp: true\n");
    checkout.write("mangrove.yaml", &format!("{marker}{bundles}"));
    checkout.write(SHOUT, &model("import { shout } from \"npm:shout@^1\";", "shout", "${shout(\"hear\")}"));
    add_workflow(&checkout, "shout", 1);
    // Its source comes later.
    add_workflow(&checkout, "late", 2);
    add_workflow(&checkout, "later", 3);
    checkout
}

/// A run by a daemon, within the time that a person waits.
fn run(daemon: &Daemon<'_>, workflow: &str) -> Output {
    let start = Instant::now();
    let output = daemon.run(&["workflow", "run", workflow]);
    assert!(start.elapsed() < ANSWERED, "{workflow} took {:?}: {output:?}\n{:#?}", start.elapsed(), daemon.log());
    output
}

fn succeeds(daemon: &Daemon<'_>, workflow: &str, says: &str) {
    let output = run(daemon, workflow);
    let is_right = output.code == Some(0) && output.stdout.contains(says);
    assert!(is_right, "{workflow}: {output:?}\n{:#?}", daemon.log());
}

fn is_indexed(row: &Value) -> bool {
    row["state"] == "Indexed" && row["degraded"] == false
}

#[test]
fn two_daemons_in_networks_of_their_own_heal_from_everything_between_them() {
    let Some(network) = Network::create() else { return };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    let listens = Some(Listens::In(network.shared().name().to_owned(), SHARED.into()));
    let server = PostgresServer::start_with(Setup { listens, ..Setup::default() });
    let bucket = S3Server::start_on(network.listener(SHARED, S3_PORT));
    let place = TempDir::new().expect("a directory");
    let one = checkout(&place, &network, &server.network_url(&server.create_database()));
    let two = Checkout { namespace: Some(network.node(2)), ..one.cloned(place.path().join("two")) };

    // A cold start without the registry: what needs none runs, and what does is blocked and says by what.
    let daemons = thread::scope(|scope| {
        [&one, &two].map(|node| scope.spawn(|| Daemon::start(node))).map(|started| started.join().expect("it starts"))
    });
    for daemon in &daemons {
        daemon.settles(SHOUT, HEALED, |row| row["state"] == "BundleBuildFailed");
        succeeds(daemon, "hello", "Hello, world!");
        let blocked = run(daemon, "shout");
        assert_eq!(blocked.code, Some(75), "{blocked:?}");
        let said = format!("{blocked:?}");
        assert!(said.contains("@drill/shout") && said.contains("cannot fetch the metadata of shout"), "{said}");
    }

    // The registry is there: both heal by themselves.
    let package = FakePackage::new("shout", "1.2.0")
        .file("index.js", "export const shout = (text) => text.toUpperCase() + \"!\";\n");
    let _registry = FakeRegistry::start_on(network.listener(REGISTRY, REGISTRY_PORT), [package]).expect("a registry");
    for daemon in &daemons {
        daemon.settles(SHOUT, HEALED, is_indexed);
        succeeds(daemon, "shout", "HEAR!");
    }
    assert!(bucket.objects().keys().any(|key| key.ends_with(".js")), "{:?}", bucket.objects());

    // One is cut off, and the other one does not notice. What was committed meanwhile is known to both when the cable is back:
    // nothing in the checkout of the second has changed, it knows from the catalog alone.
    let [first, second] = &daemons;
    network.cut(2);
    one.write(LATE, &model("", "late", "late"));
    first.settles(LATE, HEALED, is_indexed);
    succeeds(first, "late", "late");
    assert!(!second.types().contains("@drill/late"), "it cannot know");
    network.join(2);
    second.settles(LATE, HEALED, is_indexed);
    two.write(LATE, &model("", "late", "late"));
    succeeds(second, "late", "late");

    // Both are cut off, one from its cable and one by lost packets: nothing answers it, and nothing is refused either. Both go on
    // with what they have; who has nothing is told within the limits. A third one commits.
    let three = Checkout { namespace: Some(network.shared()), ..one.cloned(place.path().join("three")) };
    network.lose_packets(1);
    network.cut(2);
    thread::scope(|scope| {
        for daemon in &daemons {
            scope.spawn(|| succeeds(daemon, "hello", "Hello, world!"));
            scope.spawn(|| succeeds(daemon, "shout", "HEAR!"));
        }
        let start = Instant::now();
        let alone = one.run(&["types"]);
        assert_eq!(alone.code, Some(75), "{alone:?}");
        assert!(alone.stderr.contains("MG0506") && start.elapsed() < ANSWERED, "{:?}: {alone:?}", start.elapsed());
        three.write(LATER, &model("", "later", "later"));
        three.succeed(&["scan", "--strict"]);
    });
    network.deliver_packets(1);
    network.join(2);
    for (daemon, checkout) in daemons.iter().zip([&one, &two]) {
        daemon.settles(LATER, HEALED, is_indexed);
        checkout.write(LATER, &model("", "later", "later"));
        succeeds(daemon, "later", "later");
    }
    for checkout in [&one, &two, &three] {
        checkout.succeed(&["scan", "--strict"]);
    }
}
