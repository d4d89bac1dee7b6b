//! Who may depend on whom. The tables below are the architecture; `ARCHITECTURE.md` explains them.

use std::{collections::BTreeSet, path::Path};

use anyhow::Result;

use crate::{
    metadata::{self, Package},
    report, standalone,
    tree::Tree,
};

/// What one crate may use.
struct Layer {
    name: &'static str,
    /// Our crates that its code may use.
    ours: &'static [&'static str],
    /// Our crates that its tests may use in addition.
    ours_in_tests: &'static [&'static str],
    /// The outside crates that its code may use; `None` where any will do.
    outside: Option<&'static [&'static str]>,
}

const LAYERS: &[Layer] = &[
    Layer {
        name: "mangrove-domain",
        ours: &[],
        ours_in_tests: &["mangrove-testkit"],
        outside: Some(&[
            "async-trait",
            "foldhash",
            "mockall",
            "ring",
            "rpds",
            "strsim",
            "thiserror",
            "unicode-normalization",
        ]),
    },
    Layer {
        name: "mangrove-single-flight",
        ours: &[],
        ours_in_tests: &[],
        outside: Some(&["futures", "thiserror", "tokio"]),
    },
    Layer {
        name: "mangrove-app",
        ours: &["mangrove-domain", "mangrove-single-flight"],
        ours_in_tests: &["mangrove-testkit"],
        outside: Some(&["arc-swap", "async-trait", "base64", "futures", "thiserror", "tokio", "tokio-util", "tracing"]),
    },
    Layer {
        name: "mangrove-documents",
        ours: &["mangrove-app", "mangrove-domain"],
        ours_in_tests: &["mangrove-testkit"],
        outside: Some(&["serde", "serde_json", "time", "utoipa"]),
    },
    Layer {
        name: "mangrove-daemon",
        ours: &["mangrove-app", "mangrove-documents", "mangrove-domain"],
        // Files and YAML, so that workflows in tests are what people write.
        ours_in_tests: &["mangrove-fs", "mangrove-infra", "mangrove-testkit"],
        outside: None,
    },
    Layer {
        name: "mangrove-dashboard",
        ours: &["mangrove-app", "mangrove-daemon", "mangrove-documents", "mangrove-domain"],
        ours_in_tests: &["mangrove-fs", "mangrove-infra", "mangrove-testkit"],
        outside: Some(&["askama", "axum", "pulldown-cmark", "serde", "serde_json", "time", "tokio"]),
    },
    Layer {
        name: "mangrove-fs",
        ours: &["mangrove-domain"],
        ours_in_tests: &["mangrove-testkit"],
        outside: Some(&["async-trait", "blake3", "rustix", "serde", "serde_json", "tempfile", "thiserror", "tokio"]),
    },
    Layer {
        name: "mangrove-sources",
        ours: &["mangrove-domain", "mangrove-fs"],
        // The adapter of `Documents`, so that manifests in tests are YAML.
        ours_in_tests: &["mangrove-infra", "mangrove-testkit"],
        outside: Some(&[
            "async-trait",
            "futures",
            "nodejs-built-in-modules",
            "oxc_allocator",
            "oxc_ast",
            "oxc_ast_visit",
            "oxc_parser",
            "oxc_span",
            "percent-encoding",
            "postcard",
            "rustix",
            "serde",
            "tokio",
            "tracing",
        ]),
    },
    Layer {
        name: "mangrove-npm",
        ours: &["mangrove-domain", "mangrove-fs", "mangrove-single-flight"],
        ours_in_tests: &["mangrove-testkit"],
        outside: Some(&[
            "async-trait",
            "base64",
            "flate2",
            "futures",
            "httpdate",
            "node-semver",
            "reqwest",
            "rustls",
            "serde",
            "serde_json",
            "ssri",
            "tar",
            "tempfile",
            "thiserror",
            "tokio",
            "tracing",
        ]),
    },
    Layer {
        name: "mangrove-engine",
        ours: &["mangrove-domain", "mangrove-fs"],
        ours_in_tests: &["mangrove-testkit"],
        outside: Some(&[
            "async-trait",
            "base64",
            "chrono",
            "chrono-tz",
            "encoding_rs",
            "iana-time-zone",
            "icu_collator",
            "icu_locale_core",
            "nodejs-built-in-modules",
            "oxc_allocator",
            "oxc_ast",
            "oxc_ast_visit",
            "oxc_parser",
            "oxc_sourcemap",
            "oxc_span",
            "oxc_syntax",
            "rquickjs",
            "serde",
            "serde_json",
            "tokio",
            "url",
            "uuid",
        ]),
    },
    Layer {
        name: "mangrove-infra",
        ours: &["mangrove-domain", "mangrove-engine", "mangrove-fs", "mangrove-npm", "mangrove-sources"],
        ours_in_tests: &["mangrove-testkit"],
        outside: None,
    },
    Layer {
        name: "mangrove-cli",
        ours: &[
            "mangrove-app",
            "mangrove-daemon",
            "mangrove-dashboard",
            "mangrove-documents",
            "mangrove-domain",
            "mangrove-fs",
            "mangrove-infra",
            "mangrove-loader-datastore",
            "mangrove-npm",
            "mangrove-sources",
        ],
        ours_in_tests: &["mangrove-engine", "mangrove-testkit"],
        outside: None,
    },
    Layer {
        name: "mangrove-loader-datastore",
        ours: &["mangrove-domain"],
        ours_in_tests: &["mangrove-testkit"],
        outside: Some(&[]),
    },
    Layer {
        name: "mangrove-embedding",
        ours: &["mangrove-app", "mangrove-domain", "mangrove-fs", "mangrove-infra", "mangrove-sources"],
        ours_in_tests: &["mangrove-testkit"],
        outside: None,
    },
    // Compiles the source of `mangrove-single-flight` against other crates than that does.
    Layer {
        name: "mangrove-explore-single-flight",
        ours: &[],
        ours_in_tests: &[],
        outside: Some(&["futures", "shuttle", "shuttle-tokio", "thiserror"]),
    },
    // Tests only; nothing of ours depends on it.
    Layer {
        name: "mangrove-fuzz",
        ours: &[
            "mangrove-daemon",
            "mangrove-domain",
            "mangrove-fs",
            "mangrove-infra",
            "mangrove-npm",
            "mangrove-sources",
        ],
        ours_in_tests: &[],
        outside: Some(&["fastrand", "flate2", "libfuzzer-sys", "tar", "tempfile", "tokio"]),
    },
    Layer { name: "mangrove-testkit", ours: &["mangrove-domain"], ours_in_tests: &[], outside: None },
    Layer { name: "xtask", ours: &[], ours_in_tests: &[], outside: Some(&["anyhow", "serde_json"]) },
];

/// Outside crates that only some of ours may use, in code or tests. A name that ends in `*` is a prefix.
const OWNERS: &[(&str, &[&str])] = &[
    ("anyhow", &["mangrove-cli", "mangrove-embedding", "xtask"]),
    // The command line has it for the benchmark only, which measures the daemon beside a plain handler.
    ("axum", &["mangrove-cli", "mangrove-daemon", "mangrove-dashboard"]),
    ("clap*", &["mangrove-cli"]),
    ("console", &["mangrove-cli"]),
    ("hyper*", &["mangrove-daemon", "mangrove-infra", "mangrove-testkit"]),
    ("indicatif", &["mangrove-cli"]),
    ("object_store", &["mangrove-infra"]),
    ("opentelemetry*", &["mangrove-cli"]),
    ("oxc*", &["mangrove-engine", "mangrove-infra", "mangrove-sources"]),
    ("reqwest", &["mangrove-cli", "mangrove-infra", "mangrove-npm"]),
    ("rolldown*", &["mangrove-infra"]),
    ("rquickjs*", &["mangrove-engine"]),
    ("s3s*", &["mangrove-testkit"]),
    ("shuttle*", &["mangrove-explore-single-flight"]),
    ("sqlx*", &["mangrove-infra"]),
    ("string_wizard", &["mangrove-infra"]),
];

/// Checks the workspace.
pub(crate) fn run(root: &Path) -> Result<bool> {
    let mut findings = dependencies(&metadata::packages(root)?);
    findings.extend(ports(&Tree::read(root)?));
    findings.extend(standalone::check(root)?);
    Ok(report("layers", &findings))
}

fn is_ours(name: &str) -> bool {
    name.starts_with("mangrove-") || name == "xtask"
}

fn dependencies(packages: &[Package]) -> Vec<String> {
    let mut findings = Vec::new();
    for package in packages {
        let Some(layer) = LAYERS.iter().find(|layer| layer.name == package.name) else {
            findings.push(format!("{} has no row in the table of xtask/src/layers.rs", package.name));
            continue;
        };
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            if is_ours(name) {
                let allowed = layer.ours.contains(&name) || dependency.is_dev && layer.ours_in_tests.contains(&name);
                if !allowed {
                    let place = if dependency.is_dev { "tests of " } else { "" };
                    findings.push(format!("{place}{} must not use {name}", package.name));
                }
                continue;
            }
            if !dependency.is_dev && layer.outside.is_some_and(|outside| !outside.contains(&name)) {
                findings.push(format!("{} must not use the outside crate {name}", package.name));
            }
            for (owned, owners) in OWNERS {
                let matches = owned.strip_suffix('*').map_or(*owned == name, |prefix| name.starts_with(prefix));
                if matches && !owners.contains(&package.name.as_str()) {
                    findings.push(format!(
                        "{} must not use {name}, which only {} may",
                        package.name,
                        owners.join(", ")
                    ));
                }
            }
        }
    }
    findings
}

/// The list in `ARCHITECTURE.md` is exhaustive: the traits that the domain's ports export, no more, no fewer.
fn ports(tree: &Tree) -> Vec<String> {
    let folder = "crates/domain/src/ports/";
    let Some(exports) = tree.text("crates/domain/src/ports/mod.rs") else {
        return vec![format!("{folder}mod.rs is missing")];
    };
    let exported: BTreeSet<&str> = words(exports).collect();
    let mut traits = BTreeSet::new();
    for (path, text) in tree.files().filter(|(path, _)| path.starts_with(folder)) {
        for line in text.lines() {
            let Some(name) = line.strip_prefix("pub trait ").and_then(|rest| words(rest).next()) else { continue };
            if !exported.contains(name) {
                return vec![format!("{path}: {name} is not exported by {folder}mod.rs")];
            }
            traits.insert(name);
        }
    }
    let architecture = tree.text("ARCHITECTURE.md").unwrap_or_default();
    let listed: BTreeSet<&str> = section(architecture, "## Ports")
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    let missing = traits.difference(&listed).map(|name| format!("ARCHITECTURE.md does not list the port {name}"));
    let surplus = listed.difference(&traits).map(|name| format!("ARCHITECTURE.md lists {name}, which is no port"));
    missing.chain(surplus).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_alphanumeric() && character != '_').filter(|word| !word.is_empty())
}

/// The lines below `heading` up to the next heading of level two.
pub(crate) fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let Some(start) = text.find(&format!("{heading}\n")) else { return "" };
    let body = &text[start + heading.len()..];
    body.find("\n## ").map_or(body, |end| &body[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Dependency;

    fn package(name: &str, code: &[&str], tests: &[&str]) -> Package {
        let dependency = |is_dev| move |name: &&str| Dependency { name: (*name).to_owned(), is_dev };
        let code = code.iter().map(dependency(false));
        Package { name: name.to_owned(), dependencies: code.chain(tests.iter().map(dependency(true))).collect() }
    }

    #[test]
    fn the_table_lets_the_right_arrows_pass() {
        let packages = [
            package("mangrove-domain", &["ring", "thiserror"], &["proptest", "mangrove-testkit"]),
            package("mangrove-app", &["mangrove-domain", "tokio"], &["mangrove-testkit"]),
            package("mangrove-fs", &["mangrove-domain", "rustix"], &[]),
            package("mangrove-npm", &["mangrove-fs", "reqwest"], &["mangrove-testkit"]),
            package("mangrove-engine", &["mangrove-fs", "rquickjs", "oxc_ast"], &[]),
            package("mangrove-sources", &["mangrove-fs", "oxc_ast"], &["mangrove-infra"]),
            package("mangrove-infra", &["mangrove-domain", "mangrove-npm", "sqlx", "rolldown_common", "oxc_ast"], &[]),
            package("mangrove-cli", &["mangrove-infra", "mangrove-app", "clap", "anyhow"], &[]),
        ];
        assert_eq!(dependencies(&packages), Vec::<String>::new());
    }

    #[test]
    fn each_wrong_arrow_is_found() {
        let packages = [
            package("mangrove-domain", &["tokio", "mangrove-app"], &["mangrove-infra"]),
            package("mangrove-app", &["mangrove-infra", "mangrove-testkit", "serde"], &[]),
            package("mangrove-fs", &["mangrove-npm"], &[]),
            package("mangrove-npm", &["mangrove-engine", "mangrove-infra"], &["rolldown"]),
            package("mangrove-sources", &["mangrove-npm", "mangrove-infra", "reqwest"], &[]),
            package("mangrove-infra", &["clap", "anyhow", "rquickjs"], &[]),
            package("mangrove-cli", &["rolldown"], &["sqlx"]),
            package("mangrove-loader-datastore", &["mangrove-app", "serde"], &[]),
            package("mangrove-stranger", &[], &[]),
        ];
        assert_eq!(
            dependencies(&packages),
            [
                "mangrove-domain must not use the outside crate tokio",
                "mangrove-domain must not use mangrove-app",
                "tests of mangrove-domain must not use mangrove-infra",
                "mangrove-app must not use mangrove-infra",
                "mangrove-app must not use mangrove-testkit",
                "mangrove-app must not use the outside crate serde",
                "mangrove-fs must not use mangrove-npm",
                "mangrove-npm must not use mangrove-engine",
                "mangrove-npm must not use mangrove-infra",
                "mangrove-npm must not use rolldown, which only mangrove-infra may",
                "mangrove-sources must not use mangrove-npm",
                "mangrove-sources must not use mangrove-infra",
                "mangrove-sources must not use the outside crate reqwest",
                "mangrove-sources must not use reqwest, which only mangrove-cli, mangrove-infra, mangrove-npm may",
                "mangrove-infra must not use clap, which only mangrove-cli may",
                "mangrove-infra must not use anyhow, which only mangrove-cli, mangrove-embedding, xtask may",
                "mangrove-infra must not use rquickjs, which only mangrove-engine may",
                "mangrove-cli must not use rolldown, which only mangrove-infra may",
                "mangrove-cli must not use sqlx, which only mangrove-infra may",
                "mangrove-loader-datastore must not use mangrove-app",
                "mangrove-loader-datastore must not use the outside crate serde",
                "mangrove-stranger has no row in the table of xtask/src/layers.rs",
            ]
        );
    }

    #[test]
    fn the_list_of_ports_is_exhaustive() {
        let tree = |architecture| {
            Tree::from([
                (
                    "crates/domain/src/ports/mod.rs",
                    "mod clock;\npub use clock::Clock;\npub use store::{Store, NotATrait};\n",
                ),
                ("crates/domain/src/ports/clock.rs", "pub trait Clock: Send {\n}\n"),
                ("crates/domain/src/ports/store.rs", "pub struct NotATrait;\npub trait Store {}\n"),
                ("ARCHITECTURE.md", architecture),
            ])
        };
        let good = "# A\n\n## Ports\n\n| port |\n|---|\n| `Clock` | x |\n| `Store` | y |\n\n## Next\n\n| `Other` |\n";
        assert_eq!(ports(&tree(good)), Vec::<String>::new());
        let bad = "# A\n\n## Ports\n\n| `Clock` | x |\n| `Ghost` | y |\n";
        assert_eq!(
            ports(&tree(bad)),
            ["ARCHITECTURE.md does not list the port Store", "ARCHITECTURE.md lists Ghost, which is no port"]
        );
    }

    #[test]
    fn a_port_that_is_not_exported_is_found() {
        let tree = Tree::from([
            ("crates/domain/src/ports/mod.rs", "mod clock;\n"),
            ("crates/domain/src/ports/clock.rs", "pub trait Clock {}\n"),
        ]);
        assert_eq!(ports(&tree).len(), 1);
    }
}
