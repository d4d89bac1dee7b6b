//! Parts of ours that others may take alone, and the outside crates that must not come with them.

use std::{collections::BTreeSet, path::Path, process::Command};

use anyhow::{Context as _, Result, bail};

/// A crate with some of its features, as somebody else would depend on it.
pub(crate) struct Part {
    /// The crate.
    pub(crate) package: &'static str,
    /// The one feature that is chosen; `None` for the default ones.
    pub(crate) feature: Option<&'static str>,
    /// The outside crates that it does without, directly and through others. A name that ends in `*` is a prefix.
    without: &'static [&'static [&'static str]],
}

const BUNDLER: &[&str] = &["rolldown*", "string_wizard"];
const DATABASE: &[&str] = &["sqlx*", "libsqlite3-sys"];
const DOCUMENTS: &[&str] = &["granit-parser"];
const ENGINE: &[&str] = &["rquickjs*"];
const EXPRESSIONS: &[&str] = &["cel"];
const HTTP: &[&str] = &["reqwest", "hyper"];
const PARSER: &[&str] = &["oxc*"];
const SCHEMA: &[&str] = &["jsonschema"];
const SQLITE: &[&str] = &["sqlx-sqlite", "libsqlite3-sys"];

/// Every part that is promised to stand alone.
pub(crate) const PARTS: &[Part] = &[
    Part {
        package: "mangrove-fs",
        feature: None,
        without: &[BUNDLER, DATABASE, DOCUMENTS, ENGINE, EXPRESSIONS, HTTP, PARSER, SCHEMA],
    },
    Part {
        package: "mangrove-sources",
        feature: None,
        without: &[BUNDLER, DATABASE, ENGINE, EXPRESSIONS, HTTP, SCHEMA],
    },
    Part {
        package: "mangrove-npm",
        feature: None,
        without: &[BUNDLER, DATABASE, DOCUMENTS, ENGINE, EXPRESSIONS, PARSER, SCHEMA],
    },
    Part {
        package: "mangrove-engine",
        feature: None,
        without: &[BUNDLER, DATABASE, DOCUMENTS, EXPRESSIONS, HTTP, SCHEMA],
    },
    Part {
        package: "mangrove-infra",
        feature: Some("sqlite"),
        without: &[BUNDLER, DOCUMENTS, ENGINE, EXPRESSIONS, HTTP, PARSER, SCHEMA],
    },
    Part {
        package: "mangrove-infra",
        feature: Some("postgres"),
        without: &[BUNDLER, SQLITE, DOCUMENTS, ENGINE, EXPRESSIONS, HTTP, PARSER, SCHEMA],
    },
    Part {
        package: "mangrove-infra",
        feature: Some("documents"),
        without: &[BUNDLER, DATABASE, ENGINE, EXPRESSIONS, HTTP, PARSER, SCHEMA],
    },
    Part {
        package: "mangrove-infra",
        feature: Some("expressions"),
        without: &[BUNDLER, DATABASE, DOCUMENTS, ENGINE, HTTP, PARSER, SCHEMA],
    },
    Part {
        package: "mangrove-infra",
        feature: Some("schema"),
        without: &[BUNDLER, DATABASE, DOCUMENTS, ENGINE, EXPRESSIONS, HTTP, PARSER],
    },
    Part {
        package: "mangrove-infra",
        feature: Some("calendar"),
        without: &[BUNDLER, DATABASE, DOCUMENTS, ENGINE, EXPRESSIONS, HTTP, PARSER, SCHEMA],
    },
    Part {
        package: "mangrove-infra",
        feature: Some("watcher"),
        without: &[BUNDLER, DATABASE, DOCUMENTS, ENGINE, EXPRESSIONS, HTTP, PARSER, SCHEMA],
    },
    Part {
        package: "mangrove-infra",
        feature: Some("s3"),
        without: &[BUNDLER, DATABASE, DOCUMENTS, ENGINE, EXPRESSIONS, PARSER, SCHEMA],
    },
    Part { package: "mangrove-infra", feature: Some("bundler"), without: &[DATABASE, DOCUMENTS, EXPRESSIONS, SCHEMA] },
    Part { package: "mangrove-infra", feature: Some("deno"), without: &[DATABASE, DOCUMENTS, EXPRESSIONS, SCHEMA] },
    // A program of another team.
    Part { package: "mangrove-embedding", feature: None, without: &[BUNDLER, ENGINE, HTTP] },
];

impl Part {
    /// The arguments by which cargo chooses this part.
    pub(crate) fn arguments(&self) -> Vec<&'static str> {
        let mut arguments = vec!["--package", self.package];
        if let Some(feature) = self.feature {
            arguments.extend(["--no-default-features", "--features", feature]);
        }
        arguments
    }

    fn name(&self) -> String {
        self.feature.map_or_else(
            || self.package.to_owned(),
            |feature| format!("{} with the feature {feature} alone", self.package),
        )
    }

    fn findings(&self, tree: &str) -> Vec<String> {
        let names: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
        let forbidden = self.without.iter().copied().flatten();
        let found = forbidden.flat_map(|pattern| {
            let is_match =
                |name: &str| pattern.strip_suffix('*').map_or(*pattern == name, |prefix| name.starts_with(prefix));
            names.iter().filter(move |name| is_match(name))
        });
        found.map(|name| format!("{} must do without {name}; see `cargo tree --invert {name}`", self.name())).collect()
    }
}

/// What comes with a part and must not.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for part in PARTS {
        let output = Command::new("cargo")
            // What tests need does not come with it.
            .args(["tree", "--offline", "--prefix=none", "--edges=no-dev"])
            .args(part.arguments())
            .current_dir(root)
            .output()
            .context("cannot run `cargo tree`")?;
        if !output.status.success() {
            bail!("`cargo tree` of {} failed: {}", part.name(), String::from_utf8_lossy(&output.stderr).trim());
        }
        findings.extend(part.findings(&String::from_utf8_lossy(&output.stdout)));
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: Part = Part { package: "mangrove-npm", feature: None, without: &[BUNDLER, EXPRESSIONS] };

    #[test]
    fn a_crate_that_must_not_come_along_is_found() {
        let tree = "mangrove-npm v0.1.0 (/crates/npm)\nrolldown_common v1.2.5\nrolldown_common v1.2.5\ncel v0.15.0\n";
        assert_eq!(
            PART.findings(tree),
            [
                "mangrove-npm must do without rolldown_common; see `cargo tree --invert rolldown_common`",
                "mangrove-npm must do without cel; see `cargo tree --invert cel`",
            ]
        );
    }

    #[test]
    fn a_name_is_compared_whole_unless_it_is_a_prefix() {
        assert_eq!(PART.findings("mangrove-npm v0.1.0\nceleste v1.0.0\nreqwest v0.13.0\n"), Vec::<String>::new());
    }

    #[test]
    fn a_feature_is_chosen_without_the_default_ones() {
        let part = Part { feature: Some("sqlite"), ..PART };
        assert_eq!(part.arguments(), ["--package", "mangrove-npm", "--no-default-features", "--features", "sqlite"]);
        assert_eq!(part.name(), "mangrove-npm with the feature sqlite alone");
    }
}
