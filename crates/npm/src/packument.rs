//! What a registry says of a package: its versions, their dependencies and archives.
//!
//! Registries hold metadata of fifteen years; a member of an unexpected form counts as absent, and only a
//! document that is no packument at all is an error.

use std::collections::BTreeMap;

use node_semver::{Range, Version};
use serde_json::{Map, Value};
use ssri::{Algorithm, Integrity};

use super::specifier::is_version;

/// The metadata of one package.
#[derive(Clone, Debug)]
pub struct Packument {
    tags: BTreeMap<String, String>,
    versions: Map<String, Value>,
}

/// One version of a package.
#[derive(Clone, Debug, Default)]
pub struct Manifest {
    /// The version, as the registry spells it.
    pub version: String,
    /// What it needs: name in `node_modules` to range, without optional ones.
    pub dependencies: BTreeMap<String, String>,
    /// What it can do without.
    pub optional: BTreeMap<String, String>,
    /// What it expects beside itself, without optional ones.
    pub peers: BTreeMap<String, String>,
    /// True if it is made for certain operating systems, processors or C libraries only.
    pub is_for_platform: bool,
    /// Where its archive is; empty if the registry does not say.
    pub archive: String,
    /// The digest that the registry promises, in the form of Subresource Integrity.
    pub integrity: Option<String>,
}

/// The bytes are no packument.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// They are not even JSON.
    #[error("the answer is not JSON")]
    Json(#[source] serde_json::Error),
    /// A member without which it is of no use.
    #[error("the answer has no object {0:?}")]
    Member(&'static str),
}

impl Packument {
    /// Reads a registry's answer, full or abbreviated.
    ///
    /// # Errors
    /// [`Error`]
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let mut value: Value = serde_json::from_slice(bytes).map_err(Error::Json)?;
        let Some(Value::Object(versions)) = value.get_mut("versions").map(Value::take) else {
            return Err(Error::Member("versions"));
        };
        Ok(Self { tags: texts(value.get("dist-tags")), versions })
    }

    /// The version of this text.
    #[must_use]
    pub fn manifest(&self, version: &str) -> Option<Manifest> {
        let value = self.versions.get(version).filter(|_| is_version(version))?;
        let optional_peers = |name: &String| {
            value.pointer("/peerDependenciesMeta").and_then(|meta| meta.get(name)?.get("optional")?.as_bool())
                == Some(true)
        };
        let mut optional = texts(value.get("optionalDependencies"));
        let mut dependencies = texts(value.get("dependencies"));
        dependencies.retain(|name, _| !optional.contains_key(name));
        for key in ["bundleDependencies", "bundledDependencies"] {
            for name in value.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
                dependencies.remove(name);
                optional.remove(name);
            }
        }
        let mut peers = texts(value.get("peerDependencies"));
        peers.retain(|name, _| !optional_peers(name) && !dependencies.contains_key(name));
        let is_limited = |key: &str| value.get(key).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
        Some(Manifest {
            version: version.to_owned(),
            dependencies,
            optional,
            peers,
            is_for_platform: ["os", "cpu", "libc"].into_iter().any(is_limited),
            archive: value.pointer("/dist/tarball").and_then(Value::as_str).unwrap_or_default().to_owned(),
            integrity: promised_integrity(value),
        })
    }

    /// The best version for a range or tag among those that `is_usable`: the one tagged `latest` if it will
    /// do, else the highest that is not deprecated, else the highest.
    #[must_use]
    pub fn pick(&self, range: &str, is_usable: &dyn Fn(&str) -> bool) -> Option<Manifest> {
        let range = if range.trim().is_empty() { "latest" } else { range.trim() };
        let tagged = |tag: &str| self.tags.get(tag).filter(|version| is_usable(version));
        let latest = tagged("latest");
        if let Some(version) = tagged(range).or(if range == "*" { latest } else { None }) {
            return self.manifest(version);
        }
        let range = Range::parse(if range == "latest" { "*" } else { range }).ok()?;
        let latest = latest.filter(|text| Version::parse(text).is_ok_and(|version| range.satisfies(&version)));
        if let Some(manifest) = latest.and_then(|version| self.manifest(version)) {
            return Some(manifest);
        }
        let best = self
            .versions
            .iter()
            .filter(|(text, _)| is_version(text) && is_usable(text))
            .filter_map(|(text, value)| Some((Version::parse(text).ok()?, text, value)))
            .filter(|(version, _, _)| range.satisfies(version))
            .max_by(|(left, _, left_value), (right, _, right_value)| {
                is_deprecated(right_value).cmp(&is_deprecated(left_value)).then_with(|| left.cmp(right))
            })?;
        self.manifest(best.1)
    }

    /// The highest versions, for messages; at most `count`. Prereleases only if there is nothing else: nobody who
    /// mistyped a version means a nightly build.
    #[must_use]
    pub fn newest(&self, count: usize) -> Vec<String> {
        let mut versions: Vec<(Version, &String)> =
            self.versions.keys().filter_map(|text| Some((Version::parse(text).ok()?, text))).collect();
        if versions.iter().any(|(version, _)| version.pre_release.is_empty()) {
            versions.retain(|(version, _)| version.pre_release.is_empty());
        }
        versions.sort_by(|left, right| right.0.cmp(&left.0));
        versions.into_iter().take(count).map(|(_, text)| text.clone()).collect()
    }
}

/// An integrity that can be checked: parsed, not empty, and of cryptographic digests only.
#[must_use]
pub fn checkable(integrity: &str) -> Option<Integrity> {
    let mut parsed: Integrity = integrity.parse().ok()?;
    let is_cryptographic =
        |algorithm| matches!(algorithm, Algorithm::Sha512 | Algorithm::Sha384 | Algorithm::Sha256 | Algorithm::Sha1);
    parsed.hashes.retain(|hash| is_cryptographic(hash.algorithm));
    (!parsed.hashes.is_empty()).then_some(parsed)
}

fn promised_integrity(version: &Value) -> Option<String> {
    let text = |pointer: &str| version.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    let integrity = text("/dist/integrity").filter(|text| checkable(text).is_some()).map(str::to_owned);
    integrity.or_else(|| {
        let digest = Integrity::from_hex(text("/dist/shasum")?, Algorithm::Sha1).ok()?;
        Some(digest.to_string())
    })
}

fn is_deprecated(version: &Value) -> bool {
    match version.get("deprecated") {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(_) => true,
    }
}

fn texts(object: Option<&Value>) -> BTreeMap<String, String> {
    let members = object.and_then(Value::as_object).into_iter().flatten();
    members.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}
