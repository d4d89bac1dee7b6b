use std::path::Path;

use mangrove_domain::{
    failure::{FailureClass, Fault},
    problem::Code,
};
use mangrove_testkit::registry::FakePackage;

use super::{World, prepare, walk};
use crate::archive::{Bounds, UnpackError, unpack, unpack_some};

fn package() -> FakePackage {
    FakePackage::new("x", "1.0.0")
}

fn try_unpack(archive: &[u8], destination: Option<&Path>) -> Result<(), Fault> {
    Ok(unpack("x@1.0.0", archive, destination, Bounds::default())?)
}

#[test]
fn nothing_leaves_its_folder() {
    let hostile = [
        ("upward", package().raw_file("package/../../evil.js", b"1")),
        ("upward at once", package().raw_file("../evil.js", b"1")),
        ("absolute", package().raw_file("/tmp/mangrove-evil.js", b"1")),
        (
            "symbolic link out",
            package().raw_symlink("package/link", "../../outside").raw_file("package/link/evil", b"1"),
        ),
        ("absolute link", package().raw_symlink("package/link", "/etc")),
        ("link to the folder above", package().raw_symlink("package/link", "..")),
        ("hard link out", package().raw_hard_link("package/link", "../etc/passwd")),
        ("absolute hard link", package().raw_hard_link("package/link", "/etc/passwd")),
        ("pipe", package().raw_pipe("package/pipe")),
        ("file as directory", package().file("a", "1").file("a/b", "2")),
    ];
    for (what, archive) in hostile {
        let outside = tempfile::tempdir().unwrap();
        let destination = outside.path().join("deep").join("inside");
        let fault = try_unpack(&archive.archive(), Some(&destination)).expect_err(what);
        assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::PACKAGE_MALFORMED), "{what}");
        let mut files = Vec::new();
        walk(outside.path(), &mut files);
        assert!(files.iter().all(|file| file.starts_with(&destination)), "{what}: {files:?}");
    }
    assert!(!Path::new("/tmp/mangrove-evil.js").exists());
}

#[test]
fn links_inside_are_left_out() {
    let archive = package()
        .file("a.js", "1")
        .raw_symlink("package/lib/b.js", "../a.js")
        .raw_hard_link("package/c.js", "package/a.js");
    let directory = tempfile::tempdir().unwrap();
    try_unpack(&archive.archive(), Some(directory.path())).unwrap();
    assert_eq!(std::fs::read_to_string(directory.path().join("a.js")).unwrap(), "1");
    assert!(!directory.path().join("lib").exists() && !directory.path().join("c.js").exists());
}

#[test]
fn archives_have_bounds() {
    let archive = package().file("a.js", &"x".repeat(5_000)).archive();
    let directory = tempfile::tempdir().unwrap();
    let narrow = |entries, bytes| unpack("x@1.0.0", &archive, Some(directory.path()), Bounds { entries, bytes });
    assert!(matches!(narrow(10, 4_000), Err(UnpackError::TooLarge { .. })));
    assert!(matches!(narrow(1, 10_000), Err(UnpackError::TooLarge { .. })));
    narrow(2, 10_000).unwrap();
}

#[test]
fn cut_and_wild_bytes_are_no_archive() {
    let archive = package().file("a.js", &"some text ".repeat(2_000)).archive();
    for length in 0..archive.len() {
        let outcome = try_unpack(&archive[..length], None);
        assert!(outcome.is_err(), "{length} of {} bytes pass", archive.len());
    }
    try_unpack(&archive, None).unwrap();
    try_unpack(b"no archive at all", None).unwrap_err();
}

#[tokio::test]
async fn a_hostile_package_fails_alone_and_leaves_nothing() {
    let world = World::new();
    world.registry.publish(FakePackage::new("evil", "1.0.0").raw_file("package/../../../../evil.js", b"1"));
    let packages = world.packages();
    let fault = prepare(&packages, &["npm:evil@1"]).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::PACKAGE_MALFORMED));
    assert!(fault.message.contains("evil@1.0.0") && fault.message.contains("leads upward"), "{}", fault.message);
    assert!(world.cached_files().is_empty(), "{:?}", world.cached_files());
    prepare(&packages, &["npm:zod@4"]).await.unwrap();
}

#[test]
fn what_is_not_wanted_is_read_and_not_written() {
    let directory = tempfile::tempdir().unwrap();
    let archive = package().file("a.js", "1").file("deep/b.d.ts", "22").archive();
    let unpack = |destination, bounds| {
        let is_wanted = |path: &Path| !path.ends_with("b.d.ts");
        unpack_some("x@1.0.0", &archive, Some(destination), bounds, is_wanted)
    };
    unpack(directory.path(), Bounds::default()).unwrap();
    let mut files = Vec::new();
    walk(directory.path(), &mut files);
    let names: Vec<_> = files.iter().filter_map(|file| file.strip_prefix(directory.path()).ok()).collect();
    assert!(names.contains(&Path::new("a.js")) && !names.iter().any(|name| name.starts_with("deep")), "{names:?}");
    let narrow = Bounds { bytes: 1, ..Bounds::default() };
    let other = tempfile::tempdir().unwrap();
    assert!(matches!(unpack(other.path(), narrow), Err(UnpackError::TooLarge { .. })), "its bytes count");
}
