//! A repository, commands on it, and everything that they print.

use std::{
    os::unix::{fs::symlink, process::CommandExt as _},
    path::PathBuf,
    process::{Command, Stdio},
};

use mangrove_testkit::fixture::Tree;
use serde_json::Value;

/// The variable with the time of the program, in milliseconds since 1970.
pub(crate) const CLOCK: &str = "MANGROVE_TEST_CLOCK";

/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600_000;

/// What differs between machines, versions and runs, and what stands in the snapshot instead.
const FILTERS: &[(&str, &str)] = &[
    (r"\b[0-9a-f]{64}\b", "<digest>"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<new identifier>"),
    (r"(^|[^-\w])[0-9a-f]{12}\b", "$1<short digest>"),
    (r"127\.0\.0\.1:\d+", "<registry>"),
    (r#""(programVersion|version)": "0\.\d+\.\d+""#, r#""$1": "<version>""#),
    (r"\b\d+(\.\d+)? (B|KB|kB|KiB|MB|MiB|GB|GiB)\b", "<size>"),
    (r#""(\w*[bB]ytes)": \d+"#, r#""$1": "<number>""#),
    (r#""(filesRead|directoriesListed|durationMs)": \d+"#, r#""$1": "<number>""#),
    // The time of a retry is spread by chance.
    (r#""nextRetry": "[^"]+""#, r#""nextRetry": "<time>""#),
    (r"(retry +)in \d+(\.\d+)? (ms|s)\b", "${1}in <duration>"),
    (r"\b\d+(\.\d+)? ?(ms|µs)\b", "<duration>"),
];

/// A repository and what was printed so far.
pub(crate) struct Scene {
    tree: Tree,
    /// Holds no program, so that none of the machine's is found.
    no_programs: Tree,
    transcript: String,
    time: i64,
}

impl Scene {
    /// A repository of these files.
    pub(crate) fn new(files: &str) -> Self {
        let scene = Self::outside(files);
        scene.write("mangrove.yaml", "repoId: 00000000-0000-4000-8000-000000000001\n");
        scene
    }

    /// The same without what makes a directory a repository.
    pub(crate) fn outside(files: &str) -> Self {
        let tree = Tree::new(files).expect("a directory");
        Self { tree, no_programs: Tree::new("").expect("a directory"), transcript: String::new(), time: START }
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        self.tree.write(path, text).expect("a file");
    }

    pub(crate) fn remove(&self, path: &str) {
        self.tree.remove(path).expect("it is there");
    }

    /// A link to itself cannot be read, not even by the superuser.
    pub(crate) fn make_unreadable(&self, path: &str) {
        symlink(self.tree.path(path), self.tree.path(path)).expect("a link");
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.tree.path(path)
    }

    /// Lets an hour pass.
    pub(crate) fn wait_an_hour(&mut self) {
        self.time += 3_600_000;
    }

    /// Says in the transcript what happens next.
    pub(crate) fn remark(&mut self, text: &str) {
        self.transcript.push_str(&format!("# {text}\n\n"));
    }

    /// Runs the program and adds what it prints to the transcript; gives standard output.
    pub(crate) fn run(&mut self, arguments: &[&str]) -> String {
        let program = std::env::current_exe().expect("this program");
        let mut command = Command::new(program);
        command.arg0("mangrove");
        command.args(arguments).current_dir(self.tree.root()).stdin(Stdio::null()).env_clear();
        command.env(CLOCK, self.time.to_string()).env("PATH", self.no_programs.root());
        let output = command.output().expect("the program starts");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        self.transcript.push_str(&format!("$ mangrove {}\n", arguments.join(" ")));
        self.transcript.push_str(&readable(&out));
        if !err.is_empty() {
            self.transcript.push_str("--- standard error\n");
            self.transcript.push_str(&err);
        }
        let code = output.status.code().map_or_else(|| "a signal".to_owned(), |code| code.to_string());
        self.transcript.push_str(&format!("--- ends with {code}\n\n"));
        out.into_owned()
    }

    /// Runs a command for people and for programs.
    pub(crate) fn both(&mut self, arguments: &[&str]) {
        self.run(arguments);
        self.run(&[arguments, &["--json"]].concat());
    }

    /// Compares the transcript with the file of this name.
    pub(crate) fn check(self, name: &str) {
        let root = self.tree.root();
        let text = self.transcript.replace(&*root.to_string_lossy(), "<repository>");
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        for (pattern, replacement) in FILTERS {
            settings.add_filter(pattern, *replacement);
        }
        settings.bind(|| insta::assert_snapshot!(name, text));
    }
}

/// JSON documents over several lines, everything else as it is.
fn readable(text: &str) -> String {
    let line = |line: &str| match serde_json::from_str::<Value>(line) {
        Ok(document @ (Value::Object(_) | Value::Array(_))) => format!("{document:#}\n"),
        Ok(_) | Err(_) => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// A model of this type with one method `greet`, `head` before it, and this body.
pub(crate) fn model(type_name: &str, head: &str, body: &str) -> String {
    format!(
        "{head}
const schema = {{
  _def: {{}},
  parse: (value) => value,
  safeParse: (data) => ({{ success: true, data }}),
  toJSONSchema: () => ({{ type: 'object', properties: {{ name: {{ type: 'string', description: 'Who' }} }}, required: ['name'] }}),
}};
export const model = {{
  type: '{type_name}',
  version: '2026.05.23.1',
  methods: {{
    greet: {{
      description: 'Greet somebody',
      arguments: schema,
      execute: async (args, context) => {{
        {body}
        context.logger.info(`hello ${{args.name}}`);
        return {{ dataHandles: [] }};
      }},
    }},
  }},
}};
"
    )
}
