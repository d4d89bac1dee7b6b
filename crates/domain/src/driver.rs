//! Which driver runs a method elsewhere, and what it may be told (`drivers:` of the marker).

use std::collections::{BTreeMap, BTreeSet};

use crate::{json::Json, type_name::TypeName};

/// The word that stands for no driver: the method runs here.
pub const NONE: &str = "none";

/// What one entry of the marker says.
#[derive(Clone, Debug, PartialEq)]
pub struct DriverEntry {
    /// The driver that runs what the entry speaks of, [`NONE`] for none; `None` in an entry under the name of a driver, which
    /// only says with what that one is made.
    pub driver: Option<String>,
    /// What the driver is made with, an object.
    pub config: Json,
    /// The secrets that may leave with a request: a vault, or `vault/key`.
    pub secrets: BTreeSet<String>,
}

impl DriverEntry {
    /// An entry that names a driver and says nothing else.
    #[must_use]
    pub fn named(driver: impl Into<String>) -> Self {
        Self { driver: Some(driver.into()), config: Json::Object(Vec::new()), secrets: BTreeSet::new() }
    }

    /// An entry that cannot be understood. What it speaks of runs nowhere: the name of its driver is none.
    #[must_use]
    pub fn unusable() -> Self {
        Self::named(String::new())
    }
}

/// The drivers of a repository.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drivers {
    /// By the name of a type or an extension, or `*` for everything else; or by the name of a driver.
    pub entries: BTreeMap<String, DriverEntry>,
}

/// The driver of one call.
#[derive(Clone, Debug, PartialEq)]
pub struct DriverChoice {
    /// Its type.
    pub name: String,
    /// What it is made with, an object.
    pub config: Json,
    /// The secrets that it may be told: a vault, or `vault/key`.
    pub secrets: BTreeSet<String>,
}

impl Drivers {
    /// True if an entry speaks of this driver: as what runs something, or with its settings. Never of [`NONE`], which is no driver.
    #[must_use]
    pub fn names(&self, driver: &str) -> bool {
        if check_name(driver).is_some() || driver == NONE {
            return false;
        }
        let is_set_up = self.entries.get(driver).is_some_and(|entry| entry.driver.is_none());
        is_set_up || self.entries.values().any(|entry| entry.driver.as_deref() == Some(driver))
    }

    /// The driver for methods of a type of an extension; `None` if they run here. `asked` is what whoever started the run wants.
    ///
    /// The most specific entry that names a driver counts: that of the type, of the extension, of `*`. Settings are those of the
    /// most specific entry that names this driver, else those under the driver's own name.
    #[must_use]
    pub fn choose(&self, asked: Option<&str>, type_name: &str, extension: &str) -> Option<DriverChoice> {
        let about = || [type_name, extension, "*"].into_iter().filter_map(|subject| self.entries.get(subject));
        let name = asked.or_else(|| about().find_map(|entry| entry.driver.as_deref()))?;
        if name == NONE {
            return None;
        }
        let by_name = || self.entries.get(name).filter(|entry| entry.driver.is_none());
        let settings = about().find(|entry| entry.driver.as_deref() == Some(name)).or_else(by_name);
        Some(DriverChoice {
            name: name.to_owned(),
            config: settings.map_or_else(|| Json::Object(Vec::new()), |entry| entry.config.clone()),
            secrets: settings.map(|entry| entry.secrets.clone()).unwrap_or_default(),
        })
    }
}

impl DriverChoice {
    /// True if the secret of this key of a vault may leave with a request.
    #[must_use]
    pub fn may_be_told(&self, vault: &str, key: &str) -> bool {
        self.secrets.contains(vault) || self.secrets.contains(&format!("{vault}/{key}"))
    }
}

/// What is wrong with the name of a driver; `None` if nothing is.
#[must_use]
pub fn check_name(name: &str) -> Option<String> {
    if name == NONE {
        return None;
    }
    TypeName::strict(name).err().map(|error| error.to_string())
}

/// The line of `mangrove.yaml` that lets a driver be told these secrets when it runs methods of `subject`; of the driver's own
/// name, whenever somebody asks for it: that makes it the driver of nothing.
#[must_use]
pub fn entry(subject: &str, choice: &DriverChoice, secrets: &BTreeSet<String>) -> String {
    let quoted = |text: &str| Json::from(text).to_string();
    let all: Vec<String> = choice.secrets.union(secrets).map(|secret| quoted(secret)).collect();
    let config = match choice.config.as_object() {
        Some([]) | None => String::new(),
        Some(_) => format!("config: {}, ", choice.config),
    };
    let driver = if subject == choice.name { String::new() } else { format!("driver: {}, ", quoted(&choice.name)) };
    format!("drivers: {{ {}: {{ {driver}{config}secrets: [{}] }} }}", quoted(subject), all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry_of(driver: Option<&str>, host: &str, secrets: &[&str]) -> DriverEntry {
        DriverEntry {
            driver: driver.map(str::to_owned),
            config: Json::object([("host", Json::from(host))]),
            secrets: secrets.iter().map(|secret| (*secret).to_owned()).collect(),
        }
    }

    fn drivers(entries: &[(&str, DriverEntry)]) -> Drivers {
        Drivers { entries: entries.iter().map(|(subject, entry)| ((*subject).to_owned(), entry.clone())).collect() }
    }

    /// The driver and the host in its configuration.
    fn chosen(drivers: &Drivers, asked: Option<&str>) -> Option<String> {
        let choice = drivers.choose(asked, "@acme/dns", "@acme/tools")?;
        let host = choice.config.get("host").and_then(Json::as_str).unwrap_or("-").to_owned();
        Some(format!("{} {host}", choice.name))
    }

    #[test]
    fn the_most_specific_entry_names_the_driver() {
        let all = [
            ("*", entry_of(Some("@acme/far"), "everywhere", &[])),
            ("@acme/tools", entry_of(Some("@acme/ssh"), "of the extension", &[])),
            ("@acme/dns", entry_of(Some("@acme/cloud"), "of the type", &[])),
        ];
        assert_eq!(chosen(&drivers(&[]), None), None);
        assert_eq!(chosen(&drivers(&all[..1]), None).as_deref(), Some("@acme/far everywhere"));
        assert_eq!(chosen(&drivers(&all[..2]), None).as_deref(), Some("@acme/ssh of the extension"));
        assert_eq!(chosen(&drivers(&all), None).as_deref(), Some("@acme/cloud of the type"));
        let except = [all[0].clone(), ("@acme/dns", DriverEntry::named(NONE))];
        assert_eq!(chosen(&drivers(&except), None), None, "an exception of everything");
    }

    #[test]
    fn what_is_asked_for_comes_first_with_the_settings_of_that_driver() {
        let all = drivers(&[
            ("*", entry_of(Some("@acme/far"), "everywhere", &["safe"])),
            ("@acme/dns", entry_of(Some("@acme/cloud"), "of the type", &[])),
            ("@acme/ssh", entry_of(None, "of the driver", &["safe/key"])),
        ]);
        for (asked, expected) in [
            (NONE, None),
            ("@acme/cloud", Some("@acme/cloud of the type")),
            ("@acme/far", Some("@acme/far everywhere")),
            ("@acme/ssh", Some("@acme/ssh of the driver")),
            ("@acme/other", Some("@acme/other -")),
        ] {
            assert_eq!(chosen(&all, Some(asked)).as_deref(), expected, "{asked}");
        }
        let told = |asked: &str, key: &str| {
            let choice = all.choose(Some(asked), "@acme/dns", "@acme/tools").expect("a driver");
            choice.may_be_told("safe", key)
        };
        assert!(told("@acme/far", "any") && told("@acme/ssh", "key"));
        assert!(!told("@acme/ssh", "other") && !told("@acme/cloud", "key"), "an entry for another driver says nothing");
    }

    #[test]
    fn a_driver_is_named_that_runs_something_or_is_set_up() {
        let all = drivers(&[
            ("*", entry_of(Some("@acme/far"), "everywhere", &[])),
            ("@acme/ssh", entry_of(None, "of the driver", &[])),
            ("@acme/dns", DriverEntry::named("@acme/cloud")),
            ("command/shell", DriverEntry::named(NONE)),
            ("@acme/broken", DriverEntry::unusable()),
        ]);
        assert!(!all.names(NONE), "an exception lets nobody run everything here");
        assert!(!all.names(""));
        for (name, expected) in [
            ("@acme/far", true),
            ("@acme/ssh", true),
            ("@acme/cloud", true),
            ("@acme/dns", false),
            ("@acme/other", false),
        ] {
            assert_eq!(all.names(name), expected, "{name}");
        }
    }

    #[test]
    fn names_are_those_of_types() {
        assert_eq!(check_name(NONE), None);
        assert_eq!(check_name("@acme/ssh"), None);
        for wrong in ["ssh", "@acme/ssh/deep", "Acme::Ssh", ""] {
            assert!(check_name(wrong).is_some(), "{wrong}");
        }
    }

    #[test]
    fn the_entry_that_helps_keeps_what_is_said_already() {
        let choice = DriverChoice {
            name: "@acme/ssh".to_owned(),
            config: Json::object([("port", Json::from(22))]),
            secrets: BTreeSet::from(["ops".to_owned()]),
        };
        let secrets = BTreeSet::from(["safe/gate code".to_owned()]);
        assert_eq!(
            entry("@acme/dns", &choice, &secrets),
            r#"drivers: { "@acme/dns": { driver: "@acme/ssh", config: {"port":22}, secrets: ["ops", "safe/gate code"] } }"#
        );
    }
}
