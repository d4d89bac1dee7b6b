//! Rules about files that no compiler checks. Each rule is a plain function from the files to findings.

mod circles;
mod commands;
mod documents;
mod newcomer;
mod sources;

use std::{collections::BTreeSet, path::Path};

use anyhow::Result;

use crate::{metadata, report, tree::Tree};

/// Checks every file.
pub(crate) fn run(root: &Path) -> Result<bool> {
    let tree = Tree::read(root)?;
    let mut dependencies = BTreeSet::new();
    for package in metadata::packages(root)? {
        dependencies.extend(package.dependencies.into_iter().map(|dependency| dependency.name));
    }
    dependencies.retain(|name| !name.starts_with("mangrove-"));

    let mut findings = sources::check(&tree);
    findings.extend(circles::check(&tree));
    findings.extend(commands::check(&tree));
    findings.extend(newcomer::check(&tree));
    findings.extend(documents::check(&tree, &dependencies));
    Ok(report("tidy", &findings))
}
