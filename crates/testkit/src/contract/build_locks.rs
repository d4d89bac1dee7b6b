//! What every [`BuildLocks`] must do.

use std::{sync::Arc, time::Duration};

use mangrove_domain::{
    digest::Digest,
    ports::{Acquired, BuildLock, BuildLocks},
};

/// Longer than any of these tests takes.
const LONG: Duration = Duration::from_mins(2);

fn lock(acquired: Acquired) -> BuildLock {
    match acquired {
        Acquired::AtOnce(lock) | Acquired::AfterOthers(lock) => lock,
        Acquired::Busy | Acquired::Unavailable => panic!("there is no lock"),
    }
}

/// The contract of [`BuildLocks`]. Each call of `make` gives what another process would have of the same locks.
///
/// # Panics
/// If it does not hold.
pub async fn build_locks(make: &(dyn Fn() -> Arc<dyn BuildLocks> + Sync)) {
    let (ours, theirs) = (make(), make());
    let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));

    // Different things do not wait for each other, whoever asks.
    let held = ours.acquire(a, LONG).await;
    assert!(matches!(held, Acquired::AtOnce(_)), "{held:?}");
    let other = theirs.acquire(b, LONG).await;
    assert!(matches!(other, Acquired::AtOnce(_)), "{other:?}");
    drop(other);

    // The patience of who waits ends, also within one process.
    for locks in [&ours, &theirs] {
        for patience in [Duration::ZERO, Duration::from_millis(50)] {
            let refused = locks.acquire(a, patience).await;
            assert!(matches!(refused, Acquired::Busy), "{refused:?}");
        }
    }

    // Who stops waiting keeps nobody from getting it.
    let waiting = tokio::spawn({
        let theirs = Arc::clone(&theirs);
        async move { theirs.acquire(a, LONG).await }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    waiting.abort();
    assert!(waiting.await.is_err(), "it waits as long as the lock is held");

    // Who waits gets it when it is free, and knows that it was not the first.
    let waiting = tokio::spawn({
        let theirs = Arc::clone(&theirs);
        async move { theirs.acquire(a, LONG).await }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    drop(lock(held));
    let later = waiting.await.expect("it does not panic");
    assert!(matches!(later, Acquired::AfterOthers(_)), "{later:?}");
    drop(later);
    let again = ours.acquire(a, LONG).await;
    assert!(matches!(again, Acquired::AtOnce(_)), "{again:?}");

    // One at a time, whatever they do at once.
    drop(again);
    let inside = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..40 {
        let (locks, inside) = (if number % 2 == 0 { make() } else { Arc::clone(&ours) }, Arc::clone(&inside));
        tasks.spawn(async move {
            let held = lock(locks.acquire(a, LONG).await);
            assert_eq!(inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0, "two at a time");
            tokio::task::yield_now().await;
            inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
            drop(held);
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("one at a time");
    }
}
