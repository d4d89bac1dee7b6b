//! Steps that somebody has to approve, and runs that go on.

use std::sync::Arc;

use mangrove_domain::{
    document::Node,
    json::Json,
    nearest,
    ports::RunFilter,
    problem::{Code, Problem},
    run::{Decision, NotDecided, RunLookup, RunRecord, RunStatus},
    time::Timestamp,
};

use super::{
    active::Start,
    requests::{RunError, StartedRun, broken_files, hide_inputs, unknown},
};
use crate::{
    service::{base::Service, error::ServiceError},
    workflow::run::{Beginning, Resumption, RunOptions, taken},
};

/// A step that somebody has to approve.
#[derive(Clone, Debug, PartialEq)]
pub struct WaitingStep {
    /// The workflow.
    pub workflow: String,
    /// The run.
    pub run_id: String,
    /// The job.
    pub job: String,
    /// The step.
    pub step: String,
    /// Since when it waits.
    pub since: Option<Timestamp>,
    /// What is asked.
    pub prompt: String,
    /// The inputs of the run, secrets masked.
    pub inputs: Json,
}

/// What was decided about a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecideRun {
    /// The workflow, by name or identifier.
    pub workflow: String,
    /// The step, as the run calls it.
    pub step: String,
    /// The run, or the beginning of its identifier; the only one that waits if nothing is said.
    pub run: Option<String>,
    /// True if the step may be passed.
    pub approved: bool,
    /// Why.
    pub reason: Option<String>,
    /// Who decided.
    pub decided_by: String,
}

/// A run that is to go on.
#[derive(Clone, Debug, PartialEq)]
pub struct ResumeRun {
    /// The workflow, by name or identifier.
    pub workflow: String,
    /// The run, or the beginning of its identifier; the only one that can go on if nothing is said.
    pub run: Option<String>,
    /// The step of the workflow from which on it is done again; `None` for a run that waited for an approval.
    pub from: Option<String>,
    /// Inputs over those that it had, an object.
    pub inputs: Json,
    /// The document that these were made of, if there is one.
    pub inputs_written: Option<Node>,
    /// What else is wanted of it.
    pub options: RunOptions,
}

impl Service {
    /// Every step that waits for an approval, those of the run that began first first.
    ///
    /// # Errors
    /// The history cannot be read, or this service has none.
    pub async fn approvals(&self) -> Result<Vec<WaitingStep>, ServiceError> {
        let mut waiting = Vec::new();
        for id in self.ids(None, &[RunStatus::Suspended]).await?.into_iter().rev() {
            let Some(record) = self.run(&id).await?.found() else { continue };
            waiting.extend(record.waiting().map(|(job, step)| WaitingStep {
                workflow: record.name.clone(),
                run_id: record.id.clone(),
                job: job.name.clone(),
                step: step.name.clone(),
                since: step.started_at,
                prompt: step.approval.as_ref().map(|approval| approval.prompt.clone()).unwrap_or_default(),
                inputs: record.inputs.clone(),
            }));
        }
        Ok(waiting)
    }

    /// Writes down what was decided about a step, and gives the record. The run goes on when it is resumed.
    ///
    /// # Errors
    /// [`RunError`]; nothing was decided.
    pub async fn decide(&self, decide: DecideRun) -> Result<RunRecord, RunError> {
        let DecideRun { workflow, step, run, approved, reason, decided_by } = decide;
        let name = self.name_of(&workflow).await?;
        let record = self.one_of(&name, run.as_deref(), &[RunStatus::Suspended]).await?;
        let decision = Decision { approved, reason, decided_by, decided_at: self.clock().now() };
        let decided = record.clone().decided(&step, decision).map_err(|wrong| not_decided(&name, &wrong))?;
        if self.run_store()?.replace(&record, &decided).await.map_err(ServiceError::from)? {
            Ok(decided)
        } else {
            Err(RunError::State(taken(&record)))
        }
    }

    /// Lets a run go on: one that waited for an approval, or, from a step on, one that did not end well.
    ///
    /// # Errors
    /// [`RunError`]; nothing ran.
    pub async fn resume_run(&self, resume: ResumeRun) -> Result<StartedRun, RunError> {
        let engine = self.engine()?;
        let library = self.library().await?;
        let ResumeRun { workflow, run, from, inputs, inputs_written, options } = resume;
        let workflow = Arc::clone(library.workflow(&workflow).map_err(|problem| unknown(&library, problem))?);
        let name = workflow.name.value.clone();
        let statuses: &[RunStatus] = match from {
            None => &[RunStatus::Suspended],
            Some(_) => &[RunStatus::Failed, RunStatus::Interrupted, RunStatus::Cancelled, RunStatus::Blocked],
        };
        let record = self.one_of(&name, run.as_deref(), statuses).await?;
        let file = workflow.file.clone();
        let problems = library.problems_of(&file).cloned().collect();
        let broken_files = broken_files(&library, &file);
        let environment = self.expression_environment();
        hide_inputs(&environment, &workflow);
        let resumption = Resumption { workflow, record, from, inputs, inputs_written, options };
        let beginning = Beginning::Again(Box::new(resumption));
        let (runs, clock) = (Arc::clone(self.run_store()?), Arc::clone(&self.scanner.ports().clock));
        let (run, events) = self.active.start(Start { engine, library, beginning, environment, runs, clock }).await?;
        Ok(StartedRun { run, events, problems, broken_files, file_problem: None })
    }

    /// The name of a workflow by its name or identifier; one that is gone may still have runs.
    async fn name_of(&self, workflow: &str) -> Result<String, ServiceError> {
        let library = self.library().await?;
        Ok(library.workflow(workflow).map_or_else(|_| workflow.to_owned(), |known| known.name.value.clone()))
    }

    /// The identifiers of runs with one of these statuses, newest first.
    async fn ids(&self, name: Option<&str>, statuses: &[RunStatus]) -> Result<Vec<String>, ServiceError> {
        let filter = RunFilter { name: name.map(str::to_owned), ..RunFilter::default() };
        let runs = self.runs(&filter).await?;
        Ok(runs.into_iter().filter(|run| statuses.contains(&run.status)).map(|run| run.id).collect())
    }

    /// The run that is meant: the one of this identifier, or the only one of the workflow with one of these statuses.
    async fn one_of(&self, name: &str, run: Option<&str>, statuses: &[RunStatus]) -> Result<RunRecord, RunError> {
        let id = match run {
            Some(id) => id.to_owned(),
            None => match self.ids(Some(name), statuses).await?.as_slice() {
                [id] => id.clone(),
                [] => {
                    let words: Vec<&str> = statuses.iter().map(|status| status.as_str()).collect();
                    let message = format!("no run of `{name}` is {}", words.join(" or "));
                    return Err(RunError::State(Problem::error(Code::RUN_STATE, name.to_owned(), message)));
                }
                ids => {
                    let message = format!("{} runs of `{name}` could be meant: {}", ids.len(), ids.join(", "));
                    let problem = Problem::error(Code::RUN_STATE, name.to_owned(), message);
                    return Err(RunError::State(problem.advise("name one with `--run`")));
                }
            },
        };
        match self.run(&id).await? {
            RunLookup::Found(record) if record.name == name => Ok(*record),
            RunLookup::Found(record) => {
                let message = format!("the run {} is one of `{}`, not of `{name}`", record.id, record.name);
                Err(RunError::State(Problem::error(Code::RUN_STATE, name.to_owned(), message)))
            }
            RunLookup::Unknown => {
                let message = format!("there is no run {id}");
                Err(RunError::State(Problem::error(Code::RUN_STATE, name.to_owned(), message)))
            }
            RunLookup::Ambiguous => {
                let message = format!("the identifiers of several runs begin with {id}");
                Err(RunError::State(Problem::error(Code::RUN_STATE, name.to_owned(), message)))
            }
        }
    }
}

fn not_decided(name: &str, wrong: &NotDecided) -> RunError {
    let problem = Problem::error(Code::RUN_STATE, name.to_owned(), wrong.to_string());
    RunError::State(match wrong {
        NotDecided::NoStep { step, waiting, .. } if !waiting.is_empty() => {
            let waiting = waiting.iter().map(String::as_str);
            problem.advise(nearest::hint(step, waiting).unwrap_or_else(|| "name a step that waits".to_owned()))
        }
        NotDecided::NoStep { .. }
        | NotDecided::NotSuspended { .. }
        | NotDecided::NotWaiting { .. }
        | NotDecided::Several { .. }
        | NotDecided::Late { .. } => problem,
    })
}
