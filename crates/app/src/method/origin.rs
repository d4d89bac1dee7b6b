//! Where a call stands: what is written down of whoever writes data.

use mangrove_domain::{
    data::{Owner, OwnerKind},
    definition::Definition,
    json::Json,
};

/// Where a call stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Origin {
    /// The step of a workflow; `None` for a method that was run alone.
    pub(crate) step: Option<StepOrigin>,
    /// Labels that whoever started the run gave it.
    pub(crate) run_tags: Vec<(String, String)>,
    /// What the step says of what is written; under it, once the call is known, what its definition says. The last one
    /// counts.
    pub(crate) overrides: Vec<OutputSettings>,
}

/// A step of a workflow.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StepOrigin {
    pub(crate) workflow_id: String,
    pub(crate) workflow_name: String,
    pub(crate) workflow_tags: Vec<(String, String)>,
    pub(crate) job: String,
    pub(crate) step: String,
}

/// What is said of the items of one specification.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct OutputSettings {
    pub(crate) spec_name: String,
    pub(crate) lifetime: Option<String>,
    pub(crate) garbage_collection: Option<Json>,
    pub(crate) tags: Vec<(String, String)>,
    /// Values that become part of the name.
    pub(crate) vary: Vec<String>,
    /// The vault of sensitive values.
    pub(crate) vault_name: Option<String>,
}

/// What stands in the tag `source` of what a step writes.
const STEP_OUTPUT: &str = "step-output";

impl OutputSettings {
    /// What a definition says of the resources of its type.
    fn of_definition(definition: &Definition) -> impl Iterator<Item = Self> + '_ {
        definition.resources.iter().map(|resource| Self {
            spec_name: resource.spec.value.clone(),
            lifetime: resource.lifetime.clone(),
            garbage_collection: resource.garbage_collection.clone(),
            vault_name: resource.vault_name.clone(),
            ..Self::default()
        })
    }
}

impl Origin {
    /// The same place, for a call of this definition.
    pub(super) fn over(&self, definition: &Definition) -> Self {
        let overrides = OutputSettings::of_definition(definition).chain(self.overrides.iter().cloned()).collect();
        Self { overrides, ..self.clone() }
    }

    /// The owner of what a method of this definition writes in this run.
    pub(super) fn owner(&self, model_id: &str, run_id: &str) -> Owner {
        let of_step = |text: fn(&StepOrigin) -> &String| self.step.as_ref().map(|step| text(step).clone());
        Owner {
            kind: OwnerKind::ModelMethod,
            reference: model_id.to_owned(),
            workflow_id: of_step(|step| &step.workflow_id),
            workflow_run_id: self.step.as_ref().map(|_| run_id.to_owned()),
            workflow_name: of_step(|step| &step.workflow_name),
            job_name: of_step(|step| &step.job),
            step_name: of_step(|step| &step.step),
            source: self.step.as_ref().map(|_| STEP_OUTPUT.to_owned()),
        }
    }

    /// The labels that say where something was written.
    pub(super) fn tags(&self, run_id: &str) -> Vec<(String, String)> {
        let mut tags = Vec::new();
        if let Some(step) = &self.step {
            tags.extend(step.workflow_tags.iter().cloned());
            let own = [
                ("source", STEP_OUTPUT),
                ("workflow", &step.workflow_name),
                ("workflowId", &step.workflow_id),
                ("workflowRunId", run_id),
                ("job", &step.job),
                ("step", &step.step),
            ];
            tags.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        tags.extend(self.run_tags.iter().cloned());
        tags
    }

    /// The vault that is named for the sensitive values of a specification.
    pub(super) fn vault(&self, spec_name: &str) -> Option<&str> {
        self.overrides
            .iter()
            .rev()
            .filter(|settings| settings.spec_name == spec_name)
            .find_map(|settings| settings.vault_name.as_deref())
    }

    /// What is said of the items of a specification, the earliest first.
    pub(super) fn settings<'a>(&'a self, spec_name: &'a str) -> impl Iterator<Item = &'a OutputSettings> {
        self.overrides.iter().filter(move |settings| settings.spec_name == spec_name)
    }
}
