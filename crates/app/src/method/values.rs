//! Values around a call: the inputs that a definition sees, its global arguments.

use std::{collections::BTreeSet, sync::Arc};

use mangrove_domain::{
    definition::Definition,
    description::{Description, MethodDescription, Violation},
    document::{Node, NodeValue},
    inputs,
    json::Json,
    nearest,
    ports::{Expressions, MethodHost, RunError},
    problem::Code,
    run::RunProblem,
    vault,
    workflow::template::{self, Part},
};

use super::{
    Invocation, Services, ShownArguments, arguments, broken,
    host::{Host, Looking},
    opening::open_request,
    problem, rendered,
    reports::Sensitive,
    upgrades,
};
use crate::{
    render::{Renderer, Scope, Stage},
    secrets::Environment,
    types::ReadyType,
};

/// What the expressions of a definition see as `inputs`: those of the run, under those of the step, with what the
/// definition's own `schema` makes of them. Only what its method needs is required.
pub(super) fn inputs_of(
    services: &Services,
    call: &Invocation<'_>,
    (of_step, schema): (&Json, &Json),
    scope: &Scope,
) -> Result<Json, RunProblem> {
    let given = arguments::merge(&[scope.get("inputs").unwrap_or(&Json::Null), of_step]);
    let Some(written) = &call.definition.inputs else { return Ok(given) };
    let given = arguments::as_written(schema, given, call.inputs_written);
    let given = inputs::with_defaults(schema, inputs::coerced(schema, given));
    let mentioned = call.definition.arguments_of(call.method).map(|node| {
        let mut names = BTreeSet::new();
        mentioned_inputs(services.expressions.as_ref(), node, &mut names);
        names
    });
    let is_mentioned =
        |name: &Json| mentioned.as_ref().is_some_and(|names| name.as_str().is_some_and(|name| names.contains(name)));
    let required = schema.get("required").and_then(Json::as_array).unwrap_or_default();
    let required = required.iter().filter(|name| is_mentioned(name)).cloned().collect();
    let properties = inputs::properties(schema);
    let is_named = |(name, _): &&(String, Json)| properties.iter().any(|(known, _)| known == name);
    // What the run has besides is none of this schema's business.
    let own = Json::Object(given.as_object().unwrap_or_default().iter().filter(is_named).cloned().collect());
    let schema = Json::object([
        ("type", Json::from("object")),
        ("properties", Json::Object(properties.to_vec())),
        ("required", Json::Array(required)),
    ]);
    let violations = inputs::violations(&schema, &own);
    if violations.is_empty() {
        return Ok(given);
    }
    let name = &call.definition.name.value;
    let position = written.position(&call.definition.file);
    Err(broken(&format!("{position}: the inputs of `{name}.{}`", call.method), &violations))
}

/// The inputs of a call that are sensitive: those that are arguments of which the type says so, those of which the definition
/// says so, and those that the definition makes such arguments of.
pub(super) fn sensitive_inputs(
    expressions: &dyn Expressions,
    definition: &Definition,
    method: &str,
    Sensitive { global, method: own }: Sensitive,
) -> Vec<Vec<String>> {
    let mut names = BTreeSet::new();
    let nodes = [(definition.global_arguments.as_ref(), &global), (definition.arguments_of(method), &own)];
    for (node, paths) in nodes {
        for name in paths.iter().filter_map(|path| path.first()) {
            if let Some(argument) = node.and_then(|node| node.get(name)) {
                mentioned_inputs(expressions, argument, &mut names);
            }
        }
        // Nobody knows which member it becomes.
        if let Some(whole) = node.filter(|node| node.as_str().is_some() && !paths.is_empty()) {
            mentioned_inputs(expressions, whole, &mut names);
        }
    }
    let declared = vault::sensitive_paths(&inputs::schema(definition.inputs.as_ref()));
    let read = names.into_iter().map(|name| vec![name]);
    [global, own, declared].concat().into_iter().chain(read).collect()
}

/// The names of the inputs that expressions read.
fn mentioned_inputs(expressions: &dyn Expressions, node: &Node, names: &mut BTreeSet<String>) {
    match &node.value {
        NodeValue::String(text) => {
            for part in template::split(text) {
                let Part::Expression(span) = part else { continue };
                let paths = expressions.references(span.expression).unwrap_or_default();
                let of_inputs = paths.iter().filter(|path| path.first().is_some_and(|root| root == "inputs"));
                names.extend(of_inputs.filter_map(|path| path.get(1).cloned()));
            }
        }
        NodeValue::List(items) => {
            for item in items {
                mentioned_inputs(expressions, item, names);
            }
        }
        NodeValue::Map(members) => {
            for (_, value) in members {
                mentioned_inputs(expressions, value, names);
            }
        }
        NodeValue::Null | NodeValue::Bool(_) | NodeValue::Number(_) => {}
    }
}

/// Names that a schema does not know, each with the one that may have been meant.
pub(super) fn unknown_names(what: &str, names: Vec<(String, Option<String>)>) -> RunProblem {
    let violation = |(path, hint): (String, Option<String>)| {
        let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
        Violation { path, message: format!("is not known{hint}") }
    };
    broken(what, &names.into_iter().map(violation).collect::<Vec<_>>())
}

/// Global arguments as the present version of their type has them.
pub(super) async fn upgraded(
    services: &Services,
    call: &Invocation<'_>,
    ready: &ReadyType,
    host: &Arc<Host>,
    given: Json,
) -> Result<Json, RunProblem> {
    let pending = upgrades::pending(&ready.description, call.definition);
    if pending.is_empty() {
        return Ok(given);
    }
    let name = &call.definition.name.value;
    let failed = |version: &str, error: &RunError| {
        let code = if let RunError::Fault(fault) = error { fault.code } else { Code::METHOD_FAILED };
        problem(code, format!("the global arguments of `{name}` cannot be upgraded to {version}: {error}"))
    };
    let request = open_request(services, call, ready, &ready.own_code());
    let mut session = services.runner.open(request).await.map_err(|error| failed(&pending[0].1, &error))?;
    let as_host = Arc::new(Looking(Arc::clone(host))) as Arc<dyn MethodHost>;
    let made = upgrades::apply(session.as_mut(), &as_host, &pending, given.clone()).await;
    let made = made.map_err(|(version, error)| failed(&version, &error))?;
    if made != given {
        let version = ready.description.version.as_deref().unwrap_or_default();
        // Upgraded once for each call.
        let _ = host.upgraded_to.set(version.to_owned());
        host.inform(&format!(
            "the global arguments of `{name}` were written for an older version of `{}` and upgraded to {version} for this call",
            ready.description.type_name
        ));
    }
    Ok(made)
}

/// The global arguments of a definition, and why some have no value. Such a one stays as it is written: who does not read it
/// does not need it.
pub(super) async fn globals(renderer: &Renderer<'_>, node: Option<&Node>) -> Result<(Json, Json), RunProblem> {
    let (mut members, mut unresolved) = (Vec::new(), Vec::new());
    for (key, value) in node.and_then(Node::as_map).unwrap_or_default() {
        let given = match renderer.value(value, Stage::HAND_OVER).await {
            Ok(given) => given,
            Err(error) if error.code == Code::INVALID_EXPRESSION && !reads_secrets(value) => {
                unresolved.push((key.as_str().unwrap_or_default().to_owned(), Json::from(error.message)));
                value.to_json()
            }
            Err(error) => return Err(error),
        };
        members.push((key.as_str().unwrap_or_default().to_owned(), given));
    }
    Ok((Json::Object(members), Json::Object(unresolved)))
}

/// The global arguments and the arguments of a call, with what reads `env` or a vault as it is written, and so is what has no
/// value. What the step gives wins.
pub(super) async fn unresolved_arguments(
    call: &Invocation<'_>,
    renderer: &Renderer<'_>,
) -> Result<ShownArguments, RunProblem> {
    // The step's own stand in them as they are, and nothing of what is left here is evaluated later.
    let given = arguments::merge(&[renderer.scope.get("inputs").unwrap_or(&Json::Null), call.inputs]);
    let (scope, environment) = (renderer.scope.with("inputs", given), Environment::default());
    let renderer = Renderer { scope: &scope, environment: &environment, ..*renderer };
    let definition = call.definition;
    let global = rendered(&renderer, definition.global_arguments.as_ref(), Stage::DEFINITION).await?;
    let own = rendered(&renderer, definition.arguments_of(call.method), Stage::DEFINITION).await?;
    Ok(ShownArguments { global, method: arguments::merge(&[&own, call.inputs]) })
}

/// True for a value with an expression that names a secret or a variable: that such a one is missing is said before a
/// method begins.
fn reads_secrets(node: &Node) -> bool {
    let text = node.to_json().to_string();
    text.contains("vault.get(") || text.contains("env.")
}

/// The method of a type; why there is none, and what was left out that may have had it.
pub(super) fn method_of<'d>(
    description: &'d Description,
    method: &str,
    left_out: &[String],
) -> Result<&'d MethodDescription, RunProblem> {
    description.method(method).ok_or_else(|| {
        let known = description.methods.iter().map(|method| method.name.as_str());
        let hint = nearest::hint(method, known.clone())
            .unwrap_or_else(|| format!("known methods: {}", known.collect::<Vec<_>>().join(", ")));
        let mut message = format!("`{}` has no method `{method}`; {hint}", description.type_name);
        for reason in left_out {
            message.push_str("; ");
            message.push_str(reason);
        }
        problem(Code::UNKNOWN_METHOD, message)
    })
}
