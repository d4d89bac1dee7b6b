//! The paths that an entry of the lockfile names.

use crate::source::RelativePath;

use super::DIRECTORY;

/// Where a path of the lockfile leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockedPath {
    /// To a file of the extension: its path below it.
    Inside(RelativePath),
    /// To a file of the repository beside it: bundles that can be built again, what was made for other tools.
    Beside(RelativePath),
    /// Nowhere below the repository.
    Invalid,
}

/// Where a path leads that the entry of the extension `name` has. Paths are relative to the repository, or to the
/// extension; those of the repository begin with a hidden directory.
#[must_use]
pub fn locked_path(name: &str, text: &str) -> LockedPath {
    if text.split('/').any(|segment| segment == "..") {
        return LockedPath::Invalid;
    }
    let Ok(path) = RelativePath::parse(text) else { return LockedPath::Invalid };
    let inside = path.as_str().strip_prefix(DIRECTORY).and_then(|rest| rest.strip_prefix('/')?.strip_prefix(name));
    match inside.and_then(|rest| rest.strip_prefix('/')) {
        Some(inside) => RelativePath::parse(inside).map_or(LockedPath::Invalid, LockedPath::Inside),
        None if path.as_str().starts_with('.') => LockedPath::Beside(path),
        None => LockedPath::Inside(path),
    }
}

/// True for a file that other programs built out of a pulled extension and can build again:
/// `.swamp/<kind>-bundles/<hash>/x.js`.
#[must_use]
pub fn is_bundle_cache(path: &RelativePath) -> bool {
    let mut segments = path.as_str().split('/');
    let is_cache = |name: &str| name == "bundles" || name.ends_with("-bundles");
    segments.next() == Some(".swamp") && segments.next().is_some_and(is_cache) && segments.next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_lockfile_lead_into_the_extension_or_beside_it() {
        let place = |text: &str| match locked_path("@acme/dns", text) {
            LockedPath::Inside(path) => format!("inside {path}"),
            LockedPath::Beside(path) => format!("beside {path} {}", is_bundle_cache(&path)),
            LockedPath::Invalid => "invalid".to_owned(),
        };
        for (text, expected) in [
            ("models/a.ts", "inside models/a.ts"),
            (".swamp/pulled-extensions/@acme/dns/models/a.ts", "inside models/a.ts"),
            (".swamp/pulled-extensions/@acme/dns/.swamp/model-bundles/a.js", "inside .swamp/model-bundles/a.js"),
            (".swamp/pulled-extensions/@acme/dnssec/a.ts", "beside .swamp/pulled-extensions/@acme/dnssec/a.ts false"),
            (".swamp/bundles/9d92b9c9/dns/a.js", "beside .swamp/bundles/9d92b9c9/dns/a.js true"),
            (".swamp/vault-bundles/1/a.js", "beside .swamp/vault-bundles/1/a.js true"),
            (".swamp/data/x", "beside .swamp/data/x false"),
            (".swamp/bundles", "beside .swamp/bundles false"),
            (".claude/skills/x/SKILL.md", "beside .claude/skills/x/SKILL.md false"),
            ("models/../../x", "invalid"),
            ("/etc/passwd", "invalid"),
            ("", "invalid"),
        ] {
            assert_eq!(place(text), expected, "{text}");
        }
    }
}
