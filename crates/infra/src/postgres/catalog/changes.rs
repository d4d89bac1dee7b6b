//! Commits that are told to whoever waits for them. Nobody relies on it: a message can be lost with its connection.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::{PgConnection, PgPool, postgres::PgListener};
use tokio::{
    sync::{Notify, oneshot},
    time::sleep,
};

use crate::postgres::server::Server;

const CHANNEL: &str = "mangrove_catalog";
/// How soon another connection is made after one that broke.
const BETWEEN_CONNECTIONS: Duration = Duration::from_secs(1);

/// Hears of commits, over a connection of its own that is made when somebody first waits.
#[derive(Default)]
pub(super) struct Changes {
    heard: Arc<Notify>,
    /// Ends whoever listens when it is dropped. A listener itself must not be kept here: it wants a runtime when it is dropped.
    listening: Mutex<Option<oneshot::Sender<()>>>,
}

/// Tells of a commit when it is done.
pub(super) async fn tell(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(connection).await.map(drop)
}

impl Changes {
    /// Waits for the next commit of anybody, this process included.
    pub(super) async fn next(&self, server: &Server) {
        self.begin(server);
        self.heard.notified().await;
    }

    fn begin(&self, server: &Server) {
        let mut listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
        if listening.is_none() {
            let (sender, ended) = oneshot::channel();
            let listen = listen(server.pool().clone(), Arc::clone(&self.heard));
            tokio::spawn(async move {
                tokio::select! {
                    () = listen => {}
                    // Nobody can be told any more.
                    _ = ended => {}
                }
            });
            *listening = Some(sender);
        }
    }
}

async fn listen(pool: PgPool, heard: Arc<Notify>) {
    loop {
        if let Err(error) = listen_once(&pool, &heard).await {
            tracing::debug!(%error, "commits of others are not told");
        }
        sleep(BETWEEN_CONNECTIONS).await;
    }
}

/// Until the connection breaks.
async fn listen_once(pool: &PgPool, heard: &Notify) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    while listener.try_recv().await?.is_some() {
        heard.notify_one();
    }
    Ok(())
}
