//! When one schedule is due next, whatever the clock does meanwhile.

use std::time::Duration;

use mangrove_domain::{ports::Entropy, time::Timestamp, workflow::Misfire};

use super::definition::Schedule;

/// A run that begins later than this after its time was missed; before, it is merely late.
pub const GRACE: Duration = Duration::from_mins(1);

/// How many separate stretches of time are remembered as done.
const STRETCHES: usize = 8;

/// The times of one schedule.
#[derive(Clone, Debug)]
pub(super) struct Timing {
    next: Option<Due>,
    /// Stretches of which every instant is done, the current one last. There is more than one if the clock was set.
    done: Vec<Stretch>,
}

/// An instant of a schedule, and when its run begins: later, if there is jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Due {
    instant: Timestamp,
    begins: Timestamp,
}

/// The instants after the one and until the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    after: Timestamp,
    until: Timestamp,
}

/// What came due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// The instant whose run begins now.
    pub(super) fire: Option<Timestamp>,
    /// True if that run makes up for others.
    pub(super) makes_up: bool,
    /// The latest instant of which nothing comes, because its time is long gone.
    pub(super) missed: Option<Timestamp>,
}

impl Timing {
    /// The times from `now` on. `last` is the instant that was done last, if that is known: what was due since then and is
    /// merely late, or is to be made up for, is due at once.
    pub(super) fn new(schedule: &Schedule, last: Option<Timestamp>, now: Timestamp, entropy: &dyn Entropy) -> Self {
        let mut done: Vec<Stretch> =
            last.map(|last| Stretch { after: before(last), until: last }).into_iter().collect();
        done.push(Stretch { after: now, until: now });
        let mut timing = Self { next: None, done };
        let latest = schedule.recurrence.latest_until(now).filter(|latest| last.is_some_and(|last| last < *latest));
        let counts = |latest: &Timestamp| schedule.misfire == Misfire::RunOnce || now.since(*latest) <= GRACE;
        timing.next = match latest.filter(counts) {
            Some(latest) => Some(timing.due(schedule, latest, entropy)),
            None => timing.after(schedule, now, entropy),
        };
        timing
    }

    /// When the next run begins; `None` if none is due any more.
    pub(super) fn begins(&self) -> Option<Timestamp> {
        self.next.map(|next| next.begins)
    }

    /// Takes what is due. Of several instants whose time has come the latest counts, the others were missed.
    pub(super) fn take(&mut self, schedule: &Schedule, now: Timestamp, entropy: &dyn Entropy) -> Taken {
        let Some(first) = self.next.filter(|next| next.begins <= now) else { return Taken::default() };
        let mut taken = first;
        let mut next = None;
        let latest = self.latest_open(schedule, now).filter(|latest| *latest > first.instant);
        if let Some(latest) = latest {
            let latest = self.due(schedule, latest, entropy);
            if latest.begins <= now {
                taken = latest;
            } else {
                // It still waits for its jitter; the one before it had to begin before it.
                next = Some(latest);
                let instant = self.latest_open(schedule, before(latest.instant));
                let earlier = instant.filter(|instant| *instant > first.instant);
                taken = earlier.map_or(first, |instant| Due { instant, begins: instant });
            }
        }
        let is_late = now.since(taken.begins) > GRACE;
        let has_missed = is_late || taken.instant > first.instant;
        let fire = (!is_late || schedule.misfire == Misfire::RunOnce).then_some(taken.instant);
        let outcome = Taken {
            fire,
            makes_up: has_missed && fire.is_some() && schedule.misfire == Misfire::RunOnce,
            missed: match fire {
                None => Some(taken.instant),
                Some(_) if has_missed && schedule.misfire == Misfire::Skip => {
                    schedule.recurrence.latest_until(before(taken.instant))
                }
                Some(_) => None,
            },
        };
        self.note(taken.instant, has_missed, fire.is_some(), now);
        self.next = next.or_else(|| self.after(schedule, taken.instant.max(now), entropy));
        outcome
    }

    /// The clock was set back to `now`: what is due next is due again, but for what was done already.
    pub(super) fn set_back(&mut self, schedule: &Schedule, now: Timestamp, entropy: &dyn Entropy) {
        let kept = self.next;
        let goes_on = |done: &Stretch| {
            done.after <= now && schedule.recurrence.next_after(done.until).is_none_or(|next| next > now)
        };
        match self.done.iter().rposition(goes_on) {
            Some(index) => {
                let current = self.done.remove(index);
                self.done.push(current);
            }
            None => {
                self.done.push(Stretch { after: now, until: now });
                self.forget_old();
            }
        }
        self.next = self.after(schedule, now, entropy).map(|next| match kept {
            // Its jitter is drawn once.
            Some(kept) if kept.instant == next.instant => kept,
            _ => next,
        });
    }

    fn note(&mut self, instant: Timestamp, has_missed: bool, is_fired: bool, now: Timestamp) {
        match self.done.last_mut() {
            Some(current) if !has_missed => current.until = current.until.max(instant),
            _ => {
                let fired = Stretch { after: before(instant), until: instant };
                self.done.extend(is_fired.then_some(fired));
                self.done.push(Stretch { after: now, until: now });
                self.forget_old();
            }
        }
    }

    fn forget_old(&mut self) {
        let surplus = self.done.len().saturating_sub(STRETCHES);
        self.done.drain(..surplus);
    }

    /// The first instant after this one that is not done.
    fn after(&self, schedule: &Schedule, instant: Timestamp, entropy: &dyn Entropy) -> Option<Due> {
        let mut next = schedule.recurrence.next_after(instant)?;
        // Each stretch can be left once, and then leads into later ones only.
        for _ in 0..=self.done.len() {
            let Some(done) = self.done_at(next) else { break };
            next = schedule.recurrence.next_after(done.until)?;
        }
        Some(self.due(schedule, next, entropy))
    }

    /// The latest instant until this one that is not done.
    fn latest_open(&self, schedule: &Schedule, until: Timestamp) -> Option<Timestamp> {
        let mut latest = schedule.recurrence.latest_until(until)?;
        for _ in 0..=self.done.len() {
            let Some(done) = self.done_at(latest) else { break };
            latest = schedule.recurrence.latest_until(done.after)?;
        }
        Some(latest)
    }

    fn done_at(&self, instant: Timestamp) -> Option<&Stretch> {
        self.done.iter().find(|done| done.after < instant && instant <= done.until)
    }

    /// Draws the jitter of an instant, unless that is done: less than what is left until the next one.
    fn due(&self, schedule: &Schedule, instant: Timestamp, entropy: &dyn Entropy) -> Due {
        if let Some(next) = self.next.filter(|next| next.instant == instant) {
            return next;
        }
        if schedule.jitter.is_zero() {
            return Due { instant, begins: instant };
        }
        let room = schedule.recurrence.next_after(instant).map(|next| before(next).since(instant));
        let longest = room.map_or(schedule.jitter, |room| room.min(schedule.jitter));
        let jitter = Duration::try_from_secs_f64(longest.as_secs_f64() * entropy.fraction()).unwrap_or_default();
        Due { instant, begins: instant.plus(jitter.min(longest)) }
    }
}

fn before(instant: Timestamp) -> Timestamp {
    Timestamp::from_millis(instant.as_millis().saturating_sub(1))
}
