//! What methods see of data that was written.

use mangrove_domain::{data::DataHandle, json::Json};

/// A handle as methods, run records and `run show` have it.
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
