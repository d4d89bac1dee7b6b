//! The one file of this program that names adapters.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use anyhow::{Context as _, Result};
use mangrove_app::{
    loaders::Registry,
    scan::Ports,
    service::{Parts, Repository, Service},
};
use mangrove_domain::ports::Documents;
use mangrove_fs::{definition_files::DiskDefinitionFiles, files::DiskFiles};
use mangrove_infra::{
    catalog::OpenMode,
    databases::SqliteDatabases,
    documents::YamlDocuments,
    expressions::CelExpressions,
    no_packages::NoPackages,
    schema::JsonSchemas,
    seals::FileSeals,
    state_directory,
    store::LocalStore,
    system::{SystemClock, SystemEntropy},
};
use mangrove_sources::{LocalTree, TreeOptions, parse::InProcessParser};

use crate::{alert, literal::LiteralInspector, one_file::OneFileBundler};

/// A service for the repository in this directory, which must have no symbolic links. Its state lies in `.mangrove` there.
pub(crate) fn service(directory: PathBuf) -> Result<Service> {
    let state = directory.join(".mangrove");
    state_directory::prepare(&directory, &state)?;
    let documents: Arc<dyn Documents> = Arc::new(YamlDocuments);
    let environment = BTreeMap::new();
    let tree = LocalTree::new(TreeOptions {
        repository: directory.clone(),
        state_directory: state.clone(),
        environment: environment.clone(),
        // For files that nobody hostile writes; a program that cannot say so parses in child processes.
        parser: Arc::new(InProcessParser),
        documents: Arc::clone(&documents),
        extensions_directory: None,
        is_read_only: false,
        walk_bounds: mangrove_fs::walk::Bounds::default(),
    })?;
    let store = LocalStore::new(state.join("bundles"));
    let databases = SqliteDatabases::new(directory.clone(), state.clone(), OpenMode::ReadWrite, false, store.clone());
    let program = std::env::current_exe().context("cannot find the file of this program")?;
    let ports = Ports {
        tree: Arc::new(tree),
        packages: Arc::new(NoPackages),
        bundler: Arc::new(OneFileBundler),
        store: Arc::new(store),
        inspector: Arc::new(LiteralInspector),
        catalog: databases.catalog(),
        seals: Arc::new(FileSeals::new(&state, program)),
        locks: Arc::new(mangrove_domain::ports::NoBuildLocks),
        leases: None,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    };
    let repository = Repository {
        definitions: Arc::new(DiskDefinitionFiles::new(&directory, "models", &state)),
        files: Arc::new(DiskFiles::new(&directory)),
        directory,
        environment,
        documents,
        expressions: Arc::new(CelExpressions),
        schemas: Arc::new(JsonSchemas),
    };
    let loaders = Registry::default().with(alert::loader());
    Ok(Service::new(Parts { ports, loaders, jobs: 2, repository }).with_databases(Arc::new(databases)))
}
