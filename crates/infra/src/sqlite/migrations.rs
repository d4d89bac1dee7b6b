//! The steps from each layout of a database file to the next one, as they are compiled in.
//!
//! They are listed here and not gathered by `sqlx::migrate!`: that macro compiles `SQLite` and most of sqlx a second
//! time, for the machine that builds. A step that was released is never edited: its digest is in every file.

use crate::persistence::LayoutStep;

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
    LayoutStep {
        version: 5,
        description: "shared work",
        sql: include_str!("../../migrations/runs/0005_shared_work.sql"),
    },
];

/// The steps of the index of data, in their order.
pub(crate) static DATA_INDEX: &[LayoutStep] = &[LayoutStep {
    version: 1,
    description: "layout",
    sql: include_str!("../../migrations/data-index/0001_layout.sql"),
}];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::persistence::assert_is_folder;

    /// A step in a folder that is not listed, or is listed with other words, would be another one than released.
    #[tokio::test]
    async fn the_lists_are_the_folders() {
        for (folder, steps) in [("catalog", CATALOG), ("runs", RUNS), ("data-index", DATA_INDEX)] {
            assert_is_folder(folder, steps).await;
        }
    }
}
