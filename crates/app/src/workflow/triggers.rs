//! The workflows of a library that run by themselves.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use mangrove_domain::{
    ports::{Calendar, Recurrence},
    problem::{Problem, Severity},
    source::Origin,
    workflow::Workflow,
};

use super::{library::Library, outside::Outside, validate};

/// What is scheduled, and why other files are not.
#[derive(Debug, Default)]
pub struct LibrarySchedules {
    /// In the order of their files.
    pub scheduled: Vec<Scheduled>,
    /// Those of pulled extensions that nobody has allowed: they are not in force.
    pub not_enabled: Vec<Scheduled>,
    /// The first error of each file or directory of workflows that has one, by its name. Whether there is a schedule in it,
    /// and which, is not known.
    pub broken: BTreeMap<String, Problem>,
    /// Why files that may have been workflows are none.
    other_files: HashMap<String, Problem>,
    /// What is known of other roots.
    outside: Outside,
    places: HashMap<String, usize>,
}

/// A workflow that runs by itself.
#[derive(Clone, Debug)]
pub struct Scheduled {
    /// The workflow; its trigger has a schedule.
    pub workflow: Arc<Workflow>,
    /// When it is due.
    pub recurrence: Arc<dyn Recurrence>,
}

impl LibrarySchedules {
    /// Looks at every workflow. One that cannot be run by its name does not run by itself either, and one that a pulled
    /// extension brought only if its name is `allowed`.
    #[must_use]
    pub fn of(library: &Library, calendar: &dyn Calendar, allowed: &BTreeSet<String>) -> Self {
        let mut schedules = Self::default();
        let mut usable = HashSet::new();
        for workflow in library.usable_workflows() {
            usable.insert(workflow.file.as_str());
            if workflow.is_trigger_broken {
                schedules.add_broken(library.first_error(&workflow.file).cloned());
                continue;
            }
            match validate::recurrence(workflow, calendar) {
                None => {}
                Some(Ok(recurrence)) if is_off(workflow, allowed) => {
                    schedules.not_enabled.push(Scheduled { workflow: Arc::clone(workflow), recurrence });
                }
                Some(Ok(recurrence)) => {
                    schedules.places.insert(workflow.file.clone(), schedules.scheduled.len());
                    schedules.scheduled.push(Scheduled { workflow: Arc::clone(workflow), recurrence });
                }
                Some(Err(problems)) => schedules.add_broken(problems),
            }
        }
        let errors = library.problems.iter().filter(|problem| problem.severity == Severity::Error);
        let further = errors.filter(|problem| !usable.contains(problem.subject.as_str()));
        schedules.add_broken(further.filter(|problem| !library.is_of_definitions(problem)).cloned());
        schedules.other_files.clone_from(library.other_files());
        schedules.outside.clone_from(&library.outside);
        schedules
    }

    fn add_broken(&mut self, problems: impl IntoIterator<Item = Problem>) {
        for problem in problems {
            self.broken.entry(problem.subject.clone()).or_insert(problem);
        }
    }

    /// True if this workflow has a schedule that is not in force, because nobody has allowed it.
    #[must_use]
    pub fn is_not_enabled(&self, workflow: &Workflow) -> bool {
        self.not_enabled.iter().any(|scheduled| scheduled.workflow.file == workflow.file)
    }

    /// When this workflow is due; `None` if it does not run by itself.
    #[must_use]
    pub fn recurrence(&self, workflow: &Workflow) -> Option<&Arc<dyn Recurrence>> {
        Some(&self.scheduled.get(*self.places.get(&workflow.file)?)?.recurrence)
    }

    /// What is wrong with schedules and is no problem of the library yet, by the names of files.
    pub fn further_problems<'a>(&'a self, library: &'a Library) -> impl Iterator<Item = &'a Problem> {
        self.broken.values().filter(|problem| !library.problems.contains(problem))
    }

    /// Why nothing is known of the schedule that this file had; `None` if it has none any more.
    #[must_use]
    pub fn fault_of(&self, file: &str, origin: Origin) -> Option<Problem> {
        let directories = file.match_indices('/').map(|(end, _)| &file[..end]);
        let own = std::iter::once(file).chain(directories).find_map(|name| self.broken.get(name));
        let own = own.or_else(|| self.other_files.get(file));
        own.cloned().or_else(|| self.outside.conceals(file, origin))
    }
}

/// True for a schedule that came with an extension and that nobody has allowed.
fn is_off(workflow: &Workflow, allowed: &BTreeSet<String>) -> bool {
    workflow.origin == Origin::Pulled && !allowed.contains(&workflow.name.value)
}
