//! Many commands at once on one repository, with those among them that replace the catalog and remove bundles.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use mangrove_testkit::corpus::Corpus;

use crate::{
    Outcome, random_below,
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

pub(crate) fn run(random: &mut Rng) -> Result<Outcome> {
    let (repository, expected) = Repository::generated(Corpus { entries: 24, services: 4, broken: 1, invalid: 1 })?;
    let (mut commands, mut busy, mut runs) = (0, 0, 0);
    for round in 0..ROUNDS {
        if round > 0 {
            let greeter = repository.path("extensions/models/greeter.ts");
            let text = fs::read_to_string(&greeter)?;
            fs::write(&greeter, format!("{text}\n// {round}\n"))?;
        }
        let backup = repository.path(&format!("backup-{round}.db")).display().to_string();
        let mut running = Vec::new();
        for (arguments, codes) in CROWD {
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
        repository.check(&expected).with_context(|| format!("after round {round}"))?;
        repository.run(&["workflow", "run", "hello"])?.expect(&[0])?;
        runs += 1;
    }
    let listed = repository.run(&["run", "list", "--limit", "1000", "--json"])?.document()?;
    let listed = listed["runs"].as_array().context("no list of runs")?;
    let succeeded = listed.iter().filter(|run| run["status"] == "succeeded").count();
    ensure!(succeeded == runs, "{runs} runs ended well, and {succeeded} are on record");
    Ok(Outcome::Held(format!("{commands} commands, {busy} of them busy; {runs} runs on record; no source differs")))
}
