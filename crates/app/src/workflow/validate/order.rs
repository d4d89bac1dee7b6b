//! Steps that do not run when their author thinks so.

use mangrove_domain::{
    problem::{Code, Severity},
    workflow::{Condition, Job, Step, Workflow},
};

use super::Findings;

/// A failed step ends its job: what is to run after a failure has to stand behind one whose failure is allowed, or in another
/// job.
pub(super) fn check(findings: &mut Findings<'_>, workflow: &Workflow) {
    for job in &workflow.jobs {
        for step in &job.steps {
            check_step(findings, job, step);
        }
    }
}

fn check_step(findings: &mut Findings<'_>, job: &Job, step: &Step) {
    for dependency in &step.depends_on {
        let Some(before) = job.steps.iter().find(|before| before.name.value == dependency.on.value) else { continue };
        let (name, on) = (&step.name.value, &before.name.value);
        let message = match dependency.condition {
            _ if before.allow_failure => continue,
            // Its author may mean that: it runs after that one was left out.
            Condition::Always if may_be_skipped(before) => continue,
            Condition::Failed => format!("`{name}` never runs: when `{on}` fails, it ends the job"),
            Condition::Always => format!("`{name}` does not run when `{on}` fails, because that ends the job"),
            Condition::Succeeded
            | Condition::Completed
            | Condition::Skipped
            | Condition::All(_)
            | Condition::Any(_)
            | Condition::Not(_) => continue,
        };
        let hint =
            format!("give `{on}` `allowFailure: true`, or move `{name}` to a job that waits for `{}`", job.name.value);
        let position = findings.at(&dependency.on);
        findings.report(Severity::Warning, Code::INVALID_DOCUMENT, position, message, Some(hint.into()));
    }
}

/// True for a step that a guard, its own dependencies or an empty list may leave out.
fn may_be_skipped(step: &Step) -> bool {
    step.guard.is_some() || step.for_each.is_some() || !step.depends_on.is_empty()
}
