//! systemd as the one who starts and watches over this process.

use std::time::Duration;

use mangrove_domain::ports::ServiceManager;
use sd_notify::NotifyState;

/// systemd, by the socket that it names in the environment. Where it names none, nobody hears.
pub(super) struct Systemd;

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}

impl ServiceManager for Systemd {
    fn ready(&self) {
        tell(&[NotifyState::Ready]);
    }

    fn reloading(&self) {
        let now = NotifyState::monotonic_usec_now().ok();
        tell(&[Some(NotifyState::Reloading), now].into_iter().flatten().collect::<Vec<_>>());
    }

    fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }

    fn status(&self, line: &str) {
        tell(&[NotifyState::Status(line)]);
    }

    fn alive(&self) {
        tell(&[NotifyState::Watchdog]);
    }

    fn alive_within(&self) -> Option<Duration> {
        sd_notify::watchdog_enabled()
    }
}
