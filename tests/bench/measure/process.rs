//! Processes: how long they take, and how much memory they and their descendants have at most.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Read as _, Seek as _},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    sync::mpsc::{RecvTimeoutError, channel},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use mangrove_testkit::environment;

/// The time between two looks at the memory of a process.
const SAMPLE_EVERY: Duration = Duration::from_millis(100);

/// The time between two looks whether a process has ended.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A program, to be run in a directory with hardly any environment.
pub(crate) struct Program {
    path: PathBuf,
    directory: PathBuf,
    environment: Vec<(String, String)>,
}

/// A run that was looked at while it went on.
pub(crate) struct Watched {
    pub(crate) wall: Duration,
    pub(crate) memory: Memory,
    pub(crate) stdout: String,
}

/// The largest sum over a process and its descendants that was seen.
pub(crate) struct Memory {
    pub(crate) bytes: usize,
    /// `PSS`, which counts a shared page once, or `RSS`, where the kernel does not tell.
    pub(crate) kind: &'static str,
}

impl Program {
    pub(crate) fn new(path: &Path, directory: &Path) -> Self {
        let environment = [("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { path: path.to_owned(), directory: directory.to_owned(), environment }
    }

    pub(crate) fn with_environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With what reaches the registry that this machine is set up for, and the place where the user keeps settings of registries.
    pub(crate) fn with_network(mut self) -> Self {
        let names = environment::reaching_registries().chain(["HOME".to_owned()]);
        self.environment.extend(names.filter_map(|name| Some((name.clone(), std::env::var(&name).ok()?))));
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.path);
        command.args(arguments).current_dir(&self.directory).env_clear().stdin(Stdio::null());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts it and reads its standard error, line by line, for as long as it runs.
    pub(crate) fn start(&self, arguments: &[&str]) -> Result<(Child, ChildStderr)> {
        let mut command = self.command(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| self.cannot_run(arguments))?;
        let log = child.stderr.take().with_context(|| self.cannot_run(arguments))?;
        Ok((child, log))
    }

    /// What a run prints; it must end with 0.
    pub(crate) fn output(&self, arguments: &[&str]) -> Result<String> {
        let output = self.command(arguments).output().with_context(|| self.cannot_run(arguments))?;
        if !output.status.success() {
            bail!("{}: {}", self.failed(arguments, output.status), String::from_utf8_lossy(&output.stderr).trim());
        }
        String::from_utf8(output.stdout).with_context(|| format!("{}: not UTF-8", self.line(arguments)))
    }

    /// The time of a run from before its start until after its end. What it prints goes nowhere; it must end with 0.
    pub(crate) fn timed(&self, arguments: &[&str]) -> Result<Duration> {
        let mut command = self.command(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let start = Instant::now();
        let status = command.status().with_context(|| self.cannot_run(arguments))?;
        let wall = start.elapsed();
        ensure!(status.success(), self.failed(arguments, status));
        Ok(wall)
    }

    /// The same with what it says on standard error.
    pub(crate) fn timed_saying(&self, arguments: &[&str]) -> Result<(Duration, String)> {
        let mut command = self.command(arguments);
        // A file, not a pipe: nobody reads it while the program runs.
        let mut said = tempfile::tempfile().context("no temporary file")?;
        command.stdout(Stdio::null()).stderr(said.try_clone().context("no temporary file")?);
        let start = Instant::now();
        let status = command.status().with_context(|| self.cannot_run(arguments))?;
        let wall = start.elapsed();
        let mut text = String::new();
        said.rewind().and_then(|()| said.read_to_string(&mut text)).context("cannot read back")?;
        ensure!(status.success(), "{}: {}", self.failed(arguments, status), text.trim());
        Ok((wall, text))
    }

    /// The same for a program that may never end; beyond this limit it is killed, and that is an error.
    pub(crate) fn timed_at_most(&self, arguments: &[&str], limit: Duration) -> Result<Duration> {
        let mut command = self.command(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let start = Instant::now();
        let mut child = command.spawn().with_context(|| self.cannot_run(arguments))?;
        loop {
            let status = child.try_wait().with_context(|| self.cannot_run(arguments))?;
            let wall = start.elapsed();
            if let Some(status) = status {
                ensure!(status.success(), self.failed(arguments, status));
                return Ok(wall);
            }
            if wall > limit {
                child.kill().and_then(|()| child.wait()).with_context(|| self.cannot_run(arguments))?;
                bail!("{} did not end within {} s", self.line(arguments), limit.as_secs());
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// The time of a run from before its start until the first byte that it prints; it must end with 0.
    pub(crate) fn first_byte(&self, arguments: &[&str]) -> Result<Duration> {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let start = Instant::now();
        let mut child = command.spawn().with_context(|| self.cannot_run(arguments))?;
        let mut pipe = child.stdout.take().with_context(|| self.cannot_run(arguments))?;
        let read = pipe.read_exact(&mut [0]);
        let first = start.elapsed();
        // Who is not listened to may fail.
        let rest = pipe.read_to_end(&mut Vec::new());
        let status = child.wait().with_context(|| self.cannot_run(arguments))?;
        read.and(rest).with_context(|| format!("{} printed nothing", self.line(arguments)))?;
        ensure!(status.success(), self.failed(arguments, status));
        Ok(first)
    }

    /// A run whose memory is looked at every 100 ms; it must end with 0.
    pub(crate) fn watched(&self, arguments: &[&str]) -> Result<Watched> {
        let mut command = self.command(arguments);
        // A file, not a second pipe: nobody reads it while the program runs.
        let mut complaints = tempfile::tempfile().context("no temporary file")?;
        command.stdout(Stdio::piped()).stderr(complaints.try_clone().context("no temporary file")?);
        let start = Instant::now();
        let mut child = command.spawn().with_context(|| self.cannot_run(arguments))?;
        let root = child.id();
        let (end, ended) = channel::<()>();
        let sampler = std::thread::spawn(move || {
            let mut highest = Memory { bytes: 0, kind: "PSS" };
            loop {
                highest.see(root);
                match ended.recv_timeout(SAMPLE_EVERY) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return highest,
                }
            }
        });
        let mut stdout = String::new();
        let read = child.stdout.take().map(|mut pipe| pipe.read_to_string(&mut stdout));
        let status = child.wait();
        let wall = start.elapsed();
        drop(end);
        let Ok(memory) = sampler.join() else { bail!("the thread that looks at memory panicked") };
        let status = status.with_context(|| self.cannot_run(arguments))?;
        read.transpose().with_context(|| format!("{}: not UTF-8", self.line(arguments)))?;
        if !status.success() {
            let mut said = Vec::new();
            complaints.rewind().and_then(|()| complaints.read_to_end(&mut said)).context("cannot read back")?;
            bail!("{}: {}", self.failed(arguments, status), String::from_utf8_lossy(&said).trim());
        }
        ensure!(memory.bytes > 0, "{}: no memory was seen; is this a Linux with /proc?", self.line(arguments));
        Ok(Watched { wall, memory, stdout })
    }

    fn line(&self, arguments: &[&str]) -> String {
        format!("`{} {}`", self.path.display(), arguments.join(" "))
    }

    fn cannot_run(&self, arguments: &[&str]) -> String {
        format!("cannot run {}", self.line(arguments))
    }

    fn failed(&self, arguments: &[&str], status: ExitStatus) -> String {
        format!("{} ended with {status}", self.line(arguments))
    }
}

/// What a process and its descendants hold and have used at one moment.
pub(crate) struct Usage {
    pub(crate) memory: Memory,
    /// Time of processors so far.
    pub(crate) processor: Duration,
    /// Open descriptors of the process itself.
    pub(crate) descriptors: usize,
}

/// Looks at a process once.
pub(crate) fn usage(root: u32) -> Result<Usage> {
    let mut memory = Memory { bytes: 0, kind: "PSS" };
    memory.see(root);
    ensure!(memory.bytes > 0, "no memory of process {root} was seen; is this a Linux with /proc?");
    let descriptors = fs::read_dir(format!("/proc/{root}/fd")).context("cannot count descriptors")?.count();
    let ticks: u32 = family(root).into_iter().filter_map(ticks).sum();
    Ok(Usage { memory, processor: TICK * ticks, descriptors })
}

/// The unit of times in `/proc`: 100 in a second on every Linux of today.
const TICK: Duration = Duration::from_millis(10);

/// The ticks that a process has used in user and kernel mode.
fn ticks(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    // After the name: the state is the first word, user and kernel time are the 12th and 13th.
    let mut words = rest.split_whitespace().skip(11);
    let (user, kernel): (u32, u32) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some(user + kernel)
}

impl Memory {
    /// Looks once. A process that ends meanwhile counts as nothing.
    fn see(&mut self, root: u32) {
        let mut bytes = 0;
        for process in family(root) {
            let directory = PathBuf::from(format!("/proc/{process}"));
            if let Some(size) = size(&directory.join("smaps_rollup"), "Pss:") {
                bytes += size;
            } else if let Some(size) = size(&directory.join("status"), "VmRSS:") {
                self.kind = "RSS";
                bytes += size;
            }
        }
        self.bytes = self.bytes.max(bytes);
    }
}

/// The bytes behind a key such as `Pss:`; the kernel writes kibibytes.
fn size(file: &Path, key: &str) -> Option<usize> {
    let text = fs::read_to_string(file).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(key))?;
    value.split_whitespace().next()?.parse::<usize>().ok().map(|kibibytes| kibibytes * 1_024)
}

/// A process and all that descend from it.
fn family(root: u32) -> BTreeSet<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // The name of a program, in brackets, may hold anything; state and parent follow the last bracket.
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(process);
        }
    }
    let mut family = BTreeSet::new();
    let mut open = vec![root];
    while let Some(process) = open.pop() {
        if family.insert(process) {
            open.extend(children.get(&process).into_iter().flatten());
        }
    }
    family
}
