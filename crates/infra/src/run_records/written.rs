//! The steps of records, each in a row of its own: of a run that goes on, only those are written that have changed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use mangrove_domain::run::{JobRecord, RunRecord, StepRecord};

use super::record;

/// What is on record of the runs that this process carries out. Nobody else writes these.
#[derive(Debug, Default)]
pub(crate) struct Written(Mutex<HashMap<String, Steps>>);

/// The steps of a run, by job.
type Steps = Vec<Vec<Arc<StepRecord>>>;

/// What has to be written of the steps of a record.
pub(crate) struct Changes {
    /// True if nothing is known of what is there: then these are all of its steps.
    pub(crate) is_all: bool,
    /// The steps.
    pub(crate) steps: Vec<ChangedStep>,
}

/// One step that is written.
pub(crate) struct ChangedStep {
    /// The place of its job.
    pub(crate) job: usize,
    /// Its place in the job.
    pub(crate) place: usize,
    /// Its document.
    pub(crate) json: String,
}

impl Written {
    /// What a record has that is not written. Until [`keep`](Self::keep) says that this has been written, nothing is known of
    /// what is there.
    pub(crate) fn changes(&self, record: &RunRecord) -> (Changes, Steps) {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&record.id);
        // A job whose steps have become others has other rows.
        let known = known.filter(|known| {
            known.len() == record.jobs.len()
                && known.iter().zip(&record.jobs).all(|(known, job)| known.len() == job.steps.len())
        });
        let is_all = known.is_none();
        let mut known = known.unwrap_or_else(|| vec![Vec::new(); record.jobs.len()]);
        let mut steps = Vec::new();
        for (number, (known, job)) in known.iter_mut().zip(&record.jobs).enumerate() {
            for (place, step) in job.steps.iter().enumerate() {
                match known.get_mut(place) {
                    Some(known) if Arc::ptr_eq(known, step) || known == step => continue,
                    Some(known) => *known = Arc::clone(step),
                    None => known.push(Arc::clone(step)),
                }
                steps.push(ChangedStep { job: number, place, json: record::step_to_json(step) });
            }
        }
        (Changes { is_all, steps }, known)
    }

    /// Nothing is known any more of what is on record of a run: whatever is written of it next, is all of it.
    #[cfg(feature = "postgres")]
    pub(crate) fn doubt(&self, run: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(run);
    }

    /// The same of all runs.
    #[cfg(feature = "postgres")]
    pub(crate) fn doubt_all(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// These steps are on record, and this process goes on writing them.
    pub(crate) fn keep(&self, run: &str, steps: Steps) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(run.to_owned(), steps);
    }
}

impl Changes {
    /// All steps.
    pub(crate) fn all(jobs: &[JobRecord]) -> Self {
        let steps = jobs.iter().enumerate().flat_map(|(number, job)| {
            let of_step = move |(place, step): (usize, &Arc<StepRecord>)| ChangedStep {
                job: number,
                place,
                json: record::step_to_json(step),
            };
            job.steps.iter().enumerate().map(of_step)
        });
        Self { is_all: true, steps: steps.collect() }
    }
}
