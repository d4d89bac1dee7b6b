//! What methods have written.

use mangrove_app::{
    data::{Swept, owner, tags, text_of},
    service::DataModel,
};
use mangrove_domain::{
    data::{DataHandle, is_json},
    json::Json,
    ports::{Content, Removed},
};
use serde::Serialize;
use serde_json::Value;

use crate::{json::to_value, moment::Moment};

/// `data get --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataDocument {
    /// `mangrove.data/1`.
    pub schema: String,
    /// What names this version.
    pub id: String,
    /// The name of the item.
    pub name: String,
    /// The identifier of the model.
    pub model_id: String,
    /// The name of the model.
    pub model_name: String,
    /// The type of the model.
    pub model_type: String,
    /// Counts from 1.
    pub version: u32,
    /// What the content is.
    pub content_type: String,
    /// How long it is kept.
    pub lifetime: String,
    /// How many versions are kept.
    pub garbage_collection: Value,
    /// True if it was written piece by piece.
    pub streaming: bool,
    /// Labels.
    pub tags: Value,
    /// Who wrote it.
    pub owner_definition: Value,
    /// When.
    pub created_at: Moment,
    /// Bytes of content.
    pub size: u64,
    /// SHA-256 of the content; left out where nobody took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// The file with the content.
    pub content_path: String,
    /// The content: parsed where it is JSON, else text; left out if it was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Value>,
}

impl DataDocument {
    /// A version of an item of this model.
    #[must_use]
    pub fn new(model: &DataModel, handle: &DataHandle, content_path: String, content: Option<&Content>) -> Self {
        Self {
            schema: "mangrove.data/1".to_owned(),
            id: handle.data_id.clone(),
            name: handle.name.clone(),
            model_id: handle.model_id.clone(),
            model_name: model.name.clone(),
            model_type: model.type_name.clone(),
            version: handle.version,
            content_type: handle.content_type.clone(),
            lifetime: handle.lifetime.clone(),
            garbage_collection: to_value(&handle.garbage_collection),
            streaming: handle.is_streaming,
            tags: to_value(&tags(handle)),
            owner_definition: to_value(&owner(&handle.owner)),
            created_at: Moment(handle.written_at),
            size: handle.size_bytes,
            checksum: handle.checksum.clone(),
            content_path,
            content: content.map(|content| shown(handle, content)),
        }
    }
}

fn shown(handle: &DataHandle, content: &Content) -> Value {
    match &content.json {
        Some(json) => to_value(json),
        None => Value::String(match text_of(handle, content) {
            text if text.is_empty() => String::from_utf8_lossy(&content.bytes).into_owned(),
            text => text,
        }),
    }
}

/// `data list --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataListDocument {
    /// `mangrove.data-list/1`.
    pub schema: String,
    /// The model, if the items of one were asked for.
    #[serde(flatten)]
    pub model: Option<DataModelDocument>,
    /// The run, if the items of one were asked for.
    #[serde(flatten)]
    pub run: Option<DataRunDocument>,
    /// The items by what they are.
    pub groups: Vec<DataGroupDocument>,
    /// How many items.
    pub total: usize,
}

/// The model of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataModelDocument {
    /// Its identifier.
    pub model_id: String,
    /// Its name.
    pub model_name: String,
    /// Its type.
    pub model_type: String,
}

impl From<&DataModel> for DataModelDocument {
    fn from(model: &DataModel) -> Self {
        Self { model_id: model.id.clone(), model_name: model.name.clone(), model_type: model.type_name.clone() }
    }
}

/// The run of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataRunDocument {
    /// The identifier of the workflow; empty for a method that was run alone.
    pub workflow_id: String,
    /// The name of the workflow, or of what was run.
    pub workflow_name: String,
    /// The run.
    pub run_id: String,
    /// How it ended.
    pub run_status: String,
}

/// The items of one sort.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DataGroupDocument {
    /// `resource`, `file`, `report`, ….
    #[serde(rename = "type")]
    pub kind: String,
    /// The items, by name.
    pub items: Vec<DataItemDocument>,
}

/// One item of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataItemDocument {
    /// What names this version.
    pub id: String,
    /// The name.
    pub name: String,
    /// The latest version, or the one of the run.
    pub version: u32,
    /// What the content is.
    pub content_type: String,
    /// The sort.
    #[serde(rename = "type")]
    pub kind: String,
    /// True if it was written piece by piece.
    pub streaming: bool,
    /// Bytes of content.
    pub size: u64,
    /// When it was written.
    pub created_at: Moment,
    /// The model, in the list of a run.
    #[serde(flatten)]
    pub model: Option<DataModelDocument>,
    /// The job that wrote it, in the list of a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_name: Option<String>,
    /// The step that wrote it, in the list of a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_name: Option<String>,
}

/// In which order the sorts of items stand; others follow by name.
const ORDER: [&str; 4] = ["log", "file", "resource", "data"];

impl DataListDocument {
    /// The items of a model.
    #[must_use]
    pub fn of_model(model: &DataModel, handles: &[DataHandle]) -> Self {
        Self::new(Some(DataModelDocument::from(model)), None, handles, false)
    }

    /// The items of all models.
    #[must_use]
    pub fn of_all(handles: &[DataHandle]) -> Self {
        let nothing =
            DataModelDocument { model_id: String::new(), model_name: String::new(), model_type: String::new() };
        Self::new(Some(nothing), None, handles, true)
    }

    /// What a run wrote.
    #[must_use]
    pub fn of_run(run: DataRunDocument, handles: &[DataHandle]) -> Self {
        Self::new(None, Some(run), handles, true)
    }

    /// `names_models`: whether each item says whose it is.
    fn new(
        model: Option<DataModelDocument>,
        run: Option<DataRunDocument>,
        handles: &[DataHandle],
        names_models: bool,
    ) -> Self {
        let mut groups: Vec<DataGroupDocument> = Vec::new();
        for handle in handles {
            let kind = handle.tag("type").unwrap_or(handle.kind.as_str()).to_owned();
            let of_run = run.is_some();
            let item = DataItemDocument {
                id: handle.data_id.clone(),
                name: handle.name.clone(),
                version: handle.version,
                content_type: handle.content_type.clone(),
                kind: kind.clone(),
                streaming: handle.is_streaming,
                size: handle.size_bytes,
                created_at: Moment(handle.written_at),
                model: names_models.then(|| DataModelDocument {
                    model_id: handle.model_id.clone(),
                    model_name: handle.model_name().to_owned(),
                    model_type: handle.model_type.clone(),
                }),
                job_name: handle.owner.job_name.clone().filter(|_| of_run),
                step_name: handle.owner.step_name.clone().filter(|_| of_run),
            };
            match groups.iter_mut().find(|group| group.kind == kind) {
                Some(group) => group.items.push(item),
                None => groups.push(DataGroupDocument { kind, items: vec![item] }),
            }
        }
        let rank = |kind: &str| ORDER.iter().position(|known| *known == kind).unwrap_or(ORDER.len());
        groups.sort_by(|one, other| (rank(&one.kind), &one.kind).cmp(&(rank(&other.kind), &other.kind)));
        for group in &mut groups {
            group.items.sort_by(|one, other| (&one.name, one.version).cmp(&(&other.name, other.version)));
        }
        Self { schema: "mangrove.data-list/1".to_owned(), model, run, groups, total: handles.len() }
    }
}

/// `data query --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataQueryDocument {
    /// `mangrove.data-query/1`.
    pub schema: String,
    /// The predicate; left out where values were selected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predicate: Option<String>,
    /// Records without `attributes`, their `content` the parsed JSON or the empty text; or what was selected of each.
    pub results: Vec<Value>,
    /// How many results.
    pub total: usize,
    /// True if there are more.
    pub limited: bool,
}

impl DataQueryDocument {
    /// What a query found.
    #[must_use]
    pub fn new(predicate: &str, is_selected: bool, mut found: Vec<Json>, limit: Option<usize>) -> Self {
        let limited = limit.is_some_and(|limit| found.len() > limit);
        found.truncate(limit.unwrap_or(usize::MAX));
        let shown = |record: Json| match record {
            Json::Object(members) if !is_selected => {
                let is_json =
                    members.iter().any(|(name, value)| name == "contentType" && value.as_str().is_some_and(is_json));
                let members = members.into_iter().filter(|(name, _)| name != "attributes").map(|(name, value)| {
                    if name == "content" && !is_json { (name, Json::from("")) } else { (name, value) }
                });
                to_value(&Json::object(members))
            }
            other => to_value(&other),
        };
        Self {
            schema: "mangrove.data-query/1".to_owned(),
            predicate: (!is_selected).then(|| predicate.to_owned()),
            total: found.len(),
            results: found.into_iter().map(shown).collect(),
            limited,
        }
    }
}

/// `data versions --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataVersionsDocument {
    /// `mangrove.data-versions/1`.
    pub schema: String,
    /// The name of the item.
    pub data_name: String,
    /// The model.
    #[serde(flatten)]
    pub model: DataModelDocument,
    /// The newest first.
    pub versions: Vec<DataVersionDocument>,
    /// How many.
    pub total: usize,
}

/// One version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataVersionDocument {
    /// Counts from 1.
    pub version: u32,
    /// When it was written.
    pub created_at: Moment,
    /// Bytes of content.
    pub size: u64,
    /// SHA-256 of the content; left out where nobody took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// True for the newest.
    pub is_latest: bool,
}

impl DataVersionsDocument {
    /// These versions of an item, in ascending order.
    #[must_use]
    pub fn new(model: &DataModel, name: &str, handles: &[DataHandle]) -> Self {
        let latest = handles.last().map_or(0, |handle| handle.version);
        let version = |handle: &DataHandle| DataVersionDocument {
            version: handle.version,
            created_at: Moment(handle.written_at),
            size: handle.size_bytes,
            checksum: handle.checksum.clone(),
            is_latest: handle.version == latest,
        };
        Self {
            schema: "mangrove.data-versions/1".to_owned(),
            data_name: name.to_owned(),
            model: DataModelDocument::from(model),
            versions: handles.iter().rev().map(version).collect(),
            total: handles.len(),
        }
    }
}

/// `data gc --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataSweepDocument {
    /// `mangrove.data-gc/1`.
    pub schema: String,
    /// How many items went entirely.
    pub data_entries_expired: usize,
    /// How many versions went.
    pub versions_deleted: u64,
    /// Their contents together.
    pub bytes_reclaimed: u64,
    /// True if nothing was removed.
    pub dry_run: bool,
    /// The items that went entirely.
    pub expired_entries: Vec<ExpiredDataDocument>,
}

/// An item that went entirely.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExpiredDataDocument {
    /// The type of the model.
    #[serde(rename = "type")]
    pub model_type: String,
    /// The identifier of the model.
    pub model_id: String,
    /// The name of the item.
    pub data_name: String,
    /// How long it was to be kept.
    pub reason: String,
}

impl DataSweepDocument {
    /// What a sweep did.
    #[must_use]
    pub fn new(swept: &Swept, is_dry_run: bool) -> Self {
        let expired = |handle: &DataHandle| ExpiredDataDocument {
            model_type: handle.model_type.clone(),
            model_id: handle.model_id.clone(),
            data_name: handle.name.clone(),
            reason: format!("lifetime {}", handle.lifetime),
        };
        Self {
            schema: "mangrove.data-gc/1".to_owned(),
            data_entries_expired: swept.expired.len(),
            versions_deleted: swept.versions,
            bytes_reclaimed: swept.bytes,
            dry_run: is_dry_run,
            expired_entries: swept.expired.iter().map(expired).collect(),
        }
    }
}

/// `data delete --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataDeletedDocument {
    /// `mangrove.data-delete/1`.
    pub schema: String,
    /// The model.
    #[serde(flatten)]
    pub model: DataModelDocument,
    /// The names of the items.
    pub data_names: Vec<String>,
    /// How many versions.
    pub versions_deleted: u64,
    /// Their contents together.
    pub bytes_reclaimed: u64,
    /// True if nothing was removed.
    pub dry_run: bool,
}

impl DataDeletedDocument {
    /// What was removed of these items.
    #[must_use]
    pub fn new(model: &DataModel, names: Vec<String>, removed: Removed, is_dry_run: bool) -> Self {
        Self {
            schema: "mangrove.data-delete/1".to_owned(),
            model: DataModelDocument::from(model),
            data_names: names,
            versions_deleted: removed.versions,
            bytes_reclaimed: removed.bytes,
            dry_run: is_dry_run,
        }
    }
}
