//! Many commands at once on one repository, with those among them that replace the catalog and remove bundles. Then many that
//! scan and some that resolve, without a pause, while sources are edited.

mod press;

use std::fs;

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use mangrove_testkit::corpus::{Corpus, Expected};

use crate::{
    Extent, Outcome,
    engine::Engine,
    random_below,
    repository::{Repository, TIME_LIMIT},
};

const ROUNDS: usize = 3;

/// What may come out of each: done, or busy and worth another try; 1 of those that look at a catalog which is being
/// filled and say what it lacks.
const CROWD: &[(&[&str], &[i32])] = &[
    (&["scan"], &[0, 75]),
    (&["workflow", "run", "hello"], &[0, 75]),
    (&["catalog", "rebuild"], &[0, 75]),
    (&["scan"], &[0, 75]),
    (&["doctor", "--repair", "--apply"], &[0, 1, 75]),
    (&["workflow", "run", "hello"], &[0, 75]),
    (&["cache", "prune"], &[0, 1, 75]),
    (&["types", "--all"], &[0, 75]),
    (&["catalog", "backup", "BACKUP"], &[0, 75]),
    (&["scan"], &[0, 75]),
];

/// Those of a catalog that is a file.
const OF_A_FILE: [&str; 2] = ["rebuild", "backup"];

pub(crate) fn run(random: &mut Rng, extent: Extent, engine: Engine) -> Result<Outcome> {
    let corpus = Corpus { entries: 24, services: 4, broken: 1, invalid: 1 };
    let (mut repository, expected) = Repository::generated(corpus)?;
    let database = engine.set_up(&mut repository);
    let rounds = if extent.is_quick() && engine == Engine::Postgres { 1 } else { ROUNDS };
    let mixed = mixed(&repository, &expected, random, rounds, engine)?;
    let pressed = press::run(&repository, &expected, random, extent)?;
    if let Some(database) = database {
        database.is_left_alone()?;
    }
    Ok(Outcome::Held(format!("{mixed}; {pressed}; no source differs")))
}

fn mixed(
    repository: &Repository,
    expected: &[Expected],
    random: &mut Rng,
    rounds: usize,
    engine: Engine,
) -> Result<String> {
    let (mut commands, mut busy, mut runs) = (0, 0, 0);
    for round in 0..rounds {
        if round > 0 {
            let greeter = repository.path("extensions/models/greeter.ts");
            let text = fs::read_to_string(&greeter)?;
            fs::write(&greeter, format!("{text}\n// {round}\n"))?;
        }
        let backup = repository.path(&format!("backup-{round}.db")).display().to_string();
        let mut running = Vec::new();
        let is_for =
            |arguments: &&[&str]| engine == Engine::Sqlite || !arguments.iter().any(|word| OF_A_FILE.contains(word));
        for (arguments, codes) in CROWD.iter().filter(|(arguments, _)| is_for(arguments)) {
            let arguments: Vec<&str> =
                arguments.iter().map(|word| if *word == "BACKUP" { backup.as_str() } else { word }).collect();
            running.push((repository.start(&arguments)?, codes));
            std::thread::sleep(random_below(random, std::time::Duration::from_millis(60)));
        }
        for (command, codes) in running {
            let ended = command.end(TIME_LIMIT)?.expect(codes).with_context(|| format!("round {round}"))?;
            commands += 1;
            busy += usize::from(ended.code() == 75);
            runs += usize::from(ended.code() == 0 && ended.line.contains("workflow run"));
        }
        repository.check(expected).with_context(|| format!("after round {round}"))?;
        repository.run(&["workflow", "run", "hello"])?.expect(&[0])?;
        runs += 1;
    }
    let listed = repository.run(&["run", "list", "--limit", "1000", "--json"])?.document()?;
    let listed = listed["runs"].as_array().context("no list of runs")?;
    let succeeded = listed.iter().filter(|run| run["status"] == "succeeded").count();
    ensure!(succeeded == runs, "{runs} runs ended well, and {succeeded} are on record");
    Ok(format!("{commands} commands, {busy} of them busy; {runs} runs on record"))
}
