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
use mangrove_testkit::{
    graphs::{module_graph, path},
    requests::{open_model, unchecked_call},
};

use crate::deno;

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

/// What the embedded engine makes of a snippet, or why it makes nothing of it.
fn embedded(snippet: &str, all: &BTreeMap<String, String>) -> Result<String, String> {
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
    let request = OpenRequest { export_name: "check".to_owned(), ..open_model(bundle) };
    let said = |error: RunError| format!("{error:?} (needs: {needs})");
    let mut session = EngineSession::open(&request, &Limits::default()).map_err(said)?;
    let call = unchecked_call(Vec::new(), Json::Null, Json::object::<&str>([]));
    match session.call(&call, &mut |call| Err(format!("{} is not there", call.function))) {
        Ok(Json::String(text)) => Ok(text),
        Ok(other) => Err(format!("it gave {other}")),
        Err(error) => Err(said(error)),
    }
}

/// What Deno makes of all snippets, each by its name.
fn in_deno(
    deno: &Path,
    snippets: &BTreeMap<String, String>,
    files: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, text) in snippets.iter().chain(files) {
        fs::write(directory.path().join(name), text).expect("a file");
    }
    let mut main = String::from("const all = {};\n");
    for name in snippets.keys() {
        main.push_str(&format!(
            "try {{ const {{ result }} = await import(\"./{name}\"); all[\"{name}\"] = JSON.stringify(await result()); }}\n\
             catch (error) {{ all[\"{name}\"] = \"threw \" + error; }}\n"
        ));
    }
    main.push_str("console.log(JSON.stringify(all));\n");
    fs::write(directory.path().join("main.ts"), main).expect("a file");
    let mut command = Command::new(deno);
    command.args(["run", "--quiet", "--no-config", "--no-lock", "--unstable-raw-imports", "--allow-read=.", "main.ts"]);
    command.current_dir(directory.path()).env("DENO_DIR", directory.path().join("cache")).env("NO_COLOR", "1");
    let output = command.output().expect("Deno starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn snippets_give_what_deno_gives() {
    let Some(deno) = deno::real() else { return };
    let (snippets, files) = (files(""), files("files"));
    let expected = in_deno(&deno, &snippets, &files);
    let all: BTreeMap<String, String> = snippets.iter().chain(&files).map(|(k, v)| (k.clone(), v.clone())).collect();
    let mut differences = Vec::new();
    for name in snippets.keys() {
        let found = embedded(name, &all);
        match found {
            Ok(found) if found == expected[name] => {}
            Ok(found) => differences.push(format!("{name}\n  Deno     {}\n  embedded {found}", expected[name])),
            Err(error) => differences.push(format!("{name}\n  Deno     {}\n  embedded fails: {error}", expected[name])),
        }
    }
    assert!(snippets.len() >= 60, "{} snippets", snippets.len());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
