//! Bundles that pulled extensions ship: where they are looked for, which of them can be used, and what a survey of them
//! costs.

use std::{fmt::Write as _, fs, os::unix::fs::symlink};

use mangrove_domain::{
    digest::Digest,
    ports::SourceTree as _,
    shipped::Shipped,
    source::{RelativePath, RootId, SourceId},
    survey::Survey,
};

use crate::support::{Repository, Result, request};

const ROOT: &str = ".swamp/pulled-extensions/@acme/tools";
const LOCKFILE: &str = "extensions/models/upstream_extensions.json";
const LOCK: &str = r#"{ "@acme/tools": { "version": "2026.05.01.2", "pulledAt": "2026-05-02T03:04:05Z" } }"#;

/// An entry of each kind that needs a mapping, and one of each that can be built.
const TOOLS: &str = r#"
//- /.swamp.yaml
repoId: shipped
//- /.swamp/pulled-extensions/@acme/tools/manifest.yaml
name: "@acme/tools"
//- /.swamp/pulled-extensions/@acme/tools/models/aws/s3.ts
import { z } from "zod";
export const model = { type: "@acme/s3" };
//- /.swamp/pulled-extensions/@acme/tools/models/deep.mts
import "../_lib/help.ts";
export const model = { type: "@acme/deep" };
//- /.swamp/pulled-extensions/@acme/tools/_lib/help.ts
import "@acme/library/sub";
//- /.swamp/pulled-extensions/@acme/tools/models/built.ts
import "npm:zod@4";
export const model = { type: "@acme/built" };
//- /.swamp/pulled-extensions/@acme/tools/vaults/v.ts
import "left-pad";
export const vault = { type: "@acme/v" };
"#;

fn repository() -> Result<Repository> {
    let repository = Repository::new(TOOLS)?;
    repository.files.write(LOCKFILE, LOCK)?;
    Ok(repository)
}

fn ship(repository: &Repository, path: &str, text: &str) -> Result {
    Ok(repository.files.write(&format!("{ROOT}/.swamp/{path}"), text)?)
}

/// What is shipped for each entry, one a line.
fn shipped(survey: &Survey) -> String {
    let mut text = String::new();
    for (observation, entry) in survey.observed() {
        let what = match &entry.shipped {
            None => "nothing".to_owned(),
            Some(Shipped::Bundle(bundle)) => format!("{} {} [{}]", bundle.path, bundle.digest.short(), bundle.pull),
            Some(Shipped::Unusable { why }) => format!("unusable: {why}"),
        };
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{}: {what}", observation.source.path);
    }
    text
}

#[tokio::test]
async fn bundles_lie_where_the_kind_and_the_path_of_the_source_say() -> Result {
    let repository = repository()?;
    let nothing = repository.survey().await?;
    assert_eq!(shipped(&nothing).matches("nothing").count(), 4, "{}", shipped(&nothing));
    ship(&repository, "models-bundles/aws/s3.js", "export const model = 1;")?;
    ship(&repository, "model-bundles/deep.js", "import \"node:fs\"; export const model = 2;")?;
    ship(&repository, "models-bundles/built.js", "export const model = 3;")?;
    ship(&repository, "vault-bundles/v.js", "export const vault = 4;")?;
    ship(&repository, "bundles/aws/s3.js", "export const model = 5;")?;
    let survey = repository.survey().await?;
    insta::assert_snapshot!(shipped(&survey), @"
    models/aws/s3.ts: .swamp/models-bundles/aws/s3.js 8d3d7bd5dbce [2026.05.01.2 pulled 2026-05-02T03:04:05Z]
    models/built.ts: nothing
    models/deep.mts: .swamp/model-bundles/deep.js f74f87c9d1a7 [2026.05.01.2 pulled 2026-05-02T03:04:05Z]
    vaults/v.ts: .swamp/vault-bundles/v.js 1f00c0a81d2e [2026.05.01.2 pulled 2026-05-02T03:04:05Z]
    ");
    assert_eq!(survey.disk, nothing.disk, "nothing else depends on it");
    let text = "export const model = 1;";
    let file =
        SourceId { root: RootId::pulled("@acme/tools"), path: RelativePath::parse(".swamp/models-bundles/aws/s3.js")? };
    let file = repository.tree.file(&file).await?.ok_or("it is there")?;
    assert_eq!((&*file.bytes, file.digest), (text.as_bytes(), Digest::of(text.as_bytes())));
    Ok(())
}

#[tokio::test]
async fn a_warm_survey_opens_nothing_and_notices_every_change() -> Result {
    let repository = repository()?;
    ship(&repository, "models-bundles/aws/s3.js", "export const model = 1;")?;
    let cold = repository.survey().await?;
    let warm = repository.warm_up().await?;
    assert_eq!((&warm.entries, warm.statistics.files_read), (&cold.entries, 0));
    assert_eq!(repository.restarted()?.survey(&request()).await?.entries, cold.entries);
    let steps: [(&str, &dyn Fn() -> Result); 5] = [
        ("other bytes", &|| ship(&repository, "models-bundles/aws/s3.js", "export const model = 9;")),
        ("one more", &|| ship(&repository, "models-bundles/deep.js", "export const model = 2;")),
        ("another pull", &|| Ok(repository.files.write(LOCKFILE, LOCK.replace("05-02", "05-03"))?)),
        ("another version", &|| Ok(repository.files.write(LOCKFILE, LOCK.replace("01.2", "01.3"))?)),
        ("none", &|| Ok(fs::remove_dir_all(repository.files.path(format!("{ROOT}/.swamp")))?)),
    ];
    let mut before = cold.entries;
    for (what, step) in steps {
        step()?;
        let now = repository.survey().await?.entries;
        assert_ne!(now, before, "{what}");
        assert_eq!(now, repository.without_memory().await?.entries, "{what}");
        before = now;
    }
    Ok(())
}

#[tokio::test]
async fn what_is_ambiguous_or_broken_is_not_used_and_says_why() -> Result {
    let repository = repository()?;
    let large = format!("export const model = \"{}\";", "x".repeat(8 << 20));
    let outside = repository.files.path("outside.js");
    fs::write(&outside, "export const model = 1;")?;
    let link = repository.files.path(format!("{ROOT}/.swamp/models-bundles/aws/s3.js"));
    let mut told = String::new();
    for (what, text) in [
        ("syntax", "export const model = {"),
        ("imports a package", "import \"npm:zod@4\"; export const model = 1;"),
        ("imports a bare name", "import { z } from \"zod\"; export const model = 1;"),
        ("imports a file", "export { model } from \"./other.js\";"),
        ("a literal import() may stay", "export const model = () => import(\"zod\");"),
        ("too large", large.as_str()),
    ] {
        ship(&repository, "models-bundles/aws/s3.js", text)?;
        let _ = write!(told, "{what}: {}", first(&repository.survey().await?));
    }
    ship(&repository, "model-bundles/aws/s3.js", "export const model = 1;")?;
    let _ = write!(told, "twice: {}", first(&repository.survey().await?));
    fs::remove_dir_all(repository.files.path(format!("{ROOT}/.swamp/model-bundles")))?;
    fs::write(&link, [0xff, 0xfe])?;
    let _ = write!(told, "no text: {}", first(&repository.survey().await?));
    fs::remove_file(&link)?;
    symlink(&outside, &link)?;
    let _ = write!(told, "outside: {}", first(&repository.survey().await?));
    let file =
        SourceId { root: RootId::pulled("@acme/tools"), path: RelativePath::parse(".swamp/models-bundles/aws/s3.js")? };
    assert_eq!(repository.tree.file(&file).await?, None, "nor is it read");
    fs::remove_file(&link)?;
    fs::create_dir(&link)?;
    let _ = write!(told, "a directory: {}", first(&repository.survey().await?));
    insta::assert_snapshot!(told, @r#"
    syntax: unusable: .swamp/models-bundles/aws/s3.js does not parse: Expected `}` but found `EOF` (line 1)
    imports a package: unusable: .swamp/models-bundles/aws/s3.js is not complete: it imports "npm:zod@4"
    imports a bare name: unusable: .swamp/models-bundles/aws/s3.js is not complete: it imports "zod"
    imports a file: unusable: .swamp/models-bundles/aws/s3.js is not complete: it imports "./other.js"
    a literal import() may stay: .swamp/models-bundles/aws/s3.js d6abe18d6b26 [2026.05.01.2 pulled 2026-05-02T03:04:05Z]
    too large: unusable: .swamp/models-bundles/aws/s3.js does not parse: the file has 8388632 bytes, at most 8388608 are read (line 1)
    twice: unusable: both .swamp/model-bundles/aws/s3.js and .swamp/models-bundles/aws/s3.js are there
    no text: unusable: .swamp/models-bundles/aws/s3.js does not parse: the file is not UTF-8 (line 1)
    outside: unusable: .swamp/models-bundles/aws/s3.js leads outside the extension
    a directory: nothing
    "#);
    Ok(())
}

fn first(survey: &Survey) -> String {
    let text = shipped(survey);
    text.lines()
        .find_map(|line| line.strip_prefix("models/aws/s3.ts: "))
        .map_or(text.clone(), |line| format!("{line}\n"))
}

#[tokio::test]
async fn two_entries_that_one_file_could_belong_to_get_none() -> Result {
    let repository = repository()?;
    let text = "import \"zod\";\nexport const model = { type: \"@acme/twin\" };";
    repository.files.write(&format!("{ROOT}/models/deep.ts"), text)?;
    ship(&repository, "models-bundles/deep.js", "export const model = 1;")?;
    let told = shipped(&repository.survey().await?);
    let why = "unusable: .swamp/models-bundles/deep.js could be that of models/deep.mts and of models/deep.ts";
    assert!(told.contains(&format!("models/deep.ts: {why}")), "{told}");
    assert!(told.contains(&format!("models/deep.mts: {why}")), "{told}");
    Ok(())
}

/// Whatever lies there: only what somebody pulled may ship.
#[tokio::test]
async fn fault_05_sources_of_the_repository_and_of_mounts_have_no_shipped_bundles() -> Result {
    let repository = repository()?;
    let text = "import \"zod\";\nexport const model = { type: \"@acme/own\" };";
    repository.files.write("extensions/models/own.ts", text)?;
    repository.files.write(".swamp-sources.yaml", "sources: [mounted]\n")?;
    repository.files.write("mounted/models/own.ts", text)?;
    for root in ["", "extensions/", "mounted/", ".swamp/pulled-extensions/"] {
        for directory in ["models-bundles", "model-bundles"] {
            repository.files.write(&format!("{root}.swamp/{directory}/own.js"), "export const model = 1;")?;
        }
    }
    let survey = repository.survey().await?;
    assert_eq!(survey.disk.observations.len(), 6);
    assert!(survey.entries.iter().all(|entry| entry.shipped.is_none()), "{}", shipped(&survey));
    Ok(())
}

#[tokio::test]
async fn an_extension_may_be_laid_out_otherwise() -> Result {
    let repository = Repository::new(TOOLS)?;
    let lock = r#"{ "@acme/own": { "version": "1" }, "@acme/listed": { "version": "2" } }"#;
    repository.files.write(LOCKFILE, lock)?;
    let pulled = ".swamp/pulled-extensions/@acme";
    let text = "import \"zod\";\nexport const model = { type: \"@acme/x\" };";
    repository.files.write(&format!("{pulled}/own/extensions/models/aws/x.ts"), text)?;
    repository.files.write(&format!("{pulled}/own/.swamp/models-bundles/aws/x.js"), "export const model = 1;")?;
    let manifest = "name: '@acme/listed'\npaths: { base: manifest }\nmodels: [code/x.ts]\n";
    repository.files.write(&format!("{pulled}/listed/manifest.yaml"), manifest)?;
    repository.files.write(&format!("{pulled}/listed/code/x.ts"), text)?;
    repository.files.write(&format!("{pulled}/listed/.swamp/models-bundles/code/x.js"), "export const model = 1;")?;
    insta::assert_snapshot!(shipped(&repository.survey().await?), @"
    code/x.ts: .swamp/models-bundles/code/x.js 8d3d7bd5dbce [2]
    extensions/models/aws/x.ts: .swamp/models-bundles/aws/x.js 8d3d7bd5dbce [1]
    ");
    Ok(())
}
