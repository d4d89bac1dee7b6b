//! Everything that can be wrong with a source, and what is said of it.

use crate::scene::{Scene, model};

pub(crate) const TESTS: &[(&str, fn())] =
    &[("broken_sources", broken_sources), ("changing_sources", changing_sources), ("several_claims", several_claims)];

/// The sources that never worked, by what is wrong.
const BROKEN: &[&str] = &[
    "extensions/models/syntax.ts",
    "extensions/models/unresolved.ts",
    "extensions/models/unreachable.ts",
    "extensions/models/rejected.ts",
    "extensions/models/unreadable.ts",
    "extensions/models/throws.ts",
    "extensions/models/vault.ts",
    "extensions/models/endless.ts",
];

fn broken_sources() {
    let mut scene = Scene::new("");
    scene.write(".npmrc", "registry=http://127.0.0.1:9/\n");
    scene.write("extensions/models/good.ts", &model("@acme/good", "", ""));
    scene.write("extensions/models/syntax.ts", &model("@acme/syntax", "const unfinished = { list: [;", ""));
    scene.write(
        "extensions/models/unresolved.ts",
        &model("@acme/unresolved", "import { x } from './missing.ts';", "x();"),
    );
    scene.write(
        "extensions/models/unreachable.ts",
        &model("@acme/unreachable", "import pad from 'npm:left-pad@1';", "pad();"),
    );
    scene.write(
        "extensions/models/rejected.ts",
        "export const model = { type: '@acme/rejected', version: 7, methods: {} };\n",
    );
    scene.make_unreadable("extensions/models/unreadable.ts");
    scene.write("extensions/models/throws.ts", &model("@acme/throws", "throw new Error('not today');", ""));
    scene.write(
        "extensions/models/vault.ts",
        "export const vault = { type: '@acme/vault', name: 'Keys', description: 'Keeps keys', createProvider: () => ({}) };\n",
    );
    scene.write(
        "extensions/models/needs_deno.ts",
        &model("@acme/deno", "import { x } from 'jsr:@std/assert@1';", "x();"),
    );
    scene.write("extensions/models/_lib/helper.ts", "export const nothing = 1;\n");
    scene.both(&["scan"]);
    scene.run(&["scan", "--strict"]);
    scene.run(&["scan", "--dry-run"]);
    for path in BROKEN.iter().filter(|path| scene.path(path).symlink_metadata().is_ok()).collect::<Vec<_>>() {
        scene.run(&["why", path]);
    }
    scene.run(&["why", "@acme/syntax", "--json"]);
    scene.run(&["describe", "@acme/syntax"]);
    scene.both(&["types", "--all"]);
    scene.both(&["doctor"]);
    scene.run(&["retry", "@acme/syntax"]);
    scene.check("broken_sources");
}

fn changing_sources() {
    let mut scene = Scene::new("");
    let path = "extensions/models/greeter.ts";
    scene.write(path, &model("@acme/greeter", "", ""));
    scene.write("extensions/models/other.ts", &model("@acme/other", "", ""));
    scene.run(&["scan"]);
    scene.remark("a mistake is made");
    scene.write(path, &model("@acme/greeter", "const unfinished = { list: [;", ""));
    scene.wait_an_hour();
    scene.both(&["scan"]);
    scene.both(&["why", "@acme/greeter"]);
    scene.run(&["types", "--all"]);
    scene.run(&["doctor"]);
    scene.remark("the mistake is undone");
    scene.write(path, &model("@acme/greeter", "", ""));
    scene.run(&["scan"]);
    scene.remark("a bundle is lost");
    scene.remove(".mangrove/bundles");
    scene.run(&["doctor"]);
    scene.run(&["scan"]);
    scene.remark("a source is removed");
    scene.remove("extensions/models/other.ts");
    scene.wait_an_hour();
    scene.both(&["scan"]);
    scene.run(&["describe", "@acme/other"]);
    scene.run(&["doctor"]);
    scene.run(&["doctor", "--repair"]);
    scene.check("changing_sources");
}

fn several_claims() {
    let mut scene = Scene::new("");
    scene.write(".swamp-sources.yaml", "sources: [mounts/shared]\n");
    scene.write("extensions/models/first.ts", &model("@acme/twice", "", ""));
    scene.write("extensions/models/second.ts", &model("@acme/twice", "// the same type", ""));
    scene.write("mounts/shared/extensions/models/mounted.ts", &model("@acme/shared", "// mounted", ""));
    scene.write("extensions/models/shared.ts", &model("@acme/shared", "const unfinished = { list: [;", ""));
    scene.both(&["scan"]);
    scene.both(&["why", "@acme/twice"]);
    scene.run(&["why", "@acme/shared"]);
    scene.run(&["types", "--all"]);
    scene.run(&["doctor"]);
    scene.remark("the mount is away");
    scene.remove("mounts/shared");
    scene.run(&["scan"]);
    scene.run(&["why", "@acme/shared"]);
    scene.check("several_claims");
}
