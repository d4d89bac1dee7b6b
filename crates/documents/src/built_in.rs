//! The model types that come with the program.

use mangrove_domain::description::Description;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The kind of what comes with the program.
pub(crate) const MODEL: &str = "model";

/// A model type that comes with the program, in `types`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BuiltInDocument {
    /// `model`.
    pub kind: String,
    /// The type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Its version.
    pub version: Option<String>,
}

impl From<&Description> for BuiltInDocument {
    fn from(description: &Description) -> Self {
        Self {
            kind: MODEL.to_owned(),
            type_name: description.type_name.to_string(),
            version: description.version.as_deref().map(str::to_owned),
        }
    }
}
