//! What a workflow is told of the request that starts it.

use mangrove_domain::json::Json;

use super::Request;

/// Headers that hold secrets of whoever sent the request.
const SECRET_HEADERS: [&str; 8] = [
    "authorization",
    "proxy-authorization",
    "proxy-authenticate",
    "cookie",
    "set-cookie",
    "x-api-key",
    "x-auth-token",
    "www-authenticate",
];

/// Names of headers with these ends hold secrets too.
const SECRET_ENDS: [&str; 2] = ["-token", "-secret"];

/// The value of `webhook` in the inputs of a trigger: `body` (the value of a JSON text, else the text), `headers` and `route`.
/// `parse` gives the value of a JSON text. Without the header that holds the signature, `signature_header`, and those
/// that hold secrets.
#[must_use]
pub fn payload(
    request: Request<'_>,
    route: &str,
    signature_header: &str,
    parse: impl FnOnce(&str) -> Option<Json>,
) -> Json {
    let text = String::from_utf8_lossy(request.body);
    let body = parse(&text).unwrap_or_else(|| Json::from(text.as_ref()));
    let is_shown = |name: &str| {
        name != signature_header
            && !SECRET_HEADERS.contains(&name)
            && !SECRET_ENDS.iter().any(|end| name.ends_with(end))
    };
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, value) in request.headers.iter().filter(|(name, _)| is_shown(name)) {
        let value = String::from_utf8_lossy(value);
        match headers.iter_mut().find(|(known, _)| known == name) {
            Some((_, values)) => *values = format!("{values}, {value}"),
            None => headers.push((name.clone(), value.into_owned())),
        }
    }
    let headers = Json::object(headers.into_iter().map(|(name, value)| (name, Json::from(value.as_str()))));
    Json::object([("body", body), ("headers", headers), ("route", Json::from(route))])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(body: &[u8]) -> Json {
        let headers = [
            ("content-type", "application/json"),
            ("x-hub-signature-256", "sha256=00"),
            ("authorization", "Bearer x"),
            ("cookie", "x"),
            ("x-gitlab-token", "x"),
            ("client-secret", "x"),
            ("x-github-event", "push"),
            ("accept", "a"),
            ("accept", "b"),
        ];
        let headers: Vec<(String, Vec<u8>)> = headers.map(|(name, value)| (name.to_owned(), value.into())).to_vec();
        let parse = |text: &str| (text == "{}").then(|| Json::Object(Vec::new()));
        payload(Request { headers: &headers, body }, "deploy", "x-hub-signature-256", parse)
    }

    #[test]
    fn a_workflow_sees_the_body_and_no_secret() {
        assert_eq!(
            request(b"{}").to_string(),
            r#"{"body":{},"headers":{"content-type":"application/json","x-github-event":"push","accept":"a, b"},"route":"deploy"}"#
        );
        assert_eq!(request(b"{").get("body"), Some(&Json::from("{")));
        assert_eq!(request(b"\xff").get("body"), Some(&Json::from("\u{fffd}")));
    }
}
