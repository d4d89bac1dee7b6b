//! What keeps a method from being called, beside its checks: it could not keep what it is to write, or there is nothing left
//! of what it is about.

use mangrove_domain::{
    data::{DataHandle, DataKind},
    description::{Description, MethodDescription},
    json::Json,
    problem::Code,
    run::RunProblem,
    vault,
};

use super::{Invocation, Services, checks, execution::label, host::store_failed, problem};

/// Looks whether a method of a type may be called.
///
/// # Errors
/// Why not; nothing was called.
pub(super) async fn check(
    services: &Services,
    call: &Invocation<'_>,
    description: &Description,
    method: &MethodDescription,
) -> Result<(), RunProblem> {
    if checks::is_mutating(method) {
        keeps_secrets(services, call, description).await?;
    }
    if matches!(checks::kind(method), Some("read" | "update")) {
        is_there(services, call).await?;
    }
    Ok(())
}

/// A method may make a resource that is only to be kept in a vault, whatever it cost to make: so there must be one.
async fn keeps_secrets(
    services: &Services,
    call: &Invocation<'_>,
    description: &Description,
) -> Result<(), RunProblem> {
    let resources = description.details.get("resources").and_then(Json::as_object).unwrap_or_default();
    let Some((spec, _)) = resources.iter().find(|(_, declared)| vault::may_be_sensitive(declared)) else {
        return Ok(());
    };
    let configured = services.vaults.configured().await.map_err(|error| {
        problem(error.fault.code, format!("`{}` was not started: the vaults cannot be listed: {error}", label(call)))
    })?;
    // Those whose names begin so keep no values of resources.
    if configured.vaults.iter().any(|vault| !vault.name.value.starts_with('_')) {
        return Ok(());
    }
    let message = format!(
        "`{}` was not started: the resource `{spec}` has sensitive values, and there is no vault that could keep them; \
         `mangrove vault create local_encryption NAME` makes one",
        label(call)
    );
    Err(problem(Code::VAULT_UNUSABLE, message))
}

/// What is deleted is neither read nor updated. A model that has written nothing yet may know of things all the same.
async fn is_there(services: &Services, call: &Invocation<'_>) -> Result<(), RunProblem> {
    let written = services.data.list(&call.definition.id).await;
    let written = written.map_err(|error| problem(Code::METHOD_FAILED, store_failed(&error)))?;
    let is_resource = |handle: &&DataHandle| handle.kind == DataKind::Resource && handle.renamed_to.is_none();
    let mut resources = written.iter().filter(is_resource).peekable();
    if resources.peek().is_none() || !resources.all(|handle| handle.is_deleted) {
        return Ok(());
    }
    let name = &call.definition.name.value;
    let message =
        format!("`{}` was not started: all resources of `{name}` are deleted; create it again first", label(call));
    Err(problem(Code::METHOD_FAILED, message))
}
