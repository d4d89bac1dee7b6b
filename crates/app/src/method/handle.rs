//! What methods and run records have of data that was written.

use mangrove_domain::{data::DataHandle, json::Json};

use crate::data::{owner, tags};

/// A handle as methods have it.
pub(super) fn document(handle: &DataHandle) -> Json {
    let metadata = Json::object([
        ("contentType", Json::from(handle.content_type.as_str())),
        ("lifetime", Json::from(handle.lifetime.as_str())),
        ("garbageCollection", handle.garbage_collection.clone()),
        ("streaming", Json::from(handle.is_streaming)),
        ("tags", tags(handle)),
        ("ownerDefinition", owner(&handle.owner)),
    ]);
    Json::object(members(handle).into_iter().chain([("metadata", metadata)]))
}

/// A handle as run records and `run show` have it: with the model whose data it is, so that its content can be found, and
/// without the tags that say what the record says itself.
pub(super) fn recorded(handle: &DataHandle) -> Json {
    let is_told = |tag: &str| {
        ["type", "specName", "modelName", "source", "workflow", "workflowId", "workflowRunId", "job", "step"]
            .contains(&tag)
    };
    let own = handle.tags.iter().filter(|(tag, _)| !is_told(tag));
    let own = Json::object(own.map(|(tag, value)| (tag.as_str(), Json::from(value.as_str()))));
    let members = members(handle).into_iter().filter(|(name, _)| *name != "tags");
    Json::object(members.chain([("tags", own), ("modelId", Json::from(handle.model_id.as_str()))]))
}

fn members(handle: &DataHandle) -> [(&'static str, Json); 7] {
    [
        ("name", Json::from(handle.name.as_str())),
        ("specName", Json::from(handle.spec_name.as_str())),
        ("kind", Json::from(handle.kind.as_str())),
        ("dataId", Json::from(handle.data_id.as_str())),
        ("version", Json::from(i64::from(handle.version))),
        ("size", Json::from(i64::try_from(handle.size_bytes).unwrap_or(i64::MAX))),
        ("tags", tags(handle)),
    ]
}
