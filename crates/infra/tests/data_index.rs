//! Searches with an index give what searches without one give, whatever is done to the files.

#![cfg(unix)]

use std::{
    fs,
    io::Write as _,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use mangrove_domain::{
    data::DataHandle,
    json::Json,
    ports::{DataField, DataSearch, DataStore as _, FoundData, NewData},
    time::Timestamp,
};
use mangrove_infra::{data::LocalData, documents::YamlDocuments, sqlite::OpenMode};
use mangrove_testkit::contract::data_store::{new_data, of_step};
use proptest::prelude::*;
use tempfile::TempDir;

/// Longer than names of directories are, so that its directory says nothing of it.
const LONG: usize = 300;

/// A repository with data of this program and of another one.
struct Repository {
    directory: TempDir,
    moment: i64,
}

impl Repository {
    fn new() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        fs::create_dir_all(directory.path().join(".mangrove")).expect("a directory");
        Self { directory, moment: 0 }
    }

    fn state(&self) -> PathBuf {
        self.directory.path().join(".mangrove")
    }

    fn plain(&self) -> LocalData {
        let existing = self.directory.path().join(".swamp/data");
        LocalData::new(self.state().join("data")).with_existing(existing, Arc::new(YamlDocuments))
    }

    fn indexed(&self) -> LocalData {
        self.plain().with_index(self.state(), OpenMode::ReadWrite, 0)
    }

    /// For a process that changes nothing.
    fn read_only(&self) -> LocalData {
        self.plain().with_index(self.state(), OpenMode::ReadOnly, 0)
    }

    fn index(&self) -> PathBuf {
        self.state().join("data-index.db")
    }

    fn tick(&mut self) -> i64 {
        self.moment += 1;
        self.moment
    }
}

/// Something that is done to the files.
#[derive(Clone, Debug)]
enum Change {
    Write {
        model: usize,
        name: usize,
        step: usize,
        is_deleted: bool,
    },
    Delete {
        model: usize,
        name: usize,
        version: Option<u32>,
    },
    /// Another program writes.
    Foreign {
        model: usize,
        name: usize,
        version: u32,
        step: usize,
        more: usize,
    },
    /// Another program says which version is the latest: as a file, or as a link.
    Latest {
        model: usize,
        name: usize,
        version: u32,
        is_link: bool,
    },
    /// A version of another program is removed by hand.
    RemoveForeign {
        model: usize,
        name: usize,
        version: u32,
    },
    /// A directory of ours is removed by hand: of a version, an item or a model.
    RemoveOurs {
        model: usize,
        name: usize,
        version: Option<u32>,
        is_model: bool,
    },
    /// The metadata of a version is written over, in the same file or by one that takes its place; the time is set back.
    Edit {
        model: usize,
        name: usize,
        version: u32,
        in_place: bool,
    },
    /// A writer that dies, or has not finished.
    Claim {
        model: usize,
        name: usize,
        version: u32,
    },
    /// A directory is copied under the name of another item.
    Copy {
        model: usize,
        from: usize,
        to: usize,
    },
    /// The directory of a model of the other program goes to another type.
    Move {
        model: usize,
    },
    /// An item of the first layout.
    First {
        model: usize,
        name: usize,
        spec: usize,
        version: u32,
    },
    /// The directory of an item becomes a link to where it was moved.
    Link {
        model: usize,
        name: usize,
    },
    /// The index is removed.
    Forget,
    /// A pause in which stamps become trustworthy.
    Wait,
}

fn model_id(model: usize) -> String {
    ["m", "größe/1", &"m".repeat(LONG)][model].to_owned()
}

fn item_name(name: usize) -> String {
    ["a", "b c", &"n".repeat(LONG)][name].to_owned()
}

fn ours(repository: &Repository, model: usize, name: usize) -> PathBuf {
    // The store knows where it would write.
    let path = repository.plain().content_path(&model_id(model), &item_name(name), 4_000_000);
    path.parent().and_then(Path::parent).expect("the directory of an item").to_owned()
}

fn foreign(repository: &Repository, model: usize, name: usize) -> PathBuf {
    let models = repository.directory.path().join(".swamp/data");
    let moved = models.join("moved").join(format!("f{model}"));
    let model = if moved.exists() { moved } else { models.join("t/u").join(format!("f{model}")) };
    model.join(["a", "b c", "d"][name])
}

fn metadata(name: usize, version: u32, step: usize, more: usize, moment: i64) -> String {
    let name = ["a", "b c", "d"][name];
    let more = ["", "size: 3\n", "lifecycle: deleted\n", "renamedTo: a\n"][more];
    format!(
        "name: {name}\nid: x{version}\nversion: {version}\ncontentType: application/json\ntags:\n  type: resource\n  specName: host\n  \
         modelName: scan\n  env: e{step}\nownerDefinition:\n  ownerType: workflow-step\n  ownerRef: r\n  stepName: s{step}\n  \
         workflowRunId: run-{step}\ncreatedAt: 2026-08-01T10:{:02}:00Z\n{more}",
        moment % 60
    )
}

/// The latest versions of this directory of versions, of either form.
fn metadata_of(item: &Path, version: u32) -> Option<PathBuf> {
    let version = item.join(version.to_string());
    ["metadata.json", "metadata.yaml"].map(|name| version.join(name)).into_iter().find(|path| path.exists())
}

async fn apply(repository: &mut Repository, store: &LocalData, change: &Change) {
    let moment = repository.tick();
    by_hand(repository, change, moment);
    by_others(repository, change, moment);
    match *change {
        Change::Write { model, name, step, is_deleted } => {
            let content = Json::object([("n", Json::from(moment))]);
            let mut data = new_data(&model_id(model), ["state", "log"][step % 2], &item_name(name), &content);
            data.written_at = Timestamp::from_millis(moment);
            data.is_deleted = is_deleted;
            data.tags = vec![
                ("modelName".to_owned(), "scan".to_owned()),
                ("env".to_owned(), format!("e{step}")),
                ("env".to_owned(), format!("e{}", (step + 1) % 3)),
                ("a\"b".to_owned(), "x".to_owned()),
            ];
            let data = if step == 0 { data } else { of_step(&format!("s{step}"), data) };
            let _ = store.write(NewData { run_id: format!("run-{step}"), ..data }).await;
        }
        Change::Delete { model, name, version } => {
            let _ = store.delete(&model_id(model), &item_name(name), version).await;
            let _ = store.delete(&format!("f{model}"), ["a", "b c", "d"][name], version).await;
        }
        Change::Forget => {
            for suffix in ["", "-wal", "-shm"] {
                let _ = fs::remove_file(format!("{}{suffix}", repository.index().display()));
            }
        }
        Change::Wait => std::thread::sleep(Duration::from_millis(45)),
        _ => {}
    }
}

/// What another program does.
fn by_others(repository: &Repository, change: &Change, moment: i64) {
    match *change {
        Change::Foreign { model, name, version, step, more } => {
            let version_directory = foreign(repository, model, name).join(version.to_string());
            fs::create_dir_all(&version_directory).expect("a directory");
            fs::write(version_directory.join("raw"), format!("{{\"n\":{moment}}}")).expect("written");
            let text = metadata(name, version, step, more, moment);
            fs::write(version_directory.join("metadata.yaml"), text).expect("written");
        }
        Change::Latest { model, name, version, is_link } => {
            let item = foreign(repository, model, name);
            let latest = item.join("latest");
            let is_there_as_file = latest.is_file() && !latest.is_symlink();
            if is_link || !is_there_as_file {
                let _ = fs::remove_file(&latest);
            }
            if item.is_dir() && is_link {
                let _ = symlink(version.to_string(), &latest);
            } else if item.is_dir() {
                fs::write(&latest, version.to_string()).expect("written");
            }
        }
        Change::RemoveForeign { model, name, version } => {
            let _ = fs::remove_dir_all(foreign(repository, model, name).join(version.to_string()));
        }
        Change::Move { model } => {
            let models = repository.directory.path().join(".swamp/data");
            let (from, to) = (models.join(format!("t/u/f{model}")), models.join(format!("moved/f{model}")));
            fs::create_dir_all(models.join("moved")).expect("a directory");
            let _ = if to.exists() { fs::rename(&to, &from) } else { fs::rename(&from, &to) };
        }
        _ => {}
    }
}

/// What somebody does to our own files.
fn by_hand(repository: &Repository, change: &Change, moment: i64) {
    match *change {
        Change::RemoveOurs { model, name, version, is_model } => {
            let item = ours(repository, model, name);
            let _ = match (version, is_model) {
                (_, true) => fs::remove_dir_all(item.parent().expect("a model")),
                (Some(version), false) => fs::remove_dir_all(item.join(version.to_string())),
                (None, false) => fs::remove_dir_all(&item),
            };
        }
        Change::Edit { model, name, version, in_place } => {
            for item in [ours(repository, model, name), foreign(repository, model, name)] {
                let Some(path) = metadata_of(&item, version) else { continue };
                let Ok(before) = fs::symlink_metadata(&path).and_then(|metadata| metadata.modified()) else { continue };
                let text = fs::read_to_string(&path).expect("metadata");
                let text = text.replace("e1", "e9").replace("e2", "e1").replace("e9", "e2");
                if !in_place {
                    fs::remove_file(&path).expect("removed");
                }
                let mut file = fs::File::options().write(true).create(true).truncate(true).open(&path).expect("opens");
                file.write_all(text.as_bytes()).expect("written");
                file.set_modified(before).expect("set back");
            }
        }
        Change::Claim { model, name, version } => {
            let directory = ours(repository, model, name).join(version.to_string());
            if fs::create_dir_all(&directory).is_ok() && !directory.join("raw").exists() {
                let _ = fs::write(directory.join("raw"), "{}");
            }
        }
        Change::Copy { model, from, to } => {
            let (from, to) = (ours(repository, model, from), ours(repository, model, to));
            if from.is_dir() && !to.exists() {
                copy(&from, &to);
            }
        }
        Change::First { model, name, spec, version } => {
            let model_directory = ours(repository, model, name).parent().expect("a model").to_owned();
            // Only texts that are their own file names.
            let item = model_directory.join(["sa", "sb"][spec]).join("a");
            if model == 0 && fs::create_dir_all(&item).is_ok() {
                let text = format!(
                    r#"{{"dataId":"d","modelId":"m","specName":"{spec}","name":"a","kind":"resource","version":{version},"sizeBytes":1,"tags":[["env","e1"]],"runId":"r","writtenAt":{moment}}}"#
                );
                fs::write(item.join(format!("{version}.meta.json")), text).expect("written");
                fs::write(item.join(format!("{version}.json")), "{}").expect("written");
            }
        }
        Change::Link { model, name } => {
            let item = ours(repository, model, name);
            let elsewhere = repository.directory.path().join(format!("elsewhere-{moment}"));
            if item.is_symlink() {
                let target = fs::read_link(&item).expect("a link");
                fs::remove_file(&item).expect("removed");
                fs::rename(target, &item).expect("moved back");
            } else if item.is_dir() {
                fs::rename(&item, &elsewhere).expect("moved");
                symlink(&elsewhere, &item).expect("a link");
            }
        }
        _ => {}
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a listing").map(|entry| entry.expect("an entry").path()) {
        let target = to.join(entry.file_name().expect("a name"));
        if entry.is_dir() {
            copy(&entry, &target);
        } else {
            fs::copy(&entry, &target).expect("copied");
        }
    }
}

fn searches() -> Vec<DataSearch> {
    let field =
        |field: DataField, value: &str| DataSearch { equal: vec![(field, value.to_owned())], ..DataSearch::default() };
    let every = |search: DataSearch| DataSearch { wants_every_version: true, wants_content: true, ..search };
    let tag = |name: &str, value: &str| field(DataField::Tag(name.to_owned()), value);
    vec![
        DataSearch::default(),
        every(DataSearch::default()),
        field(DataField::ModelName, "scan"),
        every(field(DataField::ModelId, &model_id(0))),
        field(DataField::ModelId, "f1"),
        field(DataField::Name, &item_name(0)),
        every(field(DataField::SpecName, "host")),
        field(DataField::Step, "s1"),
        field(DataField::Step, ""),
        field(DataField::WorkflowRun, "run-1"),
        every(tag("env", "e1")),
        tag("env", ""),
        tag("a\"b", "x"),
    ]
}

/// Directories that were copied hold versions of one name and number: their order is nobody's.
fn sorted(mut found: Vec<FoundData>) -> Vec<FoundData> {
    found.sort_by_cached_key(|found| {
        let DataHandle { model_id, name, version, .. } = &found.handle;
        (model_id.clone(), name.clone(), *version, format!("{found:?}"))
    });
    found
}

fn listed_sorted(mut handles: Vec<DataHandle>) -> Vec<DataHandle> {
    assert!(handles.is_sorted_by_key(|handle| (handle.spec_name.clone(), handle.name.clone())));
    handles.sort_by_cached_key(|handle| (handle.spec_name.clone(), handle.name.clone(), format!("{handle:?}")));
    handles
}

/// What a store says to everything, where it says anything.
async fn answers(store: &LocalData) -> (Vec<Option<Vec<FoundData>>>, Vec<Option<Vec<DataHandle>>>) {
    let mut found = Vec::new();
    for search in searches() {
        found.push(store.find(&search).await.ok().map(sorted));
    }
    let mut listed = Vec::new();
    for model in [model_id(0), model_id(1), model_id(2), "f0".to_owned(), "f1".to_owned(), "none".to_owned()] {
        listed.push(store.list(&model).await.ok().map(listed_sorted));
    }
    (found, listed)
}

/// One of three, most often the first: changes that hit nothing prove nothing.
fn mostly_first() -> impl Strategy<Value = usize> + Clone {
    prop_oneof![8 => Just(0_usize), 1 => Just(1_usize), 1 => Just(2_usize)]
}

fn change() -> impl Strategy<Value = Change> {
    let (model, name, version) =
        (mostly_first(), mostly_first(), prop_oneof![3 => Just(1_u32), 2 => Just(2), 1 => Just(3)]);
    let item = (model, name);
    prop_oneof![
        6 => (item.clone(), 0..3_usize, prop::bool::weighted(0.1))
            .prop_map(|((model, name), step, is_deleted)| Change::Write { model, name, step, is_deleted }),
        2 => (item.clone(), prop::option::of(version.clone()))
            .prop_map(|((model, name), version)| Change::Delete { model, name, version }),
        6 => (item.clone(), version.clone(), 0..3_usize, 0..4_usize)
            .prop_map(|((model, name), version, step, more)| Change::Foreign { model, name, version, step, more }),
        3 => (item.clone(), version.clone(), any::<bool>())
            .prop_map(|((model, name), version, is_link)| Change::Latest { model, name, version, is_link }),
        2 => (item.clone(), version.clone())
            .prop_map(|((model, name), version)| Change::RemoveForeign { model, name, version }),
        2 => (item.clone(), prop::option::of(version.clone()), prop::bool::weighted(0.2))
            .prop_map(|((model, name), version, is_model)| Change::RemoveOurs { model, name, version, is_model }),
        4 => (item.clone(), version.clone(), any::<bool>())
            .prop_map(|((model, name), version, in_place)| Change::Edit { model, name, version, in_place }),
        1 => (item.clone(), version.clone())
            .prop_map(|((model, name), version)| Change::Claim { model, name, version }),
        1 => (mostly_first(), mostly_first(), 0..3_usize)
            .prop_map(|(model, from, to)| Change::Copy { model, from, to }),
        1 => mostly_first().prop_map(|model| Change::Move { model }),
        1 => (item.clone(), 0..2_usize, version)
            .prop_map(|((model, name), spec, version)| Change::First { model, name, spec, version }),
        1 => item.prop_map(|(model, name)| Change::Link { model, name }),
        1 => Just(Change::Forget),
        2 => Just(Change::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Two processes have the index open; what each says after any change is what the files say.
    #[test]
    fn the_index_says_what_the_files_say(changes in prop::collection::vec(change(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut repository = Repository::new();
            let (plain, processes) = (repository.plain(), [repository.indexed(), repository.indexed()]);
            let read_only = repository.read_only();
            for (number, change) in changes.iter().enumerate() {
                apply(&mut repository, &plain, change).await;
                let expected = answers(&plain).await;
                // It finds the index as it was before the change.
                assert_eq!(answers(&read_only).await, expected, "read only, after change {number}, {change:?}");
                // One of them looks seldom, and has much to catch up with.
                for process in processes.iter().take(if number % 5 == 4 { 2 } else { 1 }) {
                    let told = answers(process).await;
                    assert_eq!(told, expected, "after change {number}, {change:?}");
                }
            }
            let fresh = answers(&repository.indexed()).await;
            assert_eq!(fresh, answers(&plain).await, "a process that begins");
        });
    }
}

/// A repository with an item of each of two models, and what a search for everything finds in it.
async fn with_two_items() -> (Repository, Vec<FoundData>) {
    let repository = Repository::new();
    for model in ["m", "n"] {
        repository.plain().write(new_data(model, "state", "a", &Json::from(1))).await.expect("written");
    }
    let found = everything(&repository.plain()).await;
    assert_eq!(found.len(), 2);
    (repository, found)
}

async fn everything(store: &LocalData) -> Vec<FoundData> {
    sorted(store.find(&DataSearch::default()).await.expect("found"))
}

#[tokio::test]
async fn little_data_needs_no_index() {
    let (repository, found) = with_two_items().await;
    let store = repository.plain().with_index(repository.state(), OpenMode::ReadWrite, 3);
    assert_eq!(everything(&store).await, found);
    assert!(!repository.index().exists());
    store.write(new_data("n", "state", "b", &Json::from(1))).await.expect("written");
    assert_eq!(everything(&store).await.len(), 3);
    assert!(repository.index().exists());
}

#[tokio::test]
async fn a_damaged_index_is_made_anew() {
    for damage in [&b"no database at all"[..], &[0xff; 8_192]] {
        let (repository, found) = with_two_items().await;
        assert_eq!(everything(&repository.indexed()).await, found);
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{suffix}", repository.index().display()));
        }
        fs::write(repository.index(), damage).expect("damaged");
        assert_eq!(everything(&repository.indexed()).await, found);
        assert!(fs::read(repository.index()).expect("a file").starts_with(b"SQLite format 3"));
        let names = fs::read_dir(repository.state()).expect("a listing").map(|entry| entry.expect("read").file_name());
        let aside = names.filter(|name| name.to_string_lossy().contains("corrupt")).count();
        assert_eq!(aside, 0, "nobody needs what was damaged");
    }
}

/// What a repository could bring: an index whose rows nothing proves.
#[tokio::test]
async fn rows_that_nothing_proves_are_not_believed() {
    for forgery in [
        // Proofs without a look, and nothing that was found.
        "UPDATE items SET evidence = x'0000'; DELETE FROM versions",
        "UPDATE items SET evidence = x''; DELETE FROM versions",
        "UPDATE models SET evidence = x'01000000'; DELETE FROM items",
        // Versions of no item, and of one that is not loaded.
        "DELETE FROM items",
        "UPDATE items SET generation = -7",
        "INSERT INTO versions SELECT 100, rank, is_latest, is_gone, place, path, model_name, model_type, spec_name, \
         workflow_run, step_name, tags, handle FROM versions WHERE item = 1",
    ] {
        let (repository, found) = with_two_items().await;
        std::thread::sleep(Duration::from_millis(45));
        assert_eq!(everything(&repository.indexed()).await, found);
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(repository.index()).foreign_keys(false);
        let pool = sqlx::SqlitePool::connect_with(options).await.expect("opens");
        sqlx::raw_sql(forgery).execute(&pool).await.expect(forgery);
        pool.close().await;
        assert_eq!(everything(&repository.indexed()).await, found, "{forgery}");
    }
}

/// Whoever asks may stop waiting at any moment.
#[tokio::test]
async fn a_question_that_nobody_waits_for_any_more_leaves_the_index_right() {
    let (repository, _) = with_two_items().await;
    let store = repository.indexed();
    for number in 0..40 {
        store.write(new_data("m", "state", &format!("i{number}"), &Json::from(number))).await.expect("written");
        let wait = Duration::from_micros(150 * number.unsigned_abs());
        let _ = tokio::time::timeout(wait, store.find(&DataSearch::default())).await;
        if number % 5 == 4 {
            assert_eq!(everything(&store).await, everything(&repository.plain()).await, "after {number}");
        }
    }
}
