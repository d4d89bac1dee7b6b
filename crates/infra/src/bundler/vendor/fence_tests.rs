//! What a package may not read: everything but its own files, by whatever name it asks for it.

use super::*;

/// A unit's directory beside another one that is none of its business.
struct World {
    root: tempfile::TempDir,
}

const SECRET: &str = "the text that nobody may see";

impl World {
    fn new() -> Self {
        let world = Self { root: tempfile::tempdir().unwrap() };
        let quoted = format!("{SECRET:?}");
        for (path, text) in [
            ("outside/secret.json", format!("{{\"secret\":{quoted}}}")),
            ("outside/secret.js", format!("module.exports = {quoted};")),
            ("outside/secret.mjs", format!("export default {quoted}; export const named = 1;")),
            ("outside/secret.txt", SECRET.to_owned()),
            ("outside/directory/package.json", "{\"main\":\"main.js\"}".to_owned()),
            ("outside/directory/main.js", format!("module.exports = {quoted};")),
            ("unit/node_modules/other/package.json", "{}".to_owned()),
            ("node_modules/around/index.js", format!("module.exports = {quoted};")),
        ] {
            world.write(path, &text);
        }
        world
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.root.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Builds a package of these files; `ABSOLUTE` in them is the directory outside.
    fn build(&self, files: &[(&str, &str)]) -> Result<VendorOutput, Fault> {
        let absolute = self.path("outside").canonicalize().unwrap().display().to_string();
        for (path, text) in files {
            self.write(&format!("unit/node_modules/{path}"), &text.replace("ABSOLUTE", &absolute));
        }
        build_vendor_in_process(&VendorRequest {
            package: "pkg@1.0.0".to_owned(),
            directory: self.path("unit"),
            entries: BTreeMap::from([("pkg".to_owned(), "pkg.js".to_owned())]),
            shared: BTreeSet::new(),
        })
    }

    /// The same with an entry of this text.
    fn entry(&self, text: &str) -> Result<VendorOutput, Fault> {
        self.build(&[("pkg/package.json", r#"{"name":"pkg","version":"1.0.0"}"#), ("pkg/index.js", text)])
    }
}

fn is_secret_kept(output: &VendorOutput) -> bool {
    output.files.iter().all(|file| !file.code.contains(SECRET))
}

fn assert_refused(form: &str, outcome: Result<VendorOutput, Fault>, specifier: &str) {
    let fault = outcome.expect_err(form);
    assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::PACKAGE_IMPORT_OUTSIDE), "{form}: {fault}");
    assert_eq!(&*fault.cause.0, "package:pkg@1.0.0", "{form}");
    assert!(fault.message.contains("pkg@1.0.0") && fault.message.contains(specifier), "{form}: {fault}");
    assert!(!fault.message.contains(SECRET), "{form}: {fault}");
}

#[test]
fn f01_an_import_of_a_file_outside_is_refused_in_every_form() {
    for (form, entry, specifier) in [
        ("require of JSON", "module.exports = require('ABSOLUTE/secret.json');", "/secret.json"),
        (
            "require, upward",
            "module.exports = require('./../../../outside/secret.json');",
            "./../../../outside/secret.json",
        ),
        ("require of a script", "module.exports = require('ABSOLUTE/secret');", "/secret"),
        ("require of a directory", "module.exports = require('ABSOLUTE/directory');", "/directory"),
        ("require that may fail", "try { module.exports = require('ABSOLUTE/secret.js'); } catch {}", "/secret.js"),
        ("import", "import x from 'ABSOLUTE/secret.mjs'; export default x;", "/secret.mjs"),
        (
            "import, upward",
            "import x from '../../../outside/secret.mjs'; export default x;",
            "../../../outside/secret.mjs",
        ),
        ("re-export", "export { default } from 'ABSOLUTE/secret.mjs';", "/secret.mjs"),
        ("re-export of everything", "export * from '../../../outside/secret.mjs';", "../../../outside/secret.mjs"),
        ("dynamic import", "export const x = () => import('ABSOLUTE/secret.mjs');", "/secret.mjs"),
        ("address", "export const x = () => import('file://ABSOLUTE/secret.mjs');", "file://"),
        ("address in capitals", "import x from 'FILE://ABSOLUTE/secret.mjs'; export default x;", "FILE://"),
        ("text", "import x from 'ABSOLUTE/secret.txt' with { type: 'text' }; export default x;", "/secret.txt"),
        (
            "text, upward",
            "import x from '../../../outside/secret.txt'; export default x;",
            "../../../outside/secret.txt",
        ),
        (
            "JSON module",
            "import x from 'ABSOLUTE/secret.json' with { type: 'json' }; export default x;",
            "/secret.json",
        ),
        ("raw", "import x from 'ABSOLUTE/secret.txt?raw'; export default x;", "/secret.txt?raw"),
        (
            "raw, upward",
            "import x from '../../../outside/secret.mjs?raw'; export default x;",
            "../../../outside/secret.mjs?raw",
        ),
        (
            "upward out of a name",
            "import x from 'other/../../../outside/secret.mjs'; export default x;",
            "other/../../../outside",
        ),
        ("nothing is there", "import x from 'ABSOLUTE/absent.mjs'; export default x;", "/absent.mjs"),
    ] {
        assert_refused(form, World::new().entry(entry), specifier);
    }
}

#[test]
fn f01_a_manifest_that_names_a_file_outside_is_refused() {
    for (field, manifest) in [
        ("main", r#"{"name":"pkg","main":"../../../outside/secret.json"}"#),
        ("main of a script", r#"{"name":"pkg","main":"../../../outside/secret.js"}"#),
        ("a directory", r#"{"name":"pkg","main":"../../../outside/directory/main"}"#),
    ] {
        assert_refused(field, World::new().build(&[("pkg/package.json", manifest)]), "`pkg`");
    }
    // Nobody follows `browser` and `module`.
    for (field, manifest) in [
        ("module", r#"{"name":"pkg","module":"../../../outside/secret.mjs"}"#),
        ("browser", r#"{"name":"pkg","browser":{"./x.js":"../../../outside/secret.mjs"}}"#),
        ("browser, whole", r#"{"name":"pkg","browser":"../../../outside/secret.mjs"}"#),
    ] {
        let files = [
            ("pkg/package.json", manifest),
            ("pkg/index.js", "export { default } from '#x'; export * from './x.js';"),
            ("pkg/x.js", "export const x = 'its own';"),
        ];
        match World::new().build(&files) {
            Ok(output) => assert!(is_secret_kept(&output), "{field}"),
            Err(fault) => assert!(!fault.message.contains(SECRET), "{field}: {fault}"),
        }
    }
}

/// By the rules of Node these fields cannot lead outside, so that nothing is even looked for; it is told what they are.
#[test]
fn f01_exports_and_imports_that_lead_outside_are_refused_as_such() {
    for (field, manifest, specifier, target) in [
        (
            "exports",
            r#"{"name":"pkg","exports":{".":"../../../outside/secret.mjs"}}"#,
            "pkg",
            "../../../outside/secret.mjs",
        ),
        (
            "upward inside",
            r#"{"name":"pkg","exports":"./../../../outside/secret.mjs"}"#,
            "pkg",
            "./../../../outside/secret.mjs",
        ),
        ("absolute", r#"{"name":"pkg","exports":"ABSOLUTE/secret.mjs"}"#, "pkg", "/secret.mjs"),
        ("an address", r#"{"name":"pkg","exports":"file://ABSOLUTE/secret.mjs"}"#, "pkg", "file://"),
        (
            "imports",
            r##"{"name":"pkg","imports":{"#x":"../../../outside/secret.mjs"}}"##,
            "#x",
            "../../../outside/secret.mjs",
        ),
        (
            "imports, upward inside",
            r##"{"name":"pkg","imports":{"#x":"./../../../outside/secret.mjs"}}"##,
            "#x",
            "./../",
        ),
    ] {
        let files = [("pkg/package.json", manifest), ("pkg/index.js", "export { default } from '#x';")];
        let outcome = World::new().build(&files);
        if let Err(fault) = &outcome {
            let told = ["node_modules/pkg/package.json sends to `", target];
            assert!(told.iter().all(|text| fault.message.contains(text)), "{field}: {fault}");
        }
        assert_refused(field, outcome, &format!("`{specifier}`"));
    }
}

#[test]
fn exports_that_name_no_file_are_told_in_words_of_ours() {
    for (field, manifest) in [
        ("no path", r#"{"name":"pkg","exports":"index.js"}"#),
        ("mixed keys", r#"{"name":"pkg","exports":{".":"./index.js","import":"./index.js"}}"#),
        ("nothing there", r#"{"name":"pkg","exports":"./absent.js"}"#),
        ("not exported", r#"{"name":"pkg","exports":{"./x":"./index.js"}}"#),
    ] {
        let world = World::new();
        let fault = world.build(&[("pkg/package.json", manifest), ("pkg/index.js", "")]).expect_err(field);
        assert_eq!(fault.code, Code::PACKAGE_UNSUPPORTED, "{field}: {fault}");
        assert!(!fault.message.contains("please report") && !fault.message.contains("rolldown"), "{field}: {fault}");
        let directory = world.path("unit").canonicalize().unwrap().display().to_string();
        assert!(fault.message.contains("pkg@1.0.0") && !fault.message.contains(&directory), "{field}: {fault}");
    }
}

#[test]
fn f01_a_link_that_leads_outside_is_refused() {
    for (form, link, target, entry, specifier) in [
        ("a file", "pkg/x.mjs", "../../../outside/secret.mjs", "export { default } from './x.mjs';", "./x.mjs"),
        ("a directory", "pkg/x", "../../../outside", "export { default } from './x/secret.mjs';", "./x/secret.mjs"),
        ("a package", "linked", "../../outside/directory", "module.exports = require('linked');", "linked"),
        ("a file of text", "pkg/x.txt", "../../../outside/secret.txt", "export { default } from './x.txt';", "./x.txt"),
    ] {
        let world = World::new();
        world.write("unit/node_modules/pkg/index.js", "");
        std::os::unix::fs::symlink(target, world.path("unit/node_modules").join(link)).unwrap();
        match world.entry(entry) {
            // A package that lies elsewhere is none of the tree: its import is left and found missing.
            Ok(output) if specifier == "linked" => assert!(is_secret_kept(&output), "{form}"),
            outcome => assert_refused(form, outcome, specifier),
        }
    }
}

#[test]
fn f01_packages_around_the_tree_are_not_installed() {
    let fault = World::new().entry("import x from 'around'; export default x;").unwrap_err();
    assert_eq!(fault.code, Code::PACKAGE_UNSUPPORTED, "{fault}");
    assert!(fault.message.contains("`around` is not installed"), "{fault}");
    // As Node has it, a package may do without one that is not installed.
    let output = World::new().entry("try { exports.x = require('around'); } catch { exports.x = 1; }").unwrap();
    assert!(is_secret_kept(&output));
}

#[test]
fn f01_what_is_inside_is_read_in_every_form() {
    let world = World::new();
    let output = world.build(&[
        ("pkg/package.json", r##"{"name":"pkg","type":"module","main":"lib/index.js","imports":{"#x":"./x.js"}}"##),
        (
            "pkg/lib/index.js",
            "export { default as upward } from '../x.js'; export { default as text } from '../x.txt'; \
             export { default as data } from '../x.json'; export { default as own } from '#x'; \
             export { default as other } from 'other/lib/../x.js'; export const later = () => import('../later.js');",
        ),
        ("pkg/x.js", "export default 'upward';"),
        ("pkg/x.txt", "text"),
        ("pkg/x.json", "{\"data\":1}"),
        ("pkg/later.js", "export default 'later';"),
        ("other/x.js", "exports.other = 'other';"),
    ]);
    let code: String = output.unwrap().files.iter().map(|file| file.code.to_string()).collect();
    for text in ["upward", "\"text\"", "data: 1", "later", "other"] {
        assert!(code.contains(text), "{text}: {code}");
    }
}
