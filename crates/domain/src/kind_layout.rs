//! Where the sources of a kind lie and how they are recognised.

use std::sync::Arc;

use crate::{
    source::Kind,
    type_name::{TypeName, TypeNameError},
};

/// Where sources of one kind lie and how they are recognised.
#[derive(Clone, Debug)]
pub struct KindLayout {
    /// The kind.
    pub kind: Kind,
    /// Its directory below `extensions/`, such as `models`.
    pub directory: Arc<str>,
    /// The export names that make a file an entry point, first in precedence first.
    pub export_names: Vec<Arc<str>>,
    /// Those of the export names that add to the type of another source, such as `extension`.
    pub add_on_export_names: Vec<Arc<str>>,
    /// The key of the export whose literal value is the claimed type: `type`, or `name` for reports.
    pub type_key: Arc<str>,
    /// Turns the text of a type into its normalised name.
    pub normalise: fn(&str) -> Result<TypeName, TypeNameError>,
}

impl KindLayout {
    /// Sources in `directory` that export a value of the kind's name, whose `type` has two strict segments. A kind
    /// that differs in something names that and takes the rest from here.
    #[must_use]
    pub fn of(kind: &str, directory: &str) -> Self {
        Self {
            kind: Kind::new(kind),
            directory: directory.into(),
            export_names: vec![kind.into()],
            add_on_export_names: Vec::new(),
            type_key: "type".into(),
            normalise: TypeName::strict,
        }
    }
}
