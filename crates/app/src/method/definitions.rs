//! The definitions that a run finds, and those that it makes: a step or a command may name a type and an instance of it,
//! and nobody has to write a file for that.

use std::sync::Arc;

use mangrove_domain::{
    definition::{self, Definition, Place},
    digest::Digest,
    document::Node,
    form::Located,
    inputs,
    json::Json,
    ports::{DefinitionFiles, DefinitionText, Documents, Entropy, FilesError, RepositoryFiles},
    problem::{Code, Problem},
    run::RunProblem,
    type_name::TypeName,
    workflow::template::{self, Part},
    yaml_text,
};

use super::problem;
use crate::workflow::{
    Files,
    library::{Layout, Library},
};

/// The longest name that becomes the name of a file.
const LONGEST_FILE_NAME: usize = 200;

/// How often a definition is looked at that others change all the time.
const MOST_ATTEMPTS: usize = 100;

/// Finds definitions, and keeps those that nobody wrote.
#[derive(Clone)]
pub struct Definitions {
    /// Those that people wrote.
    pub written: Arc<dyn RepositoryFiles>,
    /// Those that the program writes.
    pub files: Arc<dyn DefinitionFiles>,
    /// Reads both.
    pub documents: Arc<dyn Documents>,
    /// Their identifiers.
    pub entropy: Arc<dyn Entropy>,
}

/// An instance of a type, as a call names it.
#[derive(Clone, Copy)]
pub(crate) struct Instance<'a> {
    /// The file of whoever names it.
    pub(crate) file: &'a str,
    pub(crate) type_name: &'a Located<TypeName>,
    pub(crate) name: &'a Located<String>,
    /// The version of the type that answers.
    pub(crate) type_version: Option<&'a str>,
    /// The global arguments that the call gives, where a text may hold an expression.
    pub(crate) global_arguments: &'a Json,
    /// Which of them are secrets by the schema of the type.
    pub(crate) secret: &'a [&'a str],
    /// True for a value that has a secret in it, wherever that came from.
    pub(crate) holds_secret: &'a (dyn Fn(&Json) -> bool + Sync),
    /// True for an expression that the author of the call wrote; others only look like one.
    pub(crate) is_expression: &'a (dyn Fn(&str) -> bool + Sync),
}

/// The definition of an instance.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) definition: Arc<Definition>,
    /// The digest of its file, if that is not one of the library's.
    pub(crate) digest: Option<Digest>,
    pub(crate) change: Option<Change>,
}

/// What was done to have a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It was made.
    Created,
    /// Its global arguments were replaced.
    Updated,
    /// Its global arguments are others for this call only: people keep its file.
    ForThisCall,
}

impl Definitions {
    /// The definition of this name, else of this identifier, as it is now: an earlier step may have made it or changed
    /// it.
    ///
    /// # Errors
    /// The [`Problem`] that there is none, or that it is not clear which one is meant.
    pub(crate) async fn named(&self, library: &Library, name: &str) -> Result<Arc<Definition>, Problem> {
        let known = match library.definition(name) {
            Ok(known) if known.place.is_automatic() => known,
            Ok(known) => return Ok(Arc::clone(known)),
            Err(wrong) if wrong.code == Code::UNKNOWN_NAME => {
                return self.now().await.map_or(Err(wrong), |now| now.definition(name).cloned());
            }
            Err(wrong) => return Err(wrong),
        };
        let path = path(&known.type_name.value, &known.name.value);
        match self.files.read_automatic(&path).await {
            Ok(Some(text)) => Ok(self.read(&text).unwrap_or_else(|| Arc::clone(known))),
            Ok(None) | Err(_) => Ok(Arc::clone(known)),
        }
    }

    /// All definitions as they are now; `None` if they cannot be looked at.
    pub(super) async fn now(&self) -> Option<Library> {
        let from = Files { files: self.written.as_ref(), documents: self.documents.as_ref() };
        let automatic = self.files.automatic().await.ok()?;
        Library::load_only_definitions(from, &Layout::default(), automatic).await.ok()
    }

    /// The definition of an instance: the one of its name, with the global arguments that the call gives, or a new one.
    ///
    /// # Errors
    /// The name is that of something else, or the definition cannot be kept.
    pub(crate) async fn instance(&self, library: &Library, wanted: Instance<'_>) -> Result<Found, RunProblem> {
        let (file, name) = (wanted.file, &wanted.name.value);
        let at = wanted.name.position(file);
        match self.named(library, name).await {
            Ok(definition) => self.with_arguments(wanted, definition, None).await,
            Err(unknown) if unknown.code == Code::UNKNOWN_NAME => {
                definition::check_name(name)
                    .map_err(|error| problem(Code::INVALID_DOCUMENT, format!("{at}: {error}")))?;
                let id = self.entropy.identifier();
                refuse_secrets(wanted)?;
                let text = Self::text(wanted, &id)?;
                let path = path(&wanted.type_name.value, name);
                let kept = self.files.create_automatic(&path, &text).await.map_err(|error| not_kept(wanted, &error))?;
                let definition = self.read(&kept).ok_or_else(|| unreadable(&kept))?;
                let digest = Some(Digest::of(kept.text.as_bytes()));
                if definition.id == id {
                    return Ok(Found { definition, digest, change: Some(Change::Created) });
                }
                // Another process was faster.
                self.with_arguments(wanted, definition, digest).await
            }
            Err(wrong) => {
                let message = format!("{at}: {}", wrong.placed_message());
                Err(problem(wrong.code, message).advise_if(wrong.advice))
            }
        }
    }

    /// A definition that is there, with the global arguments that the call gives.
    async fn with_arguments(
        &self,
        wanted: Instance<'_>,
        definition: Arc<Definition>,
        digest: Option<Digest>,
    ) -> Result<Found, RunProblem> {
        let found_type = &definition.type_name.value;
        if !is_same_type(found_type, &wanted.type_name.value) {
            let message = format!(
                "{}: `{}` is a definition of `{found_type}` ({}), not of `{}`; give one of the two another name",
                wanted.name.position(wanted.file),
                wanted.name.value,
                definition.file,
                wanted.type_name.value,
            );
            return Err(problem(Code::INVALID_INPUT, message));
        }
        if has_arguments(&definition, wanted) {
            return Ok(Found { definition, digest, change: None });
        }
        if definition.place.is_automatic() {
            return self.changed(wanted, definition).await;
        }
        let text = Self::text(Instance { type_version: definition.type_version.as_deref(), ..wanted }, &definition.id)?;
        let kept = DefinitionText { file: definition.file.clone(), text };
        let arguments = self.read(&kept).ok_or_else(|| unreadable(&kept))?.global_arguments.clone();
        let definition = Arc::new(Definition { global_arguments: arguments, ..Definition::clone(&definition) });
        Ok(Found { definition, digest, change: Some(Change::ForThisCall) })
    }

    /// An automatic definition, changed so that it has the global arguments of the call. Others may change it at the same
    /// moment: who is later decides by what the one before has written.
    async fn changed(&self, wanted: Instance<'_>, definition: Arc<Definition>) -> Result<Found, RunProblem> {
        refuse_secrets(wanted)?;
        let path = path(&definition.type_name.value, &wanted.name.value);
        let not_kept = |error: FilesError| not_kept(wanted, &error);
        for _ in 0..MOST_ATTEMPTS {
            let before = self.files.read_automatic(&path).await.map_err(not_kept)?;
            if let Some(before) = &before {
                let definition = self.read(before).ok_or_else(|| unreadable(before))?;
                if has_arguments(&definition, wanted) {
                    let digest = Some(Digest::of(before.text.as_bytes()));
                    return Ok(Found { definition, digest, change: None });
                }
            }
            let text = self.with_global_arguments(wanted, &definition, before.as_ref()).await?;
            let kept = match &before {
                Some(before) => self.files.replace_automatic(&path, &before.text, &text).await,
                None => self.files.create_automatic(&path, &text).await,
            };
            let kept = kept.map_err(not_kept)?;
            if kept.text == text {
                let digest = Some(Digest::of(text.as_bytes()));
                let definition = self.read(&kept).ok_or_else(|| unreadable(&kept))?;
                return Ok(Found { definition, digest, change: Some(Change::Updated) });
            }
        }
        let message = format!("the definition `{}` is changed by others again and again", wanted.name.value);
        Err(problem(Code::METHOD_FAILED, message))
    }

    /// The text of a definition with the global arguments of the call; all else in it stays.
    async fn with_global_arguments(
        &self,
        wanted: Instance<'_>,
        definition: &Definition,
        before: Option<&DefinitionText>,
    ) -> Result<String, RunProblem> {
        let plain =
            Self::text(Instance { type_version: definition.type_version.as_deref(), ..wanted }, &definition.id)?;
        let text = match before {
            Some(before) => Some(before.text.clone()),
            // It lies where an earlier version of the format kept it.
            None => self.written.read(&definition.file).await.ok().flatten(),
        };
        let document = text.and_then(|text| self.documents.parse(&definition.file, &text).ok());
        let Some(Json::Object(members)) = document.map(|document| document.root.to_json()) else { return Ok(plain) };
        let arguments = ("globalArguments".to_owned(), wanted.global_arguments.clone());
        let is_other = |(name, _): &(String, Json)| *name != arguments.0;
        let members = members.into_iter().filter(is_other).collect::<Vec<_>>().into_iter().chain([arguments.clone()]);
        Ok(yaml_text::block(&Json::Object(members.collect())))
    }

    fn read(&self, text: &DefinitionText) -> Option<Arc<Definition>> {
        let document = self.documents.parse(&text.file, &text.text).ok()?;
        let definition = definition::parse(&document, None).value?;
        Some(Arc::new(Definition { place: Place::Automatic, ..definition }))
    }

    /// The file of an instance.
    fn text(wanted: Instance<'_>, id: &str) -> Result<String, RunProblem> {
        for (name, value) in wanted.global_arguments.as_object().unwrap_or_default() {
            if let Some(look_alike) = look_alike(value, wanted.is_expression) {
                let message = format!(
                    "the global argument `{name}` of `{}` holds `{look_alike}`, which is text here and would be an \
                     expression in its definition; to have one there, make the definition with it",
                    wanted.name.value
                );
                return Err(problem(Code::INVALID_INPUT, message));
            }
        }
        let mut members = vec![
            ("type", Json::from(wanted.type_name.value.as_str())),
            ("id", Json::from(id)),
            ("name", Json::from(wanted.name.value.as_str())),
            ("version", Json::from(1)),
        ];
        if let Some(version) = wanted.type_version {
            members.insert(1, ("typeVersion", Json::from(version)));
        }
        members.push(("globalArguments", wanted.global_arguments.clone()));
        Ok(yaml_text::block(&Json::object(members)))
    }
}

/// A secret that stands in a call would be written into a file: one that its author wrote there, or one that an expression gave.
fn refuse_secrets(wanted: Instance<'_>) -> Result<(), RunProblem> {
    let name = &wanted.name.value;
    if (wanted.holds_secret)(&Json::from(name.as_str())) {
        let message = "the name of an instance holds a secret, which no file may hold; give it another name".to_owned();
        return Err(problem(Code::INVALID_INPUT, message));
    }
    let given = wanted.global_arguments.as_object().unwrap_or_default();
    let is_literal = |value: &Json| !value.as_str().is_some_and(|text| text.contains(template::OPEN));
    let is_secret = |(name, value): &&(String, Json)| {
        wanted.secret.contains(&name.as_str()) && is_literal(value) || (wanted.holds_secret)(value)
    };
    match given.iter().find(is_secret) {
        None => Ok(()),
        Some((argument, _)) => {
            let message = format!(
                "the global argument `{argument}` of `{name}` is a secret, which no file may hold; put it into a vault and \
                 write `${{{{ vault.get(VAULT, KEY) }}}}`"
            );
            Err(problem(Code::INVALID_INPUT, message))
        }
    }
}

/// The first text of a value that would become an expression, if it were written into a document.
fn look_alike(value: &Json, is_expression: &dyn Fn(&str) -> bool) -> Option<String> {
    match value {
        Json::String(text) => template::split(text).into_iter().find_map(|part| match part {
            Part::Expression(span) if !is_expression(span.raw) => Some(span.raw.to_owned()),
            Part::Expression(_) | Part::Text(_) => None,
        }),
        Json::Array(items) => items.iter().find_map(|item| look_alike(item, is_expression)),
        Json::Object(members) => members.iter().find_map(|(_, value)| look_alike(value, is_expression)),
        Json::Null | Json::Bool(_) | Json::Number(_) => None,
    }
}

/// True if a definition has each of the global arguments that the call gives.
fn has_arguments(definition: &Definition, wanted: Instance<'_>) -> bool {
    let stored = definition.global_arguments.as_ref().map_or(Json::Null, Node::to_json);
    let given = wanted.global_arguments.as_object().unwrap_or_default();
    given.iter().all(|(name, value)| stored.get(name).is_some_and(|known| inputs::is_equal(known, value)))
}

/// The file of an instance below the directory of automatic definitions. A name that is no name of a file is replaced by
/// its digest.
fn path(type_name: &TypeName, name: &str) -> String {
    let is_plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['.', '_'])
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'@'))
    };
    if name.len() <= LONGEST_FILE_NAME && name.split('/').all(is_plain) {
        format!("{type_name}/{name}.yaml")
    } else {
        format!("{type_name}/{}.yaml", Digest::of(name.as_bytes()))
    }
}

/// A type may be written with or without `@` before it.
fn is_same_type(one: &TypeName, other: &TypeName) -> bool {
    let bare = |name: &TypeName| name.as_str().trim_start_matches('@').to_owned();
    one == other || bare(one) == bare(other)
}

fn not_kept(wanted: Instance<'_>, error: &FilesError) -> RunProblem {
    problem(error.fault.code, format!("the definition `{}` cannot be kept: {error}", wanted.name.value))
}

fn unreadable(text: &DefinitionText) -> RunProblem {
    let message = format!("{} is no definition; correct it or remove it", text.file);
    problem(Code::INVALID_DOCUMENT, message)
}
