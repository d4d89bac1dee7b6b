//! What a running daemon costs, and how soon it does what it is for.

mod edits;
mod load;
mod schedules;

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::Child,
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{
    Options, mebibytes,
    process::{Program, Usage, usage},
    report::Line,
};

pub(super) use schedules::lateness;

/// How much is done to a daemon.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amounts {
    /// How long it is watched while nothing happens.
    pub(crate) idle: Duration,
    /// Edits whose time until the new code is in use is taken.
    pub(crate) edits: usize,
    /// Further edits, for what a reload leaves behind.
    pub(crate) reloads: usize,
    /// Clients that ask at once.
    pub(crate) clients: usize,
    /// How long they ask.
    pub(crate) asking: Duration,
    /// Workflows with a schedule.
    pub(crate) schedules: usize,
    /// How long their runs are watched.
    pub(crate) scheduled: Duration,
}

impl Amounts {
    /// What the bounds are about.
    pub(crate) fn full() -> Self {
        Self {
            idle: Duration::from_secs(30),
            edits: 200,
            reloads: 1_000,
            clients: 200,
            asking: Duration::from_secs(10),
            schedules: 10_000,
            scheduled: Duration::from_mins(1),
        }
    }

    /// Just enough to prove that the code works.
    pub(crate) fn quick() -> Self {
        Self {
            idle: Duration::from_millis(200),
            edits: 3,
            reloads: 3,
            clients: 4,
            asking: Duration::from_millis(300),
            schedules: 5,
            scheduled: Duration::from_secs(6),
        }
    }
}

/// How long whatever is waited for may take. Longer than anything here needs.
const LONG: Duration = Duration::from_mins(3);

/// A daemon on a repository; it is killed with this value.
struct Daemon {
    child: Child,
    address: SocketAddr,
    /// What it says, as long as somebody waits for it.
    log: Receiver<Value>,
}

impl Daemon {
    /// Starts one and waits until it is ready.
    fn start(mangrove: &Program) -> Result<Self> {
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--log-format", "json"];
        let (child, log) = mangrove.start(&arguments)?;
        let (sender, events) = channel();
        thread::spawn(move || {
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                // Nobody listens after the start; the pipe has to be emptied all the same.
                let _ = sender.send(serde_json::from_str(&line).unwrap_or(Value::String(line)));
            }
        });
        let mut daemon = Self { child, address: ([127, 0, 0, 1], 0).into(), log: events };
        let listening = daemon.logged("listening")?;
        daemon.address = listening["address"]
            .as_str()
            .and_then(|address| address.parse().ok())
            .with_context(|| format!("the daemon names no address: {listening}"))?;
        daemon.logged("ready")?;
        Ok(daemon)
    }

    /// Waits for an event of the log with this message.
    fn logged(&self, message: &str) -> Result<Value> {
        loop {
            let event = self.log.recv_timeout(LONG).with_context(|| format!("the daemon never said `{message}`"))?;
            if event["message"] == message {
                return Ok(event);
            }
        }
    }

    fn usage(&self) -> Result<Usage> {
        usage(self.child.id())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Everything that is asked of a daemon on this repository, whose sources are all in order.
pub(super) fn measure(mangrove: &Program, directory: &Path, options: &Options) -> Result<Vec<Line>> {
    let daemon = Daemon::start(mangrove)?;
    let mut lines = Vec::from(idle(&daemon, &options.daemon)?);
    lines.push(load::requests(&daemon, &options.daemon)?);
    lines.extend(edits::measure(&daemon, directory, options)?);
    Ok(lines)
}

/// What it holds and uses while nothing happens.
fn idle(daemon: &Daemon, amounts: &Amounts) -> Result<[Line; 2]> {
    // Workers that the start needed end by themselves.
    thread::sleep(amounts.idle);
    let before = daemon.usage()?;
    thread::sleep(amounts.idle);
    let after = daemon.usage()?;
    let used = after.processor.saturating_sub(before.processor);
    let share = 100.0 * used.as_secs_f64() / amounts.idle.as_secs_f64();
    Ok([
        Line::new("idle daemon, memory", mebibytes(after.memory.bytes), "MiB").at_most(96.0).noting(after.memory.kind),
        Line::new("idle daemon, share of a processor", share, "%").at_most(0.5),
    ])
}
