//! Which packages of a tree are units of their own wherever they are used, and what lies in their trees.
//!
//! Peers, because a package that asks for one means "the same that my surroundings use"; and schema libraries, because
//! the inspector loads them for real and everything else as stand-ins. Both follow from the tree alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use mangrove_fs::read::{self, FileKind, Within};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    specifier::PackageId,
    tree::{InstallPath, Tree},
};
use mangrove_domain::package::SCHEMA_LIBRARIES;

/// What a look into the manifests of a tree says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Survey {
    /// Names of packages at the top of the tree that are units of their own, with the places of everything that they
    /// reach, their own place included.
    pub(super) shareable: BTreeMap<String, BTreeSet<String>>,
}

/// What one package says of its surroundings.
#[derive(Default)]
struct Needs {
    peers: Vec<String>,
    all: Vec<String>,
}

/// Reads the manifests of a tree that was laid out in `directory`. One that cannot be read needs nothing.
pub(super) fn survey(tree: &Tree, directory: &Path) -> Survey {
    let needs: BTreeMap<&InstallPath, Needs> =
        tree.placed.keys().map(|place| (place, needs(&directory.join(place.to_string())))).collect();
    let peers = needs.values().flat_map(|needs| needs.peers.iter().map(String::as_str));
    let names: BTreeSet<&str> = peers.chain(SCHEMA_LIBRARIES).filter(|name| *name != tree.root.name).collect();
    let shareable = names
        .into_iter()
        .filter(|name| tree.placed.contains_key(&InstallPath::top(name)))
        .map(|name| (name.to_owned(), reach(tree, &needs, InstallPath::top(name))))
        .collect();
    Survey { shareable }
}

/// The part of a tree that lies at these places, with another root.
pub(super) fn subtree(tree: &Tree, root: &PackageId, within: &BTreeSet<String>) -> Tree {
    let placed: BTreeMap<InstallPath, PackageId> = tree
        .placed
        .iter()
        .filter(|(place, _)| within.contains(&place.to_string()))
        .map(|(place, package)| (place.clone(), package.clone()))
        .collect();
    let integrity =
        placed.values().filter_map(|package| Some((package.clone(), tree.integrity.get(package)?.clone()))).collect();
    Tree { root: root.clone(), placed, integrity }
}

fn needs(directory: &Path) -> Needs {
    let path = directory.join("package.json");
    let Ok(bytes) = read::bytes(path, Within::Root(directory), FileKind::Document) else { return Needs::default() };
    let Ok(manifest) = serde_json::from_slice::<Value>(&bytes) else { return Needs::default() };
    let names = |key: &str| -> Vec<String> {
        manifest.get(key).and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.clone()).collect()
    };
    let peers = names("peerDependencies");
    let all = [names("dependencies"), names("optionalDependencies"), peers.clone()].concat();
    Needs { peers, all }
}

/// The places of everything that the package at `start` needs.
fn reach(tree: &Tree, needs: &BTreeMap<&InstallPath, Needs>, start: InstallPath) -> BTreeSet<String> {
    let mut reached = BTreeSet::from([start.clone()]);
    let mut open = vec![start];
    while let Some(place) = open.pop() {
        for name in needs.get(&place).into_iter().flat_map(|needs| &needs.all) {
            let found = place.candidates(name, false).find(|candidate| tree.placed.contains_key(candidate));
            if let Some(found) = found.filter(|found| !reached.contains(found)) {
                reached.insert(found.clone());
                open.push(found);
            }
        }
    }
    reached.iter().map(ToString::to_string).collect()
}
