//! How late the runs of many schedules begin.

use std::{
    fs,
    ops::Range,
    path::Path,
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, ensure};
use mangrove_testkit::http::Client;
use serde_json::Value;

use super::{
    super::{as_number, report::Line},
    Amounts, Daemon, Program,
};

const MODEL: &str = "const schema = () => ({ _def: {}, parse: (value) => value, safeParse: (value) => ({ success: true, data: value }) });
export const model = {
  type: \"@bench/quick\",
  version: \"2026.11.29.1\",
  methods: {
    rest: { description: \"Does nothing\", arguments: schema(), execute: async () => ({ dataHandles: [] }) },
  },
};
";

const DEFINITION: &str = "id: 00000000-0000-4000-9000-000000000000\nname: quick\nversion: 1\n";

/// The seconds of an hour.
const HOUR: u64 = 3_600;
/// How long after they are written the first ones are due.
const AHEAD: u64 = 3;

/// So many workflows, each with a schedule; the seconds of an hour on which they are due are dealt out evenly. What
/// counts is how long after its second a run begins.
pub(crate) fn lateness(program: &Path, amounts: &Amounts) -> Result<Line> {
    let directory = tempfile::tempdir().context("no temporary directory")?;
    let write = |path: &str, text: &str| -> Result<()> {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap_or(directory.path())).context("cannot make a directory")?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    write("mangrove.yaml", "repoId: 00000000-0000-4000-8000-00000000c0de\n")?;
    write("extensions/models/quick.ts", MODEL)?;
    write("models/@bench/quick/quick.yaml", DEFINITION)?;
    let mangrove = Program::new(program, directory.path());
    mangrove.output(&["scan"])?;
    let first = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() + AHEAD;
    for number in 0..amounts.schedules {
        let due = due(first, u64::try_from(number)?);
        write(
            &format!("workflows/w{number}.yaml"),
            &format!(
                "id: 00000000-0000-4000-8000-{number:012}\nname: w{number}\n\
                 trigger: {{ schedule: '{} {} * * * *' }}\n\
                 jobs:\n  - name: only\n    steps:\n      - name: rest\n        \
                 task: {{ type: model_method, modelIdOrName: quick, methodName: rest }}\n",
                due % 60,
                due / 60
            ),
        )?;
    }
    let daemon = Daemon::start(&mangrove)?;
    thread::sleep(amounts.scheduled);
    let mut late = late(&mut Client::connect(daemon.address)?, first)?;
    late.sort_unstable();
    let last = late.get(late.len() * 99 / 100).context("no run of a schedule began")?;
    let note = format!("{} schedules; median {} ms", amounts.schedules, late[late.len() / 2]);
    Ok(Line::new("lateness of schedules, 99th percentile", as_number(*last), "ms")
        .at_most(50.0)
        .after(late.len())
        .noting(&note))
}

/// The second of the hour on which the workflow of this number is due.
fn due(first: u64, number: u64) -> u64 {
    (first + number) % HOUR
}

/// For each run of a schedule, the milliseconds since the second on which it was due.
fn late(client: &mut Client, first: u64) -> Result<Vec<usize>> {
    let (mut late, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = client.get(&format!("/api/v1/runs?limit=200{cursor}"), None)?;
        let document: Value = serde_json::from_slice(&answer.body).context("the runs are no JSON document")?;
        for run in document["runs"].as_array().context("no list of runs")? {
            ensure!(run["trigger"] == "schedule", "a run that no schedule started: {run}");
            let after = after_due(run, first).with_context(|| format!("a run without name or beginning: {run}"))?;
            late.push(usize::try_from(after)?);
        }
        match document["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(late),
        }
    }
}

fn after_due(run: &Value, first: u64) -> Option<u64> {
    let number = run["name"].as_str()?.strip_prefix('w')?.parse().ok()?;
    // `2026-11-29T02:40:32.123Z`
    let begun = run["startedAt"].as_str()?;
    let part = |range: Range<usize>| begun.get(range)?.parse::<u64>().ok();
    let begun = (part(14..16)? * 60 + part(17..19)?) * 1_000 + part(20..23)?;
    Some((begun + HOUR * 1_000 - due(first, number) * 1_000) % (HOUR * 1_000))
}
