//! What reports say.

use mangrove_app::service::StoredReport;
use mangrove_domain::report::{NAME_TAG, SCOPE_TAG, SUFFIX_TAG};
use serde::Serialize;
use serde_json::Value;

use crate::{json, moment::Moment};

/// `report get --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportContentDocument {
    /// `mangrove.report/1`.
    pub schema: String,
    /// Its name.
    pub report_name: String,
    /// `method`, `model` or `workflow`.
    pub report_scope: String,
    /// The identifier of the model, or of the workflow, that it is about.
    pub model_id: String,
    /// The name of the same.
    pub model_name: String,
    /// The type of the model, or `workflow`.
    pub model_type: String,
    /// Counts from 1.
    pub version: u32,
    /// When it was made.
    pub created_at: Moment,
    /// The workflow in which it was made; left out if that was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_name: Option<String>,
    /// The element of a repetition that it is for; left out if it is for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vary_suffix: Option<String>,
    /// The name of the item of data that is its text.
    pub data_name: String,
    /// Its text.
    pub markdown: String,
    /// The rest of what it says.
    pub json: Value,
}

impl From<&StoredReport> for ReportContentDocument {
    fn from(report: &StoredReport) -> Self {
        let StoredReport { handle, model_name, markdown, json } = report;
        let tag = |name: &str| handle.tag(name).map(str::to_owned);
        Self {
            schema: "mangrove.report/1".to_owned(),
            report_name: tag(NAME_TAG).unwrap_or_default(),
            report_scope: tag(SCOPE_TAG).unwrap_or_default(),
            model_id: handle.model_id.clone(),
            model_name: model_name.clone(),
            model_type: handle.model_type.clone(),
            version: handle.version,
            created_at: Moment(handle.written_at),
            workflow_name: handle.owner.workflow_name.clone(),
            vary_suffix: tag(SUFFIX_TAG),
            data_name: handle.name.clone(),
            markdown: markdown.clone(),
            json: json::to_value(json),
        }
    }
}
