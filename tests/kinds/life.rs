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
    insta::assert_snapshot!(table(&cells).await, @"");
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
    insta::assert_snapshot!(table(&cells).await, @"");
}
