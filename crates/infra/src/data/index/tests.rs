use std::{
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use mangrove_domain::{json::Json, ports::DataSearch};
use mangrove_testkit::contract::data_store::new_data;

use super::*;

/// What the index found; `None` if the files have to say it.
fn by_index<T>(answer: Answer<T>) -> Option<T> {
    match answer {
        Answer::Found(found) => Some(found),
        Answer::InFiles(_) => None,
    }
}

/// A store with one item, and an index that has it and that no young stamp makes doubtful.
async fn settled() -> (tempfile::TempDir, Files, Arc<Index>) {
    let directory = tempfile::tempdir().expect("a directory");
    let mut files = Files::new(directory.path().join("data").into());
    files.probe = Some(directory.path().to_owned());
    files.ours.write(new_data("m", "state", "a", &Json::from(1)), 0).expect("written");
    let index = Arc::new(Index::new(directory.path().join(FILE_NAME), OpenMode::ReadWrite, 0));
    tokio::time::sleep(Duration::from_millis(60)).await;
    let found = by_index(index.find(&files, &DataSearch::default()).await.expect("searched"));
    assert_eq!(found.map(|found| found.len()), Some(1));
    (directory, files, index)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_that_takes_long_keeps_no_other_from_its_answer() {
    let (_directory, files, index) = settled().await;
    let (go, wait) = mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let (begun, has_begun) = mpsc::channel::<()>();
    let slow = tokio::spawn({
        let (files, index) = (files.clone(), Arc::clone(&index));
        async move {
            let tell = move |_: &Files, version: &StoredVersion| {
                begun.send(()).map_err(|_| IndexError::Unusable)?;
                let waited = wait.lock().expect("no panic before").recv_timeout(Duration::from_secs(20));
                Ok(waited.is_ok().then_some(version.is_latest))
            };
            index.answer(&files, None, &Query::Search(DataSearch::default()), tell).await.map(by_index)
        }
    });
    tokio::task::spawn_blocking(move || has_begun.recv_timeout(Duration::from_secs(20)))
        .await
        .expect("a thread")
        .expect("it reads contents");
    let other = tokio::time::timeout(Duration::from_secs(10), index.find(&files, &DataSearch::default())).await;
    let other = by_index(other.expect("it does not wait").expect("searched"));
    assert_eq!(other.map(|found| found.len()), Some(1));
    go.send(()).expect("somebody waits");
    assert_eq!(slow.await.expect("it ends").expect("searched"), Some(vec![true]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn searches_at_once_beside_a_writer_say_what_the_files_say() {
    let (_directory, files, index) = settled().await;
    let mut searches = Vec::new();
    for number in 0..40 {
        let name = format!("item-{number}");
        files.ours.write(new_data("m", "state", &name, &Json::from(number)), 0).expect("written");
        let (files, index) = (files.clone(), Arc::clone(&index));
        searches.push(tokio::spawn(async move {
            let found = index.find(&files, &DataSearch::default()).await.expect("searched");
            // Where others write all the time, the files answer.
            by_index(found).is_none_or(|found| found.iter().any(|found| found.handle.name == name))
        }));
    }
    for search in searches {
        assert!(search.await.expect("it ends"), "what was there before is found");
    }
    let found = by_index(index.find(&files, &DataSearch::default()).await.expect("searched"));
    assert_eq!(found.map(|found| found.len()), Some(41));
}

#[tokio::test]
async fn what_is_too_little_for_an_index_is_listed_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let files = Files::new(directory.path().join("data").into());
    for name in ["a", "b"] {
        files.ours.write(new_data("m", "state", name, &Json::from(1)), 0).expect("written");
    }
    let index = Index::new(directory.path().join(FILE_NAME), OpenMode::ReadWrite, 3);
    let search = DataSearch::default();
    let answer = index.find(&files, &search).await.expect("searched");
    let Answer::InFiles(Some(listing)) = answer else { panic!("two are too few") };
    // Whoever lists again finds this one.
    files.ours.write(new_data("m", "state", "c", &Json::from(1)), 0).expect("written");
    let found = files.search(&search, Some(listing)).expect("searched");
    assert_eq!(found.iter().map(|found| found.handle.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let of_model = match index.list(&files, "m").await.expect("listed") {
        Answer::InFiles(listing) => files.latest_items("m", listing).expect("listed").len(),
        Answer::Found(found) => found.len(),
    };
    assert_eq!(of_model, 3, "three are enough");
}
