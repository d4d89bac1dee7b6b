//! What the code of an extension is opened with.

use mangrove_domain::{
    permission::{Grantee, Permission},
    ports::OpenRequest,
    row::Row,
};

use super::{Invocation, Services};
use crate::{
    secrets::Environment,
    types::{MethodCode, ReadyType},
};

/// What opens the code of a method or check.
pub(super) fn open_request(
    services: &Services,
    call: &Invocation<'_>,
    ready: &ReadyType,
    code: &MethodCode<'_>,
) -> OpenRequest {
    OpenRequest {
        bundle: code.bundle.clone(),
        export_name: code.export_name.to_owned(),
        subject: code.row.source.to_string(),
        requirements: ready.description.requirements.clone(),
        grantee: grantee(services, call.environment, ready.description.type_name.as_str(), code.row),
        root_directory: None,
        run: call.run_id.to_owned(),
    }
}

/// Whoever wrote the code, an add-on included, runs with what is granted to the type or to its own extension.
pub(super) fn grantee(services: &Services, environment: &Environment, type_name: &str, row: &Row) -> Grantee {
    let grants = services.permissions.load().of(type_name, &row.extension.name).cloned().unwrap_or_default();
    Grantee {
        name: type_name.to_owned(),
        root: row.source.root.clone(),
        variables: environment.granted(grants.get(&Permission::Env)),
        grants,
    }
}
