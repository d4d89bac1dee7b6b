//! From a document to a workflow, with all problems at once.

use super::{Condition, Dependency, ForEach, Job, Step, Workflow, duration, graph, outputs, placement, task, trigger};
use crate::{
    definition::is_uuid,
    document::{Document, Node, NodeValue},
    form::{Form, Located, Members, Parsed, scalar_text},
    json::Number,
    nearest,
    problem::{Code, Severity},
    selection::Selection,
    source::Origin,
};

/// How deep conditions may be nested.
const MAX_CONDITION_DEPTH: usize = 16;

const WORKFLOW_KEYS: [&str; 11] =
    ["id", "name", "description", "version", "tags", "inputs", "trigger", "concurrency", "reports", "affinity", "jobs"];
const JOB_KEYS: [&str; 7] = ["name", "description", "steps", "dependsOn", "weight", "concurrency", "affinity"];
const STEP_KEYS: [&str; 11] = [
    "name",
    "description",
    "task",
    "forEach",
    "guard",
    "dependsOn",
    "weight",
    "concurrency",
    "allowFailure",
    "dataOutputOverrides",
    "timeout",
];

/// Reads a workflow. A mistake in its trigger keeps it from running by itself, and not from being run by hand.
#[must_use]
pub fn parse(document: &Document) -> Parsed<Workflow> {
    let mut form = Form::new(document);
    let workflow = read_workflow(&mut form, document);
    let mut of_trigger = Form::new(document);
    let trigger = trigger::read(&mut of_trigger, Members { node: &document.root, what: "workflow" });
    let trigger = of_trigger.finish(trigger);
    let is_trigger_broken = trigger.problems.iter().any(|problem| problem.severity == Severity::Error);
    let workflow = workflow.map(|workflow| Workflow { trigger: trigger.value, is_trigger_broken, ..workflow });
    form.finish(workflow).with_problems(trigger.problems)
}

fn read_workflow(form: &mut Form<'_>, document: &Document) -> Option<Workflow> {
    let members = closed(form, &document.root, "workflow", &WORKFLOW_KEYS)?;
    let id = form.required_text(members, "id");
    if let (Some(id), Some(node)) = (&id, members.node.get("id"))
        && !is_uuid(&id.value)
    {
        form.error(node, format!("`id`: expected a UUID, found `{}`", id.value), None);
    }
    let name = form.required_text(members, "name");
    let description = form.optional_text(members, "description").map(|text| text.value);
    let version = form.optional_count(members, "version", 1).unwrap_or(1);
    let tags = form.labels(members, "tags");
    let inputs = form.mapping(members, "inputs").cloned();
    let concurrency = read_concurrency(form, members);
    let reports = Selection::read(form, members, "reports");
    let job_nodes = non_empty_list(form, members, "jobs");
    let siblings = names_of(job_nodes);
    let jobs: Vec<Option<Job>> = job_nodes.iter().map(|node| read_job(form, node, &siblings)).collect();
    let names: Vec<Option<&Located<String>>> = jobs.iter().map(|job| job.as_ref().map(|job| &job.name)).collect();
    check_names(form, "job", job_nodes, &names);
    let jobs: Option<Vec<Job>> = jobs.into_iter().collect();
    if let Some(jobs) = &jobs {
        let names: Vec<&str> = jobs.iter().map(|job| job.name.value.as_str()).collect();
        check_cycles(form, "job", job_nodes, &names, &graph::jobs(jobs));
    }
    Some(Workflow {
        file: document.name.clone(),
        origin: Origin::Local,
        id: id?.value,
        name: name?,
        description,
        version,
        tags,
        inputs,
        trigger: None,
        is_trigger_broken: false,
        concurrency,
        reports,
        jobs: jobs?,
    })
}

fn read_job(form: &mut Form<'_>, node: &Node, siblings: &[String]) -> Option<Job> {
    let members = closed(form, node, "job", &JOB_KEYS)?;
    let name = form.required_text(members, "name");
    let description = form.optional_text(members, "description").map(|text| text.value);
    let depends_on = read_dependencies(form, members, "job", siblings);
    let weight = read_weight(form, members);
    let concurrency = read_concurrency(form, members);
    let step_nodes = non_empty_list(form, members, "steps");
    let siblings = names_of(step_nodes);
    let steps: Vec<Option<Step>> = step_nodes.iter().map(|node| read_step(form, node, &siblings)).collect();
    let names: Vec<Option<&Located<String>>> = steps.iter().map(|step| step.as_ref().map(|step| &step.name)).collect();
    check_names(form, "step", step_nodes, &names);
    let steps: Option<Vec<Step>> = steps.into_iter().collect();
    if let Some(steps) = &steps {
        let names: Vec<&str> = steps.iter().map(|step| step.name.value.as_str()).collect();
        check_cycles(form, "step", step_nodes, &names, &graph::steps(steps));
    }
    Some(Job { name: name?, description, depends_on, weight, concurrency, steps: steps? })
}

fn read_step(form: &mut Form<'_>, node: &Node, siblings: &[String]) -> Option<Step> {
    let members = closed(form, node, "step", &STEP_KEYS)?;
    let name = form.required_text(members, "name");
    let description = form.optional_text(members, "description").map(|text| text.value);
    let task = form.required(members, "task").and_then(|node| task::read(form, node));
    let for_each = form.optional(members, "forEach").and_then(|node| read_for_each(form, node));
    let guard = form.optional(members, "guard").and_then(|node| read_guard(form, node));
    let depends_on = read_dependencies(form, members, "step", siblings);
    let weight = read_weight(form, members);
    let concurrency = read_concurrency(form, members);
    let allow_failure = form.flag(members, "allowFailure");
    let outputs = outputs::read(form, members);
    let timeout = duration::optional(form, members, "timeout");
    Some(Step {
        name: name?,
        description,
        task: task?,
        for_each,
        guard,
        depends_on,
        weight,
        concurrency,
        allow_failure,
        timeout,
        outputs,
    })
}

/// The members of a workflow, job or step: keys that nobody knows would change what runs without a word.
fn closed<'n>(form: &mut Form<'_>, node: &'n Node, what: &'static str, keys: &[&str]) -> Option<Members<'n>> {
    let keys: Vec<&str> = keys.iter().copied().chain(placement::KEYS).collect();
    let members = form.closed_members(node, what, &keys)?;
    placement::check(form, members);
    Some(members)
}

fn read_weight(form: &mut Form<'_>, members: Members<'_>) -> f64 {
    match form.optional_number(members, "weight") {
        #[expect(clippy::cast_precision_loss, reason = "weights are compared, and those of people are small")]
        Some(Number::Integer(weight)) => weight as f64,
        Some(Number::Float(weight)) => weight,
        None => 0.0,
    }
}

/// How much may run at once; 0 says nothing.
fn read_concurrency(form: &mut Form<'_>, members: Members<'_>) -> Option<u32> {
    form.optional_count(members, "concurrency", 0).filter(|limit| *limit > 0)
}

/// One whole expression.
fn read_guard(form: &mut Form<'_>, node: &Node) -> Option<Located<String>> {
    let guard = form.text(node, "guard")?;
    let text = guard.value.trim();
    if !(text.starts_with("${{") && text.ends_with("}}")) {
        form.expected(node, "guard", "one expression in `${{ }}`");
        return None;
    }
    Some(guard)
}

fn read_for_each(form: &mut Form<'_>, node: &Node) -> Option<ForEach> {
    let members = form.open_members(node, "repetition", &["item", "in"])?;
    let item = form.required_text(members, "item");
    let over = form.required(members, "in").cloned();
    Some(ForEach { item: item?, over: over? })
}

/// Checks the names then and there: a sibling that is wrong elsewhere must not hide a name that nothing has.
fn read_dependencies(
    form: &mut Form<'_>,
    members: Members<'_>,
    key: &'static str,
    siblings: &[String],
) -> Vec<Dependency> {
    let mut dependencies = Vec::new();
    for node in form.list(members, "dependsOn") {
        // A name alone is read too: it is what people write first.
        if node.as_str().is_some() {
            let on = form.text(node, key);
            dependencies.extend(on.map(|on| Dependency { on, condition: Condition::Succeeded }));
            continue;
        }
        let Some(members) = form.open_members(node, "dependency", &[key, "condition"]) else { continue };
        let on = form.required_text(members, key);
        let condition = match form.optional(members, "condition") {
            Some(node) => read_condition(form, node, 0),
            None => Some(Condition::Succeeded),
        };
        if let (Some(on), Some(condition)) = (on, condition) {
            dependencies.push(Dependency { on, condition });
        }
    }
    for Dependency { on, .. } in &dependencies {
        if !siblings.contains(&on.value) {
            let node = Node::new(on.line, on.column, NodeValue::String(on.value.clone()));
            let hint = nearest::hint(&on.value, siblings.iter().map(String::as_str));
            form.error(&node, format!("unknown {key} `{}`", on.value), hint);
        }
    }
    dependencies
}

/// The names of jobs or steps, of those that have one.
fn names_of(nodes: &[Node]) -> Vec<String> {
    nodes.iter().filter_map(|node| node.get("name").and_then(scalar_text)).collect()
}

fn read_condition(form: &mut Form<'_>, node: &Node, depth: usize) -> Option<Condition> {
    if depth > MAX_CONDITION_DEPTH {
        form.error(node, format!("conditions are nested deeper than {MAX_CONDITION_DEPTH} levels"), None);
        return None;
    }
    let members = form.open_members(node, "condition", &["type", "conditions", "condition"])?;
    let kind = form.required_text(members, "type")?;
    let kinds = ["always", "succeeded", "failed", "completed", "skipped", "and", "or", "not"];
    match kind.value.as_str() {
        "always" => Some(Condition::Always),
        "succeeded" => Some(Condition::Succeeded),
        "failed" => Some(Condition::Failed),
        "completed" => Some(Condition::Completed),
        "skipped" => Some(Condition::Skipped),
        "not" => {
            let inner = form.required(members, "condition")?;
            read_condition(form, inner, depth + 1).map(|inner| Condition::Not(Box::new(inner)))
        }
        "and" | "or" => {
            let nodes = non_empty_list(form, members, "conditions");
            let parts: Vec<Option<Condition>> =
                nodes.iter().map(|node| read_condition(form, node, depth + 1)).collect();
            let parts = parts.into_iter().collect::<Option<Vec<_>>>()?;
            Some(if kind.value == "and" { Condition::All(parts) } else { Condition::Any(parts) })
        }
        unknown => {
            let hint =
                nearest::hint(unknown, kinds).unwrap_or_else(|| format!("known conditions: {}", kinds.join(", ")));
            form.error(
                members.node.get("type").unwrap_or(members.node),
                format!("`type`: unknown condition `{unknown}`"),
                Some(hint),
            );
            None
        }
    }
}

/// A list with at least one element that must be there; empty where it is not.
fn non_empty_list<'n>(form: &mut Form<'_>, members: Members<'n>, key: &str) -> &'n [Node] {
    let Some(node) = form.required(members, key) else { return &[] };
    let items = form.list(members, key);
    if node.as_list().is_some() && items.is_empty() {
        form.error(node, format!("`{key}` must have at least one element"), None);
    }
    items
}

fn check_names(form: &mut Form<'_>, what: &str, nodes: &[Node], names: &[Option<&Located<String>>]) {
    for (index, name) in names.iter().enumerate() {
        let Some(name) = name else { continue };
        let first = names[..index].iter().flatten().find(|earlier| earlier.value == name.value);
        if let Some(first) = first {
            let node = nodes[index].get("name").unwrap_or(&nodes[index]);
            let message = format!("the {what} `{}` is defined twice, first in line {}", name.value, first.line);
            form.error(node, message, None);
        }
    }
}

fn check_cycles(form: &mut Form<'_>, what: &str, nodes: &[Node], names: &[&str], members: &[graph::Member]) {
    for cycle in graph::cycles(members) {
        let path: Vec<String> = cycle.iter().map(|index| format!("`{}`", names[*index])).collect();
        let message = format!("{what}s wait for each other: {}", path.join(" → "));
        let hint = Some("take one of these out of `dependsOn`".to_owned());
        form.report(Severity::Error, Code::WORKFLOW_CYCLE, &nodes[cycle[0]], message, hint);
    }
}
