//! The code of `cargo xtask compare` works: what is as Deno has it differs in nothing, and what is not is found.

use std::{fs, path::Path};

use crate::{deno, sandbox::Sandbox};

#[path = "../compare/real/mod.rs"]
mod real;

use real::{Options, Report};

/// Two roots without packages: a model with all that can be described, an add-on to it, one that waits, a report, a
/// vault, a source that neither has, and one that is rejected.
const ROOTS: &str = r#"
//- /one/mangrove.yaml
repoId: 00000000-0000-4000-8000-000000000001
//- /one/extensions/models/_lib/schema.ts
export const schema = (of: object) => ({
  _def: {}, parse: (value: unknown) => value, safeParse: (data: unknown) => ({ success: true, data }),
  toJSONSchema: () => of,
});
//- /one/extensions/models/zone.ts
import { schema } from "./_lib/schema.ts";
export const model = {
  type: "@compared/zone",
  version: "2026.05.23.1",
  globalArguments: schema({ type: "object", properties: { token: { type: "string", default: "PLACE" } } }),
  resources: {
    state: { schema: schema({ type: "object" }), lifetime: "infinite", garbageCollection: 3, tags: { a: "b" } },
  },
  files: { log: { contentType: "text/plain", lifetime: "7d", garbageCollection: "30d", streaming: true } },
  checks: { alive: { description: "answers", execute: async () => ({ pass: true }), labels: ["live"] } },
  upgrades: [{ toVersion: "2026.05.23.1", description: "first", upgradeAttributes: (old: unknown) => old }],
  reports: ["@compared/summary"],
  methods: {
    sync: { description: "Syncs", kind: "update", arguments: schema({ type: "object" }), execute: async () => ({ dataHandles: [] }) },
    look: { description: "Looks", arguments: schema({ type: "number", multipleOf: 0.5 }), execute: async () => ({ dataHandles: [] }) },
  },
};
//- /one/extensions/models/more.ts
import { schema } from "./_lib/schema.ts";
export const extension = {
  type: "@compared/zone",
  methods: [{ purge: { description: "Purges", arguments: schema({ type: "object" }), execute: async () => ({ dataHandles: [] }) } }],
  checks: [{ paid: { description: "is paid", execute: async () => ({ pass: true }) } }],
};
//- /one/extensions/models/waits.ts
import { schema } from "./_lib/schema.ts";
export const extension = {
  type: "@compared/elsewhere",
  methods: [{ purge: { description: "Purges", arguments: schema({ type: "object" }), execute: async () => ({ dataHandles: [] }) } }],
};
//- /one/extensions/models/broken.ts
export const model = { type: "@compared/broken", list: [;
//- /one/extensions/models/rejected.ts
export const model = { type: 3 };
//- /two/below/mangrove.yaml
repoId: 00000000-0000-4000-8000-000000000002
//- /two/below/extensions/reports/summary.ts
export const report = { name: "@compared/summary", description: "sums up", scope: "model", labels: ["a"], execute: async () => ({}) };
//- /two/below/extensions/vaults/box.ts
export const vault = { type: "@compared/box", name: "Box", description: "keeps", createProvider: () => ({}) };
"#;

fn compare(directory: &Path, only_link: bool) -> Option<Report> {
    let options = Options {
        program: env!("CARGO_BIN_EXE_mangrove").into(),
        deno: deno::real()?,
        directory: directory.to_owned(),
        only_link,
        only: None,
    };
    Some(real::run(&options, &|_, _| {}).expect("all can be compared"))
}

#[test]
fn what_is_as_deno_has_it_differs_in_nothing() {
    let sandbox = Sandbox::new(ROOTS);
    fs::remove_file(sandbox.tree.path("mangrove.yaml")).expect("the sandbox's own marker");
    let Some(report) = compare(&sandbox.tree.root(), false) else { return };
    assert_eq!(report.differences, Vec::<String>::new());
    let counts = (report.roots, report.rows, report.indexed, report.linked, report.described);
    assert_eq!(counts, (2, 7, 5, 5, 5), "{report:?}");
    let left_out: Vec<&str> = report.left_out.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(left_out, ["extensions/models/broken.ts", "extensions/models/rejected.ts"], "{report:?}");
    assert!(!sandbox.tree.path("one/.mangrove").exists(), "it worked in the directory itself");
}

/// A module that says of itself where it is loaded, so that it is described otherwise.
#[test]
fn what_differs_is_found_and_named() {
    let sandbox = Sandbox::new(ROOTS);
    fs::remove_file(sandbox.tree.path("mangrove.yaml")).expect("the sandbox's own marker");
    let path = sandbox.tree.path("one/extensions/models/zone.ts");
    let text = fs::read_to_string(&path).expect("a source").replace("\"PLACE\"", "`${typeof navigator}${Deno.pid}`");
    fs::write(&path, text).expect("written");
    let Some(report) = compare(&sandbox.tree.root(), false) else { return };
    let [difference] = report.differences.as_slice() else { panic!("{report:?}") };
    let place = "extensions/models/zone.ts: details.globalArguments.properties.token.default: Deno has \"object";
    assert!(difference.starts_with(place), "{difference}");
    assert_eq!((report.linked, report.described), (5, 5), "{report:?}");
}

/// Whether bundles link can be asked alone.
#[test]
fn bundles_alone_are_compared_where_only_they_are_asked_for() {
    let sandbox = Sandbox::new(ROOTS);
    fs::remove_file(sandbox.tree.path("mangrove.yaml")).expect("the sandbox's own marker");
    let Some(report) = compare(&sandbox.tree.root(), true) else { return };
    assert_eq!((report.linked, report.described, report.differences.len()), (5, 0, 0), "{report:?}");
}
