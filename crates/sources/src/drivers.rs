//! `drivers:` of the marker: which driver runs methods elsewhere, and what it may be told.
//!
//! ```yaml
//! drivers:
//!   "@acme/dns": "@acme/ssh"
//!   "@acme/tools": { driver: "@acme/ssh", config: { host: example.org }, secrets: [ops, safe/key] }
//!   "@acme/ssh": { config: { host: localhost } }
//! ```

use mangrove_domain::{
    document::{Node, NodeValue},
    driver::{self, DriverEntry, Drivers},
    json::Json,
    nearest,
    problem::{Code, Problem},
};

/// The members of an entry.
const MEMBERS: [&str; 3] = ["config", "driver", "secrets"];

/// What is understood; the rest is a problem, and lets nothing that it speaks of run here: somebody wanted it elsewhere.
pub(super) fn read(marker: &str, node: &Node, problems: &mut Vec<Problem>) -> Drivers {
    let mut reader = DriverReader { marker, problems };
    let mut drivers = Drivers::default();
    if node.value == NodeValue::Null {
        return drivers;
    }
    let Some(members) = node.as_map() else {
        reader.wrong(node, format!("`drivers` must be a mapping, found {}", node.type_name()), None);
        drivers.entries.insert("*".to_owned(), DriverEntry::unusable());
        return drivers;
    };
    for (key, value) in members {
        let subject = key.as_str().unwrap_or_default();
        let entry = reader.entry(subject, value).unwrap_or_else(DriverEntry::unusable);
        drivers.entries.insert(subject.to_owned(), entry);
    }
    drivers
}

struct DriverReader<'a> {
    marker: &'a str,
    problems: &'a mut Vec<Problem>,
}

impl DriverReader<'_> {
    fn wrong(&mut self, node: &Node, message: String, advice: Option<String>) {
        self.problems.push(
            Problem::error(Code::INVALID_DOCUMENT, self.marker.to_owned(), message)
                .at(node.position(self.marker))
                .advise_if(advice),
        );
    }

    /// One entry; `None` if it is wrong.
    fn entry(&mut self, subject: &str, node: &Node) -> Option<DriverEntry> {
        if node.as_str().is_some() {
            return self.name(subject, node).map(DriverEntry::named);
        }
        let Some(members) = node.as_map() else {
            let message =
                format!("`drivers` of {subject} must be the name of a driver or a mapping, found {}", node.type_name());
            self.wrong(node, message, None);
            return None;
        };
        let mut entry = DriverEntry { driver: None, ..DriverEntry::named(String::new()) };
        let before = self.problems.len();
        for (key, value) in members {
            match key.as_str().unwrap_or_default() {
                "driver" => entry.driver = self.name(subject, value),
                "config" if value.as_map().is_some() => entry.config = value.to_json(),
                "config" => {
                    self.wrong(value, format!("`config` must be a mapping, found {}", value.type_name()), None);
                }
                "secrets" => entry.secrets = self.secrets(value)?.into_iter().collect(),
                other => {
                    let hint = nearest::hint(other, MEMBERS);
                    self.wrong(key, format!("the setting `{other}` of a driver is not known"), hint);
                }
            }
        }
        if entry.driver.is_none() && entry.config == Json::Object(Vec::new()) && entry.secrets.is_empty() {
            self.wrong(node, format!("`drivers` of {subject} says nothing"), Some("name a `driver`".to_owned()));
        }
        (self.problems.len() == before).then_some(entry)
    }

    fn name(&mut self, subject: &str, node: &Node) -> Option<String> {
        let name = node.as_str().unwrap_or_default();
        let Some(reason) = driver::check_name(name) else { return Some(name.to_owned()) };
        let hint = format!("give the type of a driver, or `{}`", driver::NONE);
        self.wrong(node, format!("the driver of {subject} is no name of one: {reason}"), Some(hint));
        None
    }

    fn secrets(&mut self, node: &Node) -> Option<Vec<String>> {
        let text = |item: &Node| item.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let list = node.as_list().and_then(|items| items.iter().map(text).collect::<Option<Vec<String>>>());
        if list.is_none() {
            let hint = Some("name vaults, or secrets as `VAULT/KEY`".to_owned());
            self.wrong(node, "`secrets` must be a list of strings".to_owned(), hint);
        }
        list
    }
}
