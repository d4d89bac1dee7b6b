//! What a step runs.

use std::time::Duration;

use crate::{
    document::{Node, NodeValue},
    form::{Form, Located, Members},
    nearest,
    problem::{Code, Severity},
    run::AssertSeverity,
};

const KEYS: [&str; 13] = [
    "type",
    "methodName",
    "inputs",
    "modelIdOrName",
    "modelType",
    "modelName",
    "globalArgs",
    "workflowIdOrName",
    "expr",
    "message",
    "severity",
    "prompt",
    "timeout",
];

/// What a step runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// A method of a definition.
    ModelMethod {
        /// Whose method; may contain expressions.
        target: Target,
        /// Which one; may contain expressions.
        method: Located<String>,
        /// Further arguments: a mapping, or one expression that gives one; may contain expressions.
        inputs: Option<Node>,
        /// Global arguments, like `inputs`.
        global_arguments: Option<Node>,
    },
    /// Another workflow.
    Workflow {
        /// Which one.
        name: Located<String>,
        /// Its inputs, as those of a method.
        inputs: Option<Node>,
    },
    /// Nothing but a look whether something holds.
    Assert {
        /// What must hold: an expression without `${{ }}`.
        expression: Located<String>,
        /// What to say if it does not; may contain expressions.
        message: Located<String>,
        /// How bad it is if it does not.
        severity: AssertSeverity,
    },
    /// Somebody has to approve it before the run goes on.
    ManualApproval {
        /// What they are asked; may contain expressions.
        prompt: Located<String>,
        /// How long it can be decided.
        timeout: Option<Duration>,
    },
}

/// The definition that a step uses.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// By name or identifier.
    Definition(Located<String>),
    /// By name; if there is no such definition, an empty one of this type.
    Instance {
        /// The model type.
        type_name: Located<String>,
        /// The definition.
        name: Located<String>,
    },
}

impl Target {
    /// The name of the definition.
    #[must_use]
    pub const fn name(&self) -> &Located<String> {
        match self {
            Target::Definition(name) | Target::Instance { name, .. } => name,
        }
    }
}

impl Task {
    /// What people call it: `definition.method`, `workflow name`, `assert`, `manual approval`.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Task::ModelMethod { target, method, .. } => format!("{}.{}", target.name().value, method.value),
            Task::Workflow { name, .. } => format!("workflow {}", name.value),
            Task::Assert { .. } => "assert".to_owned(),
            Task::ManualApproval { .. } => "manual approval".to_owned(),
        }
    }
}

/// What is often written into a task, and stands beside it.
const OF_THE_STEP: &str = "dataOutputOverrides";

/// Reads the member `task` of a step.
pub(super) fn read(form: &mut Form<'_>, node: &Node) -> Option<Task> {
    // Whoever writes `arguments` means that something is handed over.
    let keys: Vec<&str> = KEYS.into_iter().chain(["arguments", OF_THE_STEP]).collect();
    let members = form.open_members(node, "task", &keys)?;
    if let Some(node) = form.optional(members, "arguments") {
        form.error(node, "a task has no `arguments`", Some("what a method is given stands in `inputs`".to_owned()));
    }
    if let Some((key, _)) = node.as_map().into_iter().flatten().find(|(key, _)| key.as_str() == Some(OF_THE_STEP)) {
        let message = format!("unknown key `{OF_THE_STEP}` in a task, which is ignored");
        let hint = "it belongs to the step: write it beside `task`".to_owned();
        form.report(Severity::Warning, Code::UNKNOWN_SETTING, key, message, Some(hint));
    }
    let kind = form.required_text(members, "type")?;
    match kind.value.as_str() {
        "model_method" => read_method(form, members),
        "workflow" => {
            let name = form.required_text(members, "workflowIdOrName");
            let inputs = read_mapping(form, members, "inputs");
            Some(Task::Workflow { name: name?, inputs })
        }
        "assert" => {
            let expression = form.required_text(members, "expr");
            let message = form.required_text(members, "message");
            let severity = form.choice(members, "severity", &AssertSeverity::WORDS).unwrap_or_default();
            if let (Some(expression), Some(node)) = (&expression, members.node.get("expr"))
                && expression.value.contains("${{")
            {
                let hint = "write the expression alone: `expr: size(inputs.list) > 0`".to_owned();
                form.error(node, "`expr` stands without `${{ }}`", Some(hint));
            }
            Some(Task::Assert { expression: expression?, message: message?, severity })
        }
        "manual_approval" => {
            let prompt = form.required_text(members, "prompt");
            let seconds = form.optional_count(members, "timeout", 1);
            Some(Task::ManualApproval { prompt: prompt?, timeout: seconds.map(|s| Duration::from_secs(s.into())) })
        }
        unknown => {
            let node = members.node.get("type").unwrap_or(members.node);
            let kinds = ["model_method", "workflow", "assert", "manual_approval"];
            let hint = if unknown == "shell" {
                "a step runs a shell by `modelType: command/shell` with `methodName: execute`".to_owned()
            } else {
                nearest::hint(unknown, kinds).unwrap_or_else(|| format!("tasks are {}", kinds.join(", ")))
            };
            form.error(node, format!("`type`: unknown task type `{unknown}`"), Some(hint));
            None
        }
    }
}

fn read_method(form: &mut Form<'_>, members: Members<'_>) -> Option<Task> {
    let inputs = read_mapping(form, members, "inputs");
    let global_arguments = read_mapping(form, members, "globalArgs");
    let method = form.required_text(members, "methodName");
    let definition = form.optional_text(members, "modelIdOrName");
    let type_name = form.optional_text(members, "modelType");
    let instance = form.optional_text(members, "modelName");
    let target = match (definition, type_name, instance) {
        (Some(name), None, None) => Target::Definition(name),
        (None, Some(type_name), Some(name)) => Target::Instance { type_name, name },
        _ => {
            let message = "a task needs either `modelIdOrName`, or `modelType` and `modelName`";
            form.error(members.node, message, None);
            return None;
        }
    };
    if let (Target::Definition(_), Some(node)) = (&target, members.node.get("globalArgs")) {
        let hint = "a definition has its own: write them into its `globalArguments`".to_owned();
        form.error(node, "`globalArgs` belongs to a task with `modelType`", Some(hint));
    }
    Some(Task::ModelMethod { target, method: method?, inputs, global_arguments })
}

/// A mapping, or one expression that gives one.
fn read_mapping(form: &mut Form<'_>, members: Members<'_>, key: &str) -> Option<Node> {
    let node = form.optional(members, key)?;
    match &node.value {
        NodeValue::Map(_) => Some(node.clone()),
        NodeValue::String(text) if text.contains("${{") => Some(node.clone()),
        NodeValue::Null | NodeValue::Bool(_) | NodeValue::Number(_) | NodeValue::String(_) | NodeValue::List(_) => {
            form.expected(node, key, "a mapping, or one expression that gives one");
            None
        }
    }
}
