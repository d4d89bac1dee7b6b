//! Addresses of pages. Whatever stands in a name, it stays within its segment or parameter.

use std::fmt::Write as _;

use mangrove_app::service::DataPlace;
use mangrove_domain::source::{Kind, SourceId};

/// The page of a type.
pub(crate) fn of_type(kind: &Kind, type_name: &str) -> String {
    format!("/types/{}?kind={}", path(type_name), segment(kind.as_str()))
}

/// The page of a model type.
pub(crate) fn of_type_name(type_name: &str) -> String {
    of_type(&Kind::new("model"), type_name)
}

/// The page of a source.
pub(crate) fn of_source(source: &SourceId) -> String {
    format!("/source?root={}&path={}", segment(source.root.as_str()), segment(source.path.as_str()))
}

/// The page of a problem code.
pub(crate) fn of_code(code: &str) -> String {
    format!("/problems/{}", segment(code))
}

/// The page of a run.
pub(crate) fn of_run(id: &str) -> String {
    format!("/runs/{}", segment(id))
}

/// The page of a workflow.
pub(crate) fn of_workflow(name: &str) -> String {
    format!("/workflows/{}", segment(name))
}

/// The page of what a definition has written.
pub(crate) fn of_data(model_id: &str) -> String {
    format!("/data?model={}", segment(model_id))
}

/// The page of an item of data: of this version, else of the latest.
pub(crate) fn of_item(place: &DataPlace, version: Option<u32>) -> String {
    let version = version.map(|version| format!("&version={version}")).unwrap_or_default();
    format!("/data/item?{}{version}", item(place))
}

/// The content of a version of an item, as a file.
pub(crate) fn of_content(place: &DataPlace, version: u32) -> String {
    format!("/data/content?{}&version={version}", item(place))
}

fn item(place: &DataPlace) -> String {
    let DataPlace { model_id, name } = place;
    format!("model={}&name={}", segment(model_id), segment(name))
}

/// A path with parameters; those without a value are left out.
pub(crate) fn with(path: &str, parameters: &[(&str, &str)]) -> String {
    let given = parameters.iter().filter(|(_, value)| !value.is_empty());
    let pairs: Vec<String> = given.map(|(name, value)| format!("{name}={}", segment(value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// A text as one segment of a path, or as the value of a parameter.
pub(crate) fn segment(text: &str) -> String {
    escaped(text, |byte| byte.is_ascii_alphanumeric() || b"-._~@:".contains(&byte))
}

/// A text as the rest of a path: its slashes stay.
pub(crate) fn path(text: &str) -> String {
    escaped(text, |byte| byte.is_ascii_alphanumeric() || b"-._~@:/".contains(&byte))
}

fn escaped(text: &str, is_kept: impl Fn(u8) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_kept(byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

/// The path where a form leads back to, if it is one of this daemon; `/` otherwise.
pub(crate) fn back(path: Option<&str>) -> &str {
    let is_ours = |path: &&str| {
        let mut bytes = path.bytes();
        // `//host` and `/\host` name another machine.
        bytes.next() == Some(b'/')
            && !matches!(bytes.next(), Some(b'/' | b'\\'))
            && path.bytes().all(|byte| (0x21..0x7f).contains(&byte))
    };
    path.filter(is_ours).unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_within_their_part_of_an_address() {
        assert_eq!(path("@acme/dns"), "@acme/dns");
        assert_eq!(segment("a/b?c#d&e=f\"<>\n\u{202e}"), "a%2Fb%3Fc%23d%26e%3Df%22%3C%3E%0A%E2%80%AE");
    }

    #[test]
    fn parameters_without_a_value_are_left_out() {
        assert_eq!(with("/types", &[("query", "a&b"), ("kind", ""), ("state", "x")]), "/types?query=a%26b&state=x");
        assert_eq!(with("/types", &[("query", "")]), "/types");
    }

    #[test]
    fn a_form_leads_back_to_this_daemon_alone() {
        assert_eq!(back(Some("/types?query=a%20b")), "/types?query=a%20b");
        for other in
            ["//evil.example/", "/\\evil.example", "https://evil.example/", "", "types", "/a\r\nb", "/a b", "/ü"]
        {
            assert_eq!(back(Some(other)), "/", "{other}");
        }
        assert_eq!(back(None), "/");
    }
}
