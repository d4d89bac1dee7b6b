use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::symlink},
    path::PathBuf,
    time::{Duration, Instant},
};

use mangrove_domain::{ports::FileStamp, problem::Code};

use super::*;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join("repository").join(path)
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let file = self.path(path);
        fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
        fs::write(file, text).expect("a file");
    }

    fn link(&self, path: &str, target: &str) {
        fs::create_dir_all(self.path(path).parent().expect("a parent")).expect("a directory");
        symlink(target, self.path(path)).expect("a link");
    }

    fn files(&self) -> DiskFiles {
        DiskFiles::new(self.path(""))
    }

    fn list(&self, directories: &[&str]) -> FileList {
        runtime().block_on(self.files().list(directories, &[".yaml"])).expect("a list")
    }
}

#[test]
fn keeps_the_contract() {
    let folder = Folder::new();
    for (path, text) in mangrove_testkit::contract::REPOSITORY_FILES {
        folder.write(path, text);
    }
    runtime().block_on(mangrove_testkit::contract::repository_files(&folder.files()));
}

#[test]
fn names_and_texts_that_are_not_utf_8_are_told() {
    let folder = Folder::new();
    folder.write("models/a.yaml", [0xff, 0xfe]);
    fs::write(folder.path("models").join(OsStr::from_bytes(b"b\xff.yaml")), "").expect("a file");
    folder.link("models/c.yaml", "nowhere");
    assert_eq!(folder.list(&["models"]).paths, ["models/a.yaml", "models/b\u{fffd}.yaml", "models/c.yaml"]);
    for (path, code) in [("models/b\u{fffd}.yaml", Code::NAME_NOT_UTF8), ("models/c.yaml", Code::UNREADABLE)] {
        assert_eq!(runtime().block_on(folder.files().read(path)).expect_err("not readable").fault.code, code);
    }
    let error = runtime().block_on(folder.files().read("models/a.yaml")).expect_err("not UTF-8").to_string();
    assert_eq!(error, "cannot read models/a.yaml: not UTF-8");
    assert!(runtime().block_on(folder.files().read("../secret")).is_err());
}

#[test]
fn f02_one_file_is_one_document_however_links_lead_to_it() {
    for (link, target) in [
        ("models/again", "."),
        ("models/sub/up", ".."),
        ("models/round", "sub/up/round"),
        ("models/zz", "a.yaml"),
        ("models/0.yaml", "sub/../a.yaml"),
        ("more", "models"),
        ("more/deep/models", "../../models"),
    ] {
        let folder = Folder::new();
        folder.write("models/a.yaml", "a");
        folder.write("models/sub/b.yaml", "b");
        folder.link(link, target);
        let list = folder.list(&["more", "models"]);
        assert_eq!(list.paths, ["models/a.yaml", "models/sub/b.yaml"], "{link} -> {target}");
        assert_eq!(list.problems, [], "{link} -> {target}");
    }
}

#[test]
fn a_link_to_another_file_of_the_repository_is_followed_once() {
    let folder = Folder::new();
    folder.write("shared/x.yaml", "shared");
    folder.link("models/one.yaml", "../shared/x.yaml");
    folder.link("models/two.yaml", "../shared/x.yaml");
    assert_eq!(folder.list(&["models"]).paths, ["models/one.yaml"]);
    let text = runtime().block_on(folder.files().read("models/one.yaml")).expect("it may be read");
    assert_eq!(text.as_deref(), Some("shared"));
}

#[test]
fn f03_links_out_of_the_repository_are_not_followed() {
    let folder = Folder::new();
    folder.write("../outside/secret.yaml", "password");
    folder.write("models/a.yaml", "a");
    folder.link("models/file.yaml", "../../outside/secret.yaml");
    folder.link("models/directory", "../../outside");
    let list = folder.list(&["models"]);
    assert_eq!(list.paths, ["models/a.yaml", "models/file.yaml"]);
    let problems: Vec<_> = list.problems.iter().map(|problem| (problem.code, problem.subject.as_str())).collect();
    assert_eq!(problems, [(Code::LINK_OUTSIDE_ROOT, "models/directory")]);
    let error = runtime().block_on(folder.files().read("models/file.yaml")).expect_err("a link out");
    assert_eq!(error.fault.code, Code::LINK_OUTSIDE_ROOT);
    assert!(runtime().block_on(folder.files().read("models/directory/secret.yaml")).is_err());
}

#[test]
fn a_walk_that_finds_no_end_is_cut_and_says_so() {
    let folder = Folder::new();
    for number in 0..20 {
        folder.write(&format!("models/{number}/a.yaml"), "a");
    }
    let files = folder.files().within(Bounds { directories: 5, ..Bounds::default() });
    let list = runtime().block_on(files.list(&["models"], &[".yaml"])).expect("a list");
    assert_eq!(list.paths.len(), 4, "the first directory has the others");
    let problem = list.problems.first().expect("a problem");
    assert_eq!(problem.code, Code::WALK_CUT);
    assert_eq!(problem.message, "not every file was found: there are more than 5 directories");
}

/// Longer than the clock of any file system needs to go on.
const PATIENCE: Duration = Duration::from_secs(10);

impl Folder {
    /// Files whose clock is probed, so that they are known again soon.
    fn probing(&self) -> DiskFiles {
        fs::create_dir_all(self.path(".state")).expect("a directory");
        self.files().probing_in(self.path(".state"))
    }
}

/// Something that happens in a folder.
type Change = fn(&Folder);

fn read_one(files: &DiskFiles, path: &str, stamp: Option<FileStamp>) -> FileReading {
    let known = KnownFile { path: path.to_owned(), stamp };
    runtime().block_on(files.read_changed(vec![known])).pop().expect("one answer")
}

/// Reads a file until it is known again by its stamp.
fn settled(files: &DiskFiles, path: &str) -> FileStamp {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let FileReading::Text { stamp: Some(stamp), .. } = read_one(files, path, None) {
            return stamp;
        }
    }
    panic!("{path} is never known again");
}

#[test]
fn what_has_not_changed_is_not_read_again_and_what_has_is() {
    let folder = Folder::new();
    folder.write("models/a.yaml", "one");
    folder.write("models/b.yaml", "b");
    let files = folder.probing();
    let stamp = settled(&files, "models/a.yaml");
    assert!(matches!(read_one(&files, "models/a.yaml", Some(stamp)), FileReading::Unchanged));
    // Of the same size, and as old.
    let modified = folder.path("models/a.yaml").metadata().and_then(|known| known.modified()).expect("a time");
    folder.write("models/a.yaml", "two");
    let file = fs::File::options().write(true).open(folder.path("models/a.yaml")).expect("opens");
    file.set_modified(modified).expect("a time");
    let FileReading::Text { text, .. } = read_one(&files, "models/a.yaml", Some(stamp)) else { panic!("not read") };
    assert_eq!(text, "two");
    fs::rename(folder.path("models/b.yaml"), folder.path("models/a.yaml")).expect("another takes its place");
    let FileReading::Text { text, .. } = read_one(&files, "models/a.yaml", Some(stamp)) else { panic!("not read") };
    assert_eq!(text, "b");
    fs::remove_file(folder.path("models/a.yaml")).expect("removed");
    assert!(matches!(read_one(&files, "models/a.yaml", Some(stamp)), FileReading::Absent));
    folder.link("models/a.yaml", "../../outside.yaml");
    folder.write("../outside.yaml", "password");
    let FileReading::Failed(error) = read_one(&files, "models/a.yaml", Some(stamp)) else { panic!("it leads out") };
    assert_eq!(error.fault.code, Code::LINK_OUTSIDE_ROOT);
}

#[test]
fn what_is_written_in_the_same_instant_is_never_taken_for_unchanged() {
    for with_probe in [true, false] {
        let folder = Folder::new();
        let files = if with_probe { folder.probing() } else { folder.files() };
        let mut stamp = None;
        for number in 100..600 {
            folder.write("models/a.yaml", number.to_string());
            match read_one(&files, "models/a.yaml", stamp) {
                FileReading::Text { text, stamp: new } => {
                    assert_eq!(text, number.to_string());
                    stamp = new;
                }
                other => panic!("{number} was written, and the answer is {other:?}"),
            }
        }
    }
}

#[test]
fn a_list_holds_until_a_directory_of_it_changes() {
    let folder = Folder::new();
    folder.write("models/sub/a.yaml", "a");
    let files = folder.probing();
    let listed =
        |files: &DiskFiles| runtime().block_on(files.list(&["models", "missing"], &[".yaml"])).expect("a list");
    let holds = |list: &FileList| runtime().block_on(files.is_listed_so(list));
    let settled = || {
        let end = Instant::now() + PATIENCE;
        loop {
            let list = listed(&files);
            if holds(&list) {
                return list;
            }
            assert!(Instant::now() < end, "a list never holds: {list:?}");
        }
    };
    let changes: [(&str, Change); 5] = [
        ("a new file", |folder| folder.write("models/sub/b.yaml", "b")),
        ("a renamed file", |folder| {
            fs::rename(folder.path("models/sub/b.yaml"), folder.path("models/sub/c.yaml")).expect("renamed");
        }),
        ("a removed file", |folder| fs::remove_file(folder.path("models/sub/c.yaml")).expect("removed")),
        ("a directory that was missing", |folder| folder.write("missing/d.yaml", "d")),
        ("a link", |folder| folder.link("models/sub/e.yaml", "../../missing/d.yaml")),
    ];
    for (what, change) in changes {
        let before = settled();
        change(&folder);
        assert!(!holds(&before), "{what}");
    }
    assert!(!holds(&listed(&files)), "what a link leads to changes with nothing that was listed");
}

#[test]
fn a_list_does_not_hold_once_a_directory_above_was_moved_and_linked() {
    let folder = Folder::new();
    folder.write("extensions/kept/workflows/a.yaml", "a");
    let files = folder.probing();
    let list = || {
        let listed = files.list(&["extensions/kept/workflows"], &[".yaml"]);
        runtime().block_on(listed).expect("a list")
    };
    let holds = |list: &FileList| runtime().block_on(files.is_listed_so(list));
    let end = Instant::now() + PATIENCE;
    let before = loop {
        let list = list();
        if holds(&list) {
            break list;
        }
        assert!(Instant::now() < end, "a list never holds: {list:?}");
    };
    fs::rename(folder.path("extensions"), folder.path("../moved")).expect("moved");
    folder.link("extensions", "../moved");
    assert!(!holds(&before));
    assert_eq!(list().problems.len(), 1, "it leads out of the repository");
    fs::remove_file(folder.path("extensions")).expect("removed");
    fs::rename(folder.path("../moved"), folder.path("elsewhere")).expect("moved");
    folder.link("extensions", "elsewhere");
    let inside = list();
    assert_eq!(inside.paths, ["extensions/kept/workflows/a.yaml"]);
    assert!(!holds(&inside), "another place of the link shows in no directory that was listed");
}

#[test]
fn a_list_of_the_same_instant_does_not_hold() {
    let folder = Folder::new();
    folder.write("models/first.yaml", "");
    let files = folder.probing();
    for number in 0..300 {
        let before = runtime().block_on(files.list(&["models"], &[".yaml"])).expect("a list");
        folder.write(&format!("models/{number}.yaml"), "");
        assert!(!runtime().block_on(files.is_listed_so(&before)), "{number}");
    }
}
