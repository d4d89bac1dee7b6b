//! A repository under test, and how a survey is shown.

use std::{
    error::Error,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use mangrove_domain::{
    failure::Fault,
    fingerprint::Part,
    kind_layout::KindLayout,
    module_graph::ModuleGraph,
    observation::{DiskView, Entry, Observation, RootAccess, RootView},
    ports::{ObserveError, ObserveRequest, SourceTree},
    problem::{Code, Problem},
    source::{Kind, RelativePath, RootId, SourceId},
    survey::{Survey, SurveyStatistics},
    type_name::TypeName,
};
use mangrove_fs::walk::Bounds;
use mangrove_infra::documents::YamlDocuments;
use mangrove_sources::{
    LocalTree, TreeOptions,
    parse::InProcessParser,
    parser::{ModuleParser, ParsedModule},
};
use mangrove_testkit::fixture::Tree;

pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// Counts what it parses; dies of files called `kills-the-worker.ts`.
#[derive(Default)]
pub(crate) struct CountingParser(AtomicUsize);

impl CountingParser {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl ModuleParser for CountingParser {
    async fn parse(&self, path: &str, bytes: Arc<[u8]>) -> std::result::Result<ParsedModule, Fault> {
        self.0.fetch_add(1, Ordering::Relaxed);
        if path.ends_with("/kills-the-worker.ts") {
            let message = "the worker crashed";
            return Err(Fault::deterministic(Code::WORKER_CRASHED, "worker", message));
        }
        InProcessParser.parse(path, bytes).await
    }
}

pub(crate) fn open(
    files: &Tree,
    state_directory: PathBuf,
    environment: &[(&str, &str)],
    parser: Arc<CountingParser>,
) -> std::result::Result<LocalTree, ObserveError> {
    open_at(files.root(), state_directory, environment, parser)
}

pub(crate) fn open_at(
    repository: PathBuf,
    state_directory: PathBuf,
    environment: &[(&str, &str)],
    parser: Arc<CountingParser>,
) -> std::result::Result<LocalTree, ObserveError> {
    open_within(repository, state_directory, environment, parser, Bounds::default())
}

pub(crate) fn open_within(
    repository: PathBuf,
    state_directory: PathBuf,
    environment: &[(&str, &str)],
    parser: Arc<CountingParser>,
    walk_bounds: Bounds,
) -> std::result::Result<LocalTree, ObserveError> {
    LocalTree::new(TreeOptions {
        repository,
        state_directory,
        environment: environment.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        parser,
        documents: Arc::new(YamlDocuments),
        extensions_directory: None,
        is_read_only: false,
        walk_bounds,
    })
}

pub(crate) struct Repository {
    pub(crate) files: Tree,
    pub(crate) tree: LocalTree,
    pub(crate) parser: Arc<CountingParser>,
}

impl Repository {
    pub(crate) fn new(text: &str) -> Result<Self> {
        let files = Tree::new(text)?;
        let parser = Arc::new(CountingParser::default());
        let tree = open(&files, files.path(".mangrove"), &[], Arc::clone(&parser))?;
        Ok(Self { files, tree, parser })
    }

    /// The repository in `repo/` of a fixture that also has things beside it.
    pub(crate) fn beside(text: &str, environment: &[(&str, &str)]) -> Result<Self> {
        let files = Tree::new(text)?;
        let parser = Arc::new(CountingParser::default());
        let tree = open_at(files.path("repo"), files.path("repo/.mangrove"), environment, Arc::clone(&parser))?;
        Ok(Self { files, tree, parser })
    }

    /// What a tree that remembers nothing sees of the repository in `repo/`.
    pub(crate) async fn beside_without_memory(&self) -> Result<Survey> {
        let state = tempfile::tempdir()?;
        let tree = open_at(self.files.path("repo"), state.path().to_owned(), &[], Arc::clone(&self.parser))?;
        Ok(tree.survey(&request()).await?)
    }

    /// The repository in `repo/` in a new process, with the same state.
    pub(crate) fn restarted_beside(&self) -> Result<LocalTree> {
        self.with_environment(&[])
    }

    /// The repository in `repo/` in a new process with another environment.
    pub(crate) fn with_environment(&self, environment: &[(&str, &str)]) -> Result<LocalTree> {
        let state = self.files.path("repo/.mangrove");
        Ok(open_at(self.files.path("repo"), state, environment, Arc::clone(&self.parser))?)
    }

    /// What a new process sees.
    pub(crate) async fn restarted_disk(&self) -> Result<DiskView> {
        Ok(self.restarted()?.survey(&request()).await?.disk)
    }

    /// The same repository in a new process.
    pub(crate) fn restarted(&self) -> Result<LocalTree> {
        Ok(open(&self.files, self.files.path(".mangrove"), &[], Arc::clone(&self.parser))?)
    }

    pub(crate) async fn survey(&self) -> Result<Survey> {
        Ok(self.tree.survey(&request()).await?)
    }

    /// Surveys until nothing is racy any more: until the file system's clock has moved on.
    pub(crate) async fn warm_up(&self) -> Result<Survey> {
        let start = std::time::Instant::now();
        loop {
            let survey = self.survey().await?;
            if survey.statistics == SurveyStatistics::default() {
                return Ok(survey);
            }
            assert!(start.elapsed().as_secs() < 20, "never warm: {:?}", survey.statistics);
        }
    }

    /// What a tree that remembers nothing sees.
    pub(crate) async fn without_memory(&self) -> Result<Survey> {
        let state = tempfile::tempdir()?;
        let tree = open(&self.files, state.path().to_owned(), &[], Arc::clone(&self.parser))?;
        Ok(tree.survey(&request()).await?)
    }

    pub(crate) async fn graph(&self, path: &str) -> Result<ModuleGraph> {
        Ok(self.tree.graph(&local(path)).await?.ok_or("the entry cannot be read")?)
    }
}

fn kind(name: &str, exports: &[&str], type_key: &str) -> KindLayout {
    KindLayout {
        kind: Kind::new(name),
        directory: format!("{name}s").into(),
        export_names: exports.iter().map(|export| Arc::from(*export)).collect(),
        add_on_export_names: if name == "model" { vec!["extension".into()] } else { Vec::new() },
        type_key: type_key.into(),
        normalise: if name == "report" { TypeName::report } else { TypeName::model },
    }
}

pub(crate) fn request() -> ObserveRequest {
    let kinds = vec![
        kind("model", &["model", "extension"], "type"),
        kind("vault", &["vault"], "type"),
        kind("report", &["report"], "name"),
    ];
    ObserveRequest { kinds, ..ObserveRequest::default() }
}

/// One line per entry, helper and problem.
pub(crate) fn render(survey: &Survey) -> String {
    let mut lines = Vec::new();
    for (seen, entry) in survey.observed() {
        let claimed = seen.claimed_type.as_ref().map_or("-", TypeName::as_str);
        let outside: Vec<&str> = entry.specifiers.iter().map(String::as_str).collect();
        let state = match &seen.entry {
            Entry::Readable { .. } => String::new(),
            Entry::Unreadable(fault) => format!(" unreadable {} {}", fault.code, fault.cause.0),
        };
        let (name, version) = (&seen.extension.name, &seen.extension.version);
        let outside = outside.join(" ");
        lines.push(format!("{} {} {claimed} {name}@{version} [{outside}]{state}", seen.kind, seen.source));
    }
    lines.extend(survey.disk.helpers.iter().map(|helper| format!("helper {helper}")));
    lines.extend(survey.disk.problems.iter().map(|problem| format!("{} {}", problem.code, problem.subject)));
    lines.join("\n")
}

pub(crate) fn observation<'a>(survey: &'a Survey, path: &str) -> &'a Observation {
    let found = survey.disk.observations.iter().find(|seen| seen.source.path.as_str() == path);
    found.unwrap_or_else(|| panic!("no entry {path} in\n{}", render(survey)))
}

pub(crate) fn claimed(survey: &Survey, path: &str) -> Option<String> {
    observation(survey, path).claimed_type.as_ref().map(ToString::to_string)
}

/// One line per root: where it comes from, and what is not as it should be.
pub(crate) fn roots(survey: &Survey) -> String {
    let line = |(id, view): (&RootId, &RootView)| {
        let access = match &view.access {
            RootAccess::Reachable => String::new(),
            RootAccess::Unreachable(fault) => format!(" unreachable {}: {}", fault.code, fault.message),
        };
        let incomplete: Vec<String> = view.incomplete.iter().map(|path| format!(" incomplete {path:?}")).collect();
        format!("{} {id}{access}{}", view.origin.as_str(), incomplete.concat())
    };
    let faults = [("lockfile", &survey.disk.lockfile_fault), ("mounts", &survey.disk.mounts_fault)];
    let faults = faults.into_iter().filter_map(|(name, fault)| Some(format!("{name} {}", fault.as_ref()?)));
    survey.disk.roots.iter().map(line).chain(faults).collect::<Vec<_>>().join("\n")
}

/// Every problem with its place.
pub(crate) fn problems(survey: &Survey) -> String {
    let line = |problem: &Problem| {
        let place = problem.position.as_ref().map_or_else(|| problem.subject.clone(), ToString::to_string);
        format!("{} {place}: {}", problem.code, problem.message)
    };
    survey.disk.problems.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The source and the config part of an entry.
pub(crate) fn parts<'a>(survey: &'a Survey, path: &str) -> (&'a Part, &'a Part) {
    match &observation(survey, path).entry {
        Entry::Readable { inputs, .. } => (&inputs.source, &inputs.config),
        Entry::Unreadable(fault) => panic!("{path}: {fault}"),
    }
}

/// The lines of a source part; digests are left out.
pub(crate) fn sources(survey: &Survey, path: &str) -> Vec<String> {
    let lines = parts(survey, path).0.lines().expect("our own part");
    let show = |line: mangrove_domain::fingerprint::Line| match line.value.len() {
        64 => line.key,
        _ => format!("{} {}", line.key, line.value),
    };
    lines.into_iter().map(show).collect()
}

/// The lines of a config part.
pub(crate) fn settings(survey: &Survey, path: &str) -> Vec<String> {
    let lines = parts(survey, path).1.lines().expect("our own part");
    lines.into_iter().map(|line| format!("{} = {}", line.key, line.value)).collect()
}

pub(crate) fn specifiers(survey: &Survey, path: &str) -> Vec<String> {
    let entry = survey.observed().find(|(seen, _)| seen.source.path.as_str() == path);
    entry.map(|(_, entry)| entry.specifiers.iter().cloned().collect()).unwrap_or_default()
}

pub(crate) fn local(path: &str) -> SourceId {
    SourceId { root: RootId::local(), path: RelativePath::parse(path).expect("a path") }
}

/// Two models of which one has helpers, and a helper among the models.
pub(crate) const SMALL: &str = r#"
//- /.swamp.yaml
repoId: small
//- /extensions/models/aws/s3.ts
import { helper } from "../_lib/helper.ts";
import { z } from "npm:zod@4";
export const model = { type: "@acme/s3", methods: {} };
//- /extensions/models/dns.ts
export const model = { type: "@acme/dns" };
//- /extensions/models/util.ts
export const answer = 42;
//- /extensions/models/_lib/helper.ts
import data from "./data.json" with { type: "json" };
export const helper = data;
//- /extensions/models/_lib/data.json
{ "a": 1 }
"#;
