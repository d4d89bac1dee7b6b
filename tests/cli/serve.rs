//! The daemon as a process: it starts, follows what happens in its repository, and ends when it is asked to. Nothing
//! here has a home directory: the environment is empty but for `PATH`.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    fixtures::{broken, model, model_with},
    sandbox::Sandbox,
};

/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_mins(1);

/// A daemon that ends with this value.
pub(crate) struct Serving {
    child: Child,
    log: Arc<Mutex<Vec<Value>>>,
    pub(crate) address: SocketAddr,
}

impl Serving {
    /// Starts the program on a repository, on a free port, and waits until it is ready.
    pub(crate) fn start(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        Self::start_with(sandbox.command(), arguments)
    }

    /// The same with a command that runs the program in some way.
    pub(crate) fn start_with(mut command: Command, arguments: &[&str]) -> Self {
        command.args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json"]).args(arguments);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let log: Arc<Mutex<Vec<Value>>> = Arc::default();
        let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let kept = Arc::clone(&log);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap_or(Value::String(line));
                kept.lock().expect("the log").push(event);
            }
        });
        let mut serving = Self { child, log, address: ([127, 0, 0, 1], 0).into() };
        let listening = serving.logged("listening");
        let address = listening["address"].as_str().and_then(|address| address.parse().ok());
        serving.address = address.unwrap_or_else(|| panic!("no address: {listening}"));
        serving.logged("ready");
        serving
    }

    /// Waits for an event of the log with this message.
    pub(crate) fn logged(&self, message: &str) -> Value {
        self.logs(message, |event| event["message"] == message)
    }

    /// Waits for an event of the log that is as it should be.
    pub(crate) fn logs(&self, what: &str, is_right: impl Fn(&Value) -> bool) -> Value {
        let found = || self.log.lock().expect("the log").iter().find(|event| is_right(event)).cloned();
        until(what, found).unwrap_or_else(|| panic!("nobody said {what:?}: {:#?}", self.log.lock().expect("the log")))
    }

    /// The identifier of its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Every line of its log so far is an event.
    pub(crate) fn logs_nothing_but_events(&self) {
        let log = self.log.lock().expect("the log");
        assert!(log.iter().all(Value::is_object), "{log:#?}");
    }

    /// How often the log had this message up to now.
    pub(crate) fn times_logged(&self, message: &str) -> usize {
        self.log.lock().expect("the log").iter().filter(|event| event["message"] == message).count()
    }

    /// Asks for something over HTTP; gives the status and the body.
    pub(crate) fn ask(&self, method: &str, path: &str, token: Option<&str>) -> (u16, String) {
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        self.send(method, path, &token, "")
    }

    /// The same with further headers, each with its end of line, and a body.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_read_timeout(Some(LONG)).expect("a time-out");
        let fixed = "Host: localhost\r\nConnection: close\r\n";
        let length = body.len();
        let request = format!("{method} {path} HTTP/1.1\r\n{fixed}{headers}Content-Length: {length}\r\n\r\n{body}");
        // A server that refuses a body closes the connection before all of it was sent.
        let _ = stream.write_all(request.as_bytes());
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, body.to_owned())
    }

    /// Sends a signal by its number.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.expect("`kill` starts").success());
    }

    /// Waits for the end of the process.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let child = &mut self.child;
        until("the end", || child.try_wait().expect("a process")).expect("the daemon ends")
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again and again, until there is an answer or it took too long.
pub(crate) fn until<T>(_what: &str, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        match ask() {
            Some(answer) => return Some(answer),
            None if start.elapsed() > LONG => return None,
            None => thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// The row of a path, as another process sees it.
fn row(sandbox: &Sandbox, path: &str) -> Option<Value> {
    let types = sandbox.json(&["types", "--all"]);
    types["types"].as_array().expect("types").iter().find(|row| row["path"] == path).cloned()
}

/// Waits until the row of a path is as it should be.
fn settles(sandbox: &Sandbox, path: &str, is_right: impl Fn(Option<&Value>) -> bool) {
    let right = until(path, || is_right(row(sandbox, path).as_ref()).then_some(()));
    assert!(right.is_some(), "{path} is still {:#?}", row(sandbox, path));
}

fn is_type(type_name: &str) -> impl Fn(Option<&Value>) -> bool {
    move |row| row.is_some_and(|row| row["type"] == type_name && row["degraded"] == false)
}

#[test]
fn fault_02_and_32_every_change_of_a_source_is_live_without_a_restart() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/kept.ts", &model("@acme/kept"));
    let _serving = Serving::start(&sandbox, &["--rescan", "1h"]);
    settles(&sandbox, "extensions/models/kept.ts", is_type("@acme/kept"));

    // New, in a directory that was not there.
    sandbox.write("extensions/models/deep/er/new.ts", &model("@acme/new"));
    settles(&sandbox, "extensions/models/deep/er/new.ts", is_type("@acme/new"));
    sandbox.write("extensions/vaults/new.ts", "export const vault = { type: \"@acme/safe\", name: \"Safe\", description: \"Keeps things\", createProvider: () => ({ get: async () => \"x\", put: async () => {}, list: async () => [], getName: () => \"safe\" }) };\n");
    settles(&sandbox, "extensions/vaults/new.ts", is_type("@acme/safe"));

    // Changed; the change is in a file that it imports.
    sandbox.write("extensions/models/_lib/name.ts", "export const name: string = \"@acme/second\";\n");
    let importing =
        model_with("import { name } from \"./_lib/name.ts\";", "@acme/kept", "").replace("\"@acme/kept\"", "name");
    sandbox.write("extensions/models/kept.ts", &importing);
    settles(&sandbox, "extensions/models/kept.ts", is_type("@acme/second"));
    sandbox.edit("extensions/models/_lib/name.ts", "second", "third");
    settles(&sandbox, "extensions/models/kept.ts", is_type("@acme/third"));

    // The working type stays as long as the new code is not proven.
    sandbox.write("extensions/models/kept.ts", &broken("@acme/fourth"));
    let is_degraded =
        |row: Option<&Value>| row.is_some_and(|row| row["type"] == "@acme/third" && row["degraded"] == true);
    settles(&sandbox, "extensions/models/kept.ts", is_degraded);
    sandbox.write("extensions/models/kept.ts", &model("@acme/fourth"));
    settles(&sandbox, "extensions/models/kept.ts", is_type("@acme/fourth"));

    // Renamed and removed.
    let path = |name: &str| sandbox.tree.path(format!("extensions/models/{name}"));
    std::fs::rename(path("kept.ts"), path("moved.ts")).expect("a rename");
    settles(&sandbox, "extensions/models/moved.ts", is_type("@acme/fourth"));
    settles(&sandbox, "extensions/models/kept.ts", |row| row.is_none());
    std::fs::remove_file(path("moved.ts")).expect("a removal");
    settles(&sandbox, "extensions/models/moved.ts", |row| row.is_none());
}

#[test]
fn a_mount_that_is_added_is_live_and_its_sources_are_followed() {
    let mounted = Sandbox::new("");
    mounted.write("extensions/models/far.ts", &model("@acme/far"));
    let sandbox = Sandbox::new("");
    let _serving = Serving::start(&sandbox, &["--rescan", "1h"]);
    let far = |type_name: &'static str| {
        let listed = || {
            let types = sandbox.json(&["types"]);
            types["types"].as_array().expect("types").iter().any(|row| row["type"] == type_name).then_some(())
        };
        assert!(until(type_name, listed).is_some(), "{type_name} is not there");
    };
    sandbox.write(".swamp-sources.yaml", &format!("sources:\n  - path: {}\n", mounted.tree.root().display()));
    far("@acme/far");
    mounted.write("extensions/models/far.ts", &model("@acme/farther"));
    far("@acme/farther");
}

#[test]
fn a_source_or_a_list_of_mounts_without_content_is_not_believed_at_once() {
    let mounted = Sandbox::new("");
    mounted.write("extensions/models/far.ts", &model("@acme/far"));
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/near.ts", &model("@acme/near"));
    let mounts = format!("sources:\n  - path: {}\n", mounted.tree.root().display());
    sandbox.write(".swamp-sources.yaml", &mounts);
    let serving = Serving::start(&sandbox, &["--rescan", "1h"]);
    let is_there = |type_name: &str| {
        let (_, types) = serving.ask("GET", "/api/v1/types", None);
        types.contains(&format!("\"{type_name}\""))
    };
    for (type_name, emptied) in [("@acme/near", "extensions/models/near.ts"), ("@acme/far", ".swamp-sources.yaml")] {
        until(type_name, || is_there(type_name).then_some(())).expect("it is there");
        let start = Instant::now();
        sandbox.write(emptied, "");
        until(type_name, || (!is_there(type_name)).then_some(())).expect("in the end it is believed");
        let waited = start.elapsed();
        assert!(waited >= Duration::from_millis(500), "{type_name} was taken away after {waited:?}");
    }
}

#[test]
fn it_ends_when_it_is_asked_to() {
    for signal in ["TERM", "INT"] {
        let sandbox = Sandbox::new("");
        sandbox.write("extensions/models/a.ts", &model("@acme/a"));
        let mut serving = Serving::start(&sandbox, &[]);
        serving.signal(signal);
        assert_eq!(serving.wait().code(), Some(0), "{signal}");
    }
}

#[test]
fn no_signal_ends_it_without_a_word() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &model("@acme/a"));
    let mut serving = Serving::start(&sandbox, &[]);
    for signal in ["USR1", "USR2", "ALRM", "IO"] {
        serving.signal(signal);
        let name = format!("SIG{signal}");
        serving.logs(&name, |event| event["signal"] == name.as_str());
    }
    assert_eq!(serving.ask("GET", "/livez", None).0, 200, "it goes on");
    serving.signal("QUIT");
    assert_eq!(serving.wait().code(), Some(0));
    serving.logs("that it ends now", |event| event["message"].as_str().is_some_and(|text| text.starts_with("SIGQUIT")));
}

#[test]
fn a_configuration_that_cannot_be_used_is_told_and_leaves_the_old_one_in_force() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &model("@acme/a"));
    let serving = Serving::start(&sandbox, &[]);
    sandbox.write("mangrove.yaml", "repoId: [\n");
    serving.signal("HUP");
    serving.logged("reading the configuration again");
    let told = || {
        let log = serving.log.lock().expect("the log");
        log.iter().any(|event| event["level"] == "ERROR" && event["subject"] == "mangrove.yaml").then_some(())
    };
    assert!(until("the mistake", told).is_some(), "{:#?}", serving.log.lock().expect("the log"));
    sandbox.write("mangrove.yaml", "repoId: 00000000-0000-4000-8000-000000000001\n");
    sandbox.write("extensions/models/b.ts", &model("@acme/b"));
    settles(&sandbox, "extensions/models/b.ts", is_type("@acme/b"));
}

#[test]
fn other_places_of_rows_and_bundles_are_told_and_taken_at_the_next_start_only() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &model("@acme/a"));
    let serving = Serving::start(&sandbox, &[]);
    let marker = "repoId: 00000000-0000-4000-8000-000000000001\n";
    let bundles = "bundles:\n  url: s3://bucket/prefix\n  region: here\n";
    let catalog = "catalog: postgres://ada:do-not-show-me@db.invalid/x\n";
    sandbox.write("mangrove.yaml", &format!("{marker}{catalog}{bundles}"));
    serving.signal("HUP");
    let told = |key: &str, value: &str, source: &str| {
        serving.logs(key, |event| {
            let is_told = event["message"] == "this setting takes effect at the next start";
            is_told && event["key"] == key && event["value"] == value && event["source"] == source
        });
    };
    told("catalog", "postgres://ada@db.invalid:5432/x", "mangrove.yaml:2");
    told("bundles", "s3://bucket/prefix", "mangrove.yaml:4");
    told("bundles.region", "here", "mangrove.yaml:5");
    // What cannot be used is told, too; and it goes on with what it has.
    sandbox.write("mangrove.yaml", &format!("{marker}catalog: somewhere\n"));
    serving.signal("HUP");
    serving.logs("the mistake", |event| {
        let message = event["message"].as_str().unwrap_or_default();
        message.starts_with("the next start will refuse this: `catalog` (mangrove.yaml:2)")
    });
    sandbox.write("mangrove.yaml", marker);
    sandbox.write("extensions/models/b.ts", &model("@acme/b"));
    settles(&sandbox, "extensions/models/b.ts", is_type("@acme/b"));
    assert!(!format!("{:?}", serving.log.lock().expect("the log")).contains("do-not-show-me"));
}

#[test]
fn settings_are_shown_with_their_sources_and_mistakes_refused() {
    let sandbox = Sandbox::new("");
    sandbox.write("mangrove.yaml", "serve:\n  grace: 5s\n  hosts: [a.example, b.example]\n");
    let checked = sandbox.json(&["serve", "--check", "--rescan", "90s"]);
    let settings = checked["settings"].as_array().expect("settings");
    let setting = |key: &str| settings.iter().find(|setting| setting["key"] == key).expect("a setting");
    assert_eq!((&setting("grace")["value"], &setting("grace")["source"]), (&"5.0 s".into(), &"mangrove.yaml:2".into()));
    assert_eq!(setting("hosts")["value"], "a.example, b.example");
    assert_eq!(setting("rescan")["source"], "--rescan");
    assert_eq!(setting("listen")["source"], "default");

    sandbox.write("mangrove.yaml", "serve:\n  grace: soon\n  lissen: here\n");
    let refused = sandbox.run(&["serve", "--check"]);
    assert_eq!(refused.code, 2, "{refused}");
    assert!(refused.stderr.contains("`grace` is \"soon\" (mangrove.yaml:2)"), "{refused}");

    let open = sandbox.run(&["serve", "--check", "--grace", "1s", "--listen", "0.0.0.0:8787"]);
    assert_eq!(open.code, 2, "{open}");
    assert!(open.stderr.contains("--token-file"), "{open}");
}

#[test]
fn an_address_that_is_taken_is_told_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let sandbox = Sandbox::new("");
    let refused = sandbox.run(&["serve", "--listen", &address]);
    assert_eq!(refused.code, 2, "{refused}");
    assert!(refused.stderr.contains("MG0801") && refused.stderr.contains(&address), "{refused}");
}

#[test]
fn it_answers_over_http_what_the_command_line_prints() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &model("@acme/a"));
    sandbox.write("extensions/models/b.ts", &broken("@acme/b"));
    let serving = Serving::start(&sandbox, &["--rescan", "1h"]);
    let (status, body) = serving.ask("GET", "/api/v1/types", None);
    assert_eq!(status, 200, "{body}");
    let answered: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(answered, sandbox.json(&["types"]));
    assert_eq!(serving.ask("GET", "/readyz", None).0, 200, "an extension that fails is no reason not to be ready");
    assert_eq!(serving.ask("GET", "/api/v1/nothing", None).0, 404);
    assert_eq!(serving.ask("DELETE", "/api/v1/types", None).0, 405);

    // A scan that is asked for is over when it is answered.
    let (status, body) = serving.ask("POST", "/api/v1/scan", None);
    assert_eq!(status, 200, "{body}");
    let (status, body) = serving.ask("GET", "/api/v1/sources?state=BundleBuildFailed", None);
    assert!(status == 200 && body.contains("extensions/models/b.ts"), "{status}: {body}");
}

#[test]
fn with_a_token_file_nobody_is_answered_without_a_token() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &model("@acme/a"));
    sandbox.write("tokens", "reader read 0123456789abcdef\nrunner run fedcba9876543210\n");
    let serving = Serving::start(&sandbox, &["--token-file", "tokens"]);
    let (reader, runner) = (Some("0123456789abcdef"), Some("fedcba9876543210"));
    assert_eq!(serving.ask("GET", "/api/v1/types", None).0, 401);
    assert_eq!(serving.ask("GET", "/api/v1/types", Some("0123456789abcdeX")).0, 401);
    assert_eq!(serving.ask("GET", "/api/v1/types", reader).0, 200);
    assert_eq!(serving.ask("POST", "/api/v1/scan", reader).0, 403);
    assert_eq!(serving.ask("POST", "/api/v1/scan", runner).0, 200);
    assert_eq!(serving.ask("GET", "/livez", None).0, 200);

    sandbox.write("tokens", "reader read short\n");
    let refused = sandbox.run(&["serve", "--check", "--token-file", "tokens"]);
    assert_eq!(refused.code, 2, "{refused}");
    assert!(refused.stderr.contains("tokens") && !refused.stderr.contains("short\n"), "{refused}");
}

/// The header with which `GitHub` signs a body.
fn signature(secret: &str, body: &str) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
    let signature = ring::hmac::sign(&key, body.as_bytes());
    let digits = signature.as_ref().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    format!("X-Hub-Signature-256: sha256={digits}\r\n")
}

#[test]
fn a_signed_request_starts_the_workflow_of_its_route_and_no_other_does() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &model("@acme/a"));
    sandbox.write(
        "models/@acme/a/11111111-1111-4111-8111-111111111111.yaml",
        "id: 11111111-1111-4111-8111-111111111111\nname: a\nversion: 1\n",
    );
    sandbox.write("the-secret", "of the file\n");
    for (name, id, secret) in [("from-env", "2", "@env=HOOK"), ("from-file", "3", "@file=the-secret")] {
        let id = id.repeat(8);
        sandbox.write(
            &format!("workflows/{name}.yaml"),
            &format!(
                "id: {id}-1111-4111-8111-111111111111
name: {name}
inputs: {{ properties: {{ who: {{ type: string }} }} }}
trigger:
  webhook: {{ route: {name}, secret: '{secret}', replayWindow: 5m }}
  inputs: {{ who: '${{{{ webhook.body.who }}}}' }}
jobs:
  - name: only
    steps:
      - name: greet
        task: {{ type: model_method, modelIdOrName: a, methodName: greet, inputs: {{ name: '${{{{ inputs.who }}}}' }} }}
"
            ),
        );
    }
    let mut command = sandbox.command();
    command.env("HOOK", "of the variable");
    let serving = Serving::start_with(command, &[]);
    let body = r#"{"who": "mangrove"}"#;
    let hook = |route: &str, secret: &str, body: &str| {
        serving.send("POST", &format!("/hooks/{route}"), &signature(secret, body), body)
    };
    let known = || (hook("from-env", "wrong", body).0 != 404).then_some(());
    until("the route", known).expect("the route is known");
    assert_eq!(hook("from-env", "wrong", body).0, 403);
    assert_eq!(serving.send("POST", "/hooks/from-env", "", body).0, 403);
    assert_eq!(hook("nowhere", "of the variable", body).0, 404);
    for (route, secret) in [("from-env", "of the variable"), ("from-file", "of the file")] {
        let (status, answer) = hook(route, secret, body);
        assert_eq!(status, 202, "{answer}");
        assert_eq!(hook(route, secret, body).0, 409, "the same request is not taken twice");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        let id = answer["runId"].as_str().expect("a run").to_owned();
        let ended = || Some(sandbox.json(&["run", "show", &id])).filter(|run| !run["finishedAt"].is_null());
        let run = until("the end", ended).expect("the run ends");
        assert_eq!((&run["status"], &run["trigger"]), (&"succeeded".into(), &"webhook".into()), "{run:#}");
        assert_eq!(run["inputs"]["who"], "mangrove", "{run:#}");
    }
    let large = "x".repeat(11 << 20);
    assert_eq!(hook("from-env", "of the variable", &large).0, 413);
}

/// A repository with a workflow of every second, and others of every second whose method waits.
fn ticking(slow: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new("");
    let pause = "await new Promise((go) => setTimeout(go, 6000)); context.logger.info";
    sandbox.write("extensions/models/quick.ts", &model("@acme/quick"));
    sandbox.write("extensions/models/waits.ts", &model("@acme/waits").replace("context.logger.info", pause));
    for (name, digit) in [("quick", '1'), ("waits", '2')] {
        let id = format!("{digit}1111111-1111-4111-8111-111111111111");
        sandbox.write(&format!("models/@acme/{name}/{id}.yaml"), &format!("id: {id}\nname: {name}\nversion: 1\n"));
    }
    for (number, name) in ["quick"].iter().chain(slow).enumerate() {
        let model = if number == 0 { "quick" } else { "waits" };
        sandbox.write(
            &format!("workflows/{name}.yaml"),
            &format!(
                "id: {number:08}-1111-4111-8111-111111111112
name: {name}-workflow
trigger: {{ schedule: '* * * * * *' }}
jobs:
  - name: only
    steps:
      - name: greet
        task: {{ type: model_method, modelIdOrName: {model}, methodName: greet, inputs: {{ name: x }} }}
"
            ),
        );
    }
    sandbox
}

/// The runs of this workflow that have succeeded.
fn succeeded(sandbox: &Sandbox, name: &str) -> Vec<Value> {
    let listed = sandbox.json(&["run", "list", &format!("{name}-workflow"), "--limit", "1000"]);
    let runs = listed["runs"].as_array().expect("runs");
    runs.iter().filter(|run| run["status"] == "succeeded").cloned().collect()
}

#[test]
fn fault_33_slow_workflows_delay_no_other() {
    let sandbox = ticking(&["slow-1", "slow-2", "slow-3"]);
    let _serving = Serving::start(&sandbox, &[]);
    let slow_run = || (!succeeded(&sandbox, "slow-3").is_empty()).then_some(());
    until("a slow run", slow_run).expect("slow runs end");
    let runs = succeeded(&sandbox, "quick");
    assert!(runs.len() >= 4, "{} quick runs beside the slow ones", runs.len());
    let longest = runs.iter().filter_map(|run| run["durationMs"].as_u64()).max();
    assert!(longest < Some(3_000), "{runs:#?}");
}

#[test]
fn a_reader_of_the_log_that_goes_away_or_stands_still_holds_up_nothing() {
    for goes_away in [true, false] {
        let sandbox = ticking(&[]);
        let mut command = sandbox.command();
        // Everything is logged: some seconds of it are more than a pipe holds.
        command.args(["serve", "--listen", "127.0.0.1:0"]).env("MANGROVE_LOG", "trace");
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let reader = child.stderr.take();
        let reader = if goes_away { None } else { reader };
        let first = until("a run", || succeeded(&sandbox, "quick").len().checked_sub(1)).expect("the workflow runs");
        let later = until("later runs", || (succeeded(&sandbox, "quick").len() > first + 4).then_some(()));
        later.expect("it goes on running");
        sandbox.write("extensions/models/new.ts", &model("@acme/new"));
        settles(&sandbox, "extensions/models/new.ts", is_type("@acme/new"));
        let status = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        assert!(status.expect("`kill` starts").success());
        let ended = until("the end", || child.try_wait().expect("a process"));
        assert_eq!(ended.expect("it ends").code(), Some(0));
        drop(reader);
    }
}

#[test]
fn a_source_that_hangs_keeps_no_other_from_being_saved_again() {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/good.ts", &model("@acme/first"));
    let _serving = Serving::start(&sandbox, &["--rescan", "1h"]);
    settles(&sandbox, "extensions/models/good.ts", is_type("@acme/first"));
    sandbox.write("extensions/models/hangs.ts", "for (;;) {}\nexport const model = { type: \"@acme/hangs\" };\n");
    sandbox.write("extensions/models/good.ts", &model("@acme/second"));
    settles(&sandbox, "extensions/models/good.ts", is_type("@acme/second"));
    let start = Instant::now();
    sandbox.write("extensions/models/good.ts", &model("@acme/third"));
    settles(&sandbox, "extensions/models/good.ts", is_type("@acme/third"));
    let waited = start.elapsed();
    assert!(waited < Duration::from_secs(5), "{waited:?}, as long as the other one is allowed to hang");
}

/// A workflow that runs every second and by request, and greets with this name.
fn both(greeting: &str) -> String {
    format!(
        "id: 00000000-1111-4111-8111-111111111113
name: both
trigger:
  schedule: '* * * * * *'
  webhook: {{ route: both, secret: '@env=HOOK' }}
jobs:
  - name: only
    steps:
      - name: {greeting}
        task: {{ type: model_method, modelIdOrName: quick, methodName: greet, inputs: {{ name: x }} }}
"
    )
}

/// Waits for a run of `both` that this trigger started and that is as it should be.
fn ran(sandbox: &Sandbox, trigger: &str, is_right: impl Fn(&Value) -> bool) -> Value {
    let found = || {
        let listed = sandbox.json(&["run", "list", "both", "--limit", "5"]);
        let ids = listed["runs"].as_array().expect("runs").clone();
        let shown = ids.iter().map(|run| sandbox.json(&["run", "show", run["runId"].as_str().expect("an identifier")]));
        shown.into_iter().find(|run| run["trigger"] == trigger && run["status"] == "succeeded" && is_right(run))
    };
    until("a run", found).unwrap_or_else(|| panic!("no such run by {trigger}"))
}

#[test]
fn fault_48_a_workflow_whose_file_is_broken_goes_on_as_it_was_and_says_so() {
    let sandbox = ticking(&[]);
    sandbox.write("workflows/both.yaml", &both("first"));
    sandbox.write("workflows/workflow-never.yaml", "name: [\n");
    let mut command = sandbox.command();
    command.env("HOOK", "secret");
    let serving = Serving::start_with(command, &["--rescan", "1h"]);
    let step = |run: &Value| run["jobs"][0]["steps"][0]["name"].clone();
    let ran_first = |run: &Value| run["fileProblem"].is_null() && step(run) == "first";
    ran(&sandbox, "schedule", ran_first);
    let schedules = || serde_json::from_str::<Value>(&serving.ask("GET", "/api/v1/schedules", None).1).expect("JSON");
    assert_eq!(schedules()["broken"][0]["path"], "workflows/workflow-never.yaml", "it never was in order");

    // A mistake in the trigger, and one that leaves nothing of the file.
    for mistaken in [both("second").replace("trigger:", "trigger:\n  overlap: sometimes"), "{".to_owned()] {
        sandbox.write("workflows/both.yaml", &mistaken);
        let as_before = |run: &Value| {
            let problem = run["fileProblem"]["message"].as_str();
            problem.is_some_and(|message| message.starts_with("workflows/both.yaml")) && step(run) == "first"
        };
        ran(&sandbox, "schedule", as_before);
        let shown = schedules();
        let known = shown["schedules"].as_array().expect("schedules");
        let known = known.iter().find(|known| known["name"] == "both").expect("it goes on");
        assert_eq!(known["problem"]["path"], "workflows/both.yaml", "{shown:#}");
        assert!(!known["nextRun"].is_null());
    }
    let (status, answer) = serving.send("POST", "/hooks/both", &signature("secret", "{}"), "{}");
    assert_eq!(status, 202, "{answer}");
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let id = answer["runId"].as_str().expect("a run").to_owned();
    let ended = || Some(sandbox.json(&["run", "show", &id])).filter(|run| !run["finishedAt"].is_null());
    let run = until("the end", ended).expect("the run ends");
    assert_eq!((&run["status"], step(&run)), (&"succeeded".into(), "first".into()), "{run:#}");
    assert!(!run["fileProblem"].is_null(), "{run:#}");
    let says_so =
        |event: &Value| event["message"].as_str().is_some_and(|text| text.contains("as it was last in order"));
    serving.logs("that it is not the file that runs", says_so);

    sandbox.write("workflows/both.yaml", &both("third"));
    ran(&sandbox, "schedule", |run| run["fileProblem"].is_null() && step(run) == "third");
}

#[test]
fn fault_48_a_workflow_whose_file_is_broken_goes_on_after_a_restart_and_one_that_is_gone_does_not() {
    let sandbox = ticking(&[]);
    sandbox.write("workflows/both.yaml", &both("first"));
    sandbox.write("workflows/gone.yaml", &both("gone").replace("113", "114").replace("both", "gone"));
    let command = || {
        let mut command = sandbox.command();
        command.env("HOOK", "secret");
        command
    };
    let step = |run: &Value| run["jobs"][0]["steps"][0]["name"].clone();
    {
        let _serving = Serving::start_with(command(), &["--rescan", "1h"]);
        ran(&sandbox, "schedule", |run| step(run) == "first");
        // It was written when its schedules were read.
        until("what is kept", || sandbox.tree.path(".mangrove/last-good-workflows").exists().then_some(()));
    }
    sandbox.write("workflows/both.yaml", "{");
    std::fs::remove_file(sandbox.tree.path("workflows/gone.yaml")).expect("removed");

    let serving = Serving::start_with(command(), &["--rescan", "1h"]);
    let as_before = |run: &Value| {
        let problem = run["fileProblem"]["message"].as_str();
        problem.is_some_and(|message| message.starts_with("workflows/both.yaml")) && step(run) == "first"
    };
    ran(&sandbox, "schedule", as_before);
    let shown: Value = serde_json::from_str(&serving.ask("GET", "/api/v1/schedules", None).1).expect("JSON");
    let known = shown["schedules"].as_array().expect("schedules");
    let names: Vec<&str> = known.iter().filter_map(|known| known["name"].as_str()).collect();
    assert!(names.contains(&"both") && !names.contains(&"gone"), "{shown:#}");
    let kept = known.iter().find(|known| known["name"] == "both").expect("it goes on");
    assert_eq!(kept["problem"]["path"], "workflows/both.yaml", "{shown:#}");
    let (status, answer) = serving.send("POST", "/hooks/both", &signature("secret", "{}"), "{}");
    assert_eq!(status, 202, "its route is there, too: {answer}");

    sandbox.write("workflows/both.yaml", &both("second"));
    ran(&sandbox, "schedule", |run| run["fileProblem"].is_null() && step(run) == "second");
}

#[test]
fn fault_39_runs_of_a_daemon_that_was_killed_are_told_as_interrupted_with_what_they_had_logged() {
    let sandbox = ticking(&["slow"]);
    let pause =
        "context.logger.info(\"it begins\"); await new Promise((go) => setTimeout(go, 60000)); context.logger.info";
    sandbox.write("extensions/models/waits.ts", &model("@acme/waits").replace("context.logger.info", pause));
    let mut serving = Serving::start(&sandbox, &[]);
    let slow = || {
        let listed = sandbox.json(&["run", "list", "slow-workflow", "--limit", "1"]);
        listed["runs"][0]["runId"].as_str().map(str::to_owned)
    };
    let id = until("a slow run", slow).expect("it begins");
    let logged = || sandbox.json(&["run", "logs", &id])["lines"].get(0).cloned();
    until("its first line", logged).expect("it is on record while the step goes on");
    serving.signal("KILL");
    assert_eq!(serving.wait().code(), None);

    let told = || sandbox.json(&["run", "show", &id]);
    let run = told();
    let step = &run["jobs"][0]["steps"][0];
    assert_eq!((&run["status"], &step["status"]), (&"interrupted".into(), &"interrupted".into()), "{run:#}");
    assert_eq!(step["logs"][0]["text"], "it begins", "{run:#}");
    assert!(run["durationMs"].as_u64().is_some_and(|duration| duration < 60_000), "{run:#}");
    assert_eq!(run["error"]["code"], "MG0710");

    let again = Serving::start(&sandbox, &[]);
    let told_of = again.logs("the interrupted runs", |event| event["runs"].as_u64().is_some_and(|runs| runs > 0));
    assert_eq!(told_of["level"], "WARN", "{told_of}");
    assert_eq!(told()["status"], "interrupted", "written down as it was shown");
}

/// How often the log has a warning or an error with this text somewhere.
fn times_said(serving: &Serving, text: &str) -> usize {
    let log = serving.log.lock().expect("the log");
    log.iter().filter(|event| event["level"] != "INFO" && event.to_string().contains(text)).count()
}

#[test]
fn a_state_directory_that_is_removed_is_made_again_and_everything_goes_on() {
    let sandbox = ticking(&[]);
    let serving = Serving::start(&sandbox, &["--rescan", "2s"]);
    let ran = || succeeded(&sandbox, "quick").len().checked_sub(1);
    until("a run", ran).expect("the workflow runs");
    // At once: what is removed file by file may be made again in between.
    let removed = sandbox.tree.path(".removed");
    std::fs::rename(sandbox.tree.path(".mangrove"), &removed).expect("moved");
    std::fs::remove_dir_all(&removed).expect("removed");
    settles(&sandbox, "extensions/models/quick.ts", is_type("@acme/quick"));
    until("a run on the new history", ran).expect("the schedule goes on");
    let is_there = |path: &str| sandbox.tree.path(path).exists();
    assert!(is_there(".mangrove/.gitignore") && is_there(".mangrove/runs.db"));
    let (_, types) = serving.ask("GET", "/api/v1/types", None);
    assert!(types.contains("@acme/quick"), "{types}");
    assert_eq!(times_said(&serving, "opened again"), 1, "{:#?}", serving.log.lock().expect("the log"));
}

#[test]
fn a_repository_that_is_renamed_away_is_told_once_and_nothing_is_made_in_its_place() {
    let sandbox = ticking(&[]);
    let serving = Serving::start(&sandbox, &["--rescan", "1s"]);
    until("a run", || succeeded(&sandbox, "quick").len().checked_sub(1)).expect("the workflow runs");
    let (root, away) = (sandbox.tree.root(), sandbox.tree.root().with_extension("away"));
    std::fs::rename(&root, &away).expect("renamed");
    serving.logs("that it is gone", |event| event.to_string().contains("cannot be looked at"));
    // Several looks, and several instants of the schedule.
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(4) {
        let (status, body) = serving.ask("POST", "/api/v1/scan", None);
        assert!(status >= 500, "{status}: {body}");
    }
    let is_made = root.exists();
    let said = times_said(&serving, "cannot be looked at");
    std::fs::rename(&away, &root).expect("renamed back");
    assert!(!is_made, "something was made in its old place");
    assert_eq!(said, 1, "{:#?}", serving.log.lock().expect("the log"));
    // Nobody asks for a scan, and there is nothing to do.
    let is_ready = || (serving.ask("GET", "/readyz", None).0 == 200).then_some(());
    until("that it is ready", is_ready).expect("it is ready again");
    let known = succeeded(&sandbox, "quick").len();
    until("more runs", || succeeded(&sandbox, "quick").len().checked_sub(known + 1)).expect("it goes on");
    sandbox.write("extensions/models/new.ts", &model("@acme/new"));
    settles(&sandbox, "extensions/models/new.ts", is_type("@acme/new"));
}

#[test]
fn a_directory_that_the_pattern_of_a_mount_matches_is_live_when_it_comes() {
    let around = Sandbox::new("");
    around.write("exts/first/extensions/models/first.ts", &model("@acme/first"));
    let sandbox = Sandbox::new("");
    let pattern = around.tree.root().join("exts").join("*");
    sandbox.write(".swamp-sources.yaml", &format!("sources:\n  - path: '{}'\n", pattern.display()));
    let serving = Serving::start(&sandbox, &["--rescan", "1h"]);
    let is_there = |type_name: &'static str| {
        let listed = || serving.ask("GET", "/api/v1/types", None).1.contains(type_name).then_some(());
        assert!(until(type_name, listed).is_some(), "{type_name} is not there");
    };
    is_there("@acme/first");
    around.write("exts/second/extensions/models/second.ts", &model("@acme/second"));
    is_there("@acme/second");
}

#[test]
fn what_happens_to_schedules_is_told_in_the_stream_of_events() {
    let sandbox = ticking(&["slow"]);
    let serving = Serving::start(&sandbox, &["--time-zone", "Asia/Tokyo"]);
    let mut stream = TcpStream::connect(serving.address).expect("a connection");
    stream.set_read_timeout(Some(LONG)).expect("a time-out");
    let request = "GET /api/v1/events?only=schedule HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: none\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("sent");
    let mut told = Vec::new();
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        if let Some(event) = line.strip_prefix("data: ").and_then(|data| serde_json::from_str::<Value>(data).ok()) {
            told.push((event["workflow"].clone(), event["what"].clone()));
        }
        let is_told = |name: &str, what: &str| told.iter().any(|(workflow, word)| workflow == name && word == what);
        let wanted = [("quick-workflow", "fired"), ("quick-workflow", "ended"), ("slow-workflow", "skipped")];
        if wanted.iter().all(|(name, what)| is_told(name, what)) {
            break;
        }
        assert!(told.len() < 1_000, "{told:?}");
    }
    let shown: Value = serde_json::from_str(&serving.ask("GET", "/api/v1/schedules", None).1).expect("JSON");
    assert_eq!(shown["schedules"][0]["timezone"], "Asia/Tokyo", "{shown:#}");
}

#[test]
fn runs_of_webhooks_that_go_on_and_wait_are_shown() {
    let sandbox = ticking(&["slow"]);
    let hook = "trigger:\n  webhook: { route: slow, secret: '@env=HOOK' }";
    sandbox.edit("workflows/slow.yaml", "trigger: { schedule: '* * * * * *' }", hook);
    let mut command = sandbox.command();
    command.env("HOOK", "secret");
    let serving = Serving::start_with(command, &["--parallel-runs", "1"]);
    let shown = || {
        let shown: Value = serde_json::from_str(&serving.ask("GET", "/api/v1/schedules", None).1).expect("JSON");
        shown["webhooks"].get(0).cloned()
    };
    let known = until("the route", shown).expect("the route is known");
    assert_eq!((&known["route"], &known["name"]), (&"slow".into(), &"slow-workflow".into()), "{known:#}");
    thread::scope(|scope| {
        for body in ["1", "2"] {
            let serving = &serving;
            scope.spawn(move || {
                let (status, answer) = serving.send("POST", "/hooks/slow", &signature("secret", body), body);
                assert_eq!(status, 202, "{answer}");
            });
        }
        let is_queued =
            |route: &Value| route["running"].as_array().is_some_and(|runs| runs.len() == 1) && route["waiting"] == 1;
        until("one that waits", || shown().filter(is_queued)).unwrap_or_else(|| panic!("{:#?}", shown()));
    });
}
