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
fn an_identifier_of_two_definitions_is_refused_where_either_is_used() {
    let sandbox = sandbox();
    sandbox.write("models/two.yaml", &definition(1, "two"));
    for name in ["one", "two"] {
        let refused = sandbox.run(&["model", "run", name, "greet", "--json"]);
        assert_eq!(refused.code, 2, "{refused}");
        assert_eq!(refused.document()["code"], "MG0104");
    }
    let run = sandbox.run(&["workflow", "run", "alone"]);
    assert_eq!(run.code, 1, "{run}");
    let told = run.to_string();
    assert!(told.contains("MG0104") && told.contains("models/one.yaml and models/two.yaml"), "{told}");
    let validated = sandbox.run(&["workflow", "validate", "alone"]);
    assert!(validated.code == 1 && validated.stderr.contains("workflows/alone.yaml:7:"), "{validated}");
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
    assert!(idle.code == 0 && idle.stdout.contains("imported by no source"), "{idle}");
    sandbox.write("notes.ts", "");
    let no_source = sandbox.run(&["why", "notes.ts"]);
    assert!(no_source.code == 1 && no_source.stderr.contains("is no source"), "{no_source}");
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
        (&["scan", "--kind", "nonsense"], "known kinds: model"),
        (&["explain", "MG01O1"], "did you mean"),
        (&["explain", "everything"], "codes look like MG0101"),
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
