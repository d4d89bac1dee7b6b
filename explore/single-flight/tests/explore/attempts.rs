//! Attempts that keep a record of themselves, and requests that hold what they are told against it.

use std::{
    panic::resume_unwind,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

use mangrove_explore_single_flight::Lost;
use shuttle::rand::{Rng as _, thread_rng};
use tokio::task::yield_now;

/// The number of the attempt, given as a success or as a failure.
pub(crate) type Answer = Result<usize, usize>;

/// An attempt that was begun.
type Begun = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// What is explored: single flight as it ships, or with a bug.
pub(crate) trait Flight: Default + Send + Sync + 'static {
    /// As `SingleFlight::join`.
    fn join<S, F>(&self, key: &'static str, start: S) -> impl Future<Output = Result<Answer, Lost>> + Send
    where
        S: FnOnce() -> F + Send + 'static,
        F: Future<Output = Answer> + Send + 'static;

    /// As `SingleFlight::under_way`.
    fn under_way(&self) -> usize;
}

/// Explores the `SingleFlight` of this module.
macro_rules! flight {
    ($($module:ident)::+) => {
        impl $crate::attempts::Flight for $($module)::+::SingleFlight<&'static str, $crate::attempts::Answer> {
            async fn join<S, F>(
                &self,
                key: &'static str,
                start: S,
            ) -> Result<$crate::attempts::Answer, mangrove_explore_single_flight::Lost>
            where
                S: FnOnce() -> F + Send + 'static,
                F: Future<Output = $crate::attempts::Answer> + Send + 'static,
            {
                use mangrove_explore_single_flight::Lost;
                self.join(key, start).await.map_err(|lost| match lost {
                    $($module)::+::Lost::Panicked { message } => Lost::Panicked { message },
                    $($module)::+::Lost::ShutDown => Lost::ShutDown,
                })
            }

            fn under_way(&self) -> usize {
                self.under_way()
            }
        }
    };
}
pub(crate) use flight;

/// How an attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With a good outcome.
    Success,
    /// With a bad outcome.
    Failure,
    /// With a panic, after it began to wait.
    Panic,
    /// With a panic before there is anything to wait for.
    PanicAtOnce,
}

impl End {
    /// One of them, chosen by the schedule.
    pub(crate) fn any() -> Self {
        [Self::Success, Self::Failure, Self::Panic, Self::PanicAtOnce][thread_rng().gen_range(0..4)]
    }
}

/// What became of the attempts for one key. It is kept outside of what the scheduler sees, so that it changes nothing.
#[derive(Default)]
pub(crate) struct Record {
    /// How each attempt ends, by its number less one.
    ends: Mutex<Vec<End>>,
    /// How many attempts came to their end.
    finished: AtomicUsize,
    /// An attempt is running.
    is_running: AtomicBool,
    /// An attempt began while another one was running.
    overlapped: AtomicBool,
    /// The highest number of an attempt whose outcome somebody has.
    told: AtomicUsize,
}

/// That an attempt is running, until what it holds is dropped.
struct Running(Arc<Record>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.is_running.store(false, SeqCst);
    }
}

impl Record {
    fn ends(&self) -> MutexGuard<'_, Vec<End>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many attempts began.
    pub(crate) fn begun(&self) -> usize {
        self.ends().len()
    }

    /// An attempt that waits for `condition` and then ends like this. What is wrong with it is seen afterwards, since
    /// its own panics are caught.
    pub(crate) fn attempt<C>(
        self: &Arc<Self>,
        end: End,
        condition: C,
    ) -> impl FnOnce() -> Begun + Send + 'static + use<C>
    where
        C: Future + Send + 'static,
    {
        let record = Arc::clone(self);
        move || {
            let number = {
                let mut ends = record.ends();
                ends.push(end);
                ends.len()
            };
            if record.is_running.swap(true, SeqCst) {
                record.overlapped.store(true, SeqCst);
            }
            let running = Running(Arc::clone(&record));
            if end == End::PanicAtOnce {
                record.finished.fetch_add(1, SeqCst);
                resume_unwind(Box::new(number.to_string()));
            }
            Box::pin(async move {
                let _running = running;
                condition.await;
                record.finished.fetch_add(1, SeqCst);
                match end {
                    End::Success => Ok(number),
                    End::Failure => Err(number),
                    End::Panic | End::PanicAtOnce => resume_unwind(Box::new(number.to_string())),
                }
            })
        }
    }

    /// Asks for the key, and is told of an attempt whose outcome nobody had before.
    pub(crate) async fn ask<L, C>(self: &Arc<Self>, flight: &L, key: &'static str, end: End, condition: C)
    where
        L: Flight,
        C: Future + Send + 'static,
    {
        let before = self.told.load(SeqCst);
        let outcome = flight.join(key, self.attempt(end, condition)).await;
        let number = self.check(&outcome);
        assert!(number > before, "attempt {number} for {key}, whose outcome somebody had when this one asked");
    }

    /// The number of the attempt with this outcome, which is the one that the attempt had.
    pub(crate) fn check(&self, outcome: &Result<Answer, Lost>) -> usize {
        let (number, ends) = match outcome {
            Ok(Ok(number)) => (*number, &[End::Success][..]),
            Ok(Err(number)) => (*number, &[End::Failure][..]),
            Err(Lost::Panicked { message }) => {
                (message.parse().expect("the number of an attempt"), &[End::Panic, End::PanicAtOnce][..])
            }
            Err(Lost::ShutDown) => panic!("the outcome was lost"),
        };
        let end = self.ends()[number - 1];
        assert!(ends.contains(&end), "attempt {number} ended with {end:?}, and told was {outcome:?}");
        self.told.fetch_max(number, SeqCst);
        number
    }

    /// Everybody who asked for the key is gone: what is still under way ends, and nothing is left.
    pub(crate) async fn settle<L: Flight>(self: &Arc<Self>, flight: &L, key: &'static str) {
        self.ask(flight, key, End::Success, async {}).await;
        assert!(!self.overlapped.load(SeqCst), "two attempts for {key} at once");
        assert!(!self.is_running.load(SeqCst), "an attempt for {key} whose outcome is known is running");
        assert_eq!(self.finished.load(SeqCst), self.begun(), "an attempt for {key} did not come to its end");
        assert_eq!(flight.under_way(), 0, "something is left");
    }
}

/// Lets others go first a few times; the schedule chooses how often.
pub(crate) async fn a_while() {
    for _ in 0..thread_rng().gen_range(0..4) {
        yield_now().await;
    }
}
