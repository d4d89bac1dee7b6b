//! The jobs and steps of a run.

use mangrove_documents::{JobDocument, ProvenanceDocument, StepDocument, human};
use mangrove_domain::run::RunStatus;

use super::{problem::ProblemView, written::WrittenView};
use crate::{
    frame::Frame,
    graph,
    parts::{address, badge::Badge, moment::When},
};

/// One job.
pub(crate) struct JobView {
    pub(crate) anchor: String,
    pub(crate) name: String,
    pub(crate) badge: Badge,
    pub(crate) took: String,
    /// True if something in it has to be looked at: it goes on, or did not end well.
    pub(crate) is_noteworthy: bool,
    pub(crate) steps: Vec<StepView>,
}

/// One step.
pub(crate) struct StepView {
    pub(crate) anchor: String,
    pub(crate) name: String,
    /// What it runs.
    pub(crate) task: String,
    pub(crate) badge: Badge,
    pub(crate) took: String,
    pub(crate) started: Option<When>,
    /// Why it was skipped, what it asserts, what it asks and what was decided.
    pub(crate) remarks: Vec<String>,
    pub(crate) problem: Option<ProblemView>,
    pub(crate) written: Vec<WrittenView>,
    /// How many items it wrote that are not shown.
    pub(crate) further_written: usize,
    pub(crate) ran: Option<RanView>,
}

/// What exactly ran.
pub(crate) struct RanView {
    pub(crate) type_address: String,
    pub(crate) provenance: ProvenanceDocument,
}

impl JobView {
    /// A job with its steps. `written` has for each of them what it wrote, as far as that is shown.
    pub(crate) fn new(frame: &Frame, index: usize, job: &JobDocument, written: Vec<Vec<WrittenView>>) -> Self {
        let steps = job.steps.iter().zip(written).enumerate();
        Self {
            anchor: graph::job_anchor(index),
            name: job.name.clone(),
            badge: Badge::of_status(&job.status),
            took: human::elapsed(job.duration_ms),
            is_noteworthy: job.steps.iter().any(|step| is_noteworthy(&step.status)),
            steps: steps
                .map(|(number, (step, written))| StepView::new(frame, graph::step_anchor(index, number), step, written))
                .collect(),
        }
    }
}

fn is_noteworthy(status: &str) -> bool {
    use RunStatus::{Pending, Skipped, Succeeded};
    !matches!(RunStatus::parse(status), Some(Pending | Skipped | Succeeded))
}

impl StepView {
    fn new(frame: &Frame, anchor: String, step: &StepDocument, written: Vec<WrittenView>) -> Self {
        let ran = |provenance: &ProvenanceDocument| RanView {
            type_address: address::of_type_name(&provenance.type_name),
            provenance: provenance.clone(),
        };
        Self {
            anchor,
            name: step.name.clone(),
            task: step.task.clone(),
            badge: Badge::of_status(&step.status),
            took: human::elapsed(step.duration_ms),
            started: step.started_at.map(|at| frame.ago(at.0)),
            remarks: remarks(step),
            problem: step.error.as_ref().map(ProblemView::new),
            further_written: step.data_handles.len().saturating_sub(written.len()),
            written,
            ran: step.provenance.as_ref().map(ran),
        }
    }
}

fn remarks(step: &StepDocument) -> Vec<String> {
    let mut remarks = Vec::new();
    if step.skipped.as_deref() == Some("guarded") {
        let told = step.guard_reason.as_deref().unwrap_or("what it does is done already.");
        remarks.push(format!("Skipped by its guard: {told}"));
    }
    if step.allowed_failure {
        remarks.push("Its failure is allowed.".to_owned());
    }
    if let Some(assertion) = &step.assertion {
        let word = if assertion.passed { "Holds" } else { "Does not hold" };
        remarks.push(format!("{word} ({}): {}", assertion.severity, assertion.expression));
    }
    if let Some(approval) = &step.approval {
        remarks.push(format!("Asks: {}", approval.prompt));
        if let Some(decision) = &approval.decision {
            let word = if decision.approved { "Approved" } else { "Rejected" };
            let reason = decision.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            remarks.push(format!("{word} by {}{reason}", decision.decided_by));
        }
    }
    remarks
}
