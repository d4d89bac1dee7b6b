//! Signals. A command that can come to an orderly end does so at the first one; the second one, or the first one of any
//! other command, ends the process now.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use tokio_util::sync::CancellationToken;

use crate::exit::Exit;

/// What came and what is done about it.
#[derive(Debug, Default)]
pub(crate) struct Interrupts {
    cancellation: CancellationToken,
    is_orderly: AtomicBool,
    /// The number of the latest signal; 0 if there was none.
    signal: AtomicU8,
}

impl Interrupts {
    /// For a command that comes to an orderly end when it is asked to.
    pub(crate) fn cancellation(&self) -> CancellationToken {
        self.is_orderly.store(true, Ordering::Relaxed);
        self.cancellation.child_token()
    }

    /// How a command ends that was asked to, and could not do everything.
    pub(crate) fn exit(&self) -> Option<Exit> {
        match self.signal.load(Ordering::Relaxed) {
            0 => None,
            signal => Some(Exit::Interrupted(signal)),
        }
    }

    /// Waits for the signal that ends the process now. `tell` hears of the one before it.
    pub(crate) async fn until_now(&self, tell: impl Fn()) -> Exit {
        let mut signals = match Signals::new() {
            Ok(signals) => signals,
            // Without handlers the system ends the process at the first signal.
            Err(error) => {
                tracing::warn!(%error, "signals cannot be handled");
                return std::future::pending().await;
            }
        };
        let mut is_asked = false;
        loop {
            let signal = signals.next().await;
            self.signal.store(signal, Ordering::Relaxed);
            if is_asked || !self.is_orderly.load(Ordering::Relaxed) {
                return Exit::Interrupted(signal);
            }
            is_asked = true;
            tell();
            self.cancellation.cancel();
        }
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// The number of the next one.
    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 2,
            _ = self.terminate.recv() => 15,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    /// Ctrl-C counts as an interrupt.
    async fn next(&mut self) -> u8 {
        if tokio::signal::ctrl_c().await.is_err() {
            return std::future::pending().await;
        }
        2
    }
}
