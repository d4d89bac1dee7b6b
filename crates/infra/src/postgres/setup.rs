//! Making and changing tables.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, migrate::MigrateError};

use super::{PostgresError, error::unprepared, server::Server};
use crate::persistence::{LayoutStep, migrator};

/// What a schema must hold.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// Its name.
    pub(super) schema: &'static str,
    /// `meta.layout`, as this version reads and writes it.
    pub(super) version: i64,
    /// How to get there.
    pub(super) steps: &'static [LayoutStep],
}

impl Server {
    /// Fails if the tables of this connection's schema are not those of this layout.
    pub(super) async fn check(
        &self,
        operation: &str,
        connection: &mut PgConnection,
        layout: Layout,
    ) -> Result<(), PostgresError> {
        let failed = |error: sqlx::Error| self.error(operation, &error);
        let found: Option<String> = sqlx::query_scalar("SELECT value FROM meta WHERE name = 'layout'")
            .fetch_optional(connection)
            .await
            .map_err(failed)?;
        match found.and_then(|text| text.parse::<i64>().ok()) {
            Some(found) if found > layout.version => Err(PostgresError::newer(self.address(), found, layout.version)),
            Some(found) if found == layout.version => Ok(()),
            Some(found) => Err(PostgresError::Unprepared(unprepared(
                operation,
                self.address(),
                &format!("its tables have the earlier layout {found}, and this version needs {}", layout.version),
            ))),
            None => Err(PostgresError::Unprepared(unprepared(
                operation,
                self.address(),
                "nothing says which layout it has",
            ))),
        }
    }

    /// Makes the tables, or brings them up to date. Of several that come at once, one does it and the others wait.
    pub(super) async fn set_up(&self, layout: Layout) -> Result<(), PostgresError> {
        let mut connection = self.connect_to_set_up().await?;
        let done = self.migrate(&mut connection, layout).await;
        // It ends with this function in any case.
        let _ = connection.close().await;
        done
    }

    async fn migrate(&self, connection: &mut PgConnection, layout: Layout) -> Result<(), PostgresError> {
        let failed = |error: sqlx::Error| self.setup_error(&error);
        // Where two come at once, the second must not find half of what the first makes.
        sqlx::query("SELECT pg_advisory_lock(hashtext($1))")
            .bind(self.schema())
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
        match self.check("prepare", connection, layout).await {
            Err(PostgresError::Absent(_) | PostgresError::Unprepared(_)) => {}
            checked => return checked,
        }
        // One that is there already needs no right to make one.
        if !self.has_schema(&mut *connection).await.map_err(failed)? {
            let create = AssertSqlSafe(format!("CREATE SCHEMA IF NOT EXISTS {}", self.schema()));
            sqlx::query(create).execute(&mut *connection).await.map_err(failed)?;
        }
        let pool = self.pool_to_set_up();
        let migrated = migrator(layout.steps).run(&pool).await;
        pool.close().await;
        migrated.map_err(|error| match error {
            MigrateError::VersionMissing(found) | MigrateError::VersionTooNew(found, _) => {
                PostgresError::newer(self.address(), found, layout.version)
            }
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => self.setup_error(&error),
            other => PostgresError::Unprepared(unprepared("prepare", self.address(), &other.to_string())),
        })
    }

    /// True if the schema is there, whoever may use it.
    pub(super) async fn has_schema(&self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let query = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)");
        query.bind(self.schema()).fetch_one(connection).await
    }

    /// Lets a role read and write, and nothing else.
    pub(super) async fn grant(&self, role: &str) -> Result<(), PostgresError> {
        let mut connection = self.connect_to_set_up().await?;
        let failed = |error: sqlx::Error| self.setup_error(&error);
        let role: String =
            sqlx::query_scalar("SELECT quote_ident($1)").bind(role).fetch_one(&mut connection).await.map_err(failed)?;
        let schema = self.schema();
        for statement in [
            format!("GRANT USAGE ON SCHEMA {schema} TO {role}"),
            format!("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}"),
        ] {
            sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.map_err(failed)?;
        }
        let _ = connection.close().await;
        Ok(())
    }

    fn setup_error(&self, error: &sqlx::Error) -> PostgresError {
        let is_forbidden =
            error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == "42501");
        if is_forbidden {
            let what = format!("its tables are missing, old or not granted, and this role may not make them: {error}");
            return PostgresError::Unprepared(unprepared("prepare", self.address(), &what));
        }
        self.error("prepare", error)
    }
}
