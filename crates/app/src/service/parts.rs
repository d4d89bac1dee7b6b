//! What a service is built from.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use mangrove_domain::ports::{
    Calendar, Checkouts, Configuration, DataStore, Databases, DefinitionFiles, Documents, Expressions,
    LastGoodWorkflows, MethodRunner, PackageCache, PermissionUses, ProcessUsage, Programs, RepositoryFiles, RunStore,
    ScheduleLeases, SchemaValidator, Shell, VaultProviders,
};

use crate::{extensions::ExtensionPorts, loaders::Registry, scan::Ports, workflow::run::Limits};

/// What every service needs. What only some need is given to it afterwards: see the `with_` methods of
/// [`Service`](super::Service).
pub struct Parts {
    /// The adapters of the pipeline.
    pub ports: Ports,
    /// The kinds.
    pub loaders: Registry,
    /// How many builds run at once, at least 1.
    pub jobs: usize,
    /// The repository.
    pub repository: Repository,
}

/// A repository beside its sources: definitions and workflows, and what it takes to understand them.
pub struct Repository {
    /// Its directory, without symbolic links.
    pub directory: PathBuf,
    /// The variables that `env` in expressions and code with grants can name.
    pub environment: BTreeMap<String, String>,
    /// The definitions that the program writes.
    pub definitions: Arc<dyn DefinitionFiles>,
    /// Its definitions and workflows as text.
    pub files: Arc<dyn RepositoryFiles>,
    /// Reads YAML and JSON.
    pub documents: Arc<dyn Documents>,
    /// Evaluates `${{ … }}`.
    pub expressions: Arc<dyn Expressions>,
    /// Checks inputs, arguments and resources.
    pub schemas: Arc<dyn SchemaValidator>,
}

/// What only running methods and workflows needs.
pub struct Running {
    /// Runs methods.
    pub runner: Arc<dyn MethodRunner>,
    /// Runs the commands of `command/shell`.
    pub shell: Arc<dyn Shell>,
    /// Opens vaults of the types that come with the program.
    pub vaults: Arc<dyn VaultProviders>,
    /// Keeps what methods write.
    pub data: Arc<dyn DataStore>,
    /// How much may run at once where a workflow does not say.
    pub limits: Limits,
}

/// What not every service has.
#[derive(Clone, Default)]
pub(super) struct Options {
    pub(super) calendar: Option<Arc<dyn Calendar>>,
    pub(super) extensions: Option<ExtensionPorts>,
    pub(super) configuration: Option<Arc<dyn Configuration>>,
    pub(super) databases: Option<Arc<dyn Databases>>,
    pub(super) last_good: Option<Arc<dyn LastGoodWorkflows>>,
    pub(super) leases: Option<Arc<dyn ScheduleLeases>>,
    pub(super) checkouts: Option<Arc<dyn Checkouts>>,
    pub(super) packages: Option<Arc<dyn PackageCache>>,
    pub(super) permission_uses: Option<Arc<dyn PermissionUses>>,
    pub(super) programs: Option<Arc<dyn Programs>>,
    pub(super) runs: Option<Arc<dyn RunStore>>,
    pub(super) running: Option<Arc<Running>>,
    pub(super) usage: Option<Arc<dyn ProcessUsage>>,
}
