//! A daemon, and what is asked of it.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use mangrove_testkit::namespaces::Namespace;
use serde_json::Value;

use crate::checkout::{Checkout, Output};

/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_mins(1);

/// A daemon that is killed with its test.
pub(crate) struct Daemon<'a> {
    process: Child,
    log: Arc<Mutex<Vec<Value>>>,
    server: String,
    /// What asks it is in its network, and nothing else of it: neither its checkout nor its catalog.
    namespace: Option<&'a Namespace>,
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl<'a> Daemon<'a> {
    /// Starts one and waits until it is ready. It looks at its sources by itself only when something changes.
    pub(crate) fn start(checkout: &Checkout<'a>) -> Self {
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--log-format", "json", "--rescan", "1h"];
        let mut command = checkout.command(&arguments);
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let lines = BufReader::new(process.stderr.take().expect("a pipe")).lines();
        let log: Arc<Mutex<Vec<Value>>> = Arc::default();
        let kept = Arc::clone(&log);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().expect("the log").push(serde_json::from_str(&line).unwrap_or(Value::String(line)));
            }
        });
        let mut daemon = Self { process, log, server: String::new(), namespace: checkout.namespace };
        let listening = daemon.logged("listening");
        daemon.server = format!("http://{}", listening["address"].as_str().expect("it says where it listens"));
        daemon.logged("ready");
        daemon
    }

    /// Where it answers.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// Waits for an event of the log with this message.
    fn logged(&self, message: &str) -> Value {
        let found = || self.log().into_iter().find(|event| event["message"] == message);
        until(LONG, found).unwrap_or_else(|| panic!("nobody said {message:?}: {:#?}", self.log()))
    }

    /// Everything that it said so far.
    pub(crate) fn log(&self) -> Vec<Value> {
        self.log.lock().expect("the log").clone()
    }

    /// Runs a command against it.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let asking = Checkout { namespace: self.namespace, ..Checkout::at(&std::env::temp_dir()) };
        asking.run(&[&["--server", &self.server], arguments].concat())
    }

    /// The same for one that must end well.
    pub(crate) fn ask(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.code, Some(0), "{arguments:?}: {output:?}\n{:#?}", self.log());
        output.stdout
    }

    /// All sources that it knows of, as text.
    pub(crate) fn types(&self) -> String {
        self.ask(&["types", "--all"])
    }

    /// What it says of the source of this path; nothing if it knows none.
    pub(crate) fn row(&self, path: &str) -> Value {
        // Of a daemon that knows nothing yet, this is an error.
        let types: Value = serde_json::from_str(&self.run(&["types", "--all", "--json"]).stdout).unwrap_or_default();
        let rows = types["types"].as_array().cloned().unwrap_or_default();
        rows.into_iter().find(|row| row["path"] == path).unwrap_or_default()
    }

    /// Waits until what it says of a source is as it should be; gives how long that took.
    pub(crate) fn settles(&self, path: &str, limit: Duration, is_right: impl Fn(&Value) -> bool) -> Duration {
        let start = Instant::now();
        let settled = until(limit, || is_right(&self.row(path)).then(|| start.elapsed()));
        settled.unwrap_or_else(|| panic!("{path} is still {:#}\n{:#?}", self.row(path), self.log()))
    }
}

/// Asks again and again, until there is an answer or it took too long.
pub(crate) fn until<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        match ask() {
            Some(answer) => return Some(answer),
            None if start.elapsed() > limit => return None,
            None => thread::sleep(Duration::from_millis(50)),
        }
    }
}
