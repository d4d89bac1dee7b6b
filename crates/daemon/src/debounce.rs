//! Changes of files come in bursts: a save is several events, and a switch of branches thousands.

use std::time::Duration;

use mangrove_domain::{ports::Watcher, watch::FileChanges};
use tokio::time::{Instant, timeout_at};

/// A burst is over when nothing happened for this long …
const QUIET: Duration = Duration::from_millis(5);
/// … or when it has lasted this long: whoever writes without end must not keep others waiting.
const LONGEST: Duration = Duration::from_millis(50);

/// Waits for a burst of changes and gives it as one.
pub(crate) async fn burst(watcher: &dyn Watcher) -> FileChanges {
    let mut changes = watcher.changed().await;
    let end = Instant::now() + LONGEST;
    while let Ok(later) = timeout_at(end.min(Instant::now() + QUIET), watcher.changed()).await {
        changes.extend(later);
        if Instant::now() >= end {
            break;
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::PathBuf, sync::Mutex};

    use async_trait::async_trait;
    use mangrove_domain::watch::{Coverage, WatchList};

    use super::*;

    /// Tells of one path after each of these pauses.
    struct Script(Mutex<Vec<Duration>>);

    #[async_trait]
    impl Watcher for Script {
        async fn watch(&self, _list: WatchList) -> Coverage {
            Coverage::default()
        }

        async fn changed(&self) -> FileChanges {
            let (pause, left) = {
                let mut pauses = self.0.lock().expect("a script");
                (pauses.pop(), pauses.len())
            };
            let Some(pause) = pause else { return std::future::pending().await };
            tokio::time::sleep(pause).await;
            FileChanges { paths: BTreeSet::from([PathBuf::from(left.to_string())]), is_complete: true }
        }
    }

    #[tokio::test]
    async fn a_burst_ends_with_a_pause() {
        let later = Duration::from_hours(1);
        let pauses = vec![later, Duration::from_millis(1), Duration::from_millis(1), Duration::ZERO];
        assert_eq!(burst(&Script(Mutex::new(pauses))).await.paths.len(), 3);
    }

    #[tokio::test]
    async fn a_burst_without_pauses_ends_all_the_same() {
        let script = Script(Mutex::new(vec![Duration::from_millis(2); 10_000]));
        let paths = burst(&script).await.paths.len();
        assert!((1..1_000).contains(&paths), "{paths} changes in one burst");
        assert!(!burst(&script).await.paths.is_empty(), "the rest comes with the next one");
    }
}
