//! Code that looks for data in the files of another program: what it finds of ours, and what it is told.

use crate::{fixtures::model, sandbox::Sandbox};

const ID: &str = "11111111-1111-4111-8111-111111111111";

/// A model that reads data as other programs keep it, and a report that does.
fn reading() -> Sandbox {
    let sandbox = Sandbox::new("");
    let reads = "const kept = `${context.repoDir}/.swamp/data/@acme/old`; context.logger.info(kept.length > 0 ? 'looked' : kept); context.logger.info";
    sandbox.write("extensions/models/old.ts", &model("@acme/old").replace("context.logger.info", reads));
    sandbox.write("extensions/models/new.ts", &model("@acme/new"));
    for name in ["old", "new"] {
        let id = ID.replace("1111-1111-", if name == "old" { "1111-2222-" } else { "1111-3333-" });
        sandbox.write(&format!("models/@acme/{name}/{id}.yaml"), &format!("id: {id}\nname: {name}\nversion: 1\n"));
    }
    sandbox
}

#[test]
fn what_reads_data_of_another_program_is_told_what_to_use() {
    let sandbox = reading();
    let first = sandbox.run(&["scan"]);
    assert_eq!(first.code, 0, "{first}");
    let told = [first.stdout.as_str(), first.stderr.as_str()].concat();
    for expected in ["MG0125", "extensions/models/old.ts", "`.swamp/data`", "`dataRepository`"] {
        assert!(told.contains(expected), "{expected:?} is not told: {first}");
    }
    assert!(!told.contains("extensions/models/new.ts: "), "{first}");
    // Told when it is built, and not at each scan after that.
    let second = sandbox.run(&["scan"]);
    assert!(!second.stdout.contains("MG0125") && !second.stderr.contains("MG0125"), "{second}");
    let described = sandbox.run(&["describe", "@acme/old"]);
    let described = [described.stdout.as_str(), described.stderr.as_str()].concat();
    assert!(described.contains("note: the code names `.swamp/data`"), "{described}");

    let run = sandbox.run(&["model", "run", "old", "greet", "--input", "name=Ada"]);
    assert_eq!(run.code, 0, "it runs all the same: {run}");
    let said = [run.stdout.as_str(), run.stderr.as_str()].concat();
    assert!(said.contains("of what Mangrove stores, only versions are there that") && said.contains("looked"), "{run}");
    let run = sandbox.run(&["model", "run", "new", "greet", "--input", "name=Ada"]);
    assert!(!run.stdout.contains(".swamp") && !run.stderr.contains(".swamp"), "{run}");
}

/// Reads what a step wrote as other programs keep it: by the path of its file, in every way that code does so.
const BY_PATH: &str = "export const report = {
  name: '@acme/by-path', description: 'By path', scope: 'workflow',
  execute: async ({ repoDir, stepExecutions }) => {
    const [{ modelType, modelId, dataHandles: [{ name, version }] }] = stepExecutions;
    const file = (version) => `${repoDir}/.swamp/data/${modelType}/${modelId}/${name}/${version}/raw`;
    const text = (bytes) => new TextDecoder().decode(bytes);
    const found = [
      await Deno.readTextFile(file(version)),
      text(await Deno.readFile(new URL(`file://${file(version)}`))),
      Deno.readTextFileSync(file(version)),
      text(Deno.readFileSync(file(version))),
    ];
    const missing = [];
    for (const path of [file(99), file(version).replace(name, 'nothing'), `${repoDir}/.swamp/data`, `${repoDir}/mangrove.yaml`]) {
      missing.push(await Deno.readTextFile(path).catch((error) => error.name));
    }
    return { markdown: [...found, ...missing].join('\\n'), json: {} };
  },
};
";

#[test]
fn a_version_that_is_read_by_the_path_of_its_file_is_what_is_stored() {
    let Some(deno) = crate::deno::real() else { return };
    let sandbox = Sandbox::new("");
    let wrote = "const schema = { _def: {}, parse: (value) => value, safeParse: (data) => ({ success: true, data }) };
export const model = {
  type: '@acme/it', version: '2026.05.23.1',
  resources: { host: { schema, lifetime: 'infinite', garbageCollection: 10 } },
  methods: { go: { description: 'Goes', arguments: schema, execute: async (_, context) => {
    await context.writeResource('host', 'main: ü', { price: 3 });
  } } },
};
";
    sandbox.write("extensions/models/it.ts", wrote);
    // It lies where nothing of the repository may be read.
    sandbox.write("beside/extensions/reports/by-path.ts", BY_PATH);
    sandbox.write(".swamp-sources.yaml", "sources: [{path: beside}]\n");
    sandbox.write("models/@acme/it/it.yaml", &format!("id: {ID}\nname: it\nversion: 1\n"));
    let job = "jobs: [{name: j, steps: [{name: s, task: {type: model_method, modelIdOrName: it, methodName: go}}]}]\n";
    let workflow = format!("id: {ID}\nname: all\nreports: {{require: ['@acme/by-path']}}\n{job}");
    sandbox.write("workflows/workflow-all.yaml", &workflow);
    let run = |arguments: &[&str]| {
        let output = sandbox.command().env("MANGROVE_DENO", &deno).args(arguments).output().expect("it starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text
    };
    run(&["workflow", "run", "all"]);
    let report = run(&["report", "get", "@acme/by-path", "--workflow", "all", "--markdown"]);
    let stored = r#"{"price":3}"#;
    let expected = [stored, stored, stored, stored, "NotFound", "NotFound", "NotCapable", "NotCapable"];
    assert_eq!(report.lines().collect::<Vec<_>>(), expected, "{report}");
}
