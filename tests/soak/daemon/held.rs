//! What the process of a daemon holds while it is drilled.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::serving::{Held, Serving};

/// Descriptors that come and go: connections, files that are being read, pipes of workers.
const PASSING_DESCRIPTORS: usize = 64;

/// Watches what a daemon holds, which may not grow by more than `most` bytes, and does something at each look. Gives its memory by
/// the minute, in MB, and its descriptors at the beginning and at the end.
pub(super) fn watch(
    serving: &Serving,
    duration: Duration,
    most: u64,
    mut at_each_look: impl FnMut() -> Result<()>,
) -> Result<String> {
    let (start, mut held) = (Instant::now(), Vec::new());
    while start.elapsed() < duration {
        thread::sleep(Duration::from_millis(250));
        held.push((start.elapsed(), serving.held()?));
        at_each_look()?;
    }
    let typical = |held: &[(Duration, Held)]| {
        let mut bytes: Vec<u64> = held.iter().map(|(_, held)| held.bytes).collect();
        bytes.sort_unstable();
        bytes.get(bytes.len() / 2).copied().unwrap_or_default()
    };
    let minute = |(at, _): &(Duration, Held)| at.as_secs() / 60;
    let minutes = held.chunk_by(|one, next| minute(one) == minute(next));
    let minutes: Vec<String> = minutes.map(|held| format!("{:.1}", megabytes(typical(held)))).collect();
    let minutes = minutes.join(" ");
    let quarter = (held.len() / 4).max(1);
    ensure!(held.len() >= quarter, "it was never looked at");
    let (before, after) = (typical(&held[..quarter]), typical(&held[held.len() - quarter..]));
    let grown = after.saturating_sub(before);
    ensure!(grown <= most, "its memory grew from {} to {} KiB; MB by the minute: {minutes}", before >> 10, after >> 10);
    let fewest = held.iter().map(|(_, held)| held.descriptors).min().unwrap_or_default();
    let first = held.first().map(|(_, held)| held.descriptors).unwrap_or_default();
    let last = held.last().map(|(_, held)| held.descriptors).unwrap_or_default();
    ensure!(last <= fewest + PASSING_DESCRIPTORS, "its descriptors grew from {fewest} to {last}");
    Ok(format!("{minutes}, {first} to {last} descriptors"))
}

#[expect(clippy::cast_precision_loss, reason = "it is shown with one decimal")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
