//! Reading a document into a typed value: all problems at once, each with its place.
//!
//! Used for every file that people write by hand (`design/workflows.md`). What becomes of a key that nobody knows, whoever
//! reads says: in most documents it is an error if it is nearly a known one, because then it is a slip, and otherwise a
//! warning, because a newer program may know it.

use crate::{
    document::{Document, Node, NodeValue},
    json::Number,
    nearest,
    position::Position,
    problem::{Code, Problem, Severity},
};

/// What reading a document gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed<T> {
    /// The value, if no problem made it unusable.
    pub value: Option<T>,
    /// All problems, in the order of the file.
    pub problems: Vec<Problem>,
}

impl<T> Parsed<T> {
    /// The same with further problems, which do not make it unusable.
    #[must_use]
    pub fn with_problems(mut self, problems: Vec<Problem>) -> Self {
        self.problems.extend(problems);
        sort(&mut self.problems);
        self
    }
}

/// Puts problems into the order of their file.
fn sort(problems: &mut [Problem]) {
    problems.sort_by_key(|problem| problem.position.as_ref().map(|place| (place.line, place.column)));
}

/// A value with its place in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

impl<T> Located<T> {
    /// A value at the place of a node.
    pub fn at(node: &Node, value: T) -> Self {
        Self { value, line: node.line, column: node.column }
    }

    /// The place, in the file that people call `file`.
    #[must_use]
    pub fn position(&self, file: &str) -> Position {
        Position { file: file.to_owned(), line: self.line, column: self.column }
    }
}

/// Collects the problems of one document while it is read.
#[derive(Debug)]
pub struct Form<'a> {
    file: &'a str,
    problems: Vec<Problem>,
}

/// What becomes of a key that nobody knows.
#[derive(Clone, Copy, Debug)]
enum UnknownKeys {
    /// An error if it is nearly a known one, else a warning.
    Slips,
    /// An error.
    Refused,
    /// A warning.
    Ignored,
}

/// The members of one mapping while they are read.
#[derive(Clone, Copy, Debug)]
pub struct Members<'n> {
    /// The mapping.
    pub node: &'n Node,
    /// What people call it: `step`, `job`, ….
    pub what: &'static str,
}

impl<'a> Form<'a> {
    /// A form for this document.
    #[must_use]
    pub const fn new(document: &'a Document) -> Self {
        Self { file: document.name.as_str(), problems: Vec::new() }
    }

    /// Everything that was found. `value` is dropped if one of the problems is an error.
    pub fn finish<T>(mut self, value: Option<T>) -> Parsed<T> {
        sort(&mut self.problems);
        let is_usable = self.problems.iter().all(|problem| problem.severity != Severity::Error);
        Parsed { value: value.filter(|_| is_usable), problems: self.problems }
    }

    /// Reports that the document has the wrong form at `node`.
    pub fn error(&mut self, node: &Node, message: impl Into<String>, advice: Option<String>) {
        self.report(Severity::Error, Code::INVALID_DOCUMENT, node, message.into(), advice);
    }

    /// Reports a problem at `node`.
    pub fn report(&mut self, severity: Severity, code: Code, node: &Node, message: String, advice: Option<String>) {
        self.problems.push(
            Problem::new(severity, code, self.file.to_owned(), message).at(node.position(self.file)).advise_if(advice),
        );
    }

    /// The members of a mapping, after a look at its keys: one that is nearly a known one is an error, any other a warning.
    pub fn members<'n>(&mut self, node: &'n Node, what: &'static str, known: &[&str]) -> Option<Members<'n>> {
        self.read_members(node, what, known, UnknownKeys::Slips)
    }

    /// The members of a mapping that must have no other keys.
    pub fn closed_members<'n>(&mut self, node: &'n Node, what: &'static str, known: &[&str]) -> Option<Members<'n>> {
        self.read_members(node, what, known, UnknownKeys::Refused)
    }

    /// The members of a mapping whose other keys mean nothing: each is a warning.
    pub fn open_members<'n>(&mut self, node: &'n Node, what: &'static str, known: &[&str]) -> Option<Members<'n>> {
        self.read_members(node, what, known, UnknownKeys::Ignored)
    }

    fn read_members<'n>(
        &mut self,
        node: &'n Node,
        what: &'static str,
        known: &[&str],
        unknown: UnknownKeys,
    ) -> Option<Members<'n>> {
        let Some(members) = node.as_map() else {
            self.error(node, format!("expected a {what} (a mapping), found {}", found(node)), None);
            return None;
        };
        for (key, _) in members {
            let name = key.as_str().unwrap_or_default();
            if known.contains(&name) {
                continue;
            }
            let hint = nearest::hint(name, known.iter().copied());
            let severity = match unknown {
                UnknownKeys::Refused => Severity::Error,
                UnknownKeys::Slips if hint.is_some() => Severity::Error,
                UnknownKeys::Slips | UnknownKeys::Ignored => Severity::Warning,
            };
            let ignored = if severity == Severity::Warning { ", which is ignored" } else { "" };
            let message = format!("unknown key `{name}` in a {what}{ignored}");
            self.report(severity, Code::UNKNOWN_SETTING, key, message, hint);
        }
        Some(Members { node, what })
    }

    /// A member that must be there.
    pub fn required<'n>(&mut self, members: Members<'n>, key: &str) -> Option<&'n Node> {
        let found = self.optional(members, key);
        if found.is_none() {
            self.error(members.node, format!("a {} needs `{key}`", members.what), None);
        }
        found
    }

    /// A member that may be missing; `null` counts as missing.
    pub fn optional<'n>(&mut self, members: Members<'n>, key: &str) -> Option<&'n Node> {
        members.node.get(key).filter(|node| node.value != NodeValue::Null)
    }

    /// A text that must be there and not be empty.
    pub fn required_text(&mut self, members: Members<'_>, key: &str) -> Option<Located<String>> {
        let node = self.required(members, key)?;
        self.text(node, key)
    }

    /// A text that may be missing.
    pub fn optional_text(&mut self, members: Members<'_>, key: &str) -> Option<Located<String>> {
        let node = self.optional(members, key)?;
        self.text(node, key)
    }

    /// A text that is not empty; a number or boolean counts as its text, because YAML does not ask for quotes.
    pub fn text(&mut self, node: &Node, key: &str) -> Option<Located<String>> {
        match scalar_text(node) {
            Some(text) if !text.trim().is_empty() => Some(Located::at(node, text)),
            Some(_) => {
                self.error(node, format!("`{key}` must not be empty"), None);
                None
            }
            None => {
                self.expected(node, key, "a string");
                None
            }
        }
    }

    /// A whole number of at least `least` that may be missing.
    pub fn optional_count(&mut self, members: Members<'_>, key: &str, least: u32) -> Option<u32> {
        let node = self.optional(members, key)?;
        let count = match node.value {
            NodeValue::Number(Number::Integer(value)) => u32::try_from(value).ok().filter(|value| *value >= least),
            _ => None,
        };
        if count.is_none() {
            self.expected(node, key, &format!("a whole number of at least {least}"));
        }
        count
    }

    /// A number that may be missing.
    pub fn optional_number(&mut self, members: Members<'_>, key: &str) -> Option<Number> {
        let node = self.optional(members, key)?;
        let NodeValue::Number(value) = node.value else {
            self.expected(node, key, "a number");
            return None;
        };
        Some(value)
    }

    /// One of a few words, which may be missing.
    pub fn choice<T: Copy>(&mut self, members: Members<'_>, key: &str, known: &[(&str, T)]) -> Option<T> {
        let text = self.optional_text(members, key)?;
        let found = known.iter().find(|(word, _)| *word == text.value);
        if found.is_none() {
            let words = || known.iter().map(|(word, _)| *word);
            let hint = nearest::hint(&text.value, words())
                .unwrap_or_else(|| format!("expected one of {}", words().collect::<Vec<_>>().join(", ")));
            let node = members.node.get(key).unwrap_or(members.node);
            self.error(node, format!("`{key}`: unknown word `{}`", text.value), Some(hint));
        }
        found.map(|(_, value)| *value)
    }

    /// `true` or `false`; `false` if it is missing.
    pub fn flag(&mut self, members: Members<'_>, key: &str) -> bool {
        match self.optional(members, key) {
            None => false,
            Some(Node { value: NodeValue::Bool(value), .. }) => *value,
            Some(node) => {
                self.expected(node, key, "true or false");
                false
            }
        }
    }

    /// The items of a list that may be missing.
    pub fn list<'n>(&mut self, members: Members<'n>, key: &str) -> &'n [Node] {
        let Some(node) = self.optional(members, key) else { return &[] };
        let items = node.as_list();
        if items.is_none() {
            self.expected(node, key, "a list");
        }
        items.unwrap_or_default()
    }

    /// A mapping of any members that may be missing.
    pub fn mapping<'n>(&mut self, members: Members<'n>, key: &str) -> Option<&'n Node> {
        let node = self.optional(members, key)?;
        if node.as_map().is_none() {
            self.expected(node, key, "a mapping");
            return None;
        }
        Some(node)
    }

    /// Labels: a mapping of texts.
    pub fn labels(&mut self, members: Members<'_>, key: &str) -> Vec<(String, String)> {
        let Some(node) = self.mapping(members, key) else { return Vec::new() };
        let mut labels = Vec::new();
        for (name, value) in node.as_map().unwrap_or_default() {
            let name = name.as_str().unwrap_or_default();
            match scalar_text(value) {
                Some(text) => labels.push((name.to_owned(), text)),
                None => self.expected(value, name, "a string"),
            }
        }
        labels
    }

    /// Reports that `key` should be something else.
    pub fn expected(&mut self, node: &Node, key: &str, expected: &str) {
        self.error(node, format!("`{key}`: expected {expected}, found {}", found(node)), None);
    }
}

/// The text of a scalar as people write it; `None` for nothing, lists and mappings.
#[must_use]
pub fn scalar_text(node: &Node) -> Option<String> {
    match &node.value {
        NodeValue::String(text) => Some(text.clone()),
        NodeValue::Number(_) | NodeValue::Bool(_) => {
            Some(node.written.clone().unwrap_or_else(|| node.to_json().to_string()))
        }
        NodeValue::Null | NodeValue::List(_) | NodeValue::Map(_) => None,
    }
}

fn found(node: &Node) -> String {
    match &node.value {
        NodeValue::Null => "nothing".to_owned(),
        NodeValue::Bool(_) | NodeValue::Number(_) | NodeValue::String(_) => {
            let text: String = node.to_json().to_string().chars().take(60).collect();
            text
        }
        NodeValue::List(_) | NodeValue::Map(_) => format!("a {}", node.type_name()),
    }
}

/// The node that a violation's path such as `zones[0].name` leads to, or the last one on the way.
#[must_use]
pub fn follow<'n>(node: &'n Node, path: &str) -> &'n Node {
    let mut at = node;
    let mut rest = path;
    while !rest.is_empty() {
        if let Some((index, after)) = rest.strip_prefix('[').and_then(|after| after.split_once(']')) {
            let Some(item) = at.as_list().and_then(|items| items.get(index.parse::<usize>().ok()?)) else { return at };
            at = item;
            rest = after;
            continue;
        }
        rest = rest.strip_prefix('.').unwrap_or(rest);
        // A key may itself contain dots or brackets: the longest one that fits wins.
        let members = at.as_map().unwrap_or_default();
        let fitting = members.iter().filter_map(|(key, value)| {
            let key = key.as_str()?;
            let after = rest.strip_prefix(key)?;
            (after.is_empty() || after.starts_with(['.', '['])).then_some((key.len(), value))
        });
        let Some((length, value)) = fitting.max_by_key(|(length, _)| *length) else { return at };
        at = value;
        rest = &rest[length..];
    }
    at
}
