//! A repository in a temporary directory and the program to use on it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use mangrove_testkit::{
    corpus::{Corpus, Expected},
    fixture::Tree,
};
use serde_json::Value;

/// A repository. Its state lies in `.mangrove/` inside of it.
pub(crate) struct Sandbox {
    pub(crate) tree: Tree,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Output {
    /// The exit code; -1 if a signal ended it.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Sandbox {
    /// The files of a fixture text, and a marker if they have none.
    pub(crate) fn new(fixture: &str) -> Self {
        let tree = Tree::new(fixture).expect("the fixture can be written");
        if !tree.path("mangrove.yaml").exists() && !tree.path(".swamp.yaml").exists() {
            tree.write("mangrove.yaml", "repoId: 00000000-0000-4000-8000-000000000001\n").expect("a marker");
        }
        Self { tree }
    }

    /// A generated repository, and what a scan must make of it.
    pub(crate) fn corpus(corpus: Corpus) -> (Self, Vec<Expected>) {
        let tree = Tree::new("").expect("a directory");
        let expected = corpus.write(&tree.root()).expect("the corpus can be written");
        (Self { tree }, expected)
    }

    /// A copy of a directory of the project.
    pub(crate) fn copy_of(directory: &str) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(directory);
        let tree = Tree::new("").expect("a directory");
        for path in files_below(&source) {
            let relative = path.strip_prefix(&source).expect("below the source").to_str().expect("a name in UTF-8");
            if !relative.starts_with(".mangrove/") {
                tree.write(relative, fs::read(&path).expect("a file of the project")).expect("a copy");
            }
        }
        Self { tree }
    }

    /// The program, ready to be given arguments, in the repository and with an empty environment but for `PATH`.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mangrove"));
        self.prepare(&mut command);
        command
    }

    /// Clears the environment of a command and points it at the repository.
    pub(crate) fn prepare(&self, command: &mut Command) {
        command.env_clear().current_dir(self.tree.root()).stdin(Stdio::null());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
    }

    /// Runs the program.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let output = self.command().args(arguments).output().expect("the program starts");
        Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
        }
    }

    /// Runs the program on a terminal on which this is typed. What it prints there, on either stream, is `stdout`; a terminal
    /// ends lines with a carriage return as well.
    pub(crate) fn run_on_terminal(&self, arguments: &[&str], typed: &str) -> Output {
        let line = [&[env!("CARGO_BIN_EXE_mangrove")], arguments].concat();
        let line = line.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect::<Vec<_>>().join(" ");
        let mut command = Command::new("script");
        self.prepare(&mut command);
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("`script` starts");
        let mut keyboard = child.stdin.take().expect("a pipe");
        // Nobody reads it if nothing is asked.
        let _ = keyboard.write_all(typed.as_bytes());
        let output = child.wait_with_output().expect("it ends");
        drop(keyboard);
        Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Starts the program and does not wait for it.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command()
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts")
    }

    /// Runs the program, which must end with 0, and gives its JSON document.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(output.code, 0, "{arguments:?}: {output}");
        output.document()
    }

    /// `scan --json --all` with further arguments; the exit code must be 0.
    pub(crate) fn scan(&self, arguments: &[&str]) -> Scan {
        Scan(self.json(&[&["scan", "--all"], arguments].concat()))
    }

    /// Changes a file: `from` must occur in it, and becomes `to`.
    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) {
        let text = self.tree.read(path).expect("the file to edit");
        assert!(text.contains(from), "{path} does not contain {from:?}");
        self.write(path, &text.replacen(from, to, 1));
    }

    /// Writes a file.
    pub(crate) fn write(&self, path: &str, text: &str) {
        self.tree.write(path, text).unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    /// The bundles of extensions in the store, vendors apart, sorted.
    pub(crate) fn bundles(&self) -> Vec<PathBuf> {
        let store = self.tree.path(".mangrove/bundles");
        let vendors = store.join("vendor");
        let is_bundle = |path: &PathBuf| !path.starts_with(&vendors) && path.extension().is_some_and(|end| end == "js");
        files_below(&store).into_iter().filter(is_bundle).collect()
    }

    /// Every file below the state directory with its bytes.
    pub(crate) fn state(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let files = files_below(&self.tree.path(".mangrove"));
        files.into_iter().map(|path| (path.clone(), fs::read(&path).expect("a state file"))).collect()
    }
}

impl Output {
    /// Standard output as one JSON document.
    pub(crate) fn document(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON document ({error}): {self}"))
    }

    /// Standard output as JSON lines.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let parse =
            |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line:?} ({error}): {self}"));
        self.stdout.lines().map(parse).collect()
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "exit code {}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

/// The document of `scan --json --all`.
pub(crate) struct Scan(pub(crate) Value);

impl Scan {
    /// How many build attempts were started.
    pub(crate) fn built(&self) -> u64 {
        self.count("built")
    }

    /// A number of the summary.
    pub(crate) fn count(&self, key: &str) -> u64 {
        self.0["summary"][key].as_u64().unwrap_or_else(|| panic!("no number summary.{key}: {}", self.0["summary"]))
    }

    /// State by path, of every source that has a row.
    pub(crate) fn states(&self) -> BTreeMap<String, String> {
        let state = |source: &Value| Some((text(source, "path")?, text(source, "state")?));
        self.sources().iter().filter_map(state).collect()
    }

    /// The paths whose verdict has this name.
    pub(crate) fn with_verdict(&self, verdict: &str) -> BTreeSet<String> {
        let sources = self.sources().iter().filter(|source| source["verdict"] == verdict);
        sources.filter_map(|source| text(source, "path")).collect()
    }

    /// What the scan says of one path.
    pub(crate) fn source(&self, path: &str) -> &Value {
        let found = self.sources().iter().find(|source| source["path"] == path);
        found.unwrap_or_else(|| panic!("the scan says nothing of {path}: {:#}", self.0))
    }

    fn sources(&self) -> &[Value] {
        self.0["sources"].as_array().unwrap_or_else(|| panic!("no sources: {}", self.0))
    }
}

fn text(value: &Value, key: &str) -> Option<String> {
    value[key].as_str().map(str::to_owned)
}

/// Every file below a directory, sorted; none if it does not exist.
pub(crate) fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries {
            let path = entry.expect("a directory entry").path();
            if path.is_dir() { directories.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// True if a program is on this machine under the name of its Debian package. Where it is not, continuous integration
/// fails, and anybody else is told what stays unchecked.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) fn has_program(program: &str, unchecked: &str) -> bool {
    let is_there = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !is_there {
        let remedy = format!("`{program}` is missing; install it, on Debian with `apt-get install {program}`");
        assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "{remedy}");
        eprintln!("SKIPPED: not checked: {unchecked}. {remedy}");
    }
    is_there
}
