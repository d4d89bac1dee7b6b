//! New, changed, deleted, renamed.

use mangrove_testkit::sources::Condition::{Good, Helper};

use crate::{
    cells::{Cell, table},
    world::{Local, Mount, Pulled},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_comes_and_changes() {
    let cells = [
        Cell { name: "new, local", steps: &[|files| files.write(Local, "new.ts", "@acme/new", Good)] },
        Cell { name: "new, mounted", steps: &[|files| files.write(Mount, "new.ts", "@acme/new", Good)] },
        Cell { name: "new, pulled", steps: &[|files| files.write(Pulled, "new.ts", "@acme/new", Good)] },
        Cell { name: "changed, local", steps: &[|files| files.describe(Local, "own.ts", "@acme/own", Good, "shouts")] },
        Cell {
            name: "changed, mounted",
            steps: &[|files| files.describe(Mount, "mounted.ts", "@acme/mounted", Good, "shouts")],
        },
        Cell {
            name: "changed, pulled",
            steps: &[|files| files.describe(Pulled, "pulled.ts", "@acme/pulled", Good, "shouts")],
        },
        Cell {
            name: "changed and changed back",
            steps: &[
                |files| files.describe(Local, "own.ts", "@acme/own", Good, "shouts"),
                |files| files.write(Local, "own.ts", "@acme/own", Good),
            ],
        },
        Cell { name: "written again as it was", steps: &[|files| files.write(Local, "own.ts", "@acme/own", Good)] },
        Cell { name: "its type is another one", steps: &[|files| files.write(Local, "own.ts", "@acme/other", Good)] },
        Cell { name: "dependency changed, local", steps: &[|files| files.note(Local, "second")] },
        Cell { name: "dependency changed, mounted", steps: &[|files| files.note(Mount, "second")] },
        Cell { name: "dependency changed, pulled", steps: &[|files| files.note(Pulled, "second")] },
    ];
    insta::assert_snapshot!(table(&cells).await, @r"
    new, local
      local/new.ts       Indexed @acme/new
      @acme/new is local/new.ts
      1 built, 1 written

    new, mounted
      mount/new.ts       Indexed @acme/new
      @acme/new is mount/new.ts
      1 built, 1 written

    new, pulled
      pulled/new.ts      Indexed @acme/new
      @acme/new is pulled/new.ts
      1 built, 1 written

    changed, local
      local/own.ts       Indexed @acme/own, new bundle
      1 built, 1 written

    changed, mounted
      mount/mounted.ts   Indexed @acme/mounted, new bundle
      1 built, 1 written

    changed, pulled
      pulled/pulled.ts   Indexed @acme/pulled, new bundle
      1 built, 1 written

    changed and changed back
      as before
      1 built, 1 written

    written again as it was
      as before
      0 built, 0 written

    its type is another one
      local/own.ts       Indexed @acme/other, new bundle
      @acme/other is local/own.ts
      @acme/own is nothing
      1 built, 1 written

    dependency changed, local
      local/own.ts       Indexed @acme/own, new bundle
      1 built, 1 written

    dependency changed, mounted
      mount/mounted.ts   Indexed @acme/mounted, new bundle
      1 built, 1 written

    dependency changed, pulled
      pulled/pulled.ts   Indexed @acme/pulled, new bundle
      1 built, 1 written
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_goes_or_is_renamed() {
    let cells = [
        Cell { name: "deleted, local", steps: &[|files| files.remove(Local, "own.ts")] },
        Cell { name: "deleted, mounted", steps: &[|files| files.remove(Mount, "mounted.ts")] },
        Cell { name: "deleted, pulled", steps: &[|files| files.remove(Pulled, "pulled.ts")] },
        Cell {
            name: "deleted and back",
            steps: &[|files| files.remove(Local, "own.ts"), |files| files.write(Local, "own.ts", "@acme/own", Good)],
        },
        Cell { name: "renamed, local", steps: &[|files| files.rename((Local, "own.ts"), (Local, "z.ts"))] },
        Cell { name: "renamed, mounted", steps: &[|files| files.rename((Mount, "mounted.ts"), (Mount, "a.ts"))] },
        Cell { name: "renamed, pulled", steps: &[|files| files.rename((Pulled, "pulled.ts"), (Pulled, "z.ts"))] },
        Cell {
            name: "renamed and changed at once",
            steps: &[|files| {
                files.remove(Local, "own.ts");
                files.describe(Local, "z.ts", "@acme/own", Good, "shouts");
            }],
        },
        Cell { name: "no longer an entry point", steps: &[|files| files.write(Local, "own.ts", "@acme/own", Helper)] },
        Cell {
            name: "an entry point again",
            steps: &[
                |files| files.write(Local, "own.ts", "@acme/own", Helper),
                |files| files.write(Local, "own.ts", "@acme/own", Good),
            ],
        },
    ];
    insta::assert_snapshot!(table(&cells).await, @r"
    deleted, local
      local/own.ts       gone: the source was deleted
      @acme/own is nothing
      0 built, 1 written

    deleted, mounted
      mount/mounted.ts   gone: the source was deleted
      @acme/mounted is nothing
      0 built, 1 written

    deleted, pulled
      pulled/pulled.ts   gone: the source was deleted
      @acme/pulled is nothing
      0 built, 1 written

    deleted and back
      as before
      1 built, 1 written

    renamed, local
      local/own.ts       gone: the source was renamed to local/z.ts
      local/z.ts         Indexed @acme/own
      @acme/own is local/z.ts
      1 built, 2 written

    renamed, mounted
      mount/a.ts         Indexed @acme/mounted
      mount/mounted.ts   gone: the source was renamed to mount/a.ts
      @acme/mounted is mount/a.ts
      1 built, 2 written

    renamed, pulled
      pulled/pulled.ts   gone: the source was renamed to pulled/z.ts
      pulled/z.ts        Indexed @acme/pulled
      @acme/pulled is pulled/z.ts
      1 built, 2 written

    renamed and changed at once
      local/own.ts       gone: the source was deleted
      local/z.ts         Indexed @acme/own
      @acme/own is local/z.ts
      1 built, 2 written

    no longer an entry point
      local/own.ts       gone: the file exists, but no longer exports what its kind requires
      @acme/own is nothing
      0 built, 1 written

    an entry point again
      as before
      1 built, 1 written
    ");
}
