//! The files that a run of a workflow goes by.

use std::collections::BTreeSet;

use mangrove_domain::{
    definition::Place,
    source::Origin,
    workflow::{
        Task, Workflow,
        template::{self, Part},
    },
};

use super::library::Library;

impl Library {
    /// The files of a workflow, of the definitions that its steps name, and of the workflows that they call, with what these name.
    /// `None` where that is not known before it runs, or where one of them lies in another root.
    pub(super) fn reached_files(&self, workflow: &str) -> Option<BTreeSet<&str>> {
        let mut files = BTreeSet::new();
        let mut pending = vec![self.workflow(workflow).ok()?];
        while let Some(workflow) = pending.pop() {
            if workflow.origin != Origin::Local {
                return None;
            }
            if !files.insert(workflow.file.as_str()) {
                continue;
            }
            for task in tasks(workflow) {
                match task {
                    Task::ModelMethod { target, .. } => {
                        let definition = self.definition(plain(&target.name().value)?).ok()?;
                        // Those that the program writes are all looked at, at each start.
                        if definition.place != Place::Automatic {
                            files.insert(definition.file.as_str());
                        }
                    }
                    Task::Workflow { name, .. } => pending.push(self.workflow(plain(&name.value)?).ok()?),
                    Task::Assert { .. } | Task::ManualApproval { .. } => {}
                }
            }
        }
        Some(files)
    }
}

fn tasks(workflow: &Workflow) -> impl Iterator<Item = &Task> {
    workflow.jobs.iter().flat_map(|job| &job.steps).map(|step| &step.task)
}

/// A name without expressions.
fn plain(name: &str) -> Option<&str> {
    template::split(name).iter().all(|part| matches!(part, Part::Text(_))).then_some(name)
}
