//! What extensions are called.

/// True for what may stand as a name in the lockfile: two or more segments, none of which leads elsewhere.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let is_segment = |segment: &str| {
        !segment.is_empty()
            && !segment.starts_with('.')
            && !segment.contains('\\')
            && !segment.contains(char::is_control)
    };
    name.split('/').count() >= 2 && name.split('/').all(is_segment)
}

/// True for a name as those who publish have to choose it: `@collective/name`, or more segments.
#[must_use]
pub fn is_scoped_name(name: &str) -> bool {
    let Some(rest) = name.strip_prefix('@') else { return false };
    is_name(rest) && !rest.contains(char::is_whitespace)
}

/// An extension as people name it: `@acme/dns`, or one version of it, `@acme/dns@2026.05.23.1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionReference {
    /// Its name.
    pub name: String,
    /// The version; the newest one if `None`.
    pub version: Option<String>,
}

impl ExtensionReference {
    /// Reads `NAME[@VERSION]`; `None` if that is no name with a scope, or the version is one that no registry has.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, version) = match text.rsplit_once('@') {
            Some((name, version)) if !name.is_empty() => (name, Some(version)),
            Some(_) | None => (text, None),
        };
        let is_version = |version: &str| {
            !version.is_empty()
                && version
                    .chars()
                    .all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '+' | '_'))
        };
        let reference = Self { name: name.to_owned(), version: version.map(str::to_owned) };
        (is_scoped_name(name) && version.is_none_or(is_version)).then_some(reference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_a_name_with_or_without_a_version() {
        let read = |text: &str| ExtensionReference::parse(text).map(|read| (read.name, read.version));
        let named = |name: &str, version: Option<&str>| Some((name.to_owned(), version.map(str::to_owned)));
        assert_eq!(read("@acme/dns"), named("@acme/dns", None));
        assert_eq!(read("@acme/dns/cost@2026.01.02.1"), named("@acme/dns/cost", Some("2026.01.02.1")));
        for wrong in
            ["", "@", "acme/dns", "@acme", "@acme/", "@acme/../x", "@acme/.x", "@acme/a b", "@acme/a@", "@acme/a@1/2"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn names_of_the_lockfile_lead_nowhere_else() {
        for name in ["@acme/dns", "acme/dns", "@acme/dns/cost"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["dns", "@acme/../etc", "@acme//x", "/acme", "@acme/.git", "@acme/a\\b", "@acme/a\nb"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
