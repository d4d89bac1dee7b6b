//! What scripts of the program that had this format first read of a run: `--json=swamp`.

use mangrove_app::{
    secrets::MASK,
    service::{DataModel, DataPlace, Service},
};
use mangrove_documents::{
    Concern, ReferenceCallDocument, ReferenceErrorDocument, ReferenceItem, ReferenceReport, ReferenceRunDocument,
    ReportDocument, RunDocument, json,
};
use mangrove_domain::{
    data::{DataHandle, DataKind, is_json},
    problem::Code,
    run::RunStatus,
};
use serde_json::Value;

use super::Context;
use crate::errors::CommandError;

/// Prints a run that has ended, with what its reports say.
pub(super) async fn print(context: &Context, service: &Service, run: &RunDocument) -> Result<(), CommandError> {
    let mut reports = Vec::new();
    let steps = run.jobs.iter().flat_map(|job| &job.steps);
    for report in steps.flat_map(|step| &step.reports).chain(&run.reports) {
        reports.push(told(service, report).await?);
    }
    if run.workflow_id.is_some() {
        let run = with_artifacts(service, run).await?;
        context.printer.indented_document(&ReferenceRunDocument::from(&run).with_reports(reports));
        return Ok(());
    }
    let mut items = Vec::new();
    for handle in run.jobs.iter().flat_map(|job| &job.steps).flat_map(|step| &step.data_handles) {
        let Some((stored, said)) = item(service, handle).await? else { continue };
        let path = service.data_path(&stored)?.display().to_string();
        let attributes = said.filter(|_| stored.kind == DataKind::Resource);
        items.push(ReferenceItem { id: stored.data_id, name: stored.name, path, attributes });
    }
    let model = called(service, run).await?;
    context.printer.indented_document(&ReferenceCallDocument::new(run, &model, items, reports));
    Ok(())
}

/// A run whose steps say of what they wrote what is stored of it: its labels, and the content of resources.
pub(super) async fn with_artifacts(service: &Service, run: &RunDocument) -> Result<RunDocument, CommandError> {
    let mut run = run.clone();
    let steps = run.jobs.iter_mut().flat_map(|job| &mut job.steps);
    for handle in steps.flat_map(|step| &mut step.data_handles) {
        let Some((stored, said)) = item(service, handle).await? else { continue };
        let Value::Object(members) = handle else { continue };
        let tags = stored.tags.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
        members.insert("dataId".to_owned(), Value::from(stored.data_id.as_str()));
        members.insert("tags".to_owned(), Value::Object(tags.collect()));
        if let Some(attributes) = said.filter(|_| stored.kind == DataKind::Resource) {
            members.insert("attributes".to_owned(), attributes);
        }
    }
    Ok(run)
}

/// Prints why a run did not succeed; nothing if it did, or if it waits for somebody.
pub(super) fn print_failure(context: &Context, run: &RunDocument) {
    let status = run.status();
    if matches!(status, Some(RunStatus::Succeeded | RunStatus::Suspended)) {
        return;
    }
    let concern = if run.workflow_id.is_some() { Concern::Workflows } else { Concern::Models };
    let message = run.error.as_ref().map_or_else(
        || format!("the run {} has ended: {}", run.run_id, run.status),
        |error| match &error.hint {
            Some(hint) => format!("{}; {hint}", error.message),
            None => error.message.clone(),
        },
    );
    let code = run.error.as_ref().and_then(|error| Code::parse(&error.code));
    context.printer.error_document(&ReferenceErrorDocument::of_run(&message, code, concern));
}

/// A report with its contents.
async fn told(service: &Service, report: &ReportDocument) -> Result<ReferenceReport, CommandError> {
    let (mut markdown, mut said) = (None, None);
    for handle in &report.data_handles {
        match item(service, handle).await? {
            Some((stored, content)) if is_json(&stored.content_type) => said = content,
            Some((_, Some(Value::String(text)))) => markdown = Some(text),
            Some(_) | None => {}
        }
    }
    Ok(ReferenceReport::new(report, markdown, said))
}

/// What a handle of a record leads to: parsed where it is JSON, else text. A version that was lost in a power failure may have been
/// given again since: that one is another's.
async fn item(service: &Service, handle: &Value) -> Result<Option<(DataHandle, Option<Value>)>, CommandError> {
    let text = |key: &str| handle.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let place = DataPlace { model_id: text("modelId"), name: text("name") };
    let version = handle.get("version").and_then(Value::as_u64).and_then(|version| u32::try_from(version).ok());
    let id = text("dataId");
    let is_meant = |stored: &DataHandle| id.is_empty() || id.contains(MASK) || stored.data_id == id;
    let found = service.data_item(&place, version).await?.filter(|(stored, _)| is_meant(stored));
    Ok(found.map(|(stored, content)| {
        let shown = match content.json {
            Some(said) => Some(json::to_value(&said)),
            None => String::from_utf8(content.bytes).ok().map(Value::String),
        };
        (stored, shown)
    }))
}

/// The model whose method was run.
async fn called(service: &Service, run: &RunDocument) -> Result<DataModel, CommandError> {
    let step = run.jobs.iter().flat_map(|job| &job.steps).next();
    let name = step.and_then(|step| step.task.rsplit_once('.')).map_or(run.name.as_str(), |(model, _)| model);
    let unknown = || DataModel { id: String::new(), name: name.to_owned(), type_name: String::new() };
    Ok(service.data_model(name).await?.unwrap_or_else(unknown))
}
