//! What a report may ask for.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use mangrove_domain::{
    json::Json,
    ports::{HostCall, MethodHost, SourceTree},
    source::SourceId,
};

use crate::method::{
    files::listed_file,
    host::{Host, Looking},
};

/// Answers the context of a report: its log, the repositories, the files of its extension, and nothing else of a method's.
pub(super) struct ReportHost {
    /// That of the call or the workflow that the report is about.
    pub(super) host: Arc<Host>,
    pub(super) sources: Arc<dyn SourceTree>,
    /// Where the code of the report lies.
    pub(super) source: SourceId,
}

#[async_trait]
impl MethodHost for ReportHost {
    async fn call(&self, call: HostCall) -> Result<Json, String> {
        let function = call.function.as_str();
        if function == "log" || function.starts_with("data.") || function.starts_with("definition.") {
            return Looking(Arc::clone(&self.host)).call(call).await;
        }
        if function == "extensionFile" {
            let manifest = self.sources.manifest(&self.source).await;
            let manifest = manifest.map_err(|error| format!("ctx.extensionFile: {error}"))?;
            return listed_file(manifest, call.arguments.first().unwrap_or(&Json::Null));
        }
        Err(format!("a report has no ctx.{function}"))
    }

    fn told_secrets(&self, granted: &BTreeMap<String, String>) -> bool {
        self.host.told_secrets(granted)
    }
}
