//! Definitions of models: making them, and what is wrong with them.

use std::sync::Arc;

use mangrove_domain::{
    definition::{self, Definition},
    description::Description,
    inputs,
    json::Json,
    nearest,
    ports::{DefinitionText, FilesError},
    problem::{Code, Problem, Severity},
    type_name::TypeName,
    yaml_text,
};

use super::{base::Service, documents::ValidateError, error::ServiceError};
use crate::{
    builtin,
    method::{arguments, model_kind},
    types::{NotReady, Types as _},
    workflow::validate,
};

/// A definition to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct NewDefinition {
    /// Its type, as somebody wrote it.
    pub type_name: String,
    /// What people will call it.
    pub name: String,
    /// Its global arguments, an object. Texts become what the schema of the type expects.
    pub global_arguments: Json,
}

/// A definition that was made.
#[derive(Clone, Debug)]
pub struct CreatedDefinition {
    /// The definition.
    pub definition: Arc<Definition>,
    /// What its type offers.
    pub description: Arc<Description>,
}

/// Why a definition was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Something is wrong with what was asked for: at least one problem.
    #[error("{}", .0.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("; "))]
    Problems(Vec<Problem>),
    /// Its type cannot be used.
    #[error("{}", .0.headline())]
    NotReady(Box<NotReady>),
    /// The repository cannot be read, or the file cannot be written.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// What was found out about one definition.
#[derive(Clone, Debug)]
pub struct ExaminedDefinition {
    /// The definition; `None` if its file cannot be used.
    pub definition: Option<Arc<Definition>>,
    /// Its file.
    pub file: String,
    /// What is wrong with it, in the order of the file.
    pub problems: Vec<Problem>,
}

impl ExaminedDefinition {
    /// True if nothing of it is an error.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.problems.iter().all(|problem| problem.severity < Severity::Error)
    }
}

impl Service {
    /// What a model type offers, brought up to date first. One that begins with `@` and is not known is looked for without
    /// it.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub async fn model_type(&self, type_name: &TypeName) -> Result<Arc<Description>, NotReady> {
        if let Some(description) = builtin::model(type_name) {
            return Ok(Arc::clone(description));
        }
        let kind = model_kind();
        match self.types.ready(&kind, type_name).await {
            Ok(ready) => Ok(ready.description),
            Err(not_ready) => {
                let bare = type_name.without_at().filter(|_| not_ready.code() == Code::UNKNOWN_TYPE);
                let Some(bare) = bare else { return Err(not_ready) };
                self.types.ready(&kind, &bare).await.map(|ready| ready.description).map_err(|_| not_ready)
            }
        }
    }

    /// The names of the model types that can be used, sorted, as the catalog has them now.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub async fn model_type_names(&self) -> Result<Vec<String>, ServiceError> {
        let index = self.types().await?;
        let kind = model_kind();
        let rows = index.rows().filter(|row| row.kind == kind && row.is_resolvable());
        let built_in = builtin::types().iter().map(|description| description.type_name.to_string());
        let known = rows.filter_map(|row| row.type_name().map(ToString::to_string));
        let mut names: Vec<String> = known.chain(built_in).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Makes a definition in the directory in which people keep theirs.
    ///
    /// # Errors
    /// [`CreateError`]; nothing was written.
    pub async fn create_definition(&self, new: NewDefinition) -> Result<CreatedDefinition, CreateError> {
        let NewDefinition { type_name, name, global_arguments } = new;
        let refuse =
            |code: Code, message: String| CreateError::Problems(vec![Problem::error(code, name.clone(), message)]);
        let type_name =
            TypeName::model(&type_name).map_err(|error| refuse(Code::INVALID_INPUT, format!("the type: {error}")))?;
        definition::check_new_name(&name).map_err(|error| refuse(Code::INVALID_INPUT, error))?;
        let library = self.library().await?;
        if let Some(known) = library.definitions.iter().find(|known| known.name.value == name) {
            let message = format!("there is a definition `{name}` already: {}", known.file);
            return Err(refuse(Code::AMBIGUOUS_NAME, message));
        }
        let description = self.model_type(&type_name).await.map_err(|error| CreateError::NotReady(Box::new(error)))?;
        let schema = description.details.get("globalArguments").filter(|schema| schema.as_object().is_some());
        let given = schema.map_or(global_arguments.clone(), |schema| arguments::coerced(schema, global_arguments));
        let problems = schema.map_or_else(Vec::new, |schema| wrong_arguments(&name, schema, &given));
        if !problems.is_empty() {
            return Err(CreateError::Problems(problems));
        }
        let text = self.text_of(&description, &name, given);
        let file_name = format!("{type_name}/{}.yaml", name.replace('/', "-").trim_start_matches('@'));
        let files = self.repository.definitions.as_ref();
        let made = files.create(&file_name, &text).await.map_err(ServiceError::from)?;
        let Some(made) = made else {
            let message = format!("the file of `{name}` is there already: {file_name}");
            return Err(refuse(Code::AMBIGUOUS_NAME, message));
        };
        let definition = Arc::new(self.read_definition(&made)?);
        Ok(CreatedDefinition { definition, description })
    }

    fn text_of(&self, description: &Description, name: &str, global_arguments: Json) -> String {
        let mut members = vec![("type", Json::from(description.type_name.as_str()))];
        members.extend(description.version.as_deref().map(|version| ("typeVersion", Json::from(version))));
        members.extend([
            ("id", Json::from(self.scanner.ports().entropy.identifier())),
            ("name", Json::from(name)),
            ("version", Json::from(1)),
            ("tags", Json::Object(Vec::new())),
            ("globalArguments", global_arguments),
            ("methods", Json::Object(Vec::new())),
        ]);
        yaml_text::block(&Json::object(members))
    }

    fn read_definition(&self, made: &DefinitionText) -> Result<Definition, ServiceError> {
        let document = self.repository.documents.parse(&made.file, &made.text).ok();
        let parsed = document.and_then(|document| definition::parse(&document, None).value);
        parsed.ok_or_else(|| {
            let fault = mangrove_domain::failure::Fault::environment(
                Code::INVALID_DOCUMENT,
                format!("path:{}", made.file),
                "the file was changed while it was written",
            );
            ServiceError::Files(FilesError { operation: "read", path: made.file.clone(), fault })
        })
    }

    /// What is wrong with all definitions, or with one; the types that they name are brought up to date first.
    ///
    /// # Errors
    /// [`ValidateError`].
    pub async fn examine_definitions(&self, name: Option<&str>) -> Result<Vec<ExaminedDefinition>, ValidateError> {
        let library = self.library().await?;
        let wanted: Vec<Arc<Definition>> = match name {
            Some(name) => vec![Arc::clone(library.definition(name).map_err(ValidateError::Unknown)?)],
            None => library.definitions.clone(),
        };
        let named = wanted.iter().map(|definition| definition.type_name.value.clone()).collect();
        let types = self.refreshed_types(&named, &library.reports()).await?;
        let tools = self.tools(&types);
        let examine = |definition: &Arc<Definition>| ExaminedDefinition {
            problems: validate::validate_definition(&library, definition, tools),
            file: definition.file.clone(),
            definition: Some(Arc::clone(definition)),
        };
        let mut examined: Vec<ExaminedDefinition> = wanted.iter().map(examine).collect();
        if name.is_none() {
            let mut broken: Vec<&Problem> = library.definition_problems().collect();
            broken.retain(|problem| !wanted.iter().any(|known| known.file == problem.subject));
            for problem in broken {
                match examined.iter_mut().find(|known| known.file == problem.subject) {
                    Some(known) => known.problems.push(problem.clone()),
                    None => examined.push(ExaminedDefinition {
                        definition: None,
                        file: problem.subject.clone(),
                        problems: vec![problem.clone()],
                    }),
                }
            }
        }
        Ok(examined)
    }
}

/// What keeps global arguments from being written down: names that nobody knows, required ones that are missing, secrets.
fn wrong_arguments(name: &str, schema: &Json, given: &Json) -> Vec<Problem> {
    let problem = |message: String, hint: Option<String>| {
        Problem::error(Code::INVALID_INPUT, name.to_owned(), message).advise_if(hint)
    };
    let properties = inputs::properties(schema);
    let mut problems: Vec<Problem> = arguments::unknown(schema, given)
        .into_iter()
        .map(|(unknown, _)| {
            let names = properties.iter().map(|(known, _)| known.as_str());
            let hint = nearest::hint(&unknown, names.clone())
                .or_else(|| Some(format!("known global arguments: {}", names.collect::<Vec<_>>().join(", "))));
            problem(format!("the global argument `{unknown}` is not known"), hint)
        })
        .collect();
    let required = schema.get("required").and_then(Json::as_array).unwrap_or_default();
    for missing in required.iter().filter_map(Json::as_str).filter(|name| given.get(name).is_none()) {
        let hint = Some(format!("give it with `--global-arg {missing}=…`"));
        problems.push(problem(format!("the global argument `{missing}` is required"), hint));
    }
    for (key, value) in given.as_object().unwrap_or_default() {
        let is_sensitive = properties.iter().any(|(known, property)| known == key && is_sensitive(property));
        if is_sensitive && !value.as_str().is_some_and(|text| text.contains("${{")) {
            let hint = format!("put it into a vault and write `{key}: ${{{{ vault.get(VAULT, KEY) }}}}`");
            problems
                .push(problem(format!("the global argument `{key}` is a secret, which no file may hold"), Some(hint)));
        }
    }
    problems
}

/// True for a property whose values are secrets.
fn is_sensitive(property: &Json) -> bool {
    property.get("sensitive") == Some(&Json::Bool(true))
}

/// Global arguments as they may be shown: what is a secret by its schema is masked.
#[must_use]
pub fn shown_global_arguments(schema: Option<&Json>, arguments: &Json) -> Json {
    let properties = schema.map(inputs::properties).unwrap_or_default();
    let member = |(name, value): &(String, Json)| {
        let is_secret = properties.iter().any(|(known, property)| known == name && is_sensitive(property));
        (name.clone(), if is_secret { Json::from(crate::secrets::MASK) } else { value.clone() })
    };
    Json::Object(arguments.as_object().unwrap_or_default().iter().map(member).collect())
}
