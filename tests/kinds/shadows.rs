//! Several sources of one type: who resolves it, and who comes back.

use mangrove_testkit::sources::Condition::{Broken, Good, Nameless, Rejected, RejectedComputed};

use crate::{
    cells::{Cell, table},
    world::{Local, Mount, Pulled},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::too_many_lines, reason = "one story in steps")]
async fn a_type_is_shadowed_and_comes_back() {
    let cells = [
        Cell { name: "local before mount", steps: &[|files| files.write(Local, "mine.ts", "@acme/mounted", Good)] },
        Cell { name: "local before pulled", steps: &[|files| files.write(Local, "mine.ts", "@acme/pulled", Good)] },
        Cell { name: "mount before pulled", steps: &[|files| files.write(Mount, "mine.ts", "@acme/pulled", Good)] },
        Cell { name: "pulled behind local", steps: &[|files| files.write(Pulled, "mine.ts", "@acme/own", Good)] },
        Cell { name: "two of one origin", steps: &[|files| files.write(Local, "mine.ts", "@acme/own", Good)] },
        Cell {
            name: "un-shadowed: deleted",
            steps: &[
                |files| files.write(Local, "mine.ts", "@acme/pulled", Good),
                |files| files.remove(Local, "mine.ts"),
            ],
        },
        Cell {
            name: "un-shadowed: another type",
            steps: &[
                |files| files.write(Local, "mine.ts", "@acme/pulled", Good),
                |files| files.write(Local, "mine.ts", "@acme/mine", Good),
            ],
        },
        Cell {
            name: "un-shadowed: the mount is no longer listed",
            steps: &[|files| files.write(Mount, "mounted.ts", "@acme/pulled", Good), |files| files.mount(&[])],
        },
        Cell {
            name: "still shadowed: the mount is away",
            steps: &[
                |files| files.write(Mount, "mine.ts", "@acme/pulled", Good),
                |files| files.move_directory("mounts/shared", "away"),
            ],
        },
        Cell {
            name: "three of one type, the first deleted",
            steps: &[
                |files| {
                    files.write(Local, "mine.ts", "@acme/pulled", Good);
                    files.write(Mount, "mine.ts", "@acme/pulled", Good);
                },
                |files| files.remove(Local, "mine.ts"),
            ],
        },
        Cell {
            name: "changed while shadowed",
            steps: &[
                |files| files.write(Local, "mine.ts", "@acme/pulled", Good),
                |files| files.describe(Pulled, "pulled.ts", "@acme/pulled", Good, "shouts"),
            ],
        },
    ];
    insta::assert_snapshot!(table(&cells).await, @r"
    local before mount
      local/mine.ts      Indexed @acme/mounted
      mount/mounted.ts   Indexed @acme/mounted behind local/mine.ts
      @acme/mounted is local/mine.ts
      1 built, 2 written

    local before pulled
      local/mine.ts      Indexed @acme/pulled
      pulled/pulled.ts   Indexed @acme/pulled behind local/mine.ts
      @acme/pulled is local/mine.ts
      1 built, 2 written

    mount before pulled
      mount/mine.ts      Indexed @acme/pulled
      pulled/pulled.ts   Indexed @acme/pulled behind mount/mine.ts
      @acme/pulled is mount/mine.ts
      1 built, 2 written

    pulled behind local
      pulled/mine.ts     Indexed @acme/own behind local/own.ts
      1 built, 1 written

    two of one origin
      local/mine.ts      Indexed @acme/own
      local/own.ts       Indexed @acme/own behind local/mine.ts
      @acme/own is local/mine.ts
      1 built, 2 written

    un-shadowed: deleted
      as before
      0 built, 2 written

    un-shadowed: another type
      local/mine.ts      Indexed @acme/mine
      @acme/mine is local/mine.ts
      1 built, 2 written

    un-shadowed: the mount is no longer listed
      mount/mounted.ts   gone: its extension or mount is no longer configured
      @acme/mounted is nothing
      0 built, 2 written

    still shadowed: the mount is away
      mount/mine.ts      Indexed, degraded @acme/pulled (Environment MG0406)
                         cold: no row
      mount/mounted.ts   Indexed, degraded @acme/mounted (Environment MG0406)
                         cold: no row
      pulled/pulled.ts   Indexed @acme/pulled behind mount/mine.ts
                         cold: Indexed @acme/pulled
      @acme/mounted is mount/mounted.ts, cold: nothing
      @acme/pulled is mount/mine.ts, cold: pulled/pulled.ts
      0 built, 2 written

    three of one type, the first deleted
      mount/mine.ts      Indexed @acme/pulled
      pulled/pulled.ts   Indexed @acme/pulled behind mount/mine.ts
      @acme/pulled is mount/mine.ts
      0 built, 3 written

    changed while shadowed
      local/mine.ts      Indexed @acme/pulled
      pulled/pulled.ts   Indexed @acme/pulled behind local/mine.ts, new bundle
      @acme/pulled is local/mine.ts
      1 built, 1 written
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::too_many_lines, reason = "one story in steps")]
async fn what_fails_is_stood_in_for_and_what_is_rejected_is_not() {
    let cells = [
        Cell { name: "never built", steps: &[|files| files.write(Local, "mine.ts", "@acme/pulled", Broken)] },
        Cell {
            name: "never built, fixed",
            steps: &[
                |files| files.write(Local, "mine.ts", "@acme/pulled", Broken),
                |files| files.write(Local, "mine.ts", "@acme/pulled", Good),
            ],
        },
        Cell {
            name: "built before, then broken",
            steps: &[
                |files| files.write(Local, "mine.ts", "@acme/pulled", Good),
                |files| files.write(Local, "mine.ts", "@acme/pulled", Broken),
            ],
        },
        Cell {
            name: "built before, then unreadable",
            steps: &[
                |files| files.write(Local, "mine.ts", "@acme/pulled", Good),
                |files| files.make_unreadable(Local, "mine.ts"),
            ],
        },
        Cell { name: "rejected", steps: &[|files| files.write(Local, "mine.ts", "@acme/pulled", Rejected)] },
        Cell {
            name: "built before, then rejected",
            steps: &[
                |files| files.write(Local, "mine.ts", "@acme/pulled", Good),
                |files| files.write(Local, "mine.ts", "@acme/pulled", Rejected),
            ],
        },
        Cell {
            name: "rejected, fixed",
            steps: &[
                |files| files.write(Local, "mine.ts", "@acme/pulled", Rejected),
                |files| files.write(Local, "mine.ts", "@acme/pulled", Good),
            ],
        },
        Cell {
            name: "rejected, deleted",
            steps: &[
                |files| files.write(Local, "mine.ts", "@acme/pulled", Rejected),
                |files| files.remove(Local, "mine.ts"),
            ],
        },
        Cell {
            name: "rejected, then broken",
            steps: &[
                |files| files.write(Local, "mine.ts", "@acme/pulled", Rejected),
                |files| files.write(Local, "mine.ts", "@acme/pulled", Broken),
            ],
        },
        Cell {
            name: "rejected, its name is computed",
            steps: &[|files| files.write(Local, "mine.ts", "@acme/pulled", RejectedComputed)],
        },
        Cell {
            name: "built before, then without a name",
            steps: &[
                |files| files.write(Local, "mine.ts", "@acme/pulled", Good),
                |files| files.write(Local, "mine.ts", "@acme/pulled", Nameless),
            ],
        },
    ];
    insta::assert_snapshot!(table(&cells).await, @r"
    never built
      local/mine.ts      BundleBuildFailed @acme/pulled (Deterministic MG0201)
      pulled/pulled.ts   Indexed @acme/pulled standing in
      1 built, 2 written

    never built, fixed
      local/mine.ts      Indexed @acme/pulled
      pulled/pulled.ts   Indexed @acme/pulled behind local/mine.ts
      @acme/pulled is local/mine.ts
      1 built, 2 written

    built before, then broken
      local/mine.ts      Indexed, degraded @acme/pulled (Deterministic MG0201)
                         cold: BundleBuildFailed @acme/pulled (Deterministic MG0201)
      pulled/pulled.ts   Indexed @acme/pulled behind local/mine.ts
                         cold: Indexed @acme/pulled standing in
      @acme/pulled is local/mine.ts, cold: pulled/pulled.ts
      1 built, 1 written

    built before, then unreadable
      local/mine.ts      Indexed, degraded @acme/pulled (Environment MG0401)
                         cold: EntryPointUnreadable (Environment MG0401)
      pulled/pulled.ts   Indexed @acme/pulled behind local/mine.ts
                         cold: Indexed @acme/pulled
      @acme/pulled is local/mine.ts, cold: pulled/pulled.ts
      0 built, 1 written

    rejected
      local/mine.ts      ValidationFailed @acme/pulled
      pulled/pulled.ts   Indexed @acme/pulled behind local/mine.ts
      @acme/pulled is nothing
      1 built, 2 written

    built before, then rejected
      local/mine.ts      ValidationFailed @acme/pulled
      pulled/pulled.ts   Indexed @acme/pulled behind local/mine.ts
      @acme/pulled is nothing
      1 built, 1 written

    rejected, fixed
      local/mine.ts      Indexed @acme/pulled
      pulled/pulled.ts   Indexed @acme/pulled behind local/mine.ts
      @acme/pulled is local/mine.ts
      1 built, 1 written

    rejected, deleted
      as before
      0 built, 2 written

    rejected, then broken
      local/mine.ts      BundleBuildFailed @acme/pulled (Deterministic MG0201)
      pulled/pulled.ts   Indexed @acme/pulled behind local/mine.ts
                         cold: Indexed @acme/pulled standing in
      @acme/pulled is nothing, cold: pulled/pulled.ts
      1 built, 1 written

    rejected, its name is computed
      local/mine.ts      ValidationFailed @acme/pulled
      pulled/pulled.ts   Indexed @acme/pulled behind local/mine.ts
      @acme/pulled is nothing
      1 built, 2 written

    built before, then without a name
      local/mine.ts      ValidationFailed
      1 built, 2 written
    ");
}
