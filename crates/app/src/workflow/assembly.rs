//! Making a library of what its files say.

use std::sync::Arc;

use mangrove_domain::{definition::Definition, problem::Problem, workflow::Workflow};

use super::{
    definitions,
    library::{Layout, Library},
    named::{Words, shared},
    part::{Outcome, PartFile},
    parts::Parts,
    read_file::{Content, ReadFile},
};

impl Library {
    /// The library of these files.
    pub(super) fn of(parts: &Parts, layout: &Layout) -> Self {
        let mut library = Self::default();
        library.problems.extend(parts.definitions.list.problems.iter().cloned());
        for file in &parts.definitions.files {
            if let Some(read) = library.outcome(file) {
                library.add_definition(read);
            }
        }
        library.definition_directories =
            layout.definition_places().into_iter().map(|(directory, _)| directory.to_owned()).collect();
        // What lies deeper is data, whether it can be read or not.
        let counts = |subject: &str| subject == layout.workflows || subject.starts_with(&layout.further_workflows);
        let listing = parts.workflows.list.problems.iter().filter(|problem| counts(&problem.subject));
        library.problems.extend(listing.cloned());
        for file in &parts.workflows.files {
            let Some(read) = library.outcome(file) else { continue };
            let is_copy = || library.workflows.iter().any(|known| Some(known.id.as_str()) == read.id());
            if !(layout.is_earlier(&read.file) && is_copy()) {
                library.add_workflow(read);
            }
        }
        library.add_external(parts);
        library.words = Words::of(&library.workflows);
        let twins: Vec<Problem> = shared(&library.workflows, &library.words).collect();
        library.problems.extend(twins);
        for read in &parts.automatic {
            library.add_definition(read);
            library.definition_directories.push(read.file.clone());
        }
        library.settle_definitions();
        library
    }

    /// What was read of a file; what keeps it from being read is told.
    fn outcome<'a, T>(&mut self, file: &'a PartFile<T>) -> Option<&'a ReadFile<T>> {
        match &file.outcome {
            Outcome::Read(read) => Some(read),
            Outcome::Absent => None,
            Outcome::Unreadable(problem) => {
                self.problems.push(problem.clone());
                None
            }
        }
    }

    fn add_definition(&mut self, read: &ReadFile<Definition>) {
        self.note(read);
        match &read.content {
            Content::Usable(definition) => self.definitions.push(Arc::clone(definition)),
            Content::Broken(broken) => self.broken_definitions.push(broken.clone()),
            Content::Other(_) => {}
        }
    }

    fn add_workflow(&mut self, read: &ReadFile<Workflow>) {
        match &read.content {
            Content::Usable(workflow) => self.workflows.push(Arc::clone(workflow)),
            Content::Broken(broken) => self.broken_workflows.push(broken.clone()),
            Content::Other(reason) => {
                self.other_files.insert(read.file.clone(), reason.clone());
                return;
            }
        }
        self.texts.extend(read.text.clone().map(|text| (read.file.clone(), text)));
        self.note(read);
    }

    fn note<T>(&mut self, read: &ReadFile<T>) {
        self.digests.insert(read.file.clone(), read.digest);
        self.problems.extend(read.problems.iter().cloned());
    }

    /// Adds workflows of other roots.
    fn add_external(&mut self, parts: &Parts) {
        self.foreign.extend(parts.outside.problems.iter().map(|problem| problem.subject.clone()));
        self.problems.extend(parts.outside.problems.iter().cloned());
        self.outside.clone_from(&parts.outside);
        for read in &parts.external {
            self.add_workflow(read);
            self.foreign.insert(read.file.clone());
        }
    }

    /// Says which of several definitions counts.
    fn settle_definitions(&mut self) {
        self.definitions = definitions::without_older_copies(std::mem::take(&mut self.definitions));
        self.problems.extend(definitions::twins(&self.definitions));
    }
}
