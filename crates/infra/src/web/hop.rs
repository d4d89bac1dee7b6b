//! One request on the way from the first address to the one that answers, by the rules of the Fetch standard.

use mangrove_engine::WebRequest;
use reqwest::{
    Method, StatusCode, Url,
    header::{
        ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_LOCATION,
        CONTENT_TYPE, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, PROXY_AUTHORIZATION, RANGE,
    },
};

use super::method;

/// What is sent to one address.
#[derive(Clone, Debug)]
pub(super) struct Hop {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Vec<u8>>,
}

/// What describes a body, and goes with it.
const OF_THE_BODY: [HeaderName; 5] =
    [CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LOCATION, CONTENT_TYPE, CONTENT_LENGTH];
/// What is meant for nobody but the origin that it was written for.
const SECRETS: [HeaderName; 3] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION];

impl Hop {
    /// To the first address.
    ///
    /// # Errors
    /// The message of the error that code gets.
    pub(super) fn first(request: WebRequest) -> Result<Self, String> {
        let url = Url::parse(&request.url).map_err(|_| format!("Invalid URL: '{}'", request.url))?;
        if !is_web(&url) {
            return Err(format!("Url scheme '{}' not supported", url.scheme()));
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            let name =
                HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("Invalid header name: \"{name}\""))?;
            let bytes: Option<Vec<u8>> = value.chars().map(|letter| u8::try_from(letter).ok()).collect();
            let value = bytes.and_then(|bytes| HeaderValue::from_bytes(&bytes).ok());
            let value = value.ok_or_else(|| format!("Invalid value of the header \"{name}\""))?;
            // These follow from the address and the body.
            if name != HOST && name != CONTENT_LENGTH {
                headers.try_append(name, value).map_err(|_| "fetch failed: there are too many headers".to_owned())?;
            }
        }
        if !headers.contains_key(ACCEPT_ENCODING) {
            // A part of something compressed cannot be decompressed.
            let accepted = if headers.contains_key(RANGE) { "identity" } else { "gzip" };
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(accepted));
        }
        let (method, body) = (method(&request.method)?, request.body);
        // Servers wait for a body, or refuse, where none is announced.
        if matches!(method, Method::POST | Method::PUT) && body.as_ref().is_none_or(Vec::is_empty) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        Ok(Self { method, url, headers, body })
    }

    /// Where an answer with this status and location leads.
    ///
    /// # Errors
    /// The message of the error that code gets.
    pub(super) fn next(self, status: StatusCode, location: &str) -> Result<Self, String> {
        let Self { mut method, url, mut headers, mut body } = self;
        let mut next = url.join(location).map_err(|_| format!("Fetch failed: Invalid URL: '{location}'"))?;
        if !is_web(&next) {
            return Err("Fetch failed: Can not redirect to a non HTTP(s) url".to_owned());
        }
        if next.fragment().is_none() {
            next.set_fragment(url.fragment());
        }
        let becomes_get = match status {
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => method == Method::POST,
            StatusCode::SEE_OTHER => method != Method::GET && method != Method::HEAD,
            _ => false,
        };
        if becomes_get {
            method = Method::GET;
            body = None;
            for name in &OF_THE_BODY {
                headers.remove(name);
            }
        }
        if url.origin() != next.origin() {
            for name in &SECRETS {
                headers.remove(name);
            }
        }
        Ok(Self { method, url: next, headers, body })
    }
}

/// True if an answer with this status leads elsewhere, if it says where.
pub(super) fn is_redirect(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    )
}

/// Where an answer leads, as it is written.
pub(super) fn location(headers: &HeaderMap) -> Option<String> {
    Some(String::from_utf8_lossy(headers.get(LOCATION)?.as_bytes()).into_owned())
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

/// Ports of other protocols, which the Fetch standard blocks ("bad port").
pub(super) fn is_blocked(port: u16) -> bool {
    const BLOCKED: [u16; 83] = [
        0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104,
        109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526,
        530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045,
        4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
    ];
    BLOCKED.contains(&port)
}

#[cfg(test)]
mod tests {
    use mangrove_engine::Redirect;

    use super::*;

    fn first(method: &str, url: &str) -> Hop {
        let headers = ["authorization", "cookie", "proxy-authorization", "content-type", "x-k", "host"];
        Hop::first(WebRequest {
            method: method.to_owned(),
            url: url.to_owned(),
            headers: headers.map(|name| (name.to_owned(), "v".to_owned())).to_vec(),
            body: Some(b"b".to_vec()),
            redirect: Redirect::Follow,
        })
        .unwrap()
    }

    fn shown(hop: &Hop) -> String {
        let mut names: Vec<&str> = hop.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names.retain(|name| *name != "accept-encoding");
        format!("{} {} {} {}", hop.method, hop.url, names.join(","), hop.body.is_some())
    }

    #[test]
    fn a_hop_to_another_origin_takes_no_secrets_along() {
        let hop = first("GET", "https://a.example/x#f");
        let same = hop.clone().next(StatusCode::FOUND, "/y").unwrap();
        assert_eq!(
            shown(&same),
            "GET https://a.example/y#f authorization,content-type,cookie,proxy-authorization,x-k true"
        );
        for other in ["https://b.example/y", "http://a.example/y", "https://a.example:8443/y", "//sub.a.example/"] {
            let next = hop.clone().next(StatusCode::TEMPORARY_REDIRECT, other).unwrap();
            assert!(shown(&next).ends_with("#f content-type,x-k true"), "{}", shown(&next));
        }
    }

    #[test]
    fn the_status_decides_what_becomes_of_method_and_body() {
        for (method, status, expected) in [
            ("POST", 301, "GET false"),
            ("POST", 302, "GET false"),
            ("PUT", 302, "PUT true"),
            ("PUT", 303, "GET false"),
            ("HEAD", 303, "HEAD true"),
            ("POST", 307, "POST true"),
            ("POST", 308, "POST true"),
        ] {
            let next = first(method, "http://a.example/").next(StatusCode::from_u16(status).unwrap(), "/y").unwrap();
            assert_eq!(format!("{} {}", next.method, next.body.is_some()), expected, "{method} {status}");
            assert_eq!(next.headers.contains_key(CONTENT_TYPE), next.body.is_some(), "{method} {status}");
        }
    }

    #[test]
    fn only_addresses_of_the_web_are_followed() {
        let next =
            |to: &str| first("GET", "http://a.example/").next(StatusCode::FOUND, to).map(|hop| hop.url.to_string());
        assert_eq!(next("ftp://a.example/").unwrap_err(), "Fetch failed: Can not redirect to a non HTTP(s) url");
        assert_eq!(next("file:///etc/passwd").unwrap_err(), "Fetch failed: Can not redirect to a non HTTP(s) url");
        assert_eq!(next("../b?c").unwrap(), "http://a.example/b?c");
    }
}
