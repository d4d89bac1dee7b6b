//! The definitions of a repository, as data knows them.

use std::{collections::HashMap, sync::Arc};

use mangrove_domain::{definition::Definition, document::Node, json::Json};

/// The definitions of a repository by name and identifier.
#[derive(Clone, Debug, Default)]
pub struct Models {
    definitions: Vec<Arc<Definition>>,
    by_name: HashMap<String, usize>,
    by_id: HashMap<String, usize>,
}

impl Models {
    /// These definitions. Of those that share a name or an identifier, the first counts.
    pub fn new<'a>(definitions: impl IntoIterator<Item = &'a Arc<Definition>>) -> Self {
        let mut models = Self::default();
        for definition in definitions {
            let place = models.definitions.len();
            models.by_name.entry(definition.name.value.clone()).or_insert(place);
            models.by_id.entry(definition.id.clone()).or_insert(place);
            models.definitions.push(Arc::clone(definition));
        }
        models
    }

    /// The definition of this name, else of this identifier.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Definition>> {
        self.by_name(name).or_else(|| self.by_id(name))
    }

    /// The definition of this name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&Arc<Definition>> {
        self.definitions.get(*self.by_name.get(name)?)
    }

    /// The definition of this identifier.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<&Arc<Definition>> {
        self.definitions.get(*self.by_id.get(id)?)
    }

    /// The name of the definition of this identifier.
    #[must_use]
    pub fn name_of(&self, id: &str) -> Option<&str> {
        self.by_id(id).map(|definition| definition.name.value.as_str())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Definition>> {
        self.definitions.iter()
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
