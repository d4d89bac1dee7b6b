//! What the steps of a run wrote, with its content.

use mangrove_app::{
    method::reports::built_in,
    service::{DataPlace, Service},
    workflow::Library,
};
use mangrove_documents::{ReportDocument, RunDocument, StepDocument, human};
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
    let mut reader = Reader { service, library, left: MOST_CONTENTS };
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

/// The reports of a run. Those of extensions are shown with their texts; the summary of the run, which only says again what the page
/// says, as a link, and those of its steps not at all.
pub(crate) async fn of_reports(service: &Service, run: &RunDocument) -> Vec<WrittenView> {
    let mut reader = Reader { service, library: None, left: MOST_CONTENTS };
    let of_run = run.reports.len();
    let mut told = Vec::new();
    for (place, report) in made(run).enumerate() {
        let is_built_in = built_in(&report.name).is_some();
        let Some(handle) = report.data_handles.first().filter(|_| !is_built_in || place < of_run) else { continue };
        let model_id = handle.get("modelId").and_then(Value::as_str).map(str::to_owned);
        let view = if is_built_in { linked(model_id, handle) } else { reader.read_of(model_id, handle).await };
        told.push(WrittenView { label: report.name.clone(), ..view });
    }
    told
}

/// Why reports were not made, a line each.
pub(crate) fn failed_reports(run: &RunDocument) -> Vec<String> {
    made(run).filter_map(|report| report.error.as_ref()).map(|error| error.message.clone()).collect()
}

fn made(run: &RunDocument) -> impl Iterator<Item = &ReportDocument> {
    let of_steps = run.jobs.iter().flat_map(|job| &job.steps).flat_map(|step| &step.reports);
    run.reports.iter().chain(of_steps)
}

struct Reader<'a> {
    service: &'a Service,
    library: Option<&'a Library>,
    /// How many contents may still be read.
    left: usize,
}

impl Reader<'_> {
    async fn read(&mut self, step: &StepDocument, handle: &Value) -> WrittenView {
        let recorded = handle.get("modelId").and_then(Value::as_str).unwrap_or_default();
        let model_id = self.model_of(step, recorded);
        self.read_of(model_id, handle).await
    }

    async fn read_of(&mut self, model_id: Option<String>, handle: &Value) -> WrittenView {
        let text = |key: &str| handle.get(key).and_then(Value::as_str).unwrap_or_default();
        let plain = linked(model_id, handle);
        if self.left == 0 || plain.model_id.is_empty() {
            return plain;
        }
        self.left -= 1;
        let place = DataPlace { model_id: plain.model_id.clone(), name: text("name").to_owned() };
        match self.service.data_item(&place, u32::try_from(plain.version).ok()).await {
            // Another item may have its place since, or secrets in its names were masked.
            Ok(Some((found, content))) if found.data_id == text("dataId") => {
                let is_report = content::is_markdown(&found);
                let content = Content::of(&found, &content);
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
}

/// The item of a handle, without its content.
fn linked(model_id: Option<String>, handle: &Value) -> WrittenView {
    let text = |key: &str| handle.get(key).and_then(Value::as_str).unwrap_or_default();
    let version = handle.get("version").and_then(Value::as_u64).unwrap_or(0);
    let (spec_name, name) = (text("specName"), text("name").to_owned());
    let label = if spec_name == name || spec_name.is_empty() { name.clone() } else { format!("{spec_name}/{name}") };
    let place = model_id.map(|model_id| DataPlace { model_id, name });
    WrittenView {
        label,
        version,
        size: human::size(handle.get("size").and_then(Value::as_u64).unwrap_or(0)),
        address: place.as_ref().map(|place| address::of_item(place, u32::try_from(version).ok())),
        model_id: place.map(|place| place.model_id).unwrap_or_default(),
        content: None,
        is_report: false,
        is_open: false,
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
