//! Scans that are killed at any moment, with all their workers. Nothing may be lost, and the next scan must be right.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use mangrove_testkit::corpus::{Corpus, library_path};

use crate::{Outcome, random_below, repository::Repository};

const ROUNDS: usize = 8;

const CORPUS: Corpus = Corpus { entries: 48, services: 8, broken: 3, invalid: 3 };

pub(crate) fn run(random: &mut Rng) -> Result<Outcome> {
    let (repository, expected) = Repository::generated(CORPUS)?;
    // The first scan also waits for the disk to bring the program.
    repository.check(&expected)?;
    fs::remove_dir_all(repository.path(".mangrove")).context("cannot remove the state")?;
    let start = Instant::now();
    repository.check(&expected)?;
    let whole = start.elapsed();
    let (mut killed, mut ended) = (0, 0);
    for round in 0..ROUNDS {
        if round % 2 == 0 {
            fs::remove_dir_all(repository.path(".mangrove")).context("cannot remove the state")?;
        } else {
            edit_all(&repository, round)?;
        }
        let moment = random_below(random, whole);
        kill_at(&repository, moment, &mut killed, &mut ended)?;
        repository.check(&expected).with_context(|| format!("round {round}, killed after {moment:?}"))?;
        let doctor = repository.run(&["doctor", "--json"])?;
        ensure!(!doctor.stdout.contains("MG05"), "the catalog is damaged in round {round}: {doctor}");
    }
    ensure!(killed > 0, "no scan was killed before it ended");
    Ok(Outcome::Held(format!("{killed} scans killed, {ended} had ended before; no source differs afterwards")))
}

fn kill_at(repository: &Repository, moment: Duration, killed: &mut usize, ended: &mut usize) -> Result<()> {
    let mut scan = repository.start(&["scan"])?;
    std::thread::sleep(moment);
    *(if scan.kill()? { killed } else { ended }) += 1;
    Ok(())
}

/// Changes what every source of the corpus imports.
fn edit_all(repository: &Repository, round: usize) -> Result<()> {
    for service in 0..CORPUS.services {
        let path = library_path(&format!("s{service:03}"));
        let text = fs::read_to_string(repository.path(&path))?;
        repository.write(&path, &format!("{text}\nexport const round{round} = {round};\n"))?;
    }
    Ok(())
}
