//! What Mangrove answers as JSON. The command line prints these documents with `--json`, and the daemon sends them as
//! bodies: one type for both, so that they cannot differ.
//!
//! More keys may be added to a document; those that it has stay. Keys are written in camel case, times as [`Moment`]s,
//! and what is not there as `null` unless its key says that it is left out. Words of closed lists, such as states and
//! statuses, are texts here, so that a reader of an earlier version still reads a document with a new word.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod advice;
mod api;
mod approval;
mod built_in;
mod data;
mod doctor;
mod earlier_run;
mod error;
mod error_report;
mod evaluated;
mod extension;
mod failure;
pub mod human;
pub mod json;
mod model;
mod moment;
mod permission_advice;
mod problem;
mod problem_details;
mod reference_error;
mod reference_run;
mod reference_validation;
mod repair;
mod report;
mod run;
mod run_event;
mod scan;
mod schedule;
mod source;
mod types;
mod validation;
mod vault;
mod workflow;

pub use self::{
    api::{
        AcceptedDocument, CheckDocument, EventDocument, GapDocument, PermissionsDocument, ReadinessDocument,
        RunLogLineDocument, RunLogsDocument, ScheduleEventDocument, SourcesDocument, StartedRunDocument,
        TransitionDocument, TransitionsDocument, WebhookDocument,
    },
    approval::{ApprovalListDocument, WaitingStepDocument},
    built_in::BuiltInDocument,
    data::{
        DataDeletedDocument, DataDocument, DataGroupDocument, DataItemDocument, DataListDocument, DataModelDocument,
        DataQueryDocument, DataRunDocument, DataSweepDocument, DataVersionDocument, DataVersionsDocument,
        ExpiredDataDocument,
    },
    doctor::{
        ClaimantDocument, DoctorDocument, DocumentsDocument, DriftDocument, DuplicateDocument, KindDocument,
        LockfileDocument, NeedDocument, SCHEMA as DOCTOR_SCHEMA, StoreDocument,
    },
    earlier_run::earlier_run,
    error::{BlockedDocument, DepartedDocument, ErrorDocument, NamedDocument},
    error_report::{ErrorReport, hint_for},
    evaluated::evaluated_workflow,
    extension::{
        ExtensionInstallDocument, ExtensionListDocument, ExtensionPullDocument, ExtensionRemovalDocument,
        InstalledExtensionDocument, ListedExtensionDocument, PulledExtensionDocument,
    },
    failure::{FailureDocument, FaultDocument},
    model::{
        CreatedModelDocument, FoundModelDocument, ModelDocument, ModelMethodDocument, ModelSearchDocument,
        ModelTypeDocument, ModelTypeSearchDocument, ModelValidationDocument, ModelValidationsDocument,
        TypeNameDocument,
    },
    moment::Moment,
    permission_advice::{PermissionAdviceDocument, PermissionUseDocument},
    problem::{ProblemDocument, problems},
    problem_details::ProblemDetails,
    reference_error::{Concern, ReferenceErrorDocument},
    reference_run::{ReferenceCallDocument, ReferenceItem, ReferenceReport, ReferenceRunDocument},
    reference_validation::{ReferenceValidationDocument, ReferenceValidationsDocument},
    repair::{ActionDocument, RepairDocument, repair_actions},
    report::ReportContentDocument,
    run::{
        ApprovalDocument, AssertionDocument, DecisionDocument, JobDocument, ListedRunDocument, LogDocument,
        ProvenanceDocument, ReportDocument, RunDocument, RunListDocument, RunProblemDocument, StepDocument,
    },
    run_event::{FinishedDocument, LineDocument, RunEventDocument},
    scan::{ScanDocument, SummaryDocument},
    schedule::{
        LastRunDocument, LeftOutDocument, NotEnabledDocument, QueueDocument, RouteDocument, ScheduleDocument,
        ScheduledRunDocument, SchedulesDocument, UpcomingDocument, WaitingDocument, enabling_hint,
    },
    source::{
        ExplainedDocument, HelperDocument, HistoryDocument, ShippedDocument, SourceDocument, WhyDocument, source_name,
    },
    types::{DescribeDocument, MethodDocument, TypeDocument, TypesDocument},
    validation::ValidationDocument,
    vault::{
        CreatedVaultDocument, ListedVaultDocument, PutSecretDocument, SecretDocument, VaultDocument, VaultKeysDocument,
        VaultsDocument,
    },
    workflow::{ListedWorkflowDocument, WorkflowListDocument, schedule},
};
