//! Full disks, logs without end, and commands beside each other: what is told is what is the matter.

use std::{
    fs,
    path::Path,
    process::{Child, Command},
};

use mangrove_infra::catalog::LAYOUT_VERSION;

use crate::{
    fixtures::{model, model_with},
    sandbox::{Output, Sandbox},
};

const DEFINITION: &str = "models/@acme/a/11111111-1111-4111-8111-111111111111.yaml";

/// A repository with a model, and a definition of it that is called `a`.
pub(crate) fn runnable(source: &str) -> Sandbox {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", source);
    sandbox.write(DEFINITION, "id: 11111111-1111-4111-8111-111111111111\nname: a\nversion: 1\n");
    sandbox
}

fn method(body: &str) -> String {
    let schema = "const schema = () => ({ _def: {}, parse: (value) => value, safeParse: (value) => ({ success: true, data: value }) });";
    format!(
        "{schema}\nexport const model = {{ type: \"@acme/a\", version: \"2026.05.23.1\", methods: {{ go: {{ description: \"\", \
         arguments: schema(), execute: async (args, context) => {{ {body} }} }} }} }};\n"
    )
}

fn run(sandbox: &Sandbox) -> Output {
    sandbox.run(&["model", "run", "a", "go", "--json"])
}

/// The record of the only run.
fn recorded(sandbox: &Sandbox) -> serde_json::Value {
    let listed = sandbox.json(&["run", "list"]);
    let id = listed["runs"][0]["runId"].as_str().expect("a run").to_owned();
    sandbox.json(&["run", "show", &id])
}

#[test]
fn f04_a_method_that_logs_without_end_leaves_a_history_that_can_be_read() {
    for (body, bytes_of_a_line) in [
        ("for (let i = 0; i < 1000; i++) context.logger.info('x'.repeat(20000));", 16_384),
        ("for (let i = 0; i < 300; i++) console.log('\\u0001'.repeat(20000));", 98_304),
        (
            "for (let i = 0; i < 400; i++) context.logger.warn('\u{1F600}'.repeat(20000)); throw new Error('at last');",
            65_536,
        ),
    ] {
        let sandbox = runnable(&method(body));
        let output = run(&sandbox);
        let record = recorded(&sandbox);
        let logs = record["jobs"][0]["steps"][0]["logs"].as_array().expect("a log").clone();
        let kept = (8 << 20) / bytes_of_a_line;
        assert!(logs.len() > kept - 60 && logs.len() <= kept + 1, "{} lines of {bytes_of_a_line} bytes", logs.len());
        let last = logs.last().and_then(|line| line["text"].as_str()).expect("a line");
        assert_eq!(last, "the step logs more than 8 MiB; this line and further ones are dropped");
        assert_eq!(output.code, i32::from(body.contains("throw")), "{}", output.stderr);
        let size: u64 = ["runs.db", "runs.db-wal"]
            .iter()
            .filter_map(|name| fs::metadata(sandbox.tree.path(format!(".mangrove/{name}"))).ok())
            .map(|metadata| metadata.len())
            .sum();
        // What is recorded, and the log with the last two times that it was.
        assert!(size < 28 << 20, "{size} bytes of history");
    }
}

/// Runs the method, in Deno where there is one and the body needs it. Gives its only step as recorded, and how many bytes
/// of history there are.
fn run_and_read(body: &str, deno: Option<&Path>) -> (serde_json::Value, u64) {
    let sandbox = crate::running::sandbox(body);
    let mut command = sandbox.command();
    if let Some(deno) = deno {
        command.env("MANGROVE_DENO", deno);
    }
    command.args(["model", "run", "it", "go"]).output().expect("it starts");
    let files = ["runs.db", "runs.db-wal"].map(|name| fs::metadata(sandbox.tree.path(format!(".mangrove/{name}"))));
    let size = files.into_iter().flatten().map(|metadata| metadata.len()).sum();
    (recorded(&sandbox)["jobs"][0]["steps"][0].clone(), size)
}

#[test]
fn names_of_data_are_bounded_in_both_engines() {
    let real = crate::deno::real();
    let engines = std::iter::once(("", None)).chain(real.as_deref().map(|deno| ("Deno.pid;", Some(deno))));
    for (head, deno) in engines {
        let long = "const names = [...'0123456789'].map((digit) => digit.repeat(10_000_000));";
        let write = "await context.writeResource('r', name, { a: 1 });";
        let (step, size) = run_and_read(&format!("{head} {long} for (const name of names) {write}"), deno);
        assert_eq!(step["error"]["code"], "MG0703", "{step:#}");
        let said = "`it.go` failed: Error: ctx.writeResource: the name has 10000000 bytes, and 512 are allowed";
        assert_eq!(step["error"]["message"], said);
        assert_eq!(step["dataHandles"], serde_json::json!([]));
        assert!(size < 1 << 20, "{size} bytes of history");

        let caught = format!("{head} {long} for (const name of names) try {{ {write} }} catch {{}}");
        assert_eq!(run_and_read(&caught, deno).0["status"], "succeeded");
        // What went well since then says that the refusal is not why it failed.
        let other = format!("{caught} const name = 'short'; {write} throw new Error('other');");
        assert_eq!(run_and_read(&other, deno).0["error"]["code"], "MG0701");
    }
}

#[test]
fn f15_half_an_emoji_costs_no_line_no_data_and_no_step() {
    let body = "const half = '\u{1F600}'.slice(0, 1); context.logger.info(`cut ${half}`); console.log(half, { half }); \
                context.logger.info('{it}', { it: half }); return { text: half, [half]: [half] };";
    let sandbox = runnable(&method(body));
    let output = run(&sandbox);
    assert_eq!(output.code, 0, "{output}");
    let texts: Vec<String> = output
        .lines()
        .iter()
        .filter(|line| line["reason"] == "log")
        .map(|line| line["text"].as_str().expect("a text").to_owned())
        .collect();
    assert_eq!(texts, ["cut \u{fffd}", "\u{fffd} { half: \"\u{fffd}\" }", "\u{fffd}"]);
}

#[test]
fn f09_no_form_of_a_secret_is_printed_or_kept() {
    let key = r"-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n-----END KEY-----";
    let body = "const secret = process.env.KEY; const key = secret.replaceAll('\\\\n', '\\n'); const text = new TextEncoder(); \
        const forms = [key, JSON.stringify(JSON.stringify(key)), encodeURIComponent(key), encodeURIComponent(secret), \
            ...['', 'a', 'ab'].map((before) => text.encode(before + key).toBase64()), text.encode(secret).toBase64({ alphabet: 'base64url' }), \
            text.encode(key).toHex(), text.encode(key).toHex().toUpperCase(), new URLSearchParams({ key }).toString()]; \
        for (const form of forms) { context.logger.info(form); for (const line of form.split('\\n')) console.log(line); } \
        throw new Error(forms.join(' and '));";
    let sandbox = runnable(&method(body));
    sandbox.write("mangrove.yaml", "repoId: a\npermissions: { \"@acme/a\": { env: [KEY] } }\n");
    let output = sandbox
        .command()
        .env("KEY", key)
        .args(["model", "run", "a", "go", "--json", "-vv"])
        .output()
        .expect("it starts");
    let mut told = [output.stdout, output.stderr].concat();
    assert!(String::from_utf8_lossy(&told).contains("***"), "{}", String::from_utf8_lossy(&told));
    for (_, bytes) in sandbox.state() {
        told.extend(bytes);
    }
    let told = String::from_utf8_lossy(&told).into_owned();
    // Parts of its middle in each form: as they are, base64 in three alignments, hexadecimal.
    for part in [
        "BADANBgkqhkiG9w0B",
        "BKcwggSjAgEA",
        "QkFEQU5CZ2txaGtpRzl3",
        "JBREFOQmdrcWhraUc5d",
        "CQURBTkJna3Foa2lHO",
        "4241444e42676b7168",
        "4241444E42676B7168",
    ] {
        assert!(!told.contains(part), "{part} is told");
    }
}

/// A file system of its own, where the tests may mount one.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path, kibibytes: u32) -> Option<Self> {
        fs::create_dir_all(at).expect("a directory");
        let options = format!("size={kibibytes}k");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(at))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn f06_a_full_disk_is_told_as_one_and_nothing_destructive_is_advised() {
    for kibibytes in [64, 256, 1024] {
        let sandbox = runnable(&model("@acme/a"));
        for number in 0..12 {
            sandbox.write(&format!("extensions/models/m{number}.ts"), &model(&format!("@acme/m{number}")));
        }
        let state = sandbox.tree.path(".mangrove");
        let Some(_disk) = SmallDisk::mount(&state, kibibytes) else {
            eprintln!("SKIPPED: this test mounts a small file system, which takes the superuser");
            return;
        };
        // The rest of the disk is somebody else's.
        let room = vec![0_u8; usize::try_from(kibibytes).expect("small") << 10];
        for round in 0..2 {
            let _ = fs::write(state.join("somebody"), &room);
            sandbox.write("extensions/models/m0.ts", &model_with(&format!("// {round}"), "@acme/m0", ""));
            for arguments in [["scan", "--json"].as_slice(), &["model", "run", "a", "greet", "--json"]] {
                let output = sandbox.run(arguments);
                let told = format!("{kibibytes} KiB, round {round}, {arguments:?}: {output}");
                assert!(!told.contains("rebuild") && !told.contains("transaction depth"), "{told}");
                // What is there already may have room enough for a little more.
                if output.code != 0 || round == 0 {
                    assert!((1..=3).contains(&output.code), "{told}");
                    let words = ["MG0402", "No space left", "disk is full"];
                    assert!(words.iter().any(|word| told.contains(word)), "{told}");
                }
            }
            fs::remove_file(state.join("somebody")).expect("it is there");
            let _ = sandbox.run(&["scan"]);
        }
    }
}

#[test]
fn f05_a_catalog_that_a_run_cannot_use_is_called_by_its_name() {
    type Damage = fn(&Sandbox);
    let newer: Damage = |sandbox| {
        let catalog = sandbox.tree.path(".mangrove/catalog.db");
        assert_eq!(sandbox.run(&["catalog", "backup", "folded.db"]).code, 0);
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(sandbox.tree.path(format!(".mangrove/catalog.db{suffix}")));
        }
        let mut bytes = fs::read(sandbox.tree.path("folded.db")).expect("a copy");
        let (from, to) = (format!("layout{LAYOUT_VERSION}"), b"layout9");
        let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).expect("its layout");
        bytes[at..at + to.len()].copy_from_slice(to);
        fs::write(catalog, bytes).expect("written");
    };
    let directory: Damage = |sandbox| {
        for suffix in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(sandbox.tree.path(format!(".mangrove/catalog.db{suffix}")));
        }
        fs::create_dir(sandbox.tree.path(".mangrove/catalog.db")).expect("a directory");
    };
    for (damage, code, exit) in [(newer, "MG0503", 2), (directory, "MG0401", 3)] {
        let sandbox = runnable(&model("@acme/a"));
        sandbox.scan(&[]);
        damage(&sandbox);
        for arguments in [["scan", "--json"].as_slice(), &["model", "run", "a", "greet", "--json"]] {
            let output = sandbox.run(arguments);
            assert_eq!(output.code, exit, "{arguments:?}: {output}");
            assert!(output.stdout.contains(code), "{arguments:?}: {output}");
            assert!(!output.stdout.contains("MG0101"), "{arguments:?}: {output}");
        }
    }
}

/// Waits for a command that must succeed.
fn succeeds(what: &str, child: Child) {
    let output = child.wait_with_output().expect("it ends");
    let told = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what} ends with {:?}: {told}", output.status.code());
}

#[test]
fn f13_a_rebuild_disturbs_nobody() {
    let sandbox = runnable(&model("@acme/a"));
    for number in 0..20 {
        sandbox.write(&format!("extensions/models/m{number}.ts"), &model(&format!("@acme/m{number}")));
    }
    let before = sandbox.scan(&[]).states();
    for round in 0..3 {
        let backup = format!("backup{round}.db");
        let commands: Vec<Vec<&str>> = vec![
            vec!["scan"],
            vec!["catalog", "rebuild"],
            vec!["model", "run", "a", "greet"],
            vec!["scan", "--rehash"],
            vec!["catalog", "backup", &backup],
            vec!["catalog", "rebuild"],
            vec!["model", "run", "a", "greet"],
            vec!["types"],
        ];
        let started: Vec<(String, Child)> =
            commands.iter().map(|arguments| (arguments.join(" "), sandbox.start(arguments))).collect();
        for (what, child) in started {
            succeeds(&what, child);
        }
        assert_eq!(sandbox.scan(&[]).states(), before, "round {round}");
    }
    assert_eq!(sandbox.run(&["doctor"]).code, 0);
}

/// The types that are listed now.
fn listed(sandbox: &Sandbox) -> usize {
    sandbox.json(&["types"])["types"].as_array().expect("a list").len()
}

#[test]
fn a_rebuild_is_not_seen_before_it_is_complete() {
    let sandbox = runnable(&model("@acme/a"));
    for number in 0..20 {
        sandbox.write(&format!("extensions/models/m{number}.ts"), &model(&format!("@acme/m{number}")));
    }
    sandbox.scan(&[]);
    let mut rebuilding = sandbox.start(&["catalog", "rebuild"]);
    while rebuilding.try_wait().expect("its state").is_none() {
        assert_eq!(listed(&sandbox), 21);
        assert_eq!(sandbox.run(&["describe", "@acme/m7"]).code, 0);
    }
    succeeds("catalog rebuild", rebuilding);
    assert_eq!(listed(&sandbox), 21);

    let mut killed = sandbox.start(&["catalog", "rebuild"]);
    let staged = || {
        let entries = fs::read_dir(sandbox.tree.path(".mangrove")).expect("the state directory").flatten();
        entries.filter(|entry| entry.file_name().to_string_lossy().contains("staged")).count()
    };
    while staged() == 0 && killed.try_wait().expect("its state").is_none() {}
    killed.kill().expect("killed");
    killed.wait().expect("it ends");
    assert_eq!(listed(&sandbox), 21, "a rebuild that was killed changes nothing");
    succeeds("catalog rebuild", sandbox.start(&["catalog", "rebuild"]));
    assert_eq!(staged(), 0, "what it left is gone");
    assert_eq!(sandbox.run(&["doctor"]).code, 0);
}

#[test]
fn f17_a_directory_in_place_of_a_bundle_heals_by_whatever_comes_first() {
    for heals in [["scan"].as_slice(), &["model", "run", "a", "greet"], &["doctor", "--repair", "--apply"]] {
        let sandbox = runnable(&model_with("", "@acme/a", ""));
        sandbox.scan(&[]);
        let bundle = sandbox.bundles().remove(0);
        fs::remove_file(&bundle).expect("a bundle");
        fs::create_dir(&bundle).expect("a directory in its place");
        fs::write(bundle.join("inside"), "x").expect("a file in it");
        let output = sandbox.run(heals);
        assert_eq!(output.code, 0, "{heals:?}: {output}");
        assert!(bundle.is_file(), "{heals:?} puts it back");
        assert_eq!(sandbox.run(&["model", "run", "a", "greet"]).code, 0);
    }
}
