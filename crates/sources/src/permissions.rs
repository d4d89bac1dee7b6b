//! `permissions:` of the marker: what is granted to whom.
//!
//! ```yaml
//! permissions:
//!   "*": { net: [registry.npmjs.org] }
//!   "@acme/tools": { read: true, env: [HOME] }
//! ```

use mangrove_domain::{
    document::{Node, NodeValue},
    nearest,
    permission::{Grant, Grants, Permission, Permissions},
    problem::{Code, Problem},
};

/// What is understood; the rest is a problem and grants nothing.
pub(super) fn read(marker: &str, node: &Node, problems: &mut Vec<Problem>) -> Permissions {
    let mut reader = PermissionReader { marker, problems };
    let mut permissions = Permissions::default();
    if node.value == NodeValue::Null {
        return permissions;
    }
    let Some(members) = reader.mapping("`permissions`", node) else { return permissions };
    for (key, value) in members {
        let subject = key.as_str().unwrap_or_default().to_owned();
        // An entry that is not understood still speaks of its subject: it grants nothing, and no wider one counts.
        let grants = match reader.mapping(&format!("`permissions` of {subject}"), value) {
            Some(grants) => grants.iter().filter_map(|(name, value)| reader.grant(name, value)).collect(),
            None => Grants::from([(Permission::Read, Grant::Only(Vec::new()))]),
        };
        permissions.entries.insert(subject, grants);
    }
    permissions
}

struct PermissionReader<'a> {
    marker: &'a str,
    problems: &'a mut Vec<Problem>,
}

impl PermissionReader<'_> {
    fn wrong(&mut self, node: &Node, message: String, advice: Option<String>) {
        self.problems.push(
            Problem::error(Code::INVALID_DOCUMENT, self.marker.to_owned(), message)
                .at(node.position(self.marker))
                .advise_if(advice),
        );
    }

    fn mapping<'n>(&mut self, what: &str, node: &'n Node) -> Option<&'n [(Node, Node)]> {
        let members = node.as_map();
        if members.is_none() {
            self.wrong(node, format!("{what} must be a mapping, found {}", node.type_name()), None);
        }
        members
    }

    fn grant(&mut self, name: &Node, value: &Node) -> Option<(Permission, Grant)> {
        let text = name.as_str().unwrap_or_default();
        let Some(permission) = Permission::parse(text) else {
            let hint = nearest::hint(text, Permission::ALL.map(Permission::as_str));
            self.wrong(name, format!("the permission `{text}` is not known"), hint);
            return None;
        };
        let items = |items: &[Node]| items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
        let grant = match &value.value {
            NodeValue::Bool(true) => Some(Grant::All),
            NodeValue::Bool(false) => Some(Grant::Only(Vec::new())),
            NodeValue::List(list) => Option::map(items(list), Grant::Only),
            NodeValue::Null | NodeValue::Number(_) | NodeValue::String(_) | NodeValue::Map(_) => None,
        };
        if grant.is_none() {
            let message = format!("`{text}` must be true, false or a list of strings");
            self.wrong(value, message, None);
        }
        Some((permission, grant?))
    }
}
