//! The API of a daemon against its own document, with inputs that a program makes up (`schemathesis`, from `PyPI`).

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use fastrand::Rng;

use crate::{
    Extent, Outcome,
    repository::{Repository, model},
    serving::Serving,
};

const TOKEN: &str = "a-token-for-the-drill-of-the-api";

const WORKFLOW: &str = "id: 5b1f0a3e-2f64-4c1e-8f0b-9c8b7d6e5a42
name: with inputs
inputs:
  properties:
    name: { type: string, default: world }
    count: { type: integer }
    deep: { type: object }
jobs:
  - name: only
    steps:
      - name: greet
        task: { type: model_method, modelIdOrName: greeter, methodName: greet, inputs: { name: '${{ inputs.name }}' } }
";

/// Links between operations come from the document alone: guessed from places in answers, they name parameters that no
/// operation has, and that ends the whole phase.
const SETTINGS: &str = "[phases.stateful.inference]\nalgorithms = [\"dependency-analysis\"]\n";

/// What an input that nobody expects may be answered with is the API's own affair: a name that nothing has is no fault.
const EXCLUDED: &str = "positive_data_acceptance";

pub(crate) fn run(random: &mut Rng, extent: Extent) -> Result<Outcome> {
    let found = Command::new("schemathesis").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        return Ok(Outcome::Skipped("the program `schemathesis` is missing; `pip install schemathesis`".to_owned()));
    }
    let repository = Repository::new()?;
    repository.write("workflows/inputs.yaml", WORKFLOW)?;
    repository.write("extensions/models/broken.ts", &model("const unfinished = [;", "@drill/broken", "hello"))?;
    repository.write("extensions/models/rejected.ts", "export const model = { type: 3 };\n")?;
    repository.write("tokens", &format!("drill admin {TOKEN}\n"))?;
    repository.write("schemathesis.toml", SETTINGS)?;
    let tokens = repository.path("tokens").display().to_string();
    let serving = Serving::start(&repository, &["--token-file", &tokens])?;
    let seconds = if extent.is_quick() { 40 } else { 300 };
    let output = Command::new("schemathesis")
        .args(["run", &format!("http://{}/api/v1/openapi.json", serving.address)])
        .args(["--header", &format!("Authorization: Bearer {TOKEN}")])
        // This stream never ends.
        .args(["--exclude-path", "/api/v1/events", "--exclude-checks", EXCLUDED])
        .args(["--max-time", &format!("{seconds}"), "--request-timeout", "30", "--no-color"])
        .args(["--seed", &random.u32(..).to_string()])
        .current_dir(repository.root())
        .output()
        .context("cannot run schemathesis")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "schemathesis found something:\n{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let errors: Vec<_> = serving.log()?.into_iter().filter(|event| event["level"] == "ERROR").collect();
    if !errors.is_empty() {
        bail!("the daemon itself failed: {errors:?}");
    }
    serving.stop()?.expect(&[0])?;
    let counted = said.lines().map(str::trim).find(|line| line.contains(" generated,")).unwrap_or("nothing counted");
    Ok(Outcome::Held(format!("{counted}; no server error, no answer against the document")))
}
