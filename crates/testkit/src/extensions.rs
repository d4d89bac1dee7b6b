//! Extensions of a fake registry: what it says of them, and their archives.

use std::collections::BTreeMap;

use mangrove_domain::digest::Digest;
use serde_json::{Value, json};

use crate::archives::FakePackage;

/// Where downloads are sent, and what stands before every question about an extension.
const SIGNED: &str = "/signed/";
const PLACE: &str = "/api/v1/extensions/";

/// An extension with one version.
#[derive(Clone, Debug)]
pub struct FakeExtension {
    name: String,
    version: String,
    channel: Option<String>,
    manifest: String,
    package: FakePackage,
    has_checksum: bool,
}

impl FakeExtension {
    /// An extension whose manifest has these lines beside its name and version.
    #[must_use]
    pub fn new(name: &str, version: &str, manifest: &str) -> Self {
        let manifest = format!("manifestVersion: 1\nname: \"{name}\"\nversion: \"{version}\"\n{manifest}\n");
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            channel: None,
            manifest,
            package: FakePackage::bare(name, version),
            has_checksum: true,
        }
    }

    /// With a file; the path is relative to the extension.
    #[must_use]
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.package = self.package.raw_file(&format!("extension/{path}"), text.as_bytes());
        self
    }

    /// With whatever this does to the archive, however wrong it is.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(FakePackage) -> FakePackage) -> Self {
        self.package = change(self.package);
        self
    }

    /// As the newest of a channel.
    #[must_use]
    pub fn in_channel(mut self, channel: &str) -> Self {
        self.channel = Some(channel.to_owned());
        self
    }

    /// Of which the registry promises no checksum.
    #[must_use]
    pub fn without_checksum(mut self) -> Self {
        self.has_checksum = false;
        self
    }

    /// Its archive.
    #[must_use]
    pub fn archive(&self) -> Vec<u8> {
        self.package.clone().raw_file("extension/manifest.yaml", self.manifest.as_bytes()).archive()
    }
}

/// The extensions of a registry.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    extensions: BTreeMap<String, BTreeMap<String, FakeExtension>>,
    /// By name and channel, the empty one for everybody: the newest version.
    newest: BTreeMap<(String, String), String>,
    /// Where downloads are sent.
    address: Option<String>,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Lines of the head.
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
}

/// True for the path of an archive.
pub(crate) fn is_archive(path: &str) -> bool {
    path.starts_with(SIGNED)
}

impl Shelf {
    pub(crate) fn publish(&mut self, extension: FakeExtension) {
        let channel = extension.channel.clone().unwrap_or_default();
        self.newest.insert((extension.name.clone(), channel), extension.version.clone());
        self.extensions.entry(extension.name.clone()).or_default().insert(extension.version.clone(), extension);
    }

    pub(crate) fn send_to(&mut self, address: &str) {
        self.address = Some(address.trim_end_matches('/').to_owned());
    }

    /// What is answered; `None` if the path is about no extension. A name has to be one segment of the path.
    pub(crate) fn answer(&self, raw_path: &str, base: &str, is_allowed: bool) -> Option<Answer> {
        let answer =
            |status, body: Value| Answer { status, headers: String::new(), body: body.to_string().into_bytes() };
        let not_found = || answer(404, json!({ "error": "not found" }));
        let (path, query) = raw_path.split_once('?').unwrap_or((raw_path, ""));
        if let Some(label) = path.strip_prefix(SIGNED) {
            let found = self.version(label).filter(|_| query == "signature=1");
            return Some(found.map_or_else(not_found, |found| Answer {
                status: 200,
                headers: String::new(),
                body: found.archive(),
            }));
        }
        let rest = path.strip_prefix(PLACE)?;
        if !is_allowed {
            return Some(answer(401, json!({})));
        }
        let (label, what) = rest.split_once('/').unwrap_or((rest, ""));
        let newest = |channel: &str| {
            let name = decoded(label);
            self.newest.get(&(name, channel.to_owned())).cloned()
        };
        let channel = query.strip_prefix("channel=").unwrap_or_default();
        Some(match what {
            "" if self.extensions.contains_key(&decoded(label)) => answer(
                200,
                json!({
                    "name": decoded(label),
                    "latestVersion": newest(""),
                    "latestRc": newest("rc"),
                    "latestBeta": newest("beta"),
                }),
            ),
            "latest" => newest(channel).map_or_else(not_found, |version| answer(200, json!({ "version": version }))),
            "download" => match self.version(label) {
                Some(_) => {
                    let to = self.address.as_deref().unwrap_or(base);
                    let headers = format!("location: {to}{SIGNED}{label}?signature=1\r\n");
                    Answer { status: 302, headers, body: Vec::new() }
                }
                None => not_found(),
            },
            "checksum" => match self.version(label).filter(|found| found.has_checksum) {
                Some(found) => answer(200, json!({ "checksum": Digest::of(&found.archive()).to_string() })),
                None => not_found(),
            },
            _ => not_found(),
        })
    }

    fn version(&self, label: &str) -> Option<&FakeExtension> {
        let label = decoded(label);
        let (name, version) = label.rsplit_once('@')?;
        self.extensions.get(name)?.get(version)
    }
}

fn decoded(label: &str) -> String {
    label.replace("%40", "@").replace("%2F", "/").replace("%2f", "/")
}
