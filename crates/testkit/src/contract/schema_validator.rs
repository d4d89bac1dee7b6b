//! What every `SchemaValidator` must do.

use mangrove_domain::{json::Json, ports::SchemaValidator};

/// Holds an adapter to the contract of [`SchemaValidator`].
///
/// # Panics
/// If it breaks the contract.
pub fn schema_validator(port: &dyn SchemaValidator) {
    let of_type = |name: &str| Json::object([("type", Json::from(name))]);
    let schema = Json::object([
        ("type", Json::from("object")),
        ("properties", Json::object([("name", of_type("string")), ("size", of_type("number"))])),
        ("required", Json::Array(vec![Json::from("name"), Json::from("zone")])),
    ]);
    let good = Json::object([("name", Json::from("a")), ("size", Json::from(1)), ("zone", Json::Null)]);
    assert_eq!(port.validate(&schema, &good).expect("a schema"), []);

    let bad = Json::object([("size", Json::from("large"))]);
    let violations = port.validate(&schema, &bad).expect("a schema");
    let paths: Vec<&str> = violations.iter().map(|violation| violation.path.as_str()).collect();
    assert_eq!(paths, ["name", "size", "zone"], "every violation, with its path, sorted");

    port.validate(&of_type("nothing-known"), &bad).expect_err("an unknown type makes no schema");
    let remote = Json::object([("$ref", Json::from("https://example.com/schema.json"))]);
    port.validate(&remote, &bad).expect_err("nothing is fetched");
    let file = Json::object([("$ref", Json::from("file:///etc/hostname"))]);
    port.validate(&file, &bad).expect_err("no file is read");
}
