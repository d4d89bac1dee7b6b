//! What whoever watches over a daemon sees of it in one line, as `systemctl status` shows it.

use std::{sync::Arc, time::Duration};

use mangrove_app::service::Service;
use mangrove_documents::Moment;
use mangrove_domain::{index::TypeIndex, ports::ServiceManager, time::Timestamp};
use tokio::sync::watch;

use crate::status::{Phase, Status};

/// It is not told more often than this.
const BETWEEN_LINES: Duration = Duration::from_secs(1);

/// Tells the line whenever it is another one.
pub(crate) async fn keep(service: Service, manager: Arc<dyn ServiceManager>, mut status: watch::Receiver<Status>) {
    let mut snapshots = service.scanner().publisher().snapshots();
    let mut told = String::new();
    loop {
        let index = Arc::clone(&snapshots.borrow_and_update());
        let runs = service.active_runs().len();
        let line = line(&status.borrow_and_update(), &index, runs, service.clock().now());
        if line != told {
            manager.status(&line);
            told = line;
        }
        tokio::time::sleep(BETWEEN_LINES).await;
        // While something runs, its end changes the line without any of the two.
        let has_ended = tokio::select! {
            changed = status.changed() => changed.is_err(),
            changed = snapshots.changed() => changed.is_err(),
            () = tokio::time::sleep(BETWEEN_LINES), if runs > 0 => false,
        };
        if has_ended {
            return;
        }
    }
}

/// `ready, 12 types, 1 failing, 2 running, next run 10:30 UTC`
fn line(status: &Status, index: &TypeIndex, runs: usize, now: Timestamp) -> String {
    let types = index.rows().filter(|row| row.is_resolvable()).count();
    let failing = index.rows().filter(|row| row.failure().is_some()).count();
    let mut parts = vec![status.phase.as_str().to_owned()];
    if let Some(failing) = status.failing.as_deref().filter(|_| status.phase != Phase::Stopping) {
        parts.push(format!("but {}", failing.lines().next().unwrap_or_default()));
    }
    parts.push(if types == 1 { "1 type".to_owned() } else { format!("{types} types") });
    let counts = [(failing, "failing"), (status.in_progress, "in progress"), (runs, "running")];
    parts.extend(counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")));
    if let Some(next) = status.next_run.filter(|_| status.phase != Phase::Stopping) {
        parts.push(format!("next run {}", clock(next, now)));
    }
    parts.join(", ")
}

/// The time of the day, with the date if it is another one.
fn clock(at: Timestamp, now: Timestamp) -> String {
    let (at, now) = (Moment(at).to_string(), Moment(now).to_string());
    let (date, time) = at.split_once('T').unwrap_or((&at, ""));
    let time = time.get(..5).unwrap_or(time);
    if now.starts_with(date) { format!("{time} UTC") } else { format!("{date} {time} UTC") }
}

#[cfg(test)]
mod tests {
    use mangrove_testkit::rows;

    use super::*;

    const NOON: Timestamp = Timestamp::from_millis(1_767_268_800_000);

    #[test]
    fn a_line_says_what_matters_and_nothing_else() {
        let mut status = Status::starting(NOON);
        assert_eq!(line(&status, &TypeIndex::default(), 0, NOON), "starting, 0 types");
        let failed = rows::failed("models/b.ts", "@acme/b");
        let index = TypeIndex::build([rows::indexed("models/a.ts", "@acme/a"), failed].map(Arc::new));
        status.phase = Phase::Ready;
        status.next_run = Some(NOON.plus(Duration::from_mins(30)));
        assert_eq!(line(&status, &index, 0, NOON), "ready, 1 type, 1 failing, next run 12:30 UTC");
        status.in_progress = 3;
        status.next_run = Some(NOON.plus(Duration::from_hours(15)));
        let told = line(&status, &index, 2, NOON);
        assert_eq!(told, "ready, 1 type, 1 failing, 3 in progress, 2 running, next run 2026-01-02 03:00 UTC");
        status.failing = Some("the disk is full\nand more".to_owned());
        status.next_run = None;
        assert!(line(&status, &index, 0, NOON).starts_with("ready, but the disk is full, 1 type"));
        status.phase = Phase::Stopping;
        assert_eq!(line(&status, &index, 1, NOON), "stopping, 1 type, 1 failing, 3 in progress, 1 running");
    }
}
