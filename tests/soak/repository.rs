//! A repository in a temporary directory, and the program used on it, never without a bound on its time.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::{self, File},
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use mangrove_testkit::corpus::{Corpus, Expected};
use serde_json::Value;

/// Longer than any command of the drills needs; one that needs more hangs.
pub(crate) const TIME_LIMIT: Duration = Duration::from_mins(2);

/// The program that is drilled, where it is not the one that was built with the drills.
pub(crate) static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

const DEFINITION: &str = "id: 7f9c24e5-2f64-4c1e-8f0b-9c8b7d6e5a41\nname: greeter\nversion: 1\nmethods: {}\n";

const WORKFLOW: &str = "id: 5b1f0a3e-2f64-4c1e-8f0b-9c8b7d6e5a41
name: hello
version: 1
jobs:
  - name: only
    steps:
      - name: greet
        task: { type: model_method, modelIdOrName: greeter, methodName: greet, inputs: { name: world } }
";

/// A repository with its state in `.mangrove/`. Removed with this value.
pub(crate) struct Repository {
    directory: tempfile::TempDir,
    environment: Vec<(&'static str, String)>,
}

/// A command that goes on.
pub(crate) struct Running {
    child: Child,
    line: String,
    output: tempfile::TempDir,
}

/// A command that ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) line: String,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Repository {
    /// An empty one with a model, a definition and a workflow that runs it: `hello`.
    pub(crate) fn new() -> Result<Self> {
        let repository = Self { directory: tempfile::tempdir()?, environment: Vec::new() };
        repository.write("mangrove.yaml", "repoId: 00000000-0000-4000-8000-000000000001\n")?;
        repository.add_workflow()?;
        Ok(repository)
    }

    /// A generated one beside the workflow `hello`, and what a scan makes of its sources.
    pub(crate) fn generated(corpus: Corpus) -> Result<(Self, Vec<Expected>)> {
        let repository = Self { directory: tempfile::tempdir()?, environment: Vec::new() };
        let expected = corpus.write(repository.root())?;
        repository.add_workflow()?;
        Ok((repository, expected))
    }

    fn add_workflow(&self) -> Result<()> {
        self.write("extensions/models/greeter.ts", &model("", "@drill/greeter", "hello"))?;
        self.write("models/@drill/greeter/7f9c24e5-2f64-4c1e-8f0b-9c8b7d6e5a41.yaml", DEFINITION)?;
        self.write("workflows/hello.yaml", WORKFLOW)
    }

    pub(crate) fn set_environment(&mut self, name: &'static str, value: String) {
        self.environment.push((name, value));
    }

    pub(crate) fn root(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root().join(relative)
    }

    /// Makes a directory; gives its whole path.
    pub(crate) fn make(&self, relative: &str) -> Result<String> {
        fs::create_dir_all(self.path(relative))?;
        Ok(self.path(relative).display().to_string())
    }

    pub(crate) fn write(&self, relative: &str, text: &str) -> Result<()> {
        let path = self.path(relative);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Replaces a file in one step. A file that is written in place is empty for a moment, and so no extension: a scan that looks
    /// just then lets its type go.
    pub(crate) fn replace(&self, relative: &str, text: &str) -> Result<()> {
        self.write("saving", text)?;
        fs::rename(self.path("saving"), self.path(relative)).with_context(|| format!("cannot replace {relative}"))
    }

    /// A command that is led by `prefix`, such as `ip netns exec NAME`, with a process group of its own.
    fn command(&self, prefix: &[&str], arguments: &[&str]) -> Command {
        let program = PROGRAM.get().map_or(OsStr::new(env!("CARGO_BIN_EXE_mangrove")), |path| path.as_os_str());
        let mut line: Vec<&OsStr> = prefix.iter().map(OsStr::new).collect();
        line.push(program);
        line.extend(arguments.iter().map(OsStr::new));
        let mut command = Command::new(line[0]);
        command.args(&line[1..]).current_dir(self.root()).env_clear().stdin(Stdio::null()).process_group(0);
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Result<Running> {
        self.start_under(&[], arguments)
    }

    pub(crate) fn start_under(&self, prefix: &[&str], arguments: &[&str]) -> Result<Running> {
        let output = tempfile::tempdir()?;
        let mut command = self.command(prefix, arguments);
        command.stdout(File::create(output.path().join("stdout"))?);
        command.stderr(File::create(output.path().join("stderr"))?);
        let child = command.spawn().context("cannot start the program")?;
        Ok(Running { child, line: format!("`mangrove {}`", arguments.join(" ")), output })
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<Ended> {
        self.start(arguments)?.end(TIME_LIMIT)
    }

    /// The state of each source by its path, after a scan that must succeed.
    pub(crate) fn scan(&self) -> Result<BTreeMap<String, String>> {
        let document = self.run(&["scan", "--all", "--json"])?.document()?;
        let sources = document["sources"].as_array().context("the scan lists no sources")?;
        let state = |source: &Value| Some((text(source, "path")?, text(source, "state")?));
        Ok(sources.iter().filter_map(state).collect())
    }

    /// Scans, and compares each generated source with what must be made of it.
    pub(crate) fn check(&self, expected: &[Expected]) -> Result<()> {
        let states = self.scan()?;
        for expected in expected {
            let state = states.get(&expected.path);
            let wanted = format!("{:?}", expected.state);
            ensure!(state == Some(&wanted), "{} is {state:?}, expected {wanted}", expected.path);
        }
        Ok(())
    }
}

fn text(value: &Value, key: &str) -> Option<String> {
    value[key].as_str().map(str::to_owned)
}

impl Running {
    /// The identifier of its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// The file that gets its standard error.
    pub(crate) fn stderr(&self) -> PathBuf {
        self.output.path().join("stderr")
    }

    /// What it has printed so far.
    pub(crate) fn said(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(self.output.path().join("stdout"))?).into_owned())
    }

    /// Sends a signal by its name to the command, and to nothing that it started.
    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        let line = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &line]).status().context("cannot start `sh`")?;
        ensure!(status.success(), "{} has ended", self.line);
        Ok(())
    }

    /// Waits for the end, at most this long; then the command is killed, and that is an error.
    pub(crate) fn end(mut self, limit: Duration) -> Result<Ended> {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if start.elapsed() > limit {
                self.kill()?;
                bail!("{} did not end within {} s", self.line, limit.as_secs());
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let read = |name: &str| -> Result<String> {
            Ok(String::from_utf8_lossy(&fs::read(self.output.path().join(name))?).into_owned())
        };
        Ok(Ended { status, line: self.line.clone(), stdout: read("stdout")?, stderr: read("stderr")? })
    }

    /// Kills the command and all that it started in its group. False if it had ended before.
    pub(crate) fn kill(&mut self) -> Result<bool> {
        // The shell's own `kill`: a machine may lack the program.
        let line = format!("kill -KILL -{}", self.child.id());
        let _ = Command::new("sh").args(["-c", &line]).stderr(Stdio::null()).status().context("cannot start `sh`")?;
        Ok(self.child.wait()?.signal().is_some())
    }
}

impl Ended {
    pub(crate) fn code(&self) -> i32 {
        self.status.code().unwrap_or(-1)
    }

    /// The exit code must be one of these.
    pub(crate) fn expect(self, codes: &[i32]) -> Result<Self> {
        ensure!(codes.contains(&self.code()), "{self}");
        Ok(self)
    }

    /// Standard output as a JSON document; the command must have ended with 0.
    pub(crate) fn document(self) -> Result<Value> {
        let ended = self.expect(&[0])?;
        serde_json::from_str(&ended.stdout).with_context(|| format!("no JSON document: {ended}"))
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The beginning tells what is wrong; a command that prints without end shall not do so here.
        let begin = |text: &str| text.trim().chars().take(600).collect::<String>();
        write!(out, "{} ended with {}: {} {}", self.line, self.code(), begin(&self.stderr), begin(&self.stdout))
    }
}

/// A model of this type. Its method `greet` logs what `words` is.
pub(crate) fn model(head: &str, type_name: &str, words: &str) -> String {
    format!(
        "{head}
const schema = () => ({{ _def: {{}}, parse: (value) => value, safeParse: (value) => ({{ success: true, data: value }}) }});
export const model = {{
  type: \"{type_name}\",
  version: \"2026.05.23.1\",
  methods: {{
    greet: {{
      description: \"Greet somebody\",
      arguments: schema(),
      execute: async (args, context) => {{ context.logger.info(`{words}`); return {{ dataHandles: [] }}; }},
    }},
  }},
}};
"
    )
}
