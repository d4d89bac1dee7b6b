//! Types: the list, and one of them.

use mangrove_app::{attachment::Composed, builtin};
use mangrove_domain::{
    description::{Description, MethodDescription},
    row::Row,
    source::SourceId,
    state::State,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    built_in::{BuiltInDocument, MODEL},
    json,
    source::{ShippedDocument, indexed_type, source_name},
};

/// `types --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TypesDocument {
    /// `mangrove.types/1`.
    pub schema: String,
    /// The types, sorted by source.
    pub types: Vec<TypeDocument>,
    /// The model types that come with the program and fit, sorted by name; left out on all pages but the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub built_in: Vec<BuiltInDocument>,
    /// The cursor of the next page; left out if this is the last one, or if nobody asked for pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl TypesDocument {
    /// The types of these rows.
    pub fn new<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Self {
        let types = rows.into_iter().map(TypeDocument::from).collect();
        Self { schema: "mangrove.types/1".to_owned(), types, built_in: Vec::new(), next: None }
    }

    /// The same with the types that come with the program, as far as they are of this kind and their name contains this.
    #[must_use]
    pub fn with_built_in(self, kind: Option<&str>, query: Option<&str>) -> Self {
        let is_wanted = |description: &Description| {
            kind.is_none_or(|kind| kind == MODEL)
                && query.is_none_or(|query| description.type_name.as_str().contains(query))
        };
        let fitting = builtin::types().iter().filter(|description| is_wanted(description));
        Self { built_in: fitting.map(|description| BuiltInDocument::from(description.as_ref())).collect(), ..self }
    }

    /// The same as a page, with the cursor of the next one.
    #[must_use]
    pub fn page(self, next: Option<String>) -> Self {
        Self { next, ..self }
    }
}

/// One type in `types`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TypeDocument {
    /// `model`, `vault`, `driver`, `report`, or a further kind.
    pub kind: String,
    /// The type; `null` if its source is not indexed.
    #[serde(rename = "type")]
    pub type_name: Option<String>,
    /// The type that the text of its source claims.
    pub claimed_type: Option<String>,
    /// The version that the export declares.
    pub version: Option<String>,
    /// `local`, `mounted` or `pulled`.
    pub origin: String,
    /// The extension that it belongs to.
    pub extension: String,
    /// The root that its source lies in.
    pub root: String,
    /// The path of its source below that root.
    pub path: String,
    /// `Indexed`, `BundleBuildFailed`, ….
    pub state: String,
    /// True if it runs on its last good bundle, because its newest text could not be built.
    pub degraded: bool,
    /// The source that resolves the type instead.
    pub shadowed_by: Option<String>,
    /// True if it adds to that type, and defines no type itself.
    pub add_on: bool,
    /// `null` if its bundle was built here.
    pub shipped: Option<ShippedDocument>,
}

impl TypeDocument {
    /// The type that it has, or claims.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.type_name.as_deref().or(self.claimed_type.as_deref())
    }

    /// Its source as people name it.
    #[must_use]
    pub fn source_name(&self) -> String {
        source_name(&self.root, &self.path)
    }
}

impl From<&Row> for TypeDocument {
    fn from(row: &Row) -> Self {
        let version = match &row.state {
            State::Indexed(indexed) => indexed.version.as_ref().map(ToString::to_string),
            _ => None,
        };
        Self {
            kind: row.kind.to_string(),
            type_name: indexed_type(row),
            claimed_type: row.claimed_type.as_ref().map(ToString::to_string),
            version,
            origin: row.origin.as_str().to_owned(),
            extension: row.extension.name.to_string(),
            root: row.source.root.to_string(),
            path: row.source.path.to_string(),
            state: row.state.name().as_str().to_owned(),
            degraded: row.degraded.is_some(),
            shadowed_by: row.shadowed_by.as_ref().map(SourceId::to_string),
            add_on: row.is_add_on(),
            shipped: ShippedDocument::of(row),
        }
    }
}

/// `describe --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DescribeDocument {
    /// `mangrove.describe/1`.
    pub schema: String,
    /// `model`, `vault`, `driver`, `report`, or a further kind.
    pub kind: String,
    /// The type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The version that the export declares.
    pub version: Option<String>,
    /// `local`, `mounted` or `pulled`; `built-in` if it comes with the program.
    pub origin: String,
    /// The extension that it belongs to.
    pub extension: String,
    /// The version of that extension.
    pub extension_version: String,
    /// Its source, as people name it.
    pub path: String,
    /// True if it runs on its last good bundle, because its newest text could not be built.
    pub degraded: bool,
    /// `null` if its bundle was built here.
    pub shipped: Option<ShippedDocument>,
    /// The sources that add to it.
    pub add_ons: Vec<String>,
    /// What can be called.
    pub methods: Vec<MethodDocument>,
    /// What else its kind knows of it: schemas of arguments and resources, labels, ….
    pub details: Value,
    /// What its code needs of the machine, such as `net` or `node:fs`.
    pub requirements: Vec<String>,
    /// What was noticed while it was inspected.
    pub notes: Vec<String>,
}

/// One method of a type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MethodDocument {
    /// Its name.
    pub name: String,
    /// What it does, in the words of its author.
    pub description: String,
    /// What sort of method it is, where its kind tells them apart.
    pub kind: Option<String>,
    /// Its arguments as JSON Schema.
    pub arguments: Value,
    /// The add-on that brought it; `null` for a method of the type's own.
    pub added_by: Option<String>,
}

impl MethodDocument {
    fn new(method: &MethodDescription, added_by: Option<String>) -> Self {
        Self {
            name: method.name.clone(),
            description: method.description.clone(),
            kind: method.kind.clone(),
            arguments: json::to_value(&method.arguments),
            added_by,
        }
    }
}

impl DescribeDocument {
    /// What a model type offers that comes with the program.
    #[must_use]
    pub fn built_in(description: &Description) -> Self {
        Self {
            schema: "mangrove.describe/1".to_owned(),
            kind: MODEL.to_owned(),
            type_name: description.type_name.to_string(),
            version: description.version.as_deref().map(str::to_owned),
            origin: builtin::ROOT.to_owned(),
            extension: builtin::EXTENSION.to_owned(),
            extension_version: env!("CARGO_PKG_VERSION").to_owned(),
            path: format!("{}/{}", builtin::ROOT, description.type_name),
            degraded: false,
            shipped: None,
            add_ons: Vec::new(),
            methods: description.methods.iter().map(|method| MethodDocument::new(method, None)).collect(),
            details: json::to_value(&description.details),
            requirements: description.requirements.clone(),
            notes: description.notes.clone(),
        }
    }
}

impl From<&Composed> for DescribeDocument {
    fn from(composed: &Composed) -> Self {
        let Composed { row, attachment, add_ons, .. } = composed;
        let description = &attachment.description;
        let method = |method: &MethodDescription| {
            let added = attachment.methods.get(&method.name);
            MethodDocument::new(method, added.map(|added| added.add_on.to_string()))
        };
        Self {
            schema: "mangrove.describe/1".to_owned(),
            kind: row.kind.to_string(),
            type_name: description.type_name.to_string(),
            version: description.version.as_ref().map(ToString::to_string),
            origin: row.origin.as_str().to_owned(),
            extension: row.extension.name.to_string(),
            extension_version: row.extension.version.to_string(),
            path: row.source.to_string(),
            degraded: row.degraded.is_some(),
            shipped: ShippedDocument::of(row),
            add_ons: add_ons.iter().map(|row| row.source.to_string()).collect(),
            methods: description.methods.iter().map(method).collect(),
            details: json::to_value(&description.details),
            requirements: description.requirements.clone(),
            notes: description.notes.clone(),
        }
    }
}
