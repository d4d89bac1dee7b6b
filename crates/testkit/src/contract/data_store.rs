//! What every [`DataStore`] must do.

use std::collections::BTreeSet;

use mangrove_domain::{
    data::{DataHandle, DataKind, Owner},
    json::{Json, Number},
    ports::{Content, DataField, DataSearch, DataStore, NewData, Removed},
    time::Timestamp,
};

/// Runs every case on a fresh store.
///
/// # Panics
/// If the store breaks the contract.
pub async fn run<S: DataStore + 'static>(factory: impl AsyncFn() -> S) {
    gives_back_what_was_written(factory().await).await;
    content_is_bytes(factory().await).await;
    every_write_is_a_new_version(factory().await).await;
    keeps_names_apart(factory().await).await;
    specs_of_a_model_share_their_names(factory().await).await;
    lists_the_latest_sorted(factory().await).await;
    finds_the_latest_of_each_step(factory().await).await;
    what_is_gone_is_not_found(factory().await).await;
    removes_versions(factory().await).await;
    lists_the_models_by_their_whole_identifiers(factory().await).await;
    concurrent_writers_get_different_versions(factory().await).await;
}

/// Something to write: a resource.
#[must_use]
pub fn new_data(model_id: &str, spec_name: &str, name: &str, content: &Json) -> NewData {
    NewData {
        model_id: model_id.to_owned(),
        model_type: "@acme/zone".to_owned(),
        spec_name: spec_name.to_owned(),
        name: name.to_owned(),
        kind: DataKind::Resource,
        content: content.to_string().into_bytes(),
        content_type: DataKind::Resource.content_type().to_owned(),
        lifetime: "infinite".to_owned(),
        garbage_collection: Json::from(10),
        is_streaming: false,
        tags: vec![("type".to_owned(), "resource".to_owned()), ("env".to_owned(), "prod".to_owned())],
        owner: Owner { reference: model_id.to_owned(), ..Owner::default() },
        is_deleted: false,
        run_id: "run-1".to_owned(),
        written_at: Timestamp::from_millis(1_000),
    }
}

/// The same, written by a step.
#[must_use]
pub fn of_step(step: &str, data: NewData) -> NewData {
    let owner = Owner {
        workflow_id: Some("w".to_owned()),
        workflow_run_id: Some("run-1".to_owned()),
        workflow_name: Some("deploy".to_owned()),
        job_name: Some("build".to_owned()),
        step_name: Some(step.to_owned()),
        source: Some("step-output".to_owned()),
        ..data.owner
    };
    NewData { owner, ..data }
}

async fn write(store: &impl DataStore, data: NewData) -> DataHandle {
    store.write(data).await.expect("written")
}

async fn gives_back_what_was_written(store: impl DataStore) {
    assert_eq!(store.read("m", "zone", None).await.expect("nothing"), None);
    assert_eq!(store.versions("m", "zone").await.expect("nothing"), []);
    let content = Json::object([
        ("text", Json::from("größe \"x\"\n")),
        ("ratio", Json::Number(Number::Float(0.25))),
        ("list", Json::Array(vec![Json::Null, Json::Bool(true), Json::from(i64::MIN)])),
    ]);
    let data = of_step("a", new_data("m", "state", "zone", &content));
    let handle = write(&store, data.clone()).await;
    assert_eq!((handle.version, handle.kind, &handle.tags, &handle.run_id), (1, data.kind, &data.tags, &data.run_id));
    assert_eq!((handle.model_id.as_str(), handle.spec_name.as_str(), handle.name.as_str()), ("m", "state", "zone"));
    assert_eq!((&handle.model_type, &handle.owner), (&data.model_type, &data.owner));
    assert_eq!((&handle.content_type, &handle.lifetime), (&data.content_type, &data.lifetime));
    assert_eq!((&handle.garbage_collection, handle.written_at), (&data.garbage_collection, data.written_at));
    assert_eq!(handle.size_bytes, data.content.len() as u64);
    let found = store.read("m", "zone", None).await.expect("one");
    assert_eq!(found, Some((handle.clone(), Content { bytes: data.content, json: Some(content) })));
    assert_eq!(store.versions("m", "zone").await.expect("one"), [handle]);
}

async fn content_is_bytes(store: impl DataStore) {
    let of = |name: &str, content_type: &str, content: &[u8]| NewData {
        kind: DataKind::File,
        content_type: content_type.to_owned(),
        content: content.to_vec(),
        ..new_data("m", "file", name, &Json::Null)
    };
    for (name, content_type, content) in [
        ("binary", "image/png", &[0, 159, 146, 150, 255][..]),
        ("broken", "application/json", b"{"),
        ("none", "text/plain", b""),
    ] {
        write(&store, of(name, content_type, content)).await;
        let (handle, found) = store.read("m", name, None).await.expect("read").expect("there");
        assert_eq!(found, Content { bytes: content.to_vec(), json: None });
        assert_eq!((handle.kind, handle.content_type.as_str()), (DataKind::File, content_type));
    }
    let handle = write(&store, of("d6", "application/json", br#"{"a":1}"#)).await;
    let checksum = "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862";
    assert_eq!(handle.checksum.as_deref(), Some(checksum), "D6");
}

async fn every_write_is_a_new_version(store: impl DataStore) {
    let mut identifiers = BTreeSet::new();
    for expected in 1..=12 {
        let handle = write(&store, new_data("m", "state", "zone", &Json::from(i64::from(expected)))).await;
        assert_eq!(handle.version, expected);
        identifiers.insert(handle.data_id);
    }
    assert_eq!(identifiers.len(), 12, "data identifiers are unique over versions");
    let content = async |version| {
        let found = store.read("m", "zone", version).await.expect("looked");
        found.map(|(handle, content)| (handle.version, content.json))
    };
    assert_eq!(content(Some(3)).await, Some((3, Some(Json::from(3)))), "old versions stay");
    assert_eq!(content(None).await, Some((12, Some(Json::from(12)))), "10 comes after 9");
    assert_eq!(content(Some(13)).await, None);
    assert_eq!(content(Some(0)).await, None);
    let versions = store.versions("m", "zone").await.expect("versions");
    assert_eq!(versions.iter().map(|handle| handle.version).collect::<Vec<_>>(), (1..=12).collect::<Vec<_>>());
}

async fn keeps_names_apart(store: impl DataStore) {
    let long = "n".repeat(400);
    let longer = "n".repeat(401);
    let names = [
        "zone",
        "Zone/1",
        "zone/1",
        "zone%2F1",
        "..",
        ".",
        "../../escape",
        "",
        " ",
        "a\\b",
        "größe",
        "con",
        ".hidden",
        "new\nline",
        "~",
        &long,
        &longer,
    ];
    for (index, name) in (0_i64..).zip(names) {
        let handle = write(&store, new_data("../m", "spec/..", name, &Json::from(index))).await;
        assert_eq!((handle.version, handle.name.as_str()), (1, name), "{name:?} shares a place with another name");
    }
    for (index, name) in (0_i64..).zip(names) {
        let found = store.read("../m", name, None).await.expect("looked");
        let found = found.map(|(handle, content)| (handle.name, content.json));
        assert_eq!(found, Some((name.to_owned(), Some(Json::from(index)))));
    }
    assert_eq!(store.list("../m").await.expect("items").len(), names.len());
    assert_eq!(store.list("m").await.expect("items"), []);
}

async fn specs_of_a_model_share_their_names(store: impl DataStore) {
    write(&store, new_data("m", "state", "main", &Json::from(1))).await;
    let second = write(&store, new_data("m", "log", "main", &Json::from(2))).await;
    assert_eq!((second.version, second.spec_name.as_str()), (2, "log"));
    assert_eq!(store.list("m").await.expect("items"), [second]);
}

async fn lists_the_latest_sorted(store: impl DataStore) {
    assert_eq!(store.list("m").await.expect("nothing"), []);
    for (spec, name) in [("state", "b"), ("log", "z"), ("state", "a"), ("state", "b")] {
        write(&store, new_data("m", spec, name, &Json::Null)).await;
    }
    write(&store, new_data("other", "state", "a", &Json::Null)).await;
    let items = store.list("m").await.expect("items");
    let seen: Vec<_> = items.iter().map(|item| (item.spec_name.as_str(), item.name.as_str(), item.version)).collect();
    assert_eq!(seen, [("log", "z", 1), ("state", "a", 1), ("state", "b", 2)]);
    for is_dry_run in [true, false] {
        assert_eq!(store.remove_leftovers(is_dry_run).await.expect("looked"), 0, "no version is a leftover");
    }
    assert_eq!(store.list("m").await.expect("items"), items);
}

/// What a search gives: model, name, version and whether it is the latest one.
async fn found(store: &impl DataStore, search: &DataSearch) -> Vec<(String, String, u32, bool)> {
    let found = store.find(search).await.expect("searched");
    let fits = |handle: &DataHandle| search.equal.iter().all(|(field, value)| field.of(handle) == value);
    let mut seen: Vec<_> = found
        .into_iter()
        .filter(|found| fits(&found.handle))
        .map(|found| {
            assert_eq!(found.content.is_some(), search.wants_content);
            (found.handle.model_id, found.handle.name, found.handle.version, found.is_latest)
        })
        .collect();
    seen.sort();
    seen
}

async fn finds_the_latest_of_each_step(store: impl DataStore) {
    write(&store, of_step("a", new_data("m", "row", "main", &Json::from(1)))).await;
    write(&store, of_step("b", new_data("m", "row", "main", &Json::from(2)))).await;
    write(&store, of_step("b", new_data("m", "row", "main", &Json::from(3)))).await;
    write(&store, new_data("n", "state", "main", &Json::from(4))).await;
    let line = |model: &str, version, is_latest| (model.to_owned(), "main".to_owned(), version, is_latest);
    let all = DataSearch { wants_content: true, ..DataSearch::default() };
    assert_eq!(found(&store, &all).await, [line("m", 1, true), line("m", 3, true), line("n", 1, true)]);
    let every = DataSearch { wants_every_version: true, ..DataSearch::default() };
    let expected = [line("m", 1, true), line("m", 2, false), line("m", 3, true), line("n", 1, true)];
    assert_eq!(found(&store, &every).await, expected);
    for (field, value, models) in [
        (DataField::ModelId, "n", &["n"][..]),
        (DataField::Step, "b", &["m"]),
        (DataField::SpecName, "state", &["n"]),
        (DataField::Tag("env".to_owned()), "prod", &["m", "m", "n"]),
        (DataField::Tag("env".to_owned()), "dev", &[]),
        (DataField::ModelType, "@acme/zone", &["m", "m", "n"]),
        (DataField::WorkflowRun, "run-1", &["m", "m"]),
        (DataField::Name, "other", &[]),
        (DataField::ModelName, "m", &[]),
    ] {
        let search = DataSearch { equal: vec![(field.clone(), value.to_owned())], ..DataSearch::default() };
        let seen: Vec<String> = found(&store, &search).await.into_iter().map(|(model, ..)| model).collect();
        assert_eq!(seen, models, "{field:?} {value}");
    }
}

async fn what_is_gone_is_not_found(store: impl DataStore) {
    write(&store, new_data("m", "state", "zone", &Json::from(1))).await;
    write(&store, NewData { is_deleted: true, ..new_data("m", "state", "zone", &Json::from(2)) }).await;
    assert_eq!(found(&store, &DataSearch::default()).await, []);
    let every = DataSearch { wants_every_version: true, ..DataSearch::default() };
    assert_eq!(found(&store, &every).await, [("m".to_owned(), "zone".to_owned(), 1, false)]);
    let (handle, _) = store.read("m", "zone", None).await.expect("read").expect("the last state");
    assert!(handle.is_deleted && handle.version == 2);
    write(&store, new_data("m", "state", "zone", &Json::from(3))).await;
    assert_eq!(found(&store, &DataSearch::default()).await, [("m".to_owned(), "zone".to_owned(), 3, true)]);
}

async fn removes_versions(store: impl DataStore) {
    for number in 1..=3 {
        write(&store, new_data("m", "state", "zone", &Json::from(number))).await;
    }
    write(&store, new_data("m", "state", "other", &Json::Null)).await;
    let removed = store.delete("m", "zone", Some(2)).await.expect("removed");
    assert_eq!(removed, Removed { versions: 1, bytes: 1 });
    assert_eq!(store.read("m", "zone", Some(2)).await.expect("read"), None);
    let removed = store.delete("m", "zone", None).await.expect("removed");
    assert_eq!(removed, Removed { versions: 2, bytes: 2 });
    assert_eq!(store.read("m", "zone", None).await.expect("read"), None);
    assert_eq!(store.delete("m", "zone", None).await.expect("nothing"), Removed::default());
    assert_eq!(store.list("m").await.expect("items").len(), 1);
    write(&store, new_data("m", "state", "zone", &Json::from(4))).await;
    let (_, content) = store.read("m", "zone", None).await.expect("read").expect("the new one");
    assert_eq!(content.json, Some(Json::from(4)));
}

async fn lists_the_models_by_their_whole_identifiers(store: impl DataStore) {
    assert_eq!(store.models().await.expect("nothing"), [""; 0]);
    let long = "n".repeat(400);
    let mut models = ["m", "../m", "@acme/zone/a b", "größe", &long];
    for model in models {
        for name in ["a", "b"] {
            write(&store, new_data(model, "state", name, &Json::Null)).await;
        }
    }
    models.sort_unstable();
    assert_eq!(store.models().await.expect("models"), models);
}

async fn concurrent_writers_get_different_versions(store: impl DataStore + 'static) {
    let store = std::sync::Arc::new(store);
    let writers: Vec<_> = (0..16)
        .map(|index| {
            let store = std::sync::Arc::clone(&store);
            tokio::spawn(
                async move { write(&*store, new_data("m", "state", "zone", &Json::from(index))).await.version },
            )
        })
        .collect();
    let mut versions = BTreeSet::new();
    for writer in writers {
        versions.insert(writer.await.expect("a writer"));
    }
    assert_eq!(versions, (1..=16).collect());
}
