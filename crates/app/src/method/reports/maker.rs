//! Making reports: finding what makes each, calling it, keeping what it says.

use std::sync::Arc;

use mangrove_domain::{
    json::Json,
    ports::{Call, OpenRequest, RunError, Takes},
    problem::Code,
    report::{Candidate, Occasion, ReportOptions, ReportScope},
    run::{ReportRecord, RunProblem},
    source::Kind,
    type_name::TypeName,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    Report,
    host::ReportHost,
    not_made,
    storing::{self, Durability, Place},
    summaries,
};
use crate::{
    method::{Services, host::Host, opening, problem},
    secrets::Environment,
    types::ReadyType,
};

/// What reports are made with.
pub(super) struct Maker<'a> {
    pub(super) services: &'a Services,
    pub(super) environment: &'a Arc<Environment>,
    pub(super) cancellation: &'a CancellationToken,
    /// Answers their contexts.
    pub(super) host: &'a Arc<Host>,
    /// Where they are kept.
    pub(super) place: Place<'a>,
    pub(super) occasion: Occasion,
    pub(super) options: &'a ReportOptions,
    /// When the time of the step is over.
    pub(super) deadline: Option<Instant>,
    /// What each is told, but for its scope.
    pub(super) context: Vec<(&'static str, Json)>,
    /// What the built-in one says; made only if it is wanted.
    pub(super) summary: &'a (dyn Fn() -> Report + Sync),
}

/// What became of the reports.
#[derive(Default)]
pub(super) struct Made {
    pub(super) records: Vec<ReportRecord>,
    /// Why there is a report that a file requires and that nobody has.
    pub(super) missing: Option<RunProblem>,
}

/// Why nobody has a report.
struct Missing(RunProblem);

impl Maker<'_> {
    /// Makes what is wanted of these, one after the other. When the run is cancelled, the others are left out.
    pub(super) async fn make(&self, candidates: Vec<Candidate>) -> Made {
        let mut made = Made::default();
        for candidate in candidates.iter().filter(|candidate| self.options.may_want(candidate)) {
            // Who insists on a report that nobody has is told so by its record, or by the error of the call.
            let mut is_told = false;
            let (scope, outcome) = match summaries::built_in(&candidate.name) {
                Some(scope) if !self.occasion.may_suit(scope) => match self.out_of_place(&candidate.name, scope) {
                    Some(error) => (scope, Err(error)),
                    None => continue,
                },
                Some(scope) if !self.is_wanted(candidate, scope, &[]) => continue,
                Some(scope) => (scope, Ok((self.summary)())),
                None => {
                    if self.cancellation.is_cancelled() {
                        break;
                    }
                    match self.of_extension(candidate).await {
                        Ok(None) => continue,
                        Ok(Some((scope, outcome))) => (scope, outcome),
                        Err(Missing(error)) => {
                            if candidate.is_required {
                                made.missing.get_or_insert_with(|| error.clone());
                                is_told = true;
                            }
                            (self.occasion.usual_scope(), Err(error))
                        }
                    }
                }
            };
            let record = match outcome {
                Ok(report) => {
                    let is_summary = summaries::built_in(&candidate.name).is_some();
                    let is_of_step = is_summary && self.occasion != Occasion::Workflow;
                    let durability = if is_of_step { Durability::OfRecord } else { Durability::Own };
                    storing::keep(&self.place, &candidate.name, scope, report, durability).await
                }
                Err(error) => Err(error),
            };
            let mut record = record.unwrap_or_else(|error| {
                let error = self.environment.mask_problem(error);
                if !is_told {
                    self.host.object(&error.message);
                }
                ReportRecord::failed(candidate.name.clone(), scope, error)
            });
            if self.occasion == Occasion::Workflow {
                record.logs = self.host.state().log.take();
            }
            made.records.push(record);
        }
        made
    }

    /// True if a report of this scope and with these labels is made now.
    fn is_wanted(&self, candidate: &Candidate, scope: ReportScope, labels: &[&str]) -> bool {
        self.occasion.suits(scope) && self.options.wants(candidate, labels)
    }

    /// Says of a report that it is about something else than what it is named for: in the log of the step, and for a workflow,
    /// which has no log, as the error that this gives.
    fn out_of_place(&self, name: &str, scope: ReportScope) -> Option<RunProblem> {
        let message = format!("the report `{name}` is about a {} and is never made where it is named", scope.as_str());
        match self.occasion {
            Occasion::Workflow => Some(problem(Code::REPORT_FAILED, message)),
            Occasion::Method { .. } => {
                self.host.remark(&message);
                None
            }
        }
    }

    /// What a report of an extension says; `None` if it is not wanted.
    async fn of_extension(
        &self,
        candidate: &Candidate,
    ) -> Result<Option<(ReportScope, Result<Report, RunProblem>)>, Missing> {
        let name = &candidate.name;
        let ready = match self.in_time(name, async { Ok(self.find(name).await) }).await {
            Ok(Ok(ready)) => ready,
            // Its labels are not known.
            Ok(Err(_)) | Err(_) if !self.options.wants(candidate, &[]) => return Ok(None),
            Ok(Err(error)) => return Err(Missing(error)),
            Err(error) => return Ok(Some((self.occasion.usual_scope(), Err(error)))),
        };
        let details = &ready.description.details;
        let scope = details.get("scope").and_then(Json::as_str).and_then(ReportScope::parse);
        let scope = scope.unwrap_or(self.occasion.usual_scope());
        let labels = details.get("labels").and_then(Json::as_array).unwrap_or_default();
        let labels: Vec<&str> = labels.iter().filter_map(Json::as_str).collect();
        if !self.occasion.may_suit(scope) {
            return Ok(self.out_of_place(name, scope).map(|error| (scope, Err(error))));
        }
        if !self.is_wanted(candidate, scope, &labels) {
            return Ok(None);
        }
        Ok(Some((scope, self.in_time(name, self.call(name, scope, &ready)).await)))
    }

    async fn find(&self, name: &str) -> Result<ReadyType, RunProblem> {
        let type_name = TypeName::report(name).map_err(|error| not_made(name, &error.to_string()))?;
        let ready = self.services.types.ready(&Kind::new("report"), &type_name).await;
        ready.map_err(|not_ready| {
            let reasons = not_ready.reasons().join("; ");
            not_made(name, &format!("{}; {reasons}", not_ready.headline()))
        })
    }

    async fn call(&self, name: &str, scope: ReportScope, ready: &ReadyType) -> Result<Report, RunProblem> {
        let type_name = ready.description.type_name.as_str();
        let request = OpenRequest {
            bundle: ready.bundle.clone(),
            export_name: "report".to_owned(),
            subject: ready.row.source.to_string(),
            requirements: ready.description.requirements.clone(),
            grantee: opening::grantee(self.services, self.environment, type_name, &ready.row),
            root_directory: None,
            run: self.host.run_id.clone(),
        };
        let told = [("scope", Json::from(scope.as_str()))].into_iter().chain(self.context.iter().cloned());
        let call = Call {
            path: vec!["execute".to_owned()],
            arguments: Json::Null,
            schema: Vec::new(),
            context: Json::object(told),
            global_schema: Vec::new(),
            takes: Takes::ReportContext,
        };
        let host = ReportHost {
            host: Arc::clone(self.host),
            sources: Arc::clone(&self.services.sources),
            source: ready.row.source.clone(),
        };
        if let Some(foreign) = ready.foreign_state {
            self.host.remark(&format!("the report `{name}`: {}", foreign.remark()));
        }
        let outcome = async {
            let mut session = self.services.runner.open(request).await?;
            session.call(call, Arc::new(host)).await
        };
        match outcome.await {
            Ok(value) => report_of(value)
                .map_err(|found| not_made(name, &format!("expected `{{ markdown, json }}` of it, found {found}"))),
            Err(RunError::Threw { message, stack }) => {
                if let Some(stack) = stack {
                    tracing::debug!(report = %name, stack = %self.environment.mask(&stack), "a report threw");
                }
                Err(not_made(name, &message))
            }
            Err(error) => Err(not_made(name, &error.to_string())),
        }
    }

    /// Work on a report, as far as the time of the step allows, and until the run is cancelled.
    async fn in_time<T>(&self, name: &str, work: impl Future<Output = Result<T, RunProblem>>) -> Result<T, RunProblem> {
        let time_is_up = async {
            match self.deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.cancellation.cancelled() => Err(not_made(name, "the run was cancelled")),
            () = time_is_up => Err(not_made(name, "the time limit of the step has passed")),
            outcome = work => outcome,
        }
    }
}

/// What a report gave; else what that was.
fn report_of(value: Json) -> Result<Report, &'static str> {
    let Json::Object(members) = value else { return Err(value.type_name()) };
    let mut report = Report { json: Json::Object(Vec::new()), ..Report::default() };
    for (name, value) in members {
        match (name.as_str(), value) {
            ("markdown", Json::String(text)) => report.markdown = text,
            ("markdown" | "json", Json::Null) => {}
            ("markdown", _) => return Err("a `markdown` that is no text"),
            ("json", value) => report.json = value,
            _ => {}
        }
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use mangrove_domain::json_text;

    use super::*;

    #[test]
    fn a_report_gives_text_and_json() {
        let made = |text: &str| report_of(json_text::parse(text).expect("JSON"));
        let report = made(r#"{"markdown": "x", "json": {"a": 1}, "more": 2}"#).expect("a report");
        assert_eq!((report.markdown.as_str(), report.json.to_string().as_str()), ("x", r#"{"a":1}"#));
        let report = made(r#"{"markdown": null}"#).expect("a report that has nothing to say");
        assert_eq!((report.markdown.as_str(), report.json.to_string().as_str()), ("", "{}"));
        assert_eq!(made("[1]"), Err("array"));
        assert_eq!(made("null"), Err("null"));
        assert_eq!(made(r#"{"markdown": 3}"#), Err("a `markdown` that is no text"));
    }
}
