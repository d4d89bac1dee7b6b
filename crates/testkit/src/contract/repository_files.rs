//! What every `RepositoryFiles` must do.

use mangrove_domain::ports::RepositoryFiles;

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
    let all = port.list("models", true, &[".yaml", ".yml"]).await.expect("a list");
    assert_eq!(all, ["models/@acme/dns/a.yaml", "models/@acme/dns/b.yaml", "models/top.yml"]);
    let flat = port.list("models", false, &[".yaml", ".yml"]).await.expect("a list");
    assert_eq!(flat, ["models/top.yml"]);
    assert!(port.list("workflows", true, &[".yaml"]).await.expect("a missing directory is empty").is_empty());
    let text = port.read("models/@acme/dns/b.yaml").await.expect("a file");
    assert_eq!(text.as_deref(), Some("b: é\n"));
    assert_eq!(port.read("models/nothing.yaml").await.expect("a missing file is no error"), None);
}
