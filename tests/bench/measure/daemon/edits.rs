//! How soon an edit is in use, and what reloads leave behind.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use mangrove_testkit::http::Client;

use super::{
    super::{as_number, mebibytes, milliseconds, report::Line},
    Daemon, LONG, Options,
};

/// The time between two questions whether an edit is in use.
const ASK_EVERY: Duration = Duration::from_millis(1);
/// The time between an edit that is in use and the next one, as somebody who writes has it.
const PAUSE: Duration = Duration::from_millis(30);
/// How many entry points are edited in turn.
const EDITED: usize = 20;

/// An entry point whose description is edited.
struct Edited {
    path: PathBuf,
    text: String,
    url: String,
    tag: Option<String>,
}

/// Descriptors that are open for a moment: connections, files that are read, pipes of a worker that has started.
const PASSING_DESCRIPTORS: f64 = 16.0;

/// The word in the text of an entry point that edits replace.
const WORD: &str = "description: \"create ";

pub(super) fn measure(daemon: &Daemon, directory: &Path, options: &Options) -> Result<Vec<Line>> {
    let amounts = options.daemon;
    let mut client = Client::connect(daemon.address)?;
    let mut edited = (0..EDITED.min(options.services))
        .map(|service| Edited::find(&mut client, directory, &format!("s{service:03}")))
        .collect::<Result<Vec<_>>>()?;
    let count = edited.len();
    let mut times = Vec::with_capacity(amounts.edits);
    for number in 0..amounts.edits {
        times.push(edited[number % count].edit(&mut client, number)?);
        thread::sleep(PAUSE);
    }
    times.sort_unstable();
    let at = |share: usize| milliseconds(times[(times.len() * share / 100).min(times.len() - 1)]);
    let before = daemon.usage()?;
    for number in amounts.edits..amounts.edits + amounts.reloads {
        edited[number % count].edit(&mut client, number)?;
    }
    // What the last reload needed is given back.
    thread::sleep(amounts.idle);
    let after = daemon.usage()?;
    let grown = mebibytes(after.memory.bytes) - mebibytes(before.memory.bytes);
    let descriptors = after.descriptors.saturating_sub(before.descriptors);
    Ok(vec![
        Line::new("save to live, median", at(50), "ms").at_most(100.0).after(amounts.edits),
        Line::new("save to live, 99th percentile", at(99), "ms").at_most(300.0).after(amounts.edits),
        Line::new("growth of memory over reloads", grown, "MiB")
            .at_most(20.0)
            .after(amounts.reloads)
            .noting(&format!("from {:.0} MiB", mebibytes(before.memory.bytes))),
        Line::new("growth of open descriptors over reloads", as_number(descriptors), "descriptors")
            .at_most(PASSING_DESCRIPTORS)
            .after(amounts.reloads)
            .noting(&format!(
                "from {}; one that every reload leaves open would be {}",
                before.descriptors, amounts.reloads
            )),
    ])
}

impl Edited {
    /// The first entry point of this service.
    fn find(client: &mut Client, directory: &Path, service: &str) -> Result<Self> {
        let path = directory.join(format!("extensions/models/{service}/thing0000.ts"));
        let text = fs::read_to_string(&path).context("cannot read an entry point")?;
        ensure!(text.contains(WORD), "{} has nothing to edit", path.display());
        let url = format!("/api/v1/types/@corpus/{service}/thing0000");
        let answer = client.get(&url, None)?;
        ensure!(answer.status == 200, "{url}: {}", answer.status);
        Ok(Self { path, text, url, tag: answer.tag })
    }

    /// Saves another description; the time until the daemon answers with it.
    fn edit(&mut self, client: &mut Client, number: usize) -> Result<Duration> {
        let words = format!("{number} times create ");
        let text = self.text.replacen(WORD, &format!("description: \"{words}"), 1);
        let start = Instant::now();
        fs::write(&self.path, text).context("cannot write an entry point")?;
        loop {
            let answer = client.get(&self.url, self.tag.as_deref())?;
            if answer.status == 200 && String::from_utf8_lossy(&answer.body).contains(&words) {
                self.tag = answer.tag;
                return Ok(start.elapsed());
            }
            ensure!(start.elapsed() < LONG, "edit {number} of {} is never in use", self.path.display());
            thread::sleep(ASK_EVERY);
        }
    }
}
