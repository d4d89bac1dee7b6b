//! A single method as a workflow of one step.

use mangrove_domain::{
    definition::Definition,
    document::{Node, NodeValue},
    form::Located,
    inputs,
    json::Json,
    source::Origin,
    workflow::{Job, Step, Target, Task, Workflow},
};

/// A workflow of one step. Each input is handed through as a value by an expression that names it, but for those that the
/// definition names as its own: they are for its expressions, which see them as they see those of any workflow.
pub(super) fn workflow(known: &Definition, method: &str, inputs: &Json) -> Workflow {
    let (file, definition) = (known.file.as_str(), known.name.value.as_str());
    let own = inputs::schema(known.inputs.as_ref());
    let is_own = |name: &str| inputs::properties(&own).iter().any(|(known, _)| known == name);
    let located = |text: String| Located { value: text, line: 1, column: 1 };
    let node = |value: NodeValue| Node { line: 1, column: 1, value };
    let handed = inputs.as_object().unwrap_or_default().iter().filter(|(name, _)| !is_own(name)).map(|(name, _)| {
        let quoted = Json::from(name.as_str()).to_string();
        let value = node(NodeValue::String(format!("${{{{ inputs[{quoted}] }}}}")));
        (node(NodeValue::String(name.clone())), value)
    });
    let task = Task::ModelMethod {
        target: Target::Definition(located(definition.to_owned())),
        method: located(method.to_owned()),
        inputs: Some(node(NodeValue::Map(handed.collect()))),
    };
    let step = Step {
        name: located(method.to_owned()),
        description: None,
        task,
        for_each: None,
        depends_on: Vec::new(),
        weight: 0,
        allow_failure: false,
        timeout: None,
        driver: None,
    };
    let job = Job {
        name: located(definition.to_owned()),
        description: None,
        depends_on: Vec::new(),
        weight: 0,
        concurrency: None,
        driver: None,
        steps: vec![step],
    };
    Workflow {
        file: file.to_owned(),
        origin: Origin::Local,
        id: String::new(),
        name: located(format!("{definition}.{method}")),
        description: None,
        tags: Vec::new(),
        inputs: None,
        trigger: None,
        is_trigger_broken: false,
        concurrency: None,
        driver: None,
        jobs: vec![job],
    }
}
