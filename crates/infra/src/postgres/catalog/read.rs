//! Reading rows: all of them at once, or some.

use std::collections::BTreeSet;

use mangrove_domain::{observation::CatalogView, ports::Names, source::SourceId};
use sqlx::{
    Connection as _, PgConnection, Postgres, Row as _,
    postgres::{PgArguments, PgRow},
    query::Query,
};

use super::{
    LAYOUT, PostgresCatalog, PostgresError,
    keys::Keys,
    text::{self, storable},
    version::Version,
};
use crate::rows::{Stored, add_row, record};

/// One moment for all statements of a transaction.
const ONE_MOMENT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

impl PostgresCatalog {
    pub(super) async fn snapshot_once(&self, connection: &mut PgConnection) -> Result<CatalogView, PostgresError> {
        let failed = self.failed("read");
        let mut transaction = connection.begin_with(ONE_MOMENT).await.map_err(&failed)?;
        self.tables.server().check("read", &mut transaction, LAYOUT).await?;
        let read = async {
            let version = Version::read(&mut transaction).await?;
            let parts = sqlx::query("SELECT digest, encoded FROM parts").fetch_all(&mut *transaction).await?;
            let rows = sqlx::query(
                "SELECT s.root, s.path, s.revision, s.record, s.description IS NULL OR d.digest IS NOT NULL \
                 FROM sources AS s LEFT JOIN descriptions AS d ON d.digest = s.description",
            )
            .fetch_all(&mut *transaction)
            .await?;
            transaction.commit().await?;
            view(&version, &parts, &rows)
        };
        read.await.map_err(failed)
    }

    pub(super) async fn rows_once(
        &self,
        connection: &mut PgConnection,
        sources: &BTreeSet<SourceId>,
    ) -> Result<CatalogView, PostgresError> {
        let keys = Keys::of(sources);
        let query = sqlx::query(
            "SELECT s.root, s.path, s.revision, s.record, s.description IS NULL \
             OR EXISTS (SELECT 1 FROM descriptions AS d WHERE d.digest = s.description) \
             FROM unnest($1::text[], $2::text[]) AS k (root, path) \
             JOIN sources AS s ON s.root = k.root AND s.path = k.path ORDER BY s.root, s.path",
        );
        self.some_rows(connection, query.bind(&keys.roots).bind(&keys.paths)).await
    }

    pub(super) async fn rows_named_once(
        &self,
        connection: &mut PgConnection,
        names: &Names,
    ) -> Result<CatalogView, PostgresError> {
        let types: Vec<String> = names.types.iter().map(|name| storable(name.as_str()).into_owned()).collect();
        let paths: Vec<String> = names.paths.iter().map(|path| storable(path.as_str()).into_owned()).collect();
        let query = sqlx::query(
            "SELECT s.root, s.path, s.revision, s.record, s.description IS NULL \
             OR EXISTS (SELECT 1 FROM descriptions AS d WHERE d.digest = s.description) \
             FROM sources AS s WHERE s.type_name = ANY ($1) OR s.path = ANY ($2) ORDER BY s.root, s.path",
        );
        self.some_rows(connection, query.bind(&types).bind(&paths)).await
    }

    /// The rows that this query selects, with the parts that they name and no others.
    async fn some_rows(
        &self,
        connection: &mut PgConnection,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<CatalogView, PostgresError> {
        let failed = self.failed("read");
        let mut transaction = connection.begin_with(ONE_MOMENT).await.map_err(&failed)?;
        self.tables.server().check("read", &mut transaction, LAYOUT).await?;
        let read = async {
            let version = Version::read(&mut transaction).await?;
            let rows = query.fetch_all(&mut *transaction).await?;
            let mut named = BTreeSet::new();
            for row in &rows {
                // What cannot be taken apart is told below, as a row that cannot be read.
                named.extend(record::part_names(row.try_get(3)?).unwrap_or_default());
            }
            let named: Vec<Vec<u8>> = named.into_iter().map(|name| name.to_vec()).collect();
            let parts = sqlx::query("SELECT digest, encoded FROM parts WHERE digest = ANY ($1)").bind(named);
            let parts = parts.fetch_all(&mut *transaction).await?;
            transaction.commit().await?;
            view(&version, &parts, &rows)
        };
        read.await.map_err(failed)
    }
}

fn view(version: &Version, parts: &[PgRow], rows: &[PgRow]) -> Result<CatalogView, sqlx::Error> {
    let mut decoder = decoder(parts)?;
    let mut view = CatalogView { version: version.digest(), ..CatalogView::default() };
    view.rows.reserve(rows.len());
    for row in rows {
        let stored = Stored {
            root: text::stored(row.try_get(0)?),
            path: text::stored(row.try_get(1)?),
            revision: u64::try_from(row.try_get::<i64, _>(2)?).unwrap_or(0),
            record: row.try_get(3)?,
        };
        add_row(&mut view, &mut decoder, &stored, row.try_get(4)?);
    }
    Ok(view)
}

/// What reads records that name these parts.
pub(super) fn decoder(parts: &[PgRow]) -> Result<record::Decoder, sqlx::Error> {
    let mut decoder = record::Decoder::default();
    for part in parts {
        if let Ok(digest) = part.try_get::<&[u8], _>(0)?.try_into() {
            decoder.add_part(digest, part.try_get::<&[u8], _>(1)?.into());
        }
    }
    Ok(decoder)
}
