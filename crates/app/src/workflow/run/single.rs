//! A single method as a workflow of one step.

use mangrove_domain::{
    definition::Definition,
    document::{Node, NodeValue},
    form::Located,
    inputs,
    json::Json,
    selection::Selection,
    source::Origin,
    workflow::{Job, Step, Target, Task, Workflow},
};

/// A workflow of one step that calls an instance of a type, as a step of a file would.
pub(super) fn of_instance(type_name: &str, name: &str, method: &str, inputs: &Json) -> Workflow {
    let target = Target::Instance { type_name: located(type_name), name: located(name) };
    of_target("", target, method, inputs)
}

/// A workflow of one step. Each input is handed through as a value by an expression that names it, but for those that the
/// definition names as its own: they are for its expressions, which see them as they see those of any workflow.
pub(super) fn workflow(known: &Definition, method: &str, inputs_of_call: &Json) -> Workflow {
    let own = inputs::schema(known.inputs.as_ref());
    let is_own = |name: &str| inputs::properties(&own).iter().any(|(known, _)| known == name);
    let members = inputs_of_call.as_object().unwrap_or_default().iter();
    let handed = Json::Object(members.filter(|(name, _)| !is_own(name)).cloned().collect());
    of_target(&known.file, Target::Definition(located(&known.name.value)), method, &handed)
}

fn located(text: &str) -> Located<String> {
    Located { value: text.to_owned(), line: 1, column: 1 }
}

fn of_target(file: &str, target: Target, method: &str, inputs: &Json) -> Workflow {
    let name = target.name().value.clone();
    let node = |value: NodeValue| Node::new(1, 1, value);
    let handed = inputs.as_object().unwrap_or_default().iter().map(|(name, _)| {
        // An expression ends at the first `}}`, also inside of a text.
        let quoted = Json::from(name.as_str()).to_string().replace('}', "\\u007d");
        let value = node(NodeValue::String(format!("${{{{ inputs[{quoted}] }}}}")));
        (node(NodeValue::String(name.clone())), value)
    });
    let task = Task::ModelMethod {
        target,
        method: located(method),
        inputs: Some(node(NodeValue::Map(handed.collect()))),
        global_arguments: None,
    };
    let step = Step {
        name: located(method),
        description: None,
        task,
        for_each: None,
        guard: None,
        depends_on: Vec::new(),
        weight: 0.0,
        concurrency: None,
        allow_failure: false,
        timeout: None,
        outputs: Vec::new(),
    };
    let job = Job {
        name: located(&name),
        description: None,
        depends_on: Vec::new(),
        weight: 0.0,
        concurrency: None,
        steps: vec![step],
    };
    Workflow {
        file: file.to_owned(),
        origin: Origin::Local,
        id: String::new(),
        name: located(&format!("{name}.{method}")),
        description: None,
        version: 1,
        tags: Vec::new(),
        inputs: None,
        trigger: None,
        is_trigger_broken: false,
        concurrency: None,
        reports: Selection::default(),
        jobs: vec![job],
    }
}
