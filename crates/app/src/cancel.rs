//! Asking what is going on to come to an end.

use tokio::sync::watch;

/// The side that asks.
#[derive(Clone, Debug)]
pub struct Canceller(watch::Sender<bool>);

/// The side that is asked. Clones are asked together.
#[derive(Clone, Debug)]
pub struct Cancellation(Option<watch::Receiver<bool>>);

impl Default for Canceller {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Canceller {
    /// Asks; again is the same as once.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }

    /// What this one asks.
    #[must_use]
    pub fn cancellation(&self) -> Cancellation {
        Cancellation(Some(self.0.subscribe()))
    }
}

/// One that nobody ever asks.
impl Default for Cancellation {
    fn default() -> Self {
        Self(None)
    }
}

impl Cancellation {
    /// True once it was asked.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.0.as_ref().is_some_and(|receiver| *receiver.borrow())
    }

    /// Waits until it is asked; for ever if nobody can ask any more.
    pub async fn requested(&self) {
        if let Some(receiver) = &self.0
            && receiver.clone().wait_for(|asked| *asked).await.is_ok()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}
