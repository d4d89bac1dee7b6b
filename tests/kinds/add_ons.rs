//! Add-ons to models, and the rules of models that only a call would otherwise find broken.

use std::os::unix::fs::symlink;

use mangrove_app::{
    attachment,
    catalogue::{self, Lookup},
    scan::ScanRequest,
};
use mangrove_domain::{row::Row, source::Kind, state::State, type_name::TypeName};
use mangrove_infra::worker::Pool;

use crate::world::{Local, Process, Repository, Seen, pool};

const FILE: &str = "extensions/models/more.ts";
const ELSEWHERE: &str = "mounts/shared/extensions/models/more.ts";

/// What happens, and how.
type Step = (&'static str, fn(&Repository));

fn add_on(method: &str, execute: &str) -> String {
    format!(
        "const arguments_ = {{ _def: {{}}, parse: (value: unknown) => value, \
         safeParse: (value: unknown) => ({{ success: true, data: value }}) }};\n\
         export const extension = {{ type: \"@acme/own\", methods: [{{ {method}: \
         {{ description: \"adds\", arguments: arguments_, execute: {execute} }} }}] }};\n"
    )
}

fn good(method: &str) -> String {
    add_on(method, "async () => ({ dataHandles: [] })")
}

/// The methods of the base with the file that each comes from, and what add-ons lost.
async fn methods(process: &Process) -> String {
    let found = catalogue::find(&process.scanner, "@acme/own", Some(&Kind::new("model"))).await.expect("a catalog");
    let Lookup::Found(composed) = found else { panic!("the base works: {found:?}") };
    let attachment = composed.attachment;
    let from = |method: &str| attachment.methods.get(method).map(|added| format!(" of {}", added.add_on));
    let methods = attachment.description.methods.iter();
    let names = methods.map(|method| format!("{}{}", method.name, from(&method.name).unwrap_or_default()));
    names.collect::<Vec<_>>().join(", ")
}

fn state_of(seen: &Seen) -> String {
    let is_it = |row: &&Row| row.source.path.as_str().ends_with("more.ts");
    let row = |row: &Row| {
        let degraded = if row.degraded.is_some() { ", degraded" } else { "" };
        assert!(row.is_add_on(), "the target is remembered in every state (fault 17): {row:?}");
        assert_eq!(row.type_name().map(TypeName::as_str), Some("@acme/own"), "fault 17");
        format!("{}{degraded}", row.state.name())
    };
    seen.rows.values().find(is_it).map_or_else(|| "no row".to_owned(), row)
}

async fn look(repository: &Repository, state: &std::path::Path, pool: &Pool) -> String {
    let process = Process::start(repository, state, pool).await;
    let seen = process.scan(&ScanRequest::default()).await;
    let line = format!("{} | {}", state_of(&seen), methods(&process).await);
    process.end().await;
    line
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_17_an_add_on_keeps_its_target_through_everything_that_can_happen() {
    let (pool, repository) = (pool(), Repository::new());
    let state = tempfile::tempdir().expect("a directory");
    let mut lines = Vec::new();
    let steps: [Step; 10] = [
        ("new", |files| files.put(FILE, &good("more"))),
        ("changed", |files| files.put(FILE, &good("other"))),
        ("does not parse", |files| files.put(FILE, &format!("const list = [;\n{}", good("other")))),
        ("fixed", |files| files.put(FILE, &good("more"))),
        ("rejected", |files| files.put(FILE, &add_on("more", "42"))),
        ("rejected, then does not parse", |files| files.put(FILE, &format!("const list = [;\n{}", good("more")))),
        ("fixed", |files| files.put(FILE, &good("more"))),
        ("a name that the base has", |files| files.put(FILE, &good("run"))),
        ("moved to a mount", |files| {
            files.put(FILE, &good("more"));
            std::fs::rename(files.tree.path(FILE), files.tree.path(ELSEWHERE)).expect("it moves");
        }),
        ("deleted", |files| files.tree.remove(ELSEWHERE).expect("it is there")),
    ];
    for (name, step) in steps {
        step(&repository);
        let elsewhere = tempfile::tempdir().expect("a directory");
        let warm = look(&repository, state.path(), &pool).await;
        let cold = look(&repository, elsewhere.path(), &pool).await;
        lines.push(if warm == cold { format!("{name}: {warm}") } else { format!("{name}: {warm} | cold: {cold}") });
    }
    insta::assert_snapshot!(lines.join("\n"), @r"
    new: Indexed | run, more of extensions/models/more.ts
    changed: Indexed | run, other of extensions/models/more.ts
    does not parse: Indexed, degraded | run, other of extensions/models/more.ts | cold: BundleBuildFailed | run
    fixed: Indexed | run, more of extensions/models/more.ts
    rejected: ValidationFailed | run
    rejected, then does not parse: BundleBuildFailed | run
    fixed: Indexed | run, more of extensions/models/more.ts
    a name that the base has: Indexed | run
    moved to a mount: Indexed | run, more of mount:mounts/shared/extensions/models/more.ts
    deleted: no row | run
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_21_an_add_on_attaches_once_however_often_its_directory_is_mounted() {
    let (pool, repository) = (pool(), Repository::new());
    repository.put(FILE, &good("more"));
    let state = tempfile::tempdir().expect("a directory");
    let before = look(&repository, state.path(), &pool).await;
    symlink("extensions", repository.tree.path("link")).expect("a link");
    for paths in [&["."][..], &["extensions"], &["link", "./extensions/", "mounts/shared/../..", "extensions/models"]] {
        repository.mount(&[&["mounts/shared"], paths].concat());
        let elsewhere = tempfile::tempdir().expect("a directory");
        for directory in [state.path(), elsewhere.path()] {
            let process = Process::start(&repository, directory, &pool).await;
            let seen = process.scan(&ScanRequest::default()).await;
            assert_eq!(seen.rows.len(), 16, "{paths:?}: {:?}", seen.rows.keys().collect::<Vec<_>>());
            assert!(seen.rows.contains_key(&Local.source("model", "more.ts")), "{paths:?}: the repository comes first");
            assert_eq!(format!("{} | {}", state_of(&seen), methods(&process).await), before, "{paths:?}");
            let ports = process.scanner.ports();
            let problems = attachment::problems(ports.catalog.as_ref(), &process.scanner.index()).await;
            assert_eq!(problems.expect("a catalog"), [], "{paths:?}: it does not collide with itself");
            process.end().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_27_a_chain_of_upgrades_that_could_not_be_followed_is_never_accepted() {
    let step = |version: &str| format!("{{ toVersion: {version}, description: \"x\", upgradeAttributes: (a) => a }}");
    let chains = [
        ("one", format!("[{}]", step("\"2026.05.23.10\""))),
        (
            "two, ascending by number, not by text",
            format!("[{}, {}]", step("\"2026.05.23.9\""), step("\"2026.05.23.10\"")),
        ),
        ("descending", format!("[{}, {}]", step("\"2026.05.23.10\""), step("\"2026.05.23.9\""))),
        ("twice the same", format!("[{}, {}]", step("\"2026.05.23.10\""), step("\"2026.05.23.10\""))),
        ("ends before the version", format!("[{}]", step("\"2026.05.22.1\""))),
        ("ends after the version", format!("[{}]", step("\"2026.05.24.1\""))),
        ("no such day", format!("[{}, {}]", step("\"2026.02.30.1\""), step("\"2026.05.23.10\""))),
        ("a number for a version", format!("[{}]", step("20260523"))),
        ("nothing that upgrades", "[{ toVersion: \"2026.05.23.10\", description: \"x\" }]".to_owned()),
        ("no list", "{}".to_owned()),
        ("empty", "[]".to_owned()),
    ];
    let (pool, repository) = (pool(), Repository::new());
    for (index, (_, chain)) in chains.iter().enumerate() {
        let text = format!(
            "export const model = {{ type: \"@acme/chain{index}\", version: \"2026.05.23.10\", methods: {{}}, \
             upgrades: {chain} }};\n"
        );
        repository.put(&format!("extensions/models/chain{index:02}.ts"), &text);
    }
    let state = tempfile::tempdir().expect("a directory");
    let process = Process::start(&repository, state.path(), &pool).await;
    let seen = process.scan(&ScanRequest::default()).await;
    process.end().await;
    let line = |(index, (name, _)): (usize, &(&str, String))| {
        let row = &seen.rows[&Local.source("model", &format!("chain{index:02}.ts"))];
        match &row.state {
            State::ValidationFailed { violations, .. } => {
                format!("{name}: {}", violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
            }
            other => format!("{name}: {}", other.name()),
        }
    };
    let lines: Vec<String> = chains.iter().enumerate().map(line).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    one: Indexed
    two, ascending by number, not by text: Indexed
    descending: upgrades[1].toVersion: expected a version after the one before it, found "2026.05.23.9" (export in line 1); upgrades[1].toVersion: expected the last upgrade to lead to 2026.05.23.10, found "2026.05.23.9" (export in line 1)
    twice the same: upgrades[1].toVersion: expected a version after the one before it, found "2026.05.23.10" (export in line 1)
    ends before the version: upgrades[0].toVersion: expected the last upgrade to lead to 2026.05.23.10, found "2026.05.22.1" (export in line 1)
    ends after the version: upgrades[0].toVersion: expected the last upgrade to lead to 2026.05.23.10, found "2026.05.24.1" (export in line 1)
    no such day: upgrades[0].toVersion: expected a version `YYYY.MM.DD.N` with a real date, found "2026.02.30.1" (export in line 1)
    a number for a version: upgrades[0].toVersion: expected a string, found number (export in line 1)
    nothing that upgrades: upgrades[0].upgradeAttributes: expected a function, found nothing (export in line 1)
    no list: upgrades: expected a list, found object (export in line 1)
    empty: Indexed
    "#);
}
