//! What the schema of inputs says about their values.

use mangrove_domain::{inputs, json::Json};

fn of_type(kind: Json) -> Json {
    Json::object([("type", kind)])
}

/// An integer is one wherever it is declared, and nothing else is: what may also be another number stays a double.
#[test]
fn the_places_of_integers_are_told() {
    let list = Json::object([("type", Json::from("array")), ("items", of_type(Json::from("integer")))]);
    let nested = Json::object([("type", Json::from("object")), ("properties", Json::object([("port", list)]))]);
    let either = |kinds: [&str; 2]| of_type(Json::Array(kinds.map(Json::from).to_vec()));
    let schema = Json::object([(
        "properties",
        Json::object([
            ("count", of_type(Json::from("integer"))),
            ("ratio", of_type(Json::from("number"))),
            ("any", Json::Object(Vec::new())),
            ("maybe", either(["integer", "null"])),
            ("both", either(["integer", "number"])),
            ("server", nested),
        ]),
    )]);
    let paths: Vec<String> = inputs::integers(&schema).iter().map(|path| path.join(".")).collect();
    assert_eq!(paths, ["count", "maybe", "server.port.[]"]);
    assert!(inputs::integers(&Json::Null).is_empty());
}
