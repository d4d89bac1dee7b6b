//! What a step says of the data that its method writes.

use crate::{
    document::Node,
    form::{Form, Located, Members},
};

const KEYS: [&str; 5] = ["specName", "lifetime", "garbageCollection", "tags", "vary"];

/// What a step says of the items of one kind that its method writes.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputOverride {
    /// The kind.
    pub spec_name: Located<String>,
    /// How long they are kept.
    pub lifetime: Option<Located<String>>,
    /// How many versions of them are kept, or how old these may be.
    pub garbage_collection: Option<Node>,
    /// Further labels.
    pub tags: Vec<(String, String)>,
    /// The inputs whose values become part of their names.
    pub vary: Vec<Located<String>>,
}

/// Reads the member `dataOutputOverrides` of a step.
pub(super) fn read(form: &mut Form<'_>, step: Members<'_>) -> Vec<OutputOverride> {
    let mut outputs = Vec::new();
    for node in form.list(step, "dataOutputOverrides") {
        let Some(members) = form.members(node, "data output", &KEYS) else { continue };
        let spec_name = form.required_text(members, "specName");
        let lifetime = form.optional_text(members, "lifetime");
        let garbage_collection = form.optional(members, "garbageCollection").cloned();
        let tags = form.labels(members, "tags");
        let vary = form.list(members, "vary").iter().filter_map(|node| form.text(node, "vary")).collect();
        if let Some(spec_name) = spec_name {
            outputs.push(OutputOverride { spec_name, lifetime, garbage_collection, tags, vary });
        }
    }
    outputs
}
