//! Definitions: configured instances of a model type (`models/<type path>/<uuid>.yaml`).

use crate::{
    document::{Document, Node, NodeValue},
    form::{Form, Located, Parsed},
    type_name::TypeName,
};

const KEYS: [&str; 14] = [
    "id",
    "name",
    "version",
    "type",
    "typeVersion",
    "description",
    "tags",
    "globalArguments",
    "methods",
    "inputs",
    "checks",
    "reports",
    "driver",
    "driverConfig",
];

/// A configured instance of a model type.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// Its file, as people name it; of one that a workflow makes up on the spot, that workflow's file.
    pub file: String,
    /// A UUID; names the instance's data.
    pub id: String,
    /// What people call it; unique in its repository.
    pub name: Located<String>,
    /// Counts from 1.
    pub version: u32,
    /// The model type.
    pub type_name: Located<TypeName>,
    /// The version of the type that its arguments were written for.
    pub type_version: Option<String>,
    /// Free labels.
    pub tags: Vec<(String, String)>,
    /// Arguments of all methods, a mapping.
    pub global_arguments: Option<Node>,
    /// Arguments by method, each a mapping.
    pub methods: Vec<MethodArguments>,
    /// The driver that runs its methods.
    pub driver: Option<Located<String>>,
}

/// What a definition gives one method.
#[derive(Clone, Debug, PartialEq)]
pub struct MethodArguments {
    /// The method.
    pub method: Located<String>,
    /// Its arguments, a mapping.
    pub arguments: Option<Node>,
}

impl Definition {
    /// A definition that no file holds: a workflow names the type and an instance of it.
    #[must_use]
    pub fn without_file(file: &str, name: Located<String>, type_name: Located<TypeName>) -> Self {
        Self {
            file: file.to_owned(),
            id: format!("{}/{}", type_name.value, name.value),
            name,
            version: 1,
            type_name,
            type_version: None,
            tags: Vec::new(),
            global_arguments: None,
            methods: Vec::new(),
            driver: None,
        }
    }

    /// The arguments that it gives `method`.
    #[must_use]
    pub fn arguments_of(&self, method: &str) -> Option<&Node> {
        self.methods.iter().find(|given| given.method.value == method)?.arguments.as_ref()
    }
}

/// Reads a definition. `path_type` is what the folder says of its type: the path between `models/` and the file.
#[must_use]
pub fn parse(document: &Document, path_type: Option<&str>) -> Parsed<Definition> {
    let mut form = Form::new(document);
    let value = read(&mut form, document, path_type);
    form.finish(value)
}

fn read(form: &mut Form<'_>, document: &Document, path_type: Option<&str>) -> Option<Definition> {
    let members = form.members(&document.root, "definition", &KEYS)?;
    let id = form.required_text(members, "id");
    if let Some(id) = id.as_ref().filter(|id| !is_uuid(&id.value)) {
        let node = members.node.get("id").unwrap_or(members.node);
        form.error(node, format!("`id`: expected a UUID, found `{}`", id.value), None);
    }
    let name = form.required_text(members, "name");
    let type_name = match form.optional_text(members, "type") {
        Some(text) => read_type(form, members.node.get("type").unwrap_or(members.node), &text.value),
        None => {
            if let Some(text) = path_type.filter(|text| !text.is_empty()) {
                read_type(form, members.node, text)
            } else {
                let hint = "write `type: \"@scope/name\"`, or put the file below models/<type>/".to_owned();
                form.error(members.node, "a definition needs `type`", Some(hint));
                None
            }
        }
    };
    let version = form.optional_count(members, "version", 1).unwrap_or(1);
    let type_version = form.optional_text(members, "typeVersion").map(|text| text.value);
    let tags = form.labels(members, "tags");
    let global_arguments = form.mapping(members, "globalArguments").cloned();
    let driver = form.optional_text(members, "driver");
    let mut methods = Vec::new();
    for (key, value) in form.mapping(members, "methods").and_then(Node::as_map).unwrap_or_default() {
        let method = Located::at(key, key.as_str().unwrap_or_default().to_owned());
        if value.value == NodeValue::Null {
            methods.push(MethodArguments { method, arguments: None });
        } else if let Some(given) = form.members(value, "method", &["arguments"]) {
            let arguments = form.mapping(given, "arguments").cloned();
            methods.push(MethodArguments { method, arguments });
        }
    }
    Some(Definition {
        file: document.name.clone(),
        id: id?.value,
        name: name?,
        version,
        type_name: type_name?,
        type_version,
        tags,
        global_arguments,
        methods,
        driver,
    })
}

fn read_type(form: &mut Form<'_>, node: &Node, text: &str) -> Option<Located<TypeName>> {
    match TypeName::model(text) {
        Ok(name) => Some(Located::at(node, name)),
        Err(error) => {
            form.error(node, format!("`type`: {error}"), None);
            None
        }
    }
}

/// True for the canonical form of a UUID of any version.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
