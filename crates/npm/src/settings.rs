//! Which registry serves a package and what identifies us there: `.npmrc` files and variables.
//!
//! Read again for every conversation with a registry, so that a corrected token needs no restart.

use std::{
    collections::BTreeMap,
    fmt, io,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use mangrove_domain::{failure::Fault, problem::Code};
use mangrove_fs::read::{self, FileKind, Within};
use reqwest::Url;

use crate::address::shown;

/// Where packages come from unless something else is configured.
pub const DEFAULT_REGISTRY: &str = "https://registry.npmjs.org/";

/// Where settings are looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locations {
    /// The repository root; its `.npmrc` comes first.
    pub repository: PathBuf,
    /// The environment variables of the process. `HOME` names the directory of the second `.npmrc`;
    /// `MANGROVE_NPM_REGISTRY` and then `NPM_CONFIG_REGISTRY` override the default registry of both files.
    pub environment: BTreeMap<String, String>,
}

/// The registries in force.
#[derive(Clone, Debug)]
pub struct Settings {
    default: Result<Url, Unusable>,
    scopes: BTreeMap<String, Result<Url, Unusable>>,
    credentials: BTreeMap<String, Result<Credential, Unset>>,
}

/// A variable that a line uses and that is not set. It matters only where the line does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: the variable {name} is not set")]
pub struct Unset {
    /// The file and line.
    pub origin: String,
    /// Its name.
    pub name: String,
}

/// What an `Authorization` header carries. Its `Debug` output hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential(String);

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file is there and cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The registry of a package has no address.
    #[error(transparent)]
    Registry(#[from] Unusable),
}

/// A registry's address that cannot be used. It matters only to the packages of that registry.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unusable {
    /// It is none.
    #[error("{origin}: expected the address of a registry such as {DEFAULT_REGISTRY}, found {found:?}")]
    Address {
        /// The file and line, or the variable.
        origin: String,
        /// What stands there, without user and password.
        found: String,
    },
    /// It uses a variable that is not set.
    #[error(transparent)]
    Variable(#[from] Unset),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let code = match error {
            Error::Read { .. } => Code::UNREADABLE,
            Error::Registry(_) => Code::INVALID_DOCUMENT,
        };
        Fault::environment(code, "settings:npmrc", super::chain(&error))
    }
}

impl Settings {
    /// Reads the files and variables.
    ///
    /// # Errors
    /// [`Error`]; a missing file is none.
    pub fn load(locations: &Locations) -> Result<Self, Error> {
        let mut lines: BTreeMap<String, (String, String)> = BTreeMap::new();
        let home = locations.environment.get("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        // That of the user may be kept elsewhere and linked; that of the repository came with it.
        let repository = locations.repository.as_path();
        let places = home.iter().map(|home| (home.as_path(), Within::Anywhere));
        for (directory, within) in places.chain([(repository, Within::Root(repository))]) {
            let path = directory.join(".npmrc");
            for (number, key, value) in read_lines(&path, within)? {
                lines.insert(key, (value, format!("{}:{number}", path.display())));
            }
        }
        for variable in ["npm_config_registry", "NPM_CONFIG_REGISTRY", "MANGROVE_NPM_REGISTRY"] {
            if let Some(value) = locations.environment.get(variable).filter(|value| !value.is_empty()) {
                lines.insert("registry".to_owned(), (value.clone(), variable.to_owned()));
            }
        }
        let mut settings = Self {
            default: address(DEFAULT_REGISTRY, "default"),
            scopes: BTreeMap::new(),
            credentials: BTreeMap::new(),
        };
        for (key, (value, origin)) in &lines {
            let expanded = || expand(value, origin, &locations.environment);
            if key == "registry" {
                settings.default = expanded().map_err(Into::into).and_then(|text| address(&text, origin));
            } else if let Some(scope) = key.strip_suffix(":registry").filter(|scope| scope.starts_with('@')) {
                let registry = expanded().map_err(Into::into).and_then(|text| address(&text, origin));
                settings.scopes.insert(scope.to_owned(), registry);
            } else if let Some(place) = key.strip_suffix(":_authToken") {
                let credential = expanded().map(|token| Credential::bearer(&token));
                settings.credentials.insert(with_slash(place), credential);
            } else if let Some(place) = key.strip_suffix(":_auth") {
                let credential = expanded().map(|pair| Credential(format!("Basic {pair}")));
                settings.credentials.entry(with_slash(place)).or_insert(credential);
            } else if let Some(place) = key.strip_suffix(":username")
                && let Some((password, origin)) = lines.get(&format!("{place}:_password"))
            {
                let password = expand(password, origin, &locations.environment);
                let credential = expanded().and_then(|name| Ok(Credential::basic(&name, &password?)));
                settings.credentials.entry(with_slash(place)).or_insert(credential);
            }
        }
        Ok(settings)
    }

    /// The registry that serves this package: that of its scope, else the default one. Ends in a slash.
    ///
    /// # Errors
    /// [`Error::Registry`] if its address cannot be used.
    pub fn registry(&self, package: &str) -> Result<&Url, Error> {
        let registry = package.split_once('/').and_then(|(scope, _)| self.scopes.get(scope)).unwrap_or(&self.default);
        registry.as_ref().map_err(|unusable| unusable.clone().into())
    }

    /// What to send to this address: the credential of the longest configured place that it lies below.
    ///
    /// # Errors
    /// [`Unset`] if that credential is a variable that is not set.
    pub fn credential(&self, url: &Url) -> Result<Option<&Credential>, Unset> {
        let Some(host) = url.host_str() else { return Ok(None) };
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let place = format!("//{host}{port}{}", url.path());
        self.credentials
            .iter()
            .filter(|(prefix, _)| place.starts_with(prefix.as_str()))
            .max_by_key(|(prefix, _)| prefix.len())
            .map(|(_, credential)| credential.as_ref().map_err(Unset::clone))
            .transpose()
    }
}

impl Credential {
    /// Of a name and a password, which `.npmrc` holds in base64 already.
    fn basic(name: &str, password: &str) -> Self {
        let decoded = BASE64.decode(password.trim()).unwrap_or_else(|_| password.as_bytes().to_vec());
        Self(format!("Basic {}", BASE64.encode([name.as_bytes(), b":", &decoded].concat())))
    }

    /// A token.
    pub(crate) fn bearer(token: &str) -> Self {
        Self(format!("Bearer {token}"))
    }

    /// The value of the header.
    #[must_use]
    pub fn header(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Credential(***)")
    }
}

fn read_lines(path: &Path, within: Within<'_>) -> Result<Vec<(usize, String, String)>, Error> {
    let bytes = match read::bytes(path, within, FileKind::Document) {
        Ok(bytes) => bytes,
        Err(error) if error.is_absent() => return Ok(Vec::new()),
        Err(error) => return Err(Error::Read { path: path.to_owned(), source: error.into() }),
    };
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with([';', '#']) {
            continue;
        }
        if let Some((key, value)) = line.split_once('=') {
            let value = value.trim();
            let unquoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
            lines.push((index + 1, key.trim().to_owned(), unquoted.to_owned()));
        }
    }
    Ok(lines)
}

/// Replaces `${NAME}` by the variable's value. As npm has it, `${NAME?}` is nothing where the variable is not set.
fn expand(value: &str, origin: &str, environment: &BTreeMap<String, String>) -> Result<String, Unset> {
    let mut expanded = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, tail)) = after.split_once('}') else { break };
        let (name, is_optional) = name.strip_suffix('?').map_or((name, false), |name| (name, true));
        expanded.push_str(before);
        match environment.get(name) {
            Some(found) => expanded.push_str(found),
            None if is_optional => {}
            None => return Err(Unset { origin: origin.to_owned(), name: name.to_owned() }),
        }
        rest = tail;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

fn with_slash(text: &str) -> String {
    if text.ends_with('/') { text.to_owned() } else { format!("{text}/") }
}

fn address(text: &str, origin: &str) -> Result<Url, Unusable> {
    Url::parse(&with_slash(text.trim()))
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some())
        .ok_or_else(|| Unusable::Address { origin: origin.to_owned(), found: shown(text) })
}
