//! The ports: what the use cases need from the world, one file each.
//!
//! Every port is `dyn`-safe. Its documentation says what implementations MUST do; the contract suite of
//! the same name in `testkit` holds the fake and every adapter to it. Errors of a port mean that the
//! adapter failed; a broken extension comes back as data (a [`Fault`](crate::failure::Fault) or a
//! [`Problem`](crate::problem::Problem)), and "not found" as `None`.

mod attempt_cache;
mod build_leases;
mod build_locks;
mod bundle_store;
mod bundler;
mod calendar;
mod catalog;
mod checkouts;
mod clock;
mod configuration;
mod data_store;
mod databases;
mod definition_files;
mod documents;
mod entropy;
mod export_inspector;
mod expressions;
mod extension_packages;
mod extension_registry;
mod last_good_workflows;
mod loader;
mod method_runner;
mod package_cache;
mod packages;
mod permission_uses;
mod process_usage;
mod programs;
mod progress;
mod pulled_extensions;
mod repository_files;
mod run_store;
mod schedule_leases;
mod schema_validator;
mod seals;
mod service_manager;
mod shell;
mod source_tree;
mod staged_catalog;
mod vault;
mod vault_providers;
mod watcher;

pub use attempt_cache::AttemptCache;
pub use build_leases::{BuildLease, BuildLeases, Leased};
pub use build_locks::{Acquired, BuildLock, BuildLocks, NoBuildLocks};
pub use bundle_store::{BundleStore, SHORTEST_GRACE, StoreError, SweepOutcome, SweepRequest};
pub use bundler::{BuildFailure, BundleRequest, Bundler};
pub use calendar::{Calendar, CalendarError, CalendarPart, Recurrence};
pub use catalog::{Catalog, CatalogError, Change, Commit, CommitOutcome, Names, NumberedRecord, Write};
pub use checkouts::{Checkouts, CheckoutsError};
pub use clock::Clock;
pub use configuration::Configuration;
pub use data_store::{
    Content, DataError, DataField, DataSearch, DataStore, FoundData, NewData, Removed, WrittenVersion,
};
pub use databases::Databases;
pub use definition_files::{DefinitionFiles, DefinitionText};
pub use documents::{DocumentError, Documents};
pub use entropy::Entropy;
pub use export_inspector::{ExportInspector, InspectRequest};
pub use expressions::{
    ANY_ITEM, EXPRESSION_FUNCTIONS, ExpressionError, ExpressionErrorKind, ExpressionFunctions, Expressions,
    FunctionCall, NoFunctions, ParsedExpression, Variables,
};
pub use extension_packages::{ExtensionPackages, LocalPackage};
pub use extension_registry::ExtensionRegistry;
pub use last_good_workflows::{LastGoodWorkflow, LastGoodWorkflows};
pub use loader::Loader;
pub use method_runner::{
    Call, Checked, DriverRequest, HostCall, Member, MethodHost, MethodRunner, OpenRequest, RunError, Session, Takes,
};
pub use package_cache::{PackageCache, PruneRequest, RequiredPackages};
pub use packages::Packages;
pub use permission_uses::PermissionUses;
pub use process_usage::{PoolUsage, ProcessUsage, Usage};
pub use programs::{Programs, TransferListener};
pub use progress::{AttemptTimes, Event, Phase, Progress};
pub use pulled_extensions::{LockfileText, Placement, PulledExtensions, PulledFiles, Removal, Update, UpdateError};
pub use repository_files::{FileList, FileReading, FileStamp, FilesError, KnownFile, RepositoryFiles};
pub use run_store::{CancellationRequest, RunError as RunStoreError, RunFilter, RunPlace, RunStore};
pub use schedule_leases::{ClaimAnswer, GivenUp, LeaseError, ScheduleClaim, ScheduleLeases, ScheduledInstant};
pub use schema_validator::{SchemaError, SchemaValidator};
pub use seals::Seals;
pub use service_manager::{NoServiceManager, ServiceManager};
pub use shell::{Shell, ShellCommand, ShellEnd, ShellListener, ShellStream};
pub use source_tree::{ObserveError, ObserveRequest, SourceTree};
pub use staged_catalog::StagedCatalog;
pub use vault::{Secret, Vault, VaultError};
pub use vault_providers::VaultProviders;
pub use watcher::{NoWatcher, Watcher};

/// Mocks of the ports, for tests about *calls*: that a bundler ran exactly once, that nothing was written. Tests about
/// outcomes use the strict fakes of `testkit`. There is none of [`BundleStore`], [`Progress`] and [`Shell`], whose methods
/// borrow inside of slices and values.
#[cfg(feature = "mocks")]
pub mod mocks {
    pub use super::{
        attempt_cache::MockAttemptCache, bundler::MockBundler, catalog::MockCatalog, clock::MockClock,
        data_store::MockDataStore, documents::MockDocuments, entropy::MockEntropy,
        export_inspector::MockExportInspector, expressions::MockExpressions, loader::MockLoader,
        method_runner::MockMethodHost, method_runner::MockMethodRunner, method_runner::MockSession,
        packages::MockPackages, run_store::MockRunStore, schema_validator::MockSchemaValidator, seals::MockSeals,
        source_tree::MockSourceTree,
    };
}
