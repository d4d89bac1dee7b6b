//! Packages of extensions: archives and directories (port `ExtensionPackages`).

use std::{
    collections::BTreeMap,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use mangrove_domain::{
    digest::Digest,
    failure::Fault,
    kind_layout::KindLayout,
    ports::{Documents, ExtensionPackages, LocalPackage},
    problem::Code,
    pulled::{Arranged, Item, PackageBounds, arrange},
    source::RelativePath,
};
use mangrove_fs::{
    blocking,
    faults::{Operation, io_fault},
    read::{self, FileKind, Within},
    walk::Bounds,
};
use mangrove_npm::archive::{self, Content, UnpackError};
use mangrove_sources::{Checkout, parser::ModuleParser};

/// How much an archive of an extension may hold: far more than any that is known.
const ARCHIVE_BOUNDS: archive::Bounds = archive::Bounds { entries: 20_000, bytes: 256 << 20 };

/// Opens packages, whose sources this parser reads.
pub struct LocalPackages {
    documents: Arc<dyn Documents>,
    parser: Arc<dyn ModuleParser>,
}

impl LocalPackages {
    /// Reads manifests and modules with these.
    #[must_use]
    pub const fn new(documents: Arc<dyn Documents>, parser: Arc<dyn ModuleParser>) -> Self {
        Self { documents, parser }
    }
}

#[async_trait]
impl ExtensionPackages for LocalPackages {
    async fn unpack(&self, label: &str, archive: Vec<u8>) -> Result<Arranged, Fault> {
        let label = label.to_owned();
        let unpacked = blocking(move || unpack(&label, &archive, ARCHIVE_BOUNDS)).await;
        unpacked.unwrap_or_else(|error| Err(Fault::transient(Code::UNREADABLE, "archive:task", error.to_string())))
    }

    async fn local(&self, path: &Path, kinds: &[KindLayout]) -> Result<LocalPackage, Fault> {
        let label = path.display().to_string();
        if path.is_dir() {
            let checkout = Checkout {
                directory: path.to_owned(),
                kinds: kinds.to_vec(),
                documents: Arc::clone(&self.documents),
                parser: Arc::clone(&self.parser),
                bounds: Bounds::default(),
            };
            let files: BTreeMap<RelativePath, Arc<[u8]>> = checkout.collect().await?;
            let entries = files.into_iter().map(|(path, bytes)| (path, Item::File(bytes))).collect();
            return Ok(LocalPackage { files: arranged(&label, entries)?, checksum: None });
        }
        let archive = read_archive(path.to_owned()).await?;
        let checksum = Digest::of(&archive);
        Ok(LocalPackage { files: self.unpack(&label, archive).await?, checksum: Some(checksum) })
    }
}

/// A person named it: links are followed wherever they lead.
async fn read_archive(path: PathBuf) -> Result<Vec<u8>, Fault> {
    let name = path.clone();
    let bytes = blocking(move || read::bytes(&path, Within::Anywhere, FileKind::Bundle)).await;
    match bytes {
        Ok(bytes) => bytes.map_err(read::ReadError::into_fault),
        Err(error) => Err(io_fault(Operation::Read, &name, &std::io::Error::other(error.to_string()))),
    }
}

fn unpack(label: &str, archive: &[u8], bounds: archive::Bounds) -> Result<Arranged, Fault> {
    let mut entries = Vec::new();
    let wrong = |path: &Path, problem| UnpackError::Entry { package: label.to_owned(), path: path.to_owned(), problem };
    archive::read(label, archive, bounds, |path, content, limit| {
        let relative = |path: &Path| path.to_str().and_then(|text| RelativePath::parse(text).ok());
        let Some(place) = relative(path) else {
            return Err(wrong(path, "has a name that is not UTF-8"));
        };
        match content {
            Content::Link(target) => {
                // One that leads to the top of the archive leads to nothing that could be copied.
                entries.extend(relative(&target).map(|target| (place, Item::Link(target))));
                Ok(Some(0))
            }
            Content::File(source) => {
                let most = FileKind::Source.limit_bytes();
                let mut bytes = Vec::new();
                let read = source.take(most.min(limit).saturating_add(1)).read_to_end(&mut bytes);
                let length = u64::try_from(
                    read.map_err(|source| UnpackError::Unreadable { package: label.to_owned(), source })?,
                );
                let length = length.unwrap_or(u64::MAX);
                if length > limit {
                    return Ok(None);
                }
                if length > most {
                    return Err(wrong(path, "is larger than any file of an extension"));
                }
                entries.push((place, Item::File(bytes.into())));
                Ok(Some(length))
            }
        }
    })?;
    arranged(label, entries)
}

fn arranged(label: &str, entries: Vec<(RelativePath, Item)>) -> Result<Arranged, Fault> {
    let bounds = PackageBounds { files: ARCHIVE_BOUNDS.entries, bytes: ARCHIVE_BOUNDS.bytes };
    arrange(entries, bounds).map_err(|refusal| {
        let message = format!("the package {label} cannot be used: {refusal}");
        Fault::environment(Code::PACKAGE_MALFORMED, format!("package:{label}"), message)
    })
}

#[cfg(test)]
mod tests {
    use mangrove_testkit::registry::FakePackage;

    use super::*;

    fn package() -> FakePackage {
        FakePackage::bare("@acme/dns", "2026.05.23.1").raw_file("extension/manifest.yaml", b"name: x")
    }

    #[test]
    fn hostile_archives_are_refused_with_what_is_wrong_with_them() {
        for (archive, expected) in [
            (package().raw_file("extension/../../evil.ts", b"1"), "leads upward"),
            (package().raw_file("/tmp/evil.ts", b"1"), "has an absolute path"),
            (package().raw_symlink("extension/models/l.ts", "../../../etc/passwd"), "links out of the package"),
            (package().raw_symlink("extension/l", "/etc/passwd"), "links out of the package"),
            (package().raw_hard_link("extension/l", "../etc/passwd"), "links out of the package"),
            (package().raw_pipe("extension/models/pipe"), "is neither a file nor a directory"),
            (
                package().raw_file("extension/models/A.ts", b"1").raw_file("extension/models/a.ts", b"2"),
                "differ only in the case",
            ),
            (package().raw_file("extension/a", b"1").raw_file("extension/a/b", b"2"), "both a file and a directory"),
            (package().raw_file("extension/manifest.yaml", b"2"), "is there twice"),
            (FakePackage::bare("x", "1").raw_file("extension/models/a.ts", b"1"), "it has no manifest.yaml"),
        ] {
            let fault = unpack("@acme/dns@2026.05.23.1", &archive.archive(), ARCHIVE_BOUNDS).expect_err(expected);
            assert_eq!(fault.code, Code::PACKAGE_MALFORMED, "{fault}");
            assert!(fault.message.contains(expected) && fault.message.contains("@acme/dns@"), "{fault}");
        }
        for wild in [b"no archive at all".as_slice(), b""] {
            assert_eq!(unpack("x", wild, ARCHIVE_BOUNDS).expect_err("no archive").code, Code::PACKAGE_MALFORMED);
        }
    }

    #[test]
    fn an_archive_without_end_is_refused() {
        let archive = package().raw_file("extension/files/a", &[0; 5_000]).archive();
        for (entries, bytes, expected) in
            [(10, 4_000, "holds more than 4000 bytes"), (1, 10_000, "holds more than 1 entries")]
        {
            let fault = unpack("x", &archive, archive::Bounds { entries, bytes }).expect_err(expected);
            assert!(fault.message.contains(expected), "{fault}");
        }
        unpack("x", &archive, archive::Bounds { entries: 2, bytes: 10_000 }).expect("a package");
    }

    #[test]
    fn links_inside_become_copies() {
        let archive =
            package().raw_file("extension/models/a.ts", b"a").raw_symlink("extension/vaults/v.ts", "../models/a.ts");
        let found = unpack("x", &archive.archive(), ARCHIVE_BOUNDS).expect("a package");
        let names: Vec<&str> = found.files.keys().map(RelativePath::as_str).collect();
        assert_eq!(names, ["manifest.yaml", "models/a.ts", "vaults/v.ts"]);
    }
}
