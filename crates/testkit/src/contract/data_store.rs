//! What every [`DataStore`] must do.

use std::collections::BTreeSet;

use mangrove_domain::{
    data::{DataHandle, DataKind},
    json::{Json, Number},
    ports::{DataStore, NewData},
    time::Timestamp,
};

/// Runs every case on a fresh store.
///
/// # Panics
/// If the store breaks the contract.
pub async fn run<S: DataStore + 'static>(factory: impl AsyncFn() -> S) {
    gives_back_what_was_written(factory().await).await;
    every_write_is_a_new_version(factory().await).await;
    keeps_names_apart(factory().await).await;
    lists_the_latest_sorted(factory().await).await;
    lists_the_models_by_their_whole_identifiers(factory().await).await;
    concurrent_writers_get_different_versions(factory().await).await;
}

/// Something to write.
#[must_use]
pub fn new_data(model_id: &str, spec_name: &str, name: &str, content: Json) -> NewData {
    NewData {
        model_id: model_id.to_owned(),
        spec_name: spec_name.to_owned(),
        name: name.to_owned(),
        kind: DataKind::Resource,
        content,
        tags: vec![("type".to_owned(), "zone".to_owned())],
        run_id: "run-1".to_owned(),
        written_at: Timestamp::from_millis(1_000),
    }
}

async fn write(store: &impl DataStore, data: NewData) -> DataHandle {
    store.write(data).await.expect("written")
}

async fn gives_back_what_was_written(store: impl DataStore) {
    assert_eq!(store.read("m", "state", "zone", None).await.expect("nothing"), None);
    let content = Json::object([
        ("text", Json::from("größe \"x\"\n")),
        ("ratio", Json::Number(Number::Float(0.25))),
        ("list", Json::Array(vec![Json::Null, Json::Bool(true), Json::from(i64::MIN)])),
    ]);
    let data = NewData { kind: DataKind::File, ..new_data("m", "state", "zone", content.clone()) };
    let handle = write(&store, data.clone()).await;
    assert_eq!(
        (handle.version, handle.kind, &handle.tags, &handle.run_id),
        (1, DataKind::File, &data.tags, &data.run_id)
    );
    assert_eq!((handle.model_id.as_str(), handle.spec_name.as_str(), handle.name.as_str()), ("m", "state", "zone"));
    assert_eq!(handle.written_at, data.written_at);
    assert!(handle.size_bytes > 0);
    assert_eq!(store.read("m", "state", "zone", None).await.expect("one"), Some((handle, content)));
}

async fn every_write_is_a_new_version(store: impl DataStore) {
    let mut identifiers = BTreeSet::new();
    for expected in 1..=12 {
        let handle = write(&store, new_data("m", "state", "zone", Json::from(i64::from(expected)))).await;
        assert_eq!(handle.version, expected);
        identifiers.insert(handle.data_id);
    }
    assert_eq!(identifiers.len(), 12, "data identifiers are unique over versions");
    let content = async |version| {
        let found = store.read("m", "state", "zone", version).await.expect("looked");
        found.map(|(handle, content)| (handle.version, content))
    };
    assert_eq!(content(Some(3)).await, Some((3, Json::from(3))), "old versions stay");
    assert_eq!(content(None).await, Some((12, Json::from(12))), "10 comes after 9");
    assert_eq!(content(Some(13)).await, None);
    assert_eq!(content(Some(0)).await, None);
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
        let handle = write(&store, new_data("../m", "spec/..", name, Json::from(index))).await;
        assert_eq!((handle.version, handle.name.as_str()), (1, name), "{name:?} shares a place with another name");
    }
    for (index, name) in (0_i64..).zip(names) {
        let found = store.read("../m", "spec/..", name, None).await.expect("looked");
        assert_eq!(found.map(|(handle, content)| (handle.name, content)), Some((name.to_owned(), Json::from(index))));
    }
    assert_eq!(store.list("../m").await.expect("items").len(), names.len());
    assert_eq!(store.list("m").await.expect("items"), []);
}

async fn lists_the_latest_sorted(store: impl DataStore) {
    assert_eq!(store.list("m").await.expect("nothing"), []);
    for (spec, name) in [("state", "b"), ("log", "z"), ("state", "a"), ("state", "b")] {
        write(&store, new_data("m", spec, name, Json::Null)).await;
    }
    write(&store, new_data("other", "state", "a", Json::Null)).await;
    let items = store.list("m").await.expect("items");
    let seen: Vec<_> = items.iter().map(|item| (item.spec_name.as_str(), item.name.as_str(), item.version)).collect();
    assert_eq!(seen, [("log", "z", 1), ("state", "a", 1), ("state", "b", 2)]);
    for is_dry_run in [true, false] {
        assert_eq!(store.remove_leftovers(is_dry_run).await.expect("looked"), 0, "no version is a leftover");
    }
    assert_eq!(store.list("m").await.expect("items"), items);
}

async fn lists_the_models_by_their_whole_identifiers(store: impl DataStore) {
    assert_eq!(store.models().await.expect("nothing"), [""; 0]);
    let long = "n".repeat(400);
    let mut models = ["m", "../m", "@acme/zone/a b", "größe", &long];
    for model in models {
        for name in ["a", "b"] {
            write(&store, new_data(model, "state", name, Json::Null)).await;
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
            tokio::spawn(async move { write(&*store, new_data("m", "state", "zone", Json::from(index))).await.version })
        })
        .collect();
    let mut versions = BTreeSet::new();
    for writer in writers {
        versions.insert(writer.await.expect("a writer"));
    }
    assert_eq!(versions, (1..=16).collect());
}
