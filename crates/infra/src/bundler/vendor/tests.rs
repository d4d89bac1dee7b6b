use std::{fs, path::Path};

use super::*;

/// Writes `files` below a new directory.
fn packages(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join("node_modules").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    directory
}

fn request(directory: &Path, entries: &[(&str, &str)]) -> VendorRequest {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    VendorRequest {
        package: "pkg@1.0.0".to_owned(),
        directory: directory.to_owned(),
        entries: entries.iter().map(owned).collect(),
        externals: BTreeMap::new(),
    }
}

fn file<'a>(output: &'a VendorOutput, name: &str) -> &'a str {
    &output.files.iter().find(|file| file.path == name).unwrap().code
}

const DUAL: &[(&str, &str)] = &[
    (
        "pkg/package.json",
        r#"{"name":"pkg","version":"1.0.0","type":"module","exports":{".":{"import":"./a.js"},"./b":"./b.js"}}"#,
    ),
    (
        "pkg/a.js",
        "import { shared } from './shared.js'; import fs from 'fs'; import o from 'other'; export const a = [shared, fs, o]; export default a;",
    ),
    ("pkg/b.js", "import { shared } from './shared.js'; export const b = () => shared;"),
    ("pkg/shared.js", "export const shared = { deep: import.meta.url };"),
];

#[test]
fn entries_share_chunks_and_externals_stay() {
    let directory = packages(DUAL);
    let mut request = request(directory.path(), &[("pkg", "pkg.js"), ("pkg/b", "pkg_b.js")]);
    request.externals.insert("other".to_owned(), "../ffff/other.js".to_owned());
    let output = build_vendor_in_process(&request).unwrap();
    let names: Vec<&str> = output.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(names.len(), 4, "{names:?}");
    assert!(names[0].starts_with("chunk-") && names[1..] == ["pkg.js", "pkg_b.js", "unit.json"], "{names:?}");
    let entry = file(&output, "pkg.js");
    assert!(entry.contains("from \"node:fs\"") && entry.contains("from \"../ffff/other.js\""), "{entry}");
    assert!(entry.contains(&format!("from \"./{}\"", names[0])), "{entry}");
    assert_eq!(file(&output, "unit.json"), r#"{"package":"pkg@1.0.0","entries":{"pkg":"pkg.js","pkg/b":"pkg_b.js"}}"#);
}

#[test]
fn the_same_package_gives_the_same_bytes_anywhere() {
    let outcomes: Vec<VendorOutput> = (0..3)
        .map(|_| {
            let directory = packages(DUAL);
            let mut request = request(directory.path(), &[("pkg", "pkg.js"), ("pkg/b", "pkg_b.js")]);
            request.externals.insert("other".to_owned(), "../ffff/other.js".to_owned());
            let output = build_vendor_in_process(&request).unwrap();
            let place = directory.path().file_name().unwrap().to_str().unwrap().to_owned();
            assert!(output.files.iter().all(|file| !file.code.contains(&place)));
            output
        })
        .collect();
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]));
}

#[test]
fn a_common_js_entry_has_a_default_export() {
    let directory = packages(&[
        ("pkg/package.json", r#"{"name":"pkg","version":"1.0.0","main":"index.js"}"#),
        ("pkg/index.js", "const os = require('os'); module.exports = { name: 'pkg', os };"),
    ]);
    let output = build_vendor_in_process(&request(directory.path(), &[("pkg", "pkg.js")])).unwrap();
    let code = file(&output, "pkg.js");
    assert!(code.contains("export default"), "{code}");
}

#[test]
fn a_package_that_is_not_there_is_named() {
    let directory = packages(&[]);
    let fault = build_vendor_in_process(&request(directory.path(), &[("pkg", "pkg.js")])).unwrap_err();
    assert_eq!((fault.class, fault.code), (FailureClass::Deterministic, Code::PACKAGE_UNSUPPORTED));
    assert!(fault.message.contains("pkg@1.0.0"), "{fault}");
}

#[test]
fn a_dependency_that_is_not_installed_is_named() {
    let directory = packages(&[
        ("pkg/package.json", r#"{"name":"pkg","version":"1.0.0","type":"module","main":"index.js"}"#),
        ("pkg/index.js", "import x from 'absent'; export const y = x;"),
    ]);
    let fault = build_vendor_in_process(&request(directory.path(), &[("pkg", "pkg.js")])).unwrap_err();
    assert_eq!(fault.code, Code::PACKAGE_UNSUPPORTED);
    assert!(fault.message.contains("absent"), "{fault}");
}

#[test]
fn a_package_with_a_syntax_error_says_where() {
    let directory = packages(&[
        ("pkg/package.json", r#"{"name":"pkg","version":"1.0.0","type":"module","main":"index.js"}"#),
        ("pkg/index.js", "export const = 1;"),
    ]);
    let fault = build_vendor_in_process(&request(directory.path(), &[("pkg", "pkg.js")])).unwrap_err();
    assert!(fault.message.contains("node_modules/pkg/index.js:1"), "{fault}");
}

#[test]
fn entry_file_names_cannot_leave_the_directory() {
    let directory = packages(DUAL);
    let fault = build_vendor_in_process(&request(directory.path(), &[("pkg", "../pkg.js")])).unwrap_err();
    assert_eq!(fault.code, Code::PACKAGE_UNSUPPORTED);
}

#[test]
fn built_ins_are_known_with_and_without_their_scheme() {
    assert_eq!(builtin("fs/promises").as_deref(), Some("node:fs/promises"));
    assert_eq!(builtin("node:test").as_deref(), Some("node:test"));
    assert_eq!(builtin("process/"), None);
    assert_eq!(builtin("fsevents"), None);
}
