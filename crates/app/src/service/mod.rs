//! One long-lived object for everything that can be done with a repository: the command line, a daemon, a test and a
//! program of somebody else's use the same one.
//!
//! A [`Service`] is built from ports and plain values. Methods take values and give values; what is wrong with what a
//! person wrote comes back as [`Problem`](mangrove_domain::problem::Problem)s. Nothing is printed, nothing reads the
//! environment of the process, and what the configuration says can be read again while it runs.

mod base;
mod cache;
mod catalog;
mod changes;
mod checkouts;
mod data;
mod definitions;
mod doctor;
mod documents;
mod error;
mod extensions;
mod last_good;
mod parts;
mod permissions;
mod programs;
mod reload;
mod reports;
mod runs;
mod settings;
mod sources;
mod upkeep;
mod vaults;

pub use self::{
    base::Service,
    cache::{CacheUsage, PruneError, Pruned},
    catalog::{RebuildError, Rebuilt},
    data::{DataModel, DataPlace},
    definitions::{CreateError, CreatedDefinition, ExaminedDefinition, NewDefinition, shown_global_arguments},
    doctor::{Examined, Repairs},
    documents::{ValidateError, Validation},
    last_good::{LastGood, triggered_texts},
    parts::{Parts, Repository, Running},
    permissions::{PermissionAdvice, PermissionAdviceError},
    reports::{ReportError, ReportQuery, ReportSubject, StoredReport},
    runs::{
        DecideRun, PreparedRun, ResumeRun, RunError, RunEvents, RunHandle, RunOutcome, Runnable, StartRun,
        StartTriggered, StartedRun, WaitingStep,
    },
    settings::{Access, BundlerChoice, Settings},
    sources::Query,
    upkeep::{Retention, Upkeep},
};

#[expect(clippy::module_name_repetitions, reason = "errors of other parts are in sight wherever this one is")]
pub use self::error::ServiceError;
