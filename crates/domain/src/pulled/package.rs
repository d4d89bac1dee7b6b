//! The files of a package: what of an archive belongs to the extension, where it is put, and what no honest archive has.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use unicode_normalization::UnicodeNormalization as _;

use crate::{digest::Digest, source::RelativePath};

use super::{MANIFEST, manifest::PackageManifest};

/// The one directory at the top of an archive.
const TOP: &str = "extension";

/// What is made for other tools and is left out.
const LEFT_OUT: &str = "skills";

/// Links that lead to links lead no further than this.
const LONGEST_CHAIN: usize = 8;

/// An entry of an archive, or a file of a directory. Paths are normalised: no entry leads upward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A file with its bytes.
    File(Arc<[u8]>),
    /// A link to another entry, by its path from the top of the archive.
    Link(RelativePath),
}

/// How much a package may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackageBounds {
    /// Files.
    pub files: u64,
    /// Bytes of all files together.
    pub bytes: u64,
}

/// What is wrong with the entries of an archive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is no package of an extension.
    #[error("it has no {MANIFEST}, neither at its top nor in one directory there")]
    NoManifest,
    /// On many file systems these are one file.
    #[error("{0:?} and {1:?} differ only in the case of letters")]
    Case(String, String),
    /// Two entries cannot both be there.
    #[error("{0:?} is there twice")]
    Twice(String),
    /// A file cannot hold others.
    #[error("{0:?} is both a file and a directory")]
    FileAndDirectory(String),
    /// No name that files have everywhere.
    #[error("{0:?} is not a name that a file can have everywhere")]
    Name(String),
    /// More than is allowed, once each link is a copy of what it leads to.
    #[error("with what its links lead to, it holds more than {0}")]
    TooLarge(String),
}

/// The files of a package below the extension, where they will lie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arranged {
    /// The files, by their paths.
    pub files: BTreeMap<RelativePath, Arc<[u8]>>,
}

/// Puts the entries of an archive where they belong: its one top directory is taken off, bundles go where shipped bundles
/// are looked for, links become copies of what they lead to, and what belongs to other tools is left out.
///
/// # Errors
/// [`Refusal`]
pub fn arrange(entries: Vec<(RelativePath, Item)>, bounds: PackageBounds) -> Result<Arranged, Refusal> {
    let mut items: BTreeMap<RelativePath, Item> = BTreeMap::new();
    for (path, item) in entries {
        let is_litter = path.as_str().split('/').any(|segment| segment.starts_with("._"));
        if path.as_str().contains(|letter: char| letter.is_control() || letter == '\\') {
            return Err(Refusal::Name(path.to_string()));
        }
        if !is_litter && items.insert(path.clone(), item).is_some() {
            return Err(Refusal::Twice(path.to_string()));
        }
    }
    refuse_one_for_two(items.keys())?;
    let top = top(&items).ok_or(Refusal::NoManifest)?;
    let mut files = BTreeMap::new();
    let mut held = PackageBounds { files: 0, bytes: 0 };
    for (path, item) in &items {
        for (path, bytes) in resolve(&items, path, item, 0) {
            held.files += 1;
            held.bytes = held.bytes.saturating_add(bytes.len() as u64);
            if held.files > bounds.files {
                return Err(Refusal::TooLarge(format!("{} files", bounds.files)));
            }
            if held.bytes > bounds.bytes {
                return Err(Refusal::TooLarge(format!("{} bytes", bounds.bytes)));
            }
            let below = if top.is_empty() {
                Some(path.as_str())
            } else {
                path.strip_prefix(top.as_str()).and_then(|rest| rest.strip_prefix('/'))
            };
            let place = below.and_then(place).and_then(|place| RelativePath::parse(&place).ok());
            if let Some(place) = place {
                files.insert(place, bytes);
            }
        }
    }
    refuse_one_for_two(files.keys())?;
    Ok(Arranged { files })
}

/// The directory that is taken off; the empty text if the manifest lies at the top, `None` if there is none.
fn top(items: &BTreeMap<RelativePath, Item>) -> Option<String> {
    let has_manifest = |top: &str| {
        let path = if top.is_empty() { MANIFEST.to_owned() } else { format!("{top}/{MANIFEST}") };
        RelativePath::parse(&path).is_ok_and(|path| items.contains_key(&path))
    };
    if has_manifest(TOP) {
        return Some(TOP.to_owned());
    }
    if has_manifest("") {
        return Some(String::new());
    }
    let tops: BTreeSet<&str> = items.keys().filter_map(|path| path.as_str().split('/').next()).collect();
    let only = tops.first().filter(|top| tops.len() == 1 && has_manifest(top))?;
    Some((*only).to_owned())
}

/// The files that an entry is or leads to; one that leads nowhere is none.
fn resolve(
    items: &BTreeMap<RelativePath, Item>,
    path: &RelativePath,
    item: &Item,
    depth: usize,
) -> Vec<(String, Arc<[u8]>)> {
    match item {
        Item::File(bytes) => vec![(path.to_string(), Arc::clone(bytes))],
        Item::Link(_) if depth >= LONGEST_CHAIN => Vec::new(),
        Item::Link(target) => match items.get(target) {
            Some(found) => {
                let files = resolve(items, target, found, depth + 1);
                files.into_iter().map(|(found, bytes)| (moved(&found, target, path), bytes)).collect()
            }
            // A directory: what lies below it, but no further links, of which it might hold one to itself.
            None => {
                let below = items
                    .iter()
                    .filter(|(inner, _)| inner.is_inside(target.as_str()) && !path.is_inside(target.as_str()));
                let files = below.filter_map(|(inner, item)| match item {
                    Item::File(bytes) => Some((moved(inner.as_str(), target, path), Arc::clone(bytes))),
                    Item::Link(_) => None,
                });
                files.collect()
            }
        },
    }
}

/// The path of what lies at or below `from`, as seen through a link.
fn moved(path: &str, from: &RelativePath, to: &RelativePath) -> String {
    format!("{to}{}", path.strip_prefix(from.as_str()).unwrap_or_default())
}

/// Where a file of a package is put; `None` if it is left out.
fn place(path: &str) -> Option<String> {
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    match first {
        LEFT_OUT if !rest.is_empty() => None,
        "bundles" if !rest.is_empty() => Some(format!(".swamp/model-bundles/{rest}")),
        kind if kind.ends_with("-bundles") && !rest.is_empty() => Some(format!(".swamp/{path}")),
        _ => Some(path.to_owned()),
    }
}

/// No two names may be one on a file system that takes capitals and small letters, or two spellings of a letter, for the
/// same; and no file may be a directory.
fn refuse_one_for_two<'a>(paths: impl Iterator<Item = &'a RelativePath>) -> Result<(), Refusal> {
    let mut names: BTreeMap<String, (String, bool)> = BTreeMap::new();
    for path in paths {
        let text = path.as_str();
        let ends = text.match_indices('/').map(|(at, _)| at).chain([text.len()]);
        for end in ends {
            let (name, is_file) = (&text[..end], end == text.len());
            let folded: String = name.nfc().flat_map(char::to_lowercase).collect();
            match names.get(&folded) {
                None => {
                    names.insert(folded, (name.to_owned(), is_file));
                }
                Some((known, _)) if known != name => return Err(Refusal::Case(known.clone(), name.to_owned())),
                Some((_, known)) if *known || is_file => return Err(Refusal::FileAndDirectory(name.to_owned())),
                Some(_) => {}
            }
        }
    }
    Ok(())
}

/// A package that may be put in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its manifest.
    pub manifest: PackageManifest,
    /// Its files, by their paths below the extension.
    pub files: BTreeMap<RelativePath, PackageFile>,
}

/// A file of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageFile {
    /// Its bytes.
    pub bytes: Arc<[u8]>,
    /// What may be done with it.
    pub mode: FileMode,
}

/// What may be done with a file, beside reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileMode {
    /// What may be done with files that people make.
    Usual,
    /// Nothing: the manifest.
    ReadOnly,
    /// It may be started.
    Executable,
}

impl Package {
    /// A package of arranged files with this manifest.
    #[must_use]
    pub fn new(manifest: PackageManifest, arranged: Arranged) -> Self {
        let files = arranged.files.into_iter().map(|(path, bytes)| {
            let mode = match path.as_str() {
                MANIFEST => FileMode::ReadOnly,
                _ if manifest.is_binary(&path) => FileMode::Executable,
                _ => FileMode::Usual,
            };
            (path, PackageFile { bytes, mode })
        });
        let files = files.collect();
        Self { manifest, files }
    }

    /// The digests of its files.
    #[must_use]
    pub fn digests(&self) -> BTreeMap<RelativePath, Digest> {
        self.files.iter().map(|(path, file)| (path.clone(), Digest::of(&file.bytes))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelativePath {
        RelativePath::parse(text).expect("a path")
    }

    fn files(names: &[&str]) -> Vec<(RelativePath, Item)> {
        names.iter().map(|name| (path(name), Item::File(name.as_bytes().into()))).collect()
    }

    fn names(entries: Vec<(RelativePath, Item)>) -> Result<Vec<String>, Refusal> {
        Ok(arrange(entries, BOUNDS)?.files.keys().map(ToString::to_string).collect())
    }

    const BOUNDS: PackageBounds = PackageBounds { files: 20, bytes: 1_000 };

    #[test]
    fn copies_of_what_links_lead_to_count() {
        let mut entries = vec![(path("manifest.yaml"), Item::File([0_u8; 300].as_slice().into()))];
        for number in 0..3 {
            entries.push((path(&format!("l{number}")), Item::Link(path("manifest.yaml"))));
        }
        assert_eq!(names(entries.clone()), Err(Refusal::TooLarge("1000 bytes".into())));
        entries.pop();
        assert_eq!(names(entries).expect("a package").len(), 3);
        let mut entries = files(&["manifest.yaml", "d/1", "d/2", "d/3"]);
        entries.extend((0..6).map(|number| (path(&format!("l{number}")), Item::Link(path("d")))));
        assert_eq!(names(entries), Err(Refusal::TooLarge("20 files".into())));
    }

    #[test]
    fn each_file_is_put_where_it_belongs() {
        let entries = files(&[
            "extension/manifest.yaml",
            "extension/models/a.ts",
            "extension/models/._a.ts",
            "extension/._models/a.ts",
            "extension/skills/x/SKILL.md",
            "extension/bundles/a.js",
            "extension/vault-bundles/v.js",
            "extension/README.md",
            "other/x.ts",
        ]);
        let expected =
            [".swamp/model-bundles/a.js", ".swamp/vault-bundles/v.js", "README.md", "manifest.yaml", "models/a.ts"];
        assert_eq!(names(entries).expect("a package"), expected);
        assert_eq!(names(files(&["manifest.yaml", "models/a.ts"])).expect("a package").len(), 2);
        assert_eq!(names(files(&["x-1/manifest.yaml", "x-1/models/a.ts"])).expect("a package")[1], "models/a.ts");
    }

    #[test]
    fn what_no_honest_archive_has_is_refused() {
        for (entries, expected) in [
            (files(&["extension/models/a.ts"]), Refusal::NoManifest),
            (files(&["a/manifest.yaml", "b/x"]), Refusal::NoManifest),
            (
                files(&["manifest.yaml", "models/A.ts", "models/a.ts"]),
                Refusal::Case("models/A.ts".into(), "models/a.ts".into()),
            ),
            (files(&["manifest.yaml", "Models/a.ts", "models/b.ts"]), Refusal::Case("Models".into(), "models".into())),
            (files(&["manifest.yaml", "\u{e4}", "a\u{308}"]), Refusal::Case("a\u{308}".into(), "\u{e4}".into())),
            (files(&["manifest.yaml", "x", "x"]), Refusal::Twice("x".into())),
            (files(&["manifest.yaml", "x", "x/y"]), Refusal::FileAndDirectory("x".into())),
            (files(&["manifest.yaml", "x\\y"]), Refusal::Name("x\\y".into())),
            (
                files(&["manifest.yaml", "bundles/a.js", ".swamp/model-bundles/A.js"]),
                Refusal::Case(".swamp/model-bundles/A.js".into(), ".swamp/model-bundles/a.js".into()),
            ),
        ] {
            assert_eq!(names(entries.clone()), Err(expected), "{entries:?}");
        }
    }

    #[test]
    fn links_become_copies_and_those_that_lead_nowhere_are_left_out() {
        let link = |from: &str, to: &str| (path(from), Item::Link(path(to)));
        let mut entries = files(&["extension/manifest.yaml", "extension/models/a.ts", "extension/models/lib/b.ts"]);
        entries.extend([
            link("extension/again.ts", "extension/models/a.ts"),
            link("extension/chain.ts", "extension/again.ts"),
            link("extension/vaults", "extension/models/lib"),
            link("extension/lost", "extension/nothing"),
            link("extension/loop", "extension/loop"),
            link("extension/models/up", "extension/models"),
            link("extension/one", "extension/two"),
            link("extension/two", "extension/one"),
        ]);
        let expected = ["again.ts", "chain.ts", "manifest.yaml", "models/a.ts", "models/lib/b.ts", "vaults/b.ts"];
        assert_eq!(names(entries).expect("a package"), expected);
    }
}
