//! A run as it is now. Its record is written when a step has ended; what has happened since is told by the run itself, if it goes
//! on in this process.

use mangrove_app::{
    service::{RunHandle, Service},
    workflow::{RunChange, RunEvent},
};
use mangrove_documents::{JobDocument, RunDocument, StepDocument};
use mangrove_domain::run::{RunRecord, RunStatus};

use super::log::LineView;

/// A run as it is now.
pub(crate) struct Now {
    pub(crate) run: RunDocument,
    /// Everything that it has logged, as far as that is known. The first is the oldest.
    pub(crate) lines: Vec<LineView>,
    /// True if it goes on in this process.
    pub(crate) is_here: bool,
}

impl Now {
    /// The run of this record. Nothing is waited for.
    pub(crate) async fn of(service: &Service, record: RunRecord) -> Self {
        let Some(handle) = service.active_run(&record.id) else {
            return Self { run: RunDocument::from(&record), lines: sorted(recorded(&record)), is_here: false };
        };
        let mut now = Self { run: RunDocument::from(&record), lines: recorded(&record), is_here: true };
        for (number, event) in events(&handle).await.into_iter().enumerate() {
            now.take(number == 0, event);
        }
        Self { lines: sorted(now.lines), ..now }
    }

    fn take(&mut self, is_first: bool, event: RunEvent) {
        let is_own = *event.run_id == *self.run.run_id;
        match event.change {
            RunChange::Log { job, step, line } => self.lines.push(LineView::new(&job, &step, &line)),
            // The record may be newer than the one that was read.
            RunChange::Started(record) | RunChange::Finished(record) if is_first => {
                self.is_here = record.is_open();
                self.run = RunDocument::from(record.as_ref());
                self.lines = recorded(&record);
            }
            RunChange::JobStarted { job } if is_own => self.job(&job, |job| go_on(&mut job.status)),
            RunChange::StepStarted { job, step, task } if is_own => self.step(&job, &step, |step| {
                go_on(&mut step.status);
                step.task = task;
            }),
            RunChange::StepFinished { job, step } if is_own => {
                let ended = StepDocument::from(step.as_ref());
                self.step(&job, &step.name, |step| *step = ended);
            }
            RunChange::JobFinished { job, status } if is_own => {
                self.job(&job, |job| status.as_str().clone_into(&mut job.status));
            }
            // What happens in runs that its steps started; and lines that are gone.
            _ => {}
        }
    }

    fn job(&mut self, name: &str, change: impl FnOnce(&mut JobDocument)) {
        if let Some(job) = self.run.jobs.iter_mut().find(|job| job.name == name) {
            change(job);
        }
    }

    fn step(&mut self, job: &str, name: &str, change: impl FnOnce(&mut StepDocument)) {
        self.job(job, |job| {
            if let Some(step) = job.steps.iter_mut().find(|step| step.name == name) {
                change(step);
            }
        });
    }
}

fn go_on(status: &mut String) {
    if RunStatus::parse(status) == Some(RunStatus::Pending) {
        RunStatus::Running.as_str().clone_into(status);
    }
}

fn recorded(record: &RunRecord) -> Vec<LineView> {
    let steps = record.jobs.iter().flat_map(|job| job.steps.iter().map(move |step| (job, step)));
    steps.flat_map(|(job, step)| step.logs.iter().map(|line| LineView::new(&job.name, &step.name, line))).collect()
}

fn sorted(mut lines: Vec<LineView>) -> Vec<LineView> {
    lines.sort_by_key(|line| line.at);
    lines
}

/// What is known of a run that goes on, from its record on.
async fn events(run: &RunHandle) -> Vec<RunEvent> {
    let mut events = run.events();
    let mut known = Vec::new();
    loop {
        let event = tokio::select! {
            biased;
            event = events.next() => event,
            () = std::future::ready(()) => None,
        };
        match event {
            Some(event) => known.push(event),
            None => return known,
        }
    }
}
