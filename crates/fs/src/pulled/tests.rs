use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
};

use mangrove_domain::{
    digest::Digest,
    ports::{Placement, Removal},
    pulled::{FileMode, PackageFile},
};

use super::*;

const LOCKFILE: &str = "extensions/models/upstream_extensions.json";

struct Scene(tempfile::TempDir);

impl Scene {
    fn new() -> Self {
        let scene = Self(tempfile::tempdir().expect("a directory"));
        fs::create_dir_all(scene.path("extensions/models")).expect("a directory");
        scene
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    fn pulled(&self, below: &str) -> PathBuf {
        self.path(DIRECTORY).join(below)
    }

    fn write(&self, below: &str, text: &str) {
        let path = self.path(below);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, text).expect("a file");
    }

    fn disk(&self) -> DiskPulledExtensions {
        DiskPulledExtensions::new(self.0.path(), self.0.path(), vec![LOCKFILE.to_owned()])
    }

    /// Every file below the repository with its text.
    fn files(&self) -> BTreeMap<String, String> {
        fn walk(root: &Path, directory: &Path, files: &mut BTreeMap<String, String>) {
            for entry in fs::read_dir(directory).expect("a list") {
                let path = entry.expect("an entry").path();
                if path.is_dir() && !path.is_symlink() {
                    walk(root, &path, files);
                } else {
                    let name = path.strip_prefix(root).expect("below").display().to_string();
                    files.insert(name, fs::read_to_string(&path).unwrap_or_default());
                }
            }
        }
        let mut files = BTreeMap::new();
        walk(self.0.path(), self.0.path(), &mut files);
        files
    }

    fn names(&self) -> Vec<String> {
        self.files().into_keys().collect()
    }
}

fn path(text: &str) -> RelativePath {
    RelativePath::parse(text).expect("a path")
}

fn placement(name: &str, files: &[(&str, &str)]) -> Placement {
    let file = |(name, text): &(&str, &str)| {
        let mode = if *name == "manifest.yaml" { FileMode::ReadOnly } else { FileMode::Usual };
        (path(name), PackageFile { bytes: text.as_bytes().into(), mode })
    };
    Placement {
        name: name.to_owned(),
        files: files.iter().map(file).collect(),
        nested: Vec::new(),
        only_missing: false,
    }
}

fn run(disk: &DiskPulledExtensions, update: &Update) -> Result<(), UpdateError> {
    update::carry_out(disk, update)
}

#[test]
fn an_extension_takes_its_place_as_a_whole_and_the_lockfile_follows() {
    let scene = Scene::new();
    let first = Update {
        places: vec![placement("@acme/dns", &[("manifest.yaml", "1"), ("models/a.ts", "old"), ("models/b.ts", "b")])],
        lockfile: Some("one".to_owned()),
        ..Update::default()
    };
    run(&scene.disk(), &first).expect("placed");
    let mode = fs::metadata(scene.pulled("@acme/dns/manifest.yaml")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o222, 0, "the manifest is not to be changed");
    let program = PackageFile { bytes: b"#!".as_slice().into(), mode: FileMode::Executable };
    let mut next = placement("@acme/dns", &[("manifest.yaml", "2"), ("models/a.ts", "new")]);
    next.files.insert(path("files/tool"), program);
    let second = Update {
        expected: Some("one".to_owned()),
        places: vec![next],
        lockfile: Some("two".to_owned()),
        ..Update::default()
    };
    run(&scene.disk(), &second).expect("placed");
    assert_eq!(
        scene.names(),
        [
            ".swamp/pulled-extensions/@acme/dns/files/tool",
            ".swamp/pulled-extensions/@acme/dns/manifest.yaml",
            ".swamp/pulled-extensions/@acme/dns/models/a.ts",
            LOCKFILE,
        ]
    );
    assert_eq!(fs::read_to_string(scene.pulled("@acme/dns/models/a.ts")).expect("a file"), "new");
    let mode = fs::metadata(scene.pulled("@acme/dns/files/tool")).expect("a file").permissions().mode();
    assert_ne!(mode & 0o100, 0);
    assert_eq!(fs::read_to_string(scene.path(LOCKFILE)).expect("a file"), "two");
}

#[test]
fn nothing_is_changed_if_somebody_else_changed_the_lockfile() {
    let scene = Scene::new();
    scene.write(LOCKFILE, "theirs");
    let before = scene.files();
    let update = Update {
        expected: Some("ours".to_owned()),
        places: vec![placement("@acme/dns", &[("manifest.yaml", "1")])],
        lockfile: Some("new".to_owned()),
        ..Update::default()
    };
    assert!(matches!(run(&scene.disk(), &update), Err(UpdateError::Moved)));
    assert_eq!(scene.files(), before);
}

#[test]
fn what_fails_in_the_middle_leaves_everything_as_it_was() {
    let scene = Scene::new();
    scene.write(".swamp/pulled-extensions/@acme/dns/models/a.ts", "old");
    scene.write(".swamp/pulled-extensions/@acme/gone/models/g.ts", "g");
    // Where the third one is to lie is a file.
    scene.write(".swamp/pulled-extensions/@acme/taken", "mine");
    let before = scene.files();
    let update = Update {
        places: vec![
            placement("@acme/dns", &[("models/a.ts", "new")]),
            placement("@acme/other", &[("models/o.ts", "new")]),
            placement("@acme/taken", &[("models/t.ts", "new")]),
        ],
        removals: vec![Removal {
            name: "@acme/gone".to_owned(),
            files: [path("models/g.ts")].into(),
            beside: BTreeSet::new(),
        }],
        lockfile: Some("new".to_owned()),
        ..Update::default()
    };
    assert!(matches!(run(&scene.disk(), &update), Err(UpdateError::Failed(_))));
    assert_eq!(scene.files(), before);
    // The lockfile cannot be written: the last thing that can go wrong.
    fs::create_dir_all(scene.path(LOCKFILE)).expect("a directory");
    let disk = DiskPulledExtensions::new(scene.0.path(), scene.0.path(), vec!["extensions/models/other/..".to_owned()]);
    let update = Update { places: update.places[..2].to_vec(), ..update };
    assert!(run(&disk, &update).is_err());
    assert_eq!(scene.files(), before);
}

#[test]
fn f03_nothing_is_placed_or_removed_through_a_link() {
    let scene = Scene::new();
    let outside = tempfile::tempdir().expect("a directory");
    fs::write(outside.path().join("diary"), "dear diary").expect("a file");
    fs::create_dir_all(scene.pulled("")).expect("a directory");
    symlink(outside.path(), scene.pulled("@acme")).expect("a link");
    symlink(outside.path(), scene.pulled("@link")).expect("a link");
    let place = |name: &str| Update {
        places: vec![placement(name, &[("models/a.ts", "new")])],
        lockfile: Some("new".to_owned()),
        ..Update::default()
    };
    for name in ["@acme/dns", "@link/x/y"] {
        assert!(run(&scene.disk(), &place(name)).is_err(), "{name}");
    }
    let removal = Removal { name: "@acme/x".to_owned(), files: [path("diary")].into(), beside: BTreeSet::new() };
    assert!(run(&scene.disk(), &Update { removals: vec![removal], ..Update::default() }).is_err());
    assert_eq!(fs::read_dir(outside.path()).expect("a list").count(), 1);
    assert!(!scene.path(LOCKFILE).exists());
}

#[test]
fn an_extension_that_is_a_link_is_missing() {
    let scene = Scene::new();
    let outside = tempfile::tempdir().expect("a directory");
    fs::write(outside.path().join("a.ts"), "theirs").expect("a file");
    fs::create_dir_all(scene.pulled("@acme")).expect("a directory");
    symlink(outside.path(), scene.pulled("@acme/dns")).expect("a link");
    let files = BTreeSet::from([path("a.ts"), path("models/b.ts")]);
    assert_eq!(scene.disk().find_missing("@acme/dns", &files).expect("it can be looked at"), files);
}

#[test]
fn an_extension_inside_of_another_one_stays() {
    let scene = Scene::new();
    scene.write(".swamp/pulled-extensions/@acme/aws/models/s3.ts", "old");
    scene.write(".swamp/pulled-extensions/@acme/aws/cost/models/c.ts", "cost");
    let nested = vec!["cost".to_owned()];
    let update = Update {
        places: vec![Placement { nested: nested.clone(), ..placement("@acme/aws", &[("models/new.ts", "new")]) }],
        ..Update::default()
    };
    run(&scene.disk(), &update).expect("placed");
    assert_eq!(
        scene.names(),
        [".swamp/pulled-extensions/@acme/aws/cost/models/c.ts", ".swamp/pulled-extensions/@acme/aws/models/new.ts",]
    );
    let found = contents::find(scene.0.path(), &scene.pulled("@acme/aws"), &nested).expect("found").expect("there");
    assert_eq!(found.files, BTreeMap::from([(path("models/new.ts"), Digest::of(b"new"))]));
    let removal =
        Removal { name: "@acme/aws".to_owned(), files: [path("models/new.ts")].into(), beside: BTreeSet::new() };
    run(&scene.disk(), &Update { removals: vec![removal], ..Update::default() }).expect("removed");
    assert_eq!(scene.names(), [".swamp/pulled-extensions/@acme/aws/cost/models/c.ts"]);
    assert!(!scene.pulled("@acme/aws/models").exists(), "empty directories go");
}

#[test]
fn extensions_of_one_change_may_lie_in_each_other() {
    for was_there in [false, true] {
        let scene = Scene::new();
        if was_there {
            scene.write(".swamp/pulled-extensions/@acme/aws/models/s3.ts", "old");
        }
        let update = Update {
            places: vec![
                placement("@acme/aws/cost", &[("models/c.ts", "cost")]),
                Placement { nested: vec!["cost".to_owned()], ..placement("@acme/aws", &[("models/s3.ts", "new")]) },
            ],
            ..Update::default()
        };
        run(&scene.disk(), &update).expect("placed");
        let files: Vec<(String, String)> = scene.files().into_iter().collect();
        let file = |name: &str, text: &str| (format!(".swamp/pulled-extensions/@acme/aws/{name}"), text.to_owned());
        assert_eq!(files, [file("cost/models/c.ts", "cost"), file("models/s3.ts", "new")], "{was_there}");
    }
}

#[test]
fn a_removal_takes_what_it_names_and_bundles_beside() {
    let scene = Scene::new();
    scene.write(".swamp/pulled-extensions/@acme/dns/models/a.ts", "a");
    scene.write(".swamp/bundles/9d92/a.js", "a");
    scene.write(".swamp/bundles/77aa/b.js", "b");
    let removal = Removal {
        name: "@acme/dns".to_owned(),
        files: [path("models/a.ts"), path("models/never.ts")].into(),
        beside: [path(".swamp/bundles/9d92/a.js")].into(),
    };
    run(&scene.disk(), &Update { removals: vec![removal], ..Update::default() }).expect("removed");
    assert_eq!(scene.names(), [".swamp/bundles/77aa/b.js"]);
    assert!(!scene.pulled("@acme").exists() && !scene.path(".swamp/bundles/9d92").exists());
}

#[test]
fn only_what_is_missing_is_filled_in() {
    let scene = Scene::new();
    scene.write(".swamp/pulled-extensions/@acme/dns/models/a.ts", "a");
    scene.write(".swamp/pulled-extensions/@acme/dns/models/mine.ts", "mine");
    let files = [("manifest.yaml", "m"), ("models/a.ts", "other"), ("models/b.ts", "b")];
    let placement = Placement { only_missing: true, ..placement("@acme/dns", &files) };
    let wanted = [path("manifest.yaml"), path("models/a.ts"), path("models/b.ts")].into();
    let missing = scene.disk().find_missing("@acme/dns", &wanted).expect("looked");
    assert_eq!(missing, [path("manifest.yaml"), path("models/b.ts")].into());
    run(&scene.disk(), &Update { places: vec![placement], ..Update::default() }).expect("filled");
    let texts: Vec<String> = scene.files().into_values().collect();
    assert_eq!(texts, ["m", "a", "b", "mine"]);
}

#[test]
fn what_a_process_left_that_was_killed_goes_with_the_next_change() {
    let scene = Scene::new();
    scene.write(".swamp/pulled-extensions/.new-abc/1/models/a.ts", "half");
    run(&scene.disk(), &Update::default()).expect("nothing to do");
    assert_eq!(scene.names(), Vec::<String>::new());
}
