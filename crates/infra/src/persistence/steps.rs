//! Steps from each layout of a database to the next one.
//!
//! They are listed and not gathered by `sqlx::migrate!`: that macro compiles `SQLite` and most of sqlx a second time, for
//! the machine that builds.

use sqlx::{
    SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
};

/// One step: `migrations/<folder>/<version>_<description>.sql`. One that was released is never edited: its digest is in
/// every database.
pub(crate) struct LayoutStep {
    /// The layout that the database has after it, from 1 without gaps.
    pub(crate) version: i64,
    /// In words, as the table of applied steps names it.
    pub(crate) description: &'static str,
    /// What is executed, in one transaction.
    pub(crate) sql: &'static str,
}

/// What brings a database up to date.
pub(crate) fn migrator(steps: &'static [LayoutStep]) -> Migrator {
    let migrations = steps.iter().map(|step| {
        let sql = step.sql.into_sql_str();
        Migration::new(step.version, step.description.into(), MigrationType::Simple, sql, false)
    });
    Migrator::with_migrations(migrations.collect())
}

/// Compares a list of steps with what lies in `migrations/<folder>`.
#[cfg(test)]
pub(crate) async fn assert_is_folder(folder: &str, steps: &'static [LayoutStep]) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
    let expected = Migrator::new(path.as_path()).await.expect("the folder holds migrations");
    let listed = migrator(steps);
    let facts = |migrator: &Migrator| {
        let fact = |step: &Migration| {
            (step.version, step.description.clone(), step.migration_type, step.checksum.clone(), step.no_tx)
        };
        migrator.iter().map(fact).collect::<Vec<_>>()
    };
    assert_eq!(facts(&listed), facts(&expected), "{folder}");
}
