//! Which hosts an entry of the `net` grants names: the rules of Deno's `--allow-net`, so that an entry means the same
//! wherever code runs.
//!
//! | entry | names |
//! |---|---|
//! | `api.example.org` | this host, every port |
//! | `api.example.org:443` | this host, this port |
//! | `*.example.org`, `*.example.org:443` | `example.org` and everything below it |
//! | `192.0.2.7`, `[2001:db8::1]:443` | this address |
//! | `192.0.2.0/24`, `[2001:db8::]/32` | the addresses of this network |
//!
//! Hosts are compared as they are written, in small letters and without the dot at their end. What a name resolves to is
//! not looked at: a name that is granted may lead anywhere, and an address that is granted is reached by no name.

use std::net::{IpAddr, Ipv6Addr};

/// True if an entry names this host and port. `host` is the host of a URL: in small letters, international names in their
/// ASCII form, addresses of version 6 in brackets. An entry of another form than those above names nothing.
#[must_use]
pub fn names(entry: &str, host: &str, port: u16) -> bool {
    let Some((entry, entry_port)) = split_port(entry) else { return false };
    if entry_port.is_some_and(|entry_port| entry_port != port) {
        return false;
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    if let Some((network, length)) = entry.split_once('/') {
        return match (address(network), length.parse(), address(host)) {
            (Some(network), Ok(length), Some(host)) => is_within(network, length, host),
            _ => false,
        };
    }
    match (address(entry), address(host)) {
        (Some(entry), Some(host)) => return entry == host,
        (None, None) => {}
        _ => return false,
    }
    let entry = entry.strip_suffix('.').unwrap_or(entry).to_ascii_lowercase();
    match entry.strip_prefix("*.") {
        Some(parent) => host == parent || host.strip_suffix(parent).is_some_and(|below| below.ends_with('.')),
        None => !entry.is_empty() && entry == host,
    }
}

/// An entry without its port, and the port; `None` if what stands behind the colon is no port.
fn split_port(entry: &str) -> Option<(&str, Option<u16>)> {
    let before_port = match entry.rfind(']') {
        Some(end) => end,
        // Without brackets, an address of version 6 could end in a port or not.
        None if entry.matches(':').count() > 1 => return None,
        None => 0,
    };
    match entry.get(before_port..)?.split_once(':') {
        Some((_, port)) => {
            let host = entry.get(..entry.len() - port.len() - 1)?;
            Some((host, Some(port.parse().ok()?)))
        }
        None => Some((entry, None)),
    }
}

/// The address that a text is, in brackets if it is of version 6.
fn address(text: &str) -> Option<IpAddr> {
    match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => text.parse().ok().filter(IpAddr::is_ipv4),
    }
}

/// True if the first `length` bits of both addresses are the same.
fn is_within(network: IpAddr, length: u32, host: IpAddr) -> bool {
    let same = |difference: u128, bits: u32| length <= bits && (length == 0 || difference >> (bits - length) == 0);
    match (network, host) {
        (IpAddr::V4(network), IpAddr::V4(host)) => same(u128::from(network.to_bits() ^ host.to_bits()), 32),
        (IpAddr::V6(network), IpAddr::V6(host)) => same(network.to_bits() ^ host.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_names_what_deno_says_that_it_names() {
        let targets = [
            ("example.com", 443),
            ("a.example.com", 443),
            ("a.example.com.", 8),
            ("badexample.com", 443),
            ("10.1.2.3", 80),
            ("[::1]", 80),
            ("xn--bcher-kva.de", 443),
        ];
        for (entry, expected) in [
            ("example.com", "example.com:443"),
            ("EXAMPLE.com", "example.com:443"),
            ("example.com:443", "example.com:443"),
            ("example.com:80", ""),
            ("*.example.com", "example.com:443 a.example.com:443 a.example.com.:8"),
            ("*.example.com:443", "example.com:443 a.example.com:443"),
            ("a.example.com.", "a.example.com:443 a.example.com.:8"),
            ("10.0.0.0/8", "10.1.2.3:80"),
            ("10.1.2.3", "10.1.2.3:80"),
            ("11.0.0.0/8", ""),
            ("0.0.0.0/0", "10.1.2.3:80"),
            ("10.0.0.0/33", ""),
            ("[::1]", "[::1]:80"),
            ("[::1]:80", "[::1]:80"),
            ("[::1]:81", ""),
            ("[::]/64", "[::1]:80"),
            ("[fe80::]/64", ""),
            ("::1", ""),
            ("xn--bcher-kva.de", "xn--bcher-kva.de:443"),
            ("https://example.com", ""),
            ("example.com:*", ""),
            ("*", ""),
            ("*:80", ""),
            ("", ""),
            (":443", ""),
            ("10.1", ""),
        ] {
            let named = targets.iter().filter(|(host, port)| names(entry, host, *port));
            let named: Vec<String> = named.map(|(host, port)| format!("{host}:{port}")).collect();
            assert_eq!(named.join(" "), expected, "{entry}");
        }
    }
}
