//! Signals that only a daemon handles. Without this they would end it without a word.

/// Waits for `SIGQUIT`, which ends a daemon now. For ever where there is no such signal.
#[cfg(unix)]
pub(crate) async fn quit() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::quit()) {
        Ok(mut signals) => {
            signals.recv().await;
        }
        Err(error) => {
            tracing::warn!(%error, "SIGQUIT cannot be handled");
            std::future::pending::<()>().await;
        }
    }
}

/// Ignores the signals that mean nothing to a daemon, as long as the process lives, and says so of each that comes.
#[cfg(unix)]
pub(crate) fn ignore_others() {
    use tokio::signal::unix::{SignalKind, signal};
    let others = [
        ("SIGUSR1", SignalKind::user_defined1()),
        ("SIGUSR2", SignalKind::user_defined2()),
        ("SIGALRM", SignalKind::alarm()),
        ("SIGIO", SignalKind::io()),
    ];
    for (name, kind) in others {
        match signal(kind) {
            Ok(mut signals) => {
                tokio::spawn(async move {
                    while signals.recv().await.is_some() {
                        tracing::warn!(signal = name, "ignored: this signal means nothing to a daemon");
                    }
                });
            }
            Err(error) => tracing::warn!(%error, signal = name, "the signal cannot be handled"),
        }
    }
}

#[cfg(not(unix))]
pub(crate) async fn quit() {
    std::future::pending().await
}

#[cfg(not(unix))]
pub(crate) fn ignore_others() {
    // There are none.
}
