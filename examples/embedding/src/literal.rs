//! An inspector that runs no code: an export is `export const NAME = {…};` with JSON between the braces.

use std::sync::Arc;

use async_trait::async_trait;
use mangrove_domain::{
    failure::Fault,
    inspection::Inspection,
    json::Number,
    ports::{ExportInspector, InspectRequest},
    problem::Code,
    shape::Shape,
};
use serde_json::Value;

/// Reads exports without running the module.
pub(crate) struct LiteralInspector;

#[async_trait]
impl ExportInspector for LiteralInspector {
    async fn inspect(&self, request: InspectRequest) -> Result<Inspection, Fault> {
        let mut export = None;
        for name in &request.export_names {
            if let Some((_, text)) = request.bundle.code.split_once(&format!("export const {name} =")) {
                let value = first_value(text).map_err(|error| {
                    let message = format!("{}: the export `{name}` is not JSON: {error}", request.subject);
                    Fault::deterministic(Code::SYNTAX, format!("source:{}", request.subject), message)
                })?;
                export = Some((Arc::clone(name), shape(&value)));
                break;
            }
        }
        Ok(Inspection { export, touched: Vec::new(), notes: Vec::new() })
    }
}

/// The JSON value at the beginning of a text, whatever comes after it.
fn first_value(text: &str) -> Result<Value, serde_json::Error> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter();
    values.next().unwrap_or_else(|| serde_json::from_str(text))
}

fn shape(value: &Value) -> Shape {
    match value {
        Value::Null => Shape::Null,
        Value::Bool(value) => Shape::Bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Shape::Number(Number::Integer(integer)),
            None => number.as_f64().map_or(Shape::Null, |float| Shape::Number(Number::Float(float))),
        },
        Value::String(text) => Shape::String(text.clone()),
        Value::Array(items) => Shape::Array(items.iter().map(shape).collect()),
        Value::Object(members) => {
            Shape::Object(members.iter().map(|(name, value)| (name.clone(), shape(value))).collect())
        }
    }
}
