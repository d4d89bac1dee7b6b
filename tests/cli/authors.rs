//! What authors meet: names that two files share, questions about files, words that do not exist.

use serde_json::{Value, json};

use crate::{
    fixtures::{broken, model},
    sandbox::Sandbox,
};

const A: &str = "extensions/models/a.ts";

/// A workflow of one step that calls the definition `one`.
fn workflow(id: u32, name: &str) -> String {
    format!(
        "id: 00000000-0000-4000-8000-{id:012}\nname: {name}\njobs:\n  - name: a\n    steps:\n      - name: s\n        \
         task: {{type: model_method, modelIdOrName: one, methodName: greet, inputs: {{name: you}}}}\n"
    )
}

fn definition(id: u32, name: &str) -> String {
    format!("id: 00000000-0000-4000-8000-{id:012}\nname: {name}\ntype: '@acme/a'\n")
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new("");
    sandbox.write(A, &model("@acme/a"));
    sandbox.write("models/one.yaml", &definition(1, "one"));
    sandbox.write("workflows/alone.yaml", &workflow(10, "alone"));
    sandbox
}

/// Problem codes by path of a workflow.
fn codes(workflows: &Value, path: &str) -> Vec<String> {
    let workflows = workflows["workflows"].as_array().expect("a list");
    let found = workflows.iter().find(|workflow| workflow["path"] == path).unwrap_or_else(|| panic!("no {path}"));
    let problems = found["problems"].as_array().expect("a list");
    problems.iter().map(|problem| problem["code"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_name_of_two_workflows_is_refused_and_all_others_run() {
    let sandbox = sandbox();
    sandbox.write("workflows/x.yaml", &workflow(11, "twin"));
    sandbox.write("extensions/workflows/y.yaml", &workflow(12, "twin"));

    let list = sandbox.json(&["workflow", "list"]);
    assert_eq!(codes(&list, "workflows/x.yaml"), ["MG0104"]);
    assert_eq!(codes(&list, "extensions/workflows/y.yaml"), ["MG0104"]);
    assert_eq!(codes(&list, "workflows/alone.yaml"), Vec::<String>::new());

    let refused = sandbox.run(&["workflow", "run", "twin", "--json"]);
    assert_eq!(refused.code, 2, "{refused}");
    let document = refused.document();
    assert_eq!(document["code"], "MG0104");
    let message = document["message"].as_str().unwrap_or_default();
    assert!(message.contains("workflows/x.yaml") && message.contains("extensions/workflows/y.yaml"), "{message}");
    assert_eq!(sandbox.run(&["workflow", "validate", "twin"]).code, 2);

    let validated = sandbox.run(&["workflow", "validate"]);
    assert_eq!(validated.code, 1, "{validated}");
    assert!(validated.stderr.contains("workflows/x.yaml:2:7"), "{validated}");
    assert_eq!(sandbox.run(&["workflow", "validate", "alone"]).code, 0);
    let run = sandbox.run(&["workflow", "run", "alone"]);
    assert_eq!(run.code, 0, "{run}");
    assert!(run.stderr.contains("workflow validate"), "the mistake elsewhere is mentioned: {run}");
}

#[test]
fn an_identifier_of_two_definitions_is_told_where_either_is_used() {
    let sandbox = sandbox();
    sandbox.write("models/two.yaml", &definition(1, "two"));
    let both = "belongs to models/one.yaml and models/two.yaml";
    for name in ["one", "two"] {
        let run = sandbox.run(&["model", "run", name, "greet"]);
        assert!(run.code == 0 && run.stderr.contains("MG0104") && run.stderr.contains(both), "{run}");
    }
    assert_eq!(sandbox.run(&["workflow", "run", "alone"]).code, 0);
    let validated = sandbox.run(&["workflow", "validate"]);
    assert!(validated.code == 0 && validated.stderr.contains(both), "{validated}");
}

#[test]
fn validating_one_workflow_builds_its_types_only() {
    let sandbox = sandbox();
    sandbox.write("extensions/models/b.ts", &model("@acme/b"));
    sandbox.write("models/b.yaml", "id: 00000000-0000-4000-8000-000000000003\nname: b\ntype: '@acme/b'\n");
    let validated = sandbox.run(&["workflow", "validate", "alone"]);
    assert_eq!(validated.code, 0, "{validated}");
    let types = sandbox.json(&["types"]);
    let names: Vec<&Value> = types["types"].as_array().expect("a list").iter().map(|row| &row["type"]).collect();
    assert_eq!(names, [&json!("@acme/a")]);
}

#[test]
fn why_takes_a_path_or_type_in_every_form() {
    let sandbox = sandbox();
    sandbox.scan(&[]);
    let absolute = sandbox.tree.path(A).display().to_string();
    for query in [A, "./extensions/models/a.ts", "extensions/models/../models/a.ts", &absolute, "@Acme/A", "@acme.a"] {
        let output = sandbox.run(&["why", query]);
        assert_eq!(output.code, 0, "{query}: {output}");
        assert!(output.stdout.contains(A), "{query}: {output}");
    }
    let mut below = sandbox.command();
    below.current_dir(sandbox.tree.path("extensions/models")).args(["why", "a.ts"]);
    assert!(below.output().expect("the program starts").status.success(), "relative to the current directory");
    let near = sandbox.run(&["why", "@acme/aa"]);
    assert!(near.code == 1 && near.stderr.contains("did you mean `@acme/a`"), "{near}");
    let near = sandbox.run(&["why", "extensions/models/aa.ts"]);
    assert!(near.code == 1 && near.stderr.contains("did you mean `extensions/models/a.ts`"), "{near}");
}

#[test]
fn why_says_what_a_helper_is_for() {
    let sandbox = sandbox();
    sandbox.write("extensions/models/_lib/text.ts", "export const text = (value) => value;\n");
    sandbox.write("extensions/models/words.ts", "export const word = 'w';\n");
    sandbox.write("extensions/models/_idle.ts", "export const nothing = 1;\n");
    sandbox.write(
        "extensions/models/b.ts",
        &format!(
            "import {{ text }} from './_lib/text.ts';\nimport {{ word }} from './words.ts';\ntext(word);\n{}",
            model("@acme/b")
        ),
    );
    for path in ["extensions/models/_lib/text.ts", "extensions/models/words.ts"] {
        let output = sandbox.run(&["why", path]);
        assert_eq!(output.code, 0, "{output}");
        assert!(
            output.stdout.contains("exports none of") && output.stdout.contains("extensions/models/b.ts"),
            "{output}"
        );
        let document = sandbox.json(&["why", path]);
        assert_eq!(document["helpers"][0]["importedBy"], json!(["extensions/models/b.ts"]));
    }
    let idle = sandbox.run(&["why", "extensions/models/_idle.ts"]);
    assert!(idle.code == 0 && idle.stdout.contains("not imported by any source"), "{idle}");
    sandbox.write("notes.ts", "");
    let no_source = sandbox.run(&["why", "notes.ts"]);
    assert!(no_source.code == 1 && no_source.stderr.contains("is not a source"), "{no_source}");
}

#[test]
fn retry_takes_the_same_forms() {
    let sandbox = sandbox();
    sandbox.write("extensions/models/b.ts", &broken("@acme/b"));
    sandbox.scan(&[]);
    let absolute = sandbox.tree.path("extensions/models/b.ts").display().to_string();
    for query in [absolute.as_str(), "./extensions/models/b.ts", "@Acme/B"] {
        let output = sandbox.run(&["retry", query]);
        assert!(output.code == 1 && output.to_string().contains("extensions/models/b.ts"), "{query}: {output}");
    }
}

#[test]
fn words_that_do_not_exist_have_a_code_and_a_near_one() {
    let sandbox = sandbox();
    for (arguments, near) in [
        (["types", "--kind", "modle"].as_slice(), "did you mean `model`"),
        (&["scan", "--kind", "nonsense"], "known kinds: datastore, driver, model, report, vault"),
        (&["explain", "MG01O1"], "did you mean"),
        (&["explain", "everything"], "a code looks like MG0101"),
    ] {
        let output = sandbox.run(arguments);
        assert_eq!(output.code, 2, "{arguments:?}: {output}");
        assert!(output.stderr.contains("error[MG0105]") && output.stderr.contains(near), "{arguments:?}: {output}");
    }
}

#[test]
fn explain_gives_a_document_too() {
    let document = sandbox().json(&["explain", "MG0104"]);
    assert_eq!(document["schema"], "mangrove.explain/1");
    assert_eq!(document["code"], "MG0104");
    assert!(document["page"].as_str().is_some_and(|page| page.contains("## What to do")), "{document:#}");
}

#[test]
fn verbose_names_what_is_built_and_where() {
    let sandbox = sandbox();
    assert!(!sandbox.run(&["scan"]).stderr.contains("opening"), "nothing is said unasked");
    sandbox.edit(A, "Greet somebody", "Greet anybody");
    let output = sandbox.run(&["-v", "scan"]);
    assert_eq!(output.code, 0, "{output}");
    let root = sandbox.tree.root().canonicalize().expect("the root").display().to_string();
    assert!(output.stderr.contains(A) && output.stderr.contains(&root), "{output}");
}

#[test]
fn init_tells_what_it_kept() {
    let sandbox = Sandbox::new("");
    sandbox.write("new/.gitignore", "mine\n");
    let output = sandbox.run(&["init", "new"]);
    assert_eq!(output.code, 0, "{output}");
    assert!(output.stderr.contains("Kept .gitignore"), "{output}");
    assert_eq!(sandbox.tree.read("new/.gitignore").expect("the file"), "mine\n");
    sandbox.write("other/.gitignore", "mine\n");
    assert_eq!(sandbox.json(&["init", "other"])["kept"], json!([".gitignore"]));
}

#[test]
fn a_hint_does_not_ask_for_what_was_given() {
    let sandbox = Sandbox::new("");
    sandbox.tree.remove("mangrove.yaml").expect("the marker");
    let root = sandbox.tree.root().display().to_string();
    let output = sandbox.run(&["--repo", &root, "scan"]);
    assert_eq!(output.code, 2, "{output}");
    assert!(output.stderr.contains("mangrove init ") && !output.stderr.contains("--repo DIR"), "{output}");
}

/// The workflow `alone` with one thing changed for the worse, and what must be told of it.
const BROKEN_WORKFLOWS: &[(&str, &str)] = &[
    ("name: alone\n\tjobs: []\n", "MG0602]: workflows/workflow-alone.yaml:"),
    ("name: &a [*a]\n", "workflows/workflow-alone.yaml:1:11\n  the alias stands inside the node that it names"),
    ("name: a\nname: b\n", "workflows/workflow-alone.yaml:2:1\n  the key `name` is given twice, first in line 1"),
    ("a: 1\n---\nb: 2\n", "workflows/workflow-alone.yaml:2:1\n  expected one document, found a second one"),
    ("", "workflows/workflow-alone.yaml:1:1\n  expected a workflow (a mapping), found nothing"),
    ("[1]", "workflows/workflow-alone.yaml:1:1\n  expected a workflow (a mapping), found a list"),
    ("text", "workflows/workflow-alone.yaml:1:1\n  expected a workflow (a mapping), found \"text\""),
];

#[test]
fn a_broken_workflow_is_told_with_its_place_and_named_where_it_is_missed() {
    let sandbox = sandbox();
    sandbox.tree.remove("workflows/alone.yaml").expect("it was there");
    let deep = format!("a: {}{}", "[".repeat(5000), "]".repeat(5000));
    let all = BROKEN_WORKFLOWS.iter().copied().chain([(deep.as_str(), "MG0602]: workflows/workflow-alone.yaml:1:")]);
    for (text, expected) in all {
        sandbox.write("workflows/workflow-alone.yaml", text);
        let validated = sandbox.run(&["workflow", "validate"]);
        assert!(validated.code == 1 && validated.stderr.contains(expected), "{text:.80}: {validated}");
        let run = sandbox.run(&["workflow", "run", "alone"]);
        assert_eq!(run.code, 1, "{run}");
        assert!(run.stderr.contains("workflows/workflow-alone.yaml"), "{text:.80}: {run}");
    }
}

#[test]
fn a_broken_definition_is_named_where_it_is_missed() {
    let sandbox = sandbox();
    sandbox.write("models/one.yaml", "name: [x]\n");
    let run = sandbox.run(&["workflow", "run", "alone"]);
    assert_eq!(run.code, 1, "{run}");
    assert!(run.stdout.contains("it may be in models/one.yaml"), "{run}");
    let run = sandbox.run(&["model", "run", "one", "greet"]);
    assert!(run.stderr.contains("it may be in models/one.yaml") && run.code == 1, "{run}");
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_read_is_a_problem_of_its_own() {
    use std::os::unix::ffi::OsStrExt as _;
    let sandbox = sandbox();
    let write = |name: &[u8], bytes: &[u8]| {
        let path = sandbox.tree.path("models").join(std::ffi::OsStr::from_bytes(name));
        std::fs::write(path, bytes).expect("a file");
    };
    write(b"a\xff.yaml", b"name: x\n");
    write(b"b.yaml", b"name: \xff\n");
    std::os::unix::fs::symlink("nowhere", sandbox.tree.path("models/c.yaml")).expect("a link");
    let validated = sandbox.run(&["workflow", "validate"]);
    assert_eq!(validated.code, 1, "{validated}");
    for expected in [
        "error[MG0404]: models/a\u{fffd}.yaml\n  cannot be read: the name is not UTF-8",
        "error[MG0602]: models/b.yaml\n  cannot be read: not UTF-8",
        "error[MG0401]: models/c.yaml\n  cannot be read: the link leads nowhere",
    ] {
        assert!(validated.stderr.contains(expected), "{expected}: {validated}");
    }
    assert_eq!(sandbox.run(&["workflow", "run", "alone"]).code, 0, "the others go on");
}

#[test]
fn an_input_that_nobody_asked_for_is_told_with_the_nearest_name() {
    let sandbox = sandbox();
    assert_eq!(sandbox.run(&["workflow", "run", "alone", "--input", "x=1"]).code, 0, "it names none");
    let text = workflow(10, "alone");
    sandbox.write("workflows/alone.yaml", &format!("inputs: {{properties: {{region: {{type: string}}}}}}\n{text}"));
    let given = ["workflow", "run", "alone", "--input", "regoin=x", "--input", "other=1"];
    let told = sandbox.run(&given);
    assert_eq!(told.code, 0, "{told}");
    for expected in ["names no input `regoin`", "names no input `other`", "did you mean `region`"] {
        assert!(told.stderr.contains(expected), "{expected}: {told}");
    }
    let closed = "inputs: {properties: {region: {type: string}}, additionalProperties: false}\n";
    sandbox.write("workflows/alone.yaml", &format!("{closed}{text}"));
    let refused = sandbox.run(&given);
    assert!(refused.code == 1 && refused.stderr.contains("regoin"), "it says that it takes no others: {refused}");
    assert_eq!(sandbox.run(&["workflow", "run", "alone", "--input", "region=x"]).code, 0);
    sandbox.write(
        "workflows/alone.yaml",
        &format!("inputs: {{properties: {{y: {{}}}}, additionalProperties: true}}\n{text}"),
    );
    assert_eq!(sandbox.run(&["workflow", "run", "alone", "--input", "x=1"]).code, 0, "it says that it takes any");
}

#[test]
fn the_log_has_no_colour_that_is_no_terminal() {
    let output = sandbox().run(&["-vv", "scan"]);
    assert!(output.code == 0 && !output.stderr.contains('\u{1b}'), "{output}");
}
