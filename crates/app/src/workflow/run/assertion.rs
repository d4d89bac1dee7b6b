//! Steps that assert something.

use mangrove_domain::{
    form::Located,
    problem::Code,
    run::{AssertSeverity, AssertionRecord, RunProblem, RunStatus},
    workflow::Step,
};

use super::{
    guard::is_truthy,
    methods::WithMethods,
    outcome::{StepOutcome, rendered_message},
};
use crate::{
    method::{Invoked, problem},
    render::{Renderer, Stage},
};

/// What a step asserts: its expression, its message, and how bad it is if it does not hold.
pub(super) type Asserted<'a> = (&'a Located<String>, &'a Located<String>, AssertSeverity);

/// Looks whether it holds.
pub(super) async fn check(
    methods: &WithMethods<'_>,
    step: &Step,
    (expression, message, severity): Asserted<'_>,
) -> StepOutcome {
    let context = methods.context;
    let renderer = context.renderer(methods.scope);
    let text = rendered_message(&renderer, message).await;
    // A message without a value is shown as it was written.
    let message = context.environment.mask(text.as_deref().unwrap_or(&message.value));
    let template = format!("${{{{ {} }}}}", expression.value);
    let asking = Renderer { lookups: methods, ..renderer };
    let value = asking.text(&template, &methods.position, Stage::EVERYTHING).await;
    let record = |passed, error: Option<&RunProblem>| AssertionRecord {
        passed,
        expression: expression.value.clone(),
        message: message.clone(),
        severity,
        error: error.map(|error| context.environment.mask(&error.message)),
    };
    let outcome = |invoked, assertion| StepOutcome {
        assertion: Some(assertion),
        ..StepOutcome::of(step, step.task.label(), invoked)
    };
    match value {
        Ok(value) if is_truthy(&value) => outcome(Invoked::ended(RunStatus::Succeeded, None), record(true, None)),
        Ok(_) => {
            let wrong = problem(Code::ASSERTION_FAILED, message.clone());
            let outcome = outcome(Invoked::failed(wrong), record(false, None));
            StepOutcome { is_failure_allowed: step.allow_failure || severity < context.fail_on, ..outcome }
        }
        // What cannot be told is no answer that anybody could allow.
        Err(error) => {
            let record = record(false, Some(&error));
            StepOutcome { is_failure_allowed: false, ..outcome(methods.without_value(error), record) }
        }
    }
}
