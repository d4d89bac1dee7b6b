//! The language as authors write it: TypeScript that is bundled and run by the embedded engine gives what a real Deno
//! gives that runs the files as they are.

use std::{collections::BTreeMap, fs, path::Path, process::Command, sync::Arc};

use mangrove_domain::{
    bundle::LoadedBundle,
    json::Json,
    module_graph::EdgeTarget,
    ports::{BundleRequest, OpenRequest, RunError},
};
use mangrove_engine::{EngineSession, Limits};
use mangrove_infra::bundler::embedded::bundle_in_process;
use mangrove_sources::{parse::parse_module, parser::JsxRuntime};
use mangrove_testkit::{
    graphs::{module_graph, path},
    requests::{open_model, unchecked_call},
};

use crate::{deno, sandbox::Sandbox};

/// What each snippet is asked for.
const CHECK: &str = "export const check = async () => JSON.stringify(await result());\n";

/// Snippets by name, or what they import.
fn files(directory: &str) -> BTreeMap<String, String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cli/snippets").join(directory);
    let entries = fs::read_dir(directory).expect("the snippets are there").map(|entry| entry.expect("an entry").path());
    let files = entries.filter(|path| path.is_file());
    files.map(|path| (name(&path), fs::read_to_string(&path).expect("UTF-8"))).collect()
}

fn name(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}

/// What the embedded engine makes of a snippet that lies in a directory, or why it makes nothing of it.
fn embedded(snippet: &str, all: &BTreeMap<String, String>, directory: &Path) -> Result<String, String> {
    let entry = format!("import {{ result }} from \"./{snippet}\";\n{CHECK}");
    let mut files = vec![("entry.ts", entry.as_str())];
    files.extend(all.iter().map(|(name, text)| (name.as_str(), text.as_str())));
    let behind = ["", "?x=1", "#part", "?raw"];
    let named = all.keys().flat_map(|name| behind.map(|address| (format!("./{name}{address}"), name)));
    let specifiers: Vec<(String, &String)> = named.collect();
    let mut edges = vec![("optional_files.ts", "./nowhere.ts", EdgeTarget::Missing)];
    for (importer, _) in &files {
        edges.extend(
            specifiers.iter().map(|(specifier, name)| (*importer, specifier.as_str(), EdgeTarget::File(path(name)))),
        );
    }
    let parsed = files.iter().map(|(name, text)| (*name, parse_module(name, text.as_bytes())));
    let data: Vec<(&str, String)> = parsed
        .flat_map(|(name, module)| {
            let of_jsx = match module.jsx {
                Some(JsxRuntime::Below(source)) => Some(format!("{source}/jsx-runtime")),
                Some(JsxRuntime::Configured | JsxRuntime::Automatic) | None => None,
            };
            let specifiers = module.imports.into_iter().map(|import| import.specifier).chain(of_jsx);
            specifiers.map(move |specifier| (name, specifier))
        })
        .filter(|(_, specifier)| specifier.starts_with("data:"))
        .collect();
    edges.extend(data.iter().map(|(name, address)| (*name, address.as_str(), EdgeTarget::External(address.clone()))));
    let request = BundleRequest {
        graph: module_graph(&files, &edges),
        imports: BTreeMap::new(),
        offers: BTreeMap::new(),
        inlined: Vec::new(),
    };
    let bundle =
        bundle_in_process(&request).map_err(|failure| format!("{} {:?}", failure.fault, failure.diagnostics))?;
    let needs = bundle.requirements.join(", ");
    let bundle = LoadedBundle { code: Arc::from(bundle.code), vendor_files: Vec::new() };
    let root_directory = Some(directory.to_owned());
    let request = OpenRequest { export_name: "check".to_owned(), root_directory, ..open_model(bundle) };
    let said = |error: RunError| format!("{error:?} (needs: {needs})");
    let mut session = EngineSession::open(&request, &Limits::default()).map_err(said)?;
    let call = unchecked_call(Vec::new(), Json::Null, Json::object::<&str>([]));
    match session.call(&call, &mut |call| Err(format!("{} is not there", call.function))) {
        Ok(Json::String(text)) => Ok(text),
        Ok(other) => Err(format!("it gave {other}")),
        Err(error) => Err(said(error)),
    }
}

/// What Deno makes of all snippets, which lie in a directory with the files that they import, each by its name.
fn in_deno(deno: &Path, snippets: &BTreeMap<String, String>, directory: &Path) -> BTreeMap<String, String> {
    let mut main = String::from("const all = {};\n");
    for name in snippets.keys() {
        main.push_str(&format!(
            "try {{ const {{ result }} = await import(\"./{name}\"); all[\"{name}\"] = JSON.stringify(await result()); }}\n\
             catch (error) {{ all[\"{name}\"] = \"threw \" + error; }}\n"
        ));
    }
    main.push_str("console.log(JSON.stringify(all));\n");
    fs::write(directory.join("main.ts"), main).expect("a file");
    let mut command = Command::new(deno);
    command.args(["run", "--quiet", "--no-config", "--no-lock", "--unstable-raw-imports", "--allow-read=.", "main.ts"]);
    command.current_dir(directory).env("DENO_DIR", directory.join("cache")).env("NO_COLOR", "1");
    let output = command.output().expect("Deno starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn snippets_give_what_deno_gives() {
    let Some(deno) = deno::real() else { return };
    let (snippets, files) = (files(""), files("files"));
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path().canonicalize().expect("a path").join("a place#1");
    fs::create_dir(&directory).expect("a directory");
    for (name, text) in snippets.iter().chain(&files) {
        fs::write(directory.join(name), text).expect("a file");
    }
    let expected = in_deno(&deno, &snippets, &directory);
    let all: BTreeMap<String, String> = snippets.iter().chain(&files).map(|(k, v)| (k.clone(), v.clone())).collect();
    let mut differences = Vec::new();
    for name in snippets.keys() {
        let found = embedded(name, &all, &directory);
        match found {
            Ok(found) if found == expected[name] => {}
            Ok(found) => differences.push(format!("{name}\n  Deno     {}\n  embedded {found}", expected[name])),
            Err(error) => differences.push(format!("{name}\n  Deno     {}\n  embedded fails: {error}", expected[name])),
        }
    }
    assert!(snippets.len() >= 70, "{} snippets", snippets.len());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Reads a file beside itself, in a module that the entry imports.
const BESIDE: &str = "
//- /lib/beside/reader.ts
export const where = () => [import.meta.url, import.meta.filename, import.meta.dirname, import.meta.main];
export const beside = () => Deno.readTextFileSync(new URL(\"./beside.txt\", import.meta.url));
//- /lib/beside/beside.txt
what lies beside it
//- /extensions/models/told.ts
import { beside, where } from \"../../lib/beside/reader.ts\";
const anything = () => ({ _def: {}, parse: (value) => value, safeParse: (value) => ({ success: true, data: value }), toJSONSchema: () => ({ type: \"object\" }) });
const saying = (what) => ({ description: \"Says it\", arguments: anything(), execute: async (_args, context) => { context.logger.info(`<<${await what()}>>`); return { dataHandles: [] }; } });
export const model = { type: \"@acme/told\", version: \"2026.05.23.1\", methods: { where: saying(() => where().join(\" \")), read: saying(beside) } };
//- /models/@acme/told/11111111-1111-4111-8111-111111111111.yaml
id: 11111111-1111-4111-8111-111111111111
type: \"@acme/told\"
name: told
version: 1
globalArguments: {}
methods: {}
";

/// The names of all files below a directory, sorted.
fn names_below(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    let mut names: Vec<String> =
        entries.flat_map(|path| if path.is_dir() { names_below(&path) } else { vec![name(&path)] }).collect();
    names.sort();
    names
}

#[test]
fn a_module_finds_the_file_beside_it_wherever_the_repository_lies() {
    let deno = deno::real();
    let mut bundles = Vec::new();
    for _ in 0..2 {
        let sandbox = Sandbox::new(BESIDE);
        let root = sandbox.tree.root().canonicalize().expect("a path");
        let said = |program: &Path, method: &str| {
            let mut command = sandbox.command();
            command.env("PATH", "/nowhere").env("MANGROVE_DENO", program).args(["model", "run", "told", method]);
            let output = command.output().expect("the program starts");
            let text =
                format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            let said = text.split_once("<<").and_then(|(_, rest)| rest.split_once(">>"));
            said.map(|(said, _)| said.trim_end().to_owned()).ok_or(text)
        };
        let file = root.join("lib/beside/reader.ts");
        let expected = format!("file://{0} {0} {1} false", file.display(), root.join("lib/beside").display());
        assert_eq!(said(Path::new("/nowhere/deno"), "where").as_deref(), Ok(expected.as_str()));
        let refused = said(Path::new("/nowhere/deno"), "read").expect_err("there is no Deno");
        assert!(refused.contains("MG0225"), "{refused}");
        if let Some(deno) = &deno {
            assert_eq!(said(deno, "where").as_deref(), Ok(expected.as_str()));
            assert_eq!(said(deno, "read").as_deref(), Ok("what lies beside it"));
        }
        bundles.push(names_below(&sandbox.tree.path(".mangrove/bundles")));
    }
    assert_eq!(bundles[0], bundles[1], "the same sources give the same bundle in two checkouts");
}
