//! What Deno may not read for a bundle, with programs that log as Deno 2.9.6 does.

use super::{
    tests::{World, jsr},
    *,
};

/// Puts a package into Deno's cache, and says what it and the sources are asked to be: `$p` is the package's directory,
/// `$r` that of the sources, `$o` one of somebody else.
const PRELUDE: &str = r#"
p=$DENO_DIR/npm/registry.npmjs.org/thief/1.0.0; r=${entry%/models/a.ts}; o=$log/outside
mkdir -p $p/lib $o/directory; echo '{"name":"thief","version":"1.0.0"}' > $p/package.json; echo '{"type":"module"}' > $p/lib/package.json
touch $p/lib/index.js $p/lib/x.js $o/secret.json $o/secret.mjs $r/models/b.ts; ln -sf $o/secret.mjs $p/lib/link.mjs
resolves() { echo "DEBUG RS - deno::tools::bundle:1588 - on_resolve: OnResolveArgs { key: 0, ids: [0], path: \"$1\", importer: Some(\"$2\"), kind: ImportStatement, namespace: Some(\"file\"), resolve_dir: Some(\"${2%/*}\"), with: {} }" >&2; }
works() { cp "$entry" $out; sed -i '/^import/d' $out; }
"#;

async fn built(steps: &str) -> Result<Bundle, BuildFailure> {
    World::new(&format!("{PRELUDE}\n{steps}\nworks\n")).bundle(jsr()).await
}

#[tokio::test]
async fn f01_what_a_package_names_outside_is_refused_and_deno_is_stopped() {
    let up = "../../../../../../../../outside/secret.json";
    for (form, steps, specifier) in [
        ("absolute", "resolves $o/secret.json $p/lib/index.js; loads $o/secret.json", "/secret.json"),
        ("absolute, nothing there", "resolves /nowhere/x $p/lib/index.js", "/nowhere/x"),
        ("a link", "resolves ./link.mjs $p/lib/index.js; loads $p/lib/link.mjs", "./link.mjs"),
        ("address", "resolves file://$o/secret.mjs $p/lib/index.js", "file://"),
        ("upward", &format!("resolves {up} $p/lib/index.js; loads $o/secret.json"), up),
        (
            "upward, with an extension found",
            &format!("resolves {} $p/lib/index.js; loads $o/secret.json", up.trim_end_matches(".json")),
            "/secret`",
        ),
        (
            "beside sources",
            "mkdir -p $r/node_modules/thief; cp $p/package.json $r/node_modules/thief; resolves $o/secret.json $r/node_modules/thief/index.js",
            "/secret.json",
        ),
    ] {
        // It is stopped at once: what comes after is never run.
        let world = World::new(&format!("{PRELUDE}\n{steps}\nsleep 1000\n"));
        let fault = world.fault(jsr()).await;
        assert_eq!(
            (fault.class, fault.code),
            (FailureClass::Environment, Code::PACKAGE_IMPORT_OUTSIDE),
            "{form}: {fault}"
        );
        assert_eq!(&*fault.cause.0, "package:thief@1.0.0", "{form}");
        assert!(fault.message.starts_with("the package thief@1.0.0 imports `"), "{form}: {fault}");
        assert!(fault.message.contains(specifier) && fault.message.contains("index.js"), "{form}: {fault}");
    }
}

#[tokio::test]
async fn f01_a_file_outside_that_no_import_names_is_refused() {
    for (form, load) in [
        ("a pattern", "loads $o/secret.json"),
        ("a link", "loads $p/lib/link.mjs"),
        ("an address", "loads file://$o/secret.json"),
        ("no path at all", "loads secret.json"),
        ("what cannot be read", "echo 'DEBUG RS - on_load: OnLoadArgs { path: something }' >&2"),
    ] {
        let failure = built(load).await.expect_err(form);
        let fault = failure.fault;
        assert_eq!(
            (fault.class, fault.code),
            (FailureClass::Environment, Code::PACKAGE_IMPORT_OUTSIDE),
            "{form}: {fault}"
        );
        assert!(fault.message.starts_with("models/a.ts, or a package that it imports, brings "), "{form}: {fault}");
    }
}

#[tokio::test]
async fn f01_a_source_that_leads_deno_outside_is_to_blame_itself() {
    let failure = built("resolves ../../../outside/secret.mjs $entry; loads ${r%/*/*}/outside/secret.mjs").await;
    let fault = failure.expect_err("it lies outside").fault;
    assert_eq!((fault.class, fault.code), (FailureClass::Deterministic, Code::IMPORT_OUTSIDE_ROOT), "{fault}");
    assert!(fault.message.starts_with("models/a.ts imports `../../../outside/secret.mjs`"), "{fault}");
}

#[tokio::test]
async fn f01_a_failure_does_not_tell_what_stands_in_a_file_outside() {
    let steps = "loads $o/secret.json; echo 'error: Unexpected \"the-token\" in JSON' >&2; exit 1";
    let fault = built(steps).await.expect_err("it lies outside").fault;
    assert_eq!(fault.code, Code::PACKAGE_IMPORT_OUTSIDE, "{fault}");
    assert!(!fault.message.contains("the-token"), "{fault}");
}

#[tokio::test]
async fn f01_what_is_inside_and_what_is_fetched_is_read() {
    let steps = "resolves ./x.js $p/lib/index.js; loads $p/lib/x.js; loads $r/models/b.ts; loads https://jsr.io/x.ts
        resolves /y.ts https://jsr.io/x.ts; loads https://jsr.io/y.ts; resolves ../../../../absent $p/lib/index.js
        loads data:text/plain,x; loads node:fs";
    built(steps).await.expect("all of it may be read");
}

#[tokio::test]
async fn a_deno_that_does_not_tell_what_it_reads_makes_no_bundle() {
    let world = World::new(&format!("{PRELUDE}\nloads $p/lib/x.js\nworks\n"));
    let path = world.directory.path().join("fake-deno");
    let script = fs::read_to_string(&path).unwrap().replace("= bundle ] && loads \"$entry\"", "= bundle ] && true");
    fs::write(&path, script).unwrap();
    let fault = world.fault(jsr()).await;
    assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::RUNTIME_FAILED), "{fault}");
    assert!(fault.message.contains("does not tell which files it reads"), "{fault}");
}
