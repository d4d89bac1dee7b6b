//! Running an outside program to its end: with an environment of our choice, a time limit, and its whole process
//! group gone afterwards.

use std::{
    collections::VecDeque,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::{Child, Command},
};

/// How much of each stream is kept, in bytes; the end counts, because errors stand there.
const KEPT_BYTES: usize = 64 << 10;

/// A line is cut in pieces of about so many bytes, so that one without end takes no memory.
const LONGEST_LINE: usize = 1 << 20;

/// How long the streams of a program that has ended are read on: whatever it started may hold them open.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);

/// What to run.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// The program's file.
    pub program: &'a Path,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// The directory that it works in.
    pub directory: PathBuf,
    /// All of its environment.
    pub environment: Vec<(String, OsString)>,
    /// How long it may take.
    pub limit: Duration,
}

/// How it ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// The end of its standard output.
    pub output: String,
    /// The end of its standard error.
    pub errors: String,
}

/// Why it did not come to an end of its own.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be started.
    #[error("cannot start {program}")]
    Start {
        /// Its file.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It was killed, with everything that it had started.
    #[error("{program} did not end within {limit:?} and was killed; its last output: {last_lines}")]
    TimedOut {
        /// Its file.
        program: PathBuf,
        /// The limit.
        limit: Duration,
        /// The last lines of its standard error.
        last_lines: String,
    },
}

/// Kills the process group when it is dropped.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Gone already in the usual case.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Call<'_> {
    /// Runs the program. If the future is dropped, the program and what it started are killed.
    ///
    /// # Errors
    /// [`Error`]; an exit status other than zero is none.
    pub async fn run(self) -> Result<Ended, Error> {
        self.run_heard(&mut |_| Heard::Error).await
    }

    /// The same, while `hear` is told each line of standard error as soon as it is there, without its end and without
    /// colour.
    ///
    /// # Errors
    /// [`Error`]; an exit status other than zero is none.
    pub async fn run_heard(self, hear: &mut (dyn FnMut(&str) -> Heard + Send)) -> Result<Ended, Error> {
        let failed = |source| Error::Start { program: self.program.to_owned(), source };
        let mut child = self.start().map_err(failed)?;
        let group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw));
        let (Some(output), Some(errors)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(failed(io::Error::other("the program has no pipes")));
        };
        let (mut said, mut complained) = (VecDeque::new(), Lines::default());
        let outcome = {
            let streams = async {
                tokio::join!(keep_end(output, &mut said), complained.hear(errors, hear));
            };
            tokio::pin!(streams);
            let ending = async {
                tokio::select! {
                    status = child.wait() => {
                        let _ = tokio::time::timeout(DRAIN_TIMEOUT, &mut streams).await;
                        status
                    }
                    () = &mut streams => child.wait().await,
                }
            };
            tokio::time::timeout(self.limit, ending).await
        };
        drop(group);
        match outcome {
            Ok(Ok(status)) => Ok(Ended { status, output: text(said), errors: complained.text() }),
            Ok(Err(source)) => Err(failed(source)),
            Err(_) => {
                let _ = child.wait().await;
                let words = complained.text();
                let last: Vec<&str> = words.lines().rev().take(3).collect();
                let last_lines = last.into_iter().rev().collect::<Vec<_>>().join(" / ");
                Err(Error::TimedOut { program: self.program.to_owned(), limit: self.limit, last_lines })
            }
        }
    }

    fn start(&self) -> io::Result<Child> {
        let mut command = Command::new(self.program);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command.spawn()
    }
}

/// What is done with a line of standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It belongs to the errors of the program.
    Error,
    /// It was for the listener alone.
    Log,
}

/// Standard error, line by line.
#[derive(Default)]
struct Lines {
    /// The end of the errors.
    kept: VecDeque<u8>,
    /// A line whose end has not come yet.
    begun: Vec<u8>,
}

impl Lines {
    async fn hear(&mut self, mut stream: impl AsyncRead + Unpin, hear: &mut (dyn FnMut(&str) -> Heard + Send)) {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut buffer).await {
            for piece in buffer[..length].split_inclusive(|byte| *byte == b'\n') {
                self.begun.extend_from_slice(piece);
                if piece.ends_with(b"\n") || self.begun.len() > LONGEST_LINE {
                    let line = text(std::mem::take(&mut self.begun).into());
                    if hear(line.trim_end_matches('\n')) == Heard::Error {
                        keep(&mut self.kept, line.as_bytes());
                    }
                }
            }
        }
    }

    fn text(mut self) -> String {
        keep(&mut self.kept, &self.begun);
        text(self.kept)
    }
}

async fn keep_end(mut stream: impl AsyncRead + Unpin, kept: &mut VecDeque<u8>) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        keep(kept, &buffer[..length]);
    }
}

fn keep(kept: &mut VecDeque<u8>, bytes: &[u8]) {
    kept.extend(bytes);
    let surplus = kept.len().saturating_sub(KEPT_BYTES);
    kept.drain(..surplus);
}

/// What was said, without escape sequences for colour.
fn text(bytes: VecDeque<u8>) -> String {
    without_escapes(&String::from_utf8_lossy(&Vec::from(bytes)))
}

/// The text without control sequences (`ESC [ … letter`) and links (`ESC ] … BEL`).
fn without_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\u{1b}' {
            plain.push(character);
            continue;
        }
        match characters.next() {
            Some('[') => {
                characters.by_ref().find(|next| ('@'..='~').contains(next));
            }
            Some(']') => {
                characters.by_ref().find(|next| *next == '\u{7}');
            }
            Some(_) | None => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Call<'static> {
        Call {
            program: Path::new("/bin/sh"),
            arguments: vec!["-c".into(), script.into()],
            directory: "/".into(),
            environment: vec![("PATH".to_owned(), "/usr/bin:/bin".into())],
            limit,
        }
    }

    #[test]
    fn colour_is_taken_off() {
        assert_eq!(without_escapes("\u{1b}[1m\u{1b}[31merror\u{1b}[0m: x"), "error: x");
        assert_eq!(without_escapes("\u{1b}]8;;http://a\u{7}a\u{1b}"), "a");
    }

    #[tokio::test]
    async fn status_and_both_streams_come_back() {
        let ended = shell("echo out; echo err >&2; exit 3", Duration::from_secs(20)).run().await.unwrap();
        assert_eq!((ended.status.code(), &*ended.output, &*ended.errors), (Some(3), "out\n", "err\n"));
    }

    #[tokio::test]
    async fn every_line_of_errors_is_heard_and_those_of_a_log_are_not_kept() {
        let long = "for n in $(seq 9000); do echo log $n >&2; done; printf 'one\\ntwo' >&2; exec >&2; echo; printf end";
        let mut heard = 0;
        let mut hear = |line: &str| {
            heard += 1;
            if line.starts_with("log ") { Heard::Log } else { Heard::Error }
        };
        let ended = shell(long, Duration::from_secs(20)).run_heard(&mut hear).await.unwrap();
        assert_eq!((heard, &*ended.errors), (9002, "one\ntwo\nend"));
    }

    #[tokio::test]
    async fn fault_36_what_hangs_is_killed_with_everything_it_started() {
        let directory = tempfile::tempdir().unwrap();
        let pid_file = directory.path().join("pid");
        let script = format!("echo waiting >&2; sleep 1000 & echo $! > {}; wait", pid_file.display());
        let error = shell(&script, Duration::from_millis(500)).run().await.unwrap_err();
        assert!(matches!(&error, Error::TimedOut { last_lines, .. } if last_lines == "waiting"), "{error}");
        let pid: i32 = std::fs::read_to_string(&pid_file).unwrap().trim().parse().unwrap();
        let is_gone = || {
            let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            state.is_empty() || state.contains(") Z ")
        };
        for _ in 0..200 {
            if is_gone() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the grandchild {pid} is still running");
    }

    #[tokio::test]
    async fn a_program_that_leaves_a_helper_behind_does_not_keep_us_waiting() {
        let started = std::time::Instant::now();
        shell("sleep 1000 & exit 0", Duration::from_mins(2)).run().await.unwrap();
        assert!(started.elapsed() < Duration::from_mins(1));
    }

    #[tokio::test]
    async fn what_is_not_there_cannot_be_started() {
        let call = Call { program: Path::new("/nowhere/deno"), ..shell("", Duration::from_secs(1)) };
        assert!(matches!(call.run().await, Err(Error::Start { .. })));
    }
}
