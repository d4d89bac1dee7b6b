//! What the data store does beyond its contract.

#![cfg(unix)]

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use mangrove_domain::{
    data::{DataKind, OwnerKind},
    json::Json,
    ports::{DataSearch, DataStore as _, NewData, WrittenVersion},
    problem::Code,
    time::Timestamp,
};
use mangrove_infra::{data::LocalData, documents::YamlDocuments};
use mangrove_testkit::contract::data_store::new_data;
use tempfile::TempDir;

#[tokio::test]
async fn data_lies_where_the_page_says() {
    let directory = TempDir::new().expect("a temporary directory");
    let data = LocalData::new(directory.path());
    data.write(new_data("model-1", "state", "zone", &Json::from("x"))).await.expect("written");
    let version = directory.path().join("model-1/@zone/1");
    assert_eq!(fs::read_to_string(version.join("raw")).expect("content"), "\"x\"");
    let mut names = names(&version);
    names.sort();
    assert_eq!(names, ["metadata.json", "raw"], "nothing temporary is left");
    assert_eq!(data.content_path("model-1", "zone", 1), version.join("raw"));
}

#[tokio::test]
async fn a_version_without_metadata_does_not_exist_and_is_not_used_again() {
    let directory = TempDir::new().expect("a temporary directory");
    let data = LocalData::new(directory.path());
    let write = async |content: i64| {
        data.write(new_data("m", "state", "zone", &Json::from(content))).await.expect("written").version
    };
    assert_eq!(write(1).await, 1);
    // A writer died after it claimed version 2, another one before it claimed anything.
    let item = directory.path().join("m/@zone");
    fs::create_dir(item.join("2")).expect("a directory");
    fs::write(item.join("2/raw"), "2").expect("written");
    fs::write(item.join("2/.new-abc"), "half").expect("written");
    let (latest, content) = data.read("m", "zone", None).await.expect("read").expect("an item");
    assert_eq!((latest.version, content.json), (1, Some(Json::from(1))));
    assert_eq!(data.read("m", "zone", Some(2)).await.expect("read"), None);
    assert_eq!(data.list("m").await.expect("items")[0].version, 1);
    assert_eq!(data.versions("m", "zone").await.expect("versions").len(), 1);
    assert_eq!(write(3).await, 3);
}

/// What a file system may leave of files that were written and not synced.
#[tokio::test]
async fn what_a_power_failure_leaves_of_a_version_that_was_not_settled_hides_no_other() {
    for (file, left) in [("metadata.json", &b""[..]), ("metadata.json", &[0; 300]), ("raw", b""), ("raw", b"{\"n\"")] {
        let directory = TempDir::new().expect("a temporary directory");
        let data = LocalData::new(directory.path());
        let content = |number: i64| Json::object([("n", Json::from(number))]);
        data.write(new_data("m", "state", "other", &content(1))).await.expect("written");
        for number in 1..=2 {
            let handle = data.write(new_data("m", "state", "zone", &content(number))).await.expect("written");
            assert_eq!(i64::from(handle.version), number);
        }
        fs::write(directory.path().join("m/@zone/2").join(file), left).expect("damaged");
        let search = DataSearch { wants_content: true, ..DataSearch::default() };
        let found = data.find(&search).await.expect("what is whole");
        assert!(found.iter().all(|found| found.content.as_ref().is_some_and(|content| content.json.is_some())));
        assert!(found.iter().any(|found| found.handle.name == "other"), "{file}");
        let latest = data.read("m", "zone", None).await;
        if file == "raw" {
            let error = latest.expect_err("damage is told").to_string();
            assert!(error.contains("@zone/2") && error.contains(&format!("{} of 7 bytes", left.len())), "{error}");
            data.delete("m", "zone", Some(2)).await.expect("as the message says");
        } else {
            assert_eq!(latest.expect("read").expect("there").0.version, 1, "it is no version");
        }
        let next = data.write(new_data("m", "state", "zone", &content(3))).await.expect("written");
        assert_eq!(data.read("m", "zone", None).await.expect("read").expect("there").0, next);
    }
}

#[tokio::test]
async fn what_was_removed_meanwhile_is_not_missed_when_others_are_settled() {
    let directory = TempDir::new().expect("a temporary directory");
    let data = LocalData::new(directory.path());
    let mut written = Vec::new();
    for name in ["a", "b", "c"] {
        let handle = data.write(new_data("m", "state", name, &Json::Null)).await.expect("written");
        written.push(WrittenVersion::from(&handle));
    }
    data.delete("m", "b", None).await.expect("removed");
    data.settle(written).await.expect("the others are there");
    // A link is no file of ours.
    let raw = directory.path().join("m/@a/1/raw");
    fs::remove_file(&raw).expect("removed");
    symlink("/etc/hostname", &raw).expect("a link");
    let of_a = WrittenVersion { model_id: "m".to_owned(), name: "a".to_owned(), version: 1 };
    let error = data.settle(vec![of_a]).await.expect_err("a link");
    assert!(error.to_string().contains("@a/1/raw"), "{error}");
}

#[tokio::test]
async fn a_file_that_somebody_else_fills_becomes_a_version_when_it_is_finished() {
    let directory = TempDir::new().expect("a temporary directory");
    let data = LocalData::new(directory.path());
    let (version, path) = data.reserve("m", "dump").await.expect("reserved");
    fs::write(&path, "filled").expect("written");
    assert_eq!((version, data.read("m", "dump", None).await.expect("read")), (1, None), "it is no version yet");
    let beside = data.write(new_data("m", "dump", "dump", &Json::from(2))).await.expect("written");
    assert_eq!(beside.version, 2, "its number is taken");
    let file = NewData {
        kind: DataKind::File,
        content_type: "text/plain".to_owned(),
        ..new_data("m", "dump", "dump", &Json::Null)
    };
    let handle = data.finish(version, file.clone()).await.expect("finished");
    assert_eq!((handle.version, handle.size_bytes), (1, 6));
    let (_, content) = data.read("m", "dump", Some(1)).await.expect("read").expect("there");
    assert_eq!(content.bytes, b"filled");
    assert!(data.finish(version, file).await.is_err(), "a version never changes");
}

#[tokio::test]
async fn nothing_is_written_outside_the_data_directory() {
    let directory = TempDir::new().expect("a temporary directory");
    let root = directory.path().join("deep/data");
    let data = LocalData::new(&root);
    for name in ["..", "../../../x", "/etc/x", ".", "a/../../../b"] {
        data.write(new_data(name, name, name, &Json::Null)).await.expect("written");
    }
    let outside: Vec<_> = fs::read_dir(directory.path()).expect("a listing").collect();
    assert_eq!(outside.len(), 1);
    let models = fs::read_dir(&root).expect("a listing").count();
    assert_eq!(models, 5, "each name has a directory of its own, directly below the root");
}

#[tokio::test]
async fn damaged_metadata_is_an_error_that_names_the_file() {
    let directory = TempDir::new().expect("a temporary directory");
    let data = LocalData::new(directory.path());
    data.write(new_data("m", "state", "zone", &Json::Null)).await.expect("written");
    fs::write(directory.path().join("m/@zone/1/metadata.json"), "{").expect("damaged");
    let error = data.read("m", "zone", None).await.expect_err("no JSON");
    assert_eq!(error.fault.code, Code::MALFORMED_DOCUMENT);
    assert!(error.to_string().contains("@zone/1/metadata.json"), "{error}");
}

#[tokio::test]
async fn f20_what_a_killed_writer_left_is_removed() {
    let directory = TempDir::new().expect("a temporary directory");
    let data = LocalData::new(directory.path());
    data.write(new_data("m", "state", "zone", &Json::Null)).await.expect("written");
    let version = directory.path().join("m/@zone/1");
    let long_ago = SystemTime::now() - Duration::from_hours(2);
    for (name, is_old) in [(".new-old", true), (".new-young", false)] {
        let file = fs::File::create(version.join(name)).expect("a file");
        if is_old {
            file.set_modified(long_ago).expect("a time");
        }
    }
    assert_eq!(data.remove_leftovers(true).await.expect("looked"), 1);
    assert!(version.join(".new-old").exists(), "a dry run only counts");
    assert_eq!(data.remove_leftovers(false).await.expect("removed"), 1);
    assert!(!version.join(".new-old").exists());
    assert!(version.join(".new-young").exists(), "somebody may be writing it");
    assert_eq!(data.list("m").await.expect("items")[0].version, 1);
}

#[tokio::test]
async fn f02_data_that_is_no_file_is_an_error_and_keeps_nobody_waiting() {
    let directory = TempDir::new().expect("a temporary directory");
    let data = LocalData::new(directory.path());
    data.write(new_data("m", "state", "zone", &Json::Null)).await.expect("written");
    let content = directory.path().join("m/@zone/1/raw");
    let pipe = || {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        mknodat(CWD, &content, FileType::Fifo, Mode::RWXU, 0).expect("a pipe");
    };
    let link = |target: &str| symlink(target, &content).expect("a link");
    let put: [&dyn Fn(); 3] = [&pipe, &|| link("/dev/zero"), &|| link("metadata.json")];
    for put in put {
        fs::remove_file(&content).expect("removed");
        put();
        let read = data.read("m", "zone", None);
        let read = tokio::time::timeout(Duration::from_secs(20), read).await.expect("it does not wait");
        assert_eq!(read.expect_err("no file").fault.code, Code::NOT_A_FILE);
    }
}

/// A directory of somebody else with an old file that looks like a leftover.
fn elsewhere(directory: &TempDir) -> PathBuf {
    let outside = directory.path().join("outside");
    fs::create_dir_all(&outside).expect("a directory");
    let file = fs::File::create(outside.join(".new-diary")).expect("a file");
    file.set_modified(SystemTime::now() - Duration::from_hours(3)).expect("made old");
    outside
}

fn names(directory: &Path) -> Vec<std::ffi::OsString> {
    fs::read_dir(directory).expect("a listing").map(|entry| entry.expect("read").file_name()).collect()
}

#[tokio::test]
async fn f03_no_data_is_written_read_or_swept_through_a_link() {
    for linked in ["m", "m/@zone", "m/@zone/1", "m/@other"] {
        let directory = TempDir::new().expect("a temporary directory");
        let outside = elsewhere(&directory);
        let root = directory.path().join("data");
        let link = root.join(linked);
        fs::create_dir_all(link.parent().expect("a parent")).expect("a directory");
        symlink(&outside, &link).expect("a link");
        let data = LocalData::new(&root);
        let mut refused = Vec::new();
        if ["m", "m/@zone"].contains(&linked) {
            refused.push(data.write(new_data("m", "state", "zone", &Json::Null)).await.expect_err(linked));
        }
        if !linked.ends_with("other") {
            refused.push(data.read("m", "zone", None).await.expect_err(linked));
        }
        refused.push(data.list("m").await.expect_err(linked));
        refused.push(data.remove_leftovers(false).await.expect_err(linked));
        for error in refused {
            assert_eq!(error.fault.code, Code::STATE_LINK, "{error}");
            assert!(error.to_string().contains(&format!("{} is a symbolic link", link.display())), "{error}");
        }
        assert_eq!(names(&outside), [".new-diary"], "{linked}");
    }
}

/// A version of the first layout.
fn first_layout(root: &Path, spec: &str, version: u32, millis: i64, kind: &str, content: &str) {
    let item = root.join("m").join(spec).join("main");
    fs::create_dir_all(&item).expect("a directory");
    let metadata = format!(
        r#"{{"dataId":"{spec}-{version}","modelId":"m","specName":"{spec}","name":"main","kind":"{kind}","version":{version},"sizeBytes":1,"tags":[["env","prod"]],"runId":"r","writtenAt":{millis}}}"#
    );
    fs::write(item.join(format!("{version}.meta.json")), metadata).expect("written");
    fs::write(item.join(format!("{version}.json")), content).expect("written");
}

#[tokio::test]
async fn the_first_layout_is_read_and_continued() {
    let directory = TempDir::new().expect("a temporary directory");
    first_layout(directory.path(), "state", 1, 1, "resource", r#"{"id":1}"#);
    first_layout(directory.path(), "state", 2, 4, "resource", r#"{"id":2}"#);
    first_layout(directory.path(), "log", 1, 3, "file", r#""hello""#);
    first_layout(directory.path(), "image", 3, 5, "file", r#"{"base64":"AJ+S"}"#);
    let data = LocalData::new(directory.path());
    assert_eq!(data.models().await.expect("models"), ["m"]);
    let seen = async |version| {
        let (handle, content) = data.read("m", "main", Some(version)).await.expect("read").expect("there");
        (handle.spec_name, handle.content_type, content.bytes)
    };
    let text = "text/plain".to_owned();
    assert_eq!(seen(1).await, ("log".to_owned(), text.clone(), b"hello".to_vec()), "the later of two");
    assert_eq!(seen(2).await.2, br#"{"id":2}"#);
    assert_eq!(seen(3).await, ("image".to_owned(), text, vec![0, 159, 146]));
    let handle = data.write(new_data("m", "state", "main", &Json::from(4))).await.expect("written");
    assert_eq!(handle.version, 4);
    let versions = data.versions("m", "main").await.expect("versions");
    assert_eq!(versions.iter().map(|handle| handle.version).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(versions[1].tags[1].1, "state", "{:?}", versions[1].tags);
    data.delete("m", "main", None).await.expect("removed");
    assert_eq!(data.read("m", "main", None).await.expect("read"), None);
    assert!(directory.path().join("m/state/main/2.json").exists(), "what is not ours is hidden");
    assert_eq!(data.write(new_data("m", "state", "main", &Json::from(5))).await.expect("written").version, 5);
    assert_eq!(data.versions("m", "main").await.expect("versions").len(), 1);
}

/// A repository with data in it that another program wrote.
struct Switching {
    directory: TempDir,
}

impl Switching {
    fn new() -> Self {
        Self { directory: TempDir::new().expect("a temporary directory") }
    }

    fn data(&self) -> LocalData {
        let root = self.directory.path();
        LocalData::new(root.join(".mangrove/data")).with_existing(root.join(".swamp/data"), Arc::new(YamlDocuments))
    }

    fn version(&self, path: &str, version: u32, more: &str, content: &str) {
        let directory = self.directory.path().join(".swamp/data").join(path).join(version.to_string());
        fs::create_dir_all(&directory).expect("a directory");
        let name = path.rsplit('/').next().expect("a name");
        let metadata = format!(
            "name: {name}\nid: 7f3a\nversion: {version}\ncontentType: application/json\nlifetime: infinite\ngarbageCollection: 10\nstreaming: false\n\
             tags:\n  type: resource\n  specName: host\n  modelName: scan\nownerDefinition:\n  ownerType: model-method\n  ownerRef: abc\n  \
             stepName: go\n  workflowRunId: run-7\ncreatedAt: 2026-08-01T10:00:{version:02}.500Z\n{more}"
        );
        fs::write(directory.join("metadata.yaml"), metadata).expect("written");
        fs::write(directory.join("raw"), content).expect("written");
    }
}

#[tokio::test]
async fn d3_data_of_another_program_is_read_and_continued() {
    let repository = Switching::new();
    for version in [1, 2, 10] {
        let path = "acme/cloud/host/0b6c7a52-0000-4000-8000-000000000001/main";
        repository.version(path, version, "", &format!(r#"{{"v":{version}}}"#));
    }
    repository.version("shared/aws/vpc/id-2/net", 1, "lifecycle: deleted\n", "{}");
    let data = repository.data();
    let id = "0b6c7a52-0000-4000-8000-000000000001";
    assert_eq!(data.models().await.expect("models"), [id, "id-2"]);
    let (handle, content) = data.read(id, "main", None).await.expect("read").expect("there");
    assert_eq!((handle.version, content.bytes), (10, br#"{"v":10}"#.to_vec()), "D3");
    assert_eq!((handle.model_type.as_str(), handle.spec_name.as_str()), ("acme/cloud/host", "host"));
    assert_eq!((handle.model_name(), handle.step_name(), handle.owner.kind), ("scan", "go", OwnerKind::ModelMethod));
    assert_eq!(handle.written_at, Timestamp::from_millis(1_785_578_410_500));
    assert_eq!((handle.size_bytes, handle.data_id.as_str(), handle.run_id.as_str()), (8, "7f3a", "run-7"));
    let next = data.write(new_data(id, "host", "main", &Json::from(11))).await.expect("written");
    assert_eq!(next.version, 11);
    assert_eq!(data.versions(id, "main").await.expect("versions").len(), 4);
    let found = data.find(&DataSearch::default()).await.expect("found");
    let mut names: Vec<_> = found.iter().map(|found| (found.handle.name.as_str(), found.handle.version)).collect();
    names.sort_unstable();
    assert_eq!(names, [("main", 10), ("main", 11)], "one of each step, and nothing that is gone");
    assert!(data.delete(id, "main", Some(10)).await.is_err(), "it is not ours");
    assert_eq!(data.delete(id, "main", None).await.expect("hidden").versions, 4);
    assert_eq!(data.read(id, "main", None).await.expect("read"), None);
    assert_eq!(data.write(new_data(id, "host", "main", &Json::from(12))).await.expect("written").version, 12);
}

#[tokio::test]
async fn d4_the_latest_version_may_be_told_by_a_link_or_a_file() {
    for is_link in [true, false] {
        let repository = Switching::new();
        for version in [1, 3, 4] {
            repository.version("t/id/main", version, "", "{}");
        }
        let latest = repository.directory.path().join(".swamp/data/t/id/main/latest");
        if is_link {
            symlink("3", &latest).expect("a link");
        } else {
            fs::write(&latest, "3\n").expect("written");
        }
        let (handle, _) = repository.data().read("id", "main", None).await.expect("read").expect("there");
        assert_eq!(handle.version, 3);
        let next = repository.data().write(new_data("id", "host", "main", &Json::Null)).await.expect("written");
        assert_eq!(next.version, 5, "above the highest number that is taken");
    }
}

#[tokio::test]
async fn data_of_another_program_cannot_lead_out_of_its_directory() {
    let repository = Switching::new();
    repository.version("t/id/main", 1, "", "{}");
    let secret = repository.directory.path().join("secret");
    fs::write(&secret, "top").expect("written");
    let raw = repository.directory.path().join(".swamp/data/t/id/main/1/raw");
    fs::remove_file(&raw).expect("removed");
    symlink(&secret, &raw).expect("a link");
    assert!(repository.data().read("id", "main", None).await.is_err());
}
