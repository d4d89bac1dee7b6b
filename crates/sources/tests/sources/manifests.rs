//! Manifests: identity, lists of entries, and what a mistake in them must not do.

use mangrove_domain::{
    observation::CatalogView,
    row::Row,
    source::Extension,
    state::{State, TombstoneReason},
};
use mangrove_testkit::rows;

use crate::support::{Repository, Result, observation, problems, render, roots};

const LISTED: &str = r#"
//- /.swamp.yaml
repoId: listed
//- /extensions/tool/manifest.yaml
manifestVersion: 1
name: "@acme/tool"
version: "2026.01.31.1"
paths:
  base: manifest
models: [src/main.ts, more, src/gone.ts, README.md]
vaults: [./src/vault.ts]
reports: [../../outside.ts, /etc/passwd, 3]
//- /extensions/tool/README.md
//- /extensions/tool/src/main.ts
export const model = { type: "@acme/main" };
//- /extensions/tool/src/vault.ts
export const vault = { type: "@acme/vault" };
//- /extensions/tool/src/unlisted.ts
export const model = { type: "@acme/unlisted" };
//- /extensions/tool/more/deep/m.ts
export const model = { type: "@acme/more" };
//- /extensions/models/nested/manifest.yaml
name: "@acme/nested"
version: "2026.01.01.1"
paths: { base: manifest }
vaults: [v.ts]
//- /extensions/models/nested/v.ts
export const vault = { type: "@acme/nested" };
//- /extensions/models/nested/m.ts
export const model = { type: "@acme/not-listed" };
//- /extensions/models/typed/manifest.yaml
name: "@acme/typed"
version: "2026.01.01.1"
paths: { base: typedDir }
models: [typed/a.ts]
//- /extensions/models/typed/a.ts
export const model = { type: "@acme/typed" };
//- /extensions/models/typed/b.ts
export const model = { type: "@acme/also-typed" };
//- /outside.ts
export const report = { name: "@acme/outside" };
"#;

#[tokio::test]
async fn manifests_may_list_their_entries() -> Result {
    let repository = Repository::new(LISTED)?;
    let survey = repository.survey().await?;
    insta::assert_snapshot!(render(&survey), @r#"
    vault extensions/models/nested/v.ts @acme/nested @acme/nested@2026.01.01.1 []
    model extensions/models/typed/a.ts @acme/typed @acme/typed@2026.01.01.1 []
    model extensions/models/typed/b.ts @acme/also-typed @acme/typed@2026.01.01.1 []
    model extensions/tool/more/deep/m.ts @acme/more @acme/tool@2026.01.31.1 []
    model extensions/tool/src/main.ts @acme/main @acme/tool@2026.01.31.1 []
    vault extensions/tool/src/vault.ts @acme/vault @acme/tool@2026.01.31.1 []
    helper extensions/models/nested/m.ts
    helper extensions/tool/src/unlisted.ts
    MG0122 extensions/models/nested/m.ts
    MG0603 extensions/tool/manifest.yaml
    MG0603 extensions/tool/manifest.yaml
    MG0603 extensions/tool/manifest.yaml
    MG0603 extensions/tool/manifest.yaml
    MG0603 extensions/tool/manifest.yaml
    MG0122 extensions/tool/src/unlisted.ts
    "#);
    insta::assert_snapshot!(problems(&survey), @r#"
    MG0122 extensions/models/nested/m.ts: the file exports `model`, which makes it a model, and the manifest around it does not list it
    MG0603 extensions/tool/manifest.yaml:8:11: `reports` must list paths that lead down from the manifest, found "../../outside.ts"
    MG0603 extensions/tool/manifest.yaml:8:29: `reports` must list paths that lead down from the manifest, found "/etc/passwd"
    MG0603 extensions/tool/manifest.yaml:8:42: `reports` must list paths that lead down from the manifest, found 3
    MG0603 extensions/tool/manifest.yaml:6:42: the manifest lists extensions/tool/README.md, which is not a TypeScript module that may be an entry
    MG0603 extensions/tool/manifest.yaml:6:29: the manifest lists extensions/tool/src/gone.ts, which does not exist
    MG0122 extensions/tool/src/unlisted.ts: the file exports `model`, which makes it a model, and the manifest around it does not list it
    "#);
    assert_eq!(survey.disk, repository.warm_up().await?.disk);
    repository.files.write("extensions/tool/src/gone.ts", "export const model = { type: '@acme/appeared' };")?;
    let appeared = repository.survey().await?;
    assert!(render(&appeared).contains("@acme/appeared"));
    assert_eq!(appeared.disk, repository.without_memory().await?.disk);
    Ok(())
}

/// A mistake in a manifest neither removes rows nor moves them to another extension.
#[tokio::test]
async fn a_malformed_manifest_keeps_what_was_known() -> Result {
    let repository = Repository::new(LISTED)?;
    let before = repository.survey().await?;
    let typed = "extensions/models/typed/a.ts";
    let known = Extension { name: "@acme/typed".into(), version: "2026.01.01.1".into() };
    assert_eq!(observation(&before, typed).extension, known);
    let state = State::Tombstoned { reason: TombstoneReason::SourceDeleted };
    let row = Row { extension: known.clone(), ..rows::row(typed, "@acme/typed", state) };
    let catalog = CatalogView { rows: vec![row], ..CatalogView::default() };
    for (text, place) in [
        ("name: [", ":1:"),
        ("- a\n", ":1:1"),
        ("name: []\nversion: 2026.01.01.1\n", ":1:7"),
        ("name: '@acme/typed'\nversion: ''\n", ":2:10"),
    ] {
        repository.files.write("extensions/models/typed/manifest.yaml", text)?;
        let mut survey = repository.survey().await?;
        let told = problems(&survey);
        assert!(told.contains(&format!("extensions/models/typed/manifest.yaml{place}")), "{text}: {told}");
        assert!(roots(&survey).contains("incomplete \"extensions/models/typed\""), "{text}");
        assert_eq!(&*observation(&survey, typed).extension.name, "@local/listed", "a new file belongs somewhere");
        survey.disk.keep_known_identities(&catalog);
        assert_eq!(observation(&survey, typed).extension, known, "{text}");
        assert_eq!(repository.restarted_disk().await?, repository.survey().await?.disk, "{text}");
    }
    Ok(())
}

/// What breaks the rules for those who publish is told, and counts all the same.
#[tokio::test]
async fn any_two_texts_are_an_identity_in_a_repository() -> Result {
    let repository = Repository::new(LISTED)?;
    let typed = "extensions/models/typed/a.ts";
    for (text, name, version, place) in [
        ("name: tool\nversion: one\n", "tool", "one", ":1:7"),
        ("name: '@acme/typed'\nversion: 2026.02.30.1\n", "@acme/typed", "2026.02.30.1", ":2:10"),
        ("name: '@acme/typed'\nversion: 1.5\n", "@acme/typed", "1.5", ":2:10"),
        ("manifestVersion: 2\nname: '@acme/typed'\nversion: 2026.02.03.1\n", "@acme/typed", "2026.02.03.1", ":1:18"),
        ("name: '@a/b'\nversion: 2026.02.03.1\npaths: { base: here }\n", "@a/b", "2026.02.03.1", ":3:16"),
        ("name: '@a/b'\nversion: 2026.02.03.1\nmodels: a.ts\n", "@a/b", "2026.02.03.1", ":3:9"),
    ] {
        repository.files.write("extensions/models/typed/manifest.yaml", text)?;
        let survey = repository.survey().await?;
        let known = Extension { name: name.into(), version: version.into() };
        assert_eq!(observation(&survey, typed).extension, known, "{text}");
        let place = format!("extensions/models/typed/manifest.yaml{place}");
        let found = survey
            .disk
            .problems
            .iter()
            .find(|problem| problem.position.as_ref().is_some_and(|position| position.to_string() == place));
        let problem = found.ok_or_else(|| format!("{text}: {}", problems(&survey)))?;
        assert_eq!(problem.severity, mangrove_domain::problem::Severity::Warning, "{text}");
        assert!(!roots(&survey).contains("incomplete"), "{text}");
    }
    Ok(())
}
