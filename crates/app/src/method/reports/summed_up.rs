//! What the stored summary of a call says of it.

use std::sync::Arc;

use mangrove_domain::{
    data::DataHandle,
    json::Json,
    ports::{Content, DataStore},
    run::ReportRecord,
};

use super::{ShownArguments, summaries};

/// The arguments of a call that this run made, as its summary tells them: with what its type calls sensitive masked. `None` if
/// there is no summary, or no longer.
pub(crate) async fn summed_up_arguments(
    store: &Arc<dyn DataStore>,
    model_id: &str,
    run_id: &str,
    reports: &[ReportRecord],
) -> Option<ShownArguments> {
    let summary = reports.iter().find(|report| report.name == summaries::METHOD)?;
    // The text comes first.
    let stored = summary.data_handles.get(1)?;
    let name = stored.get("name")?.as_str()?;
    let version = u32::try_from(stored.get("version")?.as_integer()?).ok()?;
    let (handle, content) = match store.read(model_id, name, Some(version)).await {
        Ok(found) => found?,
        Err(error) => {
            tracing::debug!(%error, name, "the summary of an earlier step cannot be read");
            return None;
        }
    };
    of_summary(&handle, &content, run_id)
}

fn of_summary(handle: &DataHandle, content: &Content, run_id: &str) -> Option<ShownArguments> {
    // After a power failure another run may have been given the same version.
    let summary = content.json.as_ref().filter(|_| handle.run_id == run_id)?;
    let member = |name: &str| summary.get(name).cloned().filter(|value| matches!(value, Json::Object(_)));
    Some(ShownArguments { global: member("globalArgs")?, method: member("methodArgs")? })
}
