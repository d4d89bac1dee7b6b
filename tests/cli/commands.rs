//! What commands print, and how they end.

use mangrove_domain::problem::Code;

use crate::{
    fixtures::{broken, model},
    sandbox::Sandbox,
};

#[test]
fn every_code_is_explained() {
    let sandbox = Sandbox::new("");
    for code in Code::ALL {
        let output = sandbox.run(&["explain", &code.to_string()]);
        assert_eq!(output.code, 0, "{code}: {output}");
        assert!(output.stdout.contains(code.title()), "{code}: {output}");
    }
    assert_eq!(sandbox.run(&["explain", "MG9999"]).code, 2);
}

#[test]
fn outside_of_a_repository_the_remedy_is_named() {
    let sandbox = Sandbox::new("");
    sandbox.tree.remove("mangrove.yaml").expect("the marker");
    let output = sandbox.run(&["scan"]);
    assert_eq!(output.code, 2, "{output}");
    assert!(output.stderr.contains("MG0601") && output.stderr.contains("mangrove init"), "{output}");
}

#[test]
fn a_wrong_argument_is_a_mistake_of_usage() {
    let sandbox = Sandbox::new("");
    assert_eq!(sandbox.run(&["scan", "--no-such-option"]).code, 2);
    assert_eq!(sandbox.run(&["no-such-command"]).code, 2);
}

#[test]
fn a_malformed_marker_is_an_error_with_line_and_column() {
    let sandbox = Sandbox::new("//- /mangrove.yaml\nrepoId: x\nmodelsDir: [unclosed\n");
    let output = sandbox.run(&["scan"]);
    assert_eq!(output.code, 2, "{output}");
    assert!(output.stderr.contains("MG0602") && output.stderr.contains("mangrove.yaml:"), "{output}");
}

#[test]
fn types_lists_what_resolves_and_all_on_request() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &model("@acme/a"));
    sandbox.write("extensions/models/b.ts", &broken("@acme/b"));
    sandbox.scan(&[]);
    let types = |arguments: &[&str]| {
        let document = sandbox.json(arguments);
        assert_eq!(document["schema"], "mangrove.types/1");
        document["types"].as_array().expect("a list").clone()
    };
    let resolvable = types(&["types"]);
    assert_eq!(resolvable.len(), 1);
    assert_eq!(resolvable[0]["type"], "@acme/a");
    assert_eq!(resolvable[0]["version"], "2026.05.23.1");
    assert_eq!(resolvable[0]["path"], "extensions/models/a.ts");
    assert_eq!(resolvable[0]["origin"], "local");
    let all = types(&["types", "--all"]);
    assert_eq!(all.len(), 2);
    let failed = all.iter().find(|row| row["path"] == "extensions/models/b.ts").expect("the failed row");
    assert_eq!(failed["claimedType"], "@acme/b");
    assert_eq!(failed["state"], "BundleBuildFailed");
}

#[test]
fn describe_tells_what_a_type_offers_without_building() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &model("@acme/a"));
    sandbox.scan(&[]);
    let output = sandbox.run(&["describe", "@acme/a"]);
    assert_eq!(output.code, 0, "{output}");
    assert!(output.stdout.contains("greet") && output.stdout.contains("Greet somebody"), "{output}");
}

#[test]
fn why_names_the_file_that_changed() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &model("@acme/a"));
    sandbox.scan(&[]);
    sandbox.edit("extensions/models/a.ts", "Greet somebody", "Greet anybody");
    for query in ["@acme/a", "extensions/models/a.ts"] {
        let output = sandbox.run(&["why", query]);
        assert_eq!(output.code, 0, "{output}");
        assert!(output.stdout.contains("extensions/models/a.ts"), "{output}");
    }
    assert_eq!(sandbox.scan(&[]).built(), 1, "`why` has built nothing");
}

#[test]
fn doctor_says_no_exactly_if_something_is_unhealthy() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &model("@acme/a"));
    sandbox.scan(&[]);
    let healthy = sandbox.run(&["doctor", "--json"]);
    assert_eq!(healthy.code, 0, "{healthy}");
    assert_eq!(healthy.document()["healthy"], true);
    sandbox.write("extensions/models/b.ts", &broken("@acme/b"));
    sandbox.scan(&[]);
    let unhealthy = sandbox.run(&["doctor", "--json"]);
    assert_eq!(unhealthy.code, 1, "{unhealthy}");
    assert_eq!(unhealthy.document()["healthy"], false);
}

#[test]
fn a_bundle_can_be_had_alone() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &model("@acme/a"));
    let output = sandbox.run(&["bundle", "extensions/models/a.ts"]);
    assert_eq!(output.code, 0, "{output}");
    assert!(output.stdout.contains("@acme/a") && output.stdout.contains("export"), "{output}");
}

#[test]
fn nothing_is_coloured_that_is_no_terminal() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &broken("@acme/a"));
    for arguments in [["scan"].as_slice(), &["types", "--all"], &["why", "@acme/a"], &["doctor"]] {
        let output = sandbox.run(arguments);
        assert!(!output.stdout.contains('\u{1b}') && !output.stderr.contains('\u{1b}'), "{arguments:?}: {output}");
    }
}

/// The schema library of the template converts to JSON Schema; this one does not, as many do not.
#[test]
fn arguments_are_checked_by_a_schema_that_cannot_be_shown() {
    let sandbox = Sandbox::new(
        r#"
//- /extensions/models/a.ts
const schema = {
  _def: {},
  parse: (value) => value,
  safeParse: (value) => typeof value.size === "number"
    ? { success: true, data: value }
    : { success: false, error: { issues: [{ path: ["size"], message: "expected a number" }] } },
};
export const model = {
  type: "@acme/a",
  version: "2026.01.02.1",
  methods: { run: { description: "d", arguments: schema, execute: (args, ctx) => ctx.logger.info(`size ${args.size + 1}`) } },
};
//- /models/@acme/a/00000000-0000-4000-8000-000000000002.yaml
id: 00000000-0000-4000-8000-000000000002
name: one
version: 1
"#,
    );
    let refused = sandbox.run(&["model", "run", "one", "run", "--input", "size=large"]);
    assert_eq!(refused.code, 1, "{refused}");
    assert!(
        refused.to_string().contains("the arguments of `one.run` break their schema: size: expected a number"),
        "{refused}"
    );
    let run = sandbox.run(&["model", "run", "one", "run", "--input", "size=3"]);
    assert!(run.code == 0 && run.to_string().contains("size 4"), "{run}");
}
