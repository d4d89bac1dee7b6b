//! The steps from each layout to the next one, with the numbers and names of those for `SQLite`.

use crate::persistence::LayoutStep;

/// The schema of the catalog's tables.
pub(super) const CATALOG_SCHEMA: &str = "mangrove_catalog";

/// The schema of the history of runs, and of what daemons agree on.
pub(super) const RUNS_SCHEMA: &str = "mangrove_runs";

/// The steps of the run history, in their order.
pub(super) static RUNS: &[LayoutStep] = &[
    LayoutStep {
        version: 1,
        description: "layout",
        sql: include_str!("../../migrations/postgres/runs/0001_layout.sql"),
    },
    LayoutStep {
        version: 2,
        description: "headers",
        sql: include_str!("../../migrations/postgres/runs/0002_headers.sql"),
    },
    LayoutStep {
        version: 3,
        description: "schedule claims",
        sql: include_str!("../../migrations/postgres/runs/0003_schedule_claims.sql"),
    },
    LayoutStep { version: 4, description: "steps", sql: include_str!("../../migrations/postgres/runs/0004_steps.sql") },
    LayoutStep {
        version: 5,
        description: "shared work",
        sql: include_str!("../../migrations/postgres/runs/0005_shared_work.sql"),
    },
];

/// The steps of the catalog, in their order.
pub(super) static CATALOG: &[LayoutStep] = &[
    LayoutStep {
        version: 1,
        description: "layout",
        sql: include_str!("../../migrations/postgres/catalog/0001_layout.sql"),
    },
    LayoutStep {
        version: 2,
        description: "shipped bundles",
        sql: include_str!("../../migrations/postgres/catalog/0002_shipped_bundles.sql"),
    },
    LayoutStep {
        version: 3,
        description: "departed types",
        sql: include_str!("../../migrations/postgres/catalog/0003_departed_types.sql"),
    },
    LayoutStep {
        version: 4,
        description: "versions",
        sql: include_str!("../../migrations/postgres/catalog/0004_versions.sql"),
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::persistence::assert_is_folder;

    #[tokio::test]
    async fn the_lists_are_the_folders() {
        assert_is_folder("postgres/catalog", CATALOG).await;
        assert_is_folder("postgres/runs", RUNS).await;
    }

    /// A number means the same layout whichever engine keeps it.
    #[cfg(feature = "sqlite")]
    #[test]
    fn numbers_and_names_are_those_of_sqlite() {
        let names =
            |steps: &[LayoutStep]| -> Vec<_> { steps.iter().map(|step| (step.version, step.description)).collect() };
        assert_eq!(names(CATALOG), names(crate::sqlite::migrations::CATALOG));
        assert_eq!(names(RUNS), names(crate::sqlite::migrations::RUNS));
    }
}
