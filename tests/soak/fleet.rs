//! Several daemons over one PostgreSQL server, which die, stand still and lose it, and schedules that must fire exactly once.

use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, Result, bail, ensure};
use fastrand::Rng;
use mangrove_testkit::postgres::PostgresServer;

use crate::{Extent, Outcome, random_below, repository::Repository, serving::Serving};

const DAEMONS: usize = 3;

/// Longer than a lease and the look for what its holder did not begin.
const SETTLES_WITHIN: Duration = Duration::from_mins(1);

/// The workflow whose runs never overlap.
const APART: &str = "apart";
const APART_NUMBER: usize = 999_999;

/// How long runs that begin with a second go on, about.
const BUSY_IN_A_SECOND: Duration = Duration::from_millis(250);

/// How large the drill is.
struct Size {
    schedules: usize,
    duration: Duration,
    between_kills: Duration,
    /// How long one daemon stands still, and everybody else takes it for dead; zero for not at all.
    standstill: Duration,
    database_restarts: u32,
}

impl Size {
    fn of(extent: Extent) -> Self {
        if extent.is_quick() {
            let (duration, between_kills) = (Duration::from_secs(10), Duration::from_secs(3));
            return Self { schedules: 6, duration, between_kills, standstill: Duration::ZERO, database_restarts: 1 };
        }
        let (duration, between_kills) = (Duration::from_mins(1), Duration::from_secs(5));
        Self { schedules: 200, duration, between_kills, standstill: Duration::from_secs(18), database_restarts: 2 }
    }
}

/// What was done to them.
#[derive(Default)]
struct Harm {
    kills: u32,
    standstills: u32,
    restarts: u32,
}

pub(crate) fn run(random: &mut Rng, extent: Extent) -> Result<Outcome> {
    let size = Size::of(extent);
    let mut server = PostgresServer::start();
    let database = server.create_database();
    let effects = tempfile::tempdir()?;
    let nodes = nodes(&size, effects.path(), &server.url(&database))?;
    nodes[0].run(&["scan"])?.expect(&[0])?;
    let serve = |node: &Repository| Serving::start(node, &["--parallel-runs", "16"]);
    let mut daemons = nodes.iter().map(|node| serve(node).map(Some)).collect::<Result<Vec<_>>>()?;
    for daemon in daemons.iter().flatten() {
        daemon.logged_times("scheduled", size.schedules + 1)?;
    }
    let begin = now_in_seconds()? + 1;
    let (start, mut harm) = (Instant::now(), Harm::default());
    let mut next_kill = size.between_kills;
    // The last daemon is left to stand still, and is not killed meanwhile.
    let mut is_still = !size.standstill.is_zero();
    if is_still {
        daemons[DAEMONS - 1].as_ref().context("a daemon")?.signal("STOP")?;
        harm.standstills += 1;
    }
    while start.elapsed() < size.duration {
        std::thread::sleep(Duration::from_millis(50));
        let elapsed = start.elapsed();
        if is_still && elapsed >= size.standstill {
            daemons[DAEMONS - 1].as_ref().context("a daemon")?.signal("CONT")?;
            is_still = false;
        }
        if elapsed >= next_kill {
            next_kill += size.between_kills;
            // The work of a second is done at its beginning.
            let moment = Duration::from_nanos(1_000_000_000 - u64::from(now()?.subsec_nanos()))
                + random_below(random, BUSY_IN_A_SECOND);
            std::thread::sleep(moment);
            let which = random.usize(..if is_still { DAEMONS - 1 } else { DAEMONS });
            daemons[which].take().context("a daemon")?.kill()?;
            // As whoever watches over it does.
            daemons[which] = Some(serve(&nodes[which])?);
            harm.kills += 1;
        }
        if harm.restarts < size.database_restarts
            && elapsed >= size.duration * (harm.restarts + 1) / (size.database_restarts + 1)
        {
            server.stop();
            std::thread::sleep(Duration::from_secs(1));
            server.start_again();
            harm.restarts += 1;
        }
    }
    let end = now_in_seconds()?;
    // What a daemon claimed that died last is begun by another one, and what they did is told.
    let settling = Instant::now();
    let counted = loop {
        match count(&server, &database, &size, begin..=end) {
            Ok(counted) => break counted,
            Err(error) if settling.elapsed() > SETTLES_WITHIN => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_secs(1)),
        }
    };
    for daemon in daemons.into_iter().flatten() {
        daemon.stop()?.expect(&[0])?;
    }
    let executed = executed(effects.path(), size.schedules)?;
    let apart = apart(&effects.path().join(APART), &server, &database)?;
    let runs: usize =
        server.sql(&database, "SELECT count(*) FROM mangrove_runs.runs WHERE name LIKE 'tick-%'").parse()?;
    ensure!(executed <= runs, "{executed} runs left a trace, and only {runs} are on record");
    ensure!(executed >= counted.succeeded, "{} runs succeeded, and only {executed} left a trace", counted.succeeded);
    Ok(Outcome::Held(format!(
        "{} schedules for {} s on {DAEMONS} daemons; {} kills, {} standstills, {} restarts of the database; {} instants, each with one run, {} interrupted; {apart} runs one after the other",
        size.schedules,
        end - begin,
        harm.kills,
        harm.standstills,
        harm.restarts,
        counted.instants,
        counted.interrupted,
    )))
}

/// Checkouts of one repository with all schedules, whose steps leave their traces in `effects`.
fn nodes(size: &Size, effects: &std::path::Path, url: &str) -> Result<Vec<Repository>> {
    let mut nodes = Vec::new();
    for _ in 0..DAEMONS {
        let mut node = Repository::new()?;
        node.set_environment("MANGROVE_CATALOG", url.to_owned());
        for number in 0..size.schedules {
            let file = effects.join(number.to_string());
            let run = format!("echo x >> {}", file.display());
            node.write(
                &format!("workflows/tick-{number}.yaml"),
                &workflow(number, &format!("tick-{number}"), "allow", &run),
            )?;
        }
        let file = effects.join(APART);
        let run = format!("echo begins >> {0}; sleep 1.4; echo ends >> {0}", file.display());
        node.write("workflows/apart.yaml", &workflow(APART_NUMBER, APART, "skip", &run))?;
        nodes.push(node);
    }
    Ok(nodes)
}

fn workflow(number: usize, name: &str, overlap: &str, run: &str) -> String {
    format!(
        "id: 00000000-0000-4000-8000-{number:012}
name: {name}
trigger: {{ schedule: '* * * * * *', overlap: {overlap} }}
jobs:
  - name: only
    steps:
      - name: tick
        task: {{ type: model_method, modelType: command/shell, modelName: {name}, methodName: execute, inputs: {{ run: '{run}' }} }}
"
    )
}

fn now_in_seconds() -> Result<i64> {
    Ok(i64::try_from(now()?.as_secs())?)
}

/// Since 1970.
fn now() -> Result<Duration> {
    Ok(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?)
}

struct Counted {
    instants: usize,
    succeeded: usize,
    interrupted: usize,
}

/// Every instant of every schedule in this time was claimed once, and got one run.
fn count(
    server: &PostgresServer,
    database: &str,
    size: &Size,
    seconds: std::ops::RangeInclusive<i64>,
) -> Result<Counted> {
    let claims = server.sql(
        database,
        "SELECT workflow || ' ' || instant_millis / 1000 || ' ' || is_begun FROM mangrove_runs.schedule_claims",
    );
    let mut begun: BTreeMap<(String, i64), bool> = BTreeMap::new();
    for line in claims.lines() {
        let [workflow, second, is_begun] = line.split(' ').collect::<Vec<_>>()[..] else { bail!("no claim: {line}") };
        begun.insert((workflow.to_owned(), second.parse()?), is_begun == "true");
    }
    let mut instants = 0;
    for number in 0..size.schedules {
        for second in seconds.clone() {
            let workflow = format!("00000000-0000-4000-8000-{number:012}");
            match begun.get(&(workflow, second)) {
                Some(true) => instants += 1,
                Some(false) => bail!("tick-{number} was claimed for second {second}, and never began"),
                None => bail!("tick-{number} was not fired in second {second} of {seconds:?}"),
            }
        }
    }
    // The daemons go on: all counts are of one moment.
    let counts = server.sql(
        database,
        "SELECT (SELECT count(*) FROM mangrove_runs.schedule_claims WHERE is_begun AND workflow NOT LIKE '%-000000999999') || ' ' || count(*) || ' ' || \
         count(*) FILTER (WHERE status = 'succeeded') || ' ' || count(*) FILTER (WHERE status = 'interrupted') || ' ' || \
         count(*) FILTER (WHERE status IN ('pending', 'running') AND started_millis < extract(epoch FROM now()) * 1000 - 5000) || ' ' || \
         count(*) FILTER (WHERE status IN ('pending', 'running')) \
         FROM mangrove_runs.runs WHERE name LIKE 'tick-%'",
    );
    let counts = counts.split(' ').map(str::parse).collect::<Result<Vec<usize>, _>>()?;
    let [claimed, runs, succeeded, interrupted, stuck, open] = counts[..] else { bail!("no counts") };
    ensure!(runs == claimed, "{claimed} instants began, and {runs} runs are on record");
    ensure!(stuck == 0, "{stuck} runs go on for ever: {}", stuck_runs(server, database));
    let rest = runs - succeeded - interrupted - open;
    ensure!(rest == 0, "{rest} runs neither succeeded nor were interrupted");
    Ok(Counted { instants, succeeded, interrupted })
}

/// What the server knows of some of the runs that have no end.
fn stuck_runs(server: &PostgresServer, database: &str) -> String {
    server.sql(
        database,
        "SELECT runs.id, runs.status, runs.name, runs.started_millis / 1000.0, runs.takeovers, runs.process, processes.seen_at, \
         clock_timestamp(), schedule_claims.is_begun, schedule_claims.process FROM mangrove_runs.runs \
         LEFT JOIN mangrove_runs.processes ON processes.id = runs.process \
         LEFT JOIN mangrove_runs.schedule_claims ON schedule_claims.run = runs.id \
         WHERE status IN ('pending', 'running') AND started_millis < extract(epoch FROM now()) * 1000 - 5000 LIMIT 10",
    )
}

/// How often a step was really carried out.
fn executed(directory: &std::path::Path, schedules: usize) -> Result<usize> {
    let mut lines = 0;
    for number in 0..schedules {
        lines += fs::read_to_string(directory.join(number.to_string()))?.lines().count();
    }
    Ok(lines)
}

/// Counts the runs of the workflow whose runs never overlap. Whoever killed one of them let it end nowhere.
fn apart(file: &std::path::Path, server: &PostgresServer, database: &str) -> Result<usize> {
    let text = fs::read_to_string(file)?;
    let lines: Vec<&str> = text.lines().collect();
    let ends = lines.iter().filter(|line| **line == "ends").count();
    for (before, line) in lines.iter().zip(&lines[1..]) {
        ensure!(*line == "begins" || *before == "begins", "two runs of `{APART}` went on at once: {lines:?}");
    }
    let statuses = server.sql(database, &format!("SELECT status FROM mangrove_runs.runs WHERE name = '{APART}'"));
    // That some of these were interrupted may not be written down yet.
    let others = statuses.lines().filter(|status| *status != "succeeded").count();
    let unended = lines.len() - 2 * ends;
    ensure!(unended <= others, "{unended} runs of `{APART}` have no end, and {others} did not succeed: {statuses}");
    ensure!(ends > 0, "`{APART}` never ran: {statuses}");
    Ok(ends)
}
