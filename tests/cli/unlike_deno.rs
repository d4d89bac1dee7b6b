//! Where a bundle does something else than Deno that runs the files: a real Deno shows that it does, and a scan says so.

use std::{fs, process::Command};

use crate::{deno, sandbox::Sandbox};

const FILES: &str = "
//- /extensions/models/_lib/data.json
{\"a\": 1}
//- /extensions/models/_lib/first.ts
console.log(\"first begins\");
await new Promise((resolve) => setTimeout(resolve, 20));
console.log(\"first ends\");
//- /extensions/models/_lib/second.ts
console.log(\"second\");
//- /extensions/models/json.ts
import data from \"./_lib/data.json\";
export const model = { type: \"@acme/json\", version: \"2026.05.23.1\", methods: {}, data };
//- /extensions/models/waits.ts
import \"./_lib/first.ts\";
import \"./_lib/second.ts\";
export const model = { type: \"@acme/waits\", version: \"2026.05.23.1\", methods: {} };
//- /extensions/models/page.ts
import page from \"./_lib/data.yaml\";
export const model = { type: \"@acme/page\", version: \"2026.05.23.1\", methods: {}, page };
//- /extensions/models/_lib/data.yaml
a: 1
";

#[test]
fn a_scan_says_where_deno_does_something_else() {
    let sandbox = Sandbox::new(FILES);
    let scan = sandbox.run(&["scan"]);
    let said = format!("{}{}", scan.stdout, scan.stderr);
    for expected in [
        "MG0209",
        "extensions/models/json.ts",
        "`./_lib/data.json` in extensions/models/json.ts:1",
        "`extensions/models/_lib/second.ts` after `extensions/models/_lib/first.ts`",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    for name in ["@acme/json", "@acme/waits"] {
        let described = sandbox.json(&["describe", name]).to_string();
        assert!(described.contains("unlike `deno run`: "), "{described}");
    }
    let why = sandbox.run(&["why", "extensions/models/page.ts"]);
    assert!(format!("{}{}", why.stdout, why.stderr).contains("MG0206"), "{why}");
    let again = sandbox.run(&["scan"]);
    assert!(!format!("{}{}", again.stdout, again.stderr).contains("MG0209"), "it is said once: {again}");

    let Some(deno) = deno::real() else { return };
    let directory = sandbox.tree.path("extensions/models");
    let in_deno = |file: &str| {
        let mut command = Command::new(&deno);
        command.args(["run", "--quiet", "--no-config", "--no-lock", file]).current_dir(&directory);
        let cache = sandbox.tree.path("cache-of-deno");
        let output = command.env("DENO_DIR", cache).env("NO_COLOR", "1").output().expect("Deno starts");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    assert_eq!(in_deno("waits.ts"), (true, "first begins\nsecond\nfirst ends\n".to_owned()));
    assert!(!in_deno("json.ts").0, "Deno refuses JSON without an attribute");
    assert!(!in_deno("page.ts").0, "Deno refuses what is no module");
    fs::remove_dir_all(sandbox.tree.path("cache-of-deno")).expect("a directory");
}
