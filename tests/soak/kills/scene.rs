//! A repository whose processes are killed, and what has to be true of it afterwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use mangrove_testkit::corpus::{Corpus, Expected, library_path};
use serde_json::Value;

use super::victims::Kill;
use crate::{
    Extent,
    engine::{Database, Engine},
    processes,
    repository::{Repository, model},
};

const CORPUS: Corpus = Corpus { entries: 24, services: 6, broken: 2, invalid: 2 };
/// Longer than the lease of a process over PostgreSQL.
const LEASES_END_WITHIN: Duration = Duration::from_mins(1);
/// Kept where the catalog is lost: the history of runs, what methods wrote, and what processes left over that were killed.
const NO_CATALOG: [&str; 4] = ["runs.db", "data", "locks", "tmp"];

pub(super) struct Scene {
    pub(super) repository: Repository,
    database: Option<Database>,
    expected: Vec<Expected>,
    /// What the doctor finds of a repository in which nothing was killed.
    found: Vec<String>,
    /// Runs that somebody was told of.
    told: BTreeSet<String>,
    edits: usize,
}

impl Scene {
    pub(super) fn new(engine: Engine) -> Result<Self> {
        let (mut repository, expected) = Repository::generated(CORPUS)?;
        repository.set_environment("TMPDIR", repository.make("temporary")?);
        repository.write("extensions/models/worker.ts", &worker())?;
        repository.write("models/@drill/worker/7f9c24e5-2f64-4c1e-8f0b-9c8b7d6e5a42.yaml", WORKER)?;
        repository.write("workflows/work.yaml", &workflow("42", "work", ""))?;
        repository.write("workflows/shell.yaml", SHELL)?;
        for number in 0..2 {
            let trigger = "trigger: { schedule: '* * * * * *' }\n";
            let text = workflow(&format!("5{number}"), &format!("tick-{number}"), trigger);
            repository.write(&format!("workflows/tick-{number}.yaml"), &text)?;
        }
        let database = engine.set_up(&mut repository);
        repository.check(&expected)?;
        let found = found(&repository)?;
        Ok(Self { repository, database, expected, found, told: BTreeSet::new(), edits: 0 })
    }

    /// Takes away all that was built, and what is known of it.
    pub(super) fn lose_catalog(&self) -> Result<()> {
        for directory in [".mangrove/bundles", ".mangrove"] {
            for entry in fs::read_dir(self.repository.path(directory)).into_iter().flatten() {
                let entry = entry?;
                let (name, path) = (entry.file_name(), entry.path());
                if name == "bundles" || NO_CATALOG.iter().any(|kept| name.to_string_lossy().starts_with(kept)) {
                    continue;
                }
                if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }?;
            }
        }
        if let Some(database) = &self.database {
            database.sql("DROP SCHEMA IF EXISTS mangrove_catalog CASCADE");
        }
        Ok(())
    }

    /// Changes what every source of the corpus imports.
    pub(super) fn edit_all(&mut self) -> Result<()> {
        self.edits += 1;
        for service in 0..CORPUS.services {
            let path = library_path(&format!("s{service:03}"));
            let text = fs::read_to_string(self.repository.path(&path))?;
            let text = text.split("// edit").next().unwrap_or_default();
            self.repository.write(&path, &format!("{text}// edit\nexport const edit{0} = {0};\n", self.edits))?;
        }
        Ok(())
    }

    /// Remembers the run of a document that somebody has read.
    pub(super) fn tell(&mut self, document: &Value) {
        if let Some(id) = document["runId"].as_str() {
            self.told.insert(id.to_owned());
        }
    }

    /// What holds at once after each kill.
    pub(super) fn check(&self, kill: &Kill) -> Result<()> {
        processes::wait_until_gone(&kill.workers)?;
        if let Some(database) = &self.database {
            database.is_left_alone()?;
        }
        let open = self.open_runs()?;
        ensure!(self.database.is_some() || open.is_empty(), "told as going on: {open:?}");
        self.repository.check(&self.expected)?;
        let found = found(&self.repository)?;
        ensure!(found == self.found, "the doctor finds {found:?}, and before {:?}", self.found);
        Ok(())
    }

    /// The told runs that go on as far as is known; each of the others has ended.
    fn open_runs(&self) -> Result<Vec<String>> {
        let statuses = statuses(&self.repository)?;
        let lost: Vec<&String> = self.told.iter().filter(|id| !statuses.contains_key(*id)).collect();
        ensure!(lost.is_empty(), "{} runs were told of and are not on record: {lost:?}", lost.len());
        let is_open = |id: &&String| matches!(statuses[*id].as_str(), "running" | "pending");
        Ok(self.told.iter().filter(is_open).cloned().collect())
    }

    /// Waits until all runs have ended, but in the short form, and says how.
    pub(super) fn account(&self, extent: Extent) -> Result<String> {
        let start = Instant::now();
        loop {
            let open = self.open_runs()?;
            if open.is_empty() || extent.is_quick() {
                break;
            }
            ensure!(start.elapsed() < LEASES_END_WITHIN, "these runs never end: {open:?}");
            std::thread::sleep(Duration::from_secs(1));
        }
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for status in statuses(&self.repository)?.into_values() {
            *counts.entry(status).or_default() += 1;
        }
        let counts: Vec<String> = counts.into_iter().map(|(status, count)| format!("{count} {status}")).collect();
        Ok(format!("{} runs told of, 0 lost; on record {}", self.told.len(), counts.join(", ")))
    }
}

fn statuses(repository: &Repository) -> Result<BTreeMap<String, String>> {
    let listed = repository.run(&["run", "list", "--limit", "100000", "--json"])?.document()?;
    let runs = listed["runs"].as_array().context("no list of runs")?;
    let text = |run: &Value, key: &str| run[key].as_str().map(str::to_owned);
    Ok(runs.iter().filter_map(|run| Some((text(run, "runId")?, text(run, "status")?))).collect())
}

/// What the doctor finds: problems by code and place, and what is wrong with bundles.
fn found(repository: &Repository) -> Result<Vec<String>> {
    let ended = repository.run(&["doctor", "--json"])?.expect(&[0, 1])?;
    let report: Value = serde_json::from_str(&ended.stdout).with_context(|| ended.to_string())?;
    let problems = report["problems"].as_array().with_context(|| ended.to_string())?;
    let mut found: Vec<String> =
        problems.iter().map(|problem| format!("{} {}", problem["code"], problem["path"])).collect();
    found.sort();
    found.push(format!("{} damaged objects", report["store"]["damagedObjects"]));
    found.push(format!("{} pending", report["pendingSources"]));
    Ok(found)
}

const WORKER: &str = "id: 7f9c24e5-2f64-4c1e-8f0b-9c8b7d6e5a42\nname: worker\nversion: 1\nmethods: {}\n";

/// Its shell waits for a process of its own.
const SHELL: &str = "id: 5b1f0a3e-2f64-4c1e-8f0b-9c8b7d6e5a43
name: shell
jobs:
  - name: only
    steps:
      - name: wait
        task: { type: model_method, modelType: command/shell, modelName: shell, methodName: execute, inputs: { run: 'sleep 600; true' } }
";

/// A model whose method takes a while.
fn worker() -> String {
    let pause = "await new Promise((go) => setTimeout(go, 40)); context.logger.info";
    model("", "@drill/worker", "hello").replace("context.logger.info", pause)
}

/// One of three steps, one after the other.
fn workflow(id: &str, name: &str, trigger: &str) -> String {
    let step = |number: u8| {
        let after = if number == 1 { String::new() } else { format!("        dependsOn: [step{}]\n", number - 1) };
        format!(
            "      - name: step{number}\n{after}        \
             task: {{ type: model_method, modelIdOrName: worker, methodName: greet, inputs: {{ name: x }} }}\n"
        )
    };
    format!(
        "id: 5b1f0a3e-2f64-4c1e-8f0b-9c8b7d6e5a{id}\nname: {name}\n{trigger}jobs:\n  - name: only\n    steps:\n{}{}{}",
        step(1),
        step(2),
        step(3),
    )
}
