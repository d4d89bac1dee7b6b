//! Requests with the usual values.

use std::collections::BTreeMap;

use mangrove_domain::{
    bundle::LoadedBundle,
    json::Json,
    permission::{Grantee, Grants},
    ports::{Call, OpenRequest, Takes},
    source::RootId,
};

/// Opens the model of `a.ts`, which requires nothing and is granted nothing.
#[must_use]
pub fn open_model(bundle: LoadedBundle) -> OpenRequest {
    OpenRequest {
        bundle,
        export_name: "model".to_owned(),
        subject: "a.ts".to_owned(),
        requirements: Vec::new(),
        grantee: Grantee {
            name: "@acme/a".to_owned(),
            root: RootId::local(),
            grants: Grants::new(),
            variables: BTreeMap::new(),
        },
        root_directory: None,
        run: "run-1".to_owned(),
    }
}

/// A call whose arguments no schema checks.
#[must_use]
pub const fn unchecked_call(path: Vec<String>, arguments: Json, context: Json) -> Call {
    Call { path, arguments, schema: Vec::new(), context, global_schema: Vec::new(), takes: Takes::ArgumentsAndContext }
}
