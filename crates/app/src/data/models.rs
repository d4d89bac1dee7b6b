//! The definitions of a repository, as data knows them.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

use mangrove_domain::{definition::Definition, document::Node, json::Json};

/// The definitions of a repository by name and identifier: those that were found, and those that a run has made or changed
/// since.
#[derive(Debug, Default)]
pub struct Models(RwLock<Known>);

#[derive(Clone, Debug, Default)]
struct Known {
    definitions: Vec<Arc<Definition>>,
    by_name: HashMap<String, usize>,
    by_id: HashMap<String, usize>,
}

impl Models {
    /// These definitions. Of those that share a name or an identifier, the first counts.
    pub fn new<'a>(definitions: impl IntoIterator<Item = &'a Arc<Definition>>) -> Self {
        let mut known = Known::default();
        for definition in definitions {
            known.add(definition);
        }
        Self(RwLock::new(known))
    }

    /// Takes a definition as it is from now on: in place of the one in its file, else beside the others.
    pub fn learn(&self, definition: &Arc<Definition>) {
        let is_known = |known: &Arc<Definition>| Arc::ptr_eq(known, definition);
        if self.by_id(&definition.id).as_ref().is_some_and(is_known) {
            return;
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match known.definitions.iter().position(|it| it.file == definition.file && it.id == definition.id) {
            Some(place) => known.definitions[place] = Arc::clone(definition),
            None => known.add(definition),
        }
    }

    /// The definition of this name, else of this identifier.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<Definition>> {
        self.by_name(name).or_else(|| self.by_id(name))
    }

    /// The definition of this name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<Arc<Definition>> {
        let known = self.known();
        known.definitions.get(*known.by_name.get(name)?).cloned()
    }

    /// The definition of this identifier.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<Arc<Definition>> {
        let known = self.known();
        known.definitions.get(*known.by_id.get(id)?).cloned()
    }

    /// The name of the definition of this identifier.
    #[must_use]
    pub fn name_of(&self, id: &str) -> Option<String> {
        self.by_id(id).map(|definition| definition.name.value.clone())
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Definition>> {
        self.known().definitions.clone()
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn add(&mut self, definition: &Arc<Definition>) {
        let place = self.definitions.len();
        self.by_name.entry(definition.name.value.clone()).or_insert(place);
        self.by_id.entry(definition.id.clone()).or_insert(place);
        self.definitions.push(Arc::clone(definition));
    }
}

/// A definition as expressions have it under `model.<name>.input`: as it is written, with nothing evaluated.
pub(super) fn input(definition: &Definition) -> Json {
    let tags = definition.tags.iter().map(|(name, value)| (name.as_str(), Json::from(value.as_str())));
    let arguments = definition.global_arguments.as_ref();
    Json::object([
        ("id", Json::from(definition.id.as_str())),
        ("name", Json::from(definition.name.value.as_str())),
        ("version", Json::from(i64::from(definition.version))),
        ("tags", Json::object(tags)),
        ("globalArguments", arguments.map_or_else(|| Json::Object(Vec::new()), Node::to_json)),
    ])
}

/// A definition as methods get it from a repository of definitions.
#[must_use]
pub fn document(definition: &Definition) -> Json {
    let methods = definition.methods.iter().map(|method| {
        let arguments = method.arguments.as_ref().map_or_else(|| Json::Object(Vec::new()), Node::to_json);
        (method.method.value.as_str(), Json::object([("arguments", arguments)]))
    });
    let further = [
        ("type".to_owned(), Json::from(definition.type_name.value.to_string())),
        ("typeVersion".to_owned(), definition.type_version.as_deref().map_or(Json::Null, Json::from)),
        ("methods".to_owned(), Json::object(methods)),
    ];
    let Json::Object(members) = input(definition) else { return Json::Null };
    Json::object(members.into_iter().chain(further))
}
