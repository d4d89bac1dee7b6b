//! What every [`BuildLeases`] must do.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use mangrove_domain::{
    digest::Digest,
    ports::{BuildLease, BuildLeases, Leased},
};

/// Longer than any of these tests takes.
const LONG: Duration = Duration::from_mins(2);

fn given(leased: Leased) -> BuildLease {
    match leased {
        Leased::Given(lease) => lease,
        Leased::Held | Leased::Unavailable => panic!("no lease: {leased:?}"),
    }
}

/// The contract of [`BuildLeases`]. Each call of `make` gives what another node would have of the same leases; all of them live
/// until the end.
///
/// # Panics
/// If it does not hold.
pub async fn build_leases(make: &(dyn Fn() -> Arc<dyn BuildLeases> + Sync)) {
    let (ours, theirs) = (make(), make());
    let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));

    // Different things do not wait for each other, whoever asks; and what is given back is anybody's at once.
    let held = given(ours.acquire(a, Duration::ZERO).await);
    assert_eq!(held.fingerprint(), a);
    let other = given(theirs.acquire(b, Duration::ZERO).await);
    theirs.give_back(vec![other]).await;
    let other = given(ours.acquire(b, Duration::ZERO).await);
    ours.give_back(vec![other]).await;

    // The patience of who waits ends, also within one node.
    for leases in [&ours, &theirs] {
        for patience in [Duration::ZERO, Duration::from_millis(50)] {
            let refused = leases.acquire(a, patience).await;
            assert!(matches!(refused, Leased::Held), "{refused:?}");
        }
    }

    // Who stops waiting keeps nobody from getting it.
    let wait = || {
        let theirs = Arc::clone(&theirs);
        tokio::spawn(async move { theirs.acquire(a, LONG).await })
    };
    let waiting = wait();
    tokio::time::sleep(Duration::from_millis(20)).await;
    waiting.abort();
    assert!(waiting.await.is_err(), "it waits as long as the lease is held");

    // Who waits gets it when it is given back; and several together go back together.
    let waiting = wait();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let other = given(ours.acquire(b, Duration::ZERO).await);
    ours.give_back(vec![held, other]).await;
    let later = given(waiting.await.expect("it does not panic"));
    given(theirs.acquire(b, Duration::ZERO).await);

    // What is dropped is given back soon.
    drop(later);
    for fingerprint in [a, b] {
        let again = given(ours.acquire(fingerprint, LONG).await);
        ours.give_back(vec![again]).await;
    }

    one_at_a_time(make, a).await;
}

/// Whatever they do at once.
async fn one_at_a_time(make: &(dyn Fn() -> Arc<dyn BuildLeases> + Sync), fingerprint: Digest) {
    let nodes = [make(), make(), make()];
    let inside = Arc::new(AtomicUsize::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..30 {
        let (leases, inside) = (Arc::clone(&nodes[number % nodes.len()]), Arc::clone(&inside));
        tasks.spawn(async move {
            let held = given(leases.acquire(fingerprint, LONG).await);
            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two at a time");
            tokio::task::yield_now().await;
            inside.fetch_sub(1, Ordering::SeqCst);
            leases.give_back(vec![held]).await;
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("one at a time");
    }
}
