//! What is wrong with how a workflow is started by itself: its schedule, its time zone, the inputs of such a run.

use std::sync::Arc;

use mangrove_domain::{
    document::{Node, NodeValue},
    json::Json,
    ports::{Calendar, CalendarError, CalendarPart, Recurrence, SchemaValidator},
    problem::{Code, Problem, Severity},
    workflow::Workflow,
};

use super::{Findings, inputs};

/// When a workflow with a schedule is due. `None` if it has no schedule.
///
/// # Errors
/// What keeps it from running by itself: at least one error, in the order of the file.
pub(crate) fn recurrence(
    workflow: &Workflow,
    schemas: &dyn SchemaValidator,
    calendar: &dyn Calendar,
) -> Option<Result<Arc<dyn Recurrence>, Vec<Problem>>> {
    workflow.trigger.as_ref()?.schedule.as_ref()?;
    let mut findings = Findings::new(&workflow.file);
    let recurrence = check(&mut findings, workflow, schemas, Some(calendar));
    let mut problems = super::sorted(findings.problems);
    problems.retain(|problem| problem.severity == Severity::Error);
    Some(recurrence.filter(|_| problems.is_empty()).ok_or(problems))
}

/// An input whose value is known when the request is there.
fn event(declared: &Node) -> Node {
    let node = |value| Node { line: declared.line, column: declared.column, value };
    let value = node(NodeValue::String("${{ webhook.body }}".to_owned()));
    node(NodeValue::Map(vec![(node(NodeValue::String("event".to_owned())), value)]))
}

/// Reports what is wrong with the trigger of a workflow; comes back with its schedule if that is understood.
pub(super) fn check(
    findings: &mut Findings<'_>,
    workflow: &Workflow,
    schemas: &dyn SchemaValidator,
    calendar: Option<&dyn Calendar>,
) -> Option<Arc<dyn Recurrence>> {
    let trigger = workflow.trigger.as_ref()?;
    let schema = workflow.input_schema();
    // A schema that is none is reported as such.
    if schemas.validate(&schema, &Json::Object(Vec::new())).is_ok() {
        let own = inputs::Layer { node: trigger.inputs.as_ref(), is_own: true };
        let at = trigger.schedule.as_ref().map_or_else(|| findings.at(&workflow.name), |pattern| findings.at(pattern));
        if let (None, Some(webhook)) = (&trigger.schedule, &trigger.webhook) {
            // The body of the request, which nobody knows yet.
            let event = workflow.inputs.as_ref().and_then(|node| node.get("properties")?.get("event")).map(event);
            let layers = [inputs::Layer { node: event.as_ref(), is_own: true }, own];
            let at = findings.at(&webhook.route);
            inputs::check(findings, &workflow.file, &schema, &layers, &at, "the inputs of runs by webhook", schemas);
        } else {
            inputs::check(findings, &workflow.file, &schema, &[own], &at, "the inputs of scheduled runs", schemas);
        }
    }
    let pattern = trigger.schedule.as_ref()?;
    let zone = trigger.timezone.as_ref();
    match calendar?.recurrence(&pattern.value, zone.map(|zone| zone.value.as_str())) {
        Ok(recurrence) => Some(recurrence),
        Err(CalendarError { part, message, advice }) => {
            let (key, place) = match part {
                CalendarPart::Pattern => ("schedule", pattern),
                CalendarPart::Zone => ("timezone", zone.unwrap_or(pattern)),
            };
            let position = findings.at(place);
            findings.error(Code::INVALID_DOCUMENT, position, format!("`{key}`: {message}"), advice.map(Into::into));
            None
        }
    }
}
