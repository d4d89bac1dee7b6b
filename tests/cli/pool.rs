//! What one process of Deno is used for: sessions that follow each other, and what keeps one from the next.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use mangrove_domain::{
    bundle::LoadedBundle,
    json::Json,
    permission::{Grant, Grants, Permission},
    ports::{HostCall, MethodHost, MethodRunner as _, OpenRequest, RunError},
    source::RootId,
};
use mangrove_infra::{
    runner::deno::{DenoRunner, Options, PoolLimits},
    runtime::ProgramLocations,
};
use mangrove_testkit::{
    fixture::Tree,
    requests::{open_model, unchecked_call},
};

use crate::running::{block_on, options};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

/// A host that answers everything with nothing.
struct Host {
    told_secrets: bool,
    /// Whether the call is told to end as soon as it asks for something.
    ends: bool,
    asked: tokio::sync::Notify,
}

#[async_trait]
impl MethodHost for Host {
    async fn call(&self, call: HostCall) -> Result<Json, String> {
        self.asked.notify_one();
        if call.function == "filePath" {
            return Ok(Json::object([("version", Json::from(1)), ("path", Json::from("/nowhere/1"))]));
        }
        Ok(Json::Null)
    }

    async fn cancelled(&self) {
        self.asked.notified().await;
        if !self.ends {
            std::future::pending::<()>().await;
        }
    }

    fn told_secrets(&self, _granted: &BTreeMap<String, String>) -> bool {
        self.told_secrets
    }
}

fn host(told_secrets: bool, ends: bool) -> Arc<Host> {
    Arc::new(Host { told_secrets, ends, asked: tokio::sync::Notify::new() })
}

/// A repository with a runner.
struct World {
    tree: Tree,
    deno: PathBuf,
}

impl World {
    /// `None` where there is no Deno.
    fn new() -> Option<Self> {
        let deno = crate::deno::real()?;
        Some(Self { tree: Tree::new("").expect("a directory"), deno })
    }

    fn options(&self) -> Options {
        options(&self.deno, &self.tree.root())
    }

    fn runner(&self, limits: PoolLimits) -> DenoRunner {
        DenoRunner::new(Options { pool: limits, ..self.options() })
    }
}

/// Code whose method `run` does this and gives the number of its process, with whatever may be granted.
fn request(body: &str, grants: &[(Permission, Grant)]) -> OpenRequest {
    let code = format!(
        "let count = 0;
         export const model = {{ async run(_args, context) {{ count += 1; {body}; return Deno.pid; }} }};"
    );
    let mut request = open_model(LoadedBundle { code: code.into(), vendor_files: Vec::new() });
    request.grantee.grants = grants.iter().cloned().collect::<Grants>();
    request
}

/// Opens a session, calls it once, ends it, and waits until its process has come to rest or has ended.
async fn run(runner: &DenoRunner, request: &OpenRequest, host: Arc<Host>) -> Result<Json, RunError> {
    let outcome = async {
        let mut session = runner.open(request.clone()).await?;
        let call = unchecked_call(vec!["run".to_owned()], Json::Null, Json::Object(Vec::new()));
        session.call(call, host).await
    };
    let outcome = outcome.await;
    let started = Instant::now();
    while let (all, idle) = runner.processes()
        && all != idle
    {
        assert!(started.elapsed() < LONG, "{all} processes, {idle} of them idle");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    outcome
}

/// The same for a call that gives the number of its process.
async fn number(runner: &DenoRunner, request: &OpenRequest) -> i64 {
    let outcome = run(runner, request, host(false, false)).await.expect("the call succeeds");
    outcome.as_integer().expect("a number")
}

/// Waits until a process has ended.
fn wait_for_the_end(process: i64) {
    let stat = Path::new("/proc").join(process.to_string()).join("stat");
    let is_gone = || fs::read_to_string(&stat).map_or(true, |state| state.contains(") Z "));
    let started = Instant::now();
    while !is_gone() {
        assert!(started.elapsed() < LONG, "the process {process} is still running");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn everything(permission: Permission) -> (Permission, Grant) {
    (permission, Grant::All)
}

fn only(permission: Permission, names: &[&str]) -> (Permission, Grant) {
    (permission, Grant::Only(names.iter().map(|name| (*name).to_owned()).collect()))
}

#[test]
fn a_session_has_the_process_of_the_one_before_and_what_its_module_remembers() {
    let Some(world) = World::new() else { return };
    let runner = world.runner(PoolLimits::default());
    let request = request("setTimeout(() => {}, 5); return [Deno.pid, count]", &[]);
    block_on(async {
        let mut found = Vec::new();
        for _ in 0..3 {
            found.push(run(&runner, &request, host(false, false)).await.expect("a value").to_string());
        }
        let process = found[0].trim_start_matches('[').split(',').next().expect("a number").to_owned();
        assert_eq!(found, [1, 2, 3].map(|count| format!("[{process},{count}]")));
        let again = run(&runner, &OpenRequest { subject: "b.ts".to_owned(), ..request }, host(false, false)).await;
        assert_eq!(
            again.expect("a value").to_string(),
            format!("[{process},4]"),
            "what a source is called decides nothing"
        );
        assert_eq!(runner.processes(), (1, 1));
    });
}

#[test]
fn sessions_at_one_time_have_processes_of_their_own() {
    let Some(world) = World::new() else { return };
    let runner = world.runner(PoolLimits::default());
    let request = request("", &[]);
    block_on(async {
        let sessions = [runner.open(request.clone()).await, runner.open(request.clone()).await];
        let mut sessions = sessions.map(|session| session.expect("it opens"));
        let mut numbers = Vec::new();
        for session in &mut sessions {
            let call = unchecked_call(vec!["run".to_owned()], Json::Null, Json::Object(Vec::new()));
            numbers.push(session.call(call, host(false, false)).await.expect("a number"));
        }
        assert_ne!(numbers[0], numbers[1]);
    });
}

#[test]
fn what_decides_what_code_may_do_and_see_decides_who_shares_a_process() {
    let Some(world) = World::new() else { return };
    let limits = PoolLimits { idle: 20, ..PoolLimits::default() };
    let runner = DenoRunner::new(Options { size: 20, pool: limits, ..world.options() });
    let base = request("", &[only(Permission::Env, &["A"])]);
    let with = |change: &dyn Fn(&mut OpenRequest)| {
        let mut request = base.clone();
        change(&mut request);
        request
    };
    let variable = |value: &str| BTreeMap::from([("A".to_owned(), value.to_owned())]);
    let others = [
        ("no grants", with(&|it| it.grantee.grants = Grants::new())),
        ("another grant", with(&|it| drop(it.grantee.grants.insert(Permission::Sys, Grant::All)))),
        ("a variable", with(&|it| it.grantee.variables = variable("1"))),
        ("another value", with(&|it| it.grantee.variables = variable("2"))),
        ("another root", with(&|it| it.grantee.root = RootId::pulled("@acme/a"))),
        ("another name", with(&|it| "@acme/b".clone_into(&mut it.grantee.name))),
        ("other code", with(&|it| it.bundle.code = format!("{} ", it.bundle.code).into())),
    ];
    block_on(async {
        let mut seen = vec![("the first", number(&runner, &base).await)];
        for (what, request) in &others {
            let found = number(&runner, request).await;
            assert!(seen.iter().all(|(_, process)| *process != found), "{what}: {found} of {seen:?}");
            seen.push((what, found));
        }
        for ((what, request), (_, process)) in others.iter().zip(&seen[1..]) {
            assert_eq!(number(&runner, request).await, *process, "{what}");
        }
    });
}

#[test]
fn a_process_that_was_told_secrets_serves_one_run() {
    let Some(world) = World::new() else { return };
    let runner = world.runner(PoolLimits::default());
    let first = request("", &[]);
    let second = OpenRequest { run: "run-2".to_owned(), ..first.clone() };
    block_on(async {
        let shared = number(&runner, &first).await;
        assert_eq!(number(&runner, &second).await, shared, "nothing secret was told");
        let told = async |request| {
            let outcome = run(&runner, request, host(true, false)).await.expect("the call succeeds");
            outcome.as_integer().expect("a number")
        };
        assert_eq!(told(&second).await, shared);
        assert_eq!(told(&second).await, shared, "it may go on in that run");
        let other = number(&runner, &first).await;
        assert_ne!(other, shared, "what only one run masks");
        assert_eq!(number(&runner, &second).await, shared);
    });
}

#[test]
fn after_a_call_that_did_not_go_well_the_next_one_begins_anew() {
    let Some(world) = World::new() else { return };
    let runner = DenoRunner::new(Options { call_limit: Duration::from_secs(1), ..world.options() });
    for (what, body, ends) in [
        ("it threw", "throw new Error('as asked')", false),
        ("it has no end", "for (;;);", false),
        ("it waits for nothing", "await new Promise(() => {})", false),
        ("it ended its process", "Deno.exit(0)", false),
        (
            "it was told to end",
            "await context.readResource('a'); await new Promise((end) => { context.signal.onabort = end; setTimeout(end, 5000); })",
            true,
        ),
    ] {
        let body = format!(
            "globalThis.before = (globalThis.before ?? 0) + 1; if (globalThis.before > 1) return 'again'; {body}"
        );
        let request = request(&body, &[]);
        block_on(async {
            let _ = run(&runner, &request, host(false, ends)).await;
            assert_eq!(runner.processes(), (0, 0), "{what}");
            let second = run(&runner, &request, host(false, ends)).await;
            assert_ne!(second, Ok(Json::from("again")), "{what}");
        });
    }
}

#[test]
fn a_process_in_which_a_call_left_something_is_not_used_again() {
    let Some(world) = World::new() else { return };
    world.tree.write("below/file.txt", "text").expect("a file");
    let runner = world.runner(PoolLimits::default());
    let repository = world.tree.root();
    let file = repository.join("below/file.txt").display().to_string();
    let grants = [
        everything(Permission::Net),
        only(Permission::Env, &["A"]),
        everything(Permission::Sys),
        only(Permission::Read, &["."]),
        only(Permission::Run, &["sleep"]),
    ];
    let cases: &[(&str, String)] = &[
        ("a timer", "setInterval(() => {}, 1000)".to_owned()),
        ("a worker", "new Worker('data:text/javascript,setInterval(()=>{},99)', { type: 'module' })".to_owned()),
        ("a server", "globalThis.kept = Deno.listen({ port: 0 })".to_owned()),
        (
            "a server of node",
            "const { createServer } = await import('node:net'); globalThis.kept = createServer();
             await new Promise((done) => kept.listen(0, done)); kept.unref()"
                .to_owned(),
        ),
        ("who listens for signals", "Deno.addSignalListener('SIGUSR2', () => {})".to_owned()),
        ("a changed variable", "Deno.env.set('A', 'changed')".to_owned()),
        ("another directory", format!("Deno.chdir('{}/below')", repository.display())),
        ("another mask", "Deno.umask(0o077)".to_owned()),
        ("an open file", format!("globalThis.kept = Deno.openSync('{file}')")),
        (
            "an open file of node",
            format!("const fs = await import('node:fs'); globalThis.kept = fs.openSync('{file}')"),
        ),
        (
            "a program",
            "new Deno.Command('sleep', { args: ['60'], stdin: 'null', stdout: 'null', stderr: 'null' }).spawn().unref()"
                .to_owned(),
        ),
        (
            "a program of a program",
            "await new Deno.Command('sh', { args: ['-c', 'sleep 60 > /dev/null 2>&1 &'], stdin: 'null' }).output()"
                .to_owned(),
        ),
    ];
    for (what, body) in cases {
        let mut grants = grants.clone();
        if what.ends_with("of a program") {
            grants[4] = only(Permission::Run, &["sh"]);
        }
        let request = request(body, &grants);
        block_on(async {
            let first = number(&runner, &request).await;
            assert_eq!(runner.processes(), (0, 0), "{what} is left, and its process waits for more");
            wait_for_the_end(first);
        });
    }
    block_on(async {
        let nothing = request("await fetch('data:,x'); await new Promise((done) => setTimeout(done, 1))", &grants);
        let first = number(&runner, &nothing).await;
        assert_eq!(number(&runner, &nothing).await, first, "with the same grants");
    });
}

#[test]
fn a_process_that_somebody_kills_while_it_waits_is_replaced() {
    let Some(world) = World::new() else { return };
    let runner = world.runner(PoolLimits::default());
    let request = request("", &[]);
    block_on(async {
        let mut last = number(&runner, &request).await;
        for is_stopped in [false, true] {
            let process = rustix::process::Pid::from_raw(i32::try_from(last).expect("a number")).expect("a number");
            let signal = if is_stopped { rustix::process::Signal::STOP } else { rustix::process::Signal::KILL };
            rustix::process::kill_process(process, signal).expect("it is there");
            let next = number(&runner, &request).await;
            assert_ne!(next, last);
            wait_for_the_end(last);
            last = next;
        }
        assert_eq!(number(&runner, &request).await, last);
    });
}

#[test]
fn processes_wait_in_bounds_of_time_number_and_memory() {
    let Some(world) = World::new() else { return };
    let request = |number: u32| request(&format!("const own = {number}"), &[]);
    block_on(async {
        let runner = world.runner(PoolLimits { idle_timeout: Duration::from_millis(300), ..PoolLimits::default() });
        let first = number(&runner, &request(1)).await;
        tokio::task::spawn_blocking(move || wait_for_the_end(first)).await.expect("it ends by itself");
        assert_eq!(runner.processes(), (0, 0));

        let runner = world.runner(PoolLimits { calls: 2, ..PoolLimits::default() });
        let processes = [number(&runner, &request(1)).await, number(&runner, &request(1)).await];
        assert_eq!(processes[0], processes[1]);
        assert_ne!(number(&runner, &request(1)).await, processes[0], "two calls are enough");

        let runner = world.runner(PoolLimits { memory_bytes: 1 << 20, ..PoolLimits::default() });
        assert_ne!(number(&runner, &request(1)).await, number(&runner, &request(1)).await);

        let runner = world.runner(PoolLimits { idle: 1, ..PoolLimits::default() });
        let first = number(&runner, &request(1)).await;
        let second = number(&runner, &request(2)).await;
        wait_for_the_end(first);
        assert_eq!((number(&runner, &request(2)).await, runner.processes()), (second, (1, 1)));

        // Two sessions may be open: a third process is one too many.
        let runner = world.runner(PoolLimits::default());
        let first = number(&runner, &request(1)).await;
        let second = number(&runner, &request(2)).await;
        let third = number(&runner, &request(3)).await;
        wait_for_the_end(first);
        assert_eq!(number(&runner, &request(2)).await, second);
        assert_eq!((number(&runner, &request(3)).await, runner.processes()), (third, (2, 2)));

        let runner = world.runner(PoolLimits { idle_per_start: 1, ..PoolLimits::default() });
        let both = [runner.open(request(1)).await, runner.open(request(1)).await].map(|it| it.expect("it opens"));
        drop(both);
        number(&runner, &request(1)).await;
        assert_eq!(runner.processes(), (1, 1));
    });
}

#[test]
fn nothing_is_left_of_a_runner_that_is_dropped() {
    let Some(world) = World::new() else { return };
    block_on(async {
        let runner = world.runner(PoolLimits::default());
        let waiting = number(&runner, &request("", &[])).await;
        let session = runner.open(request("const other = 1", &[])).await.expect("it opens");
        drop(runner);
        wait_for_the_end(waiting);
        drop(session);
    });
    let here = std::process::id().to_string();
    let is_ours = |stat: String| {
        let (_, rest) = stat.rsplit_once(')')?;
        let mut words = rest.split_whitespace();
        (words.next() != Some("Z") && words.next() == Some(here.as_str())).then_some(stat)
    };
    let repository = world.tree.root().canonicalize().expect("a directory");
    let left = || {
        let processes = fs::read_dir("/proc").expect("processes").flatten();
        let mut here =
            processes.filter(|entry| fs::read_link(entry.path().join("cwd")).is_ok_and(|at| at == repository));
        here.find_map(|entry| fs::read_to_string(entry.path().join("stat")).ok().and_then(is_ours))
    };
    // One that was killed takes a moment to end.
    let start = Instant::now();
    while let Some(stat) = left() {
        assert!(start.elapsed() < Duration::from_secs(10), "{stat}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_is_protected_is_looked_for_before_each_session() {
    let Some(world) = World::new() else { return };
    world.tree.write("data/plain.txt", "text").expect("a file");
    let repository = world.tree.root();
    let body = format!(
        "let seen = 'nothing'; try {{ seen = Deno.readTextFileSync('{}/data/late.env'); }} catch (error) {{ seen = error.name; }}
         return [Deno.pid, seen]",
        repository.display()
    );
    let runner = world.runner(PoolLimits::default());
    let request = request(&body, &[only(Permission::Read, &["data"])]);
    block_on(async {
        let first = run(&runner, &request, host(false, false)).await.expect("a value");
        let second = run(&runner, &request, host(false, false)).await.expect("a value");
        assert_eq!((&first, first.to_string().contains("NotFound")), (&second, true));
        world.tree.write("data/late.env", "secret").expect("a file");
        let third = run(&runner, &request, host(false, false)).await.expect("a value");
        assert!(third.to_string().contains("NotCapable"), "{third}");
        fs::remove_file(world.tree.path("data/late.env")).expect("it is there");
        let fourth = run(&runner, &request, host(false, false)).await.expect("a value");
        assert_eq!(fourth, first, "the first process still waits, and its grants are right again");
    });
}

#[test]
fn files_to_fill_are_those_of_one_session() {
    let Some(world) = World::new() else { return };
    let runner = world.runner(PoolLimits::default());
    let body = "const path = await context.createFileWriter('f', 'i').getFilePath();
         const directory = path.slice(0, path.lastIndexOf('/'));
         const found = [...Deno.readDirSync(directory)].length;
         Deno.writeTextFileSync(path, 'text');
         Deno.mkdirSync(`${directory}/more/and/more`, { recursive: true });
         return [Deno.pid, found, path]";
    let request = request(body, &[]);
    block_on(async {
        let mut found = Vec::new();
        for _ in 0..2 {
            let value = run(&runner, &request, host(false, false)).await.expect("a value");
            let parts = value.as_array().expect("a list").to_vec();
            assert_eq!(parts[1], Json::from(0), "the directory is empty: {value}");
            found.push(parts);
        }
        assert_eq!(found[0][0], found[1][0], "one process");
        assert_ne!(found[0][2], found[1][2], "another file");
    });
}

#[test]
fn another_program_in_the_same_place_is_another_process() {
    let Some(world) = World::new() else { return };
    let program = world.tree.path("bin/deno");
    let put = |comment: &str| {
        let text = format!("#!/bin/sh\n# {comment}\nexec {} \"$@\"\n", world.deno.display());
        world.tree.write("bin/deno", &text).expect("a file");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is there");
    };
    put("one");
    let places = ProgramLocations { configured: Some(program.clone()), ..ProgramLocations::default() };
    let runner = DenoRunner::new(Options { places, ..world.options() });
    let request = request("", &[]);
    block_on(async {
        let first = number(&runner, &request).await;
        assert_eq!(number(&runner, &request).await, first);
        put("another one");
        assert_ne!(number(&runner, &request).await, first);
    });
}
