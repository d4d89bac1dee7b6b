//! What registries of packages send, and what is kept of it.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    path::{Component, Path},
};

use mangrove_npm::{
    archive::{self, Bounds, Content},
    deno_lock::DenoLock,
    lock::Lock,
    packument::Packument,
    settings::{Locations, Settings},
};

const BOUNDS: Bounds = Bounds { entries: 100, bytes: 1 << 20 };

/// Whatever an archive says, nothing of it lies outside.
pub(super) fn archive(bytes: &[u8]) {
    // Damage to what is compressed hardly ever gets past its checksum.
    for bytes in [bytes.to_vec(), compressed(bytes)] {
        let _ = archive::read("p@1.0.0", &bytes, BOUNDS, |path, content, most| {
            let is_inside = |path: &Path| path.components().all(|part| matches!(part, Component::Normal(_)));
            assert!(is_inside(path), "{} lies outside", path.display());
            match content {
                Content::File(reader) => {
                    let mut read = Vec::new();
                    let taken = reader.take(most + 1).read_to_end(&mut read).unwrap_or_default() as u64;
                    Ok((taken <= most).then_some(taken))
                }
                Content::Link(target) => {
                    assert!(is_inside(&target), "{} leads outside", target.display());
                    Ok(Some(0))
                }
            }
        });
    }
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

/// Tar files with files, links and long names; not compressed, so that damage gets somewhere.
pub(super) fn archives() -> Vec<Vec<u8>> {
    let long = format!("package/{}/a.js", "deep/".repeat(40));
    let mut builder = tar::Builder::new(Vec::new());
    for (path, text) in [("package/package.json", r#"{"name":"p"}"#), ("package/index.js", "1"), (long.as_str(), "2")] {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        let _ = builder.append_data(&mut header, path, text.as_bytes());
    }
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    let _ = builder.append_link(&mut link, "package/link.js", "index.js");
    let tar = builder.into_inner().unwrap_or_default();
    vec![compressed(&tar), tar]
}

pub(super) fn deno_lock(bytes: &[u8]) {
    if let Ok(lock) = DenoLock::parse(Path::new("deno.lock"), bytes) {
        let _ = lock.trees().count();
    }
}

pub(super) fn package_metadata(bytes: &[u8]) {
    let _ = Packument::parse(bytes);
}

pub(super) fn npm_settings(bytes: &[u8]) {
    let Some(directory) = with_file(".npmrc", bytes) else { return };
    let environment = BTreeMap::from([("TOKEN".to_owned(), "t".to_owned())]);
    if let Ok(settings) = Settings::load(&Locations { repository: directory.path().to_owned(), environment })
        && let Ok(url) = settings.registry("@a/b")
    {
        let _ = settings.credential(url);
    }
}

pub(super) fn package_lock(bytes: &[u8]) {
    let Some(directory) = with_file("mangrove.lock", bytes) else { return };
    let _ = Lock::new(directory.path().join("mangrove.lock"), directory.path().join("guard")).trees();
}

/// A directory with this file; `None` if the disk does not want it.
pub(super) fn with_file(name: &str, bytes: &[u8]) -> Option<tempfile::TempDir> {
    let directory = tempfile::tempdir().ok()?;
    let path = directory.path().join(name);
    std::fs::create_dir_all(path.parent()?).ok()?;
    std::fs::write(path, bytes).ok()?;
    Some(directory)
}
