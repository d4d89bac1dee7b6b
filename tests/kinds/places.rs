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
    insta::assert_snapshot!(table(&cells).await, @r"
    local to mount
      local/own.ts       gone: the source was renamed to mount/own.ts
      mount/own.ts       Indexed @acme/own
      @acme/own is mount/own.ts
      1 built, 2 written

    mount to pulled
      mount/mounted.ts   gone: the source was renamed to pulled/mounted.ts
      pulled/mounted.ts  Indexed @acme/mounted
      @acme/mounted is pulled/mounted.ts
      1 built, 2 written

    pulled to local
      local/pulled.ts    Indexed @acme/pulled
      pulled/pulled.ts   gone: the source was renamed to local/pulled.ts
      @acme/pulled is local/pulled.ts
      1 built, 2 written

    local to mount and back
      as before
      1 built, 2 written

    copied from pulled to local
      local/pulled.ts    Indexed @acme/pulled
      pulled/pulled.ts   Indexed @acme/pulled behind local/pulled.ts
      @acme/pulled is local/pulled.ts
      1 built, 2 written

    moved while it does not parse
      local/own.ts       gone: the source was renamed to mount/own.ts
      mount/own.ts       BundleBuildFailed @acme/own (Deterministic MG0201)
      @acme/own is nothing
      1 built, 2 written

    moved while it is rejected
      local/pulled.ts    ValidationFailed @acme/pulled
      pulled/pulled.ts   gone: the source was renamed to local/pulled.ts
      @acme/pulled is nothing
      1 built, 2 written
    ");
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
    insta::assert_snapshot!(table(&cells).await, @r"
    mount away
      mount/mounted.ts   Indexed, degraded @acme/mounted (Environment MG0406)
                         cold: no row
      @acme/mounted is mount/mounted.ts, cold: nothing
      0 built, 1 written

    mount away and back
      as before
      0 built, 1 written

    mount no longer listed
      mount/mounted.ts   gone: its extension or mount is no longer configured
      @acme/mounted is nothing
      0 built, 1 written

    pulled directory away
      pulled/pulled.ts   Indexed, degraded @acme/pulled (Environment MG0406)
                         cold: no row
      @acme/pulled is pulled/pulled.ts, cold: nothing
      0 built, 1 written

    pulled directory away and back
      as before
      0 built, 1 written

    no longer locked
      pulled/pulled.ts   gone: its extension or mount is no longer configured
      @acme/pulled is nothing
      0 built, 1 written

    locked file missing
      pulled/pulled.ts   Indexed, degraded @acme/pulled (Environment MG0401)
                         cold: no row
      @acme/pulled is pulled/pulled.ts, cold: nothing
      0 built, 1 written

    mount listed twice
      as before
      0 built, 0 written

    mounted while it is away, broken when it is back
      mount/mounted.ts   Indexed, degraded @acme/mounted (Deterministic MG0201)
                         cold: BundleBuildFailed @acme/mounted (Deterministic MG0201)
      @acme/mounted is mount/mounted.ts, cold: nothing
      1 built, 1 written
    ");
}
