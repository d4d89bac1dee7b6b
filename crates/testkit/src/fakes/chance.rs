//! A clock that stands still and randomness that repeats.

use std::{sync::Mutex, time::Duration};

use mangrove_domain::{
    ports::{Clock, Entropy},
    time::Timestamp,
};

use super::lock;

/// A clock that moves only when a test moves it.
#[derive(Debug)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self(Mutex::new(now))
    }

    /// Lets time pass.
    pub fn advance(&self, duration: Duration) {
        let mut now = lock(&self.0);
        *now = now.plus(duration);
    }

    /// Sets the clock, backwards too.
    pub fn set(&self, now: Timestamp) {
        *lock(&self.0) = now;
    }
}

/// A clock that shows 2026-01-01T00:00:00Z.
impl Default for ManualClock {
    fn default() -> Self {
        Self::new(Timestamp::from_millis(1_767_225_600_000))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *lock(&self.0)
    }
}

/// Randomness that is the same for the same seed; identifiers count up.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<Seeded>);

#[derive(Debug)]
struct Seeded {
    seed: u64,
    state: u64,
    identifiers: u64,
}

impl SeededEntropy {
    /// Randomness from this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(Mutex::new(Seeded { seed, state: seed, identifiers: 0 }))
    }
}

impl Entropy for SeededEntropy {
    fn fraction(&self) -> f64 {
        // SplitMix64; 32 bits are exact in a float.
        let mut seeded = lock(&self.0);
        seeded.state = seeded.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = seeded.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from(u32::try_from(mixed >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
    }

    fn identifier(&self) -> String {
        let mut seeded = lock(&self.0);
        seeded.identifiers += 1;
        format!("00000000-0000-7000-8{:03x}-{:012x}", seeded.seed & 0xfff, seeded.identifiers)
    }
}
