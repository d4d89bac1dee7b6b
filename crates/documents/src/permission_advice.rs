//! What a type asks for and is not granted.

use std::collections::BTreeMap;

use mangrove_app::service::PermissionAdvice;
use mangrove_domain::{
    permission::{self, Grant},
    permission_use::PermissionUse,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// `permissions suggest --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PermissionAdviceDocument {
    /// `mangrove.permission-advice/1`.
    pub schema: String,
    /// The type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// What its code asks for, as far as its text says so.
    pub uses: Vec<PermissionUseDocument>,
    /// What of it is named and not granted.
    pub missing: Vec<PermissionUseDocument>,
    /// The permissions of which the code computes the names, and nothing is granted.
    pub computed: Vec<String>,
    /// The grants that cover what is named, and keep those that there are: `true` or a list of names, by permission.
    pub grants: BTreeMap<String, Value>,
    /// The same as a line of `mangrove.yaml`; `null` if nothing named is missing.
    pub entry: Option<String>,
}

/// One thing that code asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PermissionUseDocument {
    /// `net`, `env`, `read`, `write`, `run`, `sys` or `ffi`.
    pub permission: String,
    /// The host, variable, path, program or fact; `null` if the code computes it.
    pub name: Option<String>,
}

impl From<&PermissionUse> for PermissionUseDocument {
    fn from(wanted: &PermissionUse) -> Self {
        Self { permission: wanted.permission.as_str().to_owned(), name: wanted.name.clone() }
    }
}

impl From<&PermissionAdvice> for PermissionAdviceDocument {
    fn from(advice: &PermissionAdvice) -> Self {
        let missing = &advice.missing;
        let grants = missing.entry.iter().map(|(permission, grant)| {
            let value = match grant {
                Grant::All => Value::Bool(true),
                Grant::Only(names) => Value::from(names.clone()),
            };
            (permission.as_str().to_owned(), value)
        });
        let has_entry = !missing.named.is_empty();
        Self {
            schema: "mangrove.permission-advice/1".to_owned(),
            type_name: advice.type_name.to_string(),
            uses: advice.uses.iter().map(Into::into).collect(),
            missing: missing.named.iter().map(Into::into).collect(),
            computed: missing.computed.iter().map(|permission| permission.as_str().to_owned()).collect(),
            grants: grants.collect(),
            entry: has_entry.then(|| permission::entry(advice.type_name.as_str(), &missing.entry)),
        }
    }
}
