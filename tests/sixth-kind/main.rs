//! A program of somebody else's: the runner with the kind `datastore` and one of its own. With a command of
//! Mangrove as its first argument it is that program, and its own worker; otherwise it tests it.

mod probe;

use std::{
    path::Path,
    process::{Command, ExitCode},
};

use libtest_mimic::{Arguments, Failed, Trial};
use mangrove_domain::shape::Shape;
use mangrove_testkit::{
    contract::loader::{self, Example, object, schema, text},
    fixture::Tree,
};
use serde_json::Value;

const PROBE: &str = "//- /mangrove.yaml
repoId: 00000000-0000-4000-8000-000000000001
//- /extensions/probes/http.ts
const schema = { _def: {}, parse: (v) => v, safeParse: (v) => ({ success: true, data: v }), toJSONSchema: () => ({ type: 'object', properties: { url: { type: 'string' } } }) };
export const probe = { type: '@acme/http', description: 'asks a server', configSchema: schema, probe: async () => true };
//- /extensions/probes/bad.ts
export const probe = { type: '@acme/bad', description: 1 };
//- /extensions/probes/_lib/helper.ts
export const nothing = 1;
//- /extensions/datastores/files.ts
export const datastore = { type: '@acme/files', name: 'Files', description: 'keeps files', createProvider: () => ({}) };
";

fn main() -> ExitCode {
    if matches!(std::env::args().nth(1).as_deref(), Some("worker" | "scan" | "types" | "describe" | "why" | "doctor")) {
        return mangrove_cli::Runner::new()
            .with_loader(mangrove_loader_datastore::loader())
            .with_loader(probe::loader())
            .run();
    }
    let trials = vec![
        Trial::test("the_sixth_kind_keeps_the_contract_of_loaders", || {
            contract();
            Ok(())
        }),
        Trial::test("the_sixth_kind_is_scanned_listed_and_described", the_kind_works),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn contract() {
    let shape = object([("type", text("@acme/example")), ("description", text("watches")), ("probe", Shape::Function)]);
    let probe = probe::loader();
    loader::run(probe.as_ref(), &Example::new("probe", shape).with_optional("configSchema", schema()));
    let mut layouts = mangrove_app::loaders::Registry::built_in().layouts();
    layouts.extend([mangrove_loader_datastore::loader().layout(), probe.layout()]);
    loader::layouts_differ(&layouts);
}

fn the_kind_works() -> Result<(), Failed> {
    let tree = Tree::new(PROBE)?;
    let scan = json(&tree.root(), &["scan", "--all"])?;
    let states: Vec<String> = scan["sources"]
        .as_array()
        .ok_or("no sources")?
        .iter()
        .map(|source| format!("{} {} {}", source["kind"], source["path"], source["state"]).replace('"', ""))
        .collect();
    assert_eq!(
        states,
        [
            "datastore extensions/datastores/files.ts Indexed",
            "probe extensions/probes/bad.ts ValidationFailed",
            "probe extensions/probes/http.ts Indexed",
        ]
    );
    let types = json(&tree.root(), &["types", "--kind", "probe"])?;
    assert_eq!(types["types"][0]["type"], "@acme/http");
    assert_eq!(types["types"].as_array().map(Vec::len), Some(1));
    let described = json(&tree.root(), &["describe", "@acme/http"])?;
    assert_eq!(described["kind"], "probe");
    assert_eq!(described["details"]["configSchema"]["properties"]["url"]["type"], "string");
    let why = run(&tree.root(), &["why", "@acme/bad"])?;
    assert!(why.contains("description: expected a string, found number"), "{why}");
    assert!(why.contains("probe: expected a function, found nothing"), "{why}");
    let again = json(&tree.root(), &["scan"])?;
    assert_eq!(again["summary"]["built"], 0);
    Ok(())
}

fn run(repository: &Path, arguments: &[&str]) -> Result<String, Failed> {
    let output = Command::new(std::env::current_exe()?).args(arguments).current_dir(repository).env_clear().output()?;
    if output.status.success() {
        Ok(String::from_utf8(output.stdout)?)
    } else {
        Err(format!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
    }
}

fn json(repository: &Path, arguments: &[&str]) -> Result<Value, Failed> {
    Ok(serde_json::from_str(&run(repository, &[arguments, &["--json"]].concat())?)?)
}
