//! Commits that are told to whoever waits for them. Nobody relies on it: a message can be lost with its connection.

use sqlx::{PgConnection, postgres::PgListener};
use tokio::sync::Mutex;

use crate::postgres::server::Server;

const CHANNEL: &str = "mangrove_catalog";

/// Hears of commits, over a connection of its own that is made when somebody first waits.
#[derive(Default)]
pub(super) struct Changes(Mutex<Option<PgListener>>);

/// Tells of a commit when it is done.
pub(super) async fn tell(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(connection).await.map(drop)
}

impl Changes {
    /// Waits for the next commit of anybody, this process included; or for the connection to break.
    pub(super) async fn next(&self, server: &Server) -> Result<(), sqlx::Error> {
        let mut listener = self.0.lock().await;
        if listener.is_none() {
            let mut made = PgListener::connect_with(server.pool()).await?;
            made.listen(CHANNEL).await?;
            *listener = Some(made);
        }
        let Some(connected) = listener.as_mut() else { return Ok(()) };
        let heard = connected.try_recv().await;
        // What was told meanwhile is lost with the connection.
        if !matches!(heard, Ok(Some(_))) {
            *listener = None;
        }
        heard.map(drop)
    }
}
