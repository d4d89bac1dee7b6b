//! A repository that brings a state directory with links in it: nothing outside is written, swept or removed.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::{
    fixtures::{model, model_with},
    sandbox::{Output, Sandbox},
};

/// A repository with a model.
fn repository() -> Sandbox {
    let sandbox = Sandbox::new("");
    sandbox.write("extensions/models/a.ts", &model("@acme/a"));
    sandbox
}

/// A directory of the user with an old file. A link in the state directory leads to it.
fn linked(sandbox: &Sandbox, link: &str) -> tempfile::TempDir {
    let outside = tempfile::tempdir().expect("a directory");
    let diary = outside.path().join("diary");
    fs::write(&diary, "dear diary").expect("a file");
    let long_ago = SystemTime::now() - Duration::from_hours(24 * 30);
    fs::File::options().write(true).open(&diary).and_then(|file| file.set_modified(long_ago)).expect("made old");
    let path: PathBuf = sandbox.tree.path(format!(".mangrove/{link}"));
    if path.exists() {
        fs::remove_dir_all(&path).expect("removed");
    }
    fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
    symlink(outside.path(), &path).expect("a link");
    outside
}

fn untouched(outside: &Path) {
    let names: Vec<_> =
        fs::read_dir(outside).expect("a listing").map(|entry| entry.expect("read").file_name()).collect();
    assert_eq!(names, ["diary"]);
    assert_eq!(fs::read_to_string(outside.join("diary")).expect("a file"), "dear diary");
}

fn refused(output: &Output, link: &str) {
    let told = format!("{}{}", output.stdout, output.stderr);
    assert!(told.contains("MG0422") && told.contains(link), "{output}");
}

#[test]
fn f03_a_repair_sweeps_nothing_through_a_link() {
    let sandbox = repository();
    // The rest of the state is in order, as whoever made the repository may have seen to.
    sandbox.scan(&[]);
    let outside = linked(&sandbox, "bundles/tmp");
    refused(&sandbox.run(&["doctor", "--repair", "--apply"]), ".mangrove/bundles/tmp");
    refused(&sandbox.run(&["cache", "prune"]), ".mangrove/bundles/tmp");
    untouched(outside.path());
}

#[test]
fn f03_a_scan_writes_nothing_through_a_link_and_heals_without_it() {
    let sandbox = repository();
    let outside = linked(&sandbox, "bundles/tmp");
    refused(&sandbox.run(&["scan"]), ".mangrove/bundles/tmp");
    untouched(outside.path());
    fs::remove_file(sandbox.tree.path(".mangrove/bundles/tmp")).expect("removed");
    assert_eq!(sandbox.scan(&[]).source("extensions/models/a.ts")["state"], "Indexed");
}

#[test]
fn f03_a_method_stores_nothing_through_a_link() {
    let id = "11111111-1111-4111-8111-111111111111";
    let sandbox = repository();
    let outside = linked(&sandbox, &format!("data/{id}/state"));
    let resources = "resources: { state: { schema: schema(), lifetime: \"infinite\", garbageCollection: 1 } },";
    let source = model_with("", "@acme/a", resources);
    let body = "await context.writeResource(\"state\", \"zone\", { a: 1 });";
    sandbox.write("extensions/models/a.ts", &source.replace("context.logger", &format!("{body} context.logger")));
    sandbox.write(&format!("models/@acme/a/{id}.yaml"), &format!("id: {id}\nname: a\nversion: 1\n"));
    let output = sandbox.run(&["model", "run", "a", "greet"]);
    assert_ne!(output.code, 0, "{output}");
    assert!(output.to_string().contains(&format!("data/{id}/state is a symbolic link")), "{output}");
    untouched(outside.path());
}
