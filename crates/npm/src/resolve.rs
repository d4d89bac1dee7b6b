//! From a requirement to a tree: which version of what lies where.
//!
//! The outcome is a function of the requirement and the metadata alone: levels of the tree are fetched in
//! parallel and placed in order. Every requirement resolves by itself, so the order in which extensions are
//! looked at changes nothing; what they share follows from equal ranges meeting equal metadata.
//!
//! A package is placed at the top unless another version of its name is visible there; then it is placed
//! directly below the one that needs it. Both keep what was placed before visible as it was.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use mangrove_domain::{failure::Fault, problem::Code};
use node_semver::{Range, Version};

use super::{
    packument::{Manifest, Packument},
    specifier::{PackageId, Requirement, is_package_name},
    tree::{InstallPath, Tree},
};

/// More placed packages than any honest one needs.
pub(super) const MAXIMUM_PACKAGES: usize = 5_000;

/// Where metadata comes from.
#[async_trait]
pub trait Metadata: Send + Sync {
    /// What the registry says of this package.
    async fn packument(&self, name: &str) -> Result<Arc<Packument>, Fault>;

    /// True if this version can be had; offline that is only what is cached.
    fn is_usable(&self, name: &str, version: &str) -> bool;
}

/// One edge of the tree that is to be settled.
struct Edge {
    /// The name in `node_modules`.
    name: String,
    /// The package behind it; another one for an alias such as `npm:other@1`.
    target: Requirement,
    kind: EdgeKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum EdgeKind {
    Needed,
    Optional,
    Peer,
}

/// Resolves a requirement with everything that it needs.
///
/// # Errors
/// A fault of the metadata; `PACKAGE_NOT_FOUND` if nothing matches; `PACKAGE_UNSUPPORTED` for dependencies
/// that no registry serves.
pub async fn resolve(requirement: &Requirement, metadata: &dyn Metadata) -> Result<Tree, Fault> {
    let mut known: BTreeMap<String, Result<Arc<Packument>, Fault>> = BTreeMap::new();
    learn(&mut known, BTreeSet::from([requirement.name.clone()]), metadata).await;
    let (root, manifest) = choose(requirement, &known, metadata)?;
    let top = InstallPath::top(&root.name);
    let mut tree = Tree {
        root: root.clone(),
        placed: BTreeMap::new(),
        integrity: BTreeMap::from([(root.clone(), promised(&root, &manifest)?)]),
    };
    tree.placed.insert(top.clone(), root);
    let mut level = vec![(top, manifest)];
    while !level.is_empty() {
        let mut edges: Vec<(InstallPath, PackageId, Vec<Edge>)> = Vec::new();
        for (place, manifest) in level.drain(..) {
            let owner = tree.placed[&place].clone();
            let outgoing = outgoing(&owner, &manifest)?;
            edges.push((place, owner, outgoing));
        }
        let wanted = edges.iter().flat_map(|(_, _, outgoing)| outgoing).map(|edge| edge.target.name.clone());
        learn(&mut known, wanted.collect(), metadata).await;
        for (place, owner, outgoing) in edges {
            for edge in outgoing {
                if let Some(added) = settle(&mut tree, &place, &owner, &edge, &known, metadata)? {
                    level.push(added);
                }
            }
        }
        if tree.placed.len() > MAXIMUM_PACKAGES {
            let message = format!("{requirement} needs more than {MAXIMUM_PACKAGES} packages");
            return Err(unsupported(&requirement.to_string(), message));
        }
    }
    Ok(tree)
}

/// Settles one edge; what had to be placed for it, if anything.
fn settle(
    tree: &mut Tree,
    from: &InstallPath,
    owner: &PackageId,
    edge: &Edge,
    known: &BTreeMap<String, Result<Arc<Packument>, Fault>>,
    metadata: &dyn Metadata,
) -> Result<Option<(InstallPath, Manifest)>, Fault> {
    let visible =
        from.candidates(&edge.name, edge.kind == EdgeKind::Peer).find_map(|place| tree.placed.get(&place).cloned());
    let place = match visible {
        // A peer is whatever the surroundings offer: two copies would be worse than another version.
        Some(_) if edge.kind == EdgeKind::Peer => return Ok(None),
        Some(found) if does(&found, &edge.target) => return Ok(None),
        Some(_) => from.below(&edge.name),
        None => InstallPath::top(&edge.name),
    };
    let (package, manifest) = match choose(&edge.target, known, metadata) {
        Ok(chosen) => chosen,
        Err(fault) if edge.kind == EdgeKind::Optional && fault.code == Code::PACKAGE_NOT_FOUND => return Ok(None),
        Err(fault) => {
            return Err(Fault { message: format!("{} (needed by {owner})", fault.message), ..fault });
        }
    };
    // Platform packages hold native code, which no bundle can carry; and a lock must not depend on where
    // it was written.
    if edge.kind == EdgeKind::Optional && manifest.is_for_platform {
        return Ok(None);
    }
    tree.integrity.insert(package.clone(), promised(&package, &manifest)?);
    tree.placed.insert(place.clone(), package);
    Ok(Some((place, manifest)))
}

async fn learn(
    known: &mut BTreeMap<String, Result<Arc<Packument>, Fault>>,
    names: BTreeSet<String>,
    metadata: &dyn Metadata,
) {
    let missing: Vec<String> = names.into_iter().filter(|name| !known.contains_key(name)).collect();
    let found: Vec<_> = stream::iter(missing)
        .map(|name| async move {
            let answer = metadata.packument(&name).await;
            (name, answer)
        })
        .buffer_unordered(32)
        .collect()
        .await;
    known.extend(found);
}

fn choose(
    requirement: &Requirement,
    known: &BTreeMap<String, Result<Arc<Packument>, Fault>>,
    metadata: &dyn Metadata,
) -> Result<(PackageId, Manifest), Fault> {
    let name = &requirement.name;
    let packument = match known.get(name) {
        Some(Ok(packument)) => packument,
        Some(Err(fault)) => return Err(fault.clone()),
        None => return Err(not_found(requirement, "its metadata was not asked for")),
    };
    let manifest = packument.pick(&requirement.range, &|version| metadata.is_usable(name, version));
    let manifest = manifest.ok_or_else(|| {
        let newest = packument.newest(3);
        let known = if newest.is_empty() { "it has none".to_owned() } else { format!("newest: {}", newest.join(", ")) };
        not_found(requirement, &known)
    })?;
    Ok((PackageId { name: name.clone(), version: manifest.version.clone() }, manifest))
}

fn does(found: &PackageId, wanted: &Requirement) -> bool {
    if found.name != wanted.name {
        return false;
    }
    match (wanted.parsed_range(), Version::parse(&found.version)) {
        (Some(range), Ok(version)) => range.satisfies(&version),
        // A distribution tag says nothing of versions: what is there will do.
        (None, _) => true,
        (Some(_), Err(_)) => false,
    }
}

fn outgoing(owner: &PackageId, manifest: &Manifest) -> Result<Vec<Edge>, Fault> {
    let groups = [
        (EdgeKind::Needed, &manifest.dependencies),
        (EdgeKind::Optional, &manifest.optional),
        (EdgeKind::Peer, &manifest.peers),
    ];
    let mut edges = Vec::new();
    for (kind, group) in groups {
        for (name, range) in group {
            match target(name, range) {
                Some(target) => edges.push(Edge { name: name.clone(), target, kind }),
                None if kind == EdgeKind::Optional => {}
                None => {
                    let message = format!(
                        "{owner} depends on {name:?} as {range:?}: only versions, tags and aliases from a registry can be served"
                    );
                    return Err(unsupported(&owner.to_string(), message));
                }
            }
        }
    }
    Ok(edges)
}

/// What a dependency asks for; `None` if no registry serves it.
fn target(name: &str, range: &str) -> Option<Requirement> {
    if !is_package_name(name) {
        return None;
    }
    let requirement = match range.strip_prefix("npm:") {
        Some(alias) => {
            let at = alias.char_indices().skip(1).find(|(_, character)| *character == '@').map(|(index, _)| index);
            let (target, range) = at.map_or((alias, ""), |at| (&alias[..at], &alias[at + 1..]));
            Requirement { name: target.to_owned(), range: range.to_owned() }
        }
        None => Requirement { name: name.to_owned(), range: range.trim().to_owned() },
    };
    let range = &requirement.range;
    let is_tag = !range.contains([':', '/', '#', ' ']);
    (is_package_name(&requirement.name) && (is_tag || Range::parse(range).is_ok())).then_some(requirement)
}

fn promised(package: &PackageId, manifest: &Manifest) -> Result<String, Fault> {
    manifest.integrity.clone().ok_or_else(|| {
        let message = format!("the registry gives no digest for {package}, so nothing could be verified");
        unsupported(&package.to_string(), message)
    })
}

fn not_found(requirement: &Requirement, what_there_is: &str) -> Fault {
    Fault::environment(
        Code::PACKAGE_NOT_FOUND,
        format!("package:{}", requirement.name),
        format!("no version of {} matches {requirement} ({what_there_is})", requirement.name),
    )
}

fn unsupported(subject: &str, message: String) -> Fault {
    Fault::environment(Code::PACKAGE_UNSUPPORTED, format!("package:{subject}"), message)
}
