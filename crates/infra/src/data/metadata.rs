//! What is known of a version, as JSON.

use mangrove_domain::{
    data::{self, DataHandle, DataKind, Owner, OwnerKind},
    digest::Digest,
    ports::NewData,
    time::Timestamp,
};
use mangrove_fs::json_text;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    id: String,
    model_id: String,
    model_type: String,
    name: String,
    spec_name: String,
    kind: String,
    version: u32,
    size: u64,
    checksum: Option<String>,
    content_type: String,
    lifetime: String,
    garbage_collection: Value,
    streaming: bool,
    tags: Vec<(String, String)>,
    owner: OwnerMetadata,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lifecycle: Option<String>,
    run_id: String,
    created_millis: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OwnerMetadata {
    owner_type: String,
    owner_ref: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    workflow_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    workflow_run_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    workflow_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    job_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    step_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
}

/// The word for a version that says that the thing behind it is gone.
pub(super) const DELETED: &str = "deleted";

/// What is known of a new version.
pub(super) fn handle(data: NewData, version: u32, size_bytes: u64, checksum: &Digest) -> DataHandle {
    DataHandle {
        data_id: uuid::Uuid::now_v7().to_string(),
        model_id: data.model_id,
        model_type: data.model_type,
        spec_name: data.spec_name,
        name: data.name,
        kind: data.kind,
        version,
        size_bytes,
        checksum: Some(checksum.to_string()),
        content_type: data.content_type,
        lifetime: data.lifetime,
        garbage_collection: data.garbage_collection,
        is_streaming: data.is_streaming,
        tags: data::tags([&*data.tags]),
        owner: data.owner,
        is_deleted: data.is_deleted,
        renamed_to: None,
        run_id: data.run_id,
        written_at: data.written_at,
    }
}

pub(super) fn text(handle: &DataHandle) -> serde_json::Result<String> {
    let DataHandle { owner, .. } = handle.clone();
    serde_json::to_string(&Metadata {
        id: handle.data_id.clone(),
        model_id: handle.model_id.clone(),
        model_type: handle.model_type.clone(),
        name: handle.name.clone(),
        spec_name: handle.spec_name.clone(),
        kind: handle.kind.as_str().to_owned(),
        version: handle.version,
        size: handle.size_bytes,
        checksum: handle.checksum.clone(),
        content_type: handle.content_type.clone(),
        lifetime: handle.lifetime.clone(),
        garbage_collection: json_text::to_value(&handle.garbage_collection),
        streaming: handle.is_streaming,
        tags: handle.tags.clone(),
        owner: OwnerMetadata {
            owner_type: owner.kind.as_str().to_owned(),
            owner_ref: owner.reference,
            workflow_id: owner.workflow_id,
            workflow_run_id: owner.workflow_run_id,
            workflow_name: owner.workflow_name,
            job_name: owner.job_name,
            step_name: owner.step_name,
            source: owner.source,
        },
        lifecycle: handle.is_deleted.then(|| DELETED.to_owned()),
        run_id: handle.run_id.clone(),
        created_millis: handle.written_at.as_millis(),
    })
}

pub(super) fn parse(text: &str) -> Result<DataHandle, String> {
    let metadata: Metadata = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let owner = metadata.owner;
    Ok(DataHandle {
        data_id: metadata.id,
        model_id: metadata.model_id,
        model_type: metadata.model_type,
        spec_name: metadata.spec_name,
        name: metadata.name,
        kind: kind(&metadata.kind)?,
        version: metadata.version,
        size_bytes: metadata.size,
        checksum: metadata.checksum,
        content_type: metadata.content_type,
        lifetime: metadata.lifetime,
        garbage_collection: json_text::from_value(metadata.garbage_collection),
        is_streaming: metadata.streaming,
        tags: metadata.tags,
        owner: Owner {
            kind: OwnerKind::parse(&owner.owner_type).ok_or_else(|| format!("unknown owner {:?}", owner.owner_type))?,
            reference: owner.owner_ref,
            workflow_id: owner.workflow_id,
            workflow_run_id: owner.workflow_run_id,
            workflow_name: owner.workflow_name,
            job_name: owner.job_name,
            step_name: owner.step_name,
            source: owner.source,
        },
        is_deleted: metadata.lifecycle.as_deref() == Some(DELETED),
        renamed_to: None,
        run_id: metadata.run_id,
        written_at: Timestamp::from_millis(metadata.created_millis),
    })
}

pub(super) fn kind(text: &str) -> Result<DataKind, String> {
    let known = [DataKind::Resource, DataKind::File].into_iter().find(|kind| kind.as_str() == text);
    known.ok_or_else(|| format!("unknown kind {text:?}"))
}
