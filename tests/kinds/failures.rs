//! Failed builds, rejected exports, entries that cannot be read.

use mangrove_testkit::sources::Condition::{Broken, Good, Nameless, Rejected, Throwing, Unresolvable};

use crate::{
    cells::{Cell, table},
    world::{Local, Mount, Pulled},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::too_many_lines, reason = "one story in steps")]
async fn a_build_fails() {
    let cells = [
        Cell { name: "new, does not parse", steps: &[|files| files.write(Local, "new.ts", "@acme/new", Broken)] },
        Cell { name: "new, import missing", steps: &[|files| files.write(Local, "new.ts", "@acme/new", Unresolvable)] },
        Cell { name: "new, throws", steps: &[|files| files.write(Local, "new.ts", "@acme/new", Throwing)] },
        Cell {
            name: "new, does not parse, fixed",
            steps: &[
                |files| files.write(Local, "new.ts", "@acme/new", Broken),
                |files| files.write(Local, "new.ts", "@acme/new", Good),
            ],
        },
        Cell { name: "failed build, local", steps: &[|files| files.write(Local, "own.ts", "@acme/own", Broken)] },
        Cell {
            name: "failed build, mounted",
            steps: &[|files| files.write(Mount, "mounted.ts", "@acme/mounted", Unresolvable)],
        },
        Cell {
            name: "failed build, pulled",
            steps: &[|files| files.write(Pulled, "pulled.ts", "@acme/pulled", Broken)],
        },
        Cell { name: "throws", steps: &[|files| files.write(Local, "own.ts", "@acme/own", Throwing)] },
        Cell { name: "dependency deleted", steps: &[|files| files.remove_note(Local)] },
        Cell {
            name: "failed build, changed back",
            steps: &[
                |files| files.write(Local, "own.ts", "@acme/own", Broken),
                |files| files.write(Local, "own.ts", "@acme/own", Good),
            ],
        },
        Cell {
            name: "failed build, fixed otherwise",
            steps: &[
                |files| files.write(Local, "own.ts", "@acme/own", Throwing),
                |files| files.describe(Local, "own.ts", "@acme/own", Good, "shouts"),
            ],
        },
        Cell {
            name: "failed build, then deleted",
            steps: &[|files| files.write(Local, "own.ts", "@acme/own", Broken), |files| files.remove(Local, "own.ts")],
        },
    ];
    insta::assert_snapshot!(table(&cells).await, @r"
    new, does not parse
      local/new.ts       BundleBuildFailed @acme/new (Deterministic MG0201)
      1 built, 1 written

    new, import missing
      local/new.ts       BundleBuildFailed @acme/new (Deterministic MG0202)
      1 built, 1 written

    new, throws
      local/new.ts       BundleBuildFailed @acme/new (Deterministic MG0220)
      1 built, 1 written

    new, does not parse, fixed
      local/new.ts       Indexed @acme/new
      @acme/new is local/new.ts
      1 built, 1 written

    failed build, local
      local/own.ts       Indexed, degraded @acme/own (Deterministic MG0201)
                         cold: BundleBuildFailed @acme/own (Deterministic MG0201)
      @acme/own is local/own.ts, cold: nothing
      1 built, 1 written

    failed build, mounted
      mount/mounted.ts   Indexed, degraded @acme/mounted (Deterministic MG0202)
                         cold: BundleBuildFailed @acme/mounted (Deterministic MG0202)
      @acme/mounted is mount/mounted.ts, cold: nothing
      1 built, 1 written

    failed build, pulled
      pulled/pulled.ts   Indexed, degraded @acme/pulled (Deterministic MG0201)
                         cold: BundleBuildFailed @acme/pulled (Deterministic MG0201)
      @acme/pulled is pulled/pulled.ts, cold: nothing
      1 built, 1 written

    throws
      local/own.ts       Indexed, degraded @acme/own (Deterministic MG0220)
                         cold: BundleBuildFailed @acme/own (Deterministic MG0220)
      @acme/own is local/own.ts, cold: nothing
      1 built, 1 written

    dependency deleted
      local/own.ts       Indexed, degraded @acme/own (Deterministic MG0202)
                         cold: BundleBuildFailed @acme/own (Deterministic MG0202)
      @acme/own is local/own.ts, cold: nothing
      1 built, 1 written

    failed build, changed back
      as before
      0 built, 1 written

    failed build, fixed otherwise
      local/own.ts       Indexed @acme/own, new bundle
      1 built, 1 written

    failed build, then deleted
      local/own.ts       gone: the source was deleted
      @acme/own is nothing
      0 built, 1 written
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::too_many_lines, reason = "one story in steps")]
async fn an_export_is_rejected() {
    let cells = [
        Cell { name: "new, rejected", steps: &[|files| files.write(Local, "new.ts", "@acme/new", Rejected)] },
        Cell { name: "rejected, local", steps: &[|files| files.write(Local, "own.ts", "@acme/own", Rejected)] },
        Cell {
            name: "rejected, mounted",
            steps: &[|files| files.write(Mount, "mounted.ts", "@acme/mounted", Rejected)],
        },
        Cell { name: "rejected, pulled", steps: &[|files| files.write(Pulled, "pulled.ts", "@acme/pulled", Rejected)] },
        Cell { name: "rejected for its name", steps: &[|files| files.write(Local, "own.ts", "@acme/own", Nameless)] },
        Cell {
            name: "rejected, fixed",
            steps: &[
                |files| files.write(Local, "own.ts", "@acme/own", Rejected),
                |files| files.describe(Local, "own.ts", "@acme/own", Good, "shouts"),
            ],
        },
        Cell {
            name: "rejected, changed back",
            steps: &[
                |files| files.write(Local, "own.ts", "@acme/own", Rejected),
                |files| files.write(Local, "own.ts", "@acme/own", Good),
            ],
        },
        Cell {
            name: "rejected, then does not parse",
            steps: &[
                |files| files.write(Local, "own.ts", "@acme/own", Rejected),
                |files| files.write(Local, "own.ts", "@acme/own", Broken),
            ],
        },
        Cell {
            name: "does not parse, then rejected",
            steps: &[
                |files| files.write(Local, "own.ts", "@acme/own", Broken),
                |files| files.write(Local, "own.ts", "@acme/own", Rejected),
            ],
        },
        Cell {
            name: "rejected, then renamed",
            steps: &[
                |files| files.write(Local, "own.ts", "@acme/own", Rejected),
                |files| files.rename((Local, "own.ts"), (Local, "z.ts")),
            ],
        },
    ];
    insta::assert_snapshot!(table(&cells).await, @r"
    new, rejected
      local/new.ts       ValidationFailed @acme/new
      1 built, 1 written

    rejected, local
      local/own.ts       ValidationFailed @acme/own, new bundle
      @acme/own is nothing
      1 built, 1 written

    rejected, mounted
      mount/mounted.ts   ValidationFailed @acme/mounted, new bundle
      @acme/mounted is nothing
      1 built, 1 written

    rejected, pulled
      pulled/pulled.ts   ValidationFailed @acme/pulled, new bundle
      @acme/pulled is nothing
      1 built, 1 written

    rejected for its name
      local/own.ts       ValidationFailed, new bundle
      @acme/own is nothing
      1 built, 1 written

    rejected, fixed
      local/own.ts       Indexed @acme/own, new bundle
      1 built, 1 written

    rejected, changed back
      as before
      1 built, 1 written

    rejected, then does not parse
      local/own.ts       BundleBuildFailed @acme/own (Deterministic MG0201), no bundle
      @acme/own is nothing
      1 built, 1 written

    does not parse, then rejected
      local/own.ts       ValidationFailed @acme/own, new bundle
      @acme/own is nothing
      1 built, 1 written

    rejected, then renamed
      local/own.ts       gone: the source was renamed to local/z.ts
      local/z.ts         ValidationFailed @acme/own
      @acme/own is nothing
      1 built, 2 written
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_cannot_be_read() {
    let cells = [
        Cell { name: "new, unreadable", steps: &[|files| files.make_unreadable(Local, "new.ts")] },
        Cell { name: "unreadable, local", steps: &[|files| files.make_unreadable(Local, "own.ts")] },
        Cell { name: "unreadable, mounted", steps: &[|files| files.make_unreadable(Mount, "mounted.ts")] },
        Cell { name: "unreadable, pulled", steps: &[|files| files.make_unreadable(Pulled, "pulled.ts")] },
        Cell {
            name: "unreadable and back",
            steps: &[
                |files| files.make_unreadable(Local, "own.ts"),
                |files| files.write(Local, "own.ts", "@acme/own", Good),
            ],
        },
        Cell {
            name: "unreadable and back, changed",
            steps: &[
                |files| files.make_unreadable(Local, "own.ts"),
                |files| files.describe(Local, "own.ts", "@acme/own", Good, "shouts"),
            ],
        },
        Cell {
            name: "rejected, then unreadable",
            steps: &[
                |files| files.write(Local, "own.ts", "@acme/own", Rejected),
                |files| files.make_unreadable(Local, "own.ts"),
            ],
        },
        Cell {
            name: "rejected, then unreadable and back",
            steps: &[
                |files| files.write(Local, "own.ts", "@acme/own", Rejected),
                |files| files.make_unreadable(Local, "own.ts"),
                |files| files.write(Local, "own.ts", "@acme/own", Rejected),
            ],
        },
        Cell {
            name: "unreadable, then deleted",
            steps: &[|files| files.make_unreadable(Local, "own.ts"), |files| files.remove(Local, "own.ts")],
        },
    ];
    insta::assert_snapshot!(table(&cells).await, @r"
    new, unreadable
      local/new.ts       EntryPointUnreadable (Environment MG0401)
      0 built, 1 written

    unreadable, local
      local/own.ts       Indexed, degraded @acme/own (Environment MG0401)
                         cold: EntryPointUnreadable (Environment MG0401)
      @acme/own is local/own.ts, cold: nothing
      0 built, 1 written

    unreadable, mounted
      mount/mounted.ts   Indexed, degraded @acme/mounted (Environment MG0401)
                         cold: EntryPointUnreadable (Environment MG0401)
      @acme/mounted is mount/mounted.ts, cold: nothing
      0 built, 1 written

    unreadable, pulled
      pulled/pulled.ts   Indexed, degraded @acme/pulled (Environment MG0401)
                         cold: EntryPointUnreadable (Environment MG0401)
      @acme/pulled is pulled/pulled.ts, cold: nothing
      0 built, 1 written

    unreadable and back
      as before
      0 built, 1 written

    unreadable and back, changed
      local/own.ts       Indexed @acme/own, new bundle
      1 built, 1 written

    rejected, then unreadable
      local/own.ts       EntryPointUnreadable @acme/own (Environment MG0401), new bundle
                         cold: EntryPointUnreadable (Environment MG0401)
      @acme/own is nothing
      0 built, 1 written

    rejected, then unreadable and back
      local/own.ts       ValidationFailed @acme/own, new bundle
      @acme/own is nothing
      0 built, 1 written

    unreadable, then deleted
      local/own.ts       gone: the source was deleted
      @acme/own is nothing
      0 built, 1 written
    ");
}
