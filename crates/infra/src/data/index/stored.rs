//! What is known of a version, as the index keeps it.

use mangrove_domain::{
    data::{DataHandle, DataKind, Owner, OwnerKind},
    time::Timestamp,
};
use mangrove_fs::json_text;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct StoredHandle {
    data_id: String,
    model_id: String,
    model_type: String,
    spec_name: String,
    name: String,
    is_file: bool,
    version: u32,
    size_bytes: u64,
    checksum: Option<String>,
    content_type: String,
    lifetime: String,
    /// As JSON text.
    garbage_collection: String,
    is_streaming: bool,
    tags: Vec<(String, String)>,
    owner_kind: String,
    owner_reference: String,
    /// Workflow, its run and name, job, step, source.
    owner: [Option<String>; 6],
    is_deleted: bool,
    renamed_to: Option<String>,
    run_id: String,
    written_at: i64,
}

/// The bytes of a handle; `None` if it has none.
pub(super) fn encode(handle: &DataHandle) -> Option<Vec<u8>> {
    let DataHandle { owner, .. } = handle;
    let stored = StoredHandle {
        data_id: handle.data_id.clone(),
        model_id: handle.model_id.clone(),
        model_type: handle.model_type.clone(),
        spec_name: handle.spec_name.clone(),
        name: handle.name.clone(),
        is_file: handle.kind == DataKind::File,
        version: handle.version,
        size_bytes: handle.size_bytes,
        checksum: handle.checksum.clone(),
        content_type: handle.content_type.clone(),
        lifetime: handle.lifetime.clone(),
        garbage_collection: json_text::to_value(&handle.garbage_collection).to_string(),
        is_streaming: handle.is_streaming,
        tags: handle.tags.clone(),
        owner_kind: owner.kind.as_str().to_owned(),
        owner_reference: owner.reference.clone(),
        owner: [
            owner.workflow_id.clone(),
            owner.workflow_run_id.clone(),
            owner.workflow_name.clone(),
            owner.job_name.clone(),
            owner.step_name.clone(),
            owner.source.clone(),
        ],
        is_deleted: handle.is_deleted,
        renamed_to: handle.renamed_to.clone(),
        run_id: handle.run_id.clone(),
        written_at: handle.written_at.as_millis(),
    };
    postcard::to_stdvec(&stored).ok()
}

/// The handle of these bytes; `None` if they are damaged.
pub(super) fn decode(bytes: &[u8]) -> Option<DataHandle> {
    let stored: StoredHandle = postcard::from_bytes(bytes).ok()?;
    let [workflow_id, workflow_run_id, workflow_name, job_name, step_name, source] = stored.owner;
    Some(DataHandle {
        data_id: stored.data_id,
        model_id: stored.model_id,
        model_type: stored.model_type,
        spec_name: stored.spec_name,
        name: stored.name,
        kind: if stored.is_file { DataKind::File } else { DataKind::Resource },
        version: stored.version,
        size_bytes: stored.size_bytes,
        checksum: stored.checksum,
        content_type: stored.content_type,
        lifetime: stored.lifetime,
        garbage_collection: json_text::parse(&stored.garbage_collection).ok()?,
        is_streaming: stored.is_streaming,
        tags: stored.tags,
        owner: Owner {
            kind: OwnerKind::parse(&stored.owner_kind)?,
            reference: stored.owner_reference,
            workflow_id,
            workflow_run_id,
            workflow_name,
            job_name,
            step_name,
            source,
        },
        is_deleted: stored.is_deleted,
        renamed_to: stored.renamed_to,
        run_id: stored.run_id,
        written_at: Timestamp::from_millis(stored.written_at),
    })
}

#[cfg(test)]
mod tests {
    use mangrove_domain::json::{Json, Number};

    use super::*;

    #[test]
    fn a_handle_comes_back_as_it_was() {
        let text = |text: &str| Some(text.to_owned());
        let handle = DataHandle {
            data_id: "id".to_owned(),
            model_id: "m".to_owned(),
            model_type: "@a/b".to_owned(),
            spec_name: "s".to_owned(),
            name: "größe".to_owned(),
            kind: DataKind::File,
            version: 7,
            size_bytes: u64::MAX,
            checksum: text("00"),
            content_type: "text/plain".to_owned(),
            lifetime: "1d".to_owned(),
            garbage_collection: Json::Number(Number::Float(1.0)),
            is_streaming: true,
            tags: vec![("a".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())],
            owner: Owner {
                kind: OwnerKind::WorkflowStep,
                reference: "r".to_owned(),
                workflow_id: text("1"),
                workflow_run_id: text("2"),
                workflow_name: text("3"),
                job_name: text("4"),
                step_name: text("5"),
                source: text("6"),
            },
            is_deleted: true,
            renamed_to: text("new"),
            run_id: "run".to_owned(),
            written_at: Timestamp::from_millis(-5),
        };
        let plain = DataHandle {
            kind: DataKind::Resource,
            checksum: None,
            garbage_collection: Json::Null,
            owner: Owner::default(),
            renamed_to: None,
            is_deleted: false,
            ..handle.clone()
        };
        for handle in [handle, plain] {
            let bytes = encode(&handle).expect("bytes");
            assert_eq!(decode(&bytes), Some(handle));
            assert_eq!(decode(&bytes[..bytes.len() - 1]), None);
        }
    }
}
