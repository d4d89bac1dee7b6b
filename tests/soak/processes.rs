//! What processes leave behind when they end; Linux only.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

/// Longer than a worker needs to notice that nobody asks it any more.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// One process, also where its number was given to another one since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Process {
    pub(crate) id: u32,
    started: u64,
}

struct Seen {
    process: Process,
    parent: u32,
    state: char,
}

fn look(id: u32) -> Option<Seen> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name before it may contain anything.
    let (_, rest) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let started = fields.get(19)?.parse().ok()?;
    let state = fields.first()?.chars().next()?;
    Some(Seen { process: Process { id, started }, parent: fields.get(1)?.parse().ok()?, state })
}

/// Waits until a process that was asked to stand still does so.
pub(crate) fn wait_until_still(id: u32) {
    let start = Instant::now();
    while look(id).is_some_and(|seen| !matches!(seen.state, 'T' | 'Z')) && start.elapsed() < GONE_WITHIN {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// All processes that this one has started, directly or not.
pub(crate) fn below(id: u32) -> Result<BTreeSet<Process>> {
    let mut children: BTreeMap<u32, Vec<Process>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").context("cannot see processes")? {
        let name = entry?.file_name();
        let Some(seen) = name.to_str().and_then(|name| name.parse().ok()).and_then(look) else { continue };
        children.entry(seen.parent).or_default().push(seen.process);
    }
    let (mut all, mut waiting) = (BTreeSet::new(), vec![id]);
    while let Some(parent) = waiting.pop() {
        for child in children.get(&parent).into_iter().flatten() {
            if all.insert(*child) {
                waiting.push(child.id);
            }
        }
    }
    Ok(all)
}

/// Waits until none of these is there any more.
pub(crate) fn wait_until_gone(processes: &BTreeSet<Process>) -> Result<()> {
    let start = Instant::now();
    for process in processes {
        let lives = || look(process.id).is_some_and(|seen| seen.process == *process && seen.state != 'Z');
        while lives() {
            let line = || fs::read(format!("/proc/{}/cmdline", process.id)).unwrap_or_default();
            ensure!(
                start.elapsed() < GONE_WITHIN,
                "process {} is left over: {}",
                process.id,
                String::from_utf8_lossy(&line()).replace('\0', " ")
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    Ok(())
}
