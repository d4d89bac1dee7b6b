//! Packages that want more than their own files, through the whole program.

use mangrove_testkit::registry::{FakePackage, FakeRegistry};

use crate::{
    fixtures::{model, model_with},
    sandbox::{Sandbox, files_below},
};

const SECRET: &str = "the-token-of-somebody-else";

#[test]
fn f01_a_package_cannot_bring_files_of_the_host_into_a_bundle() {
    let registry = FakeRegistry::start().expect("a free port");
    let sandbox = Sandbox::new("");
    sandbox.write(".npmrc", &format!("registry={}\n", registry.url()));
    sandbox.write("private/config.json", &format!("{{\"token\":\"{SECRET}\"}}"));
    let secret = sandbox.tree.path("private/config.json").display().to_string();
    let manifest = |main: &str| format!("{{\"name\":\"thief\",\"version\":\"1.0.0\",\"main\":\"{main}\"}}");
    for (name, package) in [
        (
            "required",
            FakePackage::new("required", "1.0.0").file("index.js", &format!("module.exports = require({secret:?});")),
        ),
        (
            "imported",
            FakePackage::new("imported", "1.0.0").file("index.js", &format!("export {{ default }} from {secret:?};")),
        ),
        (
            "main",
            FakePackage::new("main", "1.0.0")
                .raw_file("package/package.json", manifest("../../../../../../private/config.json").as_bytes()),
        ),
    ] {
        registry.publish(package);
        let text = model_with(
            &format!("import stolen from \"npm:{name}@1\";\nexport {{ stolen }};"),
            &format!("@acme/{name}"),
            "",
        );
        sandbox.write(&format!("extensions/models/{name}.ts"), &text);
    }
    sandbox.write("extensions/models/honest.ts", &model("@acme/honest"));

    let scan = sandbox.scan(&[]);
    assert_eq!(scan.source("extensions/models/honest.ts")["state"], "Indexed");
    for name in ["required", "imported", "main"] {
        let source = scan.source(&format!("extensions/models/{name}.ts"));
        let failure = &source["failure"];
        assert_eq!((&failure["code"], &failure["class"]), (&"MG0310".into(), &"Environment".into()), "{source:#}");
        let message = failure["message"].as_str().expect("a message");
        assert!(message.contains(&format!("the package {name}@1.0.0 imports")), "{message}");
        let path = format!("extensions/models/{name}.ts");
        let bundled = sandbox.run(&["bundle", &path, "--self-contained", "-o", "out.js"]);
        assert!(bundled.code == 1 && bundled.stderr.contains("MG0310"), "{bundled}");
    }
    for file in files_below(&sandbox.tree.path(".mangrove")) {
        let bytes = std::fs::read(&file).expect("a state file");
        assert!(!bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()), "{}", file.display());
    }
}
