//! Programs with a bound on their time and a bare environment; those that fetch packages get what reaches registries.

use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use mangrove_testkit::environment;

/// Longer than fetching the packages of one source takes.
const TIME_LIMIT: Duration = Duration::from_mins(5);

/// What a program did.
pub(crate) struct Ended {
    /// -1 if a signal ended it.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// What it said last on standard error, in one line.
    pub(crate) fn complaint(&self) -> String {
        self.stderr.lines().map(str::trim).filter(|line| !line.is_empty()).take(6).collect::<Vec<_>>().join(" ")
    }
}

/// A command with a bare environment in this directory.
pub(crate) fn command(program: &Path, directory: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(directory).env_clear();
    copy_variables(&mut command, ["PATH".to_owned()]);
    command
}

/// The same for a program that fetches packages.
pub(crate) fn fetching(program: &Path, directory: &Path) -> Command {
    let mut command = command(program, directory);
    copy_variables(&mut command, environment::reaching_registries());
    command
}

fn copy_variables(command: &mut Command, names: impl IntoIterator<Item = String>) {
    for name in names {
        if let Some(value) = std::env::var_os(&name) {
            command.env(name, value);
        }
    }
}

/// Runs a command to its end; one that does not end is killed, and that is an error.
pub(crate) fn run(command: &mut Command) -> Result<Ended> {
    let output = tempfile::tempdir().context("no temporary directory")?;
    let (stdout, stderr) = (output.path().join("stdout"), output.path().join("stderr"));
    command.stdin(Stdio::null()).stdout(File::create(&stdout)?).stderr(File::create(&stderr)?);
    let mut child = command.spawn().with_context(|| format!("cannot start {}", command.get_program().display()))?;
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if start.elapsed() > TIME_LIMIT {
            child.kill()?;
            child.wait()?;
            bail!("{} did not end within {} s", command.get_program().display(), TIME_LIMIT.as_secs());
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let read = |path: &Path| -> Result<String> { Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned()) };
    Ok(Ended { code: status.code().unwrap_or(-1), stdout: read(&stdout)?, stderr: read(&stderr)? })
}
