//! What every `DefinitionFiles` must do.

use mangrove_domain::ports::{DefinitionFiles, DefinitionText};

/// Holds an adapter that has no definitions yet to the contract of [`DefinitionFiles`].
///
/// # Panics
/// If it breaks the contract.
pub async fn definition_files(port: &dyn DefinitionFiles) {
    assert_eq!(port.automatic().await.expect("a list"), []);
    assert_eq!(port.read_automatic("@t/echo/b.yaml").await.expect("looked at"), None);
    let text_of = |made: DefinitionText| made.text;
    let first = port.create_automatic("@t/echo/b.yaml", "b: 1\n").await.expect("written");
    assert_eq!(first.text, "b: 1\n");
    let again = port.create_automatic("@t/echo/b.yaml", "b: 2\n").await.expect("looked at");
    assert_eq!(again, first, "who comes later gets what is there");
    assert_eq!(port.read_automatic("@t/echo/b.yaml").await.expect("looked at"), Some(first));
    let replaced = port.replace_automatic("@t/echo/b.yaml", "b: 1\n", "b: 3\n").await.expect("written");
    assert_eq!(text_of(replaced), "b: 3\n");
    let late = port.replace_automatic("@t/echo/b.yaml", "b: 1\n", "b: 4\n").await.expect("looked at");
    assert_eq!(text_of(late), "b: 3\n", "what somebody wrote since stays");
    port.replace_automatic("@t/echo/a.yaml", "", "a: 1\n").await.expect("what is not there is made");
    let all = port.automatic().await.expect("a list");
    assert_eq!(
        all.iter().map(|it| it.text.as_str()).collect::<Vec<_>>(),
        ["a: 1\n", "b: 3\n"],
        "sorted by their files"
    );
    let appended = |letter: char| async move {
        loop {
            let before = port.read_automatic("@t/echo/a.yaml").await.expect("looked at").expect("a file").text;
            let wanted = format!("{before}{letter}");
            if port.replace_automatic("@t/echo/a.yaml", &before, &wanted).await.expect("looked at").text == wanted {
                return;
            }
        }
    };
    tokio::join!(appended('x'), appended('y'), appended('z'));
    let mut text = text_of(port.read_automatic("@t/echo/a.yaml").await.expect("looked at").expect("a file"));
    for letter in ["x", "y", "z"] {
        assert!(text.contains(letter), "of several who change one file, none loses its change: {text}");
    }
    text.truncate("a: 1\n".len());
    assert_eq!(text, "a: 1\n");
    let back = port.read_automatic("@t/echo/a.yaml").await.expect("looked at").expect("a file").text;
    port.replace_automatic("@t/echo/a.yaml", &back, "a: 1\n").await.expect("written");
    let made = port.create("@t/echo/c.yaml", "c: 1\n").await.expect("written").expect("it is new");
    assert_eq!(made.text, "c: 1\n");
    assert_eq!(port.create("@t/echo/c.yaml", "c: 2\n").await.expect("looked at"), None);
    assert_eq!(port.automatic().await.expect("a list").len(), 2, "those that people keep are not among them");
    for path in ["../out.yaml", "/out.yaml"] {
        assert!(port.create_automatic(path, "").await.is_err(), "{path}");
        assert!(port.replace_automatic(path, "", "").await.is_err(), "{path}");
        assert!(port.create(path, "").await.is_err(), "{path}");
    }
}
