//! Commands of the system's shell, each in a process group of its own.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    process::Stdio,
    time::Duration,
};

use async_trait::async_trait;
use mangrove_domain::ports::{Shell, ShellCommand, ShellEnd, ShellListener, ShellStream};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::{Child, Command},
    time::Instant,
};

use crate::shell_watch::{Watch, Watched};

/// How long what is asked to end may take to do so.
const GRACE: Duration = Duration::from_secs(5);

/// How long the streams of a command that has ended are read on: whatever it started may hold them open.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);

/// A line is told in pieces of about so many bytes, so that one without end takes no memory.
const LONGEST_LINE: usize = 1 << 16;

/// How often it is looked whether a group that was asked to end has done so.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// `sh`, as the search path has it.
#[derive(Clone, Debug)]
pub struct SystemShell {
    grace: Duration,
    watch: Watch,
}

impl Default for SystemShell {
    fn default() -> Self {
        Self::new()
    }
}

impl SystemShell {
    /// The shell of this machine.
    #[must_use]
    pub fn new() -> Self {
        Self { grace: GRACE, watch: Watch::default() }
    }

    /// The same; what is asked to end is forced after this time.
    #[must_use]
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }
}

#[async_trait]
impl Shell for SystemShell {
    async fn run(&self, command: ShellCommand, hear: &mut ShellListener<'_>) -> ShellEnd {
        let mut child = match start(&command) {
            Ok(child) => child,
            Err(error) => return not_started(&command, &error),
        };
        let mut group = Group::new(&child, self.grace, &self.watch);
        let (Some(output), Some(errors)) = (child.stdout.take(), child.stderr.take()) else {
            return not_started(&command, &io::Error::other("the command has no pipes"));
        };
        group.keep_open([output.as_fd(), errors.as_fd()]);
        let mut heard = Heard::new(command.kept_bytes);
        let deadline = command.limit.and_then(|limit| Instant::now().checked_add(limit));
        let ended = {
            let listening = heard.listen(output, errors, hear);
            tokio::pin!(listening);
            let ending = async {
                tokio::select! {
                    status = child.wait() => {
                        let _ = tokio::time::timeout(DRAIN_TIMEOUT, &mut listening).await;
                        status
                    }
                    () = &mut listening => child.wait().await,
                }
            };
            match deadline {
                None => Some(ending.await),
                Some(deadline) => tokio::time::timeout_at(deadline, ending).await.ok(),
            }
        };
        let timed_out = ended.is_none();
        let exit_code = match ended {
            Some(Ok(status)) => {
                // What it left behind goes with it only if its group was asked to: a server that it started may stay.
                group.release();
                status.code().unwrap_or(-1)
            }
            Some(Err(_)) => -1,
            None => {
                // It is waited for meanwhile: a process that has ended counts until somebody has.
                let _ = tokio::join!(group.end(), child.wait());
                -1
            }
        };
        heard.told(hear);
        let (output, errors, is_cut) = heard.texts();
        ShellEnd { exit_code, output, errors, is_cut, timed_out }
    }
}

fn start(command: &ShellCommand) -> io::Result<Child> {
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(&command.text)
        .envs(command.variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    if let Some(directory) = &command.directory {
        shell.current_dir(directory);
    }
    shell.spawn()
}

fn not_started(command: &ShellCommand, error: &io::Error) -> ShellEnd {
    let place = command.directory.as_ref().map(|directory| format!(" in {directory}")).unwrap_or_default();
    ShellEnd { exit_code: -1, errors: format!("cannot start `sh`{place}: {error}"), ..ShellEnd::default() }
}

/// The process group of a command. Dropping it asks everything in it to end, and forces it a while later.
struct Group {
    id: Option<Pid>,
    watched: Option<Watched>,
    grace: Duration,
    /// What it writes to: a shell that is asked to end while nobody listens any more would die of what it says of that, before
    /// it has cleaned up.
    pipes: Vec<OwnedFd>,
}

impl Group {
    fn new(child: &Child, grace: Duration, watch: &Watch) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Self { id, watched: id.map(|id| watch.begin(id)), grace, pipes: Vec::new() }
    }

    /// Keeps these open until it is gone.
    fn keep_open(&mut self, pipes: [BorrowedFd<'_>; 2]) {
        self.pipes = pipes.into_iter().filter_map(|pipe| pipe.try_clone_to_owned().ok()).collect();
    }

    /// The command has ended by itself.
    fn release(&mut self) {
        self.id = None;
        self.watched = None;
    }

    /// Ends it and waits until it is gone.
    async fn end(&mut self) {
        if let Some(id) = self.id.take() {
            end(id, self.grace).await;
        }
        self.watched = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let Some(id) = self.id.take() else { return };
        let _ = kill_process_group(id, Signal::TERM);
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                let (grace, kept) = (self.grace, (std::mem::take(&mut self.pipes), self.watched.take()));
                runtime.spawn(async move {
                    end(id, grace).await;
                    drop(kept);
                });
            }
            Err(_) => {
                let _ = kill_process_group(id, Signal::KILL);
            }
        }
    }
}

/// Asks a group to end and forces it after `grace`.
async fn end(id: Pid, grace: Duration) {
    let _ = kill_process_group(id, Signal::TERM);
    let until = Instant::now() + grace;
    while Instant::now() < until {
        // A member that nobody has waited for counts as one; the runtime waits for children that were dropped.
        if test_kill_process_group(id).is_err() {
            return;
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    let _ = kill_process_group(id, Signal::KILL);
}

/// What was said on both streams.
struct Heard {
    output: Stream,
    errors: Stream,
}

/// One stream.
struct Stream {
    /// Its beginning.
    kept: Vec<u8>,
    limit: usize,
    is_cut: bool,
    /// A line whose end has not come yet.
    begun: Vec<u8>,
}

impl Heard {
    fn new(limit: usize) -> Self {
        let stream = || Stream { kept: Vec::new(), limit, is_cut: false, begun: Vec::new() };
        Self { output: stream(), errors: stream() }
    }

    async fn listen(
        &mut self,
        mut output: impl AsyncRead + Unpin,
        mut errors: impl AsyncRead + Unpin,
        hear: &mut ShellListener<'_>,
    ) {
        let (mut of_output, mut of_errors) = ([0; 8192], [0; 8192]);
        let (mut has_output, mut has_errors) = (true, true);
        while has_output || has_errors {
            tokio::select! {
                read = output.read(&mut of_output), if has_output => match read {
                    Ok(length @ 1..) => self.output.add(&of_output[..length], &mut |line| hear(ShellStream::Output, line)),
                    _ => has_output = false,
                },
                read = errors.read(&mut of_errors), if has_errors => match read {
                    Ok(length @ 1..) => self.errors.add(&of_errors[..length], &mut |line| hear(ShellStream::Errors, line)),
                    _ => has_errors = false,
                },
            }
        }
    }

    /// Tells the last lines, which have no end.
    fn told(&mut self, hear: &mut ShellListener<'_>) {
        self.output.finish(&mut |line| hear(ShellStream::Output, line));
        self.errors.finish(&mut |line| hear(ShellStream::Errors, line));
    }

    fn texts(self) -> (String, String, bool) {
        let is_cut = self.output.is_cut || self.errors.is_cut;
        (self.output.text(), self.errors.text(), is_cut)
    }
}

impl Stream {
    fn add(&mut self, bytes: &[u8], hear: &mut dyn FnMut(&str)) {
        let room = self.limit - self.kept.len();
        self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.is_cut |= bytes.len() > room;
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.begun.len() >= LONGEST_LINE {
                self.finish(hear);
            }
        }
    }

    fn finish(&mut self, hear: &mut dyn FnMut(&str)) {
        if self.begun.is_empty() {
            return;
        }
        let line = String::from_utf8_lossy(&self.begun);
        let line = line.strip_suffix('\n').unwrap_or(&line);
        hear(line.strip_suffix('\r').unwrap_or(line));
        self.begun.clear();
    }

    fn text(self) -> String {
        String::from_utf8_lossy(&self.kept).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn command(text: &str) -> ShellCommand {
        ShellCommand { text: text.to_owned(), directory: None, variables: Vec::new(), limit: None, kept_bytes: 1 << 20 }
    }

    /// Waits until the file has a process identifier and that process is gone.
    async fn is_gone(file: &Path) -> bool {
        for _ in 0..500 {
            if let Ok(id) = std::fs::read_to_string(file)
                && let Ok(id) = id.trim().parse::<i32>()
            {
                let state = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
                if state.is_empty() || state.contains(") Z ") {
                    return true;
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        false
    }

    #[tokio::test]
    async fn keeps_the_contract() {
        mangrove_testkit::contract::shell(&SystemShell::new()).await;
    }

    #[tokio::test]
    async fn what_ignores_the_request_to_end_is_forced_with_everything_it_started() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pid");
        let text = format!(
            "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ > {}; sleep 1000; sleep 1000'; sleep 1000",
            file.display()
        );
        let shell = SystemShell::new().with_grace(Duration::from_millis(300));
        let command = ShellCommand { limit: Some(Duration::from_millis(700)), ..command(&text) };
        let ended = shell.run(command, &mut |_, _| {}).await;
        assert_eq!((ended.exit_code, ended.timed_out), (-1, true));
        assert!(is_gone(&file).await);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_asked_to_end() {
        let directory = tempfile::tempdir().unwrap();
        let (pid, asked) = (directory.path().join("pid"), directory.path().join("asked"));
        let text = format!(
            "trap 'echo yes > {}; exit 0' TERM; echo $$ > {}; while :; do sleep 0.05; done",
            asked.display(),
            pid.display()
        );
        let shell = SystemShell::new();
        let mut hear = |_: ShellStream, _: &str| {};
        let running = shell.run(command(&text), &mut hear);
        assert!(tokio::time::timeout(Duration::from_millis(800), running).await.is_err());
        assert!(is_gone(&pid).await);
        assert_eq!(std::fs::read_to_string(&asked).unwrap(), "yes\n");
    }

    #[tokio::test]
    async fn what_it_leaves_behind_keeps_nobody_waiting() {
        let began = Instant::now();
        let ended = SystemShell::new().run(command("sleep 30 & echo done"), &mut |_, _| {}).await;
        assert_eq!((ended.exit_code, &*ended.output), (0, "done\n"));
        assert!(began.elapsed() < Duration::from_secs(20));
    }
}
