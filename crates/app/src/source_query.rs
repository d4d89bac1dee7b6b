//! What a person asks for by name: a type as it is usually written, or a path.

use std::collections::BTreeSet;

use mangrove_domain::{
    nearest,
    observation::{CatalogView, DiskView},
    ports::Names,
    row::Row,
    source::{RelativePath, SourceId},
    type_name::TypeName,
};

use crate::loaders::Registry;

/// A type or a path, in every form in which it may be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceQuery {
    text: String,
    /// Paths below a root that the text may mean.
    paths: BTreeSet<String>,
    /// Sources that the text means as a path of the file system: those of mounts and pulled extensions.
    files: BTreeSet<SourceId>,
}

impl SourceQuery {
    /// What `text` means, and `paths` below a root that it means besides: an absolute path or one relative to
    /// the current directory, given relative to the repository.
    pub fn new(text: impl Into<String>, paths: impl IntoIterator<Item = String>) -> Self {
        let text = text.into();
        let as_written = RelativePath::parse(&text).ok().map(|path| path.to_string());
        Self { paths: paths.into_iter().chain(as_written).collect(), text, files: BTreeSet::new() }
    }

    /// The same, and this source besides.
    #[must_use]
    pub fn with_file(mut self, source: SourceId) -> Self {
        self.files.insert(source);
        self
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// True if a path below a root is meant.
    #[must_use]
    pub fn is_path(&self, path: &str) -> bool {
        self.paths.contains(path)
    }

    /// True if this source is meant.
    #[must_use]
    pub fn is_source(&self, source: &SourceId) -> bool {
        let path = source.path.as_str();
        self.is_path(path)
            || self.files.contains(source)
            || (self.text.ends_with(path) && source.to_string() == self.text)
    }

    /// The names of types that may be meant: as written, and as each kind normalises it.
    #[must_use]
    pub fn types(&self, loaders: &Registry) -> BTreeSet<TypeName> {
        let written = TypeName::stored(self.text.as_str());
        loaders.layouts().iter().filter_map(|layout| (layout.normalise)(&self.text).ok()).chain([written]).collect()
    }

    /// What every source goes by that is meant, and perhaps some others do.
    #[must_use]
    pub fn names(&self, loaders: &Registry) -> Names {
        // A source of another root is written with the name of that before its path.
        let below_a_root = self.text.match_indices('/').filter_map(|(at, _)| self.text.get(at + 1..));
        let paths = self.paths.iter().map(String::as_str).chain(below_a_root);
        let files = self.files.iter().map(|source| source.path.clone());
        Names {
            types: self.types(loaders),
            paths: paths.filter_map(|path| RelativePath::parse(path).ok()).chain(files).collect(),
        }
    }

    /// Every source that is meant, on disk or in the catalog.
    #[must_use]
    pub fn sources(&self, loaders: &Registry, disk: &DiskView, catalog: &CatalogView) -> BTreeSet<SourceId> {
        let types = self.types(loaders);
        names(disk, catalog)
            .filter(|(source, type_name)| self.is_source(source) || type_name.is_some_and(|name| types.contains(name)))
            .map(|(source, _)| source.clone())
            .collect()
    }

    /// A sentence with names and paths that are near; `None` if none is.
    #[must_use]
    pub fn nearest(&self, disk: &DiskView, catalog: &CatalogView) -> Option<String> {
        let known: BTreeSet<String> = names(disk, catalog)
            .flat_map(|(source, type_name)| [Some(source.to_string()), type_name.map(ToString::to_string)])
            .flatten()
            .collect();
        let written = [self.text.as_str()].into_iter();
        let mut forms = written.chain(self.paths.iter().map(String::as_str));
        forms.find_map(|form| nearest::hint(form, known.iter().map(String::as_str)))
    }
}

/// Every source with the types that it has or claims.
fn names<'a>(
    disk: &'a DiskView,
    catalog: &'a CatalogView,
) -> impl Iterator<Item = (&'a SourceId, Option<&'a TypeName>)> {
    let rows = catalog.rows.iter().map(|row: &Row| (&row.source, row.type_name()));
    rows.chain(disk.observations.iter().map(|seen| (&seen.source, seen.claimed_type.as_ref())))
}
