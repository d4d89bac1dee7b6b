//! Every kind of extension through the real program: add-ons that run, names that several kinds have.

use crate::{fixtures::model, sandbox::Sandbox};

const ADD_ON: &str = "
const schema = () => ({ _def: {}, parse: (value) => value, safeParse: (value) => ({ success: true, data: value }) });
export const extension = {
  type: \"@acme/dns\",
  methods: [
    { other: { description: \"Other\", arguments: schema(), execute: async () => ({ dataHandles: [] }) } },
    {
      part: {
        description: \"Say goodbye\",
        arguments: schema(),
        execute: async (args, context) => {
          context.logger.info(`goodbye from ${context.modelType}`);
          return { dataHandles: [] };
        },
      },
      greet: { description: \"Taken\", arguments: schema(), execute: async () => { throw new Error(\"never\"); } },
    },
  ],
};
";

const VAULT: &str = "
export const vault = { type: \"@acme/dns\", name: \"DNS\", description: \"keeps keys\", createProvider: () => ({}) };
";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/dns.ts", &model("@acme/dns"));
    sandbox.write("extensions/models/more.ts", ADD_ON);
    sandbox.write(
        "models/@acme/dns/8d0a7c52-6a0e-4d2c-9b1f-52f1f4c0a9d3.yaml",
        "id: 8d0a7c52-6a0e-4d2c-9b1f-52f1f4c0a9d3\nname: zone\nversion: 1\n",
    );
    sandbox
}

#[test]
fn fault_24_a_method_of_an_add_on_runs_and_a_taken_name_stays_with_the_model() {
    let sandbox = sandbox();
    let part = sandbox.run(&["model", "run", "zone", "part"]);
    assert_eq!(part.code, 0, "{part}");
    let greet = sandbox.run(&["model", "run", "zone", "greet"]);
    assert_eq!(greet.code, 0, "{greet}");
    let unknown = sandbox.run(&["model", "run", "zone", "prat"]);
    assert_ne!(unknown.code, 0);
    assert!(unknown.stdout.contains("did you mean `part`?"), "{unknown}");

    let scan = sandbox.run(&["scan", "--strict"]);
    assert_eq!(scan.code, 0, "a collision is a warning: {scan}");
    let text = format!("{}{}", scan.stdout, scan.stderr);
    assert!(text.contains("MG0123") && text.contains("`greet`"), "{text}");

    let described = sandbox.json(&["describe", "@acme/dns"]);
    let added: Vec<(&str, Option<&str>)> = described["methods"]
        .as_array()
        .expect("methods")
        .iter()
        .map(|method| (method["name"].as_str().expect("a name"), method["addedBy"].as_str()))
        .collect();
    let more = Some("extensions/models/more.ts");
    assert_eq!(added, [("greet", None), ("other", more), ("part", more)]);
}

#[test]
fn an_add_on_that_waits_is_information() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/more.ts", ADD_ON);
    let scan = sandbox.run(&["scan", "--strict"]);
    assert_eq!(scan.code, 0, "{scan}");
    assert!(scan.stderr.contains("info[MG0124]"), "{scan}");
    let why = sandbox.run(&["why", "extensions/models/more.ts"]);
    assert!(why.stdout.contains("waits for the model type @acme/dns"), "{why}");
    let described = sandbox.run(&["describe", "@acme/dns"]);
    assert_eq!(described.code, 0, "{described}");
    assert!(described.stdout.contains("part"), "{described}");
    assert!(described.stderr.contains("waits for the model type @acme/dns: nothing of it runs"), "{described}");
    assert_eq!(sandbox.run(&["doctor"]).code, 0);
}

#[test]
fn a_name_of_several_kinds_is_asked_about() {
    let sandbox = sandbox();
    sandbox.write("extensions/vaults/dns.ts", VAULT);
    sandbox.scan(&[]);
    let ambiguous = sandbox.run(&["describe", "@acme/dns"]);
    assert_eq!(ambiguous.code, 2, "{ambiguous}");
    assert!(ambiguous.stderr.contains("model, vault") && ambiguous.stderr.contains("--kind"), "{ambiguous}");
    assert_eq!(sandbox.json(&["describe", "@acme/dns", "--kind", "vault"])["details"]["name"], "DNS");
    assert_eq!(sandbox.json(&["types", "--kind", "vault"])["types"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_saved_vault_leaves_the_rows_of_other_kinds_alone() {
    let sandbox = sandbox();
    sandbox.write("extensions/vaults/dns.ts", VAULT);
    let before = sandbox.scan(&[]).states();
    sandbox.edit("extensions/vaults/dns.ts", "keeps keys", "keeps many keys");
    assert_eq!(sandbox.scan(&["--kind", "vault"]).states().len(), before.len());
    assert_eq!(sandbox.json(&["types"])["types"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_new_repository_has_a_model_a_vault_and_a_report() {
    let sandbox = Sandbox::new("");
    assert_eq!(sandbox.run(&["init", "new"]).code, 0);
    let scan = sandbox.json(&["--repo", "new", "scan", "--all", "--strict"]);
    let kinds: Vec<&str> =
        scan["sources"].as_array().expect("sources").iter().filter_map(|source| source["kind"].as_str()).collect();
    assert_eq!(kinds, ["model", "report", "vault"]);
    for (name, key) in [("@local/memory", "configSchema"), ("@local/summary", "scope")] {
        let described = sandbox.json(&["--repo", "new", "describe", name]);
        assert!(!described["details"][key].is_null(), "{name}: {described}");
    }
}
