//! What a service is asked about runs.

use std::{collections::BTreeSet, sync::Arc};

use mangrove_domain::{
    document::Node,
    json::Json,
    ports::{CancellationRequest, RunFilter},
    problem::{Problem, Severity},
    run::{RunHeader, RunLookup, RunRecord},
    vault,
    workflow::Workflow,
};

use super::{active::Start, brought, handle::RunHandle, live::RunEvents};
use crate::{
    method::{Services, definitions::Definitions},
    secrets::{Environment, HiddenInputs},
    service::{base::Service, error::ServiceError},
    workflow::{
        inputs,
        library::Library,
        run::{Beginning, Engine, Limits, RunOptions, RunRequest, StartError},
    },
};

/// The variable that bounds how many steps of a job run at once.
const MOST_STEPS: &str = "SWAMP_MAX_CONCURRENT_STEPS";

/// What to run.
#[derive(Clone, Debug, PartialEq)]
pub struct StartRun {
    /// Which workflow or method.
    pub what: Runnable,
    /// Its inputs, an object. Texts become what the schema expects.
    pub inputs: Json,
    /// The document that the inputs were made of, if there is one: its numbers keep their text where a text is wanted.
    pub inputs_written: Option<Node>,
    /// Who or what starts it: `command-line`, `schedule`, ….
    pub trigger: String,
    /// What else is wanted of it.
    pub options: RunOptions,
}

/// Something that can be run, by name or identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Runnable {
    /// A workflow.
    Workflow(String),
    /// One method of a definition.
    Method {
        /// The definition.
        definition: String,
        /// Its method.
        method: String,
    },
    /// One method of an instance of a type, which is made if it is not there.
    Instance {
        /// The model type.
        type_name: String,
        /// The instance.
        name: String,
        /// Its method.
        method: String,
        /// What whoever asks has written with its own hand, and may read all vaults: an expression in it that reads `env` or a vault,
        /// and becomes a global argument, is written into the definition as it stands. All others are refused.
        written: Vec<String>,
    },
}

/// A run that is on record and begins.
#[derive(Debug)]
pub struct StartedRun {
    /// The hold on it.
    pub run: RunHandle,
    /// Everything that happens in it, from its beginning.
    pub events: RunEvents,
    /// What is wrong with the file of the workflow or definition, short of keeping it from running.
    pub problems: Vec<Problem>,
    /// Other files of the repository that are in error, sorted.
    pub broken_files: Vec<String>,
    /// Why the file of the workflow cannot be used: what runs is the workflow as it was before.
    pub file_problem: Option<Problem>,
}

/// Why a run did not begin.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No workflow or definition has the name, or more than one.
    #[error("{}", problem.message)]
    Unknown {
        /// What is wrong with the name.
        problem: Problem,
        /// What is wrong with files of which one may have the name; empty if it is not unknown.
        hiding: Vec<Problem>,
    },
    /// The run is in no state for what is asked of it.
    #[error("{}", .0.message)]
    State(Problem),
    /// The inputs are wrong, or the run cannot be recorded. Nothing ran.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The definitions and workflows cannot be read, or this service runs nothing.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl Service {
    /// Starts a run: when this comes back, it has its identifier, is on record and begins. It goes on whatever becomes
    /// of whoever asked for it.
    ///
    /// # Errors
    /// [`RunError`]; nothing ran.
    pub async fn start_run(&self, start: StartRun) -> Result<StartedRun, RunError> {
        let engine = self.engine()?;
        let library = self.library().await?;
        let StartRun { what, inputs, inputs_written, trigger, options } = start;
        let file = file_of(&library, &what)?;
        let environment = self.expression_environment();
        let request = match &what {
            Runnable::Workflow(name) => {
                let workflow = Arc::clone(library.workflow(name).map_err(|problem| unknown(&library, problem))?);
                self.refuse_mistakes(&engine, &library, &workflow).await?;
                RunRequest::new(workflow, inputs, trigger)
            }
            Runnable::Method { definition, method } => {
                Engine::method_request(&library, definition, method, inputs, trigger)?
            }
            Runnable::Instance { type_name, name, method, written } => {
                let reader = self.repository.expressions.as_ref();
                for raw in written.iter().flat_map(|text| brought::expressions(text, reader)) {
                    environment.bring(raw);
                }
                Engine::instance_request(type_name, name, method, inputs, trigger)
            }
        };
        let request = RunRequest { inputs_written, options, ..request };
        self.begin(engine, library, &file, request, environment).await
    }

    /// A workflow with the values that everything in it has before a run with these inputs. Nothing runs.
    ///
    /// # Errors
    /// [`RunError`]; a run would not begin.
    pub async fn evaluate(&self, workflow: &str, inputs: &Node) -> Result<Arc<Workflow>, RunError> {
        let library = self.library().await?;
        let workflow = library.workflow(workflow).map_err(|problem| unknown(&library, problem))?;
        let inputs = inputs::as_written(workflow, inputs.to_json(), Some(inputs));
        Ok(self.engine()?.evaluate(&library, workflow, inputs, &Arc::new(self.expression_environment())).await?)
    }

    /// Starts a run of what this file has.
    pub(super) async fn begin(
        &self,
        engine: Engine,
        library: Arc<Library>,
        file: &str,
        request: RunRequest,
        environment: Environment,
    ) -> Result<StartedRun, RunError> {
        hide_inputs(&environment, &request.workflow);
        let unnamed = inputs::unnamed(&request.workflow, &request.inputs);
        let problems = library.problems_of(file).cloned().chain(unnamed).collect();
        let broken_files = broken_files(&library, file);
        let file_problem = request.file_problem.clone();
        let (runs, clock) = (Arc::clone(self.run_store()?), Arc::clone(&self.scanner.ports().clock));
        let beginning = Beginning::New(Box::new(request));
        let (run, events) = self.active.start(Start { engine, library, beginning, environment, runs, clock }).await?;
        Ok(StartedRun { run, events, problems, broken_files, file_problem })
    }

    /// The runs of this process that are under way, as they were recorded last, the one that began first first. Runs
    /// that steps start are part of the run of the step.
    #[must_use]
    pub fn active_runs(&self) -> Vec<Arc<RunRecord>> {
        self.active.list()
    }

    /// A hold on a run of this process by its whole identifier; `None` if it is not under way.
    #[must_use]
    pub fn active_run(&self, id: &str) -> Option<RunHandle> {
        self.active.get(id)
    }

    /// Asks a run of this process to end; false if none of this whole identifier is under way.
    #[must_use]
    pub fn cancel_run(&self, id: &str) -> bool {
        self.active.get(id).map(|run| run.cancel()).is_some()
    }

    /// Asks a run of this process to end, and says why, one sentence without a full stop; false if none of this whole identifier
    /// is under way.
    #[must_use]
    pub fn cancel_run_because(&self, id: &str, reason: &str) -> bool {
        self.active.get(id).map(|run| run.cancel_because(reason)).is_some()
    }

    /// Asks the process that has a run to end it, wherever that is; false if nobody has it. The identifier is a whole one.
    ///
    /// # Errors
    /// The history cannot be written, or this service has none.
    pub async fn request_cancellation(&self, id: &str, reason: Option<&str>) -> Result<bool, ServiceError> {
        let request = CancellationRequest { run: id.to_owned(), reason: reason.map(str::to_owned) };
        Ok(self.run_store()?.request_cancellation(&request).await?)
    }

    /// True if the configuration in force speaks of this driver.
    #[must_use]
    pub fn names_driver(&self, driver: &str) -> bool {
        self.drivers.load().names(driver)
    }

    /// The headers of recorded runs, newest first.
    ///
    /// # Errors
    /// The history cannot be read, or this service has none.
    pub async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunHeader>, ServiceError> {
        Ok(self.run_store()?.list(filter).await?)
    }

    /// False if other machines share the history and could not be asked when [`runs`](Self::runs) were read last.
    #[must_use]
    pub fn sees_all_runs(&self) -> bool {
        self.run_store().is_ok_and(|store| store.sees_all())
    }

    /// The recorded run of this identifier, or of the only one that starts with it.
    ///
    /// # Errors
    /// The history cannot be read, or this service has none.
    pub async fn run(&self, id: &str) -> Result<RunLookup, ServiceError> {
        Ok(self.run_store()?.get(id).await?)
    }

    /// The variables that expressions can name, none of them given out yet.
    pub(super) fn expression_environment(&self) -> Environment {
        let variables = self.repository.environment.iter();
        Environment::new(variables.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    pub(super) fn engine(&self) -> Result<Engine, ServiceError> {
        let running = self.running()?;
        let ports = self.scanner.ports();
        let services = Services {
            types: Arc::clone(&self.types) as _,
            runner: Arc::clone(&running.runner),
            shell: Arc::clone(&running.shell),
            vaults: self.vaults()?.clone(),
            runs: Arc::clone(self.run_store()?),
            data: Arc::clone(&running.data),
            sources: Arc::clone(&ports.tree),
            definitions: Definitions {
                written: Arc::clone(&self.repository.files),
                files: Arc::clone(&self.repository.definitions),
                documents: Arc::clone(&self.repository.documents),
                entropy: Arc::clone(&ports.entropy),
            },
            expressions: Arc::clone(&self.repository.expressions),
            schemas: Arc::clone(&self.repository.schemas),
            clock: Arc::clone(&ports.clock),
            entropy: Arc::clone(&ports.entropy),
            permissions: Arc::clone(&self.permissions),
            drivers: Arc::clone(&self.drivers),
            bundles: Arc::clone(&self.bundles),
        };
        let limits = Limits { most_steps: self.most_steps().min(running.limits.most_steps), ..running.limits };
        Ok(Engine::new(services, self.repository.directory.display().to_string(), limits))
    }

    /// How many steps of a job may run at once, whatever its workflow says.
    fn most_steps(&self) -> usize {
        let said = self.repository.environment.get(MOST_STEPS).and_then(|text| text.trim().parse().ok());
        said.filter(|limit| *limit > 0).unwrap_or(usize::MAX)
    }
}

/// The file of what is to be run.
/// Hides what is sensitive among the inputs of a run: by the schema of its workflow; of a single call, all until it knows its
/// type.
pub(super) fn hide_inputs(environment: &Environment, workflow: &Workflow) {
    environment.hide_inputs(if workflow.is_single_call() {
        HiddenInputs::All
    } else {
        HiddenInputs::At(vault::sensitive_paths(&workflow.input_schema()))
    });
}

fn file_of(library: &Library, what: &Runnable) -> Result<String, RunError> {
    let found = match what {
        Runnable::Workflow(name) => library.workflow(name).map(|workflow| workflow.file.clone()),
        Runnable::Method { definition, .. } => library.definition(definition).map(|known| known.file.clone()),
        // What is wrong with a definition of its name is told when it is looked for.
        Runnable::Instance { .. } => return Ok(String::new()),
    };
    found.map_err(|problem| unknown(library, problem))
}

pub(in crate::service) fn unknown(library: &Library, problem: Problem) -> RunError {
    let hiding = library.hiding_problems(&problem).into_iter().cloned().collect();
    RunError::Unknown { problem, hiding }
}

/// The files of the repository that are in error, but for this one.
pub(super) fn broken_files(library: &Library, file: &str) -> Vec<String> {
    let errors = library.own_problems().filter(|problem| problem.severity == Severity::Error);
    let files: BTreeSet<&str> =
        errors.map(|problem| problem.subject.as_str()).filter(|subject| *subject != file).collect();
    files.into_iter().map(str::to_owned).collect()
}
