//! What is on record of the runs of a drill.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Scene, locked};
use crate::{Extent, engine::Engine, repository::TIME_LIMIT, serving::Serving};

/// Longer than the lease of a process that was killed, and the look for what it left behind.
const LEASES_END_WITHIN: Duration = Duration::from_mins(1);

/// Waits until everything is well, and accounts for every run. Gives what became of them.
pub(super) fn settle(scene: &Scene<'_>, serving: &Serving, extent: Extent) -> Result<String> {
    // Over a server nobody knows at once that a process is dead, and its schedules wait for that; the short form does not.
    let is_waited_for = scene.engine == Engine::Sqlite || !extent.is_quick();
    let start = Instant::now();
    if is_waited_for {
        loop {
            let why = serving.document("/api/v1/why?query=@drill/remote")?;
            let list = runs(serving)?;
            let newest = list.iter().find(|run| run["name"] == "every second 1" && run["finishedAt"].is_string());
            if newest.is_some_and(|run| run["status"] == "succeeded") {
                break;
            }
            ensure!(start.elapsed() < TIME_LIMIT, "the source with a package never heals: {why}; {newest:?}");
            thread::sleep(Duration::from_millis(200));
        }
    }
    // Of each schedule one run goes on at most; what the killed daemon was about has ended with it.
    let start = Instant::now();
    while is_waited_for && let Some(name) = running_twice(&runs(serving)?) {
        ensure!(start.elapsed() < TIME_LIMIT, "more than one run of `{name}` is told as running");
        thread::sleep(Duration::from_millis(100));
    }
    let limit = if scene.engine == Engine::Postgres { LEASES_END_WITHIN } else { Duration::ZERO };
    let start = Instant::now();
    let list = loop {
        let list = runs(serving)?;
        let accepted = locked(&scene.accepted);
        let id = |run: &Value| run["runId"].as_str().unwrap_or_default().to_owned();
        let open = list.iter().find(|run| run["finishedAt"].is_null() && accepted.contains(&id(run)));
        let Some(open) = open.filter(|_| is_waited_for) else {
            break list.clone();
        };
        ensure!(start.elapsed() < limit, "run {} is told as {}", open["runId"], open["status"]);
        drop(accepted);
        thread::sleep(Duration::from_millis(500));
    };
    let known: BTreeMap<&str, &str> =
        list.iter().filter_map(|run| Some((run["runId"].as_str()?, run["status"].as_str()?))).collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for status in known.values() {
        *counts.entry(status).or_default() += 1;
    }
    let missing: Vec<String> =
        locked(&scene.accepted).iter().filter(|id| !known.contains_key(id.as_str())).cloned().collect();
    ensure!(missing.is_empty(), "{} runs were accepted and are not on record: {missing:?}", missing.len());
    let counts: Vec<String> = counts.into_iter().map(|(status, count)| format!("{count} {status}")).collect();
    Ok(format!("{} accepted, 0 lost; on record {}", locked(&scene.accepted).len(), counts.join(", ")))
}

/// The name of a workflow of which more than one run is under way.
fn running_twice(runs: &[Value]) -> Option<String> {
    let mut seen = BTreeSet::new();
    let mut running = runs.iter().filter(|run| run["finishedAt"].is_null()).filter_map(|run| run["name"].as_str());
    running.find(|name| !seen.insert(*name)).map(str::to_owned)
}

fn runs(serving: &Serving) -> Result<Vec<Value>> {
    let (mut runs, mut cursor) = (Vec::new(), String::new());
    loop {
        let document = serving.document(&format!("/api/v1/runs?limit=200{cursor}"))?;
        runs.extend(document["runs"].as_array().context("no list of runs")?.iter().cloned());
        match document["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(runs),
        }
    }
}
