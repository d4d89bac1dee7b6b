//! Extensions from elsewhere.

use mangrove_testkit::{extensions::FakeExtension, registry::FakeRegistry};

use crate::scene::{Scene, model};

pub(crate) const TESTS: &[(&str, fn())] = &[("pulled_extensions", pulled_extensions)];

fn dns(version: &str) -> FakeExtension {
    FakeExtension::new("@acme/dns", version, "models: [dns.ts]\ndependencies: [\"@acme/net\"]")
        .file("models/dns.ts", &model("@acme/dns", "", ""))
}

fn pulled_extensions() {
    let registry = FakeRegistry::start().expect("a free port");
    let address = registry.url();
    let net = FakeExtension::new("@acme/net", "2026.01.01.1", "models: [net.ts]");
    registry.publish_extension(net.file("models/net.ts", &model("@acme/net", "", "")));
    registry.publish_extension(dns("2026.01.02.1"));
    let mut scene = Scene::new("");
    scene.both(&["extension", "list"]);
    scene.run(&["extension", "pull", "@acme/nds", "--registry", &address]);
    scene.run(&["extension", "pull", "@acme", "--registry", &address]);
    scene.run(&["extension", "pull", "@acme/dns", "--registry", &address]);
    scene.run(&["scan"]);
    scene.both(&["extension", "list"]);
    scene.remark("a newer version");
    registry.publish_extension(dns("2026.02.01.1"));
    scene.run(&["extension", "pull", "@acme/dns", "--json"]);
    scene.both(&["extension", "pull", "@acme/dns"]);
    scene.remark("what was changed");
    scene.write(".swamp/pulled-extensions/@acme/dns/models/dns.ts", "// mine\n");
    scene.both(&["extension", "rm", "@acme/dns"]);
    scene.remark("what is missing");
    scene.remove(".swamp/pulled-extensions/@acme/dns");
    scene.remove(".swamp/pulled-extensions/@acme/net/models/net.ts");
    scene.run(&["scan"]);
    scene.run(&["extension", "list"]);
    scene.run(&["extension", "install", "--offline"]);
    scene.run(&["extension", "install"]);
    scene.run(&["extension", "install", "--json"]);
    scene.run(&["extension", "rm", "@acme/dsn"]);
    scene.both(&["extension", "rm", "@acme/dns"]);
    scene.remark("nobody answers");
    registry.go_down();
    scene.run(&["extension", "pull", "@acme/dns", "--registry", &address]);
    scene.check("pulled_extensions");
}
