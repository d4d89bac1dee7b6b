//! Several sources of one type: who resolves it, and who comes back.

use mangrove_testkit::sources::Condition::{Broken, Good, Nameless, Rejected};

use crate::{
    cells::{Cell, table},
    world::{Local, Mount, Pulled},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
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
            steps: &[|files| files.write(Mount, "mine.ts", "@acme/pulled", Good), |files| files.mount(&[])],
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
    insta::assert_snapshot!(table(&cells).await, @"");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_is_stood_in_for_and_what_is_rejected_is_not() {
    let cells = [
        Cell { name: "never built", steps: &[|files| files.write(Local, "mine.ts", "@acme/pulled", Broken)] },
        Cell {
            name: "never built, mended",
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
            name: "rejected, mended",
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
            name: "built before, then without a name",
            steps: &[
                |files| files.write(Local, "mine.ts", "@acme/pulled", Good),
                |files| files.write(Local, "mine.ts", "@acme/pulled", Nameless),
            ],
        },
    ];
    insta::assert_snapshot!(table(&cells).await, @"");
}
