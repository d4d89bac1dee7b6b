//! What goes on at once around the daemon.

use std::{collections::BTreeMap, fs, sync::atomic::Ordering, thread, time::Duration};

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use mangrove_domain::state::StateName;
use mangrove_testkit::{
    corpus::{Expected, library_path},
    http::Client,
    registry::{FakePackage, FakeRegistry, Misbehaviour},
};

use super::{PACKAGE, REMOTE, Scene};
use crate::{random_below, repository::model};

/// Saves sources: with another comment, broken, removed and written again, and what many of them import. In the end each
/// is as it was.
pub(super) fn edit(scene: &Scene<'_>, mut random: Rng) -> Result<()> {
    let good: Vec<&Expected> = scene.expected.iter().filter(|entry| entry.state == StateName::Indexed).collect();
    let mut original: BTreeMap<String, String> = BTreeMap::new();
    while scene.goes_on() {
        let path = match random.u8(..8) {
            0 => library_path(&good[random.usize(..good.len())].service),
            _ => good[random.usize(..good.len())].path.clone(),
        };
        let text = match original.get(&path) {
            Some(text) => text.clone(),
            None => fs::read_to_string(scene.repository.path(&path))?,
        };
        match random.u8(..6) {
            0 => scene.repository.write(&path, &format!("const unfinished = [;\n{text}"))?,
            1 => fs::remove_file(scene.repository.path(&path)).or_else(|error| match error.kind() {
                std::io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            })?,
            2 => scene.repository.write(&path, &text)?,
            _ => scene.repository.write(&path, &format!("{text}\n// {}\n", random.u32(..)))?,
        }
        original.entry(path).or_insert(text);
        scene.edits.fetch_add(1, Ordering::Relaxed);
        thread::sleep(random_below(&mut random, Duration::from_millis(250)));
    }
    for (path, text) in original {
        scene.repository.write(&path, &text)?;
    }
    Ok(())
}

/// Asks the daemon for everything, and starts runs.
pub(super) fn ask(scene: &Scene<'_>, mut random: Rng) -> Result<()> {
    const PATHS: [&str; 7] = [
        "/api/v1/types",
        "/api/v1/types/@drill/greeter",
        "/api/v1/sources?limit=20",
        "/api/v1/transitions?limit=20",
        "/api/v1/runs?limit=20",
        "/api/v1/schedules",
        "/api/v1/why?query=@drill/remote",
    ];
    let mut connection: Option<(Client, usize)> = None;
    while scene.goes_on() {
        let (address, number) = scene.daemon();
        let answer = match connection.as_mut().filter(|(_, of)| *of == number) {
            Some((client, _)) if random.u8(..4) > 0 => client.get(PATHS[random.usize(..PATHS.len())], None),
            Some((client, _)) => start(client, &mut random),
            None => match Client::connect(address) {
                Ok(client) => {
                    connection = Some((client, number));
                    continue;
                }
                Err(error) => Err(error),
            },
        };
        match answer {
            Ok(answer) => {
                ensure!(answer.status < 500 || answer.status == 503, "{}: {}", answer.status, text(&answer.body));
                if matches!(answer.status, 201 | 202) {
                    scene.accepted(&serde_json::from_slice(&answer.body)?);
                }
                scene.requests.fetch_add(1, Ordering::Relaxed);
            }
            // It was killed, and nobody knows yet where the next one answers.
            Err(_) if number == 0 => connection = None,
            Err(error) => return Err(error).context("the daemon does not answer"),
        }
        thread::sleep(random_below(&mut random, Duration::from_millis(60)));
    }
    Ok(())
}

fn start(client: &mut Client, random: &mut Rng) -> std::io::Result<mangrove_testkit::http::Answer> {
    let key = format!("Idempotency-Key: {}", random.u64(..));
    client.send("POST", "/api/v1/workflows/hello/runs", &[&key, "Prefer: respond-async"], "")
}

/// Uses the command line beside the daemon.
pub(super) fn command(scene: &Scene<'_>, mut random: Rng) -> Result<()> {
    const COMMANDS: [&[&str]; 5] =
        [&["workflow", "run", "hello", "--json"], &["scan"], &["types"], &["run", "list"], &["doctor"]];
    while scene.goes_on() {
        let number = random.usize(..COMMANDS.len());
        let ended = scene.repository.run(COMMANDS[number])?.expect(&[0, 1, 75])?;
        // Whatever becomes of the command: who has read of a run knows of it.
        if number == 0 {
            for line in ended.stdout.lines() {
                scene.accepted(&serde_json::from_str(line).unwrap_or_default());
            }
        }
        scene.commands.fetch_add(1, Ordering::Relaxed);
        thread::sleep(random_below(&mut random, Duration::from_millis(1_500)));
    }
    Ok(())
}

/// A registry that fails in all ways, and a source that needs something new of it each time.
pub(super) fn disturb(scene: &Scene<'_>, mut random: Rng) -> Result<()> {
    let mut version = 0;
    while scene.goes_on() {
        version += 1;
        let fault = match random.u8(..3) {
            0 => Misbehaviour::Status(503),
            1 => Misbehaviour::Status(500),
            _ => Misbehaviour::Stall,
        };
        scene.registry.misbehave(None, fault, None);
        publish(scene.registry, version);
        scene.repository.write(REMOTE, &remote(version))?;
        scene.faults.fetch_add(1, Ordering::Relaxed);
        thread::sleep(random_below(&mut random, Duration::from_secs(3)));
        scene.registry.heal()?;
        thread::sleep(random_below(&mut random, Duration::from_secs(3)));
    }
    Ok(())
}

pub(super) fn publish(registry: &FakeRegistry, version: usize) {
    let package = FakePackage::new(PACKAGE, &format!("1.0.{version}"));
    registry.publish(package.file("index.js", &format!("export const value = {version};\n")));
}

pub(super) fn remote(version: usize) -> String {
    model(&format!("import {{ value }} from \"npm:{PACKAGE}@1.0.{version}\";"), "@drill/remote", "${value}")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().take(500).collect()
}
