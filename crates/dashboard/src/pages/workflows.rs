//! The workflows.

use askama::Template;
use axum::response::Response;
use mangrove_daemon::http::{ApiError, Parameters};
use mangrove_documents::{ListedWorkflowDocument, ProblemDocument, WorkflowListDocument};
use mangrove_domain::ports::RunFilter;
use serde::Deserialize;

use crate::{
    frame::{Frame, Section, Visitor, page},
    parts::{address, moment::When, run_line::RunLine},
};

/// How many workflows a page has.
const PAGE: usize = 100;

/// Which workflows are shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    /// Only those whose name, description or file contains this.
    query: String,
    /// The page, from 1.
    page: usize,
}

#[derive(Template)]
#[template(path = "workflows.html")]
struct WorkflowsPage {
    frame: Frame,
    query: String,
    workflows: Vec<WorkflowLine>,
    /// What is wrong with files that are no workflow of the list.
    problems: Vec<ProblemDocument>,
    earlier: Option<String>,
    later: Option<String>,
    /// How many there are altogether.
    total: usize,
}

struct WorkflowLine {
    address: String,
    next: Option<When>,
    /// The run that began last.
    last: Option<RunLine>,
    workflow: ListedWorkflowDocument,
}

/// The page.
pub(crate) async fn show(visitor: Visitor, Parameters(asked): Parameters<Asked>) -> Result<Response, ApiError> {
    let Asked { query, page: number } = asked;
    let service = visitor.state.service();
    let library = visitor.state.look(service.library()).await?;
    let schedules = service.schedules(&library)?;
    let mut document = WorkflowListDocument::new(&library, &schedules, visitor.now);
    document.workflows.retain(|workflow| workflow.is_usable);
    let total = document.workflows.len();
    let lowercase = query.to_lowercase();
    let fits = |workflow: &ListedWorkflowDocument| {
        let texts = [Some(&workflow.name), workflow.description.as_ref(), Some(&workflow.path)];
        texts.into_iter().flatten().any(|text| text.to_lowercase().contains(&lowercase))
    };
    let listed: Vec<String> = document.workflows.iter().map(|workflow| workflow.path.clone()).collect();
    let problems = document.problems.into_iter().filter(|problem| !listed.contains(&problem.path)).collect();
    let mut fitting: Vec<ListedWorkflowDocument> = document.workflows.into_iter().filter(fits).collect();
    fitting.sort_by(|one, other| (&one.name, &one.path).cmp(&(&other.name, &other.path)));
    let frame = visitor.frame(Section::Workflows, "Workflows");
    let first = number.saturating_sub(1).saturating_mul(PAGE);
    let address_of = |number: usize| match query.as_str() {
        "" => format!("/workflows?page={number}"),
        query => format!("/workflows?query={}&page={number}", address::segment(query)),
    };
    let later = (fitting.len() > first.saturating_add(PAGE)).then(|| address_of(number.max(1) + 1));
    let earlier = (first > 0).then(|| address_of(number - 1));
    let mut workflows = Vec::new();
    for workflow in fitting.into_iter().skip(first).take(PAGE) {
        let filter = RunFilter { name: Some(workflow.name.clone()), limit: Some(1), before: None };
        // The list is worth showing without the history.
        let last = service.runs(&filter).await.ok().and_then(|runs| runs.into_iter().next());
        workflows.push(WorkflowLine {
            address: address::of_workflow(&workflow.name),
            next: workflow.next_run.map(|next| frame.due(next.0)),
            last: last.map(|run| RunLine::new(&frame, &(&run).into())),
            workflow,
        });
    }
    page(&WorkflowsPage { frame, query, workflows, problems, earlier, later, total })
}
