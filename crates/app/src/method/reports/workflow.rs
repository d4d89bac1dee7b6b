//! The reports after a run of a workflow.

use std::{
    sync::{Arc, Mutex, OnceLock, atomic::AtomicBool},
    time::Duration,
};

use mangrove_domain::{
    data::{Owner, OwnerKind},
    description::Description,
    json::Json,
    report::{self, Occasion, ReportOptions},
    run::{ReportRecord, RunRecord},
    type_name::TypeName,
    workflow::Workflow,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Sensitive, StepExecution, context, maker::Maker, storing::Place, summaries};
use crate::{
    data::{Models, Records},
    method::{
        Services,
        budget::{RunBudget, StepBudget},
        calling::Caller,
        host::{Host, State},
        origin::Origin,
    },
    secrets::Environment,
};

/// The type that the data of workflows has.
const WORKFLOW_TYPE: &str = "workflow";

/// A run that has ended.
pub(crate) struct WorkflowEnded<'a> {
    pub(crate) workflow: &'a Workflow,
    /// As it will be recorded, but for its reports.
    pub(crate) record: &'a RunRecord,
    /// What became of the steps that call methods.
    pub(crate) steps: &'a [StepExecution],
    pub(crate) environment: &'a Arc<Environment>,
    pub(crate) models: &'a Arc<Models>,
    pub(crate) records: &'a Records,
    pub(crate) repository: &'a str,
    pub(crate) cancellation: &'a CancellationToken,
    pub(crate) options: &'a ReportOptions,
    /// When the time of the step is over that called the workflow.
    pub(crate) deadline: Option<Instant>,
    pub(crate) budget: &'a Arc<RunBudget>,
}

/// How long the reports about a run take together, where no step limits them.
const LIMIT: Duration = Duration::from_mins(5);

/// Makes the reports.
pub(crate) async fn after_workflow(services: &Services, ended: &WorkflowEnded<'_>) -> Vec<ReportRecord> {
    let WorkflowEnded { workflow, record, steps, environment, .. } = ended;
    let ran = steps.iter().filter(|step| step.status != "skipped");
    let methods: Vec<&str> = ran.map(|step| step.called.method.as_str()).collect();
    let candidates = report::candidates([summaries::WORKFLOW], [], &workflow.reports, &methods);
    let host = Arc::new(host(services, ended));
    let context = context_of(ended);
    let summary = || summaries::of_workflow(record, steps);
    let owner = Owner {
        kind: OwnerKind::WorkflowStep,
        reference: workflow.id.clone(),
        workflow_id: Some(workflow.id.clone()),
        workflow_run_id: Some(record.id.clone()),
        workflow_name: Some(workflow.name.value.clone()),
        ..Owner::default()
    };
    let maker = Maker {
        services,
        environment,
        cancellation: ended.cancellation,
        host: &host,
        place: Place { host: &host, suffix: None, owner },
        occasion: Occasion::Workflow,
        options: ended.options,
        deadline: Some(ended.deadline.unwrap_or_else(|| Instant::now() + LIMIT)),
        context,
        summary: &summary,
    };
    maker.make(candidates).await.records
}

/// What answers the contexts of reports about a workflow: its data has the identifier of the workflow for a model.
fn host(services: &Services, ended: &WorkflowEnded<'_>) -> Host {
    let budget = StepBudget::new(ended.budget);
    Host {
        data: Arc::clone(&services.data),
        schemas: Arc::clone(&services.schemas),
        clock: Arc::clone(&services.clock),
        environment: Arc::clone(ended.environment),
        description: Arc::new(Description::new(TypeName::stored(WORKFLOW_TYPE))),
        model_id: ended.workflow.id.clone(),
        model_name: ended.workflow.name.value.clone(),
        models: Arc::clone(ended.models),
        records: ended.records.clone(),
        vaults: services.vaults.clone(),
        types: Arc::clone(&services.types),
        method: String::new(),
        run_id: ended.record.id.clone(),
        origin: Origin::default(),
        on_line: Arc::new(|_| {}),
        ending: ended.cancellation.child_token(),
        is_driven: false,
        has_begun: AtomicBool::new(false),
        upgraded_to: OnceLock::new(),
        caller: Caller::of_workflow(services, ended.repository, &ended.workflow.file),
        state: Mutex::new(State::new(&budget)),
        budget,
    }
}

fn context_of(ended: &WorkflowEnded<'_>) -> Vec<(&'static str, Json)> {
    let text = |text: &str| Json::from(text);
    let step = |step: &StepExecution| {
        let StepExecution { job, step, status, error, called } = step;
        let told = [
            ("jobName", text(job)),
            ("stepName", text(step)),
            ("modelName", text(&called.model_name)),
            ("modelType", text(&called.model_type)),
            ("modelId", text(&called.model_id)),
            ("methodName", text(&called.method)),
            ("status", text(status)),
            ("dataHandles", Json::Array(called.data_handles.clone())),
            ("methodArgs", called.arguments.method.clone()),
            ("globalArgs", called.arguments.global.clone()),
        ];
        Json::object(told.into_iter().chain(error.as_ref().map(|error| ("error", text(error)))))
    };
    // Which step's arguments are redacted is not said: what is sensitive in one is in all.
    let mut sensitive = Sensitive::default();
    for Sensitive { global, method } in ended.steps.iter().map(|step| &step.called.sensitive) {
        sensitive.global.extend(global.iter().cloned());
        sensitive.method.extend(method.iter().cloned());
    }
    vec![
        ("repoDir", text(ended.repository)),
        ("workflowId", text(&ended.workflow.id)),
        ("workflowRunId", text(&ended.record.id)),
        ("workflowName", text(&ended.workflow.name.value)),
        ("workflowStatus", text(ended.record.status.as_str())),
        ("inputs", ended.environment.mask_json(&ended.record.inputs)),
        ("stepExecutions", Json::Array(ended.steps.iter().map(step).collect())),
        ("sensitive", context::sensitive_json(&sensitive)),
    ]
}
