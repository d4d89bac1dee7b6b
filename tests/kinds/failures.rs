//! Failed builds, rejected exports, entries that cannot be read.

use mangrove_testkit::sources::Condition::{Broken, Good, Nameless, Rejected, Throwing, Unresolvable};

use crate::{
    cells::{Cell, table},
    world::{Local, Mount, Pulled},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_fails() {
    let cells = [
        Cell { name: "new, does not parse", steps: &[|files| files.write(Local, "new.ts", "@acme/new", Broken)] },
        Cell { name: "new, import missing", steps: &[|files| files.write(Local, "new.ts", "@acme/new", Unresolvable)] },
        Cell { name: "new, throws", steps: &[|files| files.write(Local, "new.ts", "@acme/new", Throwing)] },
        Cell {
            name: "new, does not parse, mended",
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
            name: "failed build, mended otherwise",
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
    insta::assert_snapshot!(table(&cells).await, @"");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
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
            name: "rejected, mended",
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
    insta::assert_snapshot!(table(&cells).await, @"");
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
    insta::assert_snapshot!(table(&cells).await, @"");
}
