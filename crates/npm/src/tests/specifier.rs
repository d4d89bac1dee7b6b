use mangrove_domain::{
    failure::{FailureClass, Fault},
    problem::Code,
};

use crate::specifier::{PackageId, Specifier, is_package_name};

fn npm(text: &str) -> (String, Option<String>) {
    match text.parse().unwrap() {
        Specifier::Npm { requirement, sub_path } => (requirement.to_string(), sub_path),
        other => panic!("{text} is {other:?}"),
    }
}

#[test]
fn specifiers_are_taken_apart() {
    for (text, requirement, sub_path) in [
        ("npm:zod", "npm:zod", None),
        ("npm:zod@4", "npm:zod@4", None),
        ("npm:/zod@4", "npm:zod@4", None),
        ("npm:zod@4/", "npm:zod@4", None),
        ("npm:zod@^4.1.0/v4", "npm:zod@^4.1.0", Some("v4")),
        ("npm:zod@>=4 <5/v4/core", "npm:zod@>=4 <5", Some("v4/core")),
        ("npm:zod/mini", "npm:zod", Some("mini")),
        ("npm:@aws-sdk/client-s3", "npm:@aws-sdk/client-s3", None),
        ("npm:@aws-sdk/client-s3@3.1.0/dist/x.js", "npm:@aws-sdk/client-s3@3.1.0", Some("dist/x.js")),
        ("npm:zod@next", "npm:zod@next", None),
    ] {
        assert_eq!(npm(text), (requirement.to_owned(), sub_path.map(str::to_owned)), "{text}");
    }
}

#[test]
fn malformed_specifiers_are_deterministic_failures() {
    for text in
        ["npm:", "npm:@scope", "npm:@/x", "npm:..", "npm:zod@", "npm:a b", "npm:zod/../x", "npm:zod//x", "npm:.hidden"]
    {
        let error = text.parse::<Specifier>().expect_err(text);
        let fault = Fault::from(error);
        assert_eq!((fault.class, fault.code), (FailureClass::Deterministic, Code::MALFORMED_SPECIFIER), "{text}");
        assert!(fault.message.contains(text), "{}", fault.message);
    }
}

#[test]
fn other_schemes_are_told_apart() {
    assert_eq!("node:fs/promises".parse(), Ok(Specifier::Builtin));
    assert_eq!("data:text/javascript,1".parse(), Ok(Specifier::Builtin));
    for text in ["jsr:@std/path", "https://example.org/x.ts", "lodash", "@scope/x"] {
        assert_eq!(text.parse(), Ok(Specifier::Unsupported), "{text}");
    }
}

#[test]
fn names_that_are_no_paths_are_safe() {
    for name in ["zod", "@a/b", "lodash.merge", "JSONStream", "a_b~c"] {
        assert!(is_package_name(name), "{name}");
    }
    for name in [
        "",
        ".",
        "..",
        "../x",
        "@/x",
        "@a/",
        "@a/../b",
        "a/b",
        "a\\b",
        "a\0",
        "@a/b/c",
        "node_modules",
        &"x".repeat(300),
    ] {
        assert!(!is_package_name(name), "{name}");
    }
    assert!("zod@../../x".parse::<PackageId>().is_err());
    assert!("zod@1.0.0".parse::<PackageId>().is_ok());
    assert!("@a/b@1.0.0-rc.1+x".parse::<PackageId>().is_ok());
}
