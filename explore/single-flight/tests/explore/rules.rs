//! The rules of single flight (fault 55), each as what one schedule does.

use std::{pin::pin, sync::Arc};

use futures::{future::join_all, poll};
use shuttle::{
    future::block_on,
    rand::{Rng as _, thread_rng},
};
use tokio::{spawn, sync::Semaphore, task::yield_now};

use crate::attempts::{End, Flight, Record, a_while};

/// Those who ask at one time share one attempt.
pub(crate) fn one_attempt_is_shared<L: Flight>() {
    const ASKING: u32 = 4;
    block_on(async {
        let (flight, record) = (Arc::new(L::default()), Arc::new(Record::default()));
        let asked = Arc::new(Semaphore::new(0));
        let requests = (0..ASKING).map(|_| {
            let (flight, record, asked) = (Arc::clone(&flight), Arc::clone(&record), Arc::clone(&asked));
            spawn(async move {
                let all_have_asked = {
                    let asked = Arc::clone(&asked);
                    async move { asked.acquire_many(ASKING).await.map(drop) }
                };
                let mut request = pin!(flight.join("a", record.attempt(End::Success, all_have_asked)));
                assert!(poll!(&mut request).is_pending(), "it waits until all have asked");
                asked.add_permits(1);
                assert_eq!(request.await, Ok(Ok(1)));
            })
        });
        all(requests).await;
        assert_eq!(record.begun(), 1);
        assert_eq!(flight.under_way(), 0);
    });
}

/// Who asks later gets another attempt, however the one before ended; no two of them run at once.
pub(crate) fn an_outcome_is_not_remembered<L: Flight>() {
    block_on(async {
        let (flight, record) = (Arc::new(L::default()), Arc::new(Record::default()));
        let requests = (0..3).map(|_| {
            let (flight, record) = (Arc::clone(&flight), Arc::clone(&record));
            spawn(async move {
                for _ in 0..2 {
                    record.ask(&*flight, "a", End::any(), a_while()).await;
                }
            })
        });
        all(requests).await;
        record.settle(&*flight, "a").await;
    });
}

/// Those who go away take neither the attempt nor the outcome of the others with them.
pub(crate) fn who_goes_away_stops_nothing<L: Flight>() {
    block_on(async {
        let (flight, record) = (Arc::new(L::default()), Arc::new(Record::default()));
        let request = || {
            let (flight, record) = (Arc::clone(&flight), Arc::clone(&record));
            async move { record.ask(&*flight, "a", End::any(), a_while()).await }
        };
        let stopped = spawn(request());
        let left = {
            let request = request();
            spawn(async move {
                let mut request = pin!(request);
                while poll!(&mut request).is_pending() && thread_rng().gen_bool(0.5) {
                    yield_now().await;
                }
            })
        };
        let stays = [spawn(request()), spawn(request())];
        a_while().await;
        stopped.abort();
        // Stopped in the middle or not, as the schedule has it.
        let _ = stopped.await;
        all(stays.into_iter().chain([left])).await;
        record.settle(&*flight, "a").await;
    });
}

/// An attempt for one key holds up nobody who asks for another one.
pub(crate) fn keys_do_not_wait_for_each_other<L: Flight>() {
    block_on(async {
        let flight = Arc::new(L::default());
        let (a, b) = (Arc::new(Record::default()), Arc::new(Record::default()));
        let b_is_known = Arc::new(Semaphore::new(0));
        let requests_for_a = (0..2).map(|_| {
            let (flight, a, b_is_known) = (Arc::clone(&flight), Arc::clone(&a), Arc::clone(&b_is_known));
            spawn(async move {
                a.ask(&*flight, "a", End::any(), async move { b_is_known.acquire().await.map(drop) }).await;
            })
        });
        let requests_for_b = (0..2).map(|_| {
            let (flight, b, b_is_known) = (Arc::clone(&flight), Arc::clone(&b), Arc::clone(&b_is_known));
            spawn(async move {
                b.ask(&*flight, "b", End::any(), a_while()).await;
                b_is_known.add_permits(1);
            })
        });
        all(requests_for_a.chain(requests_for_b)).await;
        a.settle(&*flight, "a").await;
        b.settle(&*flight, "b").await;
    });
}

/// An attempt may ask for another key.
pub(crate) fn an_attempt_may_ask<L: Flight>() {
    block_on(async {
        let flight = Arc::new(L::default());
        let (a, b) = (Arc::new(Record::default()), Arc::new(Record::default()));
        let requests_for_a = (0..2).map(|_| {
            let (flight, a, b) = (Arc::clone(&flight), Arc::clone(&a), Arc::clone(&b));
            spawn(async move {
                let within = Arc::clone(&flight);
                a.ask(&*flight, "a", End::any(), async move { b.ask(&*within, "b", End::any(), a_while()).await })
                    .await;
            })
        });
        let request_for_b = {
            let (flight, b) = (Arc::clone(&flight), Arc::clone(&b));
            spawn(async move { b.ask(&*flight, "b", End::any(), a_while()).await })
        };
        all(requests_for_a.chain([request_for_b])).await;
        a.settle(&*flight, "a").await;
        b.settle(&*flight, "b").await;
    });
}

/// Waits until all have been told. A panic of one ends the schedule at once.
async fn all(requests: impl IntoIterator<Item = tokio::task::JoinHandle<()>>) {
    for request in join_all(requests).await {
        request.expect("nobody stopped it");
    }
}
