//! What reports have said.

use std::sync::Arc;

use mangrove_domain::{
    data::DataHandle,
    json::Json,
    ports::{DataField, DataSearch},
    problem::Problem,
    report::{MARKDOWN, NAME_TAG, SUFFIX_TAG, json_name},
    workflow::Workflow,
};

use super::{base::Service, data::DataPlace, error::ServiceError};

/// Which report is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportQuery {
    /// Its name.
    pub report: String,
    /// The model that it is about, by name or identifier.
    pub model: Option<String>,
    /// The workflow that it is about or was made in, by name or identifier.
    pub workflow: Option<String>,
    /// The element of a repetition that it is for.
    pub variant: Option<String>,
    /// The latest one, if not given.
    pub version: Option<u32>,
}

/// What a report has said.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredReport {
    /// Its text as data.
    pub handle: DataHandle,
    /// What the model or the workflow is called that it is about.
    pub model_name: String,
    /// Its text.
    pub markdown: String,
    /// Its JSON; null if that is gone.
    pub json: Json,
}

/// What a report is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportSubject {
    /// The name of the model or the workflow.
    pub name: String,
    /// The type of the model, or `workflow`.
    pub type_name: String,
    /// The element of a repetition.
    pub variant: Option<String>,
}

/// Why there is no report to show.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// No model or workflow has the name.
    #[error("{}", .0.message)]
    Unknown(Problem),
    /// There is none.
    #[error("no report `{report}` is kept of what was asked for")]
    None {
        /// Its name.
        report: String,
        /// The names of the reports that are kept.
        known: Vec<String>,
    },
    /// It is kept, but not in this version.
    #[error("no version {version} of the report `{report}` is kept")]
    NoVersion {
        /// Its name.
        report: String,
        /// The version that was asked for.
        version: u32,
        /// The versions that are kept, in ascending order.
        kept: Vec<u32>,
    },
    /// More than one could be meant.
    #[error("more than one report `{report}` is kept")]
    Several {
        /// Its name.
        report: String,
        /// What they are about.
        subjects: Vec<ReportSubject>,
    },
    /// The data cannot be read.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl Service {
    /// What a report has said, the latest of its versions if none is asked for.
    ///
    /// # Errors
    /// [`ReportError`]
    pub async fn report(&self, query: &ReportQuery) -> Result<StoredReport, ReportError> {
        let library = self.library().await?;
        let workflow = match &query.workflow {
            Some(name) => Some(Arc::clone(library.workflow(name).map_err(ReportError::Unknown)?)),
            None => None,
        };
        let model = match &query.model {
            Some(name) => match self.data_model(name).await? {
                Some(model) => Some(model.id),
                None => return Err(ReportError::Unknown(library.definition(name).err().unwrap_or_else(|| none(name)))),
            },
            None => None,
        };
        let (named, known) = self.kept_reports(&query.report).await?;
        let mut found = match &workflow {
            Some(workflow) => self.latest_of(workflow, named).await?,
            None => named,
        };
        found.retain(|handle| {
            model.as_ref().is_none_or(|id| *id == handle.model_id)
                && query.variant.as_deref().is_none_or(|variant| handle.tag(SUFFIX_TAG) == Some(variant))
        });
        if query.variant.is_none() && found.iter().any(|handle| handle.tag(SUFFIX_TAG).is_none()) {
            found.retain(|handle| handle.tag(SUFFIX_TAG).is_none());
        }
        let models = self.models().await?;
        let name_of = |handle: &DataHandle| {
            let of_model = models.name_of(&handle.model_id);
            let of_workflow = library.workflows.iter().find(|workflow| workflow.id == handle.model_id);
            of_model
                .or_else(|| of_workflow.map(|workflow| workflow.name.value.clone()))
                .or_else(|| handle.owner.workflow_name.clone().filter(|_| handle.model_type == "workflow"))
                .unwrap_or_else(|| handle.model_id.clone())
        };
        let report = query.report.clone();
        let Some(newest) = found.iter().max_by_key(|handle| (handle.written_at, handle.version)) else {
            return Err(ReportError::None { report, known });
        };
        if found.iter().any(|other| (&other.model_id, &other.name) != (&newest.model_id, &newest.name)) {
            let subject = |handle: &DataHandle| ReportSubject {
                name: name_of(handle),
                type_name: handle.model_type.clone(),
                variant: handle.tag(SUFFIX_TAG).map(str::to_owned),
            };
            let mut subjects: Vec<ReportSubject> = found.iter().map(subject).collect();
            subjects.sort_by(|one, other| (&one.name, &one.variant).cmp(&(&other.name, &other.variant)));
            subjects.dedup();
            return Err(ReportError::Several { report, subjects });
        }
        let version = query.version.unwrap_or(newest.version);
        let place = |name: String| DataPlace { model_id: newest.model_id.clone(), name };
        let text_place = place(newest.name.clone());
        let Some((handle, text)) = self.data_item(&text_place, Some(version)).await? else {
            let mut kept: Vec<u32> = self.data_versions(&text_place).await?.iter().map(|kept| kept.version).collect();
            kept.sort_unstable();
            return Err(ReportError::NoVersion { report, version, kept });
        };
        let json_place = place(json_name(&newest.name));
        let version = json_version(&handle, &self.data_versions(&json_place).await?);
        let json = match version {
            Some(version) => self.data_item(&json_place, Some(version)).await?,
            None => None,
        };
        Ok(StoredReport {
            model_name: name_of(&handle),
            markdown: String::from_utf8_lossy(&text.bytes).into_owned(),
            json: json.and_then(|(_, content)| content.json).unwrap_or_default(),
            handle,
        })
    }

    /// Of each of these reports the latest version that is about this workflow: other runs may have made later ones.
    async fn latest_of(&self, workflow: &Workflow, named: Vec<DataHandle>) -> Result<Vec<DataHandle>, ServiceError> {
        let mut found = Vec::with_capacity(named.len());
        for handle in named {
            if is_of(&handle, workflow) {
                found.push(handle);
                continue;
            }
            let place = DataPlace { model_id: handle.model_id, name: handle.name };
            let versions = self.data_versions(&place).await?;
            let of_workflow = versions.into_iter().filter(|version| version.is_report() && is_of(version, workflow));
            found.extend(of_workflow.max_by_key(|version| version.version));
        }
        Ok(found)
    }

    /// The latest texts that are kept of a report, each once for each model and name; without any, the names of all reports.
    async fn kept_reports(&self, report: &str) -> Result<(Vec<DataHandle>, Vec<String>), ServiceError> {
        let is_text = |handle: &DataHandle| handle.is_report() && handle.content_type == MARKDOWN && !handle.is_gone();
        let search = DataSearch {
            equal: vec![(DataField::Tag(NAME_TAG.to_owned()), report.to_owned())],
            ..DataSearch::default()
        };
        let mut found = self.found_data(&search).await?;
        found.retain(|handle| is_text(handle) && handle.tag(NAME_TAG) == Some(report));
        if !found.is_empty() {
            return Ok((found, Vec::new()));
        }
        let all = self.found_data(&DataSearch::default()).await?;
        let names = all.iter().filter(|handle| is_text(handle)).filter_map(|handle| handle.tag(NAME_TAG));
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort();
        names.dedup();
        Ok((found, names))
    }
}

/// Which version of the JSON of a report belongs to this text. Here it is stored just before it, by the same call; versions need
/// not have the same numbers, since calls side by side store both, and one of the two may have failed. Other programs may store
/// them the other way round, under one number.
fn json_version(text: &DataHandle, versions: &[DataHandle]) -> Option<u32> {
    let of_call = || versions.iter().filter(|json| json.run_id == text.run_id && json.owner == text.owner);
    let before = of_call().filter(|json| json.written_at <= text.written_at);
    let stored = before.max_by_key(|json| (json.written_at, json.version));
    stored.or_else(|| of_call().find(|json| json.version == text.version)).map(|json| json.version)
}

/// True for a report about a workflow, or about a method that it called.
fn is_of(handle: &DataHandle, workflow: &Workflow) -> bool {
    handle.model_id == workflow.id || handle.owner.workflow_id.as_deref() == Some(workflow.id.as_str())
}

fn none(model: &str) -> Problem {
    let message = format!("`{model}` has no data");
    Problem::error(mangrove_domain::problem::Code::UNKNOWN_NAME, model.to_owned(), message)
}

#[cfg(test)]
mod tests {
    use mangrove_domain::{
        data::{DataKind, Owner},
        time::Timestamp,
    };

    use super::*;

    #[test]
    fn a_text_has_the_json_of_its_own_call() {
        let handle = |version: u32, step: &str, written_at: i64| DataHandle {
            data_id: String::new(),
            model_id: "m".to_owned(),
            model_type: "t".to_owned(),
            spec_name: String::new(),
            name: "report-x".to_owned(),
            kind: DataKind::File,
            version,
            size_bytes: 0,
            checksum: None,
            content_type: MARKDOWN.to_owned(),
            lifetime: "30d".to_owned(),
            garbage_collection: Json::Null,
            is_streaming: false,
            tags: Vec::new(),
            owner: Owner { step_name: Some(step.to_owned()), ..Owner::default() },
            is_deleted: false,
            renamed_to: None,
            run_id: "r".to_owned(),
            written_at: Timestamp::from_millis(written_at),
        };
        // Two steps at one moment, and one whose text was lost.
        let versions = [handle(1, "lost", 0), handle(2, "a", 1), handle(3, "b", 2)];
        assert_eq!(json_version(&handle(1, "b", 3), &versions), Some(3));
        assert_eq!(json_version(&handle(2, "a", 4), &versions), Some(2));
        assert_eq!(json_version(&handle(3, "c", 5), &versions), None, "its JSON was not stored");
        assert_eq!(json_version(&handle(3, "b", 1), &versions), Some(3), "the text was stored first");
        // Two calls of one step.
        let versions = [handle(1, "a", 1), handle(2, "a", 5)];
        assert_eq!(json_version(&handle(1, "a", 2), &versions), Some(1));
    }
}
