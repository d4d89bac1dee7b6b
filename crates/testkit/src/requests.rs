//! Requests with the usual values.

use std::collections::BTreeMap;

use mangrove_domain::{
    bundle::LoadedBundle,
    permission::{Grantee, Grants},
    ports::OpenRequest,
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
    }
}
