//! Import specifiers: `npm:@scope/name@range/sub/path`, and what else may stand there.

use std::{fmt, str::FromStr};

use mangrove_domain::{failure::Fault, problem::Code};
use node_semver::{Range, Version};

/// An import specifier that is no local file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Specifier {
    /// `npm:…`
    Npm {
        /// The package and the versions that will do.
        requirement: Requirement,
        /// The path inside the package without a leading slash, such as `v4`; `None` for its main entry.
        sub_path: Option<String>,
    },
    /// `node:…`, which is built into the engine, and `data:…`, which is its own text: nothing to fetch.
    Builtin,
    /// `jsr:`, `https:`, a bare name: nothing that an npm registry can serve as it stands.
    Unsupported,
}

/// A package and the versions of it that will do.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Requirement {
    /// The package's name, checked by [`is_package_name`].
    pub name: String,
    /// A version range or a distribution tag; empty for "the latest".
    pub range: String,
}

/// One version of one package.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PackageId {
    /// Its name, checked by [`is_package_name`].
    pub name: String,
    /// Its version as the registry spells it, checked to be one.
    pub version: String,
}

/// The text is no specifier.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{specifier:?} is not of the form `npm:name@range/path`: {expected}")]
pub struct Error {
    /// The whole text.
    pub specifier: String,
    /// What is wrong.
    pub expected: &'static str,
}

/// The text is not `name@version`.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected `name@version`, found {0:?}")]
pub struct PackageIdError(String);

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let cause = format!("specifier:{}", error.specifier);
        Fault::deterministic(Code::MALFORMED_SPECIFIER, cause, error.to_string())
    }
}

impl FromStr for Specifier {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("node:") || text.starts_with("data:") {
            return Ok(Specifier::Builtin);
        }
        let Some(rest) = text.strip_prefix("npm:") else {
            return Ok(Specifier::Unsupported);
        };
        let error = |expected| Error { specifier: text.to_owned(), expected };
        let rest = rest.strip_prefix('/').unwrap_or(rest);
        // The first slash of a scoped name belongs to the name.
        let scope_length = if rest.starts_with('@') {
            rest.find('/').ok_or_else(|| error("a scoped name has two parts, such as `@scope/name`"))? + 1
        } else {
            0
        };
        let path_start = rest[scope_length..].find('/').map_or(rest.len(), |slash| scope_length + slash);
        let (package, path) = rest.split_at(path_start);
        let (name, range) = match package[scope_length..].find('@') {
            Some(at) => {
                let (name, range) = package.split_at(scope_length + at);
                (name, Some(range[1..].trim()))
            }
            None => (package, None),
        };
        if !is_package_name(name) {
            return Err(error("the name is not a package name"));
        }
        if range == Some("") {
            return Err(error("a version is missing after `@`"));
        }
        let sub_path = path.strip_prefix('/').unwrap_or_default().trim_end_matches('/');
        if sub_path.split('/').any(|segment| matches!(segment, "." | "..")) || sub_path.starts_with('/') {
            return Err(error("the path must lead downward"));
        }
        Ok(Specifier::Npm {
            requirement: Requirement { name: name.to_owned(), range: range.unwrap_or_default().to_owned() },
            sub_path: (!sub_path.is_empty()).then(|| sub_path.to_owned()),
        })
    }
}

impl Requirement {
    /// The range, if it is one; a distribution tag is none.
    #[must_use]
    pub fn parsed_range(&self) -> Option<Range> {
        Range::parse(if self.range.is_empty() { "*" } else { &self.range }).ok()
    }
}

impl fmt::Display for Requirement {
    /// As lock files spell it: `npm:zod@4`, `npm:zod`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "npm:{}", self.name)?;
        if self.range.is_empty() { Ok(()) } else { write!(out, "@{}", self.range) }
    }
}

impl fmt::Display for PackageId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}@{}", self.name, self.version)
    }
}

impl FromStr for PackageId {
    type Err = PackageIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.rsplit_once('@').filter(|(name, version)| is_package_name(name) && is_version(version));
        let (name, version) = parts.ok_or_else(|| PackageIdError(text.to_owned()))?;
        Ok(Self { name: name.to_owned(), version: version.to_owned() })
    }
}

/// True if `version` is a version and safe as a file name.
#[must_use]
pub fn is_version(version: &str) -> bool {
    version.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+'))
        && Version::parse(version).is_ok()
}

/// True if `name` can name a package: `name` or `@scope/name` of letters, digits, `-`, `_`, `.`, `~`, no part
/// starting with a dot. Such a name is also safe as a relative path.
#[must_use]
pub fn is_package_name(name: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~'))
    };
    name.len() <= 214
        && match name.strip_prefix('@') {
            Some(scoped) => scoped.split_once('/').is_some_and(|(scope, rest)| is_part(scope) && is_part(rest)),
            None => is_part(name) && name != "node_modules",
        }
}
