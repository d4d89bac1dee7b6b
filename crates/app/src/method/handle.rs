//! What methods and run records have of data that was written.

use mangrove_domain::{data::DataHandle, json::Json};

/// A handle as methods have it.
pub(super) fn document(handle: &DataHandle) -> Json {
    let tags = handle.tags.iter().map(|(key, value)| (key.as_str(), Json::from(value.as_str())));
    Json::object([
        ("name", Json::from(handle.name.as_str())),
        ("specName", Json::from(handle.spec_name.as_str())),
        ("kind", Json::from(handle.kind.as_str())),
        ("dataId", Json::from(handle.data_id.as_str())),
        ("version", Json::from(i64::from(handle.version))),
        ("size", Json::from(i64::try_from(handle.size_bytes).unwrap_or(i64::MAX))),
        ("tags", Json::object(tags)),
        ("metadata", Json::object::<&str>([])),
    ])
}

/// A handle as run records and `run show` have it: with the model whose data it is, so that its content can be found.
pub(super) fn recorded(handle: &DataHandle) -> Json {
    let Json::Object(mut members) = document(handle) else { return Json::Null };
    members.push(("modelId".to_owned(), Json::from(handle.model_id.as_str())));
    Json::Object(members)
}
