//! Code that looks for data in the files of another program: it finds nothing of ours, and is told so.

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
    assert!(said.contains("what Mangrove stores is not there") && said.contains("looked"), "{run}");
    let run = sandbox.run(&["model", "run", "new", "greet", "--input", "name=Ada"]);
    assert!(!run.stdout.contains(".swamp") && !run.stderr.contains(".swamp"), "{run}");
}
