//! Parsed YAML and JSON files; every value knows its place.

use crate::{
    json::{Json, Number},
    position::Position,
};

/// A parsed document.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// What people call the file.
    pub name: String,
    /// Its content.
    pub root: Node,
}

/// One value with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
    /// The value.
    pub value: NodeValue,
    /// How a number is written, where it has another text: `012` and `1.20` count as what stands there wherever a text
    /// is wanted.
    pub written: Option<String>,
}

/// The cases of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeValue {
    /// `null` or nothing.
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    String(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping with text keys, in their order; each key with its place.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// A value with its place; a number has the usual text.
    #[must_use]
    pub const fn new(line: u32, column: u32, value: NodeValue) -> Self {
        Self { line, column, value, written: None }
    }

    /// A value as a node, at the places of what it came from as far as that has the same parts.
    #[must_use]
    pub fn of_json(value: Json, at: &Node) -> Self {
        let value = match value {
            Json::Null => NodeValue::Null,
            Json::Bool(value) => NodeValue::Bool(value),
            Json::Number(value) => NodeValue::Number(value),
            Json::String(text) => NodeValue::String(text),
            Json::Array(items) => {
                let places = at.as_list().unwrap_or_default();
                let place = |index: usize| places.get(index).unwrap_or(at);
                let items = items.into_iter().enumerate().map(|(index, item)| Self::of_json(item, place(index)));
                NodeValue::List(items.collect())
            }
            Json::Object(members) => {
                let member = |(key, value): (String, Json)| {
                    let place = at.get(&key).unwrap_or(at);
                    let name = Self::new(place.line, place.column, NodeValue::String(key));
                    (name, Self::of_json(value, place))
                };
                NodeValue::Map(members.into_iter().map(member).collect())
            }
        };
        Self::new(at.line, at.column, value)
    }

    /// The member `key` of a mapping.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.iter().find(|(name, _)| name.as_str() == Some(key)).map(|(_, value)| value)
    }

    /// The members of a mapping.
    #[must_use]
    pub fn as_map(&self) -> Option<&[(Node, Node)]> {
        if let NodeValue::Map(members) = &self.value { Some(members) } else { None }
    }

    /// The items of a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Node]> {
        if let NodeValue::List(items) = &self.value { Some(items) } else { None }
    }

    /// The text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let NodeValue::String(text) = &self.value { Some(text) } else { None }
    }

    /// What a person calls this kind of value.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self.value {
            NodeValue::Null => "nothing",
            NodeValue::Bool(_) => "boolean",
            NodeValue::Number(_) => "number",
            NodeValue::String(_) => "string",
            NodeValue::List(_) => "list",
            NodeValue::Map(_) => "mapping",
        }
    }

    /// The value without positions.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match &self.value {
            NodeValue::Null => Json::Null,
            NodeValue::Bool(value) => Json::Bool(*value),
            NodeValue::Number(value) => Json::Number(*value),
            NodeValue::String(text) => Json::String(text.clone()),
            NodeValue::List(items) => Json::Array(items.iter().map(Node::to_json).collect()),
            NodeValue::Map(members) => Json::Object(
                members
                    .iter()
                    .map(|(key, value)| (key.as_str().unwrap_or_default().to_owned(), value.to_json()))
                    .collect(),
            ),
        }
    }

    /// The place of this node in a file.
    #[must_use]
    pub fn position(&self, file: &str) -> Position {
        Position { file: file.to_owned(), line: self.line, column: self.column }
    }
}
