//! What an export looks like from outside, as the inspector reports it and a loader judges it.

use crate::{
    json::{Json, Number},
    source::SourceId,
};

/// A value of the extension's world: JSON's cases plus what JSON cannot say.
///
/// The inspector says what is there and never judges; a [`Loader`](crate::ports::Loader) judges and
/// never runs code (`design/inspection.md`).
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// `undefined`
    Undefined,
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Shape>),
    /// A plain object or class instance: its own enumerable members, in their order.
    Object(Vec<(String, Shape)>),
    /// Anything that can be called.
    Function,
    /// An object with `_def` or `~standard` and functions `parse` and `safeParse`.
    Schema {
        /// The input side as JSON Schema; `{}` where the library could not convert it.
        json_schema: Json,
    },
    /// A getter that threw while it was read.
    Threw {
        /// What it threw, as text.
        message: String,
    },
    /// Something cut off by a limit of depth or size.
    Truncated,
}

impl Shape {
    /// The member `key` of an object. An `undefined` member counts as absent.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Shape> {
        let member = self.as_object()?.iter().find(|(name, _)| name == key).map(|(_, value)| value);
        member.filter(|value| !matches!(value, Shape::Undefined))
    }

    /// The members of an object.
    #[must_use]
    pub fn as_object(&self) -> Option<&[(String, Shape)]> {
        if let Shape::Object(members) = self { Some(members) } else { None }
    }

    /// The items of an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Shape]> {
        if let Shape::Array(items) = self { Some(items) } else { None }
    }

    /// The text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Shape::String(text) = self { Some(text) } else { None }
    }

    /// What a person calls this kind of value in "expected …, found …".
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Shape::Undefined => "undefined",
            Shape::Null => "null",
            Shape::Bool(_) => "boolean",
            Shape::Number(_) => "number",
            Shape::String(_) => "string",
            Shape::Array(_) => "array",
            Shape::Object(_) => "object",
            Shape::Function => "function",
            Shape::Schema { .. } => "schema",
            Shape::Threw { .. } => "a getter that throws",
            Shape::Truncated => "a value beyond the size limit",
        }
    }

    /// The plain-data part as JSON: functions, `undefined` and truncated values are left out,
    /// a schema becomes its JSON Schema, a throwing getter `null`.
    #[must_use]
    pub fn to_json(&self) -> Option<Json> {
        Some(match self {
            Shape::Undefined | Shape::Function | Shape::Truncated => return None,
            Shape::Null | Shape::Threw { .. } => Json::Null,
            Shape::Bool(value) => Json::Bool(*value),
            Shape::Number(value) => Json::Number(*value),
            Shape::String(text) => Json::String(text.clone()),
            Shape::Array(items) => Json::Array(items.iter().map(|item| item.to_json().unwrap_or(Json::Null)).collect()),
            Shape::Object(members) => {
                Json::Object(members.iter().filter_map(|(key, value)| Some((key.clone(), value.to_json()?))).collect())
            }
            Shape::Schema { json_schema } => json_schema.clone(),
        })
    }
}

/// Where a shape comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The source.
    pub source: SourceId,
    /// The name of the export.
    pub export_name: String,
    /// What the module needs from its engine; goes into the description as it is.
    pub requirements: Vec<String>,
    /// Remarks of the inspector; go into the description as they are.
    pub notes: Vec<String>,
}
