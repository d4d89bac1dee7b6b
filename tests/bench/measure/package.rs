//! A repository whose entries all import a package, from a registry on this machine.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use mangrove_testkit::{
    corpus::{self, Corpus},
    registry::{FakePackage, FakeRegistry},
};

use super::{Options, as_number, milliseconds, process::Program, report::Line, summary};

/// The first scan of a repository in which every entry imports one package of some hundred kilobytes. Nothing is
/// cached: fetching and pre-bundling it once take part.
pub(super) fn cold_scan(program: &Path, options: &Options) -> Result<Line> {
    let registry = FakeRegistry::start().context("no registry")?;
    registry.publish(package());
    let directory = tempfile::tempdir().context("no temporary directory")?;
    let entries = options.entries_with_package;
    let corpus = Corpus { entries, services: entries.div_ceil(6), broken: 0, invalid: 0 };
    let expected = corpus.write(directory.path()).context("cannot write the repository")?;
    corpus::lengthen(directory.path(), &expected, options.entry_bytes).context("cannot write the repository")?;
    for entry in &expected {
        let path = directory.path().join(&entry.path);
        let text = fs::read_to_string(&path).context("cannot read an entry")?;
        let import = "import { make } from \"npm:bench-schemas@1\";\nmake(1);\n";
        fs::write(&path, format!("{import}{text}")).context("cannot write an entry")?;
    }
    let url = registry.url();
    let mangrove = Program::new(program, directory.path()).with_environment("MANGROVE_NPM_REGISTRY", &url);
    let watched = mangrove.watched(&["scan", "--json"])?;
    let summary = summary(&watched.stdout)?;
    anyhow::ensure!(
        summary["states"]["Indexed"].as_u64() == Some(u64::try_from(entries)?),
        "every entry should have been accepted: {summary}"
    );
    let line = Line::new("cold scan with a package, per entry", milliseconds(watched.wall) / as_number(entries), "ms");
    Ok(line.at_most(15.0).after(1).noting(&format!("{entries} entries")))
}

/// A package of many small functions, as a schema library is.
fn package() -> FakePackage {
    let functions = (0..4_000).map(|number| {
        format!(
            "export const make{number} = (value) => ({{ value, number: {number}, text: \"function {number}\" }});\n"
        )
    });
    let code: String = functions.chain(["export const make = (value) => make0(value);\n".to_owned()]).collect();
    FakePackage::new("bench-schemas", "1.0.0")
        .metadata("type", "module".into())
        .metadata("exports", "./index.js".into())
        .file("index.js", &code)
}
