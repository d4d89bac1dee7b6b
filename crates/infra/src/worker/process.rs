//! One worker child, seen from the parent.

use std::{io, path::Path, time::Duration};

use mangrove_domain::bundle::BundleFile;
use tokio::{io::AsyncWriteExt as _, process::Command};

use super::{
    cancellation::Cancellation,
    child_failure::ChildFailure,
    guarded::Guarded,
    held_files::HeldFiles,
    wire::{self, Reply, Request},
};
use crate::web::requests::Requests;

/// A child that waits for a job or works on one. Dropping it kills it and everything in its process group.
#[derive(Debug)]
pub(super) struct Process {
    child: Guarded,
    jobs: u32,
    /// The vendor files that it holds.
    held: HeldFiles,
}

impl Process {
    /// Starts a child. It gets no environment of ours, no working directory and a process group of its own.
    pub(super) async fn spawn(program: &Path, arguments: &[String], memory_limit_bytes: u64) -> io::Result<Self> {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            // Threads that libraries start without saying how large a stack they need.
            .env("RUST_MIN_STACK", "8388608")
            // The pool is what runs in parallel, not one bundle.
            .env("RAYON_NUM_THREADS", "1")
            .current_dir("/");
        let mut child = Guarded::spawn(&mut command, memory_limit_bytes)?;
        let configure = wire::frame(&Request::Configure { memory_limit_bytes })
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let (input, _, _) = child.parts();
        // A child that is dead already shows it at its first job.
        let _ = input.write_all(&configure).await;
        Ok(Self { child, jobs: 0, held: HeldFiles::default() })
    }

    /// Jobs that it has answered.
    pub(super) const fn jobs(&self) -> u32 {
        self.jobs
    }

    /// True if it has not ended.
    pub(super) fn is_alive(&mut self) -> bool {
        self.child.is_alive()
    }

    /// Bytes that it keeps in memory; `None` where the system does not say.
    pub(super) fn resident_bytes(&self) -> Option<u64> {
        self.child.resident_bytes()
    }

    /// Sends one message and waits for the next one that is no mere acknowledgement. `budget` is the time this may
    /// take, without the time that the child waits for a processor, and is reduced by what it took. After an error the
    /// process is dead or must be dropped.
    pub(super) async fn exchange(&mut self, frame: &[u8], budget: &mut Duration) -> Result<Reply, ChildFailure> {
        self.exchange_from(false, frame, budget, &mut Cancellation::never(), &mut Requests::none()).await
    }

    /// The same for a message about a bundle with these vendor files, which are sent before it as far as it does not hold
    /// them already.
    pub(super) async fn exchange_with(
        &mut self,
        files: &[BundleFile],
        frame: &[u8],
        budget: &mut Duration,
    ) -> Result<Reply, ChildFailure> {
        let mut frames = self.held.frames(files).map_err(|error| ChildFailure::Confused(error.to_string()))?;
        if frames.is_empty() {
            return self.exchange(frame, budget).await;
        }
        frames.push(frame.to_vec());
        self.exchange(&frames.concat(), budget).await
    }

    /// The same for a call, which may be told that it is to end, and has requests of its own.
    pub(super) async fn begin_call(
        &mut self,
        frame: &[u8],
        budget: &mut Duration,
        cancellation: &mut Cancellation<'_>,
        requests: &mut Requests,
    ) -> Result<Reply, ChildFailure> {
        self.exchange_from(false, frame, budget, cancellation, requests).await
    }

    /// The same for a message in the middle of a call, which is not acknowledged.
    pub(super) async fn resume(
        &mut self,
        frame: &[u8],
        budget: &mut Duration,
        cancellation: &mut Cancellation<'_>,
        requests: &mut Requests,
    ) -> Result<Reply, ChildFailure> {
        self.exchange_from(true, frame, budget, cancellation, requests).await
    }

    async fn exchange_from(
        &mut self,
        mut accepted: bool,
        frame: &[u8],
        budget: &mut Duration,
        cancellation: &mut Cancellation<'_>,
        requests: &mut Requests,
    ) -> Result<Reply, ChildFailure> {
        let (input, output, watcher) = self.child.parts();
        let talk = async {
            input.write_all(frame).await?;
            loop {
                let reading = wire::read_frame(output);
                tokio::pin!(reading);
                let body = loop {
                    let news = tokio::select! {
                        biased;
                        () = cancellation.requested() => Request::Cancel,
                        // What was asked for goes first, so that no more is asked for than is passed on.
                        (number, event) = requests.next() => Request::WebEvent(number, event),
                        body = &mut reading => break body?,
                    };
                    let news = wire::frame(&news).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                    input.write_all(&news).await?;
                };
                match wire::message::<Reply>(&body) {
                    Ok(Reply::Accepted) => accepted = true,
                    Ok(Reply::Web(order)) => requests.take(order),
                    Ok(reply) => return Ok(reply),
                    Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
                }
            }
        };
        match watcher.guard(budget, talk).await {
            Ok(Reply::Panicked(message)) => Err(ChildFailure::Panicked(message)),
            Ok(Reply::Refused(message)) => Err(ChildFailure::Confused(message)),
            Ok(reply) => {
                self.jobs = self.jobs.saturating_add(1);
                Ok(reply)
            }
            Err(ending) => Err(self.child.failure(ending, accepted).await),
        }
    }
}
