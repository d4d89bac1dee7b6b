//! Source mounts: which directories they are, what counts in them, and what a survey of them costs.

use std::{fs, os::unix::fs::symlink};

use mangrove_domain::{
    ports::SourceTree as _,
    source::{Origin, RelativePath, RootId, SourceId},
};

use crate::support::{Repository, Result, problems, render, request, roots};

const THREE: &str = r#"
//- /repo/.swamp.yaml
repoId: mounts
//- /repo/.swamp-sources.yaml
sources:
  - path: ../shared
  - path: ../single
    only: [vaults]
  - path: ../collection
    recursive: true
//- /repo/extensions/models/own.ts
export const model = { type: "@acme/own" };
//- /shared/.swamp.yaml
repoId: shared
modelsDir: src
//- /shared/manifest.yaml
manifestVersion: 1
name: "@shared/all"
version: "2026.01.02.1"
//- /shared/src/a.ts
import { z } from "zod";
import { help } from "../library/help.ts";
export const model = { type: "@shared/a" };
//- /shared/library/help.ts
export const help = 1;
//- /shared/deno.json
{ "imports": { "zod": "npm:zod@4" } }
//- /shared/extensions/models/not-here.ts
export const model = { type: "@shared/not-here" };
//- /shared/extensions/vaults/v.ts
export const vault = { type: "@shared/v" };
//- /single/models/m.ts
export const model = { type: "@single/m" };
//- /single/vaults/v.ts
export const vault = { type: "@single/v" };
//- /single/vaults/v_test.ts
export const vault = { type: "@single/test" };
//- /collection/one/manifest.yaml
name: "@collection/one"
version: "2026.02.28.1"
//- /collection/one/.swamp.yaml
repoId: one
//- /collection/one/extensions/models/deep/x.ts
export const model = { type: "@collection/one" };
//- /collection/group/two/manifest.yaml
name: "@collection/two"
version: "2024.02.29.1"
//- /collection/group/two/models/y.ts
export const model = { type: "@collection/two" };
//- /collection/group/two/nested/extensions/reports/r.ts
export const report = { name: "@collection/nested" };
//- /collection/group/scripts/z.ts
export const model = { type: "@collection/script" };
//- /collection/_private/extensions/models/p.ts
export const model = { type: "@collection/private" };
"#;

#[tokio::test]
async fn mounts_have_the_rules_of_repositories() -> Result {
    let repository = Repository::beside(THREE, &[])?;
    let survey = repository.survey().await?;
    insta::assert_snapshot!(render(&survey), @r#"
    model extensions/models/own.ts @acme/own @local/mounts@0.0.0 []
    vault mount:../shared/extensions/vaults/v.ts @shared/v @shared/all@2026.01.02.1 []
    model mount:../shared/src/a.ts @shared/a @shared/all@2026.01.02.1 [npm:zod@4]
    vault mount:../single/vaults/v.ts @single/v @mount/single@0.0.0 []
    model mount:../collection/group/two/models/y.ts @collection/two @collection/two@2024.02.29.1 []
    report mount:../collection/group/two/nested/extensions/reports/r.ts @collection/nested @mount/collection@0.0.0 []
    model mount:../collection/one/extensions/models/deep/x.ts @collection/one @collection/one@2026.02.28.1 []
    "#);
    insta::assert_snapshot!(roots(&survey), @r#"
    local local
    mounted mount:../collection
    mounted mount:../shared
    mounted mount:../single
    "#);
    assert_eq!(survey.disk, repository.beside_without_memory().await?.disk);
    Ok(())
}

#[tokio::test]
async fn a_warm_survey_of_mounts_opens_and_lists_nothing_and_sees_every_edit() -> Result {
    let repository = Repository::beside(THREE, &[])?;
    let cold = repository.survey().await?;
    let warm = repository.warm_up().await?;
    assert_eq!(warm.disk, cold.disk);
    repository.files.write("collection/group/two/models/y.ts", "export const model = { type: '@collection/2' };")?;
    let edited = repository.survey().await?;
    assert_eq!((edited.statistics.files_read, edited.statistics.directories_listed), (1, 0));
    assert!(render(&edited).contains("@collection/2"), "{}", render(&edited));
    repository.warm_up().await?;
    for (path, text) in [
        ("collection/three/extensions/models/t.ts", "export const model = { type: '@collection/three' };"),
        ("repo/.swamp-sources.yaml", "sources: [../collection/**]"),
        ("shared/src/b.ts", "export const model = { type: '@shared/b' };"),
        ("collection/one/manifest.yaml", "name: '@collection/renamed'\nversion: 2026.03.01.1"),
    ] {
        repository.files.write(path, text)?;
        assert_eq!(repository.survey().await?.disk, repository.beside_without_memory().await?.disk, "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn graphs_of_mounts_reach_the_whole_mount_and_its_configuration() -> Result {
    let repository = Repository::beside(THREE, &[])?;
    let survey = repository.survey().await?;
    let source = SourceId { root: RootId::mount("../shared"), path: RelativePath::parse("src/a.ts")? };
    for tree in [&repository.tree, &repository.restarted_beside()?] {
        let graph = tree.graph(&source).await?.ok_or("it can be read")?;
        let files: Vec<&str> = graph.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(files, ["library/help.ts", "src/a.ts"]);
        let seen = survey.observed().find(|(seen, _)| seen.source == source).ok_or("it was seen")?;
        assert_eq!(seen.0.inputs().map(|inputs| &inputs.source), Some(&graph.source));
        assert!(seen.1.specifiers.contains("npm:zod@4"), "{:?}", seen.1);
    }
    let gone = SourceId { root: RootId::mount("../elsewhere"), ..source };
    assert!(repository.tree.graph(&gone).await?.is_none());
    Ok(())
}

const PATTERNS: &str = r#"
//- /repo/.swamp.yaml
repoId: patterns
//- /repo/.swamp-sources.yaml
sources:
  - path: ../exts/{a*,b?}
  - path: $PLACE/c
  - path: ${PLACE}s/./d/
  - path: $NOWHERE/e
  - path: ../missing
  - path: ../file
  - path: ../none-*
//- /exts/aa/models/x.ts
export const model = { type: "@exts/aa" };
//- /exts/bb/models/x.ts
export const model = { type: "@exts/bb" };
//- /exts/bbb/models/x.ts
export const model = { type: "@exts/bbb" };
//- /exts/.a/models/x.ts
export const model = { type: "@exts/hidden" };
//- /place/c/models/x.ts
export const model = { type: "@place/c" };
//- /places/d/models/x.ts
export const model = { type: "@place/d" };
//- /file
"#;

#[tokio::test]
async fn patterns_and_variables_name_mounts_and_what_is_missing_is_said() -> Result {
    let text = PATTERNS;
    let repository = Repository::beside(text, &[("PLACE", "../place")])?;
    let survey = repository.survey().await?;
    insta::assert_snapshot!(render(&survey), @r#"
    model mount:../exts/aa/models/x.ts @exts/aa @mount/aa@0.0.0 []
    model mount:../exts/bb/models/x.ts @exts/bb @mount/bb@0.0.0 []
    model mount:$PLACE/c/models/x.ts @place/c @mount/c@0.0.0 []
    model mount:$(PLACE)s/d/models/x.ts @place/d @mount/d@0.0.0 []
    MG0406 .swamp-sources.yaml
    "#);
    insta::assert_snapshot!(roots(&survey), @r#"
    local local
    mounted mount:$(PLACE)s/d
    mounted mount:$NOWHERE/e unreachable MG0406: the environment variable NOWHERE in `$NOWHERE/e` is not set
    mounted mount:$PLACE/c
    mounted mount:../exts/aa
    mounted mount:../exts/bb
    mounted mount:../file unreachable MG0406: the mount `../file` is not a directory
    mounted mount:../missing unreachable MG0406: the mount `../missing` cannot be entered: No such file or directory (os error 2)
    "#);
    insta::assert_snapshot!(problems(&survey), @"MG0406 .swamp-sources.yaml:8:5: no directory matches `../none-*`");
    repository.files.write("exts/ac/models/x.ts", "export const model = { type: '@exts/ac' };")?;
    repository.files.write("missing/models/x.ts", "export const model = { type: '@missing/x' };")?;
    let appeared = render(&repository.survey().await?);
    assert!(appeared.contains("@exts/ac") && appeared.contains("@missing/x"), "{appeared}");
    Ok(())
}

/// Collections that say in no usual way where their sources lie.
const LOOSE: &str = r#"
//- /repo/.swamp.yaml
repoId: loose
//- /repo/.swamp-sources.yaml
sources:
  - path: ../nested
  - path: ../flat
  - path: ../vaults-only
    only: [vaults]
  - path: ../nested-again
    recursive: true
  - path: ../pattern/extensions/*
  - path: ../nothing
  - path: ../nothing-below
    recursive: true
  - path: ../other-kinds
    only: [vaults]
  - path: ../only-workflows
    only: [workflows]
//- /nested/extensions/a/manifest.yaml
name: "@nested/a"
version: "1"
//- /nested/extensions/a/models/m.ts
export const model = { type: "@nested/m" };
//- /nested/extensions/a/models/too/deep.ts
export const model = { type: "@nested/deep" };
//- /nested/target/t.ts
export const model = { type: "@nested/target" };
//- /nested/_old/o.ts
export const model = { type: "@nested/old" };
//- /flat/m.ts
import { help } from "./help.ts";
export const model = { type: "@flat/m" };
//- /flat/help.ts
export const help = 1;
//- /flat/v.ts
export const vault = { type: "@flat/v" };
//- /vaults-only/m.ts
export const model = { type: "@only/m" };
//- /vaults-only/v.ts
export const vault = { type: "@only/v" };
//- /nested-again/extensions/a/manifest.yaml
name: "@again/a"
version: "1"
//- /nested-again/extensions/a/models/deep/er/still/m.ts
export const model = { type: "@again/m" };
//- /nested-again/extensions/b/models/m.ts
export const model = { type: "@again/b" };
//- /nested-again/extensions/c/c.ts
export const report = { name: "@again/c" };
//- /nested-again/extensions/d/manifest.yaml
name: "@again/d"
version: "1"
//- /nested-again/extensions/d/src/d.ts
export const model = { type: "@again/d" };
//- /nested-again/tools/repo/extensions/models/r.ts
export const model = { type: "@again/repo" };
//- /nested-again/tools/scripts/s.ts
export const model = { type: "@again/script" };
//- /pattern/extensions/a/manifest.yaml
name: "@pattern/a"
version: "1"
//- /pattern/extensions/a/models/deep/er/still/m.ts
export const model = { type: "@pattern/m" };
//- /pattern/extensions/b/models/m.ts
export const model = { type: "@pattern/b" };
//- /pattern/extensions/c/c.ts
export const report = { name: "@pattern/c" };
//- /pattern/extensions/d/manifest.yaml
name: "@pattern/d"
version: "1"
//- /pattern/extensions/d/src/d.ts
export const model = { type: "@pattern/d" };
//- /nothing/README.md
nothing
//- /nothing-below/extensions/models/help.ts
export const help = 1;
//- /other-kinds/extensions/models/m.ts
export const model = { type: "@other/m" };
//- /other-kinds/extensions/vaults/README.md
none
//- /only-workflows/extensions/workflows/w.yaml
name: w
"#;

#[tokio::test]
async fn f18_a_mount_that_says_nowhere_where_its_sources_lie_is_searched() -> Result {
    let repository = Repository::beside(LOOSE, &[])?;
    let survey = repository.survey().await?;
    insta::assert_snapshot!(render(&survey), @r"
    model mount:../nested/extensions/a/models/m.ts @nested/m @nested/a@1 []
    model mount:../flat/m.ts @flat/m @mount/flat@0.0.0 []
    vault mount:../flat/v.ts @flat/v @mount/flat@0.0.0 []
    vault mount:../vaults-only/v.ts @only/v @mount/vaults-only@0.0.0 []
    model mount:../nested-again/extensions/a/models/deep/er/still/m.ts @again/m @again/a@1 []
    model mount:../nested-again/extensions/b/models/m.ts @again/b @mount/nested-again@0.0.0 []
    report mount:../nested-again/extensions/c/c.ts @again/c @mount/nested-again@0.0.0 []
    model mount:../nested-again/extensions/d/src/d.ts @again/d @again/d@1 []
    model mount:../nested-again/tools/repo/extensions/models/r.ts @again/repo @mount/nested-again@0.0.0 []
    model mount:../pattern/extensions/a/models/deep/er/still/m.ts @pattern/m @pattern/a@1 []
    model mount:../pattern/extensions/b/models/m.ts @pattern/b @mount/b@0.0.0 []
    report mount:../pattern/extensions/c/c.ts @pattern/c @mount/c@0.0.0 []
    model mount:../pattern/extensions/d/src/d.ts @pattern/d @pattern/d@1 []
    helper mount:../flat/help.ts
    helper mount:../nothing-below/extensions/models/help.ts
    helper mount:../vaults-only/m.ts
    MG0603 mount:../nested/extensions/a/manifest.yaml
    MG0603 mount:../nested-again/extensions/a/manifest.yaml
    MG0603 mount:../nested-again/extensions/d/manifest.yaml
    MG0603 mount:../pattern/extensions/a/manifest.yaml
    MG0603 mount:../pattern/extensions/d/manifest.yaml
    MG0409 mount:../nothing
    MG0409 mount:../nothing-below
    MG0409 mount:../other-kinds
    ");
    insta::assert_snapshot!(problems(&survey), @r#"
    MG0603 mount:../nested/extensions/a/manifest.yaml:2:10: `version` of what is published is `YYYY.MM.DD.N` with a real date, found "1"
    MG0603 mount:../nested-again/extensions/a/manifest.yaml:2:10: `version` of what is published is `YYYY.MM.DD.N` with a real date, found "1"
    MG0603 mount:../nested-again/extensions/d/manifest.yaml:2:10: `version` of what is published is `YYYY.MM.DD.N` with a real date, found "1"
    MG0603 mount:../pattern/extensions/a/manifest.yaml:2:10: `version` of what is published is `YYYY.MM.DD.N` with a real date, found "1"
    MG0603 mount:../pattern/extensions/d/manifest.yaml:2:10: `version` of what is published is `YYYY.MM.DD.N` with a real date, found "1"
    MG0409 mount:../nothing: it contains no extensions
    MG0409 mount:../nothing-below: it contains no extensions
    MG0409 mount:../other-kinds: it contains no extensions of the kinds that `only` names
    "#);
    assert_eq!(survey.disk, repository.beside_without_memory().await?.disk);
    let warm = repository.warm_up().await?;
    assert_eq!(warm.disk, survey.disk);
    for (path, text) in [
        ("nested/extensions/a/more.ts", "export const model = { type: '@nested/more' };"),
        ("nothing/m.ts", "export const model = { type: '@nothing/m' };"),
        ("nested-again/extensions/e/e.ts", "export const vault = { type: '@again/e' };"),
        ("flat/extensions/models/m.ts", "export const model = { type: '@flat/usual' };"),
    ] {
        repository.files.write(path, text)?;
        assert_eq!(repository.survey().await?.disk, repository.beside_without_memory().await?.disk, "{path}");
    }
    Ok(())
}

/// What `recursive` finds in a collection is what a pattern for each of its parts finds, and more.
#[tokio::test]
async fn f18_recursive_finds_what_a_pattern_finds() -> Result {
    let survey = Repository::beside(LOOSE, &[])?.survey().await?;
    let types = |root: &str| -> std::collections::BTreeSet<String> {
        let of_root = survey.observed().filter(|(seen, _)| seen.source.root.to_string().starts_with(root));
        let names = of_root.filter_map(|(seen, _)| seen.claimed_type.as_ref().map(ToString::to_string));
        names.filter_map(|name| name.split_once('/').map(|(_, name)| name.to_owned())).collect()
    };
    let (by_pattern, recursive) = (types("mount:../pattern"), types("mount:../nested-again"));
    assert_eq!(by_pattern.len(), 4, "{by_pattern:?}");
    assert!(recursive.is_superset(&by_pattern), "{recursive:?}");
    Ok(())
}

#[tokio::test]
async fn fault_20_a_match_that_vanished_is_still_configured() -> Result {
    let repository = Repository::beside(PATTERNS, &[("PLACE", "../place")])?;
    repository.survey().await?;
    fs::rename(repository.files.path("exts/aa"), repository.files.path("aside"))?;
    let survey = repository.survey().await?;
    let root = RootId::mount("../exts/aa");
    assert!(!survey.disk.roots.contains_key(&root));
    let path = root.mount_path().ok_or("a mount")?;
    assert!(survey.disk.mount_patterns.iter().any(|pattern| pattern.matches(path)));
    Ok(())
}

#[tokio::test]
async fn a_variable_that_changes_makes_another_answer() -> Result {
    let repository = Repository::beside(PATTERNS, &[("PLACE", "../place")])?;
    let before = repository.warm_up().await?;
    let other = repository.with_environment(&[("PLACE", "../elsewhere")])?.survey(&request()).await?;
    assert_ne!(other.disk, before.disk);
    assert!(roots(&other).contains("mount:$PLACE/c unreachable"), "{}", roots(&other));
    Ok(())
}

#[tokio::test]
async fn fault_21_a_mount_that_is_the_default_directory_is_scanned_once() -> Result {
    let repository = Repository::beside(
        r#"
//- /repo/.swamp.yaml
repoId: twice
//- /repo/.swamp-sources.yaml
sources:
  - .
  - extensions
  - path: ..
    recursive: true
  - ../link
  - ../shared
//- /repo/extensions/models/a.ts
export const extension = { type: "@acme/a" };
//- /shared/extensions/models/b.ts
export const model = { type: "@acme/b" };
"#,
        &[],
    )?;
    symlink("repo", repository.files.path("link"))?;
    let survey = repository.survey().await?;
    insta::assert_snapshot!(render(&survey), @r#"
    model extensions/models/a.ts @acme/a @local/twice@0.0.0 []
    model mount:../shared/extensions/models/b.ts @acme/b @mount/repository@0.0.0 []
    "#);
    assert_eq!(survey.disk.observations.iter().filter(|seen| seen.origin == Origin::Local).count(), 1);
    Ok(())
}

#[tokio::test]
async fn a_list_that_cannot_be_understood_is_said_and_judges_nothing() -> Result {
    let repository = Repository::beside(THREE, &[])?;
    for text in [
        "sources: [",
        "- ../shared\n",
        "sources: ../shared\n",
        "sourcs: [../shared]\n",
        "sources:\n  - pth: ../shared\n  - path: ../single\n",
    ] {
        repository.files.write("repo/.swamp-sources.yaml", text)?;
        let survey = repository.survey().await?;
        let fault = survey.disk.mounts_fault.clone().ok_or("nothing was said")?;
        assert!(fault.position.is_some(), "{text}: {fault}");
        assert_eq!(repository.restarted_beside()?.survey(&request()).await?.disk, survey.disk, "{text}");
    }
    let survey = repository.survey().await?;
    assert!(survey.disk.roots.contains_key(&RootId::mount("../single")), "what can be understood counts");
    for text in ["", "sources:\n", "sources: []\n", "{}\n"] {
        repository.files.write("repo/.swamp-sources.yaml", text)?;
        let survey = repository.survey().await?;
        assert_eq!(survey.disk.mounts_fault, None, "{text}");
        assert_eq!(roots(&survey), "local local");
    }
    Ok(())
}

#[tokio::test]
async fn a_broken_repository_inside_a_mount_costs_only_itself() -> Result {
    let repository = Repository::beside(THREE, &[])?;
    repository.files.write("collection/one/.swamp.yaml", "modelsDir: [")?;
    repository.files.write("collection/group/two/.swamp.yaml", "modelsDir: ../../../repo")?;
    let survey = repository.survey().await?;
    insta::assert_snapshot!(problems(&survey), @r#"
    MG0603 mount:../collection/group/two/.swamp.yaml:1:12: the directory of models must lie inside the repository: "../../../repo" leads outside the root
    MG0602 mount:../collection/one/.swamp.yaml:1:12: unclosed bracket '['
    "#);
    insta::assert_snapshot!(roots(&survey), @r#"
    local local
    mounted mount:../collection incomplete "group/two" incomplete "one"
    mounted mount:../shared
    mounted mount:../single
    "#);
    assert!(render(&survey).contains("@collection/nested"));
    Ok(())
}
