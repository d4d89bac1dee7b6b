//! What a method is called with.

use std::{collections::BTreeSet, sync::Arc};

use mangrove_domain::{description::Description, document::Node, inputs, json::Json, ports::Checked, run::RunProblem};

use super::{
    Invocation, Services, ShownArguments, arguments,
    callee::Callee,
    checks, definition_json,
    driver::{Driver, Witness},
    host::Host,
    rendered, reports, shown, subject_of,
    values::{self, globals, inputs_of, method_of, unknown_names, unresolved_arguments, upgraded},
};
use crate::{
    render::{Renderer, Stage},
    secrets::{HiddenInputs, Placeholders, Secrets, VaultKey},
};

/// What a method is called with.
pub(super) struct Prepared {
    pub(super) arguments: Json,
    /// For checks: global arguments and arguments, with what reads `env` or a vault as it is written.
    pub(super) as_written: Json,
    pub(super) context: Json,
    /// Where the schema of the global arguments stands; empty if they stay as they are.
    pub(super) global_schema: Vec<String>,
    /// The secrets that stand in the arguments of a type that comes with the program, unless a driver runs it.
    pub(super) placeholders: Placeholders,
    /// What vaults were asked for, where a driver runs the method.
    pub(super) secrets: BTreeSet<VaultKey>,
    /// The arguments as reports are told of them.
    pub(super) shown: ShownArguments,
}

/// Of a definition that declares inputs, those that the method does not take are mistakes.
fn refuse_unknown_inputs(call: &Invocation<'_>, schema: &Json) -> Result<(), RunProblem> {
    if !call.is_single || call.definition.inputs.is_none() {
        return Ok(());
    }
    let unknown = arguments::unknown(schema, call.inputs);
    if unknown.is_empty() {
        return Ok(());
    }
    Err(unknown_names(&format!("the inputs of `{}.{}`", call.definition.name.value, call.method), unknown))
}

/// Puts together what the method is called with, by what its definition, its step and its schemas say.
pub(super) async fn prepare(
    services: &Services,
    call: &Invocation<'_>,
    (callee, driver): (&Callee, Option<&Driver>),
    host: &Arc<Host>,
) -> Result<Prepared, RunProblem> {
    let description = callee.description().as_ref();
    let definition = call.definition;
    let method = method_of(description, call.method, callee.left_out())?;
    if call.is_single {
        let sensitive = reports::sensitive(description, call.method);
        let hidden = values::sensitive_inputs(services.expressions.as_ref(), definition, call.method, sensitive);
        call.environment.hide_inputs(HiddenInputs::At(hidden));
    }
    let about = definition_json(definition);
    // The shell gets secrets in another way than in its command.
    let runs_here = driver.is_none();
    let placeholders = (runs_here && matches!(callee, Callee::BuiltIn(_))).then(Placeholders::default);
    let witness = Witness::new(&services.vaults);
    let of_step = Renderer {
        expressions: services.expressions.as_ref(),
        environment: call.environment,
        scope: call.scope,
        file: &definition.file,
        lookups: call.lookups,
        secrets: if runs_here { &services.vaults as &dyn Secrets } else { &witness },
        placeholders: placeholders.as_ref(),
    };
    // What the step left for now means what it means there: `self` is its own.
    let inputs = of_step.hand_over(call.inputs, call.inputs_at).await?;
    let inputs = arguments::as_written(&method.arguments, inputs, call.inputs_written);
    let global_arguments = definition.global_arguments.as_ref().map_or_else(|| Json::Object(Vec::new()), Node::to_json);
    let itself = arguments::merge(&[&about, &Json::object([("globalArguments", global_arguments)])]);
    let scope = call.scope.with_self(itself);
    let declared = inputs::schema(definition.inputs.as_ref());
    let scope = scope.with_inputs(inputs_of(services, call, (&inputs, &declared), &scope)?, &declared);
    let renderer = Renderer { scope: &scope, ..of_step };
    let (given, unresolved) = globals(&renderer, definition.global_arguments.as_ref()).await?;
    let given = match callee {
        Callee::BuiltIn(_) => given,
        Callee::Extension(ready) => upgraded(services, call, ready, host, given).await?,
    };
    let (global, shared) = known_globals(call, description, given, host)?;
    let of_method = definition.arguments_of(call.method);
    let given = rendered(&renderer, of_method, Stage::HAND_OVER).await?;
    let given = arguments::as_written(&method.arguments, given, of_method);
    let has_checks = checks::names(description).next().is_some();
    let reads_secrets = shown::reads_secrets(call);
    let unresolved_arguments =
        if has_checks || reads_secrets { Some(unresolved_arguments(call, &renderer).await?) } else { None };
    let as_written = unresolved_arguments.as_ref().filter(|_| has_checks);
    let as_written = as_written.map_or(Json::Null, |written| arguments::merge(&[&written.global, &written.method]));
    let schema = &method.arguments;
    refuse_unknown_inputs(call, schema)?;
    let shown = unresolved_arguments.filter(|_| reads_secrets).unwrap_or_else(|| ShownArguments {
        global: global.clone(),
        method: arguments::coerced(schema, arguments::merge(&[&given, &inputs])),
    });
    let has_value = |(name, _): &&(String, Json)| unresolved.get(name).is_none();
    // A method may take as a text what the type itself takes as a number.
    let shared = arguments::as_written(schema, shared, definition.global_arguments.as_ref());
    let shared = Json::Object(shared.as_object().unwrap_or_default().iter().filter(has_value).cloned().collect());
    let merged = arguments::merge(&[&arguments::known_to(schema, &shared), &given, &inputs]);
    let merged = arguments::coerced(schema, merged);
    let mut context = vec![
        ("repoDir", Json::from(call.repository)),
        ("modelType", Json::from(description.type_name.as_str())),
        ("modelId", Json::from(definition.id.as_str())),
        ("globalArgs", global),
        ("definition", about),
        ("methodName", Json::from(call.method)),
    ];
    // What has no value has none that a schema could judge.
    let mut global_schema = Vec::new();
    if unresolved.as_object().is_none_or(<[_]>::is_empty) {
        global_schema.push("globalArguments".to_owned());
    } else {
        context.push(("unresolvedGlobalArgs", unresolved));
    }
    Ok(Prepared {
        arguments: merged,
        as_written,
        context: Json::object(context),
        global_schema,
        placeholders: placeholders.unwrap_or_default(),
        secrets: witness.into_asked(),
        shown,
    })
}

/// Global arguments as their schema knows them, and the same with its defaults.
fn known_globals(
    call: &Invocation<'_>,
    description: &Description,
    given: Json,
    host: &Host,
) -> Result<(Json, Json), RunProblem> {
    let Some(schema) = description.details.get("globalArguments").filter(|schema| schema.as_object().is_some()) else {
        return Ok((given.clone(), given));
    };
    let given = arguments::as_written(schema, given, call.definition.global_arguments.as_ref());
    let global = arguments::coerced(schema, given);
    let unknown = arguments::unknown(schema, &global);
    if !unknown.is_empty() {
        return Err(unknown_names(&subject_of(Checked::GlobalArguments, call, host), unknown));
    }
    let shared = inputs::with_defaults(schema, global.clone());
    Ok((global, shared))
}
