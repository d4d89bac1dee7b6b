//! Definitions of models and their types, in the form that scripts of this format know: the keys are theirs, `schema` is
//! added.

use mangrove_app::service::{CreatedDefinition, ExaminedDefinition, shown_global_arguments};
use mangrove_domain::{
    definition::Definition,
    description::{Description, MethodDescription},
    document::Node,
    json::Json,
    problem::{Code, Severity},
    type_name::TypeName,
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    json,
    validation::{Subject, ValidationDocument, Warnings, placed, validations},
};

/// `model create --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreatedModelDocument {
    /// `mangrove.model-create/1`.
    pub schema: String,
    /// A UUID.
    pub id: String,
    /// The model type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// What people call it.
    pub name: String,
    /// Its file.
    pub path: String,
    /// The version of the type.
    pub version: Option<String>,
    /// What global arguments it may have, as JSON Schema.
    pub global_arguments: Value,
    /// What can be called.
    pub methods: Vec<ModelMethodDocument>,
}

/// One method of a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelMethodDocument {
    /// Its name.
    pub name: String,
    /// What it does, in the words of its author.
    pub description: String,
    /// Its arguments as JSON Schema.
    pub arguments: Value,
}

impl From<&MethodDescription> for ModelMethodDocument {
    fn from(method: &MethodDescription) -> Self {
        Self {
            name: method.name.clone(),
            description: method.description.clone(),
            arguments: json::to_value(&method.arguments),
        }
    }
}

fn methods(description: &Description) -> Vec<ModelMethodDocument> {
    description.methods.iter().map(ModelMethodDocument::from).collect()
}

fn global_schema(description: &Description) -> Option<&Json> {
    description.details.get("globalArguments").filter(|schema| schema.as_object().is_some())
}

fn version(description: &Description) -> Option<String> {
    description.version.as_deref().map(str::to_owned)
}

impl From<&CreatedDefinition> for CreatedModelDocument {
    fn from(created: &CreatedDefinition) -> Self {
        let CreatedDefinition { definition, description } = created;
        Self {
            schema: "mangrove.model-create/1".to_owned(),
            id: definition.id.clone(),
            type_name: definition.type_name.value.to_string(),
            name: definition.name.value.clone(),
            path: definition.file.clone(),
            version: version(description),
            global_arguments: global_schema(description).map_or(Value::Null, json::to_value),
            methods: methods(description),
        }
    }
}

/// `model get --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelDocument {
    /// `mangrove.model/1`.
    pub schema: String,
    /// A UUID.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The model type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Counts from 1.
    pub version: u32,
    /// Free labels.
    pub tags: Map<String, Value>,
    /// Arguments of all methods as the file has them, secrets masked.
    pub global_arguments: Value,
    /// True if nobody wrote it; left out otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub auto_created: bool,
    /// The version of the type that it was written for.
    pub type_version: Option<String>,
    /// What global arguments it may have, as JSON Schema; `null` if its type cannot be used.
    pub global_arguments_schema: Value,
    /// What can be called; nothing if its type cannot be used.
    pub methods: Vec<ModelMethodDocument>,
    /// Its file.
    pub path: String,
}

impl ModelDocument {
    /// A definition, with what its type offers if that can be used.
    #[must_use]
    pub fn new(definition: &Definition, description: Option<&Description>) -> Self {
        let schema = description.and_then(global_schema);
        let given = definition.global_arguments.as_ref().map_or_else(|| Json::Object(Vec::new()), Node::to_json);
        let tags = definition.tags.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
        Self {
            schema: "mangrove.model/1".to_owned(),
            id: definition.id.clone(),
            name: definition.name.value.clone(),
            type_name: definition.type_name.value.to_string(),
            version: definition.version,
            tags: tags.collect(),
            global_arguments: json::to_value(&shown_global_arguments(schema, &given)),
            auto_created: definition.place.is_automatic(),
            type_version: definition.type_version.clone(),
            global_arguments_schema: schema.map_or(Value::Null, json::to_value),
            methods: description.map(methods).unwrap_or_default(),
            path: definition.file.clone(),
        }
    }
}

/// `model search --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelSearchDocument {
    /// `mangrove.model-search/1`.
    pub schema: String,
    /// What was looked for.
    pub query: String,
    /// What was found, in the order of the files.
    pub results: Vec<FoundModelDocument>,
}

/// One definition that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FoundModelDocument {
    /// A UUID.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The model type.
    #[serde(rename = "type")]
    pub type_name: String,
}

impl ModelSearchDocument {
    /// These definitions.
    pub fn new<'a>(query: &str, found: impl IntoIterator<Item = &'a Definition>) -> Self {
        let one = |definition: &Definition| FoundModelDocument {
            id: definition.id.clone(),
            name: definition.name.value.clone(),
            type_name: definition.type_name.value.to_string(),
        };
        Self {
            schema: "mangrove.model-search/1".to_owned(),
            query: query.to_owned(),
            results: found.into_iter().map(one).collect(),
        }
    }
}

/// `model validate --json` of one definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelValidationDocument {
    /// `mangrove.model-validation/1`.
    pub schema: String,
    /// A UUID; `null` if its file cannot be used.
    pub model_id: Option<String>,
    /// What people call it; its file if that cannot be used.
    pub model_name: String,
    /// The model type; `null` if its file cannot be used.
    #[serde(rename = "type")]
    pub type_name: Option<String>,
    /// What was looked at.
    pub validations: Vec<ValidationDocument>,
    /// What works and should be looked at.
    pub warnings: Vec<String>,
    /// True if nothing is wrong.
    pub passed: bool,
}

/// What is looked at, and which codes of problems belong to it. What belongs to nothing else belongs to the first.
const VALIDATIONS: [Subject; 6] = [
    ("Definition", &[]),
    ("Model type", &[Code::UNKNOWN_TYPE]),
    ("Global arguments", &[Code::INVALID_INPUT]),
    ("Methods", &[Code::UNKNOWN_METHOD]),
    ("Expressions", &[Code::INVALID_EXPRESSION]),
    ("Checks", &[Code::UNKNOWN_NAME]),
];

impl From<&ExaminedDefinition> for ModelValidationDocument {
    fn from(examined: &ExaminedDefinition) -> Self {
        let warnings = examined.problems.iter().filter(|problem| problem.severity == Severity::Warning);
        let definition = examined.definition.as_ref();
        Self {
            schema: "mangrove.model-validation/1".to_owned(),
            model_id: definition.map(|definition| definition.id.clone()),
            model_name: definition.map_or_else(|| examined.file.clone(), |definition| definition.name.value.clone()),
            type_name: definition.map(|definition| definition.type_name.value.to_string()),
            validations: validations(&VALIDATIONS, &examined.problems, Warnings::Apart),
            warnings: warnings.map(placed).collect(),
            passed: examined.is_valid(),
        }
    }
}

/// `model validate --json` of all definitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelValidationsDocument {
    /// `mangrove.model-validations/1`.
    pub schema: String,
    /// Each of them.
    pub models: Vec<ModelValidationDocument>,
    /// How many are in order.
    pub total_passed: usize,
    /// How many are not.
    pub total_failed: usize,
    /// How many warnings there are.
    pub total_warnings: usize,
    /// True if all are in order.
    pub passed: bool,
}

impl From<&[ExaminedDefinition]> for ModelValidationsDocument {
    fn from(examined: &[ExaminedDefinition]) -> Self {
        let models: Vec<ModelValidationDocument> = examined.iter().map(ModelValidationDocument::from).collect();
        let total_passed = models.iter().filter(|model| model.passed).count();
        Self {
            schema: "mangrove.model-validations/1".to_owned(),
            total_passed,
            total_failed: models.len() - total_passed,
            total_warnings: models.iter().map(|model| model.warnings.len()).sum(),
            passed: total_passed == models.len(),
            models,
        }
    }
}

/// `model type describe --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelTypeDocument {
    /// `mangrove.model-type/1`.
    pub schema: String,
    /// Its name.
    #[serde(rename = "type")]
    pub type_name: TypeNameDocument,
    /// The version that the export declares.
    pub version: Option<String>,
    /// What global arguments its definitions may have, as JSON Schema.
    pub global_arguments: Value,
    /// What its methods write.
    pub data_output_specs: Vec<Value>,
    /// What can be called.
    pub methods: Vec<ModelMethodDocument>,
}

/// The name of a type, as it is written and as it is compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TypeNameDocument {
    /// As it is written.
    pub raw: String,
    /// As it is compared.
    pub normalized: String,
}

impl TypeNameDocument {
    /// A name that is written like this.
    #[must_use]
    pub fn new(raw: &str, name: &TypeName) -> Self {
        Self { raw: raw.to_owned(), normalized: name.to_string() }
    }
}

impl ModelTypeDocument {
    /// What the type that somebody called `raw` offers.
    #[must_use]
    pub fn new(raw: &str, description: &Description) -> Self {
        let kinds = [("resources", "resource"), ("files", "file")];
        let specs = kinds.iter().flat_map(|(section, kind)| {
            let members = description.details.get(section).and_then(Json::as_object).unwrap_or_default();
            members.iter().map(move |(name, spec)| {
                let about = [("specName", Json::from(name.as_str())), ("kind", Json::from(*kind))];
                let about = about.into_iter().map(|(key, value)| (key.to_owned(), value));
                json::to_value(&Json::object(about.chain(spec.as_object().unwrap_or_default().iter().cloned())))
            })
        });
        Self {
            schema: "mangrove.model-type/1".to_owned(),
            type_name: TypeNameDocument::new(raw, &description.type_name),
            version: version(description),
            global_arguments: global_schema(description).map_or(Value::Null, json::to_value),
            data_output_specs: specs.collect(),
            methods: methods(description),
        }
    }
}

/// `model type search --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelTypeSearchDocument {
    /// `mangrove.model-type-search/1`.
    pub schema: String,
    /// What was looked for.
    pub query: String,
    /// What was found, sorted.
    pub results: Vec<TypeNameDocument>,
}

impl ModelTypeSearchDocument {
    /// These types.
    #[must_use]
    pub fn new(query: &str, names: &[String]) -> Self {
        let one = |name: &String| TypeNameDocument { raw: name.clone(), normalized: name.clone() };
        Self {
            schema: "mangrove.model-type-search/1".to_owned(),
            query: query.to_owned(),
            results: names.iter().map(one).collect(),
        }
    }
}
