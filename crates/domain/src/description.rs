//! What a loader reports of an accepted export, and what breaks its rules.

use std::sync::Arc;

use crate::{digest::Digest, json::Json, type_name::TypeName};

/// What an accepted export offers; everything that callers need without loading code again.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// The type's name, normalised.
    pub type_name: TypeName,
    /// The version that the export declares, if its kind has one.
    pub version: Option<Arc<str>>,
    /// True if it adds to the type of another source instead of being one (`extension` exports).
    pub is_add_on: bool,
    /// Methods by name, in the order of the export.
    pub methods: Vec<MethodDescription>,
    /// The rest, as its kind defines it: `globalArguments`, `resources`, `files`, `checks`, `configSchema`, ….
    /// Always an object.
    pub details: Json,
    /// What the module needs from its engine: `deno`, `node:fs`, `fetch`, …; sorted.
    pub requirements: Vec<String>,
    /// Remarks that are no violation, such as an inconvertible schema.
    pub notes: Vec<String>,
}

/// One method of an accepted export.
#[derive(Clone, Debug, PartialEq)]
pub struct MethodDescription {
    /// Its name.
    pub name: String,
    /// What its author says it does.
    pub description: String,
    /// `create`, `read`, `update`, `delete`, `list`, `action`, or nothing.
    pub kind: Option<String>,
    /// Its arguments as JSON Schema.
    pub arguments: Json,
}

impl Description {
    /// The description of an export that has this type and nothing else.
    #[must_use]
    pub fn new(type_name: TypeName) -> Self {
        Self {
            type_name,
            version: None,
            is_add_on: false,
            methods: Vec::new(),
            details: Json::Object(Vec::new()),
            requirements: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The method of this name.
    #[must_use]
    pub fn method(&self, name: &str) -> Option<&MethodDescription> {
        self.methods.iter().find(|method| method.name == name)
    }

    /// The description as one JSON object, as it is stored and hashed.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let strings = |items: &[String]| Json::Array(items.iter().map(|item| Json::from(item.as_str())).collect());
        Json::object([
            ("type", Json::from(self.type_name.as_str())),
            ("version", self.version.as_deref().map_or(Json::Null, Json::from)),
            ("isAddOn", Json::Bool(self.is_add_on)),
            ("methods", Json::Array(self.methods.iter().map(MethodDescription::to_json).collect())),
            ("details", self.details.clone()),
            ("requirements", strings(&self.requirements)),
            ("notes", strings(&self.notes)),
        ])
    }

    /// The description that [`to_json`](Self::to_json) made; `None` if the value is none.
    #[must_use]
    pub fn from_json(json: &Json) -> Option<Self> {
        let strings = |key: &str| -> Option<Vec<String>> {
            json.get(key)?.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
        };
        Some(Self {
            type_name: TypeName::stored(json.get("type")?.as_str()?),
            version: json.get("version")?.as_str().map(Arc::from),
            is_add_on: json.get("isAddOn")?.as_bool()?,
            methods: json
                .get("methods")?
                .as_array()?
                .iter()
                .map(MethodDescription::from_json)
                .collect::<Option<_>>()?,
            details: json.get("details")?.clone(),
            requirements: strings("requirements")?,
            notes: strings("notes")?,
        })
    }

    /// The digest of the stored form.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.to_json().to_string().as_bytes())
    }
}

impl MethodDescription {
    fn to_json(&self) -> Json {
        Json::object([
            ("name", Json::from(self.name.as_str())),
            ("description", Json::from(self.description.as_str())),
            ("kind", self.kind.as_deref().map_or(Json::Null, Json::from)),
            ("arguments", self.arguments.clone()),
        ])
    }

    fn from_json(json: &Json) -> Option<Self> {
        Some(Self {
            name: json.get("name")?.as_str()?.to_owned(),
            description: json.get("description")?.as_str()?.to_owned(),
            kind: json.get("kind")?.as_str().map(str::to_owned),
            arguments: json.get("arguments")?.clone(),
        })
    }
}

/// One rule that an export breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where in the export: `methods.run.arguments`; empty for the export itself.
    pub path: String,
    /// What was expected and what was found.
    pub message: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.path.is_empty() { out.write_str(&self.message) } else { write!(out, "{}: {}", self.path, self.message) }
    }
}
