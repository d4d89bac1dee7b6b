//! `kill -9` at random moments of everything that writes: scans, runs and daemons. Nothing may be lost of what somebody was
//! told, nothing may be left over, and what comes next must be right.

mod leftovers;
mod scene;
mod victims;

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;

use self::{
    scene::Scene,
    victims::{Moments, VICTIMS},
};
use crate::{Extent, Outcome, engine::Engine};

/// How many processes are killed before they end.
const KILLS: usize = 200;
/// Each sort of victim once, and over PostgreSQL the first of them.
const SHORT: usize = VICTIMS.len();
const SHORT_OVER_POSTGRES: usize = 3;

pub(crate) fn run(random: &mut Rng, extent: Extent, engine: Engine) -> Result<Outcome> {
    let wanted = match engine {
        _ if !extent.is_quick() => KILLS,
        Engine::Sqlite => SHORT,
        Engine::Postgres => SHORT_OVER_POSTGRES,
    };
    let mut scene = Scene::new(engine)?;
    let moments = Moments::measure(&mut scene)?;
    let (mut killed, mut ended) = ([0; VICTIMS.len()], 0);
    for round in 0.. {
        if killed.iter().sum::<usize>() == wanted {
            break;
        }
        ensure!(round < 4 * wanted, "most commands ended before they were killed: {ended} of {round}");
        let which = round % VICTIMS.len();
        let victim = &VICTIMS[which];
        let told = |kill: String| format!("round {round}, {}, {kill}", victim.name);
        let kill =
            (victim.kill)(&mut scene, &moments, random).with_context(|| told("before it was killed".to_owned()))?;
        if kill.is_dead {
            killed[which] += 1;
        } else {
            ended += 1;
        }
        scene.check(&kill).with_context(|| told(format!("killed after {:?}", kill.after)))?;
    }
    let runs = scene.account(extent)?;
    let temporary = leftovers::are_swept(&scene.repository)?;
    let kills: Vec<String> =
        VICTIMS.iter().zip(killed).map(|(victim, count)| format!("{count} of {}", victim.name)).collect();
    Ok(Outcome::Held(format!(
        "{} kills ({}), {ended} had ended before; {runs}; no process and no connection left over; {temporary}; no source differs",
        killed.iter().sum::<usize>(),
        kills.join(", "),
    )))
}
