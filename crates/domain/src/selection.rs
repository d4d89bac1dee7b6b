//! Which of several things a file insists on, and which it leaves out: the checks and reports of definitions and workflows.

use crate::form::{Form, Located, Members};

/// Names that are insisted on, and names that are left out; what is left out wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Cannot be left out by whoever runs a method.
    pub require: Vec<Located<String>>,
    /// Never run.
    pub skip: Vec<Located<String>>,
    /// Names among those that are insisted on, each with the only methods for which it is.
    pub only_for: Vec<(String, Vec<String>)>,
}

impl Selection {
    /// Reads the mapping `{require, skip}` that stands under a key; nothing of either if there is none.
    pub(crate) fn read(form: &mut Form<'_>, members: Members<'_>, key: &str) -> Self {
        let Some(node) = form.mapping(members, key) else { return Self::default() };
        let Some(given) = form.open_members(node, "selection", &["require", "skip"]) else { return Self::default() };
        let mut selection = Self::default();
        for node in form.list(given, "require") {
            if node.as_map().is_none() {
                selection.require.extend(form.text(node, "require"));
                continue;
            }
            let Some(limited) = form.open_members(node, "requirement", &["name", "methods"]) else { continue };
            let Some(name) = form.required_text(limited, "name") else { continue };
            let methods = form.list(limited, "methods").iter().filter_map(|node| form.text(node, "methods"));
            let methods: Vec<String> = methods.map(|method| method.value).collect();
            if !methods.is_empty() {
                selection.only_for.push((name.value.clone(), methods));
            }
            selection.require.push(name);
        }
        selection.skip = form.list(given, "skip").iter().filter_map(|node| form.text(node, "skip")).collect();
        selection
    }

    /// True if a name is left out.
    #[must_use]
    pub fn skips(&self, name: &str) -> bool {
        self.skip.iter().any(|skipped| skipped.value == name)
    }

    /// True if a name is insisted on where these methods ran: by an entry without methods, or by one that has one of them.
    #[must_use]
    pub fn requires(&self, name: &str, methods: &[&str]) -> bool {
        let entries = self.require.iter().filter(|required| required.value == name).count();
        let limits: Vec<&[String]> =
            self.only_for.iter().filter(|(limited, _)| limited == name).map(|(_, only)| only.as_slice()).collect();
        entries > limits.len() || limits.concat().iter().any(|method| methods.contains(&method.as_str()))
    }
}
