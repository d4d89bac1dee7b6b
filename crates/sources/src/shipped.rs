//! Bundles that a pulled extension ships below `.swamp/<kind>-bundles`, looked for where nothing can be built for lack
//! of a configuration (`design/origins.md`). They are read and parsed as sources are, by the same rules.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mangrove_domain::{
    shipped::{Shipped, ShippedBundle, is_unmapped},
    source::RelativePath,
};

use super::{
    path::join,
    places::Places,
    roots,
    session::Session,
    view::{Content, FileRecord, Node, View},
};

/// Holds the directories of shipped bundles, below the root of the extension.
const DIRECTORY: &str = ".swamp";

/// What stands where the bundle of one entry belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ShippedFile {
    /// One file, by its path.
    File(String),
    /// Nothing that can be taken without a guess; half a sentence says why.
    Unusable(String),
}

/// Where the bundles of the entries of one root lie, by the paths of the entries.
#[derive(Debug, Default)]
pub(super) struct ShippedFiles(BTreeMap<String, ShippedFile>);

/// Looks where the bundles of those among these entries belong that need what nothing maps. An entry is its
/// configuration, its path and its kind.
pub(super) fn seek<'a>(
    session: &mut Session,
    places: &Places,
    entries: impl Iterator<Item = (usize, &'a str, usize)>,
) -> ShippedFiles {
    let mut found = ShippedFiles::default();
    for (config, path, kind) in entries {
        let needs_a_map = session.assemble(config, path).specifiers.iter().any(|specifier| is_unmapped(specifier));
        if !needs_a_map {
            continue;
        }
        if let Some(place) = candidates(places, path, kind).and_then(|names| place(&mut session.view, &names)) {
            found.0.insert(path.to_owned(), place);
        }
    }
    found.part_twins();
    found
}

impl ShippedFiles {
    /// Two entries that one file would be the bundle of get none.
    fn part_twins(&mut self) {
        let mut entries: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (entry, place) in &self.0 {
            if let ShippedFile::File(file) = place {
                entries.entry(file).or_default().push(entry);
            }
        }
        let twins = entries.into_iter().filter(|(_, entries)| entries.len() > 1);
        let unusable: Vec<(String, String)> = twins
            .flat_map(|(file, entries)| {
                let why = format!("{file} could be that of {}", entries.join(" and of "));
                entries.into_iter().map(|entry| (entry.to_owned(), why.clone())).collect::<Vec<_>>()
            })
            .collect();
        self.0.extend(unusable.into_iter().map(|(entry, why)| (entry, ShippedFile::Unusable(why))));
    }

    /// The files to be loaded.
    pub(super) fn files(&self) -> BTreeSet<String> {
        let file = |place: &ShippedFile| match place {
            ShippedFile::File(file) => Some(file.clone()),
            ShippedFile::Unusable(_) => None,
        };
        self.0.values().filter_map(file).collect()
    }

    /// What is shipped, by the paths of the entries, once the files are loaded.
    pub(super) fn judge(self, view: &View, pull: &Arc<str>) -> BTreeMap<String, Shipped> {
        let shipped = |place| match place {
            ShippedFile::File(file) => judge(&file, view.files.get(&file)?, pull),
            ShippedFile::Unusable(why) => Some(Shipped::Unusable { why }),
        };
        self.0.into_iter().filter_map(|(entry, place)| Some((entry, shipped(place)?))).collect()
    }
}

/// The names that the bundle of an entry may have: `.swamp/<kind>-bundles/<path below the directory of the kind>.js`,
/// where the kind is called by its name or by that of its directory. An entry that lies elsewhere, because a manifest
/// lists it, is called by its path below the root.
fn candidates(places: &Places, path: &str, kind: usize) -> Option<BTreeSet<String>> {
    let directory = places.directory(places.of(path)?, kind);
    let inside = path.strip_prefix(directory).and_then(|rest| rest.strip_prefix('/'));
    let below = inside.filter(|_| !directory.is_empty()).unwrap_or(path);
    let (stem, _) = below.rsplit_once('.')?;
    let called = roots::names(places.kinds.get(kind)?);
    Some(called.into_iter().map(|name| join(DIRECTORY, &format!("{name}-bundles/{stem}.js"))).collect())
}

fn place(view: &mut View, names: &BTreeSet<String>) -> Option<ShippedFile> {
    let mut found: Option<String> = None;
    for name in names {
        match view.node(name) {
            Node::File => match found.replace(name.clone()) {
                None => {}
                Some(other) => return Some(ShippedFile::Unusable(format!("both {other} and {name} are there"))),
            },
            Node::Outside => return Some(ShippedFile::Unusable(format!("{name} leads outside the extension"))),
            Node::Directory | Node::Absent => {}
        }
    }
    found.map(ShippedFile::File)
}

fn judge(file: &str, record: &FileRecord, pull: &Arc<str>) -> Option<Shipped> {
    let unusable = |why: String| Some(Shipped::Unusable { why: format!("{file} {why}") });
    match &record.content {
        Content::Read { .. } => {}
        Content::Absent => return None,
        Content::Outside => return unusable("leads outside the extension".to_owned()),
        Content::Unreadable(failure) => return unusable(format!("cannot be read: {}", failure.message)),
    }
    let module = record.module.as_ref()?;
    if let Some(error) = &module.syntax_error {
        return unusable(format!("does not parse: {} (line {})", error.message, error.line));
    }
    // The rule for what Deno bundles is the same: a literal `import()` may stay, and fails where it is called.
    let is_left = |specifier: &str| !specifier.starts_with("node:");
    if let Some(import) = module.imports.iter().find(|import| !import.is_dynamic && is_left(&import.specifier)) {
        return unusable(format!("is not complete: it imports {:?}", import.specifier));
    }
    let path = RelativePath::parse(file).ok()?;
    Some(Shipped::Bundle(ShippedBundle { path, digest: record.digest()?, pull: Arc::clone(pull) }))
}
