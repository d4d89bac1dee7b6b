//! What counts as an entry point, and to whom it belongs.

use std::{fs, os::unix::fs::symlink, path::Path, sync::Arc};

use mangrove_domain::{
    failure::FailureClass, observation::Entry, ports::SourceTree as _, problem::Code, source::RootId,
};
use mangrove_sources::find_repository;
use mangrove_testkit::fixture::Tree;

use crate::support::{
    CountingParser, Repository, Result, SMALL, claimed, local, observation, open, render, request, sources,
};

#[tokio::test]
async fn discovery_follows_its_rules() -> Result {
    let repository = Repository::new(
        r#"
//- /mangrove.yaml
repoId: rules
//- /.swamp.yaml
repoId: loses
//- /extensions/models/a.ts
export const model = { type: "Acme::A" };
//- /extensions/models/b.tsx
const inner = { type: `@acme/b` }; export { inner as model };
//- /extensions/models/c.mts
export { model } from "./a.ts";
//- /extensions/models/both.ts
export const extension = { type: "@acme/a" }; export const model = { type: "@acme/both" };
//- /extensions/models/a_test.ts
export const model = {};
//- /extensions/models/a.test.ts
export const model = {};
//- /extensions/models/types.d.ts
export declare const model: {};
//- /extensions/models/script.js
export const model = {};
//- /extensions/models/_private/x.ts
export const model = {};
//- /extensions/models/.hidden/x.ts
export const model = {};
//- /extensions/models/node_modules/x.ts
export const model = {};
//- /extensions/models/default.ts
export default { type: "@acme/default" };
//- /extensions/models/star.ts
export * from "./a.ts";
//- /extensions/models/misplaced.ts
export const vault = { type: "@acme/v" };
//- /extensions/models/dns/manifest.yaml
name: "@acme/dns"
version: "2026.01.02.3"
//- /extensions/models/dns/deep/zone.ts
export const model = { type: "@acme/zone" };
//- /extensions/models/nameless/manifest.yaml
name: "@acme/nameless"
//- /extensions/models/nameless/x.ts
export const model = { type: T };
//- /extensions/models-old/x.ts
export const model = { type: "@acme/old" };
//- /extensions/vaults/v.ts
export const vault = { type: "@acme/v" };
//- /extensions/reports/r.ts
export const report = { name: "@acme/r" };
"#,
    )?;
    let survey = repository.survey().await?;
    insta::assert_snapshot!(render(&survey), @r#"
    model extensions/models/a.ts acme/a @local/rules@0.0.0 []
    model extensions/models/b.tsx @acme/b @local/rules@0.0.0 []
    model extensions/models/both.ts @acme/both @local/rules@0.0.0 []
    model extensions/models/c.mts - @local/rules@0.0.0 []
    model extensions/models/dns/deep/zone.ts @acme/zone @acme/dns@2026.01.02.3 []
    model extensions/models/nameless/x.ts - @local/rules@0.0.0 []
    report extensions/reports/r.ts @acme/r @local/rules@0.0.0 []
    vault extensions/vaults/v.ts @acme/v @local/rules@0.0.0 []
    helper extensions/models/default.ts
    helper extensions/models/misplaced.ts
    helper extensions/models/star.ts
    MG0122 extensions/models/misplaced.ts
    "#);
    assert_eq!(repository.tree.repository_id(), Some("rules"));
    assert_eq!(repository.warm_up().await?.disk, survey.disk);
    Ok(())
}

#[tokio::test]
async fn add_ons_say_so_cold_and_warm() -> Result {
    let repository = Repository::new(
        r#"
//- /.swamp.yaml
repoId: add-ons
//- /extensions/models/base.ts
export const model = { type: "@acme/a" };
//- /extensions/models/more.ts
export const extension = { type: "@acme/a" };
//- /extensions/models/both.ts
export const extension = { type: "@acme/a" }; export const model = { type: "@acme/both" };
"#,
    )?;
    let survey = repository.warm_up().await?;
    let add_on = |path| observation(&survey, path).claims_add_on;
    assert!(add_on("extensions/models/more.ts"));
    assert!(!add_on("extensions/models/base.ts") && !add_on("extensions/models/both.ts"));
    assert_eq!(repository.restarted()?.survey(&request()).await?.disk, survey.disk);
    Ok(())
}

#[tokio::test]
async fn fault_12_custom_directories_and_test_files_are_the_same_cold_and_warm() -> Result {
    let text = r#"
//- /.swamp.yaml
modelsDir: src/models
vaultsDir: src/vaults
//- /src/models/a.ts
export const model = { type: "@acme/a" };
//- /src/models/a_test.ts
export const model = { type: "@acme/test" };
//- /elsewhere/b.ts
export const vault = { type: "@acme/b" };
//- /src/vaults/c.ts
export const vault = { type: "@acme/c" };
//- /extensions/models/ignored.ts
export const model = { type: "@acme/ignored" };
"#;
    let files = Tree::new(text)?;
    let environment = [("SWAMP_VAULTS_DIR", "nowhere"), ("MANGROVE_VAULTS_DIR", "./elsewhere")];
    let tree = open(&files, files.path(".mangrove"), &environment, Arc::new(CountingParser::default()))?;
    let cold = render(&tree.survey(&request()).await?);
    insta::assert_snapshot!(cold, @r#"
    vault elsewhere/b.ts @acme/b @local/repository@0.0.0 []
    model src/models/a.ts @acme/a @local/repository@0.0.0 []
    "#);
    for _ in 0..3 {
        assert_eq!(render(&tree.survey(&request()).await?), cold);
    }
    files.write("src/models/new_test.ts", "export const model = { type: '@acme/new' };")?;
    files.write("src/models/new.ts", "export const model = { type: '@acme/new' };")?;
    let warm = tree.survey(&request()).await?;
    assert_eq!(warm.disk.observations.len(), 3, "{}", render(&warm));
    Ok(())
}

#[tokio::test]
async fn directories_outside_the_repository_are_refused_and_said() -> Result {
    let files = Tree::new("//- /mangrove.yaml\nrepoID: x\nmodelsDir: ../models\n")?;
    let tree = open(&files, files.path(".mangrove"), &[], Arc::default())?;
    let refused = tree.survey(&request()).await.err().ok_or("rows would leave for a typing error")?;
    assert_eq!(refused.fault().code, Code::INVALID_DOCUMENT);
    insta::assert_snapshot!(refused.fault().message, @"modelsDir: the directory of models must lie inside the repository: \"../models\" leads outside the root");
    let hint = tree.problems().first().and_then(|problem| problem.advice.as_ref().map(ToString::to_string));
    assert_eq!(hint.as_deref(), Some("did you mean `repoId`?"));
    Ok(())
}

#[tokio::test]
async fn a_malformed_marker_is_an_error_with_its_place() -> Result {
    let files = Tree::new("//- /mangrove.yaml\nrepoId: x\nmodelsDir: [\n")?;
    let error = open(&files, files.path(".mangrove"), &[], Arc::default()).err().ok_or("it was accepted")?;
    assert_eq!(error.fault().code, Code::MALFORMED_DOCUMENT);
    let position = error.fault().position.clone().ok_or("no position")?;
    assert_eq!(position.file, "mangrove.yaml");
    assert!(position.line >= 2, "{position}");
    files.write("deep/below/x", "")?;
    assert_eq!(find_repository(&files.path("deep/below")), Some(files.root()));
    let bare = Tree::new("//- /x\n")?;
    assert_eq!(find_repository(&bare.root()), None);
    Ok(())
}

#[tokio::test]
async fn fault_25_the_claimed_type_is_the_one_of_the_export() -> Result {
    let filler = "x".repeat(70_000);
    let text = format!(
        "//- /.swamp.yaml\nrepoId: x\n//- /extensions/models/a.ts\n// type: \"@acme/comment\"\n\
         const decoy = {{ type: \"@acme/decoy\" }};\n/* {filler} */\n\
         export const model = {{ a: {{ type: \"@acme/inner\" }}, type: \"@acme/real\" }};\n"
    );
    let survey = Repository::new(&text)?.survey().await?;
    assert_eq!(claimed(&survey, "extensions/models/a.ts").as_deref(), Some("@acme/real"));
    Ok(())
}

#[tokio::test]
async fn links_are_followed_once_and_stay_inside() -> Result {
    let repository = Repository::new(
        r#"
//- /.swamp.yaml
repoId: links
//- /extensions/models/real/a.ts
export const model = { type: "@acme/a" };
//- /extensions/models/importer.ts
import "./secret.ts"; import "./secrets/secret.ts"; import "./dangling.ts"; import "./alias.ts";
export const model = {};
//- /shared/b.ts
export const model = { type: "@acme/b" };
//- /shared/deep/c.ts
export const model = { type: "@acme/c" };
"#,
    )?;
    let outside = Tree::new("//- /secret.ts\nexport const model = { type: '@acme/secret' };\n")?;
    let link = |target: &Path, name: &str| symlink(target, repository.files.path(name));
    link(&repository.files.path("extensions/models"), "extensions/models/real/cycle")?;
    link(&repository.files.path("shared"), "extensions/models/shared")?;
    link(&repository.files.path("shared/deep"), "extensions/models/twice")?;
    link(Path::new("real/a.ts"), "extensions/models/alias.ts")?;
    link(&outside.path("secret.ts"), "extensions/models/secret.ts")?;
    link(&outside.root(), "extensions/models/secrets")?;
    link(Path::new("nowhere"), "extensions/models/dangling.ts")?;
    link(Path::new("someone@host"), "extensions/models/.#a.ts")?;
    link(Path::new("self.ts"), "extensions/models/self.ts")?;
    let survey = repository.warm_up().await?;
    insta::assert_snapshot!(render(&survey), @r#"
    model extensions/models/dangling.ts - @local/links@0.0.0 [] unreadable MG0401 dangling-link
    model extensions/models/importer.ts - @local/links@0.0.0 []
    model extensions/models/real/a.ts @acme/a @local/links@0.0.0 []
    model extensions/models/self.ts - @local/links@0.0.0 [] unreadable MG0401 os-error:40
    model extensions/models/shared/b.ts @acme/b @local/links@0.0.0 []
    model extensions/models/shared/deep/c.ts @acme/c @local/links@0.0.0 []
    MG0405 extensions/models/secret.ts
    MG0405 extensions/models/secrets
    "#);
    insta::assert_snapshot!(sources(&survey, "extensions/models/importer.ts").join("\n"), @r#"
    extensions/models/alias.ts
    extensions/models/importer.ts
    extensions/models/importer.ts -> ./dangling.ts missing
    extensions/models/importer.ts -> ./secret.ts outside
    extensions/models/importer.ts -> ./secrets/secret.ts outside
    "#);
    repository.files.write("extensions/models/nowhere", "export const model = { type: '@acme/appeared' };")?;
    let survey = repository.survey().await?;
    assert_eq!(claimed(&survey, "extensions/models/dangling.ts").as_deref(), Some("@acme/appeared"));
    assert_eq!(survey.disk, repository.without_memory().await?.disk);
    Ok(())
}

#[tokio::test]
async fn an_unreadable_entry_keeps_its_place_and_comes_back() -> Result {
    let repository = Repository::new(SMALL)?;
    let before = repository.warm_up().await?;
    let path = repository.files.path("extensions/models/dns.ts");
    let text = fs::read(&path)?;
    fs::remove_file(&path)?;
    symlink("dns.ts", &path)?;
    let survey = repository.survey().await?;
    let seen = observation(&survey, "extensions/models/dns.ts");
    let Entry::Unreadable(fault) = &seen.entry else { panic!("it was read") };
    assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::UNREADABLE));
    assert_eq!(claimed(&survey, "extensions/models/dns.ts").as_deref(), Some("@acme/dns"), "what was known is kept");
    assert_eq!(repository.warm_up().await?.disk, survey.disk, "the same error is the same cause");
    assert!(repository.tree.graph(&local("extensions/models/dns.ts")).await?.is_none());
    fs::remove_file(&path)?;
    fs::write(&path, text)?;
    assert_eq!(repository.survey().await?.disk, before.disk);
    Ok(())
}

#[tokio::test]
async fn fault_45_a_directory_that_cannot_be_listed_is_incomplete_not_empty() -> Result {
    let repository = Repository::new(SMALL)?;
    repository.warm_up().await?;
    let models = repository.files.path("extensions/models");
    fs::rename(&models, repository.files.path("aside"))?;
    symlink("models", &models)?;
    let survey = repository.survey().await?;
    let incomplete = &survey.disk.roots[&RootId::local()].incomplete;
    assert_eq!(incomplete.iter().map(String::as_str).collect::<Vec<_>>(), ["extensions/models"]);
    assert_eq!(render(&survey), "MG0401 extensions/models");
    fs::remove_file(&models)?;
    let survey = repository.survey().await?;
    assert!(survey.disk.roots[&RootId::local()].incomplete.is_empty(), "a missing directory is empty");
    fs::rename(repository.files.path("aside"), &models)?;
    assert_eq!(repository.survey().await?.disk, repository.without_memory().await?.disk);
    Ok(())
}

#[tokio::test]
async fn names_that_are_not_utf_8_are_reported() -> Result {
    use std::os::unix::ffi::OsStrExt as _;
    let repository = Repository::new(SMALL)?;
    let name = std::ffi::OsStr::from_bytes(b"bad\xff.ts");
    fs::write(repository.files.path("extensions/models").join(name), "export const model = {};")?;
    let survey = repository.survey().await?;
    assert_eq!(survey.disk.problems.iter().map(|problem| problem.code).collect::<Vec<_>>(), [Code::NAME_NOT_UTF8]);
    assert_eq!(survey.disk.observations.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_repository_that_is_gone_is_an_error() -> Result {
    let repository = Repository::new(SMALL)?;
    repository.survey().await?;
    let root = repository.files.root();
    fs::remove_dir_all(&root)?;
    let error = repository.tree.survey(&request()).await.err().ok_or("it was surveyed")?;
    assert_eq!(error.fault().code, Code::ROOT_UNREACHABLE);
    fs::create_dir_all(&root)?;
    Ok(())
}
