//! One entry of the lockfile.

use std::collections::{BTreeMap, BTreeSet};

use crate::{digest::Digest, document::Node, json::Json, source::RelativePath};

use super::{
    DIRECTORY,
    checksum::{self, FilesChecksum},
    name::is_name,
    path::{LockedPath, is_bundle_cache, locked_path},
};

/// An extension that the lockfile names.
#[derive(Clone, Debug, PartialEq)]
pub struct LockEntry {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// When it was pulled, as the lockfile spells it.
    pub pulled_at: Option<String>,
    /// Its files, in the order of the lockfile.
    pub files: Vec<LockedFile>,
    /// SHA-256 of the archive that it was pulled as.
    pub checksum: Option<Digest>,
    /// What is said of the bytes of its files.
    pub files_checksum: FilesChecksum,
    /// The address of the registry that it was pulled from.
    pub server: Option<String>,
    /// The channel whose newest version it was.
    pub channel: Option<String>,
    /// What other programs wrote beside this, kept as it is.
    pub include: Option<Json>,
}

/// A file that an entry names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedFile {
    /// As it is written.
    pub text: String,
    /// Where it leads.
    pub place: LockedPath,
    /// Line and column of the lockfile, from 1.
    pub position: (u32, u32),
}

impl LockEntry {
    /// Reads an entry.
    ///
    /// # Errors
    /// The node that is wrong, and what is wrong with it.
    pub fn read<'a>(key: &'a Node, entry: &'a Node) -> Result<Self, (&'a Node, String)> {
        let name = key.as_str().unwrap_or_default();
        if !is_name(name) {
            return Err((key, format!("{name:?} is not an extension name: expected `@scope/name`")));
        }
        if entry.as_map().is_none() {
            return Err((entry, format!("the entry of {name} must be a mapping, found {}", entry.type_name())));
        }
        let text = |key: &str| entry.get(key).and_then(Node::as_str).map(str::to_owned);
        let file = |node: &Node| {
            let text = node.as_str().map_or_else(|| node.to_json().to_string(), str::to_owned);
            let place = node.as_str().map_or(LockedPath::Invalid, |text| locked_path(name, text));
            LockedFile { text, place, position: (node.line, node.column) }
        };
        let inside = |text: &str| match locked_path(name, text) {
            LockedPath::Inside(path) => Some(path),
            LockedPath::Beside(_) | LockedPath::Invalid => None,
        };
        Ok(Self {
            name: name.to_owned(),
            version: text("version").unwrap_or_else(|| "0.0.0".to_owned()),
            pulled_at: text("pulledAt"),
            files: entry.get("files").and_then(Node::as_list).unwrap_or_default().iter().map(file).collect(),
            checksum: text("checksum").and_then(|text| checksum::digest(&text)),
            files_checksum: FilesChecksum::read(entry, inside),
            server: text("serverUrl").filter(|address| !address.is_empty()),
            channel: text("channel").filter(|channel| !channel.is_empty()),
            include: entry.get("include").map(Node::to_json),
        })
    }

    /// The files that lie in the extension, by their paths below it.
    #[must_use]
    pub fn inside(&self) -> BTreeSet<RelativePath> {
        let inside = self.files.iter().filter_map(|file| match &file.place {
            LockedPath::Inside(path) => Some(path.clone()),
            LockedPath::Beside(_) | LockedPath::Invalid => None,
        });
        inside.collect()
    }

    /// The bundles that other programs built out of it, by their paths below the repository.
    #[must_use]
    pub fn bundles(&self) -> BTreeSet<RelativePath> {
        let bundles = self.files.iter().filter_map(|file| match &file.place {
            LockedPath::Beside(path) if is_bundle_cache(path) => Some(path.clone()),
            LockedPath::Inside(_) | LockedPath::Beside(_) | LockedPath::Invalid => None,
        });
        bundles.collect()
    }

    /// True if the files of the extension, and no others, are there as they were pulled.
    #[must_use]
    pub fn is_as_pulled(&self, found: &BTreeMap<RelativePath, Digest>) -> bool {
        self.files_checksum.is_of(found) && found.keys().eq(self.inside().iter())
    }

    /// Names the pull that brought the extension ([`crate::shipped::ShippedBundle::pull`]).
    #[must_use]
    pub fn pull(&self) -> String {
        match &self.pulled_at {
            Some(at) => format!("{} pulled {at}", self.version),
            None => self.version.clone(),
        }
    }

    /// The entry of an extension that was pulled with these files.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut paths: Vec<String> = self.files.iter().map(|file| file.text.clone()).collect();
        paths.sort_unstable();
        let files_checksum = match &self.files_checksum {
            FilesChecksum::Nothing => None,
            FilesChecksum::All(digest) => Some(Json::from(digest.to_string())),
            FilesChecksum::Each(files) => {
                Some(Json::object(files.iter().map(|(path, digest)| (path.as_str(), Json::from(digest.to_string())))))
            }
        };
        let text = |text: &Option<String>| text.as_deref().map(Json::from);
        let members = [
            ("version", Some(Json::from(self.version.as_str()))),
            ("pulledAt", text(&self.pulled_at)),
            ("files", Some(Json::Array(paths.into_iter().map(Json::from).collect()))),
            ("include", self.include.clone()),
            ("checksum", self.checksum.map(|digest| Json::from(digest.to_string()))),
            ("filesChecksum", files_checksum),
            ("serverUrl", text(&self.server)),
            ("channel", text(&self.channel)),
        ];
        Json::object(members.into_iter().filter_map(|(key, value)| Some((key, value?))))
    }

    /// A file of the extension `name` as its entry names it.
    #[must_use]
    pub fn file(name: &str, path: &RelativePath) -> LockedFile {
        LockedFile {
            text: format!("{DIRECTORY}/{name}/{path}"),
            place: LockedPath::Inside(path.clone()),
            position: (1, 1),
        }
    }
}
