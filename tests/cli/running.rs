//! Methods that run in Deno: the same suite as for the embedded engine, permissions, and what happens without a Deno.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use mangrove_domain::{
    bundle::LoadedBundle,
    json::Json,
    permission::{Grant, Permission},
    ports::{Call, HostCall, MethodHost, MethodRunner, RunError},
    problem::Code,
    source::RootId,
};
use mangrove_infra::{
    runner::deno::{self, DenoRunner, Roots},
    runtime::ProgramLocations,
};
use mangrove_testkit::{
    fakes::SeededEntropy,
    fixture::Tree,
    requests::{open_model, unchecked_call},
};

use crate::sandbox::{Output, Sandbox};

struct OneRoot(PathBuf);

#[async_trait]
impl Roots for OneRoot {
    async fn directory(&self, _root: &RootId) -> Option<PathBuf> {
        Some(self.0.clone())
    }

    async fn directories(&self) -> Vec<PathBuf> {
        vec![self.0.clone()]
    }
}

fn runner(deno: &Path, repository: &Path, call_limit: Duration) -> DenoRunner {
    DenoRunner::new(deno::Options { call_limit, ..options(deno, repository) })
}

/// The usual options, for two sessions at once.
pub(crate) fn options(deno: &Path, repository: &Path) -> deno::Options {
    deno::Options {
        launcher: Vec::new(),
        places: ProgramLocations { configured: Some(deno.to_owned()), ..ProgramLocations::default() },
        state_directory: repository.join(".mangrove"),
        repository: repository.to_owned(),
        environment: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
        roots: Arc::new(OneRoot(repository.to_owned())),
        entropy: Arc::new(SeededEntropy::new(1)),
        size: 2,
        memory_limit_bytes: deno::MEMORY_LIMIT_BYTES,
        open_limit: Duration::from_mins(1),
        call_limit: Duration::from_mins(1),
        pool: deno::PoolLimits::default(),
    }
}

/// Runs in a runtime of its own.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(work)
}

#[test]
fn both_engines_pass_one_suite() {
    let Some(deno) = crate::deno::real() else { return };
    let tree = Tree::new("").expect("a directory");
    let root = tree.root();
    // An endless loop is ended by this limit.
    let make = || -> Box<dyn MethodRunner> { Box::new(runner(&deno, &root, Duration::from_secs(5))) };
    block_on(async {
        mangrove_testkit::contract::method_runner(&make).await;
        mangrove_testkit::contract::method_runner_fetch(&make).await;
        mangrove_testkit::contract::kept_modules(&*make()).await;
    });
}

/// A host that keeps what was logged.
#[derive(Default)]
struct Lines(std::sync::Mutex<Vec<String>>);

#[async_trait]
impl MethodHost for Lines {
    async fn call(&self, call: HostCall) -> Result<Json, String> {
        let text = call.arguments.get(1).and_then(Json::as_str).unwrap_or_default().to_owned();
        self.0.lock().expect("nobody panics").push(text);
        Ok(Json::Null)
    }
}

fn call() -> Call {
    unchecked_call(vec!["run".to_owned()], Json::Null, Json::Object(Vec::new()))
}

#[test]
fn what_code_prints_is_logged_and_disturbs_nothing() {
    let Some(deno) = crate::deno::real() else { return };
    let tree = Tree::new("").expect("a directory");
    let code = "const bytes = (text) => new TextEncoder().encode(text);
        export const model = { async run() {
            Deno.stdout.writeSync(bytes('half a line'));
            console.log('a line');
            process.stdout.write('another one\\n');
            await new Deno.Command('echo', { args: ['from a child'], stdout: 'inherit' }).output();
            await Deno.stderr.write(bytes('an error\\n'));
            await new Deno.Command('sh', { args: ['-c', 'seq 2000 >&2; printf unended >&2'], stderr: 'inherit' }).output();
            return 'done';
        } };";
    let mut request = open_model(LoadedBundle { code: code.into(), vendor_files: Vec::new() });
    request.grantee.grants.insert(Permission::Run, Grant::Only(vec!["echo".to_owned(), "sh".to_owned()]));
    let lines = Arc::new(Lines::default());
    let outcome = block_on(async {
        let mut session = runner(&deno, &tree.root(), Duration::from_mins(1)).open(request).await?;
        session.call(call(), Arc::clone(&lines) as _).await
    });
    assert_eq!(outcome, Ok(Json::from("done")));
    let mut lines = lines.0.lock().expect("nobody panics").clone();
    let numbers: Vec<String> = lines.extract_if(.., |line| line.parse::<u32>().is_ok()).collect();
    assert_eq!(numbers, (1..=2000).map(|number| number.to_string()).collect::<Vec<_>>());
    lines.sort();
    assert_eq!(lines, ["a line", "an error", "another one", "from a child", "half a line", "unended"]);
}

#[test]
fn standard_error_ends_with_each_call_and_keeps_none_waiting() {
    let Some(deno) = crate::deno::real() else { return };
    let tree = Tree::new("").expect("a directory");
    let code = "const line = new TextEncoder().encode('one\\n');
        export const model = { async run() { Deno.stderr.writeSync(line); } };";
    let lines = Arc::new(Lines::default());
    let start = Instant::now();
    block_on(async {
        let request = open_model(LoadedBundle { code: code.into(), vendor_files: Vec::new() });
        let mut session = runner(&deno, &tree.root(), Duration::from_mins(1)).open(request).await.expect("it opens");
        for _ in 0..60 {
            session.call(call(), Arc::clone(&lines) as _).await.expect("it runs");
        }
    });
    assert_eq!(*lines.0.lock().expect("nobody panics"), vec!["one"; 60], "what ends it is no line");
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

#[test]
fn a_call_that_grows_or_ends_its_process_costs_itself_alone() {
    let Some(deno) = crate::deno::real() else { return };
    let tree = Tree::new("").expect("a directory");
    for (body, code, words) in [
        ("const kept = []; for (;;) kept.push(new Array(100000).fill(1.5));", Code::MEMORY_LIMIT, "MB"),
        ("Deno.exit(3);", Code::WORKER_CRASHED, "exited with 3"),
    ] {
        let code_text = format!("export const model = {{ run() {{ {body} }} }};");
        let request = open_model(LoadedBundle { code: code_text.into(), vendor_files: Vec::new() });
        let outcome = block_on(async {
            let mut session = runner(&deno, &tree.root(), Duration::from_mins(2)).open(request).await?;
            session.call(call(), Arc::new(Lines::default())).await
        });
        let Err(RunError::Fault(fault)) = outcome else { panic!("{body}: {outcome:?}") };
        assert!(fault.code == code && fault.message.contains(words), "{body}: {fault:?}");
    }
}

/// A model with one method of this body, and its definition `it`.
pub(crate) fn sandbox(body: &str) -> Sandbox {
    let sandbox = Sandbox::new("");
    let model = format!(
        "const schema = {{ _def: {{}}, parse: (value) => value, safeParse: (data) => ({{ success: true, data }}) }};
export const model = {{
  type: '@acme/it',
  version: '2026.05.23.1',
  resources: {{ r: {{ schema, lifetime: 'infinite', garbageCollection: 5 }} }},
  methods: {{ go: {{ description: 'Goes', arguments: schema, execute: async (_args, context) => {{ {body} }} }} }},
}};
"
    );
    sandbox.write("extensions/models/it.ts", &model);
    sandbox.write(
        "models/@acme/it/it.yaml",
        "id: 7f9c24e5-2f64-4c1e-8f0b-9c8b7d6e5a01\nname: it\nversion: 1\nmethods: {}\n",
    );
    sandbox
}

pub(crate) fn run(sandbox: &Sandbox, deno: &Path) -> Output {
    let output = sandbox
        .command()
        .env("MANGROVE_DENO", deno)
        .env("TOKEN", "s3cret-value")
        .args(["model", "run", "it", "go"])
        .output()
        .expect("the program starts");
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

pub(crate) fn all(output: &Output) -> String {
    format!("{}{}", output.stdout, output.stderr)
}

pub(crate) fn grant(sandbox: &Sandbox, grants: &str) {
    let marker = format!("repoId: 00000000-0000-4000-8000-000000000001\npermissions: {{ \"@acme/it\": {grants} }}\n");
    sandbox.write("mangrove.yaml", &marker);
}

#[test]
fn code_reaches_what_is_granted_and_a_refusal_names_the_grant() {
    let Some(deno) = crate::deno::real() else { return };
    let it = sandbox(
        "const own = await Deno.readTextFile(`${context.repoDir}/notes.txt`);
         const token = Deno.env.get('TOKEN');
         context.logger.info(`${own} ${token.length} ${token}`);
         await Deno.writeTextFile(`${context.repoDir}/out.txt`, own);",
    );
    it.write("notes.txt", "mine");
    it.write("vaults/a.yaml", "secret: 1\n");
    let output = run(&it, &deno);
    assert_ne!(output.code, 0, "{output}");
    let said = all(&output);
    assert!(said.contains("MG0226") && said.contains(r#"permissions: { "@acme/it": { env: ["TOKEN"] } }"#), "{said}");

    grant(&it, "{ env: [TOKEN] }");
    let output = run(&it, &deno);
    let said = all(&output);
    assert!(said.contains("mine 12 ***"), "what the grant names is masked: {said}");
    let entry = format!(r#"{{ env: ["TOKEN"], write: ["{}"] }}"#, it.tree.path("out.txt").display());
    assert!(output.code != 0 && said.contains(&entry), "{said}");

    grant(&it, "{ env: [TOKEN], write: [out.txt] }");
    let output = run(&it, &deno);
    assert_eq!(output.code, 0, "{output}");
    assert_eq!(it.tree.read("out.txt").expect("it was written"), "mine");
}

#[test]
fn one_refusal_names_everything_that_is_missing() {
    let it = sandbox(
        "const names = { second: 'SECOND' };
         context.logger.info(process.env.FIRST, process.env[names.second], process.env.TOKEN);",
    );
    let run = || run(&it, Path::new("/nowhere/deno"));
    grant(&it, "{ env: [TOKEN] }");
    let said = all(&run());
    assert!(said.contains("MG0226") && said.contains(r#"asks for `env` "FIRST""#), "{said}");
    let together = r#"together: `permissions: { "@acme/it": { env: ["TOKEN", "FIRST", "SECOND"] } }`"#;
    assert!(said.contains(together), "{said}");
    let advice = it.run(&["permissions", "suggest", "@acme/it"]);
    let entry = r#"  permissions: { "@acme/it": { env: ["TOKEN", "FIRST", "SECOND"] } }"#;
    assert!(advice.code == 0 && advice.stdout.contains(entry), "{advice}");
    assert!(advice.stdout.contains("TOKEN (granted)") && advice.stdout.contains("FIRST (not granted)"), "{advice}");

    grant(&it, "{ env: [TOKEN, FIRST, SECOND] }");
    let output = run();
    assert_eq!(output.code, 0, "{output}");
    let advice = it.run(&["permissions", "suggest", "@acme/it"]);
    assert!(advice.stdout.contains("All of it is granted."), "{advice}");
    let shell = it.run(&["permissions", "suggest", "command/shell"]);
    assert!(shell.code == 0 && shell.stdout.contains("asks for nothing"), "{shell}");
    it.write(
        "extensions/reports/cost.ts",
        "export const report = { name: '@acme/cost', description: 'd', scope: 'method', \
         execute: async () => ({ markdown: await Deno.readTextFile('prices.txt'), json: {} }) };",
    );
    it.run(&["scan"]);
    let report = it.run(&["permissions", "suggest", "@acme/cost"]);
    assert!(report.code == 0 && report.stdout.contains("read   prices.txt"), "{report}");
    let unknown = it.run(&["permissions", "suggest", "@acme/other"]);
    assert!(unknown.code != 0 && unknown.stderr.contains("@acme/other"), "{unknown}");
}

#[test]
fn a_program_that_is_not_granted_is_refused_and_not_missing() {
    let Some(deno) = crate::deno::real() else { return };
    let it = sandbox("await new Deno.Command('sh', { args: ['-c', 'true'] }).output();");
    let said = all(&run(&it, &deno));
    assert!(said.contains(r#"permissions: { "@acme/it": { run: ["sh"] } }"#), "{said}");
    grant(&it, "{ run: [sh] }");
    let output = run(&it, &deno);
    assert_eq!(output.code, 0, "{output}");
}

#[test]
fn what_was_refused_is_told_also_where_the_code_catches_it() {
    let Some(deno) = crate::deno::real() else { return };
    let it = sandbox(
        "try { await Deno.stat('/etc/hosts'); } catch { context.logger.info('is not there'); }
         try { Deno.readTextFileSync('/etc/hosts'); } catch { context.logger.info('is empty'); }
         try { new Deno.Command('sh').outputSync(); } catch { context.logger.info('did not run'); }
         try { await fetch('http://127.0.0.1:8099/'); } catch { context.logger.info('did not answer'); }
         try { for await (const entry of Deno.readDir('/usr')) context.logger.info(entry.name); } catch { context.logger.info('is bare'); }
         try { Deno.env.get('AWS_REGION'); } catch { context.logger.info('default region'); }",
    );
    let output = run(&it, &deno);
    assert_eq!(output.code, 0, "{output}");
    let said = all(&output);
    let told = said.matches("refused, and the code went on: ").count();
    assert_eq!(told, 4, "once for each thing, and not for variables: {said}");
    for entry in [
        r#"{ read: [".", "/etc/hosts"] }"#,
        r#"{ read: [".", "/usr"] }"#,
        r#"{ run: ["sh"] }"#,
        r#"{ net: ["127.0.0.1:8099"] }"#,
    ] {
        assert!(said.contains(entry), "{entry}: {said}");
    }
}

#[test]
fn f10_node_starts_programs_with_the_variables_that_are_granted() {
    let Some(deno) = crate::deno::real() else { return };
    let it = sandbox(
        "const { exec } = await import('node:child_process');
         const printed = await new Promise((done, fail) => exec('env', (error, text) => error ? fail(error) : done(text)));
         context.logger.info(`${Object.keys(process.env).join()}; ${printed.includes('PLAIN=1')}; ${printed.includes('TOKEN')}`);",
    );
    let run = |grants: &str| {
        grant(&it, grants);
        let output = it
            .command()
            .env("MANGROVE_DENO", &deno)
            .env("PLAIN", "1")
            .env("TOKEN", "s3cret-value")
            .args(["model", "run", "it", "go"])
            .output()
            .expect("the program starts");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.success(), said)
    };
    let (is_well, said) = run("{ run: true }");
    assert!(is_well && said.contains("; false; false"), "{said}");
    let (is_well, said) = run("{ run: true, env: [PLAIN] }");
    assert!(is_well && said.contains("PLAIN; true; false"), "{said}");
}

#[test]
fn a_write_to_the_state_directory_is_refused_without_an_entry_that_would_not_help() {
    let Some(deno) = crate::deno::real() else { return };
    let it = sandbox("await Deno.writeTextFile(`${context.repoDir}/.mangrove/mine`, 'text');");
    grant(&it, "{ write: true }");
    let output = run(&it, &deno);
    let said = all(&output);
    assert!(output.code != 0 && said.contains("MG0226") && said.contains("no entry grants that"), "{said}");
    assert!(!said.contains("the entry in mangrove.yaml that grants it"), "{said}");
}

#[test]
fn a_refusal_is_known_in_the_words_of_the_code() {
    let Some(deno) = crate::deno::real() else { return };
    let it = sandbox(
        "try { await Deno.readTextFile('/etc/hosts'); } catch (error) { throw new Error(`no hosts: ${error.message}`); }",
    );
    let said = all(&run(&it, &deno));
    assert!(said.contains("MG0226") && said.contains(r#"{ read: [".", "/etc/hosts"] }"#), "{said}");
    assert!(!said.contains("went on"), "{said}");
}

#[test]
fn secrets_beside_the_code_are_not_readable_unless_granted() {
    let Some(deno) = crate::deno::real() else { return };
    for file in ["vaults/a.yaml", ".env", "extensions/.env.local", ".mangrove/catalog.db"] {
        let it = sandbox(&format!("await Deno.readTextFile(`${{context.repoDir}}/{file}`);"));
        if !file.starts_with(".mangrove") {
            it.write(file, "secret");
        }
        let output = run(&it, &deno);
        let said = all(&output);
        assert!(output.code != 0 && said.contains("MG0226") && said.contains("read: ["), "{file}: {said}");
    }
}

#[test]
fn f10_what_roots_hold_is_kept_from_code_that_may_read_the_repository() {
    let Some(deno) = crate::deno::real() else { return };
    let files = [
        "notes.txt",
        ".mangrove/catalog.db",
        "mounts/shared/notes.txt",
        "mounts/shared/vaults/a.yaml",
        "mounts/shared/.mangrove/catalog.db",
        "mounts/shared/.swamp/secrets/key",
        "mounts/other/vaults/a.yaml",
    ];
    let it = sandbox(&format!(
        "for (const file of {files:?}) {{
            try {{ await Deno.readTextFile(`${{context.repoDir}}/${{file}}`); context.logger.info(`read ${{file}}`); }}
            catch (error) {{ if (error.name !== 'NotCapable') throw error; }}
        }}"
    ));
    for file in files.into_iter().filter(|file| !file.starts_with(".mangrove")) {
        it.write(file, "text");
    }
    it.write(".swamp-sources.yaml", "sources: [mounts/shared]\n");
    it.write("mounts/shared/extensions/models/m.ts", "export const nothing = 1;\n");
    for grants in ["{ env: [TOKEN] }", "{ read: [.] }", "{ read: true }"] {
        grant(&it, grants);
        let output = run(&it, &deno);
        assert_eq!(output.code, 0, "{grants}: {output}");
        let output = all(&output);
        let read: Vec<&str> = files.into_iter().filter(|file| output.contains(&format!("read {file}"))).collect();
        // What is only like a root, is none.
        assert_eq!(read, ["notes.txt", "mounts/shared/notes.txt", "mounts/other/vaults/a.yaml"], "{grants}: {output}");
    }
}

#[test]
fn a_refusal_of_what_is_protected_says_that_an_entry_has_to_name_it() {
    let Some(deno) = crate::deno::real() else { return };
    let it = sandbox("await Deno.readTextFile(`${context.repoDir}/below/prod.env`);");
    it.write("below/prod.env", "secret");
    grant(&it, "{ read: [below] }");
    let said = all(&run(&it, &deno));
    assert!(said.contains("MG0226") && said.contains("an entry for a directory around it does not grant it"), "{said}");
    grant(&it, "{ read: [below, below/prod.env] }");
    assert_eq!(run(&it, &deno).code, 0);
}

#[test]
fn f08_an_entry_that_is_a_link_out_of_the_repository_is_told() {
    let Some(deno) = crate::deno::real() else { return };
    let outside = tempfile::tempdir().expect("a directory");
    let it = sandbox("await Deno.writeTextFile(`${context.repoDir}/data/x`, 'text');");
    std::os::unix::fs::symlink(outside.path(), it.tree.path("data")).expect("a link");
    grant(&it, "{ write: [data] }");
    let output = run(&it, &deno);
    let said = all(&output);
    assert!(output.code != 0 && said.contains("MG0226") && said.contains("is a link to"), "{said}");
    assert!(!outside.path().join("x").exists());
    grant(&it, &format!("{{ write: [{}] }}", outside.path().display()));
    let output = run(&it, &deno);
    assert_ne!(output.code, 0, "the name of the link is not what is granted: {output}");
}

#[test]
fn without_deno_what_needs_it_says_so_and_the_rest_runs() {
    let nowhere = Path::new("/nowhere/deno");
    let it = sandbox("if (context.methodName === 'none') Deno.exit(1); context.logger.info('went');");
    let output = run(&it, nowhere);
    assert_eq!(output.code, 0, "a requirement that is not touched is none: {output}");
    assert!(all(&output).contains("went"), "{output}");
    let it = sandbox("Deno.readTextFileSync('x');");
    let said = all(&run(&it, nowhere));
    assert!(said.contains("MG0225") && said.contains("Deno.readTextFileSync"), "{said}");
    assert!(said.contains("mangrove runtime install deno"), "{said}");
}

/// Text that names no requirement, and uses one.
const HIDDEN: &str = "const engine = globalThis[['De', 'no'].join('')]; const version = engine.version.deno;";

#[test]
fn a_need_that_only_shows_when_it_runs_moves_the_call_to_deno() {
    let Some(deno) = crate::deno::real() else { return };
    let it = sandbox(&format!("context.logger.info('before'); {HIDDEN} context.logger.info(`version ${{version}}`);"));
    assert_eq!(it.scan(&[]).source("extensions/models/it.ts")["state"], "Indexed");
    let description = it.json(&["describe", "@acme/it"]);
    assert_eq!(description["requirements"], serde_json::json!([]), "{description:#}");
    let output = run(&it, &deno);
    assert_eq!(output.code, 0, "{output}");
    assert!(all(&output).contains("version 2."), "{output}");
    assert_eq!(all(&output).matches("before").count(), 1, "a line that both attempts say is told once: {output}");
    // What was written must not be written again.
    let it = sandbox(&format!("await context.writeResource('r', 'i', {{ a: 1 }}); {HIDDEN} return version;"));
    let output = run(&it, &deno);
    assert!(output.code != 0 && all(&output).contains("its next run is in Deno"), "{output}");
    assert_eq!(run(&it, &deno).code, 0, "what was found out is remembered");
}

#[test]
fn both_sides_may_say_much_at_once() {
    let Some(deno) = crate::deno::real() else { return };
    let it = sandbox(
        "await context.writeResource('r', 'big', { text: 'x'.repeat(300000) });
         const big = context.readResource('big');
         for (let index = 0; index < 3000; index += 1) context.logger.info('y'.repeat(100));
         context.logger.info(`read ${(await big).text.length} in ${Deno.build.os}`);",
    );
    let output = run(&it, &deno);
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(all(&output).contains("read 300000 in linux"));
}

#[test]
fn what_is_begun_and_not_waited_for_is_done() {
    let Some(deno) = crate::deno::real() else { return };
    let it = sandbox(
        "const write = async (name) => await context.writeResource('r', name, { name });
         (async () => { await write('a'); await write('b'); await write('c'); })();
         return Deno.pid;",
    );
    let output = run(&it, &deno);
    assert_eq!(output.code, 0, "{output}");
    let list = it.json(&["run", "list"]);
    let text = it.json(&["run", "show", list["runs"][0]["runId"].as_str().expect("an identifier")]).to_string();
    for name in ["a", "b", "c"] {
        assert!(text.contains(&format!("\"name\":\"{name}\"")), "{name}: {text}");
    }
}

#[test]
fn fault_36_what_a_process_started_ends_with_it_and_keeps_nobody_waiting() {
    let Some(deno) = crate::deno::real() else { return };
    let it = sandbox(
        "const child = new Deno.Command('sleep', { args: ['1000'] }).spawn();
         Deno.writeTextFileSync(`${context.repoDir}/pid`, `${child.pid}`);
         Deno.exit(3);",
    );
    grant(&it, "{ run: [sleep], write: [pid] }");
    let started = std::time::Instant::now();
    let output = run(&it, &deno);
    assert!(output.code != 0 && all(&output).contains("exited with 3"), "{output}");
    assert!(started.elapsed() < Duration::from_mins(1), "an open pipe keeps nobody waiting");
    let process = Path::new("/proc").join(it.tree.read("pid").expect("a number").trim()).join("stat");
    let is_gone = || std::fs::read_to_string(&process).map_or(true, |state| state.contains(") Z "));
    let until = std::time::Instant::now() + Duration::from_secs(20);
    while !is_gone() {
        assert!(std::time::Instant::now() < until, "the process is still running");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn fault_36_a_process_that_calculates_without_end_does_not_outlive_a_killed_program() {
    use std::io::{BufRead as _, BufReader};
    let Some(deno) = crate::deno::real() else { return };
    let it = sandbox("context.logger.info(`number ${Deno.pid}`); for (;;);");
    let mut command = it.command();
    command.env("MANGROVE_DENO", deno).args(["model", "run", "it", "go"]).stdout(std::process::Stdio::piped());
    let mut program = command.spawn().expect("the program starts");
    let lines = BufReader::new(program.stdout.take().expect("a pipe")).lines();
    let number = lines.map_while(Result::ok).find_map(|line| Some(line.split_once("number ")?.1.trim().to_owned()));
    let process = Path::new("/proc").join(number.expect("the method says its number")).join("stat");
    assert!(process.exists());
    program.kill().expect("it can be killed");
    program.wait().expect("it ends");
    let is_gone = || std::fs::read_to_string(&process).map_or(true, |state| state.contains(") Z "));
    let until = std::time::Instant::now() + Duration::from_secs(20);
    while !is_gone() {
        assert!(std::time::Instant::now() < until, "the process is still running");
        std::thread::sleep(Duration::from_millis(20));
    }
}
