//! The built-in loaders keep the contract, and judge by the table of `design/loaders.md`.

use insta::assert_snapshot;
use mangrove_app::loaders::Registry;
use mangrove_domain::{
    description::Description,
    json::Json,
    shape::{Shape, Site},
    source::{Kind, RelativePath, RootId, SourceId},
};
use mangrove_testkit::contract::loader::{self, Example, object, schema, text};

fn list<const N: usize>(items: [Shape; N]) -> Shape {
    Shape::Array(Vec::from(items))
}

fn method() -> Shape {
    object([("description", text("runs")), ("arguments", schema()), ("execute", Shape::Function)])
}

fn check() -> Shape {
    object([("description", text("looks")), ("execute", Shape::Function)])
}

fn resource() -> Shape {
    object([("schema", schema()), ("lifetime", text("30d")), ("garbageCollection", text("4w"))])
}

fn model() -> Example {
    let shape = object([
        ("type", text("@acme/example")),
        ("version", text("2026.05.23.1")),
        ("methods", object([("run", method())])),
    ]);
    Example::new("model", shape)
        .with_optional("globalArguments", schema())
        .with_optional("reports", list([text("@a/b")]))
}

fn extension() -> Example {
    let shape = object([("type", text("@acme/example")), ("methods", list([object([("more", method())])]))]);
    let example = Example { is_add_on: true, ..Example::new("extension", shape) };
    let checks = list([object([("alive", check())])]);
    example.with_optional("checks", checks).with_optional("resources", object([("zone", resource())]))
}

fn provider(kind: &'static str, factory: &str) -> Example {
    let shape = object([
        ("type", text("@acme/example")),
        ("name", text("Example")),
        ("description", text("an example")),
        (factory, Shape::Function),
    ]);
    Example::new(kind, shape).with_optional("configSchema", schema())
}

fn report() -> Example {
    let shape = object([
        ("name", text("@acme/example/weekly")),
        ("description", text("an example")),
        ("scope", text("workflow")),
        ("execute", Shape::Function),
    ]);
    let example = Example { type_name: "@acme/example/weekly", ..Example::new("report", shape) };
    example.with_optional("labels", list([text("cost")]))
}

fn judge(kind: &str, export_name: &str, shape: &Shape) -> Result<Description, String> {
    let registry = Registry::built_in();
    let path = RelativePath::parse("extensions/example.ts").expect("a path");
    let site = Site {
        source: SourceId { root: RootId::local(), path },
        export_name: export_name.to_owned(),
        requirements: Vec::new(),
        notes: Vec::new(),
    };
    registry
        .get(&Kind::new(kind))
        .expect("it is built in")
        .describe(shape, &site)
        .map_err(|violations| violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

fn with(example: Example, key: &str, value: Shape) -> Shape {
    let Shape::Object(mut members) = example.shape else { unreachable!("an object") };
    members.retain(|(name, _)| name != key);
    members.push((key.to_owned(), value));
    Shape::Object(members)
}

#[test]
fn every_built_in_loader_keeps_the_contract() {
    let registry = Registry::built_in();
    let examples = [
        ("model", model()),
        ("model", extension()),
        ("vault", provider("vault", "createProvider")),
        ("driver", provider("driver", "createDriver")),
        ("report", report()),
    ];
    for (kind, example) in &examples {
        loader::run(registry.get(&Kind::new(*kind)).expect("it is built in").as_ref(), example);
    }
    assert_eq!(registry.layouts().len(), 4);
    loader::layouts_differ(&registry.layouts());
}

#[test]
fn fault_12_the_types_of_vaults_and_drivers_have_two_strict_segments() {
    for (kind, factory) in [("vault", "createProvider"), ("driver", "createDriver")] {
        for (name, is_good) in [
            ("acme/x", true),
            ("@acme/x_y-1", true),
            ("acme", false),
            ("@a/b/c", false),
            ("@Acme/x", false),
            ("@a//x", false),
        ] {
            let judged = judge(kind, kind, &with(provider(kind, factory), "type", text(name)));
            assert_eq!(judged.is_ok(), is_good, "{kind} {name}");
        }
    }
}

#[test]
fn fault_12_the_name_of_a_report_may_have_more_segments() {
    for (name, is_good) in [("a/b", true), ("@a/b/c/d", true), ("@a", false), ("a b/c", false)] {
        assert_eq!(judge("report", "report", &with(report(), "name", text(name))).is_ok(), is_good, "{name}");
    }
}

#[test]
fn everything_that_is_wrong_with_a_report_is_told() {
    let shape = object([
        ("name", text("Weekly")),
        ("description", Shape::Null),
        ("scope", text("world")),
        ("labels", list([text("a"), Shape::Bool(true)])),
    ]);
    assert_snapshot!(judge("report", "report", &shape).expect_err("all of it is wrong"), @r#"
    name: expected `@?[a-z0-9_-]+(/[a-z0-9_-]+)+`, found "Weekly"
    description: expected a string, found null
    scope: expected one of method, model, workflow, found "world"
    execute: expected a function, found nothing
    labels[1]: expected a string, found boolean
    "#);
}

#[test]
fn everything_that_is_wrong_with_an_add_on_is_told() {
    let shape = object([
        ("type", text("dns")),
        ("methods", list([object([("a", object([("description", text("x"))]))]), text("b")])),
        ("checks", list([object([("alive", object([("description", text("x"))]))])])),
        ("resources", object([("zone", object([("schema", text("no"))]))])),
    ]);
    assert_snapshot!(judge("model", "extension", &shape).expect_err("all of it is wrong"), @r#"
    type: expected at least two segments such as `@acme/dns`, found "dns"
    methods[0].a.arguments: expected a schema, found nothing
    methods[0].a.execute: expected a function, found nothing
    methods[1]: expected an object, found string
    checks[0].alive.execute: expected a function, found nothing
    resources.zone.schema: expected a schema, found string
    resources.zone.lifetime: expected a string, found nothing
    resources.zone.garbageCollection: expected a positive number of versions or a duration such as `30d`, found nothing
    "#);
}

#[test]
fn the_methods_of_an_add_on_must_be_a_list() {
    let shape = with(extension(), "methods", object([("more", method())]));
    assert_snapshot!(judge("model", "extension", &shape).expect_err("no list"), @"methods: expected a list, found object");
}

#[test]
fn fault_24_a_method_that_an_add_on_has_twice_costs_neither_the_file_nor_the_first_one() {
    let twice = list([object([("more", method())]), object([("more", method()), ("other", method())])]);
    let description = judge("model", "extension", &with(extension(), "methods", twice)).expect("in order");
    let names: Vec<&str> = description.methods.iter().map(|method| method.name.as_str()).collect();
    assert_eq!(names, ["more", "other"]);
    assert_eq!(description.notes, ["the method `more` is there more than once; the first one counts"]);
    let records = description.details.get("methodRecords").map(Json::to_string);
    assert_eq!(records.as_deref(), Some(r#"{"more":0,"other":1}"#));
}
