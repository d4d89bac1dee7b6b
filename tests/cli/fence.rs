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

/// Publishes a package for each form of import that leads to a file of the directory `private`, to which `up` leads from
/// anywhere, and writes a model for each; their names.
fn publish_thieves(registry: &FakeRegistry, sandbox: &Sandbox, private: &str, up: &str) -> Vec<&'static str> {
    let module = |text: String| (r#"{"type":"module","main":"index.js"}"#, text);
    let packages = [
        ("required", ("{}", format!("module.exports = require('{private}/secret.json');"))),
        ("climbed", ("{}", format!("module.exports = require('{up}/secret.json');"))),
        ("tried", ("{}", format!("try {{ module.exports = require('{private}/secret'); }} catch {{}}"))),
        ("imported", module(format!("export {{ default }} from '{private}/secret.mjs';"))),
        ("address", module(format!("export const x = () => import('file://{private}/secret.mjs');"))),
        ("text", module(format!("import x from '{up}/secret.txt' with {{ type: 'text' }}; export default x;"))),
        ("bytes", module(format!("import x from '{up}/secret.txt' with {{ type: 'bytes' }}; export default x;"))),
        ("malformed", module(format!("import x from '{up}/secret.txt' with {{ type: 'json' }}; export default x;"))),
        ("raw", module(format!("import x from '{private}/secret.txt?raw'; export default x;"))),
        ("pattern", module(format!("export const x = (name) => import(`{up}/patterns/${{name}}.mjs`);"))),
        (
            "target",
            (r##"{"imports":{"#x":"./../../../../private/secret.mjs"}}"##, "module.exports = require('#x');".into()),
        ),
    ];
    packages
        .map(|(name, (manifest, text))| {
            let mut document: serde_json::Value = serde_json::from_str(manifest).expect("JSON");
            document["name"] = name.into();
            document["version"] = "1.0.0".into();
            let package =
                FakePackage::new(name, "1.0.0").raw_file("package/package.json", document.to_string().as_bytes());
            registry.publish(package.file("index.js", &text));
            let imports = format!("import * as stolen from \"npm:{name}@1\";\nexport {{ stolen }};");
            sandbox.write(&format!("extensions/models/{name}.ts"), &model_with(&imports, &format!("@acme/{name}"), ""));
            name
        })
        .into()
}

/// The same for packages that Deno itself bundles, and for patterns in an `import()`.
#[test]
fn f01_what_deno_bundles_brings_no_files_of_the_host() {
    let Some(deno) = crate::deno::real() else { return };
    let registry = FakeRegistry::start().expect("a free port");
    let sandbox = Sandbox::new("");
    // What it fetches before its first bundle is not there at the stand-in.
    crate::deno::tool(&sandbox, &deno);
    for (file, text) in [
        ("private/secret.json", format!("{{\"token\":{SECRET:?}}}")),
        ("private/secret.mjs", format!("export default {SECRET:?};")),
        ("private/secret.txt", SECRET.to_owned()),
        ("private/patterns/secret.mjs", format!("export default {SECRET:?};")),
    ] {
        sandbox.write(file, &text);
    }
    let private = sandbox.tree.path("private").canonicalize().expect("it is there").display().to_string();
    let up = format!(".{}{private}", "/..".repeat(30));
    let mut names = publish_thieves(&registry, &sandbox, &private, &up);
    let pattern = format!("export const stolen = (name: string) => import(`{up}/patterns/${{name}}.mjs`);");
    sandbox.write("extensions/models/source.ts", &model_with(&pattern, "@acme/source", ""));
    names.push("source");
    registry.publish(
        FakePackage::new("honest", "1.0.0")
            .file("index.js", "module.exports = require('./x.js');")
            .file("x.js", "exports.x = 1;"),
    );
    sandbox.write(
        "extensions/models/honest.ts",
        &model_with("import * as honest from \"npm:honest@1\";\nexport { honest };", "@acme/honest", ""),
    );

    let output = sandbox
        .command()
        .env("MANGROVE_DENO", &deno)
        .env("MANGROVE_NPM_REGISTRY", registry.url())
        .args(["scan", "--bundler", "deno", "--json", "--all"])
        .output()
        .expect("it starts");
    let scan = crate::sandbox::Scan(serde_json::from_slice(&output.stdout).expect("JSON"));
    assert_eq!(
        scan.source("extensions/models/honest.ts")["state"],
        "Indexed",
        "{:#}",
        scan.source("extensions/models/honest.ts")
    );
    for name in names {
        let source = scan.source(&format!("extensions/models/{name}.ts"));
        let failure = &source["failure"];
        assert_eq!((&failure["code"], &failure["class"]), (&"MG0310".into(), &"Environment".into()), "{source:#}");
        assert!(!source.to_string().contains(SECRET), "{source:#}");
    }
    for file in files_below(&sandbox.tree.path(".mangrove")) {
        let bytes = std::fs::read(&file).expect("a state file");
        assert!(!bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()), "{}", file.display());
    }
}
