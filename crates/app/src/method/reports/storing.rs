//! Keeping what a report says, as data.

use mangrove_domain::{
    data::{self, DataHandle, DataKind, Owner},
    json::Json,
    ports::NewData,
    report::{self, ReportScope},
    run::{ReportRecord, RunProblem},
    workflow::template,
};

use super::{Report, not_made};
use crate::method::{
    handle,
    host::{Host, store_failed},
};

/// Whether a power failure may take a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durability {
    /// It may: all that it says is in the record of the run and in the data of its model, and waiting for the disk would cost a
    /// step that does little more than all the rest of it.
    OfRecord,
    /// It may not: code was run for it.
    Own,
}

/// Where reports are kept.
pub(super) struct Place<'a> {
    /// Beside the data of its model.
    pub(super) host: &'a Host,
    /// What tells the reports of this repetition of a step apart.
    pub(super) suffix: Option<&'a str>,
    pub(super) owner: Owner,
}

/// Stores the text of a report and its JSON, secrets masked, beside the data of what it is about. One that has nothing to say is
/// not stored.
pub(super) async fn keep(
    place: &Place<'_>,
    name: &str,
    scope: ReportScope,
    report: Report,
    durability: Durability,
) -> Result<ReportRecord, RunProblem> {
    let mut record =
        ReportRecord { name: name.to_owned(), scope, data_handles: Vec::new(), error: None, logs: Vec::new() };
    if report.markdown.trim().is_empty() {
        return Ok(record);
    }
    let environment = &place.host.environment;
    let text = environment.mask(&report.markdown);
    let json = match environment.mask_json(&report.json) {
        json @ Json::String(_) => json.to_string(),
        json => template::put_into_text(&json),
    };
    let text_name = report::data_name(name, place.suffix);
    let parts = [(report::json_name(&text_name), data::JSON, json), (text_name, report::MARKDOWN, text)];
    for (data_name, content_type, content) in parts {
        data::check_name(&data_name).map_err(|error| not_made(name, &error.to_string()))?;
        let data = new_data(place, (name, scope), data_name, content_type, content);
        let stored = match durability {
            Durability::OfRecord => place.host.data.write(data).await,
            Durability::Own => place.host.write(data).await,
        };
        let stored = stored.map_err(|error| not_made(name, &store_failed(&error)))?;
        // The text comes first, and is stored last: whoever finds it finds its JSON.
        record.data_handles.splice(0..0, recorded(place, &stored));
    }
    place.host.settle().await.map_err(|error| not_made(name, &store_failed(&error)))?;
    Ok(record)
}

/// The handle as the record of the run has it, as far as there is room.
fn recorded(place: &Place<'_>, stored: &DataHandle) -> Option<Json> {
    let json = place.host.environment.mask_json(&handle::recorded(stored));
    match place.host.budget.take_handle(json.to_string().len()) {
        Ok(()) => Some(json),
        Err(remark) => {
            if let Some(remark) = remark {
                place.host.remark(&remark);
            }
            None
        }
    }
}

fn new_data(
    place: &Place<'_>,
    (name, scope): (&str, ReportScope),
    data_name: String,
    content_type: &str,
    content: String,
) -> NewData {
    let host = place.host;
    let tags = [("type", report::DATA_TYPE), (report::NAME_TAG, name), (report::SCOPE_TAG, scope.as_str())];
    let suffix = place.suffix.map(|suffix| (report::SUFFIX_TAG, suffix));
    let tags = tags.into_iter().chain(suffix).map(|(name, value)| (name.to_owned(), value.to_owned()));
    NewData {
        model_id: host.model_id.clone(),
        model_type: host.description.type_name.to_string(),
        spec_name: String::new(),
        name: data_name,
        // A resource is what a method says of the thing behind its model.
        kind: DataKind::File,
        content: content.into_bytes(),
        content_type: content_type.to_owned(),
        lifetime: report::LIFETIME.to_owned(),
        garbage_collection: Json::from(report::VERSIONS),
        is_streaming: false,
        tags: tags.collect(),
        owner: place.owner.clone(),
        is_deleted: false,
        run_id: host.run_id.clone(),
        written_at: place.host.clock.now(),
    }
}
