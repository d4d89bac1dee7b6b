//! What a step of a workflow costs beside the method that it calls.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context as _, Result};

use super::{Options, as_number, median, milliseconds, process::Program, report::Line};

/// A method that does nothing; what remains of a step is what it costs to get there.
const MODEL: &str = "const schema = () => ({ _def: {}, parse: (value) => value, safeParse: (value) => ({ success: true, data: value }) });
export const model = {
  type: \"@bench/step\",
  version: \"2026.11.29.1\",
  methods: {
    rest: { description: \"Does nothing\", arguments: schema(), execute: async () => ({ dataHandles: [] }) },
  },
};
";

/// The time of a run of many steps, one after the other, less that of a run of one step, for each step more. What the method
/// itself takes is part of it.
pub(super) fn overhead(program: &Path, options: &Options) -> Result<Line> {
    let directory = tempfile::tempdir().context("no temporary directory")?;
    let write = |path: &str, text: &str| -> Result<()> {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap_or(directory.path())).context("cannot make a directory")?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    write("mangrove.yaml", "repoId: 00000000-0000-4000-8000-00000000c0de\n")?;
    write("extensions/models/step.ts", MODEL)?;
    write("models/@bench/step/it.yaml", "id: 00000000-0000-4000-9000-000000000000\nname: it\nversion: 1\n")?;
    for (number, steps) in [1, 1 + options.steps].into_iter().enumerate() {
        let mut text = format!(
            "id: 00000000-0000-4000-8000-{number:012}\nname: w{number}\njobs:\n  - name: only\n    concurrency: 1\n    steps:\n"
        );
        for step in 0..steps {
            let task = "task: { type: model_method, modelIdOrName: it, methodName: rest }";
            let _ = writeln!(text, "      - name: s{step}\n        {task}");
        }
        write(&format!("workflows/w{number}.yaml"), &text)?;
    }
    let mangrove = Program::new(program, directory.path());
    mangrove.output(&["scan"])?;
    let [mut one, mut many] = [Vec::new(), Vec::new()];
    for _ in 0..options.runs {
        one.push(mangrove.timed(&["workflow", "run", "w0"])?);
        many.push(mangrove.timed(&["workflow", "run", "w1"])?);
    }
    let [one, many] = [one, many].map(|mut times| milliseconds(median(&mut times)));
    let line = Line::new("embedded step", (many - one) / as_number(options.steps), "ms").at_most(2.0);
    Ok(line.after(options.runs).noting(&format!("{} steps in {many:.0} ms, one in {one:.0} ms", options.steps + 1)))
}
