//! The runs, newest first.

use askama::Template;
use axum::response::Response;
use mangrove_daemon::http::{
    ApiError, Parameters,
    listing::{self, RunsAsked},
};
use mangrove_domain::{run::RunStatus, workflow::Workflow};
use serde::Deserialize;

use crate::{
    frame::{Frame, Section, Visitor, page},
    parts::{address, run_line::RunLine},
};

/// How many runs a page has.
const PAGE: u32 = 50;

/// Which runs are shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    /// Only runs of this workflow or definition.
    name: String,
    /// Only runs with this status.
    status: String,
    cursor: Option<String>,
}

#[derive(Template)]
#[template(path = "runs.html")]
struct RunsPage {
    frame: Frame,
    asked: Asked,
    /// Names to choose from.
    names: Vec<String>,
    runs: Vec<RunLine>,
    /// The address of the next page.
    older: Option<String>,
}

impl RunsPage {
    fn statuses() -> [&'static str; RunStatus::ALL.len()] {
        RunStatus::ALL.map(RunStatus::as_str)
    }

    fn is_filtered(&self) -> bool {
        !self.asked.name.is_empty() || !self.asked.status.is_empty()
    }

    /// The address of the first page.
    fn newest(&self) -> Option<String> {
        self.asked.cursor.is_some().then(|| address_of(&self.asked, None))
    }
}

/// The page.
pub(crate) async fn show(visitor: Visitor, Parameters(asked): Parameters<Asked>) -> Result<Response, ApiError> {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let words = RunsAsked {
        name: given(&asked.name),
        status: given(&asked.status),
        limit: Some(PAGE),
        cursor: asked.cursor.clone(),
    };
    let (runs, next) = listing::runs(&visitor.state, &words).await?;
    // Without them the page shows what has run all the same.
    let library = visitor.state.look(visitor.state.service().library()).await.ok();
    let workflows = library.as_ref().map(|library| library.workflows.as_slice()).unwrap_or_default();
    let name = |workflow: &std::sync::Arc<Workflow>| workflow.name.value.clone();
    let mut names: Vec<String> = workflows.iter().map(name).collect();
    names.sort();
    names.dedup();
    let frame = visitor.frame(Section::Runs, "Runs");
    let runs = runs.iter().map(|run| RunLine::new(&frame, &run.into())).collect();
    let older = next.map(|cursor| address_of(&asked, Some(&cursor)));
    page(&RunsPage { frame, asked, names, runs, older })
}

/// The page of these runs that begins after this cursor.
fn address_of(asked: &Asked, cursor: Option<&str>) -> String {
    let parameters =
        [("name", asked.name.as_str()), ("status", asked.status.as_str()), ("cursor", cursor.unwrap_or_default())];
    address::with("/runs", &parameters)
}
