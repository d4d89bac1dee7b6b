//! The steps from each layout of a database file to the next one, as they are compiled in.
//!
//! They are listed here and not gathered by `sqlx::migrate!`: that macro compiles `SQLite` and most of sqlx a second
//! time, for the machine that builds. A step that was released is never edited: its digest is in every file.

use sqlx::{
    SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
};

/// One step: `migrations/<folder>/<version>_<description>.sql`.
pub(crate) struct LayoutStep {
    /// The layout that the file has after it, from 1 without gaps.
    version: i64,
    /// In words, as the table of applied steps names it.
    description: &'static str,
    /// What is executed, in one transaction.
    sql: &'static str,
}

/// The steps of the catalog, in their order.
pub(crate) static CATALOG: &[LayoutStep] = &[
    LayoutStep { version: 1, description: "layout", sql: include_str!("../../migrations/catalog/0001_layout.sql") },
    LayoutStep {
        version: 2,
        description: "shipped bundles",
        sql: include_str!("../../migrations/catalog/0002_shipped_bundles.sql"),
    },
    LayoutStep {
        version: 3,
        description: "departed types",
        sql: include_str!("../../migrations/catalog/0003_departed_types.sql"),
    },
    LayoutStep { version: 4, description: "versions", sql: include_str!("../../migrations/catalog/0004_versions.sql") },
];

/// The steps of the run history, in their order.
pub(crate) static RUNS: &[LayoutStep] = &[
    LayoutStep { version: 1, description: "layout", sql: include_str!("../../migrations/runs/0001_layout.sql") },
    LayoutStep { version: 2, description: "headers", sql: include_str!("../../migrations/runs/0002_headers.sql") },
    LayoutStep {
        version: 3,
        description: "schedule claims",
        sql: include_str!("../../migrations/runs/0003_schedule_claims.sql"),
    },
    LayoutStep { version: 4, description: "steps", sql: include_str!("../../migrations/runs/0004_steps.sql") },
];

/// The steps of the index of data, in their order.
pub(crate) static DATA_INDEX: &[LayoutStep] = &[LayoutStep {
    version: 1,
    description: "layout",
    sql: include_str!("../../migrations/data-index/0001_layout.sql"),
}];

/// What brings a file up to date.
pub(crate) fn migrator(steps: &'static [LayoutStep]) -> Migrator {
    let migrations = steps.iter().map(|step| {
        let sql = step.sql.into_sql_str();
        Migration::new(step.version, step.description.into(), MigrationType::Simple, sql, false)
    });
    Migrator::with_migrations(migrations.collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// A step in a folder that is not listed, or is listed with other words, would be another one than released.
    #[tokio::test]
    async fn the_lists_are_the_folders() {
        for (folder, steps) in [("catalog", CATALOG), ("runs", RUNS), ("data-index", DATA_INDEX)] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
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
    }
}
