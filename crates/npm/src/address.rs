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
            let is_address = word.contains("://") && word.contains(['@', '?']);
            if is_address { part.replacen(word, &hide(word, false), 1) } else { part.to_owned() }
        })
        .collect()
}

/// An address that was configured, or what should have been one, without user, password, query and fragment. Nobody can
/// tell where the password of a text ends that is no address, or whose path has an `@`: whatever stands before the last
/// one is hidden.
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
    let scheme = if scheme.contains('@') { HIDDEN } else { scheme };
    format!("{scheme}{rest}")
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
    }
}
