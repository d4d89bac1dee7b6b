//! The reports after a call of a method.

use std::sync::Arc;

use mangrove_domain::{
    data::DataHandle,
    json::Json,
    problem::Code,
    report::{self, Occasion},
    run::{ReportRecord, RunProblem},
};
use tokio::time::Instant;

use super::{
    Called, ReportsWanted, ShownArguments, context,
    maker::{Made, Maker},
    storing::Place,
    summaries,
};
use crate::method::{Invocation, Services, callee::Callee, host::Host};

/// A call that has ended, well or not.
pub(in crate::method) struct MethodEnded<'a> {
    pub(in crate::method) call: &'a Invocation<'a>,
    pub(in crate::method) callee: &'a Callee,
    pub(in crate::method) host: &'a Arc<Host>,
    /// True if the method was called, or its arguments refused by its schema.
    pub(in crate::method) has_begun: bool,
    pub(in crate::method) arguments: ShownArguments,
    pub(in crate::method) handles: &'a [DataHandle],
    /// Why it failed, masked.
    pub(in crate::method) error: Option<&'a RunProblem>,
    /// When the time of the step is over.
    pub(in crate::method) deadline: Option<Instant>,
}

impl MethodEnded<'_> {
    /// What reports about the workflow are told of it.
    fn called(&self) -> Called {
        let (call, environment) = (self.call, self.call.environment);
        let description = self.callee.description();
        Called {
            model_name: call.definition.name.value.clone(),
            model_type: description.type_name.to_string(),
            model_id: call.definition.id.clone(),
            method: call.method.to_owned(),
            arguments: ShownArguments {
                global: environment.mask_json(&self.arguments.global),
                method: environment.mask_json(&self.arguments.method),
            },
            data_handles: context::handles(self.handles, environment),
            sensitive: context::sensitive(description, call.method),
        }
    }
}

/// Makes the reports. Gives what reports about the workflow are told of the call, and why a report is not there that the
/// definition requires. A method that did not begin has no reports, nor has one that was stopped.
pub(in crate::method) async fn after_method(
    services: &Services,
    ended: &MethodEnded<'_>,
) -> (Called, Vec<ReportRecord>, Option<RunProblem>) {
    let called = ended.called();
    let was_stopped = ended.error.is_some_and(|error| error.code == Code::RUN_CANCELLED);
    match ended.call.reports.filter(|_| ended.has_begun && !was_stopped) {
        Some(wanted) => {
            let Made { records, missing } = make(services, ended, wanted, &called).await;
            (called, records, missing)
        }
        None => (called, Vec::new(), None),
    }
}

async fn make(services: &Services, ended: &MethodEnded<'_>, wanted: ReportsWanted<'_>, called: &Called) -> Made {
    let MethodEnded { call, callee, host, .. } = ended;
    let description = callee.description();
    let declared = description.details.get("reports").and_then(Json::as_array).unwrap_or_default();
    let candidates = report::candidates(
        [summaries::METHOD],
        declared.iter().filter_map(Json::as_str),
        &call.definition.reports,
        &[call.method],
    );
    let error = ended.error.map(|error| error.message.as_str());
    let context = context::of_method(call, description, called, error);
    let summary = || summaries::of_method(called, &context, error);
    let maker = Maker {
        services,
        environment: call.environment,
        cancellation: call.cancellation,
        host,
        place: Place { host, suffix: wanted.suffix, owner: call.origin.owner(&host.model_id, &host.run_id) },
        occasion: Occasion::Method { has_failed: error.is_some() },
        options: wanted.options,
        deadline: ended.deadline,
        context: context.clone(),
        summary: &summary,
    };
    maker.make(candidates).await
}
