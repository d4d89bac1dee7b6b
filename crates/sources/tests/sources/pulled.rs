//! Pulled extensions and their lockfile.

use std::fs;

use mangrove_domain::{
    ports::SourceTree as _,
    source::{RelativePath, RootId, SourceId},
};

use crate::support::{Repository, Result, problems, render, request, roots};

const LOCKFILE: &str = "extensions/models/upstream_extensions.json";

const PULLED: &str = r#"
//- /.swamp.yaml
repoId: pulled
//- /extensions/models/upstream_extensions.json
{
  "@acme/aws": { "version": "2026.05.01.2", "files": ["models/s3.ts", "models/gone.ts", ".swamp/pulled-extensions/@acme/aws/vaults/v.ts"] },
  "@acme/aws/cost": { "version": "2026.05.02.1" },
  "@acme/lost": { "version": "2026.05.03.1", "files": ["models/x.ts"] }
}
//- /extensions/models/own.ts
export const model = { type: "@acme/own" };
//- /.swamp/pulled-extensions/@acme/aws/manifest.yaml
name: "@someone/else"
version: "2020.01.01.1"
//- /.swamp/pulled-extensions/@acme/aws/models/s3.ts
import { help } from "../_lib/help.ts";
export const model = { type: "@acme/aws/s3" };
//- /.swamp/pulled-extensions/@acme/aws/_lib/help.ts
export const help = 1;
//- /.swamp/pulled-extensions/@acme/aws/vaults/v.ts
export const vault = { type: "@acme/v" };
//- /.swamp/pulled-extensions/@acme/aws/cost/models/c.ts
export const model = { type: "@acme/aws/cost" };
//- /.swamp/pulled-extensions/@acme/stray/models/x.ts
export const model = { type: "@acme/stray" };
//- /.swamp/pulled-extensions/@other/stray/manifest.yaml
name: "@other/stray"
"#;

#[tokio::test]
async fn what_is_locked_counts_and_what_is_not_is_reported() -> Result {
    let repository = Repository::new(PULLED)?;
    let survey = repository.survey().await?;
    insta::assert_snapshot!(render(&survey), @r#"
    model extensions/models/own.ts @acme/own @local/pulled@0.0.0 []
    model pulled:@acme/aws/models/s3.ts @acme/aws/s3 @acme/aws@2026.05.01.2 []
    vault pulled:@acme/aws/vaults/v.ts @acme/v @acme/aws@2026.05.01.2 []
    model pulled:@acme/aws/cost/models/c.ts @acme/aws/cost @acme/aws/cost@2026.05.02.1 []
    MG0401 pulled:@acme/aws/models/gone.ts
    MG0413 .swamp/pulled-extensions/@acme/stray
    MG0413 .swamp/pulled-extensions/@other/stray
    "#);
    insta::assert_snapshot!(roots(&survey), @r#"
    local local
    pulled pulled:@acme/aws
    pulled pulled:@acme/aws/cost
    pulled pulled:@acme/lost unreachable MG0406: @acme/lost is listed in the lockfile, but .swamp/pulled-extensions/@acme/lost does not exist
    "#);
    insta::assert_snapshot!(problems(&survey), @r#"
    MG0401 pulled:@acme/aws/models/gone.ts: the lockfile lists this file, but it does not exist
    MG0413 .swamp/pulled-extensions/@acme/stray: @acme/stray was pulled, but is not listed in the lockfile: it is ignored
    MG0413 .swamp/pulled-extensions/@other/stray: @other/stray was pulled, but is not listed in the lockfile: it is ignored
    "#);
    let locked = &survey.disk.roots[&RootId::pulled("@acme/aws")].locked_files;
    assert_eq!(
        locked.iter().map(RelativePath::as_str).collect::<Vec<_>>(),
        ["models/gone.ts", "models/s3.ts", "vaults/v.ts"]
    );
    assert_eq!(survey.disk, repository.warm_up().await?.disk);
    assert_eq!(survey.disk, repository.restarted()?.survey(&request()).await?.disk);
    let source = SourceId { root: RootId::pulled("@acme/aws"), path: RelativePath::parse("models/s3.ts")? };
    let graph = repository.tree.graph(&source).await?.ok_or("it can be read")?;
    assert_eq!(graph.files.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_lockfile_that_cannot_be_read_judges_nothing() -> Result {
    let repository = Repository::new(PULLED)?;
    let good = fs::read_to_string(repository.files.path(LOCKFILE))?;
    for text in ["", "{", "[]", "{ \"@acme/aws\": 3 }", "{ \"@acme/../../../etc\": {} }", "{ \"name\": {} }"] {
        repository.files.write(LOCKFILE, text)?;
        let survey = repository.survey().await?;
        let fault = survey.disk.lockfile_fault.clone().ok_or("nothing was said")?;
        assert!(fault.position.is_some(), "{text}: {fault}");
        assert_eq!(repository.restarted()?.survey(&request()).await?.disk, survey.disk, "{text}");
    }
    fs::remove_file(repository.files.path(LOCKFILE))?;
    let survey = repository.survey().await?;
    assert!(survey.disk.lockfile_fault.is_some(), "a lockfile that is lost is no order to remove everything");
    fs::remove_dir_all(repository.files.path(".swamp"))?;
    let survey = repository.survey().await?;
    assert_eq!(survey.disk.lockfile_fault, None, "nothing was pulled");
    repository.files.write(LOCKFILE, &good)?;
    assert!(roots(&repository.survey().await?).contains("pulled pulled:@acme/aws unreachable"));
    Ok(())
}

#[tokio::test]
async fn the_lockfile_follows_the_directory_of_models() -> Result {
    let repository = Repository::new(PULLED)?;
    repository.files.write(".swamp.yaml", "repoId: pulled\nmodelsDir: src/models\n")?;
    repository
        .files
        .write("src/models/upstream_extensions.json", "{ \"@acme/stray\": { \"version\": \"2026.01.01.1\" } }")?;
    let survey = repository.survey().await?;
    assert!(render(&survey).contains("model pulled:@acme/stray/models/x.ts @acme/stray"), "{}", render(&survey));
    assert!(!render(&survey).contains("pulled:@acme/aws"));
    Ok(())
}
