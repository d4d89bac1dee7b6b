//! What reports are told: the data of their contexts.

use mangrove_domain::{data::DataHandle, description::Description, json::Json, vault};

use super::{Called, Sensitive};
use crate::{
    method::{Invocation, definition_json, handle},
    secrets::Environment,
};

/// What is known of a call that has ended, as a report about it is told, but for the scope of the report.
pub(super) fn of_method(
    call: &Invocation<'_>,
    description: &Description,
    called: &Called,
    error: Option<&str>,
) -> Vec<(&'static str, Json)> {
    let status = if error.is_none() { "succeeded" } else { "failed" };
    let mut members = vec![
        ("repoDir", Json::from(call.repository)),
        ("modelType", Json::from(called.model_type.as_str())),
        ("modelId", Json::from(called.model_id.as_str())),
        ("definition", definition_json(call.definition)),
        ("globalArgs", called.arguments.global.clone()),
        ("methodArgs", called.arguments.method.clone()),
        ("methodName", Json::from(call.method)),
        ("executionStatus", Json::from(status)),
        ("dataHandles", Json::Array(called.data_handles.clone())),
        ("outputSpecs", output_specs(description)),
        ("sensitive", sensitive_json(&called.sensitive)),
    ];
    members.extend(error.map(|error| ("errorMessage", Json::from(error))));
    members
}

/// The handles of what a call wrote, as methods have them, masked.
pub(super) fn handles(handles: &[DataHandle], environment: &Environment) -> Vec<Json> {
    handles.iter().map(|stored| environment.mask_json(&handle::document(stored))).collect()
}

/// Which arguments of a method its type calls sensitive.
pub(in crate::method) fn sensitive(description: &Description, method: &str) -> Sensitive {
    let global = description.details.get("globalArguments").map(vault::sensitive_paths).unwrap_or_default();
    let method = description.method(method).map(|method| vault::sensitive_paths(&method.arguments)).unwrap_or_default();
    Sensitive { global, method }
}

/// The same for the context.
pub(super) fn sensitive_json(sensitive: &Sensitive) -> Json {
    let paths = |paths: &[Vec<String>]| {
        let path = |path: &Vec<String>| Json::Array(path.iter().map(|name| Json::from(name.as_str())).collect());
        Json::Array(paths.iter().map(path).collect())
    };
    Json::object([("global", paths(&sensitive.global)), ("method", paths(&sensitive.method))])
}

/// What a type declares that its methods write.
fn output_specs(description: &Description) -> Json {
    let specs = |group: &str, kind: &'static str, told: &'static str| -> Vec<Json> {
        let declared = description.details.get(group).and_then(Json::as_object).unwrap_or_default();
        let spec = |(name, declared): &(String, Json)| {
            let always = [("specName", Json::from(name.as_str())), ("kind", Json::from(kind))];
            let told = ["description", told].into_iter().filter_map(|key| Some((key, declared.get(key)?.clone())));
            Json::object(always.into_iter().chain(told.filter(|(_, value)| *value != Json::Null)))
        };
        declared.iter().map(spec).collect()
    };
    Json::Array([specs("resources", "resource", "schema"), specs("files", "file", "contentType")].concat())
}
