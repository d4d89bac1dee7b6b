//! Packages and their archives, written down as code, however wrong they are.

use std::{collections::BTreeMap, io::Write as _};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use ssri::{Algorithm, IntegrityOpts};

/// A package with one version.
#[derive(Clone, Debug)]
pub struct FakePackage {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) manifest: BTreeMap<String, Value>,
    entries: Vec<Entry>,
    /// What is given out instead of an archive of the entries.
    bytes: Option<Vec<u8>>,
}

#[derive(Clone, Debug)]
struct Entry {
    path: String,
    kind: EntryKind,
}

#[derive(Clone, Debug)]
enum EntryKind {
    File(Vec<u8>),
    Symlink(String),
    HardLink(String),
    Pipe,
}

impl FakePackage {
    /// A package with a `package.json` that makes it an ES module with the entry `index.js`.
    #[must_use]
    pub fn new(name: &str, version: &str) -> Self {
        let manifest = json!({ "name": name, "version": version, "type": "module", "main": "index.js" });
        let text = manifest.to_string();
        Self::bare(name, version).file("package.json", &text)
    }

    /// A package whose archive is empty yet.
    #[must_use]
    pub fn bare(name: &str, version: &str) -> Self {
        let (name, version) = (name.to_owned(), version.to_owned());
        Self { name, version, manifest: BTreeMap::new(), entries: Vec::new(), bytes: None }
    }

    /// A package whose archive is these bytes, whatever they are.
    #[must_use]
    pub fn of_bytes(name: &str, version: &str, bytes: Vec<u8>) -> Self {
        Self { bytes: Some(bytes), ..Self::bare(name, version) }
    }

    /// With a file; the path is relative to the package.
    #[must_use]
    pub fn file(self, path: &str, text: &str) -> Self {
        self.raw_file(&format!("package/{path}"), text.as_bytes())
    }

    /// With a file under exactly this path in the archive, however wrong it is.
    #[must_use]
    pub fn raw_file(mut self, path: &str, bytes: &[u8]) -> Self {
        self.entries.push(Entry { path: path.to_owned(), kind: EntryKind::File(bytes.to_vec()) });
        self
    }

    /// With a symbolic link under exactly this path in the archive.
    #[must_use]
    pub fn raw_symlink(mut self, path: &str, target: &str) -> Self {
        self.entries.push(Entry { path: path.to_owned(), kind: EntryKind::Symlink(target.to_owned()) });
        self
    }

    /// With a hard link under exactly this path in the archive.
    #[must_use]
    pub fn raw_hard_link(mut self, path: &str, target: &str) -> Self {
        self.entries.push(Entry { path: path.to_owned(), kind: EntryKind::HardLink(target.to_owned()) });
        self
    }

    /// With a named pipe under exactly this path in the archive.
    #[must_use]
    pub fn raw_pipe(mut self, path: &str) -> Self {
        self.entries.push(Entry { path: path.to_owned(), kind: EntryKind::Pipe });
        self
    }

    /// With a dependency.
    #[must_use]
    pub fn dependency(self, name: &str, range: &str) -> Self {
        self.member("dependencies", name, Value::from(range))
    }

    /// With an optional dependency.
    #[must_use]
    pub fn optional(self, name: &str, range: &str) -> Self {
        self.member("optionalDependencies", name, Value::from(range))
    }

    /// With a peer dependency.
    #[must_use]
    pub fn peer(self, name: &str, range: &str) -> Self {
        self.member("peerDependencies", name, Value::from(range))
    }

    /// With a peer dependency that it can do without.
    #[must_use]
    pub fn optional_peer(self, name: &str, range: &str) -> Self {
        self.peer(name, range).member("peerDependenciesMeta", name, json!({ "optional": true }))
    }

    /// With any further member of its metadata, such as `os`.
    #[must_use]
    pub fn metadata(mut self, key: &str, value: Value) -> Self {
        self.manifest.insert(key.to_owned(), value);
        self
    }

    fn member(mut self, group: &str, name: &str, value: Value) -> Self {
        self.manifest.entry(group.to_owned()).or_insert_with(|| json!({}))[name] = value;
        self
    }

    /// A manifest says what the registry says of it, if it is JSON.
    fn completed(&self, entry: &Entry) -> Entry {
        let mut completed = entry.clone();
        if entry.path == "package/package.json"
            && let EntryKind::File(bytes) = &mut completed.kind
            && let Ok(Value::Object(mut manifest)) = serde_json::from_slice(bytes)
        {
            manifest.extend(self.manifest.clone());
            *bytes = Value::Object(manifest).to_string().into_bytes();
        }
        completed
    }

    /// The archive of these entries.
    #[must_use]
    pub fn archive(&self) -> Vec<u8> {
        if let Some(bytes) = &self.bytes {
            return bytes.clone();
        }
        let mut tar = Vec::new();
        for entry in &self.entries {
            append(&mut tar, &self.completed(entry));
        }
        tar.extend_from_slice(&[0; 1024]);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        // Writing into memory cannot fail.
        let _ = encoder.write_all(&tar);
        encoder.finish().unwrap_or_default()
    }
}

/// The `sha512` integrity of these bytes.
#[must_use]
pub fn integrity(bytes: &[u8]) -> String {
    IntegrityOpts::new().algorithm(Algorithm::Sha512).chain(bytes).result().to_string()
}

/// Appends one entry. Headers are written by hand, because the library refuses to write hostile paths.
fn append(tar: &mut Vec<u8>, entry: &Entry) {
    let mut header = [0_u8; 512];
    let (kind, target, content): (u8, &str, &[u8]) = match &entry.kind {
        EntryKind::File(bytes) => (b'0', "", bytes),
        EntryKind::HardLink(target) => (b'1', target, &[]),
        EntryKind::Symlink(target) => (b'2', target, &[]),
        EntryKind::Pipe => (b'6', "", &[]),
    };
    put(&mut header, 0, 100, entry.path.as_bytes());
    // Programs lie in `bin`, as they do in honest packages.
    let mode = if entry.path.starts_with("package/bin/") { b"0000755" } else { b"0000644" };
    put(&mut header, 100, 8, mode);
    put(&mut header, 108, 8, b"0000000");
    put(&mut header, 116, 8, b"0000000");
    put(&mut header, 124, 12, format!("{:011o}", content.len()).as_bytes());
    put(&mut header, 136, 12, b"00000000000");
    put(&mut header, 148, 8, b"        ");
    header[156] = kind;
    put(&mut header, 157, 100, target.as_bytes());
    put(&mut header, 257, 8, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    put(&mut header, 148, 8, format!("{sum:06o}\0 ").as_bytes());
    tar.extend_from_slice(&header);
    tar.extend_from_slice(content);
    tar.resize(tar.len().next_multiple_of(512), 0);
}

fn put(header: &mut [u8; 512], at: usize, room: usize, text: &[u8]) {
    let length = text.len().min(room);
    header[at..at + length].copy_from_slice(&text[..length]);
}
