//! The marker and the settings of a repository: what is wrong in them is told with its place, and takes nothing away.

use crate::{fixtures::model, sandbox::Sandbox};

const A: &str = "extensions/models/a.ts";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new("");
    sandbox.write(A, &model("@acme/a"));
    sandbox.scan(&[]);
    sandbox
}

#[test]
fn a_misspelt_directory_takes_nothing_away() {
    let sandbox = sandbox();
    sandbox.write("mangrove.yaml", "repoId: test\nmodelsDir: extensions/modles\n");
    let scan = sandbox.scan(&[]);
    assert_eq!(scan.source(A)["state"], "Indexed");
    assert_eq!(scan.source(A)["verdict"], "MissingDirectory");
    let told = sandbox.run(&["scan"]).to_string();
    assert!(told.contains("MG0408") && told.contains("mangrove.yaml:2:12"), "{told}");
    assert_eq!(sandbox.run(&["scan", "--strict"]).code, 1, "somebody has to look");

    sandbox.write("mangrove.yaml", "repoId: test\n");
    assert_eq!(sandbox.scan(&[]).built(), 0);
    std::fs::remove_dir_all(sandbox.tree.path("extensions")).expect("it is there");
    assert!(sandbox.scan(&[]).states().is_empty(), "nobody names the directory: its files were deleted");
}

#[test]
fn a_marker_of_the_wrong_form_is_refused_with_its_place() {
    let sandbox = sandbox();
    for (text, expected) in [
        ("- repoId\n", "mangrove.yaml:1:1: the file must be a mapping, found list"),
        ("repoId: [a]\n", "mangrove.yaml:1:9: `repoId` must be a string, found list"),
        ("repoId: test\nmodelsDir: 3\n", "mangrove.yaml:2:12: `modelsDir` must be a string, found number"),
        ("repoId: test\nmodelsDir: ''\n", "mangrove.yaml:2:12: `modelsDir` must be a string, found an empty string"),
        ("repoId: test\nmodelsDir: ../elsewhere\n", "modelsDir: the directory of models must lie inside"),
        ("repoId: \"test\n", "MG0602"),
    ] {
        sandbox.write("mangrove.yaml", text);
        let output = sandbox.run(&["scan"]);
        assert_eq!(output.code, 2, "{text}: {}", output.stderr);
        assert!(output.stderr.contains(expected), "{text}: {}", output.stderr);
    }
    sandbox.write("mangrove.yaml", "");
    assert_eq!(sandbox.scan(&[]).source(A)["state"], "Indexed", "an empty marker is a marker");
}
