//! What the manifests of the workspace say, as `cargo metadata` tells it.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::explore;

/// A crate of the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// What it depends on directly.
    pub(crate) dependencies: Vec<Dependency>,
}

/// A direct dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dependency {
    /// The name of the package.
    pub(crate) name: String,
    /// True for one that only tests use.
    pub(crate) is_dev: bool,
}

/// The crates of the workspace and of those beside it, sorted by name.
pub(crate) fn packages(root: &Path) -> Result<Vec<Package>> {
    let mut packages = Vec::new();
    for manifest in ["Cargo.toml", explore::MANIFEST] {
        let output = Command::new("cargo")
            .args(["metadata", "--format-version=1", "--no-deps", "--offline", "--manifest-path", manifest])
            .current_dir(root)
            .output()
            .context("cannot run `cargo metadata`")?;
        if !output.status.success() {
            bail!("`cargo metadata` failed for {manifest}: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        packages.extend(parse(&serde_json::from_slice(&output.stdout).context("`cargo metadata` printed no JSON")?)?);
    }
    packages.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(packages)
}

fn parse(document: &Value) -> Result<Vec<Package>> {
    let mut packages = Vec::new();
    for package in document["packages"].as_array().context("`cargo metadata` lists no packages")? {
        let name = package["name"].as_str().context("a package without a name")?.to_owned();
        let mut dependencies = Vec::new();
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            dependencies.push(Dependency {
                name: dependency["name"].as_str().context("a dependency without a name")?.to_owned(),
                is_dev: dependency["kind"].as_str() == Some("dev"),
            });
        }
        packages.push(Package { name, dependencies });
    }
    Ok(packages)
}
