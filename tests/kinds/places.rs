//! Sources that move between origins, and origins that are away.

use mangrove_testkit::sources::Condition::{Broken, Good, Rejected};

use crate::{
    cells::{Cell, table},
    world::{Local, Mount, Pulled},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_moves_between_origins() {
    let cells = [
        Cell { name: "local to mount", steps: &[|files| files.rename((Local, "own.ts"), (Mount, "own.ts"))] },
        Cell { name: "mount to pulled", steps: &[|files| files.rename((Mount, "mounted.ts"), (Pulled, "mounted.ts"))] },
        Cell { name: "pulled to local", steps: &[|files| files.rename((Pulled, "pulled.ts"), (Local, "pulled.ts"))] },
        Cell {
            name: "local to mount and back",
            steps: &[
                |files| files.rename((Local, "own.ts"), (Mount, "own.ts")),
                |files| files.rename((Mount, "own.ts"), (Local, "own.ts")),
            ],
        },
        Cell {
            name: "copied from pulled to local",
            steps: &[|files| files.write(Local, "pulled.ts", "@acme/pulled", Good)],
        },
        Cell {
            name: "moved while it does not parse",
            steps: &[
                |files| files.write(Local, "own.ts", "@acme/own", Broken),
                |files| files.rename((Local, "own.ts"), (Mount, "own.ts")),
            ],
        },
        Cell {
            name: "moved while it is rejected",
            steps: &[
                |files| files.write(Pulled, "pulled.ts", "@acme/pulled", Rejected),
                |files| files.rename((Pulled, "pulled.ts"), (Local, "pulled.ts")),
            ],
        },
    ];
    insta::assert_snapshot!(table(&cells).await, @"");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_origin_is_away_or_leaves() {
    let cells = [
        Cell { name: "mount away", steps: &[|files| files.move_directory("mounts/shared", "away")] },
        Cell {
            name: "mount away and back",
            steps: &[
                |files| files.move_directory("mounts/shared", "away"),
                |files| files.move_directory("away", "mounts/shared"),
            ],
        },
        Cell { name: "mount no longer listed", steps: &[|files| files.mount(&[])] },
        Cell { name: "pulled directory away", steps: &[|files| files.move_directory(".swamp", "away")] },
        Cell {
            name: "pulled directory away and back",
            steps: &[|files| files.move_directory(".swamp", "away"), |files| files.move_directory("away", ".swamp")],
        },
        Cell { name: "no longer locked", steps: &[|files| files.lock(&[], &[])] },
        Cell {
            name: "locked file missing",
            steps: &[|files| {
                files.lock(&["@acme/tools"], &["pulled.ts"]);
                files.remove(Pulled, "pulled.ts");
            }],
        },
        Cell {
            name: "mount listed twice",
            steps: &[|files| files.mount(&["mounts/shared", "./mounts//shared", ".", "extensions"])],
        },
        Cell {
            name: "mounted while it is away, broken when it is back",
            steps: &[
                |files| files.move_directory("mounts/shared", "away"),
                |files| {
                    files.move_directory("away", "mounts/shared");
                    files.write(Mount, "mounted.ts", "@acme/mounted", Broken);
                },
            ],
        },
    ];
    insta::assert_snapshot!(table(&cells).await, @"");
}
