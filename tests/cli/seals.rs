//! Scans in which nothing has changed, and everything that must be noticed all the same
//! (`design/decisions/0010-seals-of-what-rests.md`).

use std::{
    fs,
    path::Path,
    time::{Duration, Instant, SystemTime},
};

use serde_json::Value;

use crate::{
    fixtures::{broken, model},
    sandbox::Sandbox,
};

const A: &str = "extensions/models/a.ts";
const HELPER: &str = "extensions/models/_lib/shared.ts";

/// What a scan said, and whether it made a plan for it.
struct Said {
    summary: Value,
    is_repeated: bool,
}

fn scan(sandbox: &Sandbox, arguments: &[&str], environment: &[(&str, &str)]) -> Said {
    let mut command = sandbox.command();
    command.env("MANGROVE_LOG", "mangrove=info").envs(environment.iter().copied());
    let output = command.args(["scan", "--json"]).args(arguments).output().expect("the program starts");
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(output.status.success(), "{text}");
    let document: Value = serde_json::from_slice(&output.stdout).expect("a JSON document");
    Said {
        summary: document["summary"].clone(),
        is_repeated: text.contains("nothing has changed since a scan that found nothing to do"),
    }
}

/// Three models and a helper, scanned until no plan is made any more: until the clock of the file system has moved on.
fn sealed() -> Sandbox {
    let sandbox = Sandbox::new("");
    sandbox.write(A, &format!("import {{ name }} from \"./_lib/shared.ts\";\nname;\n{}", model("@acme/a")));
    sandbox.write("extensions/models/b.ts", &model("@acme/b"));
    sandbox.write("extensions/models/c.ts", &model("@acme/c"));
    sandbox.write(HELPER, "export const name = \"one\";\n");
    seal(&sandbox);
    sandbox
}

fn seal(sandbox: &Sandbox) {
    let start = Instant::now();
    while !scan(sandbox, &[], &[]).is_repeated {
        assert!(start.elapsed() < Duration::from_mins(1), "never sealed");
    }
}

#[test]
fn a_repeated_report_is_the_planned_one() {
    let sandbox = sealed();
    let repeated = scan(&sandbox, &[], &[]);
    assert!(repeated.is_repeated);
    let mut planned = sandbox.scan(&[]).0["summary"].clone();
    let mut summary = repeated.summary;
    for summary in [&mut planned, &mut summary] {
        summary["durationMs"].take();
    }
    assert_eq!(summary, planned);
    let told = sandbox.run(&["scan", "--strict"]);
    assert_eq!(told.code, 0);
    assert!(told.stderr.contains("3 models") && told.stderr.contains("3 indexed (0 built)"), "{told}");
    let dry = sandbox.run(&["scan", "--dry-run"]);
    assert!(dry.stderr.contains("work for 0 of 3 sources"), "{dry}");
}

#[test]
fn looking_breaks_nothing() {
    let sandbox = sealed();
    for arguments in [&["types"][..], &["why", "@acme/a"], &["describe", "@acme/a"], &["doctor"], &["scan", "--all"]] {
        assert_eq!(sandbox.run(arguments).code, 0, "{arguments:?}");
        assert!(scan(&sandbox, &[], &[]).is_repeated, "{arguments:?}");
    }
}

/// Changes a file where it stands, with its length and modification time kept.
fn patch(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let modified = path.metadata().and_then(|metadata| metadata.modified()).expect("a time");
    let mut bytes = fs::read(path).expect("a file");
    change(&mut bytes);
    fs::write(path, bytes).expect("written");
    let file = fs::File::options().append(true).open(path).expect("opens");
    file.set_modified(modified).expect("the time is set back");
}

/// Every input that a person, a tool or a disk can change, each by itself: the next scan makes a plan, and its report is
/// that of a scan that never repeats anything.
#[test]
fn fault_46_every_change_is_noticed() {
    type Change = fn(&Sandbox);
    let changes: [(&str, Change); 12] = [
        ("an edit", |sandbox| sandbox.edit(A, "Greet somebody", "Greet everybody")),
        ("an edit that keeps length and time", |sandbox| {
            patch(&sandbox.tree.path(A), |bytes| {
                let at = bytes.windows(5).position(|window| window == b"Greet").expect("the text");
                bytes[at..at + 5].copy_from_slice(b"Great");
            });
        }),
        ("a helper", |sandbox| sandbox.write(HELPER, "export const name = \"two\";\n")),
        ("a file that replaces another one", |sandbox| {
            sandbox.write("extensions/models/.a.ts.swp", &model("@acme/renamed"));
            fs::rename(sandbox.tree.path("extensions/models/.a.ts.swp"), sandbox.tree.path(A)).expect("renamed");
        }),
        ("a new source", |sandbox| sandbox.write("extensions/models/d.ts", &model("@acme/d"))),
        ("a new source that is broken", |sandbox| sandbox.write("extensions/models/d.ts", &broken("@acme/d"))),
        ("a source that goes", |sandbox| fs::remove_file(sandbox.tree.path(A)).expect("removed")),
        ("a new kind", |sandbox| sandbox.write("extensions/vaults/v.ts", "export const vault = { type: 1 };\n")),
        ("a setting", |sandbox| sandbox.write("deno.json", "{ \"imports\": { \"x\": \"npm:x@1\" } }\n")),
        ("the marker", |sandbox| sandbox.write("mangrove.yaml", "repoId: other\nmodelsDir: extensions/elsewhere\n")),
        ("a bundle that is gone", |sandbox| fs::remove_file(&sandbox.bundles()[0]).expect("removed")),
        ("a bundle that was cut off", |sandbox| {
            let bundle = sandbox.bundles().remove(0);
            let file = fs::File::options().write(true).open(bundle).expect("opens");
            file.set_len(10).expect("cut off");
        }),
    ];
    for (what, change) in changes {
        let sandbox = sealed();
        change(&sandbox);
        let said = scan(&sandbox, &[], &[]);
        assert!(!said.is_repeated, "{what}");
        let truth = sandbox.scan(&[]).0["summary"]["states"].clone();
        assert_eq!(said.summary["states"], truth, "{what}");
    }
}

#[test]
fn fault_46_the_environment_is_an_input() {
    let sandbox = sealed();
    let elsewhere = scan(&sandbox, &[], &[("MANGROVE_MODELS_DIR", "extensions/others")]);
    assert!(!elsewhere.is_repeated);
    seal(&sandbox);
    assert!(!scan(&sandbox, &["--bundler", "deno"], &[]).is_repeated, "another bundler is another question");
    assert!(!scan(&sandbox, &["--rehash"], &[]).is_repeated, "--rehash believes nothing");
}

#[test]
fn fault_46_the_catalog_is_an_input() {
    type Change = fn(&Sandbox);
    let changes: [(&str, Change); 4] = [
        ("it is gone", |sandbox| {
            for suffix in ["", "-wal", "-shm"] {
                let _ = fs::remove_file(sandbox.tree.path(format!(".mangrove/catalog.db{suffix}")));
            }
        }),
        ("it is damaged", |sandbox| {
            patch(&sandbox.tree.path(".mangrove/catalog.db"), |bytes| bytes.fill(7));
        }),
        ("it was rebuilt", |sandbox| assert_eq!(sandbox.run(&["catalog", "rebuild"]).code, 0)),
        ("another scan wrote it", |sandbox| {
            // It sees another repository: one model less. Then the model is back, as it was.
            let (there, away) = (sandbox.tree.path(A), sandbox.tree.path("away.ts"));
            fs::rename(&there, &away).expect("moved");
            sandbox.run(&["scan"]);
            fs::rename(&away, &there).expect("moved back");
        }),
    ];
    for (what, change) in changes {
        let sandbox = sealed();
        change(&sandbox);
        let said = scan(&sandbox, &[], &[]);
        assert!(!said.is_repeated, "{what}");
        assert_eq!(said.summary["states"]["Indexed"], 3, "{what}");
        assert_eq!(sandbox.json(&["types"])["types"].as_array().map(Vec::len), Some(3), "{what}");
    }
}

type Ill = (&'static str, fn(&Sandbox));

/// What is wrong and can be, without a network.
const ILLS: [Ill; 6] = [
    ("a syntax error", |sandbox| sandbox.write("extensions/models/d.ts", &broken("@acme/d"))),
    ("a rejected export", |sandbox| {
        sandbox.write("extensions/models/r.ts", "export const model = { type: 42, version: \"2026.01.01.1\" };\n");
    }),
    ("an export that throws", |sandbox| {
        sandbox.write("extensions/models/t.ts", &format!("throw new Error(\"no\");\n{}", model("@acme/t")));
    }),
    ("a program that is missing", |sandbox| {
        let text = model("@acme/p");
        sandbox
            .write("extensions/models/p.ts", &format!("import {{ join }} from \"jsr:@std/path@1\";\njoin();\n{text}"));
    }),
    ("a type that two claim", |sandbox| sandbox.write("extensions/models/e.ts", &model("@acme/b"))),
    ("a file in a directory of another kind", |sandbox| {
        sandbox.write("extensions/models/s.ts", "export const vault = { type: \"@acme/v\" };\n");
    }),
];

/// Takes `(… so far)` out: how often something was tried.
fn without_counts(text: &str) -> String {
    let pieces = text.split(" so far)");
    pieces
        .map(|piece| {
            piece.rsplit_once('(').filter(|(_, count)| count.contains("attempt")).map_or(piece, |(before, _)| before)
        })
        .collect()
}

/// All that a scan says, without what differs from scan to scan: times, and how often something was seen.
fn words(sandbox: &Sandbox, arguments: &[&str]) -> (bool, i32, String) {
    let mut command = sandbox.command();
    command.env("MANGROVE_DENO", "/nonexistent/deno").env("MANGROVE_LOG", "mangrove=info");
    let output = command.arg("scan").args(arguments).output().expect("the program starts");
    let (text, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let is_repeated = log.contains("nothing has changed since");
    let code = output.status.code().expect("it ended by itself");
    if arguments.contains(&"--json") {
        let mut document: Value = serde_json::from_str(&text).expect("a JSON document");
        document["summary"]["durationMs"].take();
        for source in document["sources"].as_array_mut().expect("a list") {
            for key in ["attempts", "lastSeen", "nextRetry"] {
                source["failure"].as_object_mut().and_then(|failure| failure.remove(key));
            }
        }
        return (is_repeated, code, without_counts(&format!("{document:#}")));
    }
    // The last line has the duration between its first words and the counts; the log has the time in each line.
    let said = log.lines().filter(|line| !line.contains(" INFO "));
    let said = said.map(|line| match line.split_once(" in ") {
        Some((before, after)) if line.contains("Scanned") => {
            format!("{before}{}", after.split_once(": ").map_or(after, |(_, counts)| counts))
        }
        _ => line.to_owned(),
    });
    let said = format!("{text}\n{}", said.collect::<Vec<_>>().join("\n"));
    (is_repeated, code, without_counts(&said))
}

/// What rests is told as a plan tells it, and what failed is tried: exit codes and output are those of a scan that never
/// repeats anything.
#[test]
fn fault_47_what_is_wrong_is_told_and_tried_as_by_a_plan() {
    let sandbox = sealed();
    for (what, make) in ILLS {
        make(&sandbox);
        for arguments in [&["--json"][..], &[], &["--strict"], &["--strict", "--json"], &["--dry-run"]] {
            let start = Instant::now();
            let (code, said) = loop {
                let (is_repeated, code, said) = words(&sandbox, arguments);
                if is_repeated {
                    break (code, said);
                }
                words(&sandbox, &[]);
                assert!(start.elapsed() < Duration::from_mins(1), "{what}, {arguments:?}: never sealed: {said}");
            };
            fs::remove_file(sandbox.tree.path(".mangrove/seal")).expect("there was a seal");
            let (is_repeated, planned_code, planned) = words(&sandbox, arguments);
            assert!(!is_repeated, "{what}, {arguments:?}");
            assert_eq!((code, said), (planned_code, planned), "{what}, {arguments:?}");
        }
    }
    let document: Value = serde_json::from_str(&words(&sandbox, &["--json"]).2).expect("a JSON document");
    let states = &document["summary"]["states"];
    assert_eq!((&states["BundleBuildFailed"], &states["ValidationFailed"]), (&3.into(), &1.into()));
    assert_eq!(document["summary"]["built"], 2, "one has a bundle, which is looked at again");
    assert_eq!(document["problems"].as_array().map(Vec::len), Some(2));
}

/// The conclusion may be repeated, for what was read is what it was; it must be read.
#[test]
fn a_file_from_the_future_is_read_each_time() {
    let sandbox = sealed();
    let file = fs::File::options().append(true).open(sandbox.tree.path(A)).expect("opens");
    file.set_modified(SystemTime::now() + Duration::from_hours(1)).expect("set");
    for _ in 0..4 {
        let said = scan(&sandbox, &[], &[]);
        assert_eq!(said.summary["filesRead"], 1);
    }
    patch(&sandbox.tree.path(A), |bytes| {
        let at = bytes.windows(5).position(|window| window == b"Greet").expect("the text");
        bytes[at..at + 5].copy_from_slice(b"Great");
    });
    let said = scan(&sandbox, &[], &[]);
    assert!(!said.is_repeated);
    assert_eq!(said.summary["built"], 1);
}

#[test]
fn fault_05_what_a_pulled_extension_ships_is_an_input() {
    for (file, change) in [(crate::shipped::BUNDLE, "shipped"), (crate::shipped::LOCKFILE, "2026-01-01")] {
        let sandbox = crate::shipped::world();
        seal(&sandbox);
        let path = sandbox.tree.path(file);
        patch(&path, |bytes| {
            let text = String::from_utf8(std::mem::take(bytes)).expect("UTF-8");
            assert!(text.contains(change), "{file}");
            *bytes = text.replace(change, if change == "shipped" { "changed" } else { "2026-02-02" }).into_bytes();
        });
        assert!(!scan(&sandbox, &[], &[]).is_repeated, "{file}: same length, same time, other bytes");
    }
}
