//! What has a method: a type of an extension, or one that comes with the program.

use std::sync::Arc;

use mangrove_domain::{
    description::Description,
    digest::Digest,
    failure::Failure,
    problem::Code,
    run::{Provenance, RunProblem, RunStatus},
    source::{Kind, SourceId},
    time::Timestamp,
    type_name::TypeName,
};

use super::{Invocation, MESSAGE_CHARACTERS, Services, cancelled, lines, model_kind, problem};
use crate::{
    builtin,
    types::{MethodCode, NotReady, ReadyType, Types},
};

/// What has the method.
pub(super) enum Callee {
    /// A type that comes with the program.
    BuiltIn(&'static Arc<Description>),
    /// A type of an extension.
    Extension(Box<ReadyType>),
}

impl Callee {
    pub(super) fn description(&self) -> &Arc<Description> {
        match self {
            Callee::BuiltIn(description) => description,
            Callee::Extension(ready) => &ready.description,
        }
    }

    /// The name of the extension that it belongs to.
    pub(super) fn extension(&self) -> &str {
        match self {
            Callee::BuiltIn(_) => builtin::EXTENSION,
            Callee::Extension(ready) => &ready.row.extension.name,
        }
    }

    /// Where the code of a method lies; `None` if it comes with the program.
    pub(super) fn source(&self, method: &str) -> Option<&SourceId> {
        match self {
            Callee::BuiltIn(_) => None,
            Callee::Extension(ready) => Some(&ready.code(method).row.source),
        }
    }

    /// Why methods are not there that could be.
    pub(super) fn left_out(&self) -> &[String] {
        match self {
            Callee::BuiltIn(_) => &[],
            Callee::Extension(ready) => &ready.left_out,
        }
    }
}

/// The type of a call; how the call ends if there is none.
pub(super) async fn callee(services: &Services, call: &Invocation<'_>) -> Result<Callee, (RunStatus, RunProblem)> {
    let type_name = &call.definition.type_name.value;
    if let Some(description) = builtin::model(type_name) {
        return Ok(Callee::BuiltIn(description));
    }
    if let Some(reason) = builtin::not_served(type_name) {
        return Err((RunStatus::Failed, problem(Code::UNKNOWN_TYPE, reason)));
    }
    let kind = model_kind();
    let ready = tokio::select! {
        biased;
        () = call.cancellation.cancelled() => return Err((RunStatus::Cancelled, cancelled())),
        ready = ready_type(services.types.as_ref(), &kind, type_name) => ready,
    };
    match ready {
        Ok(ready) => Ok(Callee::Extension(Box::new(ready))),
        Err(not_ready) => Err((RunStatus::Blocked, blocked(&not_ready, services.clock.now()))),
    }
}

/// A type, ready to run. One that begins with `@` and is not known is looked for without it.
pub(super) async fn ready_type(types: &dyn Types, kind: &Kind, type_name: &TypeName) -> Result<ReadyType, NotReady> {
    let found = types.ready(kind, type_name).await;
    match (&found, type_name.without_at()) {
        (Err(not_ready), Some(bare)) if not_ready.code() == Code::UNKNOWN_TYPE => {
            types.ready(kind, &bare).await.map_or(found, Ok)
        }
        _ => found,
    }
}

pub(super) fn provenance(call: &Invocation<'_>, callee: &Callee, driver: Option<&str>) -> Provenance {
    let driver = driver.map(str::to_owned);
    let ready = match callee {
        Callee::Extension(ready) => ready,
        Callee::BuiltIn(description) => {
            return Provenance {
                definition_digest: call.digest.map(|digest| digest.to_string()),
                type_name: description.type_name.to_string(),
                type_version: description.version.as_deref().map(str::to_owned),
                bundle_digest: String::new(),
                fingerprint: String::new(),
                extension: format!("{}@{}", builtin::EXTENSION, env!("CARGO_PKG_VERSION")),
                source: format!("{}/{}", builtin::ROOT, description.type_name),
                shadow_fallback: false,
                driver,
            };
        }
    };
    let MethodCode { row, bundle, .. } = ready.code(call.method);
    Provenance {
        definition_digest: call.digest.map(|digest| digest.to_string()),
        type_name: ready.description.type_name.to_string(),
        type_version: ready.description.version.as_deref().map(str::to_owned),
        bundle_digest: row.bundle().map_or_else(
            || Digest::of(bundle.code.as_bytes()).to_string(),
            |recorded| recorded.entry.key.digest().to_string(),
        ),
        fingerprint: row.built.as_ref().map(|built| built.digest().to_string()).unwrap_or_default(),
        extension: format!("{}@{}", row.extension.name, row.extension.version),
        source: row.source.to_string(),
        shadow_fallback: row.shadow_fallback,
        driver,
    }
}

/// Why a run cannot go on: what claims the type, what failed and when it is tried again (faults 28, 48). If it was Mangrove
/// itself that failed, the code of the problem is that of its failure.
pub(super) fn blocked(not_ready: &NotReady, now: Timestamp) -> RunProblem {
    let message = format!("{}; {}", not_ready.headline(), not_ready.reason());
    let of_ours = not_ready.fault.clone().map(|fault| Failure::record(None, fault, now, 0.0));
    // What helps where a type is claimed and failed, its failure says.
    let advice = (not_ready.code() == Code::UNKNOWN_TYPE).then(|| not_ready.advice());
    RunProblem {
        code: not_ready.code(),
        message: lines::shortened(message, MESSAGE_CHARACTERS),
        blocked_by: Some(not_ready.type_name.to_string()),
        failure: of_ours.or_else(|| not_ready.failure.clone()),
        advice,
    }
}
