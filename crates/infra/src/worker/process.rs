//! One child process, seen from the parent.

use std::{
    collections::VecDeque,
    fs, io,
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    task::JoinHandle,
    time::{Instant, MissedTickBehavior},
};

use super::{
    death::Death,
    patience::{Patience, ProcessorTime},
    wire::{self, Reply, Request},
};

/// How often a child's memory is looked at while it works.
const WATCH_INTERVAL: Duration = Duration::from_millis(20);

/// How much of standard error is kept.
const LAST_WORDS_BYTES: usize = 2_000;

/// How long a dead child's exit status and last words are waited for.
const MOURNING: Duration = Duration::from_secs(2);

/// A child that waits for a job or works on one. Dropping it kills it and everything in its process group.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    last_words: Arc<Mutex<VecDeque<u8>>>,
    listener: JoinHandle<()>,
    memory_limit_bytes: u64,
    jobs: u32,
}

impl Process {
    /// Starts a child. It gets no environment of ours, no working directory and a process group of its own.
    pub(super) async fn spawn(program: &Path, arguments: &[String], memory_limit_bytes: u64) -> io::Result<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            // Threads that libraries start without saying how large a stack they need.
            .env("RUST_MIN_STACK", "8388608")
            // The pool is what runs in parallel, not one bundle.
            .env("RAYON_NUM_THREADS", "1")
            .current_dir("/")
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
        let last_words = Arc::new(Mutex::new(VecDeque::new()));
        let listener = tokio::spawn(listen(errors, Arc::clone(&last_words)));
        let mut process = Self { child, input, output, last_words, listener, memory_limit_bytes, jobs: 0 };
        let configure = wire::frame(&Request::Configure { memory_limit_bytes })
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        // A child that is dead already shows it at its first job.
        let _ = process.input.write_all(&configure).await;
        Ok(process)
    }

    /// Jobs that it has answered.
    pub(super) const fn jobs(&self) -> u32 {
        self.jobs
    }

    /// True if it has not ended.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Bytes that it keeps in memory; `None` where the system does not say.
    pub(super) fn resident_bytes(&self) -> Option<u64> {
        self.child.id().and_then(resident_bytes)
    }

    /// Sends one message and waits for the next one that is no mere acknowledgement. `budget` is the time this may
    /// take, without the time that the child waits for a processor, and is reduced by what it took. After an error the
    /// process is dead or must be dropped.
    pub(super) async fn exchange(&mut self, frame: &[u8], budget: &mut Duration) -> Result<Reply, Death> {
        self.exchange_from(false, frame, budget).await
    }

    /// The same for a message in the middle of a job, which is not acknowledged.
    pub(super) async fn resume(&mut self, frame: &[u8], budget: &mut Duration) -> Result<Reply, Death> {
        self.exchange_from(true, frame, budget).await
    }

    async fn exchange_from(&mut self, mut accepted: bool, frame: &[u8], budget: &mut Duration) -> Result<Reply, Death> {
        let mut patience = Patience::new(*budget);
        let started = Instant::now();
        let outcome = self.converse(frame, started, &mut patience, &mut accepted).await;
        *budget = patience.rest(started.elapsed());
        match outcome {
            Ok(Reply::Panicked(message)) => Err(Death::Panicked(message)),
            Ok(Reply::Refused(message)) => Err(Death::Confused(message)),
            Ok(reply) => {
                self.jobs = self.jobs.saturating_add(1);
                Ok(reply)
            }
            Err(Ending::Pipe(error)) if error.kind() == io::ErrorKind::InvalidData => {
                self.kill().await;
                Err(Death::Confused(error.to_string()))
            }
            Err(Ending::Pipe(_)) => Err(self.mourn(accepted).await),
            Err(Ending::Killed(death)) => {
                self.kill().await;
                Err(death)
            }
        }
    }

    async fn converse(
        &mut self,
        frame: &[u8],
        started: Instant,
        patience: &mut Patience,
        accepted: &mut bool,
    ) -> Result<Reply, Ending> {
        let pid = self.child.id();
        let Self { input, output, memory_limit_bytes, .. } = self;
        let memory_limit_bytes = *memory_limit_bytes;
        let talk = async {
            input.write_all(frame).await.map_err(Ending::Pipe)?;
            loop {
                let body = wire::read_frame(output).await.map_err(Ending::Pipe)?;
                match wire::message::<Reply>(&body) {
                    Ok(Reply::Accepted) => *accepted = true,
                    Ok(reply) => return Ok(reply),
                    Err(error) => {
                        return Err(Ending::Pipe(io::Error::new(io::ErrorKind::InvalidData, error)));
                    }
                }
            }
        };
        tokio::pin!(talk);
        let mut used_before = None;
        let mut watch = tokio::time::interval_at(Instant::now() + WATCH_INTERVAL, WATCH_INTERVAL);
        watch.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                outcome = &mut talk => return outcome,
                () = tokio::time::sleep_until(started + patience.look_again()) => {
                    let used = ProcessorTime::since(used_before, pid.and_then(ProcessorTime::of));
                    let elapsed = started.elapsed();
                    if patience.is_over(elapsed, used) {
                        return Err(Ending::Killed(Death::TimedOut(elapsed)));
                    }
                }
                _ = watch.tick() => {
                    // Not for jobs that are done before the first look: there are thousands of them.
                    used_before = used_before.or_else(|| pid.and_then(ProcessorTime::of));
                    let used_bytes = pid.and_then(resident_bytes).unwrap_or(0);
                    if used_bytes > memory_limit_bytes {
                        let death = Death::TooLarge { used_bytes, limit_bytes: memory_limit_bytes };
                        return Err(Ending::Killed(death));
                    }
                }
            }
        }
    }

    /// Finds out how a child ended that closed its pipes.
    async fn mourn(&mut self, accepted: bool) -> Death {
        let status = if let Ok(status) = tokio::time::timeout(MOURNING, self.child.wait()).await {
            status.ok()
        } else {
            // It closed its pipes and lives on.
            self.kill().await;
            None
        };
        let _ = tokio::time::timeout(MOURNING, &mut self.listener).await;
        let words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = words.iter().copied().collect();
        Death::Gone { status, last_words: String::from_utf8_lossy(&bytes).into_owned(), accepted }
    }

    async fn kill(&mut self) {
        self.kill_group();
        let _ = tokio::time::timeout(MOURNING, self.child.wait()).await;
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

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_group();
        self.listener.abort();
    }
}

/// Why a conversation ended without an answer.
enum Ending {
    Pipe(io::Error),
    Killed(Death),
}

fn resident_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes << 10)
}

/// Keeps the end of what a child writes to standard error.
async fn listen(mut errors: ChildStderr, last_words: Arc<Mutex<VecDeque<u8>>>) {
    let mut buffer = [0; 1024];
    while let Ok(length @ 1..) = errors.read(&mut buffer).await {
        let mut words = last_words.lock().unwrap_or_else(PoisonError::into_inner);
        words.extend(&buffer[..length]);
        let surplus = words.len().saturating_sub(LAST_WORDS_BYTES);
        words.drain(..surplus);
    }
}
