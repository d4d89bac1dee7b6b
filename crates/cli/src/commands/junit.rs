//! What the assertions of a run found, as other programs read it.

use std::time::Duration;

use mangrove_documents::{AssertionDocument, FinishedDocument, StepDocument};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{Context, bundle};
use crate::{args, errors::CommandError};

/// Writes the report, if one is wanted.
pub(super) fn write(context: &Context, wanted: &args::Wanted, run: &FinishedDocument) -> Result<(), CommandError> {
    if !wanted.junit {
        return Ok(());
    }
    let text =
        report(run).map_err(|error| CommandError::no(None, format!("the report cannot be made: {error}"), None))?;
    let Some(path) = &wanted.out else {
        context.printer.text(&text);
        return Ok(());
    };
    bundle::write(path, &text)
}

/// One suite for each job that asserts something, one case for each of its assertions.
fn report(run: &FinishedDocument) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new(run.name.as_str());
    for job in &run.jobs {
        let mut suite = TestSuite::new(job.name.as_str());
        for step in &job.steps {
            let Some(assertion) = &step.assertion else { continue };
            let mut case = TestCase::new(step.name.as_str(), status(step, assertion));
            case.set_classname(format!("{}.{}", run.name, job.name));
            if let Some(millis) = step.duration_ms {
                case.set_time(Duration::from_millis(millis));
            }
            suite.add_test_case(case);
        }
        if !suite.test_cases.is_empty() {
            report.add_test_suite(suite);
        }
    }
    report.to_string()
}

fn status(step: &StepDocument, assertion: &AssertionDocument) -> TestCaseStatus {
    if assertion.passed {
        return TestCaseStatus::success();
    }
    let (kind, message) = match &assertion.error {
        Some(error) => (NonSuccessKind::Error, error),
        None => (NonSuccessKind::Failure, &assertion.message),
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(message.as_str()).set_type(assertion.severity.as_str());
    let allowed = if step.allowed_failure { " (its failure is allowed)" } else { "" };
    status.set_description(format!("{}{allowed}", assertion.expression));
    status
}
