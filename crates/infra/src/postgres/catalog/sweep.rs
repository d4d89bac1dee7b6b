//! What no row names any more.

use std::{collections::BTreeSet, sync::atomic::Ordering};

use sqlx::{Connection as _, PgConnection};

use super::{PostgresCatalog, version::Version};
use crate::rows::record;

impl PostgresCatalog {
    /// Once in a process: sweeps where there is much to sweep. Best effort: whoever comes next does it where others are in the
    /// way.
    pub(super) async fn keep_tidy(&self) {
        if !self.is_writable() || self.is_tidy.swap(true, Ordering::Relaxed) {
            return;
        }
        if let Some(files) = &self.descriptions {
            files.keep_tidy().await;
        }
        let swept = self.tables.change("sweep", async |mut link| {
            let swept = Self::sweep_much(&mut link).await.map_err(self.failed("sweep"));
            (link, swept)
        });
        if let Err(error) = swept.await {
            tracing::debug!(?error, "the catalog is not swept");
        }
    }

    async fn sweep_much(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let holds_much: bool = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM descriptions) > n + 256 OR (SELECT count(*) FROM parts) > 3 * n + 256 \
             FROM (SELECT count(*) AS n FROM sources) AS counted",
        )
        .fetch_one(&mut *connection)
        .await?;
        if holds_much { sweep(connection).await } else { Ok(()) }
    }
}

/// Deletes descriptions and fingerprint parts that no row names. Not part of a commit: readers of an earlier snapshot may
/// still ask for them.
async fn sweep(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    // No commit comes in between that names what is deleted.
    Version::lock(&mut transaction).await?;
    sqlx::query(
        "DELETE FROM descriptions AS d WHERE NOT EXISTS (SELECT 1 FROM sources AS s WHERE s.description = d.digest)",
    )
    .execute(&mut *transaction)
    .await?;
    let records: Vec<Vec<u8>> = sqlx::query_scalar("SELECT record FROM sources").fetch_all(&mut *transaction).await?;
    // A row that cannot be read names nothing: it is replaced at the next scan.
    let named: BTreeSet<[u8; 32]> =
        records.iter().filter_map(|bytes| record::part_names(bytes).ok()).flatten().collect();
    let named: Vec<Vec<u8>> = named.into_iter().map(|name| name.to_vec()).collect();
    sqlx::query("DELETE FROM parts WHERE digest <> ALL ($1)").bind(named).execute(&mut *transaction).await?;
    transaction.commit().await
}
