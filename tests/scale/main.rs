//! Several checkouts of one repository that share a catalog on a real PostgreSQL server, as a black box.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use mangrove_testkit::postgres::PostgresServer;
use serde_json::Value;
use tempfile::TempDir;

/// Part of every address, and of nothing that is printed.
const PASSWORD: &str = "do-not-show-me";

/// A checkout, and what its commands are given.
struct Checkout {
    directory: PathBuf,
    catalog: String,
}

/// What a command did.
#[derive(Debug)]
struct Output {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Checkout {
    /// A repository as `init` makes it, with a catalog at this address.
    fn new(directory: PathBuf, catalog: &str) -> Self {
        let made = Self { directory: directory.parent().expect("a parent").to_owned(), catalog: String::new() };
        let name = directory.file_name().expect("a name").to_str().expect("UTF-8");
        made.succeed(&["init", name]);
        Self { directory, catalog: catalog.to_owned() }
    }

    /// Another checkout of the same commit.
    fn cloned(&self, directory: PathBuf) -> Self {
        copy(&self.directory, &directory);
        Self { directory, catalog: self.catalog.clone() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mangrove"));
        command.env_clear().current_dir(&self.directory).args(arguments).stdin(Stdio::null());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        if !self.catalog.is_empty() {
            command.env("MANGROVE_CATALOG", &self.catalog);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let output = Output { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
        assert!(!format!("{output:?}").contains(PASSWORD), "a password is shown: {output:?}");
        output
    }

    fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.code, Some(0), "{arguments:?}: {output:?}");
        output.stdout
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.succeed(&[arguments, &["--json"]].concat())).expect("a document")
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            // What git does not keep.
            if entry.file_name() != ".mangrove" {
                copy(&entry.path(), &target);
            }
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// The address of a new database, with a password, which the server does not ask for.
fn address(server: &PostgresServer) -> String {
    server.fresh_url().replacen("postgres://mangrove@", &format!("postgres://mangrove:{PASSWORD}@"), 1)
}

#[test]
fn two_checkouts_share_one_catalog() {
    let (server, place) = (PostgresServer::start(), TempDir::new().expect("a directory"));
    let one = Checkout::new(place.path().join("one"), &address(&server));
    let scanned = one.json(&["scan"]);
    assert_eq!(scanned["summary"]["built"].as_u64(), Some(scanned["summary"]["inspected"].as_u64().expect("a number")));
    let other = one.cloned(place.path().join("other"));
    // What is there is seen at once; its code is built where it runs.
    for checkout in [&one, &other] {
        assert!(checkout.succeed(&["types"]).contains("@local/greeter"));
        assert!(checkout.succeed(&["describe", "@local/greeter"]).contains("greet"));
        assert!(checkout.succeed(&["why", "@local/greeter"]).contains("@local/greeter"));
        assert!(!checkout.directory.join(".mangrove/catalog.db").exists(), "there is no second catalog");
    }
    other.succeed(&["scan", "--strict"]);
    one.succeed(&["scan", "--strict"]);
    for checkout in [&one, &other] {
        checkout.succeed(&["workflow", "run", "hello"]);
        checkout.succeed(&["doctor"]);
    }
    // A change that one of them scans is known to the other.
    let model = other.directory.join("extensions/models/greeter.ts");
    let text = fs::read_to_string(&model).expect("the model").replace("@local/greeter", "@local/welcomer");
    fs::write(&model, &text).expect("written");
    other.succeed(&["scan"]);
    assert!(one.succeed(&["types"]).contains("@local/welcomer"));
    assert_eq!(
        one.json(&["scan"])["summary"]["states"]["Indexed"],
        other.json(&["scan"])["summary"]["states"]["Indexed"]
    );
}

#[test]
fn commands_without_their_database_say_so_and_may_be_repeated() {
    let (mut server, place) = (PostgresServer::start(), TempDir::new().expect("a directory"));
    let checkout = Checkout::new(place.path().join("one"), &address(&server));
    checkout.succeed(&["scan"]);
    server.stop();
    for command in [&["scan"][..], &["types"], &["why", "@local/greeter"]] {
        let failed = checkout.run(command);
        assert_eq!(failed.code, Some(75), "{command:?}: {failed:?}");
        assert!(failed.stderr.contains("MG0506") && failed.stderr.contains("hint:"), "{failed:?}");
    }
    let doctor = checkout.run(&["doctor"]);
    assert!(doctor.code != Some(0) && format!("{doctor:?}").contains("MG0506"), "{doctor:?}");
    server.start_again();
    checkout.succeed(&["types"]);
    checkout.succeed(&["scan"]);
}

#[test]
fn one_role_makes_the_tables_and_another_runs() {
    let (server, place) = (PostgresServer::start(), TempDir::new().expect("a directory"));
    let database = server.create_database();
    server.sql(&database, "CREATE ROLE runner LOGIN");
    let mut checkout = Checkout::new(place.path().join("one"), &server.url_as("runner", &database));
    let refused = checkout.run(&["scan"]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.stderr.contains("MG0507") && refused.stderr.contains("mangrove catalog migrate"), "{refused:?}");
    checkout.catalog = server.url(&database);
    checkout.succeed(&["catalog", "migrate", "--grant", "runner"]);
    checkout.catalog = server.url_as("runner", &database);
    checkout.succeed(&["scan", "--strict"]);
    let file = place.path().join("copy.db");
    for command in [&["catalog", "backup", file.to_str().expect("UTF-8")][..], &["catalog", "rebuild"]] {
        let refused = checkout.run(command);
        assert_eq!(refused.code, Some(2), "{command:?}: {refused:?}");
        assert!(refused.stderr.contains("MG0508") && refused.stderr.contains("pg_dump"), "{refused:?}");
    }
    assert!(checkout.succeed(&["types"]).contains("@local/greeter"), "nothing was changed");
    checkout.catalog = String::new();
    checkout.succeed(&["catalog", "migrate"]);
    assert!(checkout.directory.join(".mangrove/catalog.db").exists(), "a catalog that is a file");
    let refused = checkout.run(&["catalog", "migrate", "--grant", "runner"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
}

#[test]
fn the_setting_is_checked_and_shown_without_its_password() {
    let place = TempDir::new().expect("a directory");
    let mut checkout = Checkout::new(place.path().join("one"), "");
    let marker = checkout.directory.join("mangrove.yaml");
    let shown = |checkout: &Checkout| {
        let document = checkout.json(&["serve", "--check"]);
        let settings = document["settings"].as_array().expect("settings").clone();
        let setting = settings.into_iter().find(|setting| setting["key"] == "catalog").expect("the catalog");
        (setting["value"].as_str().expect("a text").to_owned(), setting["source"].as_str().expect("a text").to_owned())
    };
    assert_eq!(shown(&checkout).1, "default");
    let text = fs::read_to_string(&marker).expect("a marker");
    fs::write(&marker, format!("catalog: postgres://ada:{PASSWORD}@db.invalid/mangrove\n{text}")).expect("written");
    assert_eq!(shown(&checkout), ("postgres://ada@db.invalid:5432/mangrove".to_owned(), "mangrove.yaml:1".to_owned()));
    checkout.catalog = format!("postgres://eve:{PASSWORD}@other.invalid:5433/x");
    assert_eq!(shown(&checkout), ("postgres://eve@other.invalid:5433/x".to_owned(), "MANGROVE_CATALOG".to_owned()));
    for wrong in ["catalog.db".to_owned(), format!("postgres://ada:{PASSWORD}@db:port/x")] {
        checkout.catalog = wrong;
        for command in [&["serve", "--check"][..], &["scan"], &["types"], &["catalog", "migrate"]] {
            let refused = checkout.run(command);
            assert_eq!(refused.code, Some(2), "{command:?}: {refused:?}");
            assert!(refused.stderr.contains("MANGROVE_CATALOG"), "{refused:?}");
        }
    }
}

/// A daemon that is killed with its test.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Daemon {
    /// Starts one and gives its address.
    fn start(checkout: &Checkout) -> (Self, String) {
        let mut command = checkout.command(&["serve", "--listen", "127.0.0.1:0", "--log-format", "json"]);
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let lines = BufReader::new(process.stderr.take().expect("a pipe")).lines();
        let mut address = None;
        let mut lines = lines.map_while(Result::ok);
        for line in lines.by_ref() {
            let line: Value = serde_json::from_str(&line).unwrap_or_default();
            let fields = if line["fields"].is_object() { &line["fields"] } else { &line };
            if let Some(found) = fields["address"].as_str() {
                address = Some(format!("http://{found}"));
            }
            if fields["message"] == "ready" || line["message"] == "ready" {
                break;
            }
        }
        // It must not wait for somebody who reads what it says.
        std::thread::spawn(move || lines.for_each(drop));
        (Self(process), address.expect("it says where it listens"))
    }
}

#[test]
fn a_daemon_without_its_database_goes_on_resolving_and_running() {
    let (mut server, place) = (PostgresServer::start(), TempDir::new().expect("a directory"));
    let checkout = Checkout::new(place.path().join("one"), &address(&server));
    checkout.succeed(&["scan"]);
    let (_daemon, listening) = Daemon::start(&checkout);
    let asking = Checkout { directory: place.path().to_owned(), catalog: String::new() };
    let ask = |arguments: &[&str]| asking.succeed(&[&["--server", &listening], arguments].concat());
    assert!(ask(&["types"]).contains("@local/greeter"));
    server.stop();
    for _ in 0..2 {
        assert!(ask(&["types"]).contains("@local/greeter"), "it knows what it knew");
        ask(&["workflow", "run", "hello"]);
    }
    server.start_again();
    // What happened meanwhile elsewhere is seen.
    let other = checkout.cloned(place.path().join("other"));
    let model = other.directory.join("extensions/models/greeter.ts");
    let text = fs::read_to_string(&model).expect("the model").replace("@local/greeter", "@local/welcomer");
    fs::write(other.directory.join("extensions/models/welcomer.ts"), text).expect("written");
    other.succeed(&["scan"]);
    let seen = (0..600).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        ask(&["types", "--all"]).contains("@local/welcomer")
    });
    assert!(seen, "it catches up by itself");
}

/// Two nodes with different checkouts: both say so, and name what differs.
#[test]
fn nodes_with_different_checkouts_name_both_commits_and_the_files() {
    let (server, place) = (PostgresServer::start(), TempDir::new().expect("a directory"));
    let one = Checkout::new(place.path().join("one"), &address(&server));
    let at = |checkout: &Checkout, commit: &str| {
        fs::create_dir_all(checkout.directory.join(".git")).expect("a directory");
        fs::write(checkout.directory.join(".git/HEAD"), commit.repeat(20)).expect("written");
    };
    at(&one, "1a");
    one.succeed(&["scan"]);
    let two = one.cloned(place.path().join("two"));
    at(&two, "2b");
    let (_one, listening) = Daemon::start(&one);
    let (_two, _) = Daemon::start(&two);
    let page = |expected: bool| {
        let answer = |path: &str| {
            let output = Command::new("curl").args(["--silent", &format!("{listening}{path}")]).output();
            String::from_utf8(output.expect("`curl` runs").stdout).expect("UTF-8")
        };
        (0..300).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(100));
            answer("/problems").contains("commit 2b2b2b2b2b2b") == expected
        })
    };
    one.succeed(&["doctor"]);
    let model = two.directory.join("extensions/models/greeter.ts");
    let text = fs::read_to_string(&model).expect("the model");
    fs::write(&model, format!("{text}// another one\n")).expect("written");
    assert!(page(true), "the dashboard does not say so");
    let doctor = one.run(&["doctor"]);
    assert_eq!(doctor.code, Some(1), "{doctor:?}");
    for part in ["MG0509", "commit 1a1a1a1a1a1a", "commit 2b2b2b2b2b2b", "extensions/models/greeter.ts"] {
        assert!(doctor.stderr.contains(part), "{part} is not in {doctor:?}");
    }
    fs::write(&model, text).expect("written");
    assert!(page(false), "it does not go away");
}
