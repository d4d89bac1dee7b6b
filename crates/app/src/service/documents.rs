//! Definitions and workflows: reading and validating them.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use mangrove_domain::{
    json::Json,
    ports::{DocumentError, FilesError},
    problem::{Problem, Severity},
    source::Kind,
    type_name::TypeName,
    workflow::{Workflow, WorkflowFiles},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::{
    base::Service,
    error::ServiceError,
    runs::{RunError, unknown},
};
use crate::{
    builtin, method, on_demand, spans,
    types::Unclaimed,
    workflow::{
        Files,
        catalogue::TypeCatalogue,
        inputs::{self, Mistakes},
        known::{CatalogTypes, ReadyTypes},
        library::Library,
        run::{Engine, StartError},
        triggers::LibrarySchedules,
        validate::{self, Tools},
    },
};

/// Where the reference keeps the records of runs.
const EARLIER_RUNS: &str = ".swamp/workflow-runs";

/// How long a workflow is held against its types before it begins.
const TIME_TO_VALIDATE: Duration = Duration::from_secs(2);

/// What is wrong with definitions and workflows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validation {
    /// In the order of files and lines.
    pub problems: Vec<Problem>,
}

impl Validation {
    /// True if nothing of it is an error.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.problems.iter().all(|problem| problem.severity < Severity::Error)
    }
}

/// Why nothing was validated.
#[derive(Debug, thiserror::Error)]
pub enum ValidateError {
    /// No workflow has the name, or more than one.
    #[error("{}", .0.message)]
    Unknown(Problem),
    /// Sources or catalog cannot be used.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl Service {
    /// The definitions and workflows of the repository, and the workflows of mounts and pulled extensions, as they are
    /// now.
    ///
    /// # Errors
    /// Directories cannot be listed. A file that cannot be read is a problem of the library.
    pub async fn library(&self) -> Result<Arc<Library>, ServiceError> {
        let edition = self.library.edition();
        let external = self.scanner.ports().tree.workflows().await?;
        Ok(self.load_library(external, edition).await?)
    }

    /// The same, as far as a run of this workflow goes by it. While somebody [watches](Self::watch_library), only the files of
    /// the workflow, of its definitions, and of the workflows that it calls are looked at, one by one.
    ///
    /// # Errors
    /// As [`library`](Self::library).
    pub(super) async fn library_for_run(&self, workflow: &str) -> Result<Arc<Library>, ServiceError> {
        if self.library.edition().is_some() {
            let automatic = self.repository.definitions.automatic().await?;
            let known = self.library.for_run(self.repository.files.as_ref(), &automatic, workflow).await;
            if let Some(library) = known {
                return Ok(library);
            }
        }
        self.library().await
    }

    /// From now on [`library_changed`](Self::library_changed) is called after every change of what
    /// [`watch_list`](Self::watch_list) names, or not: what starts by itself then goes by what was read since the latest change.
    pub fn watch_library(&self, is_complete: bool) {
        self.library.watch(is_complete);
    }

    /// Definitions or workflows have changed, or may have.
    pub fn library_changed(&self) {
        self.library.changed();
    }

    pub(super) async fn load_library(
        &self,
        external: WorkflowFiles,
        edition: Option<u64>,
    ) -> Result<Arc<Library>, FilesError> {
        let from = Files { files: self.repository.files.as_ref(), documents: self.repository.documents.as_ref() };
        let automatic = self.repository.definitions.automatic().await?;
        self.library.read(from, external, automatic, edition).await
    }

    /// Everything that is wrong with definitions and workflows, or with one workflow and what it names. The types that
    /// they use are brought up to date first: whether methods and arguments fit is known only of types that are built.
    ///
    /// # Errors
    /// [`ValidateError`].
    pub async fn validate(&self, name: Option<&str>) -> Result<Validation, ValidateError> {
        let library = self.library().await?;
        if let Some(broken) =
            name.filter(|name| library.workflow(name).is_err()).and_then(|name| library.broken_workflow(name))
        {
            return Ok(Validation { problems: library.problems_of(&broken.file).cloned().collect() });
        }
        let workflow = name.map(|name| library.workflow(name)).transpose().map_err(ValidateError::Unknown)?;
        let named = types_of(&library, workflow.map(Arc::as_ref));
        let types = self.refreshed_types(&named, &library.reports()).await?;
        let problems = match workflow {
            None => {
                let found = validate::validate(&library, self.tools(&types));
                found.into_iter().chain(self.vault_problems().await).collect()
            }
            Some(workflow) => validate::validate_workflow(&library, workflow, self.tools(&types)),
        };
        Ok(Validation { problems })
    }

    /// Refuses a workflow of which it is known before that it cannot be run. Its types are brought up to date as its steps do
    /// it, who then find that it was done just now. Where that takes its time, the run begins, and they go on with it.
    ///
    /// # Errors
    /// [`StartError::Problems`].
    pub(super) async fn refuse_mistakes(
        &self,
        engine: &Engine,
        library: &Library,
        workflow: &Workflow,
    ) -> Result<(), StartError> {
        let looking = async {
            let named = types_of(library, Some(workflow));
            let ready = tokio::time::timeout(TIME_TO_VALIDATE, engine.ready_types(&named)).await;
            ready.map_or_else(
                |_| Vec::new(),
                |ready| validate::before_run(library, workflow, self.tools(&ReadyTypes::of(ready))),
            )
        };
        let mistakes = looking.instrument(spans::validation(&workflow.name.value)).await;
        if mistakes.is_empty() { Ok(()) } else { Err(StartError::Problems(mistakes)) }
    }

    /// What validation looks things up in.
    pub(super) fn tools<'a>(&'a self, types: &'a dyn TypeCatalogue) -> Tools<'a> {
        Tools {
            types,
            expressions: self.repository.expressions.as_ref(),
            schemas: self.repository.schemas.as_ref(),
            calendar: self.options.calendar.as_deref(),
            is_before_run: false,
        }
    }

    /// The types of the catalog, after the model types and reports that are named were brought up to date.
    pub(super) async fn refreshed_types(
        &self,
        named: &BTreeSet<TypeName>,
        reports: &BTreeSet<TypeName>,
    ) -> Result<CatalogTypes, ServiceError> {
        let request = self.scan_request(CancellationToken::new());
        let refreshed = on_demand::refresh_all(&self.scanner, &method::model_kind(), named, &request).await;
        let unobservable = refreshed.map_err(ServiceError::Scan)?;
        if !reports.is_empty() {
            let kind = Kind::new("report");
            on_demand::refresh_all(&self.scanner, &kind, reports, &request).await.map_err(ServiceError::Scan)?;
        }
        let index = self.types().await?;
        // What claims them has a row by now.
        let unclaimed =
            move |_: &Kind, _: &TypeName| Unclaimed { unobservable: unobservable.clone(), ..Unclaimed::default() };
        let types = CatalogTypes::of(self.scanner.ports().catalog.as_ref(), index, unclaimed).await;
        types.map_err(ServiceError::Scan)
    }

    /// A workflow by its name or identifier, with everything that its file says.
    ///
    /// # Errors
    /// [`RunError`]: there is none, or its file cannot be read.
    pub async fn workflow_file(&self, name: &str) -> Result<(Arc<Workflow>, Json), RunError> {
        let edition = self.library.edition();
        let external = self.scanner.ports().tree.workflows().await.map_err(ServiceError::from)?;
        let library = self.load_library(external.clone(), edition).await.map_err(ServiceError::from)?;
        let workflow = Arc::clone(library.workflow(name).map_err(|problem| unknown(&library, problem))?);
        let brought = external.files.into_iter().find(|file| file.source.to_string() == workflow.file);
        let text = match brought {
            Some(file) => Some(file.text),
            None => self.repository.files.read(&workflow.file).await.map_err(ServiceError::from)?,
        };
        let said = self.parse(&workflow.file, &text.unwrap_or_default());
        // It could be read a moment ago.
        Ok((workflow, said.unwrap_or_default()))
    }

    /// The records of runs that the reference kept in this repository, as documents; those that cannot be read are left out.
    ///
    /// # Errors
    /// Their directory cannot be listed.
    pub async fn earlier_runs(&self) -> Result<Vec<Json>, ServiceError> {
        let files = self.repository.files.as_ref();
        let mut records = Vec::new();
        for path in files.list(&[EARLIER_RUNS], &[".yaml"]).await?.paths {
            if let Ok(Some(text)) = files.read(&path).await {
                records.extend(self.parse(&path, &text));
            }
        }
        Ok(records)
    }

    /// The workflows of a library that run by themselves.
    ///
    /// # Errors
    /// This service has no calendar.
    pub fn schedules(&self, library: &Library) -> Result<LibrarySchedules, ServiceError> {
        let configuration = self.options.configuration.as_ref().map(|configuration| configuration.in_force());
        let allowed = configuration.map(|in_force| in_force.allowed_schedules).unwrap_or_default();
        Ok(LibrarySchedules::of(library, self.calendar()?, &allowed))
    }

    /// The inputs of a run of this workflow, as it would begin with them: with defaults, and with texts that have become
    /// what the schema expects. Nothing is started.
    ///
    /// # Errors
    /// [`Mistakes`]; a run would not begin.
    pub fn check_inputs(workflow: &Workflow, inputs: Json) -> Result<Json, Mistakes> {
        inputs::check(workflow, inputs)
    }

    /// The value of a YAML or JSON text; `name` is what people call it.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(&self, name: &str, text: &str) -> Result<Json, DocumentError> {
        Ok(self.repository.documents.parse(name, text)?.root.to_json())
    }
}

/// The types of extensions that one workflow uses, or all workflows and definitions.
fn types_of(library: &Library, workflow: Option<&Workflow>) -> BTreeSet<TypeName> {
    let mut named = workflow.map_or_else(|| library.types(), |workflow| library.types_of(workflow));
    named.retain(|name: &TypeName| builtin::model(name).is_none());
    named
}
