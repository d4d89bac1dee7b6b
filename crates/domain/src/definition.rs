//! Definitions: configured instances of a model type (`models/**/*.yaml`).

use crate::{
    document::{Document, Node, NodeValue},
    form::{Form, Located, Members, Parsed},
    json::Json,
    problem::{Code, Severity},
    type_name::TypeName,
};

pub use crate::selection::Selection;

const KEYS: [&str; 13] = [
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
    "resources",
];

/// Keys that the format had once, and what they were for.
const REMOVED_KEYS: [&str; 2] = ["driver", "driverConfig"];

/// How long the name of a new definition may be.
const LONGEST_NEW_NAME: usize = 64;

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
    /// The schema of `inputs` in its expressions, as it is written.
    pub inputs: Option<Node>,
    /// Which checks of its type it insists on, and which it leaves out.
    pub checks: Selection,
    /// Which reports it insists on, and which it leaves out.
    pub reports: Selection,
    /// What it says otherwise of the resources of its type.
    pub resources: Vec<ResourceOverride>,
    /// Where it was found.
    pub place: Place,
}

/// Where a definition was found. What comes first takes precedence over others of its identifier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// Among the files that people write.
    #[default]
    Written,
    /// Where an older layout keeps them.
    Older,
    /// Made for a step or a command that named a type and an instance of it.
    Automatic,
    /// Made so by the program that had this repository before.
    AutomaticBefore,
}

impl Place {
    /// True if no person wrote it.
    #[must_use]
    pub const fn is_automatic(self) -> bool {
        matches!(self, Place::Automatic | Place::AutomaticBefore)
    }
}

/// What a definition says otherwise of one resource of its type.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceOverride {
    /// The resource, as its type declares it.
    pub spec: Located<String>,
    /// How long its data is kept.
    pub lifetime: Option<String>,
    /// How many versions are kept, or for how long.
    pub garbage_collection: Option<Json>,
    /// The vault of its secret values.
    pub vault_name: Option<String>,
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
    /// A definition that no file holds yet.
    #[must_use]
    pub fn new(file: &str, id: String, name: Located<String>, type_name: Located<TypeName>) -> Self {
        Self {
            file: file.to_owned(),
            id,
            name,
            version: 1,
            type_name,
            type_version: None,
            tags: Vec::new(),
            global_arguments: None,
            methods: Vec::new(),
            inputs: None,
            checks: Selection::default(),
            reports: Selection::default(),
            resources: Vec::new(),
            place: Place::Automatic,
        }
    }

    /// The arguments that it gives `method`.
    #[must_use]
    pub fn arguments_of(&self, method: &str) -> Option<&Node> {
        self.methods.iter().find(|given| given.method.value == method)?.arguments.as_ref()
    }
}

/// Reads a definition. `path_type` is what the folder says of its type: the path between the directory of definitions and
/// the file.
#[must_use]
pub fn parse(document: &Document, path_type: Option<&str>) -> Parsed<Definition> {
    let mut form = Form::new(document);
    let value = read(&mut form, document, path_type);
    form.finish(value)
}

fn read(form: &mut Form<'_>, document: &Document, path_type: Option<&str>) -> Option<Definition> {
    let known: Vec<&str> = KEYS.into_iter().chain(REMOVED_KEYS).collect();
    let members = form.open_members(&document.root, "definition", &known)?;
    for (key, _) in document.root.as_map().unwrap_or_default() {
        if let Some(name) = key.as_str().filter(|name| REMOVED_KEYS.contains(name)) {
            let message = format!("`{name}` was removed from the format of a definition");
            form.report(Severity::Error, Code::UNKNOWN_SETTING, key, message, Some("take it out".to_owned()));
        }
    }
    let id = form.required_text(members, "id");
    if let Some(id) = id.as_ref().filter(|id| !is_uuid(&id.value)) {
        let node = members.node.get("id").unwrap_or(members.node);
        form.error(node, format!("`id`: expected a UUID, found `{}`", id.value), None);
    }
    let name = form.required_text(members, "name");
    if let Some(name) = &name
        && let Err(error) = check_name(&name.value)
    {
        let node = members.node.get("name").unwrap_or(members.node);
        form.error(node, format!("`name`: {error}"), None);
    }
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
    // A number is of an older form of the file, and says nothing of the type.
    let type_version = form.optional(members, "typeVersion").and_then(Node::as_str).map(str::to_owned);
    let tags = form.labels(members, "tags");
    let global_arguments = form.mapping(members, "globalArguments").cloned();
    let methods = read_methods(form, members);
    let inputs = form.mapping(members, "inputs").cloned();
    let checks = Selection::read(form, members, "checks");
    let reports = Selection::read(form, members, "reports");
    let resources = read_resources(form, members);
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
        inputs,
        checks,
        reports,
        resources,
        place: Place::Written,
    })
}

fn read_methods(form: &mut Form<'_>, members: Members<'_>) -> Vec<MethodArguments> {
    let mut methods = Vec::new();
    for (key, value) in form.mapping(members, "methods").and_then(Node::as_map).unwrap_or_default() {
        let method = Located::at(key, key.as_str().unwrap_or_default().to_owned());
        if value.value == NodeValue::Null {
            methods.push(MethodArguments { method, arguments: None });
        } else if let Some(given) = form.open_members(value, "method", &["arguments"]) {
            let arguments = form.mapping(given, "arguments").cloned();
            methods.push(MethodArguments { method, arguments });
        }
    }
    methods
}

fn read_resources(form: &mut Form<'_>, members: Members<'_>) -> Vec<ResourceOverride> {
    let mut resources = Vec::new();
    for (key, value) in form.mapping(members, "resources").and_then(Node::as_map).unwrap_or_default() {
        let known = ["lifetime", "garbageCollection", "vaultName"];
        let Some(given) = form.open_members(value, "resource", &known) else { continue };
        let text = |form: &mut Form<'_>, key: &str| form.optional_text(given, key).map(|text| text.value);
        resources.push(ResourceOverride {
            spec: Located::at(key, key.as_str().unwrap_or_default().to_owned()),
            lifetime: text(form, "lifetime"),
            garbage_collection: form.optional(given, "garbageCollection").map(Node::to_json),
            vault_name: text(form, "vaultName"),
        });
    }
    resources
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

/// Whether a definition or workflow may have this name.
///
/// # Errors
/// A sentence that says why not.
pub fn check_name(name: &str) -> Result<(), String> {
    if name.trim().is_empty() {
        return Err("a name must not be empty".to_owned());
    }
    for part in ["..", "\\", "\0"] {
        if name.contains(part) {
            return Err(format!("a name must not contain `{}`", part.escape_debug()));
        }
    }
    if name.contains('/') && !is_scoped(name) {
        return Err(format!("a name with `/` has the form `@collective/name`, found `{name}`"));
    }
    Ok(())
}

/// Whether a new definition may have this name: the rules for new ones are narrower.
///
/// # Errors
/// A sentence that says why not.
pub fn check_new_name(name: &str) -> Result<(), String> {
    check_name(name)?;
    let is_plain = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
            && part.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
    };
    let is_well_formed = match name.strip_prefix('@') {
        Some(scoped) => scoped.split('/').all(is_plain),
        None => is_plain(name),
    };
    if is_well_formed && name.len() <= LONGEST_NEW_NAME {
        return Ok(());
    }
    let rule = format!("lower-case letters, digits, `_` and `-`, at most {LONGEST_NEW_NAME}, not `_` or `-` first");
    Err(format!("a new name consists of {rule}, or is `@collective/name`; found `{name}`"))
}

/// `@collective/name(/name)*`
fn is_scoped(name: &str) -> bool {
    let parts: Vec<&str> = name.strip_prefix('@').unwrap_or_default().split('/').collect();
    parts.len() >= 2 && parts.iter().all(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_not_lead_anywhere() {
        for name in ["a", "Prod DB", "a.b", "@acme/dns", "@acme/dns/zone", "ä"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", " ", "a/b", "../a", "a..b", "a\\b", "a\0b", "@acme", "@acme/", "@/a", "@acme//dns"] {
            assert_eq!(check_name(name).is_ok(), name == "@acme", "{name:?}");
        }
    }

    #[test]
    fn new_names_are_plain_or_scoped() {
        for name in ["a", "0", "a-b_c", "@acme/dns", &"a".repeat(64)] {
            assert_eq!(check_new_name(name), Ok(()), "{name}");
        }
        for name in ["A", "-a", "_a", "a b", "a.b", "@Acme/dns", "@acme/-", &"a".repeat(65)] {
            assert!(check_new_name(name).is_err(), "{name}");
        }
    }
}
