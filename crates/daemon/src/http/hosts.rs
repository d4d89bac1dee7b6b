//! Under which names the daemon may be asked. A web page can have its own name lead to this machine (DNS rebinding) and
//! would then be of the same origin as the daemon; so a request has to name the daemon by an address, by `localhost`, or by
//! a name that is configured. Addresses cannot be rebound.

use std::net::IpAddr;

use axum::http::{HeaderMap, Uri, header};

/// Names under which the daemon may be asked, besides its addresses and `localhost`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    names: Vec<String>,
}

impl Hosts {
    /// These names besides. Case does not count, and they have no port.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self { names: names.into_iter().map(|name| name.to_ascii_lowercase()).collect() }
    }

    /// The name and port by which a request names the daemon; `None` if it may not be asked under it.
    pub(super) fn accepted<'a>(&self, uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
        let mut given = headers.get_all(header::HOST).iter();
        let host = match (uri.authority(), given.next(), given.next()) {
            (Some(authority), _, None) => authority.as_str(),
            (None, Some(host), None) => host.to_str().ok()?,
            (_, _, _) => return None,
        };
        self.includes(without_port(host)).then_some(host)
    }

    fn includes(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(&name);
        address.parse::<IpAddr>().is_ok()
            || name == "localhost"
            || name.ends_with(".localhost")
            || self.names.contains(&name)
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn f_rebinding_a_name_that_nobody_configured_is_refused() {
        let hosts = Hosts::new(["Mangrove.example.org".to_owned()]);
        let is_accepted = |host: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            hosts.accepted(&Uri::from_static("/"), &headers).is_some()
        };
        for host in [
            "127.0.0.1:8787",
            "127.0.0.1",
            "[::1]:8787",
            "[fe80::1]",
            "10.0.0.7:80",
            "localhost:8787",
            "LOCALHOST.",
            "a.localhost:1",
            "mangrove.example.org",
            "mangrove.EXAMPLE.org:443",
        ] {
            assert!(is_accepted(host), "{host}");
        }
        for host in
            ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8787", "example.org", "", ":80", "a b"]
        {
            assert!(!is_accepted(host), "{host}");
        }
        assert!(hosts.accepted(&Uri::from_static("/"), &HeaderMap::new()).is_none(), "none is named");
        let mut two = HeaderMap::new();
        two.append(header::HOST, HeaderValue::from_static("localhost"));
        two.append(header::HOST, HeaderValue::from_static("localhost"));
        assert!(hosts.accepted(&Uri::from_static("/"), &two).is_none(), "two are named");
        let absolute = Uri::from_static("http://evil.example/");
        assert!(hosts.accepted(&absolute, &HeaderMap::new()).is_none(), "an absolute one counts");
    }
}
