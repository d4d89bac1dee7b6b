//! What every `RepositoryFiles` must do.

use mangrove_domain::ports::{FileReading, KnownFile, RepositoryFiles};

/// The files, with their text, that the repository must hold before [`repository_files`] looks at it.
pub const REPOSITORY_FILES: [(&str, &str); 7] = [
    ("models/@acme/dns/b.yaml", "b: é\n"),
    ("models/@acme/dns/a.yaml", "a: 1\n"),
    ("models/@acme/dns/a.txt", "no\n"),
    ("models/_drafts/c.yaml", "no\n"),
    ("models/.hidden.yaml", "no\n"),
    ("models/top.yml", "top: 1\n"),
    ("models-old/d.yaml", "no\n"),
];

/// Holds an adapter to the contract of [`RepositoryFiles`].
///
/// # Panics
/// If it breaks the contract.
pub async fn repository_files(port: &dyn RepositoryFiles) {
    let endings = [".yaml", ".yml"];
    let all = port.list(&["models"], &endings).await.expect("a list");
    assert_eq!(all.paths, ["models/@acme/dns/a.yaml", "models/@acme/dns/b.yaml", "models/top.yml"]);
    assert_eq!(all.problems, []);
    let twice = port.list(&["models/@acme", "workflows", "models"], &endings).await.expect("a list");
    assert_eq!(
        (twice.paths, twice.problems),
        (all.paths, all.problems),
        "one that lies in two of the directories is given once"
    );
    let none = port.list(&["workflows"], &endings).await.expect("a missing directory is empty");
    assert_eq!(none.paths, [""; 0]);
    let text = port.read("models/@acme/dns/b.yaml").await.expect("a file");
    assert_eq!(text.as_deref(), Some("b: é\n"));
    assert_eq!(port.read("models/nothing.yaml").await.expect("a missing file is no error"), None);
    assert!(port.read("../outside.yaml").await.is_err(), "a path out of the repository");
    let known = |path: &str| KnownFile { path: path.to_owned(), stamp: None };
    let paths = ["models/top.yml", "models/nothing.yaml", "../outside.yaml"];
    let read = port.read_changed(paths.map(known).into()).await;
    let [FileReading::Text { text, .. }, FileReading::Absent, FileReading::Failed(_)] = read.as_slice() else {
        panic!("the answers are in the order of the files: {read:?}")
    };
    assert_eq!(text, "top: 1\n");
}
