//! What a daemon is to be like, as plain values.

use std::{net::SocketAddr, time::Duration};

use mangrove_app::service::Retention;

/// What a daemon is to be like.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; with port 0 the system chooses one.
    pub listen: SocketAddr,
    /// How long running workflows may go on after it was asked to end. What runs longer is cancelled.
    pub grace: Duration,
    /// How often it looks at all sources although nobody told of a change: events get lost, and network file systems have
    /// none.
    pub rescan: Duration,
    /// How many workflows run at once at most by schedules and webhooks, at least 1.
    pub parallel_runs: usize,
    /// How many scheduled runs go on at once at most in all daemons that share their claims, at least 1; `None` for any number.
    pub shared_parallel_runs: Option<u32>,
    /// How long after its start it looks after its stores first, and up to twice as much later by chance; then once a day.
    pub first_upkeep: Duration,
    /// How long history is kept.
    pub retention: Retention,
}

impl Default for Options {
    /// On the local machine alone, port 8787; 20 s of grace; a look every 5 minutes; 4 runs at once; history for the usual
    /// time.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8787)),
            grace: Duration::from_secs(20),
            rescan: Duration::from_mins(5),
            parallel_runs: 4,
            shared_parallel_runs: None,
            first_upkeep: Duration::from_mins(10),
            retention: Retention::default(),
        }
    }
}
