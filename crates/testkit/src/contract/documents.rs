//! What every `Documents` must do.

use mangrove_domain::ports::Documents;

/// Holds an adapter to the contract of [`Documents`].
///
/// # Panics
/// If it breaks the contract.
pub fn documents(port: &dyn Documents) {
    let text = "name: fleet\njobs:\n  - name: one\n    weight: 2\n";
    let document = port.parse("workflows/fleet.yaml", text).expect("a mapping parses");
    assert_eq!(document.name, "workflows/fleet.yaml");
    let jobs = document.root.get("jobs").and_then(|jobs| jobs.as_list()).expect("a list");
    let (key, value) = &jobs[0].as_map().expect("a mapping")[1];
    assert_eq!((key.as_str(), key.line, key.column), (Some("weight"), 4, 5), "keys have places");
    assert_eq!((value.line, value.column), (4, 13), "values have places");
    assert_eq!(document.root.to_json().to_string(), r#"{"name":"fleet","jobs":[{"name":"one","weight":2}]}"#);

    let json = port.parse("a.json", "{\n  \"a\": [true, null, 1.5]\n}\n").expect("JSON parses");
    let value = json.root.get("a").expect("a member");
    assert_eq!((value.line, value.column), (2, 8), "JSON values have places");
    assert_eq!(json.root.to_json().to_string(), r#"{"a":[true,null,1.5]}"#);

    port.parse("a.jsonc", "{\"a\": 1, // why\n}").expect("comments in .jsonc");
    port.parse("a.json", "{\"a\": 1 // why\n}").expect_err("no comments in .json");

    for (name, text, line) in [("a.yaml", "a: 1\nb: 2\na: 3\n", 3), ("a.json", "{\n\"a\": 1,\n\"a\": 2}", 3)] {
        let error = port.parse(name, text).expect_err("duplicate keys are refused");
        assert_eq!(error.position.line, line, "{error}");
        assert_eq!(error.position.file, name);
    }
    port.parse("a.yaml", "a: 1\n---\nb: 2\n").expect_err("a second document is refused");
    let broken = port.parse("a.yaml", "a:\n  - [1, 2\n").expect_err("an open list is refused");
    assert!(broken.position.line >= 2, "{broken}");

    for name in ["a.yaml", "a.json", "a.jsonc"] {
        port.parse(name, &"[".repeat(4096)).expect_err("deep nesting is refused");
        let nested = format!("{}{}", "[".repeat(4096), "]".repeat(4096));
        port.parse(name, &nested).expect_err("deep nesting is refused even if it is closed");
    }
    let dashes = "- ".repeat(4096);
    port.parse("a.yaml", &dashes).expect_err("deep block nesting is refused");
}
