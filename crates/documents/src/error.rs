//! Errors: why something that was asked for was not done.

use mangrove_app::types::{Departed, NotReady};
use mangrove_domain::{source::Kind, type_name::TypeName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    failure::FailureDocument,
    problem::{ProblemDocument, problems},
};

/// What `--json` prints where a command ends without a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorDocument {
    /// `mangrove.error/1`.
    pub schema: String,
    /// Names the page that explains it; `null` if there is none.
    pub code: Option<String>,
    /// What happened.
    pub message: String,
    /// More of it, a sentence each.
    pub details: Vec<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// What is known of a type that cannot run, if it is about one.
    #[serde(flatten)]
    pub blocked: Option<BlockedDocument>,
}

/// What is known of a type that cannot run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlockedDocument {
    /// The type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The source that claims it.
    pub claimed_by: Option<String>,
    /// The state of that source.
    pub state: Option<String>,
    /// Its failure.
    pub failure: Option<FailureDocument>,
    /// Sources that claim it and were not scanned yet.
    pub unscanned: Vec<String>,
    /// Sources that claimed it before.
    pub departed: Vec<DepartedDocument>,
    /// Places that could not be read, where it may be.
    pub unobservable: Vec<ProblemDocument>,
    /// Names that are near.
    pub nearest: Vec<NamedDocument>,
}

impl From<&NotReady> for BlockedDocument {
    fn from(not_ready: &NotReady) -> Self {
        let NotReady { type_name, claimed_by, failure, unclaimed, nearest, .. } = not_ready;
        Self {
            type_name: type_name.to_string(),
            claimed_by: claimed_by.first().map(|row| row.source.to_string()),
            state: claimed_by.first().map(|row| row.state.name().as_str().to_owned()),
            failure: failure.as_ref().map(FailureDocument::from),
            unscanned: unclaimed.unscanned.iter().map(ToString::to_string).collect(),
            departed: unclaimed.departed.iter().map(DepartedDocument::from).collect(),
            unobservable: problems(&unclaimed.unobservable),
            nearest: nearest.iter().map(NamedDocument::from).collect(),
        }
    }
}

/// A source that claimed a type before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DepartedDocument {
    /// The source, as people name it.
    pub path: String,
    /// Why it does so no longer.
    pub reason: String,
}

impl From<&Departed> for DepartedDocument {
    fn from(departed: &Departed) -> Self {
        Self { path: departed.source.to_string(), reason: departed.reason.clone() }
    }
}

/// A type by kind and name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NamedDocument {
    /// Its kind.
    pub kind: String,
    /// Its name.
    #[serde(rename = "type")]
    pub type_name: String,
}

impl From<&(Kind, TypeName)> for NamedDocument {
    fn from((kind, type_name): &(Kind, TypeName)) -> Self {
        Self { kind: kind.to_string(), type_name: type_name.to_string() }
    }
}
