//! The way to the network that the environment names.

use std::collections::BTreeMap;

use crate::address::shown;

/// The proxy variables of the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    http: Option<String>,
    https: Option<String>,
    none_for: Option<String>,
}

impl Proxies {
    /// From `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`, or their lower-case forms, which win.
    #[must_use]
    pub fn of(environment: &BTreeMap<String, String>) -> Self {
        let get = |name: &str| {
            let found = environment.get(&name.to_ascii_lowercase()).or_else(|| environment.get(name));
            found.filter(|value| !value.is_empty()).cloned()
        };
        let all = get("ALL_PROXY");
        Self {
            http: get("HTTP_PROXY").or_else(|| all.clone()),
            https: get("HTTPS_PROXY").or(all),
            none_for: get("NO_PROXY"),
        }
    }

    /// A client that takes this way and no other.
    ///
    /// # Errors
    /// What may be shown of a variable that holds no address.
    pub fn apply(&self, builder: reqwest::ClientBuilder) -> Result<reqwest::ClientBuilder, String> {
        let mut builder = builder.no_proxy();
        let none_for = || self.none_for.as_deref().and_then(reqwest::NoProxy::from_string);
        let usable = |proxy: reqwest::Result<reqwest::Proxy>, address: &str| match proxy {
            Ok(proxy) => Ok(proxy.no_proxy(none_for())),
            Err(_) => Err(shown(address)),
        };
        if let Some(address) = &self.http {
            builder = builder.proxy(usable(reqwest::Proxy::http(address), address)?);
        }
        if let Some(address) = &self.https {
            builder = builder.proxy(usable(reqwest::Proxy::https(address), address)?);
        }
        Ok(builder)
    }
}
