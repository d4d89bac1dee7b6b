//! What is wrong with how a workflow is started by itself: its schedule, its time zone, the inputs of such a run.

use std::sync::Arc;

use mangrove_domain::{
    document::{Node, NodeValue},
    inputs as domain_inputs,
    ports::{Calendar, CalendarError, CalendarPart, Recurrence},
    position::Position,
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
    calendar: &dyn Calendar,
) -> Option<Result<Arc<dyn Recurrence>, Vec<Problem>>> {
    workflow.trigger.as_ref()?.schedule.as_ref()?;
    let mut findings = Findings::new(&workflow.file);
    let recurrence = check(&mut findings, workflow, Some(calendar));
    let mut problems = super::sorted(findings.problems);
    problems.retain(|problem| problem.severity == Severity::Error);
    Some(recurrence.filter(|_| problems.is_empty()).ok_or(problems))
}

/// An input whose value is known when the request is there.
fn event(declared: &Node) -> Node {
    let node = |value| Node::new(declared.line, declared.column, value);
    let value = node(NodeValue::String("${{ webhook.body }}".to_owned()));
    node(NodeValue::Map(vec![(node(NodeValue::String("event".to_owned())), value)]))
}

/// Reports what is wrong with the trigger of a workflow; comes back with its schedule if that is understood.
pub(super) fn check(
    findings: &mut Findings<'_>,
    workflow: &Workflow,
    calendar: Option<&dyn Calendar>,
) -> Option<Arc<dyn Recurrence>> {
    let trigger = workflow.trigger.as_ref()?;
    let schema = workflow.input_schema();
    let own = inputs::Layer { node: trigger.inputs.as_ref(), is_own: true };
    let given = |layers: &[inputs::Layer<'_>], at: &Position, what: &str, findings: &mut Findings<'_>| {
        let given = inputs::Given { owner: &workflow.file, schema: &schema, layers, at, what };
        inputs::check_inputs(findings, &given);
    };
    if let (None, Some(webhook)) = (&trigger.schedule, &trigger.webhook) {
        // The body of the request, which nobody knows yet.
        let declares_event = domain_inputs::properties(&schema).iter().any(|(name, _)| name == "event");
        let event = workflow.inputs.as_ref().filter(|_| declares_event).map(event);
        let layers = [inputs::Layer { node: event.as_ref(), is_own: true }, own];
        let at = findings.at(&webhook.route);
        given(&layers, &at, "the inputs of runs by webhook", findings);
    } else {
        let at = trigger.schedule.as_ref().map_or_else(|| findings.at(&workflow.name), |pattern| findings.at(pattern));
        given(&[own], &at, "the inputs of scheduled runs", findings);
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
