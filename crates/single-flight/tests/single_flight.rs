//! What holds of shared attempts, whatever happens to those who ask (fault 55).

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use mangrove_single_flight::{Lost, SingleFlight};
use tokio::sync::Notify;

type Flight = SingleFlight<String, usize>;

/// Counts how often attempts began, and holds each until it is released.
#[derive(Clone, Default)]
struct Attempts {
    begun: Arc<AtomicUsize>,
    release: Arc<Notify>,
}

impl Attempts {
    /// An attempt that ends with its number as soon as it is released.
    fn held(&self) -> impl FnOnce() -> std::pin::Pin<Box<dyn Future<Output = usize> + Send>> + Send + 'static {
        let Self { begun, release } = self.clone();
        move || {
            Box::pin(async move {
                let number = begun.fetch_add(1, Ordering::SeqCst) + 1;
                release.notified().await;
                number
            })
        }
    }

    fn count(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }
}

/// Lets other tasks work until this is true.
async fn until(mut is_true: impl FnMut() -> bool) {
    while !is_true() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn fault_55_an_attempt_that_nobody_waits_for_ends_and_the_next_request_starts_again() {
    let (flight, attempts) = (Flight::new(), Attempts::default());
    {
        let mut asked = Box::pin(flight.join("a".to_owned(), attempts.held()));
        assert!(futures::poll!(&mut asked).is_pending());
        until(|| attempts.count() == 1).await;
    }
    assert_eq!(flight.under_way(), 1, "it goes on without those who asked");
    attempts.release.notify_one();
    until(|| flight.under_way() == 0).await;
    attempts.release.notify_one();
    assert_eq!(flight.join("a".to_owned(), attempts.held()).await, Ok(2));
}

#[tokio::test]
async fn who_comes_back_while_it_runs_joins_the_attempt_of_those_who_went_away() {
    let (flight, attempts) = (Flight::new(), Attempts::default());
    assert!(futures::poll!(Box::pin(flight.join("a".to_owned(), attempts.held()))).is_pending());
    let mut again = Box::pin(flight.join("a".to_owned(), attempts.held()));
    assert!(futures::poll!(&mut again).is_pending());
    attempts.release.notify_one();
    assert_eq!(again.await, Ok(1));
}

#[tokio::test]
async fn fault_55_a_panic_costs_one_attempt() {
    let flight = Flight::new();
    let lost = Err(Lost::Panicked { message: "no luck".to_owned() });
    let panics = || flight.join("a".to_owned(), || async { panic!("no luck") });
    let (first, second) = futures::join!(panics(), panics());
    assert_eq!((first, second), (lost.clone(), lost));
    assert_eq!(flight.under_way(), 0);
    assert_eq!(flight.join("a".to_owned(), || async { 7 }).await, Ok(7));
}

/// The part that gives the future is code of others, too.
#[tokio::test]
async fn a_panic_before_the_attempt_waits_for_anything_costs_no_more() {
    let flight = Flight::new();
    let start = || -> std::future::Ready<usize> { panic!("at once") };
    assert_eq!(flight.join("a".to_owned(), start).await, Err(Lost::Panicked { message: "at once".to_owned() }));
    assert_eq!(flight.join("a".to_owned(), || async { 7 }).await, Ok(7));
}

#[tokio::test]
async fn a_thousand_keys_leave_nothing() {
    let flight = Flight::new();
    for key in 0..1_000 {
        assert_eq!(flight.join(key.to_string(), move || async move { key }).await, Ok(key));
    }
    assert_eq!(flight.under_way(), 0);
}

#[tokio::test]
async fn a_hundred_at_once_share_one_attempt() {
    let (flight, attempts) = (Flight::new(), Attempts::default());
    let requests = (0..100).map(|_| flight.join("a".to_owned(), attempts.held()));
    let mut outcomes = Box::pin(futures::future::join_all(requests));
    assert!(futures::poll!(&mut outcomes).is_pending(), "all have asked");
    attempts.release.notify_one();
    assert_eq!(outcomes.await, vec![Ok(1); 100]);
    assert_eq!(attempts.count(), 1);
}

#[tokio::test]
async fn who_has_an_outcome_and_asks_again_gets_another_attempt() {
    let (flight, attempts) = (Flight::new(), Attempts::default());
    for number in 1..=3 {
        attempts.release.notify_one();
        assert_eq!(flight.join("a".to_owned(), attempts.held()).await, Ok(number));
    }
}

#[test]
fn a_runtime_that_shuts_down_leaves_nothing_behind() {
    let (flight, attempts) = (Arc::new(Flight::new()), Attempts::default());
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        assert!(futures::poll!(Box::pin(flight.join("a".to_owned(), attempts.held()))).is_pending());
    });
    assert_eq!(flight.under_way(), 1);
    drop(runtime);
    assert_eq!(flight.under_way(), 0);
}
