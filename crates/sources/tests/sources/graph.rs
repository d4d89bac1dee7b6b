//! What an entry reaches, and which settings govern it.

use std::{fs, os::unix::fs::symlink};

use mangrove_domain::{
    failure::FailureClass,
    module_graph::EdgeTarget,
    ports::{ObserveError, SourceTree as _},
    source::RelativePath,
};

use crate::support::{Repository, Result, local, parts, render, request, settings, sources, specifiers};

#[tokio::test]
async fn fault_06_the_graph_reaches_everything_inside_the_root() -> Result {
    let repository = Repository::new(
        r#"
//- /.swamp.yaml
repoId: graph
//- /extensions/models/a.ts
import "./side.ts";
import{x}from"../../lib/outside-kind.ts";
import data from "./data.json" with { type: "json" };
import type { T } from "./types-only.ts";
// import "./comment.ts";
const lazy = () => import("./lazy.mts");
import "./twin.js";
import "./folder";
import "./bare";
import "./gone.ts";
import "../../../etc/passwd";
import "file:///etc/passwd";
import "/etc/passwd";
import fs from "node:fs";
import { z } from "npm:/zod@4";
import "https://example.com/x.ts";
import "left-pad";
import "../models-old/sibling.ts";
export const model = { type: "@acme/a" };
//- /extensions/models/side.ts
import "./a.ts";
//- /extensions/models/lazy.mts
export {};
//- /extensions/models/types-only.ts
export type T = 1;
//- /extensions/models/comment.ts
export {};
//- /extensions/models/twin.ts
export {};
//- /extensions/models/folder/index.tsx
export {};
//- /extensions/models/bare.ts
export {};
//- /extensions/models/data.json
[1]
//- /extensions/models-old/sibling.ts
export {};
//- /lib/outside-kind.ts
export const x = 1;
"#,
    )?;
    let path = "extensions/models/a.ts";
    let survey = repository.survey().await?;
    insta::assert_snapshot!(sources(&survey, path).join("\n"), @r#"
    extensions/models-old/sibling.ts
    extensions/models/a.ts
    extensions/models/a.ts -> ../../../etc/passwd outside
    extensions/models/a.ts -> ./gone.ts missing
    extensions/models/a.ts -> /etc/passwd outside
    extensions/models/a.ts -> file:///etc/passwd outside
    extensions/models/bare.ts
    extensions/models/data.json
    extensions/models/folder/index.tsx
    extensions/models/lazy.mts
    extensions/models/side.ts
    extensions/models/twin.ts
    lib/outside-kind.ts
    "#);
    insta::assert_snapshot!(render(&survey), @r#"
    model extensions/models/a.ts @acme/a @local/graph@0.0.0 [https://example.com/x.ts left-pad node:fs npm:zod@4]
    helper extensions/models/bare.ts
    helper extensions/models/comment.ts
    helper extensions/models/folder/index.tsx
    helper extensions/models/lazy.mts
    helper extensions/models/side.ts
    helper extensions/models/twin.ts
    helper extensions/models/types-only.ts
    "#);
    let graph = repository.graph(path).await?;
    assert_eq!((&graph.source, &graph.config), parts(&survey, path));
    assert_eq!(graph.files.len(), 9);
    assert!(graph.files.iter().all(|file| mangrove_domain::digest::Digest::of(&file.bytes) == file.digest));
    let edge =
        |specifier: &str| graph.edges.iter().find(|edge| edge.specifier == specifier).map(|edge| edge.target.clone());
    assert_eq!(edge("./twin.js"), Some(EdgeTarget::File(RelativePath::parse("extensions/models/twin.ts")?)));
    assert_eq!(edge("./gone.ts"), Some(EdgeTarget::Missing));
    assert_eq!(edge("file:///etc/passwd"), Some(EdgeTarget::OutsideRoot));
    assert_eq!(edge("npm:/zod@4"), Some(EdgeTarget::External("npm:zod@4".into())));
    assert!(repository.tree.graph(&local("extensions/models/none.ts")).await?.is_none());
    Ok(())
}

#[tokio::test]
async fn a_missing_import_that_appears_is_noticed() -> Result {
    let path = "extensions/models/a.ts";
    let repository = Repository::new(
        "//- /.swamp.yaml\nrepoId: x\n//- /extensions/models/a.ts\n\
         import '../../lib/deep/b.ts';\nexport const model = {};\n",
    )?;
    let before = sources(&repository.warm_up().await?, path);
    assert_eq!(before, [path, "extensions/models/a.ts -> ../../lib/deep/b.ts missing"]);
    repository.files.write("lib/deep/b.ts", "export {};")?;
    assert_eq!(sources(&repository.survey().await?, path), [path, "lib/deep/b.ts"]);
    repository.warm_up().await?;
    repository.files.remove("lib")?;
    assert_eq!(sources(&repository.survey().await?, path), before);
    Ok(())
}

#[tokio::test]
async fn fault_07_configuration_that_appears_changes_or_goes_is_noticed() -> Result {
    let repository = Repository::new(
        r#"
//- /.swamp.yaml
repoId: x
//- /package.json
{ "dependencies": { "zod": "^4.0.0" } }
//- /extensions/models/a.ts
import { z } from "zod"; import '#lib/b.ts';
export const model = {};
//- /extensions/models/plain.ts
export const model = {};
//- /lib/b.ts
export {};
"#,
    )?;
    let a = "extensions/models/a.ts";
    let survey = repository.warm_up().await?;
    assert_eq!(specifiers(&survey, a), ["#lib/b.ts", "npm:zod@^4.0.0"]);
    assert_eq!(settings(&survey, a), ["imports zod = npm:zod@^4.0.0"]);
    assert_eq!(settings(&survey, "extensions/models/plain.ts"), [""; 0], "no bare specifier, no package.json");

    let top =
        "// c\n{ \"imports\": { \"zod\": \"npm:zod@4.3.6\", \"#lib/\": \"./lib/\" }, \"tasks\": { \"a\": \"b\" } }";
    repository.files.write("deno.jsonc", top)?;
    let survey = repository.survey().await?;
    assert_eq!(specifiers(&survey, a), ["npm:zod@4.3.6"]);
    assert_eq!(sources(&survey, a), [a, "lib/b.ts"]);
    assert_eq!(settings(&survey, a), ["imports #lib/ = /lib/", "imports zod = npm:zod@4.3.6"]);

    repository.warm_up().await?;
    let nearer = r#"{ "importMap": "./map.json", "compilerOptions": { "strict": true, "jsx": "react-jsx" },
                      "nodeModulesDir": "auto", "fmt": {} }"#;
    repository.files.write("extensions/deno.json", nearer)?;
    repository.files.write("extensions/map.json", r#"{ "scopes": { "./models/": { "zod": "npm:zod@5" } } }"#)?;
    let survey = repository.survey().await?;
    assert_eq!(specifiers(&survey, a), ["#lib/b.ts", "npm:zod@5"]);
    insta::assert_snapshot!(settings(&survey, a).join("|\n"), @r#"
    compilerOptions jsx = "react-jsx"|
    compilerOptions strict = true|
    imports zod = npm:zod@^4.0.0|
    nodeModulesDir = "auto"|
    scopes /extensions/models/ = |
    scopes /extensions/models/ zod = npm:zod@5
    "#);
    let graph = repository.graph(a).await?;
    assert_eq!(graph.compiler_options.to_string(), r#"{"jsx":"react-jsx"}"#);
    assert_eq!(&graph.config, parts(&survey, a).1);

    let before = repository.warm_up().await?;
    repository.files.write("extensions/map.json", r#"{ "scopes": { "./models/": { "zod": "npm:zod@6" } } }"#)?;
    let after = repository.survey().await?;
    assert_eq!(after.statistics.files_read, 1);
    assert_ne!(parts(&after, a).1, parts(&before, a).1);

    repository.files.write("extensions/deno.json", nearer.replace("\"fmt\": {}", "\"fmt\": { \"lineWidth\": 80 }"))?;
    assert_eq!(parts(&repository.survey().await?, a), parts(&after, a), "formatting options change nothing");

    repository.files.write("extensions/deno.json", "{ nonsense")?;
    let broken = repository.survey().await?;
    assert_eq!(render(&broken).lines().last(), Some("MG0602 extensions/deno.json"));
    assert_ne!(parts(&broken, a).1, parts(&after, a).1);
    repository.files.remove("extensions/deno.json")?;
    let survey = repository.survey().await?;
    assert_eq!(specifiers(&survey, a), ["npm:zod@4.3.6"]);
    assert_eq!(survey.disk, repository.without_memory().await?.disk);
    Ok(())
}

#[tokio::test]
async fn import_maps_prefer_scopes_and_longer_keys() -> Result {
    let repository = Repository::new(
        r#"
//- /.swamp.yaml
repoId: x
//- /deno.json
{ "imports": { "@/": "./lib/", "@/deep/": "./lib/other/", "chalk": "npm:chalk@5", "./lib/from.ts": "./lib/to.ts",
               "std": "jsr:@std/x@1", "out": "../outside.ts", "abs": "/etc/passwd", "/": "./lib/" },
  "scopes": { "./extensions/models/special/": { "@/a.ts": "./lib/special.ts" } } }
//- /extensions/models/plain.ts
import "@/a.ts"; import "@/deep/a.ts"; import "chalk/sub"; import "std/y"; import "../../lib/from.ts"; import "out";
import "chalk"; import "abs"; import "/other/a.ts";
export const model = {};
//- /extensions/models/special/x.ts
import "@/a.ts";
export const model = {};
//- /lib/a.ts
//- /lib/from.ts
//- /lib/to.ts
//- /lib/special.ts
//- /lib/other/a.ts
"#,
    )?;
    let survey = repository.survey().await?;
    insta::assert_snapshot!(sources(&survey, "extensions/models/plain.ts").join("\n"), @r#"
    extensions/models/plain.ts
    extensions/models/plain.ts -> abs outside
    extensions/models/plain.ts -> out outside
    lib/a.ts
    lib/other/a.ts
    lib/to.ts
    "#);
    assert_eq!(specifiers(&survey, "extensions/models/plain.ts"), ["jsr:@std/x@1/y", "npm:chalk@5", "npm:chalk@5/sub"]);
    let special = sources(&survey, "extensions/models/special/x.ts");
    assert_eq!(special, ["extensions/models/special/x.ts", "lib/special.ts"]);
    Ok(())
}

#[tokio::test]
async fn bare_names_follow_the_package_json_in_force() -> Result {
    let repository = Repository::new(
        r#"
//- /.swamp.yaml
repoId: bare
//- /package.json
{ "dependencies": { "zod": "^4.0.0", "events": "3", "aliased": "npm:other@2", "any": "", "local": "workspace:*", "git": "a/b" },
  "devDependencies": { "zod": "3", "dev": "1.x" }, "optionalDependencies": { "maybe": "1" },
  "peerDependencies": { "peer": ">=2 <4" } }
//- /extensions/models/a.ts
import "zod";
import "zod/v4";
import "aliased/deep";
import "any";
import "dev";
import "maybe";
import "peer";
import "local/sub";
import "git";
import "nowhere";
import "path";
import "fs/promises";
import "process/browser";
import "events";
export const model = { type: "@acme/a" };
"#,
    )?;
    let survey = repository.survey().await?;
    let expected = [
        "node:fs/promises",
        "node:path",
        "nowhere",
        "npm:any",
        "npm:dev@1.x",
        "npm:events@3",
        "npm:maybe@1",
        "npm:other@2/deep",
        "npm:peer@>=2 <4",
        "npm:zod@^4.0.0",
        "npm:zod@^4.0.0/v4",
        "package.json:git@a/b",
        "package.json:local@workspace:*",
        "process/browser",
    ];
    assert_eq!(specifiers(&survey, "extensions/models/a.ts"), expected);
    Ok(())
}

#[tokio::test]
async fn bare_names_follow_the_deno_json_in_force() -> Result {
    let repository = Repository::new(
        r#"
//- /.swamp.yaml
repoId: bare
//- /package.json
{ "dependencies": { "zod": "3" } }
//- /deno.json
{ "importMap": "./maps/all.json" }
//- /maps/all.json
{ "imports": { "zod/": "npm:/zod@4/", "zod": "npm:zod@4", "@aws-sdk/client-s3": "npm:@aws-sdk/client-s3@3" },
  "scopes": { "../extensions/models/old/": { "zod": "npm:zod@3" } } }
//- /extensions/models/a.ts
import "zod";
import "zod/v4";
import "@aws-sdk/client-s3/deep/file.js";
export const model = { type: "@acme/a" };
//- /extensions/models/old/b.ts
import "zod";
export const model = { type: "@acme/b" };
"#,
    )?;
    let survey = repository.survey().await?;
    let expected = ["npm:@aws-sdk/client-s3@3/deep/file.js", "npm:zod@4", "npm:zod@4/v4"];
    assert_eq!(specifiers(&survey, "extensions/models/a.ts"), expected);
    assert_eq!(specifiers(&survey, "extensions/models/old/b.ts"), ["npm:zod@3"]);
    Ok(())
}

#[tokio::test]
async fn a_deno_lock_governs_from_beside_the_configuration_or_above_it() -> Result {
    let repository = Repository::new(
        r#"
//- /.swamp.yaml
repoId: lock
//- /deno.lock
{}
//- /extensions/models/unconfigured.ts
export const model = { type: "@acme/a" };
//- /extensions/models/member/deno.json
{}
//- /extensions/models/member/b.ts
export const model = { type: "@acme/b" };
//- /extensions/models/none/deno.json
{ "lock": false }
//- /extensions/models/none/c.ts
export const model = { type: "@acme/c" };
//- /extensions/models/named/deno.json
{ "lock": { "path": "./my.lock" } }
//- /extensions/models/named/my.lock
{}
//- /extensions/models/named/d.ts
export const model = { type: "@acme/d" };
"#,
    )?;
    let expected = [
        ("extensions/models/unconfigured.ts", None),
        ("extensions/models/member/b.ts", Some("deno.lock")),
        ("extensions/models/none/c.ts", None),
        ("extensions/models/named/d.ts", Some("extensions/models/named/my.lock")),
    ];
    // Cold, and as the stat cache has it.
    for survey in [repository.survey().await?, repository.restarted()?.survey(&request()).await?] {
        for (path, lock) in expected {
            let found = survey.observed().find(|(seen, _)| seen.source == local(path)).map(|(_, entry)| entry);
            let found = found.and_then(|entry| entry.lock.clone());
            let lock = lock.map(|lock| repository.tree.repository().join(lock));
            assert_eq!(found, lock, "{path}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn names_of_the_importers_own_package_lead_where_its_package_json_says() -> Result {
    let repository = Repository::new(
        r##"
//- /.swamp.yaml
repoId: own-names
//- /deno.json
{ "imports": { "mapped": "npm:mapped@1" } }
//- /package.json
{
  "imports": {
    "#x": "./lib/x.ts", "#y/*": "./lib/y/*.ts", "#y/deep/*": "./lib/deep/*.ts", "#chosen": { "browser": "./no.ts", "deno": "./lib/x.ts" },
    "#node": "node:path", "#package": "zod", "#gone": "./lib/gone.ts", "#out": "../out.ts", "#without": "./lib/x", "mapped": "./no.ts"
  },
  "dependencies": { "zod": "^4.0.0", "mapped": "^2.0.0" }
}
//- /extensions/models/a.ts
import "#x"; import "#y/q"; import "#y/deep/q"; import "#chosen"; import "#node"; import "#package"; import "#gone"; import "#out"; import "#without";
import "#nobody"; import "mapped"; import "zod"; import "./inner/b.ts";
export const model = { type: "@acme/a" };
//- /extensions/models/inner/package.json
{ "imports": { "#x": "./own.ts" } }
//- /extensions/models/inner/b.ts
import "#x"; import "#y/q";
//- /extensions/models/inner/own.ts
export {};
//- /lib/x.ts
export {};
//- /lib/y/q.ts
export {};
//- /lib/deep/q.ts
export {};
"##,
    )?;
    let path = "extensions/models/a.ts";
    let survey = repository.survey().await?;
    insta::assert_snapshot!(sources(&survey, path).join("\n"), @r"
    extensions/models/a.ts
    extensions/models/a.ts -> #chosen lib/x.ts
    extensions/models/a.ts -> #gone missing
    extensions/models/a.ts -> #nobody #nobody
    extensions/models/a.ts -> #node node:path
    extensions/models/a.ts -> #out outside
    extensions/models/a.ts -> #package npm:zod@^4.0.0
    extensions/models/a.ts -> #without missing
    extensions/models/a.ts -> #x lib/x.ts
    extensions/models/a.ts -> #y/deep/q lib/deep/q.ts
    extensions/models/a.ts -> #y/q lib/y/q.ts
    extensions/models/inner/b.ts
    extensions/models/inner/b.ts -> #x extensions/models/inner/own.ts
    extensions/models/inner/b.ts -> #y/q #y/q
    extensions/models/inner/own.ts
    lib/deep/q.ts
    lib/x.ts
    lib/y/q.ts
    ");
    assert_eq!(specifiers(&survey, path), ["#nobody", "#y/q", "node:path", "npm:mapped@1", "npm:zod@^4.0.0"]);
    Ok(())
}

#[tokio::test]
async fn a_directory_that_cannot_be_listed_is_no_answer_about_what_lies_in_it() -> Result {
    let repository = Repository::new(
        r#"
//- /.swamp.yaml
repoId: unlisted
//- /deno.json
{ "workspace": ["./libraries/*"], "imports": { "zod": "npm:zod@4" } }
//- /extensions/models/bare.ts
import "@acme/tools";
export const model = { type: "@acme/bare" };
//- /extensions/models/below.ts
import "../../shared/x.ts";
export const model = { type: "@acme/below" };
//- /extensions/models/mapped.ts
import "zod"; import "./gone.ts"; import "node:fs";
export const model = { type: "@acme/mapped" };
"#,
    )?;
    // A link that leads to itself can be listed by nobody, not even by an administrator.
    for name in ["libraries", "shared"] {
        symlink(name, repository.files.path(name))?;
    }
    let source = |name: &str| local(&format!("extensions/models/{name}.ts"));
    for (name, directory) in [("bare", "libraries"), ("below", "shared")] {
        let Err(ObserveError::Repository { fault }) = repository.tree.graph(&source(name)).await else {
            panic!("{name} has a graph")
        };
        assert_ne!(fault.class, FailureClass::Deterministic, "{fault:?}");
        assert_eq!(*fault.cause.0, *format!("listing:{directory}"));
        assert!(fault.message.contains(directory), "{fault}");
    }
    let graph = repository.tree.graph(&source("mapped")).await?.ok_or("no graph")?;
    assert!(graph.edges.iter().any(|edge| edge.target == EdgeTarget::Missing), "{graph:?}");

    let before = repository.survey().await?;
    for name in ["libraries", "shared"] {
        fs::remove_file(repository.files.path(name))?;
    }
    repository.files.write("libraries/tools/deno.json", r#"{ "name": "@acme/tools", "exports": "./mod.ts" }"#)?;
    repository.files.write("libraries/tools/mod.ts", "export {};")?;
    let after = repository.survey().await?;
    let path = "extensions/models/bare.ts";
    assert_ne!(settings(&before, path), settings(&after, path), "the failure is an input of its own");
    assert_eq!(sources(&after, path), [path, "libraries/tools/mod.ts"]);
    Ok(())
}

#[tokio::test]
async fn a_member_of_a_workspace_has_what_the_workspace_maps_and_what_other_members_offer() -> Result {
    let repository = Repository::new(
        r#"
//- /.swamp.yaml
repoId: workspace
//- /deno.json
{
  "workspace": ["./extensions/models", "./libraries/*", "../outside"],
  "imports": { "zod": "npm:zod@4", "shared/": "./shared/", "own": "npm:root@1" },
  "compilerOptions": { "jsx": "react-jsx", "jsxImportSource": "root", "strict": true }
}
//- /extensions/models/deno.json
{ "name": "@acme/models", "imports": { "own": "npm:member@2" }, "compilerOptions": { "jsxImportSource": "member" } }
//- /extensions/models/a.ts
import "zod"; import "shared/x.ts"; import "own"; import "@acme/tools"; import "@acme/tools/deep"; import "@acme/plain";
export const model = { type: "@acme/a" };
//- /extensions/vaults/b.ts
import "own"; import "@acme/plain";
export const vault = { type: "@acme/b" };
//- /libraries/tools/deno.jsonc
{ "name": "@acme/tools", "exports": { ".": "./mod.ts", "./deep": "./src/deep.ts" } }
//- /libraries/tools/mod.ts
export {};
//- /libraries/tools/src/deep.ts
export {};
//- /libraries/plain/deno.json
{ "name": "@acme/plain", "exports": "./mod.ts" }
//- /libraries/plain/mod.ts
export {};
//- /shared/x.ts
export {};
"#,
    )?;
    let survey = repository.survey().await?;
    let path = "extensions/models/a.ts";
    assert_eq!(specifiers(&survey, path), ["npm:member@2", "npm:zod@4"]);
    assert_eq!(
        sources(&survey, path),
        [path, "libraries/plain/mod.ts", "libraries/tools/mod.ts", "libraries/tools/src/deep.ts", "shared/x.ts"]
    );
    insta::assert_snapshot!(settings(&survey, path).join("\n"), @r#"
    compilerOptions jsx = "react-jsx"
    compilerOptions jsxImportSource = "member"
    compilerOptions strict = true
    imports @acme/plain = /libraries/plain/mod.ts
    imports @acme/tools = /libraries/tools/mod.ts
    imports @acme/tools/deep = /libraries/tools/src/deep.ts
    imports own = npm:member@2
    imports shared/ = /shared/
    imports zod = npm:zod@4
    "#);
    let path = "extensions/vaults/b.ts";
    assert_eq!(specifiers(&survey, path), ["npm:root@1"]);
    assert_eq!(sources(&survey, path), [path, "libraries/plain/mod.ts"]);
    Ok(())
}
