//! Registries of extensions (port `ExtensionRegistry`): where they are, what identifies us there, what they answer
//! (`design/origins.md`).

use std::collections::BTreeMap;

use async_trait::async_trait;
use mangrove_domain::{
    digest::Digest,
    failure::{FailureClass, Fault},
    outage::Outages,
    ports::ExtensionRegistry,
    problem::Code,
};
use reqwest::{StatusCode, Url};
use serde_json::Value;

use crate::{
    address::shown,
    registry::{Client, Error, Hints, Reason, Wanted, origin},
    settings::Credential,
};

/// The registry that is asked unless something else is said.
pub const DEFAULT_REGISTRY: &str = "https://swamp-club.com";

/// The variables that name a registry, the first that is set counts.
pub const ADDRESS_VARIABLES: [&str; 2] = ["MANGROVE_EXTENSION_REGISTRY", "SWAMP_CLUB_URL"];

/// The variables that hold a token for it, the first that is set counts.
pub const TOKEN_VARIABLES: [&str; 2] = ["MANGROVE_EXTENSION_TOKEN", "SWAMP_API_KEY"];

/// The largest archive of an extension, in bytes.
pub const ARCHIVE_LIMIT_BYTES: u64 = 128 << 20;

const HINTS: Hints = Hints {
    not_found: "; check the name and the version",
    refused: "; set MANGROVE_EXTENSION_TOKEN to a token that may read it",
};

/// Which registry is asked.
#[derive(Clone, Default)]
pub struct Registries {
    /// The address that the person has named, if any.
    named: Option<String>,
    token: Option<String>,
    is_offline: bool,
}

impl Registries {
    /// From the address of the command line and the variables of the process.
    #[must_use]
    pub fn of(named: Option<&str>, environment: &BTreeMap<String, String>, is_offline: bool) -> Self {
        let first = |names: [&str; 2]| {
            names.into_iter().find_map(|name| environment.get(name)).filter(|value| !value.is_empty()).cloned()
        };
        Self {
            named: named.map(str::to_owned).or_else(|| first(ADDRESS_VARIABLES)),
            token: first(TOKEN_VARIABLES),
            is_offline,
        }
    }

    /// What identifies us at this address. A token is for the registry that the person named, or for the usual one: an
    /// address that a lockfile brought gets none.
    fn credential(&self, address: &Url) -> Option<Credential> {
        let own = Url::parse(self.named.as_deref().unwrap_or(DEFAULT_REGISTRY)).ok()?;
        let is_own = own.scheme() == address.scheme() && origin(&own) == origin(address);
        self.token.as_deref().filter(|_| is_own).map(Credential::bearer)
    }
}

/// Asks registries of extensions over HTTP.
pub struct HttpExtensionRegistry {
    client: Client,
    registries: Registries,
}

impl HttpExtensionRegistry {
    /// Asks with this client.
    #[must_use]
    pub const fn new(client: Client, registries: Registries) -> Self {
        Self { client, registries }
    }

    /// Fetches what lies at `path` of an extension's place in the registry; `None` if there is nothing.
    async fn get<T: Send>(
        &self,
        place: Place<'_>,
        subject: String,
        outages: &Outages,
        check: impl Fn(Vec<u8>) -> Result<T, Reason> + Send + Sync,
    ) -> Result<Option<T>, Fault> {
        let label = place.label();
        if self.registries.is_offline {
            let message = format!("{subject} is asked of a registry, and the network may not be used");
            return Err(Fault::environment(Code::OFFLINE, format!("extension:{label}"), message));
        }
        let address = place.address()?;
        let credential = self.registries.credential(&address);
        let wanted = Wanted { package: &label, subject, address: &address, credential: credential.as_ref() };
        match self.client.fetch(&wanted, outages, check).await {
            Ok(found) => Ok(Some(found)),
            Err(Error { reason: Reason::Status { status: StatusCode::NOT_FOUND | StatusCode::GONE, .. }, .. }) => {
                Ok(None)
            }
            Err(error) => Err(fault(error)),
        }
    }
}

/// The fault of a conversation. Bytes that are not the promised ones are those of a registry that replaced a version, or of
/// somebody between: nobody should try again until that is clear.
fn fault(error: Error) -> Fault {
    let is_mismatch = matches!(error.reason, Reason::Mismatch { .. });
    let fault = error.into_fault(HINTS);
    if is_mismatch { Fault { class: FailureClass::Environment, ..fault } } else { fault }
}

/// Where something about an extension is.
struct Place<'a> {
    registry: &'a str,
    name: &'a str,
    version: Option<&'a str>,
    /// What follows the extension, such as `download`.
    rest: &'a str,
    channel: Option<&'a str>,
}

impl Place<'_> {
    fn label(&self) -> String {
        self.version.map_or_else(|| self.name.to_owned(), |version| format!("{}@{version}", self.name))
    }

    fn address(&self) -> Result<Url, Fault> {
        let mut text = format!("{}/api/v1/extensions/{}", self.registry.trim_end_matches('/'), encoded(self.name));
        if let Some(version) = self.version {
            text = format!("{text}@{}", encoded(version));
        }
        if !self.rest.is_empty() {
            text = format!("{text}/{}", self.rest);
        }
        if let Some(channel) = self.channel {
            text = format!("{text}?channel={}", encoded(channel));
        }
        Url::parse(&text).map_err(|_| wrong_address(self.registry))
    }
}

/// A text as one segment of a path: everything but letters, digits and `-._~` in percents.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn wrong_address(text: &str) -> Fault {
    let message = format!("expected the address of a registry such as {DEFAULT_REGISTRY}, found {:?}", shown(text));
    Fault::environment(Code::INVALID_INPUT, "registry:address", message)
}

#[async_trait]
impl ExtensionRegistry for HttpExtensionRegistry {
    fn address(&self, recorded: Option<&str>) -> Result<String, Fault> {
        let text = self.registries.named.as_deref().or(recorded).unwrap_or(DEFAULT_REGISTRY);
        let url = Url::parse(text.trim()).ok();
        // It is written to the lockfile, which others read: no secret may be in it.
        let is_usable = |url: &Url| {
            matches!(url.scheme(), "http" | "https")
                && url.host_str().is_some()
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        };
        let url = url.filter(is_usable).ok_or_else(|| wrong_address(text))?;
        Ok(url.as_str().trim_end_matches('/').to_owned())
    }

    async fn newest(
        &self,
        address: &str,
        name: &str,
        channel: Option<&str>,
        outages: &Outages,
    ) -> Result<Option<String>, Fault> {
        let member = match channel {
            None | Some("stable") => Some("latestVersion"),
            Some("rc") => Some("latestRc"),
            Some("beta") => Some("latestBeta"),
            Some(_) => None,
        };
        let place = Place { registry: address, name, version: None, rest: "", channel: None };
        let subject = || format!("the newest version of {name}");
        if let Some(member) = member {
            let found = self.get(place, subject(), outages, |body| version_in(&body, &[member])).await?;
            match found {
                Some(Some(version)) => return Ok(Some(version)),
                None => return Ok(None),
                Some(None) => {}
            }
        }
        let place = Place { registry: address, name, version: None, rest: "latest", channel };
        let found =
            self.get(place, subject(), outages, |body| version_in(&body, &["version", "latestVersion"])).await?;
        Ok(found.flatten())
    }

    async fn checksum(
        &self,
        address: &str,
        name: &str,
        version: &str,
        outages: &Outages,
    ) -> Result<Option<Digest>, Fault> {
        let place = Place { registry: address, name, version: Some(version), rest: "checksum", channel: None };
        let read = |body: Vec<u8>| {
            let value = json(&body)?;
            let text = value.get("checksum").and_then(Value::as_str).unwrap_or_default();
            let digits = text.strip_prefix("sha256:").unwrap_or(text);
            digits.parse().map_err(|error| Reason::Malformed(format!("{error}")))
        };
        self.get(place, format!("the checksum of {name}@{version}"), outages, read).await
    }

    async fn archive(
        &self,
        address: &str,
        name: &str,
        version: &str,
        checksum: Option<Digest>,
        outages: &Outages,
    ) -> Result<Option<Vec<u8>>, Fault> {
        let place = Place { registry: address, name, version: Some(version), rest: "download", channel: None };
        let verify = |body: Vec<u8>| {
            let found = Digest::of(&body);
            match checksum {
                Some(promised) if promised != found => {
                    Err(Reason::Mismatch { promised: promised.to_string(), found: found.to_string() })
                }
                Some(_) | None => Ok(body),
            }
        };
        self.get(place, format!("the archive of {name}@{version}"), outages, verify).await
    }
}

fn json(body: &[u8]) -> Result<Value, Reason> {
    serde_json::from_slice(body).map_err(|error| Reason::Malformed(error.to_string()))
}

/// The version under the first of these keys that has one; `None` if none has.
fn version_in(body: &[u8], keys: &[&str]) -> Result<Option<String>, Reason> {
    let value = json(body)?;
    if !value.is_object() {
        return Err(Reason::Malformed("it is no object".to_owned()));
    }
    let text = |found: &Value| found.as_str().or_else(|| found.get("version")?.as_str()).map(str::to_owned);
    Ok(keys.iter().find_map(|key| text(value.get(key)?)).filter(|version| !version.is_empty()))
}
