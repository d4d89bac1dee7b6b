//! A resolved package with everything below it, laid out as `node_modules` directories.

use std::{collections::BTreeMap, fmt, str::FromStr};

use mangrove_domain::{digest::Digest, fingerprint::Line, fingerprint::Part};

use super::specifier::{PackageId, is_package_name};

/// Where a package lies: `node_modules/a/node_modules/@s/b`, as its names from the outside in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstallPath(Vec<String>);

/// The text is not the path of an installed package.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected `node_modules/<name>`, repeated, found {0:?}")]
pub struct InstallPathError(String);

impl InstallPath {
    /// At the top.
    #[must_use]
    pub fn top(name: &str) -> Self {
        Self(vec![name.to_owned()])
    }

    /// Below this one.
    #[must_use]
    pub fn below(&self, name: &str) -> Self {
        Self(self.0.iter().cloned().chain([name.to_owned()]).collect())
    }

    /// The places where an import of `name` from here is looked for, nearest first: in its own
    /// `node_modules` unless `from_outside`, then in each one around it.
    pub fn candidates(&self, name: &str, from_outside: bool) -> impl Iterator<Item = InstallPath> {
        let nearest = self.0.len() - usize::from(from_outside);
        (0..=nearest).rev().map(move |depth| {
            let mut names = self.0[..depth].to_vec();
            names.push(name.to_owned());
            InstallPath(names)
        })
    }
}

impl fmt::Display for InstallPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().enumerate() {
            write!(out, "{}node_modules/{name}", if index == 0 { "" } else { "/" })?;
        }
        Ok(())
    }
}

impl FromStr for InstallPath {
    type Err = InstallPathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || InstallPathError(text.to_owned());
        let rest = text.strip_prefix("node_modules/").ok_or_else(error)?;
        let names: Vec<String> = rest.split("/node_modules/").map(str::to_owned).collect();
        if names.iter().all(|name| is_package_name(name)) { Ok(Self(names)) } else { Err(error()) }
    }
}

/// What one requirement resolved to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// The package that was asked for; its place is the top one of its name.
    pub root: PackageId,
    /// Every package by its place, the root included.
    pub placed: BTreeMap<InstallPath, PackageId>,
    /// The integrity of every placed package.
    pub integrity: BTreeMap<PackageId, String>,
}

impl Tree {
    /// The lines of the packages part of a fingerprint: `name@version` and integrity.
    pub fn lines(&self) -> impl Iterator<Item = Line> {
        self.integrity.iter().map(|(package, integrity)| Line::new(package.to_string(), integrity.clone()))
    }

    /// What tells this tree from every other one: each place with what lies there.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let places = self.placed.iter().map(|(place, package)| {
            let integrity = self.integrity.get(package).map_or("", String::as_str);
            Line::new(place.to_string(), format!("{package} {integrity}"))
        });
        Part::of(places.chain([Line::new("root", self.root.to_string())])).digest()
    }
}
