//! Keys of rows as the server is given them.

use mangrove_domain::source::SourceId;

use super::text::storable;

/// Sources as the columns of their key.
#[derive(Default)]
pub(super) struct Keys {
    pub(super) roots: Vec<String>,
    pub(super) paths: Vec<String>,
}

impl Keys {
    pub(super) fn of<'a>(sources: impl IntoIterator<Item = &'a SourceId>) -> Self {
        let mut keys = Self::default();
        for source in sources {
            keys.push(source);
        }
        keys
    }

    pub(super) fn push(&mut self, source: &SourceId) {
        self.roots.push(storable(source.root.as_str()).into_owned());
        self.paths.push(storable(source.path.as_str()).into_owned());
    }
}
