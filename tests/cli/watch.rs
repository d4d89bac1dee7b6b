//! `scan --watch`.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::{
    fixtures::{broken, model},
    sandbox::Sandbox,
};

/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_mins(2);

struct Watch {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Watch {
    fn start(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        let mut command = sandbox.command();
        command.args(["scan", "--watch"]).args(arguments).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the program starts");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                // The test may be over.
                let _ = sender.send(line);
            }
        });
        Self { child, lines }
    }

    fn next(&self) -> String {
        self.lines.recv_timeout(LONG).expect("a line")
    }

    /// The next line as JSON.
    fn event(&self) -> Value {
        serde_json::from_str(&self.next()).expect("JSON")
    }

    /// Ends it as Ctrl-C does; gives the exit code.
    fn interrupt(&mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().expect("`kill`").success());
        self.child.wait().expect("an end").code()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn each_change_is_a_line_and_ctrl_c_ends_it() {
    let sandbox = Sandbox::new("");
    let path = "extensions/models/a.ts";
    sandbox.write(path, &model("@acme/a"));
    let mut watch = Watch::start(&sandbox, &[]);
    assert_eq!(watch.next(), format!("{path} works as @acme/a"));
    sandbox.write("extensions/models/b.ts", &broken("@acme/b"));
    let line = watch.next();
    assert!(line.starts_with("extensions/models/b.ts cannot be built: [MG02"), "{line}");
    sandbox.write("extensions/models/b.ts", &model("@acme/b"));
    assert_eq!(watch.next(), "extensions/models/b.ts works as @acme/b");
    sandbox.edit(path, "Greet somebody", "Greet someone");
    assert_eq!(watch.next(), format!("{path} works as @acme/a"), "each new version that is live");
    sandbox.write(path, &broken("@acme/a"));
    let line = watch.next();
    assert!(line.starts_with(&format!("{path} cannot be built as it is now: [MG02")), "{line}");
    std::fs::remove_file(sandbox.tree.path("extensions/models/b.ts")).expect("removed");
    assert_eq!(watch.next(), "extensions/models/b.ts is gone");
    assert_eq!(watch.interrupt(), Some(0));
    assert_eq!(sandbox.json(&["types"])["types"].as_array().map(Vec::len), Some(1), "it is in the catalog");
}

#[test]
fn changes_are_json_lines_and_no_workflow_is_started() {
    let schedule = "//- /workflows/often.yaml
id: 22222222-2222-4222-8222-222222222222
name: often
trigger: { schedule: '* * * * * *' }
jobs:
  - name: only
    steps:
      - name: greet
        task: { type: model_method, modelIdOrName: nobody, methodName: greet }
";
    let sandbox = Sandbox::new(schedule);
    sandbox.write("extensions/models/a.ts", &model("@acme/a"));
    let mut watch = Watch::start(&sandbox, &["--json"]);
    let changed = watch.event();
    assert_eq!((&changed["reason"], &changed["type"]), (&"source-changed".into(), &"@acme/a".into()), "{changed}");
    assert_eq!((&changed["state"], &changed["failure"]), (&"Indexed".into(), &Value::Null), "{changed}");
    let ready = watch.event();
    assert_eq!((&ready["reason"], &ready["types"]), (&"ready".into(), &1.into()), "{ready}");
    sandbox.write("extensions/models/b.ts", &broken("@acme/b"));
    let failed = watch.event();
    assert_eq!((&failed["state"], &failed["failure"]["class"]), (&"BundleBuildFailed".into(), &"Deterministic".into()));
    assert_eq!(watch.interrupt(), Some(0));
    assert_eq!(sandbox.json(&["run", "list"])["runs"].as_array().map(Vec::len), Some(0));
}
