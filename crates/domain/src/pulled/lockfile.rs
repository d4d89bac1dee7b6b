//! The lockfile as a whole: read, and changed entry by entry.

use crate::{
    document::{Document, Node},
    json::Json,
};

use super::entry::LockEntry;

/// The lockfile of pulled extensions. What is not changed keeps its place, and whatever other programs wrote into it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lockfile {
    /// The extensions that it names, in its order.
    pub entries: Vec<LockEntry>,
    members: Vec<(String, Json)>,
}

impl Lockfile {
    /// Reads a lockfile. An entry that cannot be understood makes it unusable, since nobody may write over it.
    ///
    /// # Errors
    /// The node that is wrong, and what is wrong with it.
    pub fn read(document: &Document) -> Result<Self, (&Node, String)> {
        let members = document.root.as_map().ok_or_else(|| {
            let found = document.root.type_name();
            (&document.root, format!("the lockfile must be a mapping of extensions, found {found}"))
        })?;
        let entries = members.iter().map(|(key, entry)| LockEntry::read(key, entry)).collect::<Result<_, _>>()?;
        let text = |key: &Node| key.as_str().unwrap_or_default().to_owned();
        Ok(Self { entries, members: members.iter().map(|(key, entry)| (text(key), entry.to_json())).collect() })
    }

    /// The entry of an extension.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<&LockEntry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// The locked extensions that lie inside of the directory of another one, by their paths below it: `cost` of
    /// `@acme/aws/cost` in `@acme/aws`.
    #[must_use]
    pub fn nested(&self, name: &str) -> Vec<String> {
        let inside = |entry: &LockEntry| entry.name.strip_prefix(name)?.strip_prefix('/').map(str::to_owned);
        self.entries.iter().filter_map(inside).collect()
    }

    /// Puts an entry in place of the one of that name, or else before the first whose name comes after it.
    pub fn put(&mut self, entry: LockEntry) {
        let member = (entry.name.clone(), entry.to_json());
        match self.members.iter().position(|(name, _)| *name == entry.name) {
            Some(index) => {
                self.members[index] = member;
                self.entries[index] = entry;
            }
            None => {
                let later = self.members.iter().position(|(name, _)| *name > entry.name);
                let index = later.unwrap_or(self.members.len());
                self.members.insert(index, member);
                self.entries.insert(index, entry);
            }
        }
    }

    /// Takes an entry out.
    pub fn remove(&mut self, name: &str) {
        self.members.retain(|(known, _)| known != name);
        self.entries.retain(|entry| entry.name != name);
    }

    /// The text of the lockfile.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n", Json::Object(self.members.clone()).indented())
    }
}
