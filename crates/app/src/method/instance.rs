//! Calls that name a type and an instance of it: which of their inputs are for the method and which for the instance, and the
//! definition that the instance has.

use mangrove_domain::{
    definition::Definition, description::Description, document::Node, form::Located, inputs, json::Json, problem::Code,
    run::RunProblem, type_name::TypeName,
};

use super::{
    Invocation, Services, arguments,
    arguments::Routed,
    definitions::{Change, Found, Instance},
    problem,
    values::method_of,
};
use crate::workflow::library::Library;

/// What a call names instead of a definition.
#[derive(Clone, Copy)]
pub(crate) struct InstanceCall<'a> {
    /// What is known of definitions.
    pub(crate) library: &'a Library,
    /// The file of whoever names it.
    pub(crate) file: &'a str,
    pub(crate) type_name: &'a Located<TypeName>,
    pub(crate) name: &'a Located<String>,
    /// The global arguments of the instance; without them, they are among the inputs.
    pub(crate) global_arguments: Option<&'a Json>,
    /// What they were made of, if that is a document.
    pub(crate) written: Option<&'a Node>,
}

/// What such a call is about.
pub(super) struct Settled {
    pub(super) found: Found,
    /// For the method.
    pub(super) inputs: Json,
}

/// Finds or makes the definition of an instance.
///
/// # Errors
/// Why there is none, or which inputs belong nowhere.
pub(super) async fn settle(
    services: &Services,
    call: &Invocation<'_>,
    instance: InstanceCall<'_>,
    description: &Description,
    left_out: &[String],
) -> Result<Settled, RunProblem> {
    let method = method_of(description, call.method, left_out)?;
    let schema = description.details.get("globalArguments").filter(|schema| schema.as_object().is_some());
    let routed = match instance.global_arguments {
        Some(given) => Routed { arguments: call.inputs.clone(), global_arguments: given.clone() },
        None => arguments::route(call.inputs, &method.arguments, schema)
            .map_err(|unknown| belongs_nowhere(&unknown, call, &method.arguments, schema))?,
    };
    let Routed { arguments: inputs, global_arguments } = routed;
    let written = if instance.global_arguments.is_some() { instance.written } else { call.inputs_written };
    let fitted = |schema| arguments::coerced(schema, arguments::as_written(schema, global_arguments.clone(), written));
    let global_arguments = schema.map_or_else(|| global_arguments.clone(), fitted);
    if let Some(schema) = schema {
        let unknown: Vec<String> =
            arguments::unknown(schema, &global_arguments).into_iter().map(|(name, _)| name).collect();
        if !unknown.is_empty() {
            return Err(belongs_nowhere(&unknown, call, schema, None));
        }
    }
    let properties = schema.map(inputs::properties).unwrap_or_default();
    let secret: Vec<&str> = properties
        .iter()
        .filter(|(_, property)| property.get("sensitive") == Some(&Json::Bool(true)))
        .map(|(name, _)| name.as_str())
        .collect();
    let wanted = Instance {
        file: instance.file,
        type_name: instance.type_name,
        name: instance.name,
        type_version: description.version.as_deref(),
        global_arguments: &global_arguments,
        secret: &secret,
        holds_secret: &|value| call.environment.holds_vault_secret(value),
        // What a method passes on to another one may be anybody's.
        is_expression: &|raw| call.environment.is_left(raw) || call.is_single && call.environment.is_brought(raw),
    };
    let found = services.definitions.instance(instance.library, wanted).await?;
    Ok(Settled { found, inputs })
}

/// Names that nothing knows, and those that something does.
fn belongs_nowhere(unknown: &[String], call: &Invocation<'_>, method: &Json, global: Option<&Json>) -> RunProblem {
    let names = inputs::properties(method).iter().chain(global.map(inputs::properties).unwrap_or_default());
    let known: Vec<String> = names.map(|(name, _)| format!("`{name}`")).collect();
    let unknown: Vec<String> = unknown.iter().map(|name| format!("`{name}`")).collect();
    let known = if known.is_empty() { "it takes none".to_owned() } else { format!("it takes {}", known.join(", ")) };
    let (name, method) = (&call.definition.name.value, call.method);
    let message = format!("the inputs of `{name}.{method}`: {} is not known; {known}", unknown.join(", "));
    problem(Code::INVALID_INPUT, message)
}

/// What a run says about a definition that it made or changed.
pub(super) fn remark(change: Change, definition: &Definition) -> String {
    let (name, type_name, file) = (&definition.name.value, &definition.type_name.value, &definition.file);
    match change {
        Change::Created => format!("definition_auto_created: `{name}` of `{type_name}` ({file})"),
        Change::Updated => format!("global_args_updated: `{name}` of `{type_name}` ({file})"),
        Change::ForThisCall => {
            format!("the global arguments of `{name}` are others for this call; {file} stays as it is")
        }
    }
}
