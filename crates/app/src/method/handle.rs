//! What methods and run records have of data that was written.

use mangrove_domain::{data::DataHandle, json::Json, report};

use super::host::Host;
use crate::data::{owner, tags};

/// The tags that say what stands beside a handle in a record.
const TOLD: [&str; 12] = [
    "type",
    "specName",
    "modelName",
    "source",
    "workflow",
    "workflowId",
    "workflowRunId",
    "job",
    "step",
    report::NAME_TAG,
    report::SCOPE_TAG,
    report::SUFFIX_TAG,
];

impl Host {
    /// Takes what a method returned: the handles in it, if there are any, are what its step reports. What is no handle of stored
    /// data is left out.
    pub(super) async fn report(&self, returned: &Json) {
        let named = returned.get("dataHandles").and_then(Json::as_array).unwrap_or_default();
        let mut reported: Vec<DataHandle> = Vec::new();
        for handle in named {
            let Some(found) = self.named_by(handle).await else { continue };
            if !reported.iter().any(|known| known.data_id == found.data_id && known.version == found.version) {
                reported.push(found);
            }
        }
        if !reported.is_empty() {
            self.state().reported = Some(reported);
        }
    }

    /// The stored data that a handle names: what this call wrote, else what is in the store.
    async fn named_by(&self, handle: &Json) -> Option<DataHandle> {
        let name = handle.get("name")?.as_str()?;
        let version = handle.get("version")?.as_integer().and_then(|version| u32::try_from(version).ok())?;
        let owner = handle.get("metadata").unwrap_or(handle).get("ownerDefinition").and_then(|it| it.get("ownerRef"));
        let model_id = owner.and_then(Json::as_str).unwrap_or(&self.model_id);
        let is_meant =
            |known: &&DataHandle| known.model_id == model_id && known.name == name && known.version == version;
        if let Some(written) = self.state().handles.iter().find(is_meant) {
            return Some(written.clone());
        }
        let found = self.data.versions(model_id, name).await.ok()?.iter().find(is_meant)?.clone();
        self.budget.take_handle(recorded(&found).to_string().len()).ok()?;
        Some(found)
    }
}

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
    let is_told = |tag: &str| TOLD.contains(&tag);
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
