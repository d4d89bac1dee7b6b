//! A child process that is watched: its memory, its time, its last words, and everything that it starts.

use std::{
    collections::VecDeque,
    io,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mangrove_fs::read::{self, FileKind, Within};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncReadExt as _, BufReader},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, MissedTickBehavior},
};

use super::{
    adaptive_timeout::{AdaptiveTimeout, ProcessorTime},
    child_failure::ChildFailure,
};

/// How often a child's memory is looked at while it works.
const WATCH_INTERVAL: Duration = Duration::from_millis(20);

/// How much of standard error is kept.
const STDERR_TAIL_BYTES: usize = 2_000;

/// The longest line of standard error that is passed on whole, in bytes.
const LONGEST_LINE: usize = 8 << 10;

/// The bytes at the end of a line that stay together.
const UNCUT_BYTES: usize = 64;

/// How many lines of standard error wait for whoever takes them.
#[cfg(feature = "deno")]
const WAITING_LINES: usize = 256;

/// How long a dead child's exit status and last words are waited for.
const REAP_TIMEOUT: Duration = Duration::from_secs(2);

/// A child with pipes. Dropping it kills it and everything in its process group.
#[derive(Debug)]
pub(crate) struct Guarded {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    stderr_tail: Arc<Mutex<VecDeque<u8>>>,
    listener: JoinHandle<()>,
    memory_limit_bytes: u64,
    /// When it is looked at next, however short the conversations are.
    next_look: Instant,
    /// Its process group, also after it has ended.
    group: Option<Pid>,
}

/// Watches one conversation with a child.
#[derive(Debug)]
pub(crate) struct Watcher<'a> {
    pid: Option<u32>,
    memory_limit_bytes: u64,
    next_look: &'a mut Instant,
}

/// Why a conversation ended without an answer.
#[derive(Debug)]
pub(crate) enum Ending {
    /// The pipe failed, or what came out of it makes no sense (`InvalidData`).
    Pipe(io::Error),
    /// The child went too far and is to be killed.
    TooFar(ChildFailure),
}

impl Guarded {
    /// Starts a child with pipes and in a process group of its own.
    pub(crate) fn spawn(command: &mut Command, memory_limit_bytes: u64) -> io::Result<Self> {
        Self::spawn_heard(command, memory_limit_bytes, None)
    }

    /// The same; gives the lines that it writes to standard error, as they come. While nobody takes them, it waits.
    #[cfg(feature = "deno")]
    pub(crate) fn spawn_telling(
        command: &mut Command,
        memory_limit_bytes: u64,
    ) -> io::Result<(Self, mpsc::Receiver<String>)> {
        let (sender, lines) = mpsc::channel(WAITING_LINES);
        Ok((Self::spawn_heard(command, memory_limit_bytes, Some(sender))?, lines))
    }

    fn spawn_heard(
        command: &mut Command,
        memory_limit_bytes: u64,
        lines: Option<mpsc::Sender<String>>,
    ) -> io::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let missing = || io::Error::other("the child has no pipes");
        let input = child.stdin.take().ok_or_else(missing)?;
        let output = BufReader::new(child.stdout.take().ok_or_else(missing)?);
        let errors = child.stderr.take().ok_or_else(missing)?;
        let stderr_tail = Arc::new(Mutex::new(VecDeque::new()));
        let listener = tokio::spawn(listen(errors, Arc::clone(&stderr_tail), lines));
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let next_look = Instant::now() + WATCH_INTERVAL;
        Ok(Self { child, input, output, stderr_tail, listener, memory_limit_bytes, next_look, group })
    }

    /// True if it has not ended.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Bytes that it keeps in memory; `None` where the system does not say.
    pub(crate) fn resident_bytes(&self) -> Option<u64> {
        self.child.id().and_then(resident_bytes)
    }

    /// The child's own process, for signals; `None` if it has ended.
    #[cfg(feature = "deno")]
    pub(crate) fn process(&self) -> Option<Pid> {
        self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
    }

    /// Forgets what it wrote to standard error so far.
    #[cfg(feature = "deno")]
    pub(crate) fn forget_last_words(&self) {
        self.stderr_tail.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What it is talked to through: its input and its output, and what watches it meanwhile.
    pub(crate) fn parts(&mut self) -> (&mut ChildStdin, &mut BufReader<ChildStdout>, Watcher<'_>) {
        let (pid, memory_limit_bytes) = (self.child.id(), self.memory_limit_bytes);
        let watcher = Watcher { pid, memory_limit_bytes, next_look: &mut self.next_look };
        (&mut self.input, &mut self.output, watcher)
    }

    /// What became of the child after a conversation ended so. It is dead afterwards. `accepted` is true if it had
    /// begun with the job.
    pub(crate) async fn failure(&mut self, ending: Ending, accepted: bool) -> ChildFailure {
        match ending {
            Ending::Pipe(error) if error.kind() == io::ErrorKind::InvalidData => {
                self.kill().await;
                ChildFailure::Confused(error.to_string())
            }
            Ending::Pipe(_) => self.reap(accepted).await,
            Ending::TooFar(failure) => {
                self.kill().await;
                failure
            }
        }
    }

    /// Finds out how a child ended that closed its pipes.
    async fn reap(&mut self, accepted: bool) -> ChildFailure {
        let status = if let Ok(status) = tokio::time::timeout(REAP_TIMEOUT, self.child.wait()).await {
            // What it started and left behind goes as well: the number of the group is nobody else's as long as one of
            // them is still running, and free for others for a moment only if none does.
            if let Some(group) = self.group.take() {
                let _ = kill_process_group(group, Signal::KILL);
            }
            status.ok()
        } else {
            // It closed its pipes and is still running.
            self.kill().await;
            None
        };
        let _ = tokio::time::timeout(REAP_TIMEOUT, &mut self.listener).await;
        let words = self.stderr_tail.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = words.iter().copied().collect();
        ChildFailure::Gone { status, stderr_tail: String::from_utf8_lossy(&bytes).into_owned(), accepted }
    }

    async fn kill(&mut self) {
        self.kill_group();
        let _ = tokio::time::timeout(REAP_TIMEOUT, self.child.wait()).await;
    }

    /// Kills the child and whatever it started. The group's number is free for others once the child has been
    /// waited for; `id` gives none then.
    fn kill_group(&mut self) {
        let group = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.kill_group();
        self.listener.abort();
    }
}

impl Watcher<'_> {
    /// Waits for what a conversation gives. `budget` is the time that it may take, without the time that the child
    /// waits for a processor, and is reduced by what it took. After an error the child is to be killed: see
    /// [`Guarded::failure`].
    pub(crate) async fn guard<T>(
        self,
        budget: &mut Duration,
        talk: impl Future<Output = io::Result<T>>,
    ) -> Result<T, Ending> {
        let mut patience = AdaptiveTimeout::new(*budget);
        let started = Instant::now();
        let outcome = self.wait(started, &mut patience, talk).await;
        *budget = patience.rest(started.elapsed());
        outcome
    }

    async fn wait<T>(
        self,
        started: Instant,
        patience: &mut AdaptiveTimeout,
        talk: impl Future<Output = io::Result<T>>,
    ) -> Result<T, Ending> {
        let Self { pid, memory_limit_bytes, next_look } = self;
        tokio::pin!(talk);
        let (mut used_before, mut was_over) = (None, false);
        let mut watch = tokio::time::interval_at(*next_look, WATCH_INTERVAL);
        watch.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                outcome = &mut talk => return outcome.map_err(Ending::Pipe),
                () = tokio::time::sleep_until(started + patience.look_again()) => {
                    let used = ProcessorTime::since(used_before, pid.and_then(ProcessorTime::of));
                    let elapsed = started.elapsed();
                    if patience.is_over(elapsed, used) {
                        return Err(Ending::TooFar(ChildFailure::TimedOut(elapsed)));
                    }
                }
                _ = watch.tick() => {
                    // Not for jobs that are done before the first sample: there are thousands of them.
                    used_before = used_before.or_else(|| pid.and_then(ProcessorTime::of));
                    *next_look = Instant::now() + WATCH_INTERVAL;
                    let sample = pid.and_then(ProcessSample::at);
                    // A program that it started may hold its pipes open. What it said before it ended is read first.
                    let is_over = sample.is_some_and(|sample| sample.is_over);
                    if is_over && was_over {
                        return Err(Ending::Pipe(io::ErrorKind::UnexpectedEof.into()));
                    }
                    was_over = is_over;
                    let used_bytes = sample.map_or(0, |sample| sample.resident_bytes);
                    if used_bytes > memory_limit_bytes {
                        let failure = ChildFailure::TooLarge { used_bytes, limit_bytes: memory_limit_bytes };
                        return Err(Ending::TooFar(failure));
                    }
                }
            }
        }
    }
}

/// Bytes that a process keeps in memory; `None` where the system does not say.
pub(super) fn resident_bytes(pid: u32) -> Option<u64> {
    ProcessSample::at(pid).map(|sample| sample.resident_bytes)
}

/// What the system says of a process.
#[derive(Clone, Copy, Debug)]
struct ProcessSample {
    /// What it keeps in memory.
    resident_bytes: u64,
    /// It has ended, and nobody has asked how.
    is_over: bool,
}

impl ProcessSample {
    /// `None` where the system does not say.
    fn at(pid: u32) -> Option<Self> {
        let status = read::text(format!("/proc/{pid}/status"), Within::Anywhere, FileKind::State).ok()?;
        let value = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)?.split_whitespace().next());
        let kilobytes: u64 = value("VmRSS:").and_then(|text| text.parse().ok()).unwrap_or(0);
        Some(Self { resident_bytes: kilobytes << 10, is_over: value("State:") == Some("Z") })
    }
}

/// Keeps the end of what a child writes to standard error, and passes its lines on if somebody wants them.
async fn listen(mut errors: ChildStderr, stderr_tail: Arc<Mutex<VecDeque<u8>>>, lines: Option<mpsc::Sender<String>>) {
    let mut buffer = [0; 1024];
    let mut begun = Vec::new();
    while let Ok(length @ 1..) = errors.read(&mut buffer).await {
        {
            let mut words = stderr_tail.lock().unwrap_or_else(PoisonError::into_inner);
            words.extend(&buffer[..length]);
            let surplus = words.len().saturating_sub(STDERR_TAIL_BYTES);
            words.drain(..surplus);
        }
        let Some(lines) = &lines else { continue };
        for byte in &buffer[..length] {
            if *byte != b'\n' {
                begun.push(*byte);
            }
            if *byte == b'\n' || begun.len() == LONGEST_LINE {
                // The end of a line says what it is; it is never cut.
                let kept = if *byte == b'\n' { 0 } else { UNCUT_BYTES };
                let rest = begun.split_off(begun.len() - kept);
                let line = String::from_utf8_lossy(&begun).into_owned();
                begun = rest;
                // Nobody listens any more.
                let _ = lines.send(line).await;
            }
        }
    }
}
