//! Eight processes that scan and four that resolve, again and again, while sources are edited and some of those that scan are
//! killed. Whoever asks for a type that works gets it, whatever is being written.

use std::{
    collections::BTreeMap,
    fs,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use fastrand::Rng;
use mangrove_domain::state::StateName;
use mangrove_testkit::corpus::{Expected, library_path};
use serde_json::Value;

use crate::{Extent, processes, random_below, repository::Repository};

const SCANNING: usize = 8;
const RESOLVING: usize = 4;
const LONG: Duration = Duration::from_mins(3);
const SHORT: Duration = Duration::from_secs(2);
/// Scans take about so long beside eleven others.
const LATEST_KILL: Duration = Duration::from_millis(1_500);

/// What all of them share.
struct Press<'a> {
    repository: &'a Repository,
    /// Sources that work. They are edited and broken, and never removed: their types are always there.
    good: Vec<&'a Expected>,
    is_over: AtomicBool,
    scans: AtomicUsize,
    kills: AtomicUsize,
    answers: AtomicUsize,
    busy: AtomicUsize,
    edits: AtomicUsize,
}

pub(super) fn run(repository: &Repository, expected: &[Expected], random: &mut Rng, extent: Extent) -> Result<String> {
    let press = Press {
        repository,
        good: expected.iter().filter(|entry| entry.state == StateName::Indexed).collect(),
        is_over: AtomicBool::new(false),
        scans: AtomicUsize::new(0),
        kills: AtomicUsize::new(0),
        answers: AtomicUsize::new(0),
        busy: AtomicUsize::new(0),
        edits: AtomicUsize::new(0),
    };
    let duration = if extent.is_quick() { SHORT } else { LONG };
    thread::scope(|scope| {
        let mut parts: Vec<fn(&Press<'_>, Rng) -> Result<()>> = vec![edit];
        parts.extend([scan as fn(&Press<'_>, Rng) -> Result<()>; SCANNING]);
        parts.extend([resolve as fn(&Press<'_>, Rng) -> Result<()>; RESOLVING]);
        let parts: Vec<_> = parts
            .into_iter()
            .map(|part| {
                let (press, random) = (&press, random.fork());
                scope.spawn(move || part(press, random))
            })
            .collect();
        let start = Instant::now();
        while start.elapsed() < duration && !parts.iter().any(thread::ScopedJoinHandle::is_finished) {
            thread::sleep(Duration::from_millis(50));
        }
        press.is_over.store(true, Ordering::Relaxed);
        for part in parts {
            let Ok(outcome) = part.join() else { bail!("a part of the drill panicked") };
            outcome?;
        }
        Ok(())
    })?;
    repository.check(expected).context("after eight scanned and four resolved")?;
    let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    ensure!(count(&press.scans) > 0 && count(&press.answers) > 0, "all were busy all the time");
    Ok(format!(
        "{} s of {SCANNING} scanning and {RESOLVING} resolving: {} edits, {} scans, {} kills, {} answers, {} times busy",
        duration.as_secs(),
        count(&press.edits),
        count(&press.scans),
        count(&press.kills),
        count(&press.answers),
        count(&press.busy),
    ))
}

impl Press<'_> {
    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }

    /// What a command prints as JSON; `None` if it was busy.
    fn document(&self, arguments: &[&str]) -> Result<Option<Value>> {
        let ended = self.repository.run(arguments)?.expect(&[0, 75])?;
        if ended.code() == 75 {
            self.busy.fetch_add(1, Ordering::Relaxed);
            return Ok(None);
        }
        ended.document().map(Some)
    }
}

fn scan(press: &Press<'_>, mut random: Rng) -> Result<()> {
    while press.goes_on() {
        if random.u8(..4) == 0 {
            let mut scan = press.repository.start(&["scan"])?;
            thread::sleep(random_below(&mut random, LATEST_KILL));
            let workers = processes::below(scan.process())?;
            press.kills.fetch_add(usize::from(scan.kill()?), Ordering::Relaxed);
            processes::wait_until_gone(&workers)?;
            continue;
        }
        if press.document(&["scan", "--json"])?.is_some() {
            press.scans.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

fn resolve(press: &Press<'_>, mut random: Rng) -> Result<()> {
    while press.goes_on() {
        let entry = press.good[random.usize(..press.good.len())];
        let type_name = entry.type_name.as_deref().context("a source that works has a type")?;
        let (arguments, sign): (&[&str], &str) = match random.u8(..3) {
            0 => (&["types", "--json"], type_name),
            1 => (&["describe", type_name, "--json"], type_name),
            _ => (&["workflow", "validate", "--json"], "\"valid\":true"),
        };
        if let Some(answer) = press.document(arguments)? {
            ensure!(answer.to_string().contains(sign), "no {sign} in what {arguments:?} prints: {answer}");
            press.answers.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// Saves sources with another comment, broken, and what many of them import. In the end each is as it was.
fn edit(press: &Press<'_>, mut random: Rng) -> Result<()> {
    let mut original: BTreeMap<String, String> = BTreeMap::new();
    while press.goes_on() {
        let entry = press.good[random.usize(..press.good.len())];
        let path = if random.u8(..6) == 0 { library_path(&entry.service) } else { entry.path.clone() };
        let text = match original.get(&path) {
            Some(text) => text.clone(),
            None => fs::read_to_string(press.repository.path(&path))?,
        };
        match random.u8(..5) {
            0 => press.repository.replace(&path, &format!("const unfinished = [;\n{text}"))?,
            1 => press.repository.replace(&path, &text)?,
            _ => press.repository.replace(&path, &format!("{text}\n// {}\n", random.u32(..)))?,
        }
        original.entry(path).or_insert(text);
        press.edits.fetch_add(1, Ordering::Relaxed);
        thread::sleep(random_below(&mut random, Duration::from_millis(200)));
    }
    for (path, text) in original {
        press.repository.replace(&path, &text)?;
    }
    Ok(())
}
