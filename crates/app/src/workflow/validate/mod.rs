//! What can be known to be wrong before anything runs.

mod expressions;
mod inputs;
mod instance;
mod nested;
mod order;
mod outputs;
mod reports;
mod trigger;

use std::collections::{BTreeMap, BTreeSet};

use mangrove_domain::{
    advice::Advice,
    definition::Definition,
    description::Description,
    document::{Node, NodeValue},
    form::Located,
    inputs as domain_inputs, nearest,
    ports::{Calendar, Expressions, SchemaValidator},
    position::Position,
    problem::{Code, Problem, Severity},
    report::Occasion,
    type_name::TypeName,
    workflow::{Step, Target, Task, Workflow},
};

use crate::{
    method::{checks, model_kind, upgrades},
    missing_type,
    workflow::{
        catalogue::{Claim, TypeCatalogue},
        library::Library,
        routes::LibraryWebhooks,
    },
};

/// What validation looks things up in.
#[derive(Clone, Copy)]
pub struct Tools<'a> {
    /// The types.
    pub types: &'a dyn TypeCatalogue,
    /// Parses expressions.
    pub expressions: &'a dyn Expressions,
    /// Checks inputs.
    pub schemas: &'a dyn SchemaValidator,
    /// Understands schedules; without one, what they say is not looked at.
    pub calendar: Option<&'a dyn Calendar>,
    /// True right before a run. What may go well all the same is not looked at then: the trigger, reports, global arguments
    /// and methods that no step calls, inputs that nobody declares and whoever starts the run gives, arguments that come from
    /// elsewhere.
    pub is_before_run: bool,
}

pub(crate) use trigger::recurrence;

/// Everything that is wrong with the definitions and workflows of a repository, what was found while they were
/// loaded included, in the order of files and lines. Workflows of other roots are not looked at: they name definitions that
/// whoever uses them has to make.
#[must_use]
pub fn validate(library: &Library, tools: Tools<'_>) -> Vec<Problem> {
    let mut problems: Vec<Problem> = library.own_problems().cloned().collect();
    for definition in &library.definitions {
        let mut findings = Findings::new(&definition.file);
        check_definition(&mut findings, definition, tools);
        problems.extend(findings.problems);
    }
    for workflow in library.own_workflows() {
        problems.extend(check(library, workflow, tools, false));
    }
    let is_own = |problem: &Problem| library.own_workflows().any(|workflow| workflow.file == problem.subject);
    problems.extend(LibraryWebhooks::of(library).problems.into_iter().filter(is_own));
    sorted(problems)
}

/// What is wrong with one workflow, and with the definitions that it names.
#[must_use]
#[expect(clippy::module_name_repetitions, reason = "beside the one that validates all of them")]
pub fn validate_workflow(library: &Library, workflow: &Workflow, tools: Tools<'_>) -> Vec<Problem> {
    let mut problems: Vec<Problem> = library.problems_of(&workflow.file).cloned().collect();
    problems.extend(check(library, workflow, tools, true));
    sorted(problems)
}

/// What keeps a workflow from being run, as far as it is known before. Types that are not ready do not: a run waits for them, and
/// says why.
pub(crate) fn before_run(library: &Library, workflow: &Workflow, tools: Tools<'_>) -> Vec<Problem> {
    let mut problems = check(library, workflow, Tools { is_before_run: true, ..tools }, false);
    problems.retain(|problem| problem.severity == Severity::Error && problem.code != Code::UNKNOWN_TYPE);
    sorted(problems)
}

/// What is wrong with one definition.
#[must_use]
#[expect(clippy::module_name_repetitions, reason = "beside the one that validates all of them")]
pub fn validate_definition(library: &Library, definition: &Definition, tools: Tools<'_>) -> Vec<Problem> {
    let mut findings = Findings::new(&definition.file);
    check_definition(&mut findings, definition, tools);
    let mut problems: Vec<Problem> = library.problems_of(&definition.file).cloned().collect();
    problems.extend(findings.problems);
    sorted(problems)
}

fn sorted(mut problems: Vec<Problem>) -> Vec<Problem> {
    let key = |problem: &Problem| {
        let place = problem.position.as_ref().map(|place| (place.file.clone(), place.line, place.column));
        (place.unwrap_or_else(|| (problem.subject.clone(), 0, 0)), problem.code, problem.message.clone())
    };
    problems.sort_by_key(key);
    problems.dedup();
    problems
}

/// The problems of one file while it is checked.
struct Findings<'a> {
    file: &'a str,
    problems: Vec<Problem>,
}

impl<'a> Findings<'a> {
    fn new(file: &'a str) -> Self {
        Self { file, problems: Vec::new() }
    }

    fn error(&mut self, code: Code, position: Position, message: String, advice: Option<Advice>) {
        self.report(Severity::Error, code, position, message, advice);
    }

    fn report(&mut self, severity: Severity, code: Code, position: Position, message: String, advice: Option<Advice>) {
        let subject = self.file.to_owned();
        self.problems.push(Problem::new(severity, code, subject, message).at(position).advise_if(advice));
    }

    fn at<T>(&self, located: &Located<T>) -> Position {
        located.position(self.file)
    }
}

fn check_definition(findings: &mut Findings<'_>, definition: &Definition, tools: Tools<'_>) {
    let nodes = definition.methods.iter().filter_map(|method| method.arguments.as_ref());
    for node in definition.global_arguments.iter().chain(nodes) {
        expressions::check(findings, node, None, tools.expressions);
    }
    reports::check(findings, &definition.reports, Occasion::Method { has_failed: false }, tools.types);
    let Some(description) = describe(findings, &definition.type_name, tools) else { return };
    // What was written for an older version of the type is not what its schema says: upgrades change it before a call.
    let is_current = upgrades::pending(&description, definition).is_empty();
    let schema = description.details.get("globalArguments").filter(|schema| is_current && schema.as_object().is_some());
    if let Some(schema) = schema {
        let at = findings.at(&definition.name);
        let layers = [inputs::Layer { node: definition.global_arguments.as_ref(), is_own: true }];
        let what = format!("the global arguments of `{}`", definition.name.value);
        let given = inputs::Given { owner: &definition.file, schema, layers: &layers, at: &at, what: &what };
        inputs::check_global(findings, &given, tools.schemas);
    }
    for given in &definition.methods {
        if description.method(&given.method.value).is_none() {
            unknown_method(findings, &description, &given.method);
        }
    }
    for checks::UnknownCheck { name, message, hint } in checks::unknown(&description, definition) {
        let position = findings.at(name);
        findings.error(Code::UNKNOWN_NAME, position, message, hint.map(Advice::from));
    }
}

/// The description of a type; a problem if there is none.
fn describe(
    findings: &mut Findings<'_>,
    type_name: &Located<TypeName>,
    tools: Tools<'_>,
) -> Option<std::sync::Arc<Description>> {
    let kind = model_kind();
    let name = &type_name.value;
    let described = tools.types.describe(&kind, name);
    if let Some(description) = described.or_else(|| tools.types.describe(&kind, &name.without_at()?)) {
        return Some(description);
    }
    let position = findings.at(type_name);
    if let Some(claim) = tools.types.claim(&kind, name) {
        let Claim { reason, advice, is_unscanned } = claim;
        let severity = if is_unscanned { Severity::Warning } else { Severity::Error };
        let message = format!("model type `{name}` cannot be used: {reason}");
        findings.report(severity, Code::UNKNOWN_TYPE, position, message, Some(advice));
    } else {
        let known = tools.types.names(&kind);
        let hint = nearest::hint(name.as_str(), known.iter().map(TypeName::as_str));
        let advice = hint.map(Advice::from).or_else(|| missing_type::advice(name.as_str(), &[]));
        findings.error(Code::UNKNOWN_TYPE, position, format!("unknown model type `{name}`"), advice);
    }
    None
}

fn unknown_method(findings: &mut Findings<'_>, description: &Description, method: &Located<String>) {
    let known = || description.methods.iter().map(|method| method.name.as_str());
    let hint = nearest::hint(&method.value, known())
        .or_else(|| Some(format!("known methods: {}", known().collect::<Vec<_>>().join(", "))));
    let position = findings.at(method);
    let message = format!("`{}` has no method `{}`", description.type_name, method.value);
    findings.error(Code::UNKNOWN_METHOD, position, message, hint.map(Advice::from));
}

fn check(library: &Library, workflow: &Workflow, tools: Tools<'_>, with_definitions: bool) -> Vec<Problem> {
    let mut findings = Findings::new(&workflow.file);
    let mut problems = Vec::new();
    if !tools.is_before_run {
        trigger::check(&mut findings, workflow, tools.calendar);
        if let Some(trigger) = &workflow.trigger
            && let Some(inputs) = &trigger.inputs
        {
            expressions::check_trigger(&mut findings, inputs, trigger.schedule.is_some(), tools.expressions);
        }
        reports::check(&mut findings, &workflow.reports, Occasion::Workflow, tools.types);
    }
    order::check(&mut findings, workflow);
    let mut named = BTreeSet::new();
    let mut unusable = Unusable::of(workflow);
    for step in workflow.jobs.iter().flat_map(|job| &job.steps) {
        let inputs_of = (!tools.is_before_run).then_some(workflow);
        check_step_expressions(&mut findings, inputs_of, step, tools.expressions);
        match &step.task {
            Task::ModelMethod { target, method, inputs, global_arguments } => {
                let definition = check_target(&mut findings, library, target, &mut unusable);
                let Some(definition) = definition else { continue };
                if let Ok(known) = library.definition(&definition.name.value) {
                    named.insert(known.name.value.clone());
                }
                let (inputs, global_arguments) = (inputs.as_ref(), global_arguments.as_ref());
                let call = StepCall { workflow, step, target, method, inputs, global_arguments };
                check_call(&mut findings, &definition, &call, library, tools);
            }
            Task::Workflow { name, inputs } => {
                nested::check(&mut findings, library, workflow, name, inputs.as_ref());
            }
            Task::Assert { .. } | Task::ManualApproval { .. } => {}
        }
    }
    if with_definitions {
        for definition in named.iter().filter_map(|name| library.definition(name).ok()) {
            let mut findings = Findings::new(&definition.file);
            check_definition(&mut findings, definition, tools);
            problems.extend(findings.problems);
            problems.extend(library.problems_of(&definition.file).cloned());
        }
    }
    problems.extend(findings.problems);
    problems
}

/// Checks the expressions of a step; `workflow` is the one whose inputs they are held against.
fn check_step_expressions(
    findings: &mut Findings<'_>,
    workflow: Option<&Workflow>,
    step: &Step,
    port: &dyn Expressions,
) {
    let names = match &step.task {
        Task::ModelMethod { target: Target::Definition(name), method, .. } => vec![name, method],
        Task::ModelMethod { target: Target::Instance { type_name, name }, method, .. } => vec![type_name, name, method],
        Task::Workflow { name, .. } => vec![name],
        Task::Assert { message, .. } => vec![message],
        Task::ManualApproval { prompt, .. } => vec![prompt],
    };
    for text in names.into_iter().chain([&step.name]) {
        let position = findings.at(text);
        expressions::check_text(findings, &text.value, &position, workflow, port);
    }
    if let Some(guard) = &step.guard {
        let position = findings.at(guard);
        expressions::check_decision(findings, &guard.value, &position, workflow, port);
    }
    if let Task::Assert { expression, .. } = &step.task {
        let (position, text) = (findings.at(expression), format!("${{{{ {} }}}}", expression.value));
        expressions::check_decision(findings, &text, &position, workflow, port);
    }
    let nodes = match &step.task {
        Task::ModelMethod { inputs, global_arguments, .. } => [inputs.as_ref(), global_arguments.as_ref()],
        Task::Workflow { inputs, .. } => [inputs.as_ref(), None],
        Task::Assert { .. } | Task::ManualApproval { .. } => [None, None],
    };
    for node in nodes.into_iter().flatten().chain(step.for_each.as_ref().map(|for_each| &for_each.over)) {
        expressions::check(findings, node, workflow, port);
    }
}

/// The definition that a step uses, as far as it can be known.
fn check_target(
    findings: &mut Findings<'_>,
    library: &Library,
    target: &Target,
    unusable: &mut Unusable,
) -> Option<Definition> {
    let name = target.name();
    if name.value.contains("${{") {
        return None;
    }
    let wrong = match library.definition(&name.value) {
        Ok(definition) => return Some(Definition::clone(definition)),
        Err(wrong) => wrong,
    };
    if let Some(broken) = library.broken_definition(&name.value) {
        // It is reported there.
        if let Some(steps) = unusable.first_time(&name.value) {
            let message = format!("the definition `{}` cannot be used: see {}{steps}", name.value, broken.file);
            findings.report(Severity::Warning, wrong.code, findings.at(name), message, None);
        }
        return None;
    }
    if matches!(target, Target::Definition(_)) || wrong.code != Code::UNKNOWN_NAME {
        let position = findings.at(name);
        // An earlier step may make it, or whoever uses the repository.
        let severity = if wrong.code == Code::UNKNOWN_NAME { Severity::Warning } else { Severity::Error };
        if let Some(steps) = unusable.first_time(&name.value) {
            findings.report(severity, wrong.code, position, format!("{}{steps}", wrong.message), wrong.advice);
        }
        return None;
    }
    match target {
        Target::Definition(_) => None,
        Target::Instance { type_name, .. } if type_name.value.contains("${{") => None,
        Target::Instance { type_name, name } => match TypeName::model(&type_name.value) {
            Ok(parsed) => {
                let at = Located { value: parsed, line: type_name.line, column: type_name.column };
                Some(Definition::new(findings.file, String::new(), name.clone(), at))
            }
            Err(error) => {
                let position = findings.at(type_name);
                findings.error(Code::INVALID_DOCUMENT, position, format!("`modelType`: {error}"), None);
                None
            }
        },
    }
}

/// Definitions that cannot be used: each is told of once, whatever number of steps names it.
struct Unusable {
    /// How many steps name a definition.
    uses: BTreeMap<String, usize>,
    told: BTreeSet<String>,
}

impl Unusable {
    fn of(workflow: &Workflow) -> Self {
        let mut uses = BTreeMap::new();
        for step in workflow.jobs.iter().flat_map(|job| &job.steps) {
            if let Task::ModelMethod { target: Target::Definition(name), .. } = &step.task {
                *uses.entry(name.value.clone()).or_default() += 1;
            }
        }
        Self { uses, told: BTreeSet::new() }
    }

    /// What to add to the sentence about a definition, if nothing was said of it yet: how many steps name it, if several do.
    fn first_time(&mut self, name: &str) -> Option<String> {
        if !self.told.insert(name.to_owned()) {
            return None;
        }
        let steps = self.uses.get(name).copied().unwrap_or_default();
        Some(if steps > 1 { format!("; {steps} steps name it") } else { String::new() })
    }
}

/// A step that calls a method.
struct StepCall<'a> {
    workflow: &'a Workflow,
    step: &'a Step,
    target: &'a Target,
    method: &'a Located<String>,
    inputs: Option<&'a Node>,
    global_arguments: Option<&'a Node>,
}

fn check_call(
    findings: &mut Findings<'_>,
    definition: &Definition,
    call: &StepCall<'_>,
    library: &Library,
    tools: Tools<'_>,
) {
    let StepCall { step, target, method, inputs: step_inputs, global_arguments: step_global, .. } = *call;
    let description = if library.definition(&definition.name.value).is_ok() {
        // What is wrong with a definition is reported where it is defined, once.
        tools.types.describe(&model_kind(), &definition.type_name.value)
    } else {
        describe(findings, &definition.type_name, tools)
    };
    let Some(description) = description else { return };
    if method.value.contains("${{") {
        return;
    }
    let Some(described) = description.method(&method.value) else {
        unknown_method(findings, &description, method);
        return;
    };
    outputs::check_names(findings, step, &description);
    if is_expression(step_inputs) {
        return;
    }
    if !tools.is_before_run {
        outputs::check_variation(findings, call.workflow, step, step_inputs);
        check_inputs_of_definition(findings, definition, call, tools.expressions);
    }
    let at = findings.at(method);
    let is_routed = matches!(target, Target::Instance { .. }) && step_global.is_none();
    if let Target::Instance { .. } = target {
        let is_new = !tools.is_before_run && library.definition(&definition.name.value).is_err();
        instance::check(
            findings,
            &instance::Call { described, description: &description, is_new, step_inputs, step_global, at: &at },
        );
    }
    if tools.is_before_run {
        return;
    }
    let layers = [
        inputs::Layer { node: definition.global_arguments.as_ref(), is_own: false },
        inputs::Layer { node: definition.arguments_of(&method.value), is_own: false },
        inputs::Layer { node: step_inputs, is_own: true },
    ];
    let what = format!("the arguments of `{}.{}`", definition.name.value, method.value);
    let schema = &described.arguments;
    let given = inputs::Given { owner: &definition.file, schema, layers: &layers, at: &at, what: &what };
    let is_known = |name: &str| is_routed || has_use_for(definition, name) || outputs::varies_by(step, name);
    inputs::check_arguments(findings, &given, is_known, tools.schemas);
}

/// Inputs that the arguments of a definition read, and that nobody gives.
fn check_inputs_of_definition(
    findings: &mut Findings<'_>,
    definition: &Definition,
    call: &StepCall<'_>,
    port: &dyn Expressions,
) {
    let given = call.inputs.and_then(Node::as_map).unwrap_or_default();
    let is_given = |name: &str| given.iter().any(|(key, _)| key.as_str() == Some(name));
    let own = domain_inputs::schema(definition.inputs.as_ref());
    let has_default = |name: &str| {
        domain_inputs::properties(&own).iter().any(|(known, schema)| known == name && schema.get("default").is_some())
    };
    let of_workflow = call.workflow.input_schema();
    let is_of_workflow = |name: &str| domain_inputs::properties(&of_workflow).iter().any(|(known, _)| known == name);
    let arguments = definition.arguments_of(&call.method.value).and_then(Node::as_map).unwrap_or_default();
    // What the step gives stands over what the definition says.
    let used = arguments.iter().filter(|(key, _)| key.as_str().is_none_or(|name| !is_given(name)));
    for (name, node) in used.flat_map(|(_, node)| expressions::inputs_read(node, port)) {
        if is_given(&name) || has_default(&name) || is_of_workflow(&name) {
            continue;
        }
        let message = format!(
            "{} reads `inputs.{name}`, and neither this step nor the workflow has an input `{name}`",
            node.position(&definition.file)
        );
        let position = findings.at(call.method);
        findings.error(
            Code::INVALID_INPUT,
            position,
            message,
            Some(format!("add `{name}` to the inputs of the step").into()),
        );
    }
}

/// True if the definition names an input so, or an expression of it may read one.
fn has_use_for(definition: &Definition, name: &str) -> bool {
    fn is_read(node: &Node, name: &str) -> bool {
        match &node.value {
            NodeValue::String(text) => text.contains("${{") && text.contains(name),
            NodeValue::List(items) => items.iter().any(|item| is_read(item, name)),
            NodeValue::Map(members) => members.iter().any(|(_, value)| is_read(value, name)),
            NodeValue::Null | NodeValue::Bool(_) | NodeValue::Number(_) => false,
        }
    }
    let schema = domain_inputs::schema(definition.inputs.as_ref());
    let nodes = definition.methods.iter().filter_map(|method| method.arguments.as_ref());
    domain_inputs::properties(&schema).iter().any(|(known, _)| known == name)
        || nodes.chain(&definition.global_arguments).any(|node| is_read(node, name))
}

/// True for inputs that are one expression: what is in them is not known yet.
fn is_expression(inputs: Option<&Node>) -> bool {
    inputs.is_some_and(|node| node.as_str().is_some())
}
