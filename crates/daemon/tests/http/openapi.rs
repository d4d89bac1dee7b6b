//! The document that describes the API.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::world::World;

#[tokio::test]
async fn the_document_is_the_one_on_record() {
    let world = World::new().await;
    let answer = world.get("/api/v1/openapi.json").await;
    insta::assert_snapshot!(String::from_utf8(answer.body).expect("text"));
}

#[tokio::test]
async fn every_operation_can_fail_and_has_words_and_every_reference_leads_somewhere() {
    let document = World::new().await.get("/api/v1/openapi.json").await.json();
    let schemas: BTreeSet<&String> = document["components"]["schemas"].as_object().expect("schemas").keys().collect();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}");
            let can_fail = operation["responses"]["default"]["content"]["application/problem+json"].is_object();
            assert!(can_fail || path == "/livez", "{method} {path}");
        }
    }
    check_references(&document, &schemas);
}

fn check_references(value: &Value, schemas: &BTreeSet<&String>) {
    match value {
        Value::Object(members) => {
            if let Some(target) = members.get("$ref").and_then(Value::as_str) {
                let name = target.strip_prefix("#/components/schemas/").expect("a schema");
                assert!(schemas.contains(&name.to_owned()), "{target}");
            }
            for member in members.values() {
                check_references(member, schemas);
            }
        }
        Value::Array(items) => {
            for item in items {
                check_references(item, schemas);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
