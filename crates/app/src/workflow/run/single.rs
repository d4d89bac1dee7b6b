//! A single method as a workflow of one step.

use mangrove_domain::{
    document::{Node, NodeValue},
    form::Located,
    json::Json,
    source::Origin,
    workflow::{Job, Step, Target, Task, Workflow},
};

/// A workflow of one step. Each input is handed through as a value by an expression that names it.
pub(super) fn workflow(file: &str, definition: &str, method: &str, inputs: &Json) -> Workflow {
    let located = |text: String| Located { value: text, line: 1, column: 1 };
    let node = |value: NodeValue| Node { line: 1, column: 1, value };
    let handed = inputs.as_object().unwrap_or_default().iter().map(|(name, _)| {
        // An expression ends at the first `}}`, also inside of a text.
        let quoted = Json::from(name.as_str()).to_string().replace('}', "\\u007d");
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
