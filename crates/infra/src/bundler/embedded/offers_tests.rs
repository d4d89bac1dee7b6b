//! Names of packages that sources import, and attributes of these imports.

use std::collections::BTreeMap;

use mangrove_domain::{
    failure::FailureClass,
    package::{Offer, WideOffer},
};
use mangrove_testkit::graphs::{external, module_graph};

use super::*;

const STRICT: &str = "../vendor/abc/pkg.js";
const WIDE: &str = "../vendor/abc/pkg~members.js";

fn offer(is_open: bool) -> Offer {
    let names = |text: &str| text.split(' ').map(str::to_owned).collect();
    Offer {
        package: "pkg@1.2.3".to_owned(),
        names: names("default found module.exports"),
        is_open,
        wide: Some(WideOffer { import: WIDE.to_owned(), names: names("default found member module.exports") }),
    }
}

/// What becomes of an entry `a.ts` with this text, and of `b.ts` with the other one, which both import `npm:pkg@1`.
fn outcome(a: &str, b: &str, offer: Offer) -> Result<String, BuildFailure> {
    let graph = module_graph(
        &[("a.ts", a), ("b.ts", b)],
        &[
            ("a.ts", "npm:pkg@1", external("npm:pkg@1")),
            ("b.ts", "npm:pkg@1", external("npm:pkg@1")),
            ("a.ts", "./b.ts", EdgeTarget::File(mangrove_testkit::graphs::path("b.ts"))),
        ],
    );
    let request = BundleRequest {
        graph,
        imports: BTreeMap::from([("npm:pkg@1".to_owned(), STRICT.to_owned())]),
        offers: BTreeMap::from([(STRICT.to_owned(), Arc::new(offer))]),
        inlined: Vec::new(),
    };
    bundle_in_process(&request).map(|bundle| bundle.code)
}

#[test]
fn a_name_that_the_package_lacks_is_told_where_it_is_imported() {
    for (text, name, place) in [
        ("import { found,\n  Found2 as x } from 'npm:pkg@1';\nexport const a = [x, found];", "Found2", "a.ts:2:3"),
        ("export { absent } from 'npm:pkg@1';", "absent", "a.ts:1:10"),
        ("import { found, absent } from 'npm:pkg@1'; export const a = () => [absent, found];", "absent", "a.ts:1:17"),
        ("import { membre } from 'npm:pkg@1'; export const a = membre;", "membre", "a.ts:1:10"),
    ] {
        let failure = outcome(text, "", offer(false)).expect_err(text);
        let fault = &failure.fault;
        assert_eq!((fault.class, fault.code), (FailureClass::Deterministic, Code::MISSING_EXPORT), "{text}");
        assert_eq!(fault.position.as_ref().map(ToString::to_string).as_deref(), Some(place), "{text}");
        assert!(fault.message.contains(&format!("`npm:pkg@1` exports no `{name}` (pkg@1.2.3)")), "{fault}");
        assert_eq!(failure.diagnostics.len(), 1, "{text}");
    }
    let near = outcome("export { foound } from 'npm:pkg@1';", "", offer(false)).unwrap_err();
    assert!(near.fault.message.contains("it exports `found`"), "{}", near.fault);
    let without = Offer { names: ["named".to_owned()].into(), wide: None, ..offer(false) };
    let whole = outcome("import pkg from 'npm:pkg@1'; export const a = pkg;", "", without).unwrap_err();
    assert!(whole.fault.message.contains("exports no `default`"), "{}", whole.fault);
}

#[test]
fn what_is_there_or_may_be_there_or_is_a_type_is_no_failure() {
    for text in [
        "import pkg, { found } from 'npm:pkg@1'; export const a = [pkg, found];",
        "import * as pkg from 'npm:pkg@1'; export const a = pkg.absent;",
        "import { Absent } from 'npm:pkg@1'; export const a: Absent = 1;",
        "import type { Absent } from 'npm:pkg@1'; export type { Absent }; export const a = 1;",
        "export * from 'npm:pkg@1'; export const a = 1;",
        "import 'npm:pkg@1'; export const a = 1;",
    ] {
        let code = outcome(text, "", offer(false)).expect(text);
        assert!(!code.contains(WIDE), "{code}");
    }
    outcome("export { absent } from 'npm:pkg@1';", "", offer(true))
        .expect("names of built-in modules may be handed on");
}

#[test]
fn members_that_node_does_not_find_come_from_the_file_that_has_them() {
    let code = outcome(
        "import { member } from 'npm:pkg@1'; import * as all from './b.ts'; export const a = [member, all];",
        "import * as pkg from 'npm:pkg@1'; export const names = Object.keys(pkg);",
        offer(false),
    );
    let code = code.unwrap();
    assert!(code.contains(&format!("import {{ member }} from \"{WIDE}\"")), "{code}");
    assert!(code.contains(&format!("from \"{STRICT}\"")), "whoever takes the whole sees what Node shows: {code}");
}

#[test]
fn attributes_of_packages_go_and_everything_else_stays() {
    for text in [
        "import data from 'npm:pkg@1' with { type: 'json' };\nexport const a = [data, 'json'];",
        "import data from 'npm:pkg@1' with {\n type: \"json\"\n};\nexport const a = data;",
        "export { default as a } from 'npm:pkg@1' with { type: 'json' };",
        "export const a = () => import('npm:pkg@1', { with: { type: 'json' } });",
    ] {
        let code = outcome(text, "", offer(false)).expect(text);
        assert!(code.contains(STRICT) && !code.contains("with"), "{text}: {code}");
    }
    let text = "import data from 'npm:pkg@1' with { type: 'json' }; export const é = [data, \"with json 'json'\"]; export { absent } from 'npm:pkg@1';";
    let failure = outcome(text, "", offer(false)).unwrap_err();
    let column = text.split_once("absent").unwrap().0.chars().count() + 1;
    assert_eq!(failure.fault.position.unwrap().to_string(), format!("a.ts:1:{column}"));
}

#[test]
fn names_of_built_in_modules_are_held_against_those_that_deno_has() {
    let outcome = |text: &str| {
        let graph = module_graph(&[("a.ts", text)], &[("a.ts", "node:path", external("node:path"))]);
        let imports = BTreeMap::from([("node:path".to_owned(), "node:path".to_owned())]);
        bundle_in_process(&BundleRequest { graph, imports, offers: BTreeMap::new(), inlined: Vec::new() })
    };
    outcome("import path, { join } from 'node:path'; export const a = [path, join];").unwrap();
    let failure = outcome("import { join, jion } from 'node:path'; export const a = [join, jion];").unwrap_err();
    assert_eq!((failure.fault.class, failure.fault.code), (FailureClass::Environment, Code::MISSING_EXPORT));
    assert_eq!(failure.fault.position.unwrap().to_string(), "a.ts:1:16");
    assert!(failure.fault.message.contains("`jion` from `node:path`"), "{}", failure.fault.message);
}
