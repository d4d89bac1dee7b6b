//! A daemon under a drill.

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use mangrove_testkit::http::Client;
use serde_json::Value;

use crate::repository::{Ended, Repository, Running, TIME_LIMIT};

/// A daemon of a repository; it is killed with this value.
pub(crate) struct Serving {
    running: Option<Running>,
    log: PathBuf,
    pub(crate) address: SocketAddr,
    process: u32,
}

/// What the process of a daemon holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    /// The memory that no file stands behind. The code of the program is left out: how much of it counts depends on how
    /// many workers share it.
    pub(crate) bytes: u64,
    pub(crate) descriptors: usize,
}

impl Serving {
    /// Starts one on a free port and waits until it is ready.
    pub(crate) fn start(repository: &Repository, arguments: &[&str]) -> Result<Self> {
        let fixed = ["serve", "--listen", "127.0.0.1:0", "--log-format", "json"];
        let running = repository.start(&[&fixed, arguments].concat())?;
        let (log, process) = (running.stderr(), running.process());
        let mut serving = Self { running: Some(running), log, address: ([127, 0, 0, 1], 0).into(), process };
        let listening = serving.logged("listening")?;
        let address = listening["address"].as_str().and_then(|address| address.parse().ok());
        serving.address = address.with_context(|| format!("no address: {listening}"))?;
        serving.logged("ready")?;
        Ok(serving)
    }

    /// Every line of its log so far.
    pub(crate) fn log(&self) -> Result<Vec<Value>> {
        let text = fs::read_to_string(&self.log).context("cannot read the log")?;
        Ok(text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| Value::from(line))).collect())
    }

    /// Waits for an event of the log with this message.
    pub(crate) fn logged(&self, message: &str) -> Result<Value> {
        let start = Instant::now();
        while start.elapsed() < TIME_LIMIT {
            if let Some(event) = self.log()?.into_iter().find(|event| event["message"] == message) {
                return Ok(event);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("the daemon never said `{message}`: {:?}", self.log()?)
    }

    /// Waits until an event of the log with this message was there that often.
    pub(crate) fn logged_times(&self, message: &str, times: usize) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < TIME_LIMIT {
            if self.log()?.iter().filter(|event| event["message"] == message).count() >= times {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("the daemon never said `{message}` {times} times")
    }

    /// The document at this path, which must be there.
    pub(crate) fn document(&self, path: &str) -> Result<Value> {
        let answer = Client::connect(self.address)?.get(path, None)?;
        let text = String::from_utf8_lossy(&answer.body);
        if answer.status != 200 {
            bail!("{path}: {} {text}", answer.status);
        }
        serde_json::from_str(&text).with_context(|| format!("{path}: no JSON document: {text}"))
    }

    /// What its process holds now; Linux only.
    pub(crate) fn held(&self) -> Result<Held> {
        let directory = PathBuf::from(format!("/proc/{}", self.process));
        let rollup = fs::read_to_string(directory.join("smaps_rollup")).context("cannot see the daemon's memory")?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:")).context("no line of memory")?;
        let kibibytes: u64 = line.split_whitespace().next().context("no figure of memory")?.parse()?;
        Ok(Held { bytes: kibibytes * 1_024, descriptors: fs::read_dir(directory.join("fd"))?.count() })
    }

    pub(crate) fn process(&self) -> u32 {
        self.process
    }

    /// Sends it a signal by its name.
    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        self.running.as_ref().context("it has ended")?.signal(name)
    }

    /// Its process.
    pub(crate) fn into_running(mut self) -> Result<Running> {
        self.running.take().context("it has ended")
    }

    /// Kills it with all that it started, as a machine does that loses its power.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.running.take().context("it has ended")?.kill()?;
        Ok(())
    }

    /// Asks it to end and waits for it.
    pub(crate) fn stop(mut self) -> Result<Ended> {
        let running = self.running.take().context("it has ended")?;
        running.signal("TERM")?;
        running.end(TIME_LIMIT)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(running) = &mut self.running {
            // It may have ended.
            let _ = running.kill();
        }
    }
}
