//! What the steps of a run wrote, with its content.

use std::collections::BTreeMap;

use mangrove_app::{
    catalogue::Lookup,
    service::{DataPlace, Service},
    workflow::Library,
};
use mangrove_documents::{RunDocument, StepDocument, human};
use mangrove_domain::{data::DataHandle, source::Kind};
use serde_json::Value;

use crate::{
    content::{self, Content, Form},
    parts::address,
};

/// How many items of one run are shown with their contents; the pages of the others are linked.
const MOST_CONTENTS: usize = 40;

/// How many items of one step are listed.
const MOST_LISTED: usize = 200;

/// A content of at most so many lines is shown without being asked for.
const SMALL_LINES: usize = 12;

/// The same, in bytes.
const SMALL_BYTES: usize = 1_000;

/// An item that a step wrote.
#[derive(Clone, Debug)]
pub(crate) struct WrittenView {
    /// Whose data it is; empty if nothing says so.
    model_id: String,
    /// `report/report`
    pub(crate) label: String,
    pub(crate) version: u64,
    pub(crate) size: String,
    /// Its page; `None` if nothing says whose data it is.
    pub(crate) address: Option<String>,
    pub(crate) content: Option<Content>,
    /// True for Markdown.
    pub(crate) is_report: bool,
    /// True if the content is shown without being asked for.
    pub(crate) is_open: bool,
}

/// What each step of each job wrote, with contents as far as there is room.
pub(crate) async fn of_run(
    service: &Service,
    run: &RunDocument,
    library: Option<&Library>,
) -> Vec<Vec<Vec<WrittenView>>> {
    let mut reader = Reader { service, library, left: MOST_CONTENTS, content_types: BTreeMap::new() };
    let mut jobs = Vec::with_capacity(run.jobs.len());
    for job in &run.jobs {
        let mut steps = Vec::with_capacity(job.steps.len());
        for step in &job.steps {
            let mut written = Vec::new();
            for handle in step.data_handles.iter().take(MOST_LISTED) {
                written.push(reader.read(step, handle).await);
            }
            steps.push(written);
        }
        jobs.push(steps);
    }
    jobs
}

struct Reader<'a> {
    service: &'a Service,
    library: Option<&'a Library>,
    /// How many contents may still be read.
    left: usize,
    /// What types declare for their files, by type and file.
    content_types: BTreeMap<(String, String), Option<String>>,
}

impl Reader<'_> {
    async fn read(&mut self, step: &StepDocument, handle: &Value) -> WrittenView {
        let text = |key: &str| handle.get(key).and_then(Value::as_str).unwrap_or_default();
        let version = handle.get("version").and_then(Value::as_u64).unwrap_or(0);
        let (spec_name, name) = (text("specName").to_owned(), text("name").to_owned());
        let size = human::size(handle.get("size").and_then(Value::as_u64).unwrap_or(0));
        let label = if spec_name == name { name.clone() } else { format!("{spec_name}/{name}") };
        let plain = WrittenView {
            model_id: String::new(),
            label,
            version,
            size,
            address: None,
            content: None,
            is_report: false,
            is_open: false,
        };
        let Some(model_id) = self.model_of(step, text("modelId")) else { return plain };
        let place = DataPlace { model_id, spec_name, name };
        let number = u32::try_from(version).ok();
        let address = Some(address::of_item(&place, number));
        let plain = WrittenView { model_id: place.model_id.clone(), address, ..plain };
        if self.left == 0 {
            return plain;
        }
        self.left -= 1;
        match self.service.data_item(&place, number).await {
            // Another item may have its place since, or secrets in its names were masked.
            Ok(Some((found, content))) if found.data_id == text("dataId") => {
                let type_name = step.provenance.as_ref().map(|provenance| provenance.type_name.as_str());
                let content_type = self.content_type(type_name, &found).await;
                let is_report = content::is_markdown(&found, content_type.as_deref());
                let content = Content::of(&found, &content, content_type.as_deref());
                WrittenView { is_open: is_small(&content), is_report, content: Some(content), ..plain }
            }
            Ok(_) | Err(_) => plain,
        }
    }

    /// The identifier of the definition whose data it is: as the record has it, else by the definition of the step.
    fn model_of(&self, step: &StepDocument, recorded: &str) -> Option<String> {
        if !recorded.is_empty() {
            return Some(recorded.to_owned());
        }
        let (definition, _) = step.task.rsplit_once('.')?;
        Some(self.library?.definition(definition).ok()?.id.clone())
    }

    async fn content_type(&mut self, type_name: Option<&str>, handle: &DataHandle) -> Option<String> {
        let key = (type_name?.to_owned(), handle.spec_name.clone());
        if let Some(known) = self.content_types.get(&key) {
            return known.clone();
        }
        let found = declared_content_type(self.service, &key.0, &key.1).await;
        self.content_types.insert(key, found.clone());
        found
    }
}

fn is_small(content: &Content) -> bool {
    let lines = match &content.form {
        Form::Text(text) => text.lines().count(),
        Form::Html(_) => 0,
    };
    content.whole_bytes <= SMALL_BYTES && lines <= SMALL_LINES
}

/// The newest version of each report, in the order in which they were written first.
pub(crate) fn reports(written: &[Vec<Vec<WrittenView>>]) -> Vec<WrittenView> {
    let mut reports: Vec<WrittenView> = Vec::new();
    for item in written.iter().flatten().flatten().filter(|item| item.is_report) {
        match reports.iter_mut().find(|known| known.model_id == item.model_id && known.label == item.label) {
            Some(known) if known.version < item.version => *known = item.clone(),
            Some(_) => {}
            None => reports.push(item.clone()),
        }
    }
    reports
}

/// What a model type declares for one of its files.
pub(crate) async fn declared_content_type(service: &Service, type_name: &str, spec_name: &str) -> Option<String> {
    let lookup = service.describe_published(type_name, Some(&Kind::new("model"))).await.ok()?;
    let description = match &lookup {
        Lookup::Found(found) => &found.attachment.description,
        Lookup::BuiltIn(description) => description.as_ref(),
        Lookup::Ambiguous(_) | Lookup::Unknown(_) | Lookup::NoName(_) => return None,
    };
    let declared = description.details.get("files")?.get(spec_name)?.get("contentType")?;
    declared.as_str().map(str::to_owned)
}
