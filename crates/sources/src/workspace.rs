//! Workspaces: a deno.json that lists the directories of its members (`design/discovery.md`).

use mangrove_domain::{
    document::Node,
    json::Json,
    source::{PathError, RelativePath},
};

use super::path::{join, parent};

/// The members that a deno.json lists, as it writes them; `None` if it is none of a workspace.
pub(super) fn members(root: &Node) -> Option<Vec<String>> {
    let listed = root.get("workspace")?;
    let listed = listed.as_list().or_else(|| listed.get("members")?.as_list())?;
    Some(listed.iter().filter_map(Node::as_str).map(str::to_owned).collect())
}

/// Where a member may lie.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In this directory.
    At(String),
    /// In any directory directly below this one.
    Below(String),
}

/// Where what a deno.json in `directory` lists lies below the root; `None` for what lies outside or is another pattern.
pub(super) fn place(directory: &str, member: &str) -> Option<Place> {
    let path = |text: &str| match RelativePath::parse(&join(directory, text)) {
        Ok(path) => Some(path.as_str().to_owned()),
        Err(PathError::Empty) => Some(String::new()),
        Err(PathError::Outside(_) | PathError::Absolute(_)) => None,
    };
    let member = member.trim_end_matches('/');
    match member.strip_suffix("/*") {
        Some(above) if !above.contains('*') => path(above).map(Place::Below),
        None if !member.contains('*') => path(member).map(Place::At),
        Some(_) | None => None,
    }
}

/// True if a directory is a member of the workspace of a deno.json in `root`.
pub(super) fn has_member(root: &str, members: &[String], directory: &str) -> bool {
    members.iter().filter_map(|member| place(root, member)).any(|place| match place {
        Place::At(path) => path == directory,
        Place::Below(above) => above == parent(directory),
    })
}

/// The `compilerOptions` of a deno.json, of which members have those of their workspace.
pub(super) fn compiler_options(root: &Node) -> Vec<(String, Json)> {
    let options = root.get("compilerOptions").and_then(Node::as_map).unwrap_or_default();
    options.iter().map(|(key, value)| (key.as_str().unwrap_or_default().to_owned(), value.to_json())).collect()
}

/// What a member offers to others of its workspace: names, and the path below the root that each stands for.
pub(super) fn offers(root: &Node, directory: &str) -> Vec<(String, String)> {
    let Some(name) = root.get("name").and_then(Node::as_str) else { return Vec::new() };
    let offer = |key: &str, target: &Node| {
        let path = RelativePath::parse(&join(directory, target.as_str()?)).ok()?;
        // Targets of maps are addresses.
        let path = path.as_str().replace('%', "%25").replace('?', "%3F").replace('#', "%23");
        Some((format!("{name}{}", key.strip_prefix('.')?), format!("/{path}")))
    };
    match root.get("exports") {
        Some(exports) if exports.as_str().is_some() => offer(".", exports).into_iter().collect(),
        Some(exports) => {
            let exports = exports.as_map().unwrap_or_default().iter();
            exports.filter_map(|(key, target)| offer(key.as_str()?, target)).collect()
        }
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_directories_or_all_below_one() {
        assert_eq!(place("", "./a/"), Some(Place::At("a".to_owned())));
        assert_eq!(place("x", "../y/*"), Some(Place::Below("y".to_owned())));
        assert_eq!(place("", "./*"), Some(Place::Below(String::new())));
        assert_eq!(place("", "../a"), None);
        assert_eq!(place("", "a/**/b"), None);
        let members = ["./one".to_owned(), "./packages/*".to_owned()];
        for (directory, expected) in [
            ("one", true),
            ("packages/two", true),
            ("packages", false),
            ("packages/two/three", false),
            ("other", false),
        ] {
            assert_eq!(has_member("", &members, directory), expected, "{directory}");
        }
    }
}
