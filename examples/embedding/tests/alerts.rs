//! The program, started as its users start it.

use std::{fs, path::Path, process::Command};

use tempfile::TempDir;

fn alert(name: &str) -> String {
    format!(
        "export const alert = {{ \"type\": \"@team/{name}\", \"metric\": \"{name}.used\", \"urgency\": \"page\" }};\n"
    )
}

fn repository(alerts: &[(&str, String)]) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("mangrove.yaml"), "repoId: 00000000-0000-4000-8000-00000000a1e7\n")
        .expect("a marker");
    for (name, text) in alerts {
        write(&directory, name, text);
    }
    directory
}

fn write(repository: &TempDir, name: &str, text: &str) {
    let folder = repository.path().join("extensions/alerts");
    fs::create_dir_all(&folder).expect("a directory");
    fs::write(folder.join(name), text).expect("an alert");
}

/// Whether the program ended well, and what it printed.
fn list(repository: &Path) -> (bool, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_mangrove-embedding")).arg(repository).output().expect("the program starts");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    (output.status.success(), String::from_utf8(output.stdout).expect("text"))
}

#[test]
fn an_alert_can_be_used_at_the_first_start_and_at_the_next() {
    let repository = repository(&[("disk.ts", alert("disk"))]);
    for start in 1..=2 {
        assert_eq!(list(repository.path()), (true, "@team/disk\n".to_owned()), "start {start}");
    }
}

#[test]
fn broken_alerts_do_not_affect_others_and_heal() {
    let repository = repository(&[
        ("disk.ts", alert("disk")),
        ("import.ts", format!("import 'npm:zod@4';\n{}", alert("import"))),
        ("load.ts", alert("load").replace("page", "shout")),
        ("text.ts", "export const alert = { unquoted: 1 };\n".to_owned()),
    ]);
    let (is_healthy, text) = list(repository.path());
    assert!(!is_healthy);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "@team/disk", "{text}");
    assert_eq!(
        lines[1],
        "extensions/alerts/import.ts cannot be used: extensions/alerts/import.ts:1:8: cannot import \"npm:zod@4\": this \
         program uses no packages"
    );
    assert_eq!(
        lines[2],
        "extensions/alerts/load.ts cannot be used: urgency: expected one of page, ticket, found \"shout\" (export in line 1)"
    );
    assert!(lines[3].starts_with("extensions/alerts/text.ts cannot be used: "), "{text}");
    assert!(lines[3].contains("the export `alert` is not JSON"), "{text}");

    for name in ["import", "load", "text"] {
        write(&repository, &format!("{name}.ts"), &alert(name));
    }
    let all = "@team/disk\n@team/import\n@team/load\n@team/text\n";
    assert_eq!(list(repository.path()), (true, all.to_owned()));
}

#[test]
fn a_damaged_catalog_is_set_aside_and_filled_again() {
    let repository = repository(&[("disk.ts", alert("disk"))]);
    list(repository.path());
    let state = repository.path().join(".mangrove");
    fs::write(state.join("catalog.db"), "not a database").unwrap();
    // The rows may all be in the log of the database.
    for name in ["catalog.db-wal", "catalog.db-shm", "seal"] {
        fs::remove_file(state.join(name)).ok();
    }
    let (is_healthy, text) = list(repository.path());
    assert!(is_healthy && text.starts_with("@team/disk\n") && text.contains("catalog.db: was damaged"), "{text}");
}
