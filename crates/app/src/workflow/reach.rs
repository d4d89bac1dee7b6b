//! The files that a run of a workflow goes by.

use std::collections::BTreeSet;

use mangrove_domain::{
    definition::{Definition, Place},
    document::{Node, NodeValue},
    source::Origin,
    workflow::{
        Step, Task,
        template::{self, Part},
    },
};

use super::library::Library;

/// What expressions find definitions with that no step names.
const FINDING: [&str; 3] = ["model", "data", "file"];

impl Library {
    /// The files of a workflow, of the definitions that its steps name, and of the workflows that they call, with what these name.
    /// `None` where that is not known before it runs, such as where expressions find further definitions, or where one of them lies
    /// in another root.
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
            for step in workflow.jobs.iter().flat_map(|job| &job.steps) {
                if finds_in_step(step) {
                    return None;
                }
                match &step.task {
                    Task::ModelMethod { target, .. } => {
                        let definition = self.definition(plain(&target.name().value)?).ok()?;
                        if finds_in_definition(definition) {
                            return None;
                        }
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

/// True if an expression of the step may find definitions by itself.
fn finds_in_step(step: &Step) -> bool {
    let is_found = match &step.task {
        Task::ModelMethod { method, inputs, global_arguments, .. } => {
            finds_in_text(&method.value) || [inputs, global_arguments].into_iter().flatten().any(finds_in_node)
        }
        Task::Workflow { inputs, .. } => inputs.iter().any(finds_in_node),
        Task::Assert { expression, message, .. } => finds(&expression.value) || finds_in_text(&message.value),
        Task::ManualApproval { prompt, .. } => finds_in_text(&prompt.value),
    };
    is_found
        || finds_in_text(&step.name.value)
        || step.guard.iter().any(|guard| finds(&guard.value))
        || step.for_each.iter().any(|each| finds_in_node(&each.over))
}

fn finds_in_definition(definition: &Definition) -> bool {
    let of_methods = definition.methods.iter().filter_map(|method| method.arguments.as_ref());
    definition.global_arguments.iter().chain(of_methods).any(finds_in_node)
}

fn finds_in_node(node: &Node) -> bool {
    match &node.value {
        NodeValue::String(text) => finds_in_text(text),
        NodeValue::List(items) => items.iter().any(finds_in_node),
        NodeValue::Map(members) => members.iter().any(|(_, value)| finds_in_node(value)),
        NodeValue::Null | NodeValue::Bool(_) | NodeValue::Number(_) => false,
    }
}

fn finds_in_text(text: &str) -> bool {
    template::split(text).iter().any(|part| matches!(part, Part::Expression(span) if finds(span.expression)))
}

/// True if the expression has one of the words, wherever it stands: at worst, more is looked at than need be.
fn finds(expression: &str) -> bool {
    let is_part_of_word = |character: char| character.is_alphanumeric() || character == '_';
    expression.split(|character| !is_part_of_word(character)).any(|word| FINDING.contains(&word))
}

/// A name without expressions.
fn plain(name: &str) -> Option<&str> {
    template::split(name).iter().all(|part| matches!(part, Part::Text(_))).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_find_definitions_with_some_words_and_text_never_does() {
        for text in ["${{ model.net.resource.state.main.attributes.id }}", "a ${{ data.latest('net', 'state') }}"] {
            assert!(finds_in_text(text), "{text}");
        }
        for text in ["model.net", "${{ inputs.database }}", "${{ self.models[0] }} of the data"] {
            assert!(!finds_in_text(text), "{text}");
        }
    }
}
