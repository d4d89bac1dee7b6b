//! Addresses as messages may show them: with a user's name and password, or a token behind a question mark, they are
//! secrets.

use reqwest::Url;

/// What stands in place of what is not shown.
const HIDDEN: &str = "***";

/// A text in which every word that looks like an address is shown without user, password, query and fragment.
#[must_use]
pub fn shown_in(text: &str) -> String {
    let is_around = |letter: char| letter.is_whitespace() || "'\"`()<>[],;:.".contains(letter);
    text.split_inclusive(char::is_whitespace)
        .map(|part| {
            let word = part.trim_matches(is_around);
            let Some(address) = address_in(word) else { return part.to_owned() };
            let has_secrets = address.contains(['@', '?']) || Url::parse(address).is_err();
            if has_secrets { part.replacen(address, &hide(address, false), 1) } else { part.to_owned() }
        })
        .collect()
}

/// The address in which a word ends.
fn address_in(word: &str) -> Option<&str> {
    let (before, _) = word.split_once("://")?;
    let scheme = before.trim_end_matches(is_of_scheme);
    word.get(scheme.len()..)
}

/// An address that was configured, or what should have been one, without user, password, query and fragment. Nobody can
/// tell where the password of a text ends that is no address, or whose path has an `@`: whatever stands before the last
/// one is hidden. Where a text that is no address has none, it may be a user and a password without a host: all of it is
/// hidden that is more than words or a path.
#[must_use]
pub fn shown(address: &str) -> String {
    hide(address.trim(), true)
}

fn hide(address: &str, is_strict: bool) -> String {
    let (scheme, rest) = match address.find("//") {
        Some(at) => address.split_at(at + 2),
        None => ("", address),
    };
    let is_address =
        !scheme.is_empty() && !rest.starts_with(['/', '\\']) && Url::parse(address).is_ok_and(|url| url.has_host());
    if !is_address && (is_strict || Url::parse(address).is_err()) {
        return hide_malformed(scheme, rest);
    }
    let end = rest.find(['/', '?', '#']).filter(|_| is_address).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let may_be_password = |at: usize| !path.get(..at).is_some_and(|before| before.ends_with('/'));
    let in_path = path.rfind('@').filter(|at| is_strict && may_be_password(*at)).map(|at| end + at);
    let rest = match in_path.or_else(|| authority.rfind('@')) {
        Some(at) => format!("{HIDDEN}{}", rest.get(at..).unwrap_or_default()),
        None => rest.to_owned(),
    };
    let rest = match rest.find(['?', '#']) {
        Some(at) => format!("{}{HIDDEN}", rest.get(..=at).unwrap_or_default()),
        None => rest,
    };
    format!("{scheme}{rest}")
}

/// What may be shown of a text that is no address, in two parts of which the first ends in `//` or is empty.
fn hide_malformed(scheme: &str, rest: &str) -> String {
    let is_scheme = scheme.strip_suffix("://").is_some_and(|name| name.chars().all(is_of_scheme));
    let scheme = if scheme.is_empty() || is_scheme { scheme } else { HIDDEN };
    let is_harmless = |letter| is_of_host(letter) || letter == '/' || (letter == ' ' && scheme.is_empty());
    let (hidden, shown) = match rest.rsplit_once('@') {
        Some((_, host)) => (HIDDEN, format!("@{}", visible_host(host).unwrap_or(HIDDEN))),
        None if rest.chars().all(is_harmless) => ("", rest.to_owned()),
        None => ("", HIDDEN.to_owned()),
    };
    if scheme == HIDDEN && shown == HIDDEN { HIDDEN.to_owned() } else { format!("{scheme}{hidden}{shown}") }
}

/// A host with or without a port and a slash; `None` if it is none, so that it may be the rest of a password.
fn visible_host(text: &str) -> Option<&str> {
    let host = text.strip_suffix('/').unwrap_or(text);
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    let is_host = name.chars().all(is_of_host) && port.chars().all(|letter| letter.is_ascii_digit());
    is_host.then_some(text)
}

fn is_of_host(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_' | '[')
}

fn is_of_scheme(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '+' | '.' | '-')
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f18_no_user_and_no_password_is_shown() {
        for (address, expected) in [
            ("https://registry.example/npm/", "https://registry.example/npm/"),
            ("https://me:s3cret@registry.example/npm/", "https://***@registry.example/npm/"),
            ("https://s3cret@registry.example:99999/", "https://***@registry.example:99999/"),
            ("http://me:s3/cr@t@proxy:8080", "http://***@proxy:8080"),
            ("http://me:s3#cret@proxy:8080", "http://***@proxy:8080"),
            ("me:s3cret@proxy:8080", "***@proxy:8080"),
            ("://me:s3cret@proxy", "://***@proxy"),
            ("http:/me:s3cret@proxy", "***@proxy"),
            ("me@s3cret//proxy", "***proxy"),
            ("ftp://me:s3cret@[proxy", "ftp://***@[proxy"),
            ("https://registry.example/?_authToken=s3cret", "https://registry.example/?***"),
            ("https://registry.example/#s3cret", "https://registry.example/#***"),
            ("https:///me:s3cret@proxy", "https://***@proxy"),
            ("https://me:123/s3cret@proxy", "https://***@proxy"),
            ("http:\\\\me:s3cret@proxy", "***@proxy"),
            ("https://registry.example/@acme/", "https://registry.example/@acme/"),
            ("nonsense", "nonsense"),
            ("http://me:s3cret", "http://***"),
            ("http://me:s3cret/npm/", "http://***"),
            ("http:me:s3cret", "***"),
            ("me:s3cret", "***"),
            ("https//me:s3cret", "***"),
            ("me:s3cret//proxy", "***proxy"),
            ("https:///me:s3cret", "https://***"),
            ("http:\\\\me:s3cret", "***"),
            ("http://me%3As3cret", "http://***"),
            ("http://me s3cret", "http://***"),
            ("http://me:pa@s3:cret", "http://***@***"),
            ("http://me:pa@x y/s3:cret@s3 cret", "http://***@***"),
            ("http://registry.example:99999/", "http://***"),
        ] {
            let found = shown(address);
            assert_eq!(found, expected, "{address}");
            assert!(!found.contains("cret") && !found.contains("s3"), "{found}");
        }
    }

    #[test]
    fn f18_addresses_in_a_text_are_shown_without_them() {
        let text =
            "error: cannot use https://me:s3cret@proxy:8080/x (HTTPS_PROXY),\n  see https://docs.example/a?b=c\n";
        let shown = "error: cannot use https://***@proxy:8080/x (HTTPS_PROXY),\n  see https://docs.example/a?***\n";
        assert_eq!(shown_in(text), shown);
        for innocent in
            ["npm:@acme/x@1 and a@b", "Import 'https://jsr.io/@std/path/1.0/mod.ts' failed: 404", "at https://x/y"]
        {
            assert_eq!(shown_in(innocent), innocent);
        }
        assert_eq!(shown_in("(\"http://me:s3@cret@[bad\")"), "(\"http://***@[bad\")");
        assert_eq!(shown_in("proxy=http://me:s3cret, then https://x/y"), "proxy=http://***, then https://x/y");
        assert_eq!(shown_in("at file:///repository/models/a.ts:3:5"), "at file:///repository/models/a.ts:3:5");
    }
}
