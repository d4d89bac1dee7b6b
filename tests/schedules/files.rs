//! Schedules as the files of a repository have them.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use mangrove_app::workflow::{Files, Library, LibrarySchedules, library::Layout};
use mangrove_daemon::schedule::{Schedule, Scheduler, SchedulerChange};
use mangrove_domain::{
    glob::Glob,
    ports::FilesError,
    problem::{Code, Problem, Severity},
    source::{Origin, RelativePath, RootId, SourceId},
    time::Timestamp,
    workflow::{Misfire, Overlap, WorkflowFile, WorkflowFiles},
};
use mangrove_fs::files::DiskFiles;
use mangrove_infra::{calendar::CronCalendar, documents::YamlDocuments};
use mangrove_testkit::{fixture::Tree, instant::instant};

use crate::scheduler;

const JOBS: &str =
    "jobs: [{name: j, steps: [{name: s, task: {type: model_method, modelIdOrName: m, methodName: run}}]}]";

fn workflow(number: u32, trigger: &str) -> String {
    format!("id: 00000000-0000-4000-8000-{number:012}\nname: w{number}\ntrigger: {trigger}\n{JOBS}\n")
}

async fn read(tree: &Tree, external: WorkflowFiles) -> Result<LibrarySchedules, FilesError> {
    read_allowing(tree, external, &[]).await
}

async fn read_allowing(tree: &Tree, external: WorkflowFiles, allowed: &[&str]) -> Result<LibrarySchedules, FilesError> {
    let files = DiskFiles::new(tree.root());
    let library =
        Library::load(Files { files: &files, documents: &YamlDocuments }, &Layout::default(), external).await?;
    let calendar = CronCalendar::new("Europe/Berlin").expect("a zone");
    let allowed = allowed.iter().map(|name| (*name).to_owned()).collect();
    Ok(LibrarySchedules::of(&library, &calendar, &allowed))
}

fn now() -> Timestamp {
    instant("2026-11-28T10:00:00Z")
}

#[tokio::test]
async fn a_file_says_when_and_how() {
    let tree = Tree::new("").expect("a directory");
    let trigger =
        "{schedule: '0 3 * * *', timezone: Asia/Tokyo, overlap: queue, misfire: run-once, jitter: 90s, inputs: {a: 1}}";
    tree.write("workflows/one.yaml", workflow(1, trigger)).expect("written");
    tree.write("workflows/two.yaml", workflow(2, "{schedule: '@daily'}")).expect("written");
    tree.write("workflows/three.yaml", workflow(3, "{inputs: {}}")).expect("written");
    let found = read(&tree, WorkflowFiles::default()).await.expect("a directory");
    let [one, two] = &found.scheduled.iter().map(Schedule::from).collect::<Vec<_>>()[..] else { panic!("two") };
    assert_eq!((&*one.name, &*one.file, one.origin), ("w1", "workflows/one.yaml", Origin::Local));
    assert_eq!((one.overlap, one.misfire, one.jitter), (Overlap::Queue, Misfire::RunOnce, Duration::from_secs(90)));
    assert_eq!((one.recurrence.zone(), &*one.pattern), ("Asia/Tokyo", "0 3 * * *"));
    assert_eq!((two.overlap, two.misfire, two.jitter), (Overlap::Skip, Misfire::Skip, Duration::ZERO));
    assert_eq!(two.recurrence.zone(), "Europe/Berlin");
    assert!(found.broken.is_empty(), "{:?}", found.broken);
}

#[tokio::test]
async fn fault_48_whatever_breaks_a_file_its_schedule_goes_on() {
    let good = workflow(1, "{schedule: '@hourly'}");
    let broken = [
        ("no YAML", "workflows/w.yaml", "{".to_owned()),
        ("no workflow", "workflows/w.yaml", "name: w1\n".to_owned()),
        ("a wrong pattern", "workflows/w.yaml", workflow(1, "{schedule: '61 * * * *'}")),
        ("a wrong zone", "workflows/w.yaml", workflow(1, "{schedule: '@hourly', timezone: Mars}")),
        ("an unknown word", "workflows/w.yaml", workflow(1, "{schedule: '@hourly', overlap: later}")),
        (
            "an input that is missing",
            "workflows/w.yaml",
            format!("inputs: {{properties: {{a: {{type: string}}}}, required: [a]}}\n{good}"),
        ),
        ("a second file of its name", "workflows/copy.yaml", good.clone()),
    ];
    for (what, file, text) in broken {
        let tree = Tree::new("").expect("a directory");
        tree.write("workflows/w.yaml", &good).expect("written");
        let mut scheduler = scheduler();
        let last = HashMap::new();
        let change = async |scheduler: &mut Scheduler| {
            let found = read(&tree, WorkflowFiles::default()).await.expect("a directory");
            scheduler.read(&found, &last, now())
        };
        assert_eq!(change(&mut scheduler).await, [SchedulerChange::Added("w1".to_owned())]);
        tree.write(file, &text).expect("written");
        let changes = change(&mut scheduler).await;
        assert!(matches!(&changes[..], [SchedulerChange::Kept { name, .. }] if name == "w1"), "{what}: {changes:?}");
        let view = scheduler.view(now());
        assert_eq!(view.schedules[0].next, Some(instant("2026-11-28T11:00:00Z")), "{what}");
        let problem = view.schedules[0].problem.as_ref().map(|problem| problem.message.as_str());
        assert!(problem.is_some_and(|message| !message.is_empty()), "{what}: it says so");
        if file == "workflows/w.yaml" {
            tree.write(file, &good).expect("written");
        } else {
            tree.remove(file).expect("removed");
        }
        assert_eq!(change(&mut scheduler).await, [], "{what}: mended");
        assert_eq!(scheduler.view(now()).schedules[0].problem, None, "{what}");
        tree.write("workflows/w.yaml", workflow(1, "{}")).expect("written");
        assert_eq!(change(&mut scheduler).await, [SchedulerChange::Removed("w1".to_owned())], "the author took it out");
    }
}

#[tokio::test]
async fn fault_20_a_root_that_cannot_be_looked_into_takes_no_schedule_away() {
    let tree = Tree::new("").expect("a directory");
    let source =
        SourceId { root: RootId::mount("shared"), path: RelativePath::parse("workflows/w.yaml").expect("a path") };
    let text = workflow(1, "{schedule: '@hourly'}");
    let file = WorkflowFile { source: source.clone(), origin: Origin::Mounted, text };
    let with = |files, problems| WorkflowFiles { files, problems, ..WorkflowFiles::default() };
    let unreachable = Problem::new(Severity::Warning, Code::ROOT_UNREACHABLE, source.root.to_string(), "not mounted");
    let mut scheduler = scheduler();
    let mut changes = Vec::new();
    for external in [
        with(vec![file.clone()], vec![]),
        with(vec![], vec![unreachable]),
        with(vec![file], vec![]),
        with(vec![], vec![]),
    ] {
        let found = read(&tree, external).await.expect("a directory");
        changes.push(scheduler.read(&found, &HashMap::new(), now()));
    }
    assert!(matches!(&changes[1][..], [SchedulerChange::Kept { .. }]), "{changes:?}");
    assert_eq!(changes[2], []);
    assert_eq!(changes[3], [SchedulerChange::Removed("w1".to_owned())], "the root is there and the file is not");
}

#[tokio::test]
async fn what_was_taken_away_on_purpose_ends_although_other_roots_cannot_be_looked_into() {
    let tree = Tree::new("").expect("a directory");
    let id = RootId::mount("../exts/shared");
    let path = RelativePath::parse("workflows/w.yaml").expect("a path");
    let text = workflow(1, "{schedule: '@hourly'}");
    let files = vec![WorkflowFile { source: SourceId { root: id.clone(), path }, origin: Origin::Mounted, text }];
    let there = WorkflowFiles { files, roots: BTreeSet::from([id.clone()]), ..WorkflowFiles::default() };
    let about = |subject: &str| vec![Problem::new(Severity::Warning, Code::ROOT_UNREACHABLE, subject, "not there")];
    let gone = |subject: &str| WorkflowFiles { problems: about(subject), ..WorkflowFiles::default() };
    let pattern = Glob::parse("../exts/*").expect("a pattern");
    let awaited = WorkflowFiles { mount_patterns: vec![pattern.clone()], ..WorkflowFiles::default() };
    let emptied = WorkflowFiles { roots: there.roots.clone(), mount_patterns: vec![pattern], ..gone("mount:other") };
    for (what, external, is_kept) in [
        ("another mount", gone("mount:other"), false),
        ("one whose name begins the same", gone("mount:../exts/share"), false),
        ("what was pulled", gone("pulled:@acme/tools"), false),
        ("the lockfile", gone("upstream_extensions.json"), false),
        ("the list of mounts", gone(".swamp-sources.yaml"), true),
        ("its own root", gone(id.as_str()), true),
        (
            "a manifest in its root",
            WorkflowFiles { roots: there.roots.clone(), ..gone("mount:../exts/shared/manifest.yaml") },
            true,
        ),
        ("a pattern that covers it", awaited, true),
        ("its root is there, and its file is not", emptied, false),
    ] {
        let mut scheduler = scheduler();
        let found = read(&tree, there.clone()).await.expect("a directory");
        scheduler.read(&found, &HashMap::new(), now());
        let found = read(&tree, external).await.expect("a directory");
        let changes = scheduler.read(&found, &HashMap::new(), now());
        assert_eq!(matches!(&changes[..], [SchedulerChange::Kept { .. }]), is_kept, "{what}: {changes:?}");
        assert_eq!(changes == [SchedulerChange::Removed("w1".to_owned())], !is_kept, "{what}: {changes:?}");
    }
}

#[tokio::test]
async fn the_schedule_of_a_pulled_extension_is_in_force_only_if_it_is_allowed_by_name() {
    let tree = Tree::new("").expect("a directory");
    let path = RelativePath::parse("workflows/w.yaml").expect("a path");
    let root = RootId::new("pulled:@acme/tools");
    let text = workflow(1, "{schedule: '@hourly'}");
    let file = WorkflowFile { source: SourceId { root, path }, origin: Origin::Pulled, text };
    let with = || WorkflowFiles { files: vec![file.clone()], ..WorkflowFiles::default() };
    let found = read(&tree, with()).await.expect("a directory");
    assert!(found.scheduled.is_empty() && found.broken.is_empty());
    assert_eq!(found.not_enabled.len(), 1);
    assert!(found.is_not_enabled(&found.not_enabled[0].workflow));
    let found = read_allowing(&tree, with(), &["w1"]).await.expect("a directory");
    assert_eq!((found.scheduled.len(), found.not_enabled.len()), (1, 0));
    let mut scheduler = scheduler();
    scheduler.read(&found, &HashMap::new(), now());
    let found = read(&tree, with()).await.expect("a directory");
    assert_eq!(scheduler.read(&found, &HashMap::new(), now()), [SchedulerChange::Removed("w1".to_owned())]);
}
