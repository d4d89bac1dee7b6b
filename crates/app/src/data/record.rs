//! A version as expressions and queries see it.

use mangrove_domain::{
    data::{self, DataHandle, Owner},
    json::Json,
    ports::Content,
};

use super::models::Models;

/// A version as expressions and queries see it. What is not known is the empty text.
#[must_use]
pub fn record(handle: &DataHandle, content: Option<&Content>, is_latest: bool, models: &Models) -> Json {
    let (attributes, content) = match content {
        Some(Content { json: Some(json), .. }) => (json.clone(), json.clone()),
        Some(content) => (Json::Object(Vec::new()), Json::from(text_of(handle, content))),
        None => (Json::Object(Vec::new()), Json::from("")),
    };
    let text = |text: &str| Json::from(text);
    let told = |text: &Option<String>| Json::from(text.as_deref().unwrap_or_default());
    let model_name = match handle.model_name() {
        // What is reported of a model is no data of its own.
        "" if handle.is_report() => String::new(),
        "" => models.name_of(&handle.model_id).unwrap_or_default(),
        name => name.to_owned(),
    };
    let owner = &handle.owner;
    Json::object([
        ("id", text(&handle.data_id)),
        ("name", text(&handle.name)),
        ("version", Json::from(i64::from(handle.version))),
        ("isLatest", Json::from(is_latest)),
        ("createdAt", Json::from(handle.written_at.to_string())),
        ("namespace", text("")),
        ("attributes", attributes),
        ("tags", tags(handle)),
        ("modelName", Json::from(model_name)),
        ("modelId", text(&handle.model_id)),
        ("modelType", text(&handle.model_type)),
        ("specName", text(&handle.spec_name)),
        ("dataType", text(handle.tag("type").unwrap_or(handle.kind.as_str()))),
        ("contentType", text(&handle.content_type)),
        ("lifetime", text(&handle.lifetime)),
        ("ownerType", text(owner.kind.as_str())),
        ("streaming", Json::from(handle.is_streaming)),
        ("size", Json::from(i64::try_from(handle.size_bytes).unwrap_or(i64::MAX))),
        ("content", content),
        ("ownerRef", text(&owner.reference)),
        ("workflowRunId", told(&owner.workflow_run_id)),
        ("workflowName", told(&owner.workflow_name)),
        ("jobName", told(&owner.job_name)),
        ("stepName", told(&owner.step_name)),
        ("source", told(&owner.source)),
    ])
}

/// The content as text, where its type says that it is one; else nothing.
#[must_use]
pub fn text_of(handle: &DataHandle, content: &Content) -> String {
    if data::is_text(&handle.content_type) {
        String::from_utf8_lossy(&content.bytes).into_owned()
    } else {
        String::new()
    }
}

/// The tags of a version as a mapping.
#[must_use]
pub fn tags(handle: &DataHandle) -> Json {
    Json::object(handle.tags.iter().map(|(name, value)| (name.as_str(), Json::from(value.as_str()))))
}

/// Who wrote a version, as it is written down.
#[must_use]
pub fn owner(owner: &Owner) -> Json {
    let told = [
        ("workflowId", &owner.workflow_id),
        ("workflowRunId", &owner.workflow_run_id),
        ("workflowName", &owner.workflow_name),
        ("jobName", &owner.job_name),
        ("stepName", &owner.step_name),
        ("source", &owner.source),
    ];
    let told = told.into_iter().filter_map(|(name, value)| Some((name, Json::from(value.as_deref()?))));
    let always = [("ownerType", Json::from(owner.kind.as_str())), ("ownerRef", Json::from(owner.reference.as_str()))];
    Json::object(always.into_iter().chain(told))
}

/// A version as `dataRepository` gives it to methods, and `data get` to people: all that is known of it.
#[must_use]
pub fn document(handle: &DataHandle) -> Json {
    let known = [
        ("id", Json::from(handle.data_id.as_str())),
        ("name", Json::from(handle.name.as_str())),
        ("version", Json::from(i64::from(handle.version))),
        ("contentType", Json::from(handle.content_type.as_str())),
        ("lifetime", Json::from(handle.lifetime.as_str())),
        ("garbageCollection", handle.garbage_collection.clone()),
        ("streaming", Json::from(handle.is_streaming)),
        ("tags", tags(handle)),
        ("ownerDefinition", owner(&handle.owner)),
        ("createdAt", Json::from(handle.written_at.to_string())),
        ("size", Json::from(i64::try_from(handle.size_bytes).unwrap_or(i64::MAX))),
    ];
    let optional = [
        ("checksum", handle.checksum.as_deref()),
        ("lifecycle", handle.is_deleted.then_some("deleted")),
        ("renamedTo", handle.renamed_to.as_deref()),
    ];
    let optional = optional.into_iter().filter_map(|(name, value)| Some((name, Json::from(value?))));
    Json::object(known.into_iter().chain(optional))
}
