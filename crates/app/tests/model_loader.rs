//! The rules of the kind `model`, one by one and all at once.

use insta::assert_snapshot;
use mangrove_app::loaders::Registry;
use mangrove_domain::{
    description::Description,
    json::{Json, Number},
    shape::{Shape, Site},
    source::{Kind, RelativePath, RootId, SourceId},
};

fn text(text: &str) -> Shape {
    Shape::String(text.to_owned())
}

fn integer(value: i64) -> Shape {
    Shape::Number(Number::Integer(value))
}

fn schema() -> Shape {
    Shape::Schema { json_schema: Json::object([("type", Json::from("object"))]) }
}

fn object<const N: usize>(members: [(&str, Shape); N]) -> Shape {
    Shape::Object(members.map(|(key, value)| (key.to_owned(), value)).to_vec())
}

/// The smallest model that is accepted, with these members added or replaced.
fn model<const N: usize>(members: [(&str, Shape); N]) -> Shape {
    let method = object([("description", text("runs")), ("arguments", schema()), ("execute", Shape::Function)]);
    let mut all = vec![
        ("type".to_owned(), text("@acme/dns")),
        ("version".to_owned(), text("2026.05.23.1")),
        ("methods".to_owned(), object([("run", method)])),
    ];
    for (key, value) in members {
        match all.iter_mut().find(|(name, _)| name == key) {
            Some(slot) => slot.1 = value,
            None => all.push((key.to_owned(), value)),
        }
    }
    Shape::Object(all)
}

fn judge(shape: &Shape) -> Result<Description, String> {
    let registry = Registry::built_in();
    let loader = registry.get(&Kind::new("model")).expect("it is built in");
    let path = RelativePath::parse("extensions/models/dns.ts").expect("a path");
    let site = Site {
        source: SourceId { root: RootId::local(), path },
        export_name: "model".to_owned(),
        requirements: vec!["node:fs".to_owned()],
        notes: Vec::new(),
    };
    loader
        .describe(shape, &site)
        .map_err(|violations| violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

fn violations(shape: &Shape) -> String {
    judge(shape).expect_err("it breaks a rule")
}

#[test]
fn the_smallest_model_is_accepted_and_described() {
    let description = judge(&model([])).expect("it is in order");
    assert_eq!(description.type_name.as_str(), "@acme/dns");
    assert_eq!(description.version.as_deref(), Some("2026.05.23.1"));
    assert_eq!(description.requirements, ["node:fs"]);
    assert_eq!(description.method("run").map(|method| method.description.as_str()), Some("runs"));
}

#[test]
fn a_type_name_is_normalised() {
    let description = judge(&model([("type", text("  ACME::DNS.Zone "))])).expect("it is in order");
    assert_eq!(description.type_name.as_str(), "acme/dns/zone");
}

#[test]
fn all_violations_are_told_at_once_with_their_paths() {
    let method = object([("description", integer(1)), ("arguments", text("none")), ("kind", text("destroy"))]);
    let resource = object([("schema", schema()), ("lifetime", text("1 day")), ("garbageCollection", integer(0))]);
    let shape = model([
        ("type", text("dns")),
        ("version", text("2026.02.30.1")),
        ("methods", object([("run", method), ("stop", Shape::Null)])),
        ("globalArguments", Shape::Function),
        ("resources", object([("zone", resource)])),
        ("reports", Shape::Array(vec![text("a"), integer(2)])),
    ]);
    assert_snapshot!(violations(&shape), @r#"
    type: expected at least two segments such as `@acme/dns`, found "dns"
    version: expected a version `YYYY.MM.DD.N` with a real date, found "2026.02.30.1"
    methods.run.description: expected a string, found number
    methods.run.arguments: expected a schema, found string
    methods.run.execute: expected a function, found nothing
    methods.run.kind: expected one of create, read, update, delete, list, action, found "destroy"
    methods.stop: expected an object, found null
    globalArguments: expected a schema, found function
    resources.zone.lifetime: expected a duration such as `30d`, or ephemeral, infinite, job, workflow; found "1 day"
    resources.zone.garbageCollection: expected a positive number of versions or a duration such as `30d`, found 0
    reports[1]: expected a string, found number
    "#);
}

#[test]
fn an_export_that_is_no_object_is_one_violation() {
    assert_snapshot!(violations(&Shape::Function), @"expected an object, found function");
    assert_snapshot!(violations(&Shape::Threw { message: "no".to_owned() }), @"expected an object, found a getter that throws (no)");
}

#[test]
fn a_throwing_getter_is_named() {
    let shape = model([("methods", Shape::Threw { message: "not today".to_owned() })]);
    assert_snapshot!(violations(&shape), @"methods: expected an object, found a getter that throws (not today)");
}

#[test]
fn lifetimes_and_collections_of_every_form() {
    for lifetime in ["1mo", "10y", "3h", "5m", "30d", "2w", "ephemeral", "infinite", "job", "workflow"] {
        let file = object([
            ("contentType", text("text/plain")),
            ("lifetime", text(lifetime)),
            ("garbageCollection", text("30d")),
            ("streaming", Shape::Bool(true)),
            ("tags", object([("team", text("dns"))])),
        ]);
        assert!(judge(&model([("files", object([("log", file)]))])).is_ok(), "{lifetime}");
    }
    for lifetime in ["", "d", "30", "-1d", "30 d", "forever"] {
        let file = object([
            ("contentType", text("text/plain")),
            ("lifetime", text(lifetime)),
            ("garbageCollection", integer(1)),
        ]);
        assert!(judge(&model([("files", object([("log", file)]))])).is_err(), "{lifetime}");
    }
}

#[test]
fn checks_and_tags_have_rules_of_their_own() {
    let check = object([("description", text("fine")), ("labels", text("slow"))]);
    let resource = object([
        ("schema", schema()),
        ("lifetime", text("job")),
        ("garbageCollection", integer(3)),
        ("tags", object([("team", integer(1))])),
        ("sensitiveOutput", text("yes")),
        ("vaultName", integer(1)),
    ]);
    let shape = model([("checks", object([("reachable", check)])), ("resources", object([("zone", resource)]))]);
    assert_snapshot!(violations(&shape), @r"
    resources.zone.vaultName: expected a string, found number
    resources.zone.sensitiveOutput: expected a boolean, found string
    resources.zone.tags.team: expected a string, found number
    checks.reachable.execute: expected a function, found nothing
    checks.reachable.labels: expected a list, found string
    ");
}

fn upgrade(version: &str) -> Shape {
    object([("toVersion", text(version)), ("description", text("moves")), ("upgradeAttributes", Shape::Function)])
}

#[test]
fn fault_27_upgrades_ascend_and_end_at_the_version() {
    let accepted = model([("upgrades", Shape::Array(vec![upgrade("2026.01.01.1"), upgrade("2026.05.23.1")]))]);
    assert!(judge(&accepted).is_ok());
    let shape = model([("upgrades", Shape::Array(vec![upgrade("2026.05.23.1"), upgrade("2026.05.22.9")]))]);
    assert_snapshot!(violations(&shape), @r#"
    upgrades[1].toVersion: expected a version after the one before it, found "2026.05.22.9"
    upgrades[1].toVersion: expected the last upgrade to lead to 2026.05.23.1, found "2026.05.22.9"
    "#);
}

#[test]
fn unknown_and_undefined_members_are_no_violation() {
    let shape = model([("color", text("blue")), ("globalArguments", Shape::Undefined), ("checks", Shape::Undefined)]);
    let description = judge(&shape).expect("it is in order");
    assert_eq!(description.details.get("color"), None);
}
