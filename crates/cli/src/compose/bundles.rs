//! Where bundles lie: in the state directory, or where `bundles` in the marker or `MANGROVE_BUNDLES` says.

use std::{collections::BTreeMap, sync::Arc};

use mangrove_app::service::{Access, Settings};
use mangrove_domain::{
    ports::Catalog,
    position::Position,
    problem::{Code, Problem},
};
use mangrove_infra::store::{
    LocalStore, OwnedStore,
    s3::{DEFAULT_CACHE_BYTES, Endpoint, Place, S3Options, S3Store},
};

/// Names the place of the bundles, before the marker.
const VARIABLE: &str = "MANGROVE_BUNDLES";

/// The place for whoever has bundles in the state directory.
const LOCAL: &str = "local";

/// What `bundles` in the marker says, as it is written, and where: by key.
pub(super) type BundlesSection = BTreeMap<String, (String, Position)>;

/// What one setting is and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BundlesSetting {
    /// As in the marker: `bundles`, `bundles.region`.
    pub(crate) key: &'static str,
    pub(crate) value: String,
    /// `MANGROVE_BUNDLES`, `mangrove.yaml:4` or `default`.
    pub(crate) source: String,
}

/// The store of the bundles.
#[derive(Clone)]
pub(super) enum Bundles {
    Local(LocalStore),
    S3(S3Store),
}

impl Bundles {
    /// The store that the settings and the marker name. Nothing is asked before it is used.
    pub(super) fn of(settings: &Settings, section: &BundlesSection) -> Result<Self, Problem> {
        let options = options(section, settings)?;
        Ok(match options {
            Some(options) => Self::S3(S3Store::new(options)),
            None => Self::Local(LocalStore::new(settings.bundles_directory())),
        })
    }

    pub(super) fn store(&self) -> Arc<dyn OwnedStore> {
        match self {
            Self::Local(store) => Arc::new(store.clone()),
            Self::S3(store) => Arc::new(store.clone()),
        }
    }

    /// True if what one node has built another one finds.
    pub(super) const fn are_shared(&self) -> bool {
        matches!(self, Self::S3(_))
    }

    /// Says whose store it must be.
    pub(super) fn belongs_to(&self, catalog: &Arc<dyn Catalog>) {
        if let Self::S3(store) = self {
            store.belongs_to(catalog);
        }
    }
}

/// What is in force, for people: the place first; of the others those that are set.
pub(super) fn shown(section: &BundlesSection, settings: &Settings) -> Result<Vec<BundlesSetting>, Problem> {
    let options = options(section, settings)?;
    let (address, source) = address(section, &settings.environment);
    let local = || settings.bundles_directory().display().to_string();
    let value = options.as_ref().map_or_else(local, |_| address.to_owned());
    let mut shown = vec![BundlesSetting { key: "bundles", value, source }];
    let Some(options) = options else { return Ok(shown) };
    if let Some(endpoint) = &options.endpoint {
        let from_environment = || endpoint_of(&settings.environment).map(|(_, name)| name).unwrap_or_default();
        let source = section.get("endpoint").map_or_else(from_environment, |(_, position)| position.file_and_line());
        shown.push(BundlesSetting { key: "bundles.endpoint", value: endpoint.to_string(), source });
    }
    let keys = [
        ("region", "bundles.region"),
        ("allowHttp", "bundles.allowHttp"),
        ("pathStyle", "bundles.pathStyle"),
        ("credentials", "bundles.credentials"),
    ];
    for (key, name) in keys {
        if let Some((value, position)) = section.get(key) {
            shown.push(BundlesSetting { key: name, value: value.clone(), source: position.file_and_line() });
        }
    }
    let source =
        section.get("cacheSize").map_or_else(|| "default".to_owned(), |(_, position)| position.file_and_line());
    let size = crate::human::size(options.cache_bytes);
    shown.push(BundlesSetting { key: "bundles.cacheSize", value: size, source });
    Ok(shown)
}

/// The address of the store and who says so.
fn address<'a>(section: &'a BundlesSection, environment: &'a BTreeMap<String, String>) -> (&'a str, String) {
    if let Some(address) = environment.get(VARIABLE).filter(|address| !address.is_empty()) {
        return (address, VARIABLE.to_owned());
    }
    match section.get("url") {
        Some((address, position)) => (address, position.file_and_line()),
        None => (LOCAL, "default".to_owned()),
    }
}

/// How the store in S3 is reached; `None` where the bundles lie in the state directory.
fn options(section: &BundlesSection, settings: &Settings) -> Result<Option<S3Options>, Problem> {
    let (address, source) = address(section, &settings.environment);
    let refused = |key: &str, source: String, expected: &str| {
        let position = section.get(key).map(|(_, position)| position.clone());
        let name = if key == "url" { "bundles".to_owned() } else { format!("bundles.{key}") };
        // Not the text itself: an address may hold a password.
        let message = format!("`{name}` ({source}) cannot be used: {expected}");
        Problem::error(Code::INVALID_DOCUMENT, source, message).at_if(position)
    };
    if address == LOCAL {
        return Ok(None);
    }
    let place = Place::parse(address).map_err(|error| refused("url", source, &error.to_string()))?;
    let read = |key: &str| section.get(key).map(|(text, position)| (text.as_str(), position.file_and_line()));
    let is_true = |key: &str, default: bool| match read(key) {
        None => Ok(default),
        Some(("true", _)) => Ok(true),
        Some(("false", _)) => Ok(false),
        Some((_, source)) => Err(refused(key, source, "expected true or false")),
    };
    let mut options = S3Options::new(place, settings.state_directory.join("bundle-cache"));
    options.allows_http = is_true("allowHttp", false)?;
    options.has_bucket_in_path = is_true("pathStyle", true)?;
    options.region = read("region").map(|(text, _)| text.to_owned());
    options.asks_instance = match read("credentials") {
        None | Some(("environment", _)) => false,
        Some(("instance", _)) => true,
        Some((_, source)) => return Err(refused("credentials", source, "expected environment or instance")),
    };
    if let Some((text, source)) = read("endpoint").or_else(|| endpoint_of(&settings.environment)) {
        let endpoint =
            Endpoint::parse(text).map_err(|error| refused("endpoint", source.clone(), &error.to_string()))?;
        if endpoint.is_unencrypted() && !options.allows_http {
            return Err(refused("endpoint", source, "an address that begins with http: needs `allowHttp: true`"));
        }
        options.endpoint = Some(endpoint);
    }
    options.cache_bytes = match read("cacheSize") {
        None => DEFAULT_CACHE_BYTES,
        Some((text, source)) => {
            parsed_size(text).ok_or_else(|| refused("cacheSize", source, "expected a size such as 500MiB or 2GiB"))?
        }
    };
    options.environment.clone_from(&settings.environment);
    options.is_cache_read_only = settings.access != Access::ReadWrite;
    Ok(Some(options))
}

/// The server that the environment names, as other programs understand it.
fn endpoint_of(environment: &BTreeMap<String, String>) -> Option<(&str, String)> {
    let named = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"].into_iter();
    let mut set = named.filter_map(|name| Some((environment.get(name)?.as_str(), name.to_owned())));
    set.find(|(address, _)| !address.is_empty())
}

/// Bytes as in `500MiB`; a number alone is bytes.
fn parsed_size(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim_start() {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(members: &[(&str, &str)]) -> BundlesSection {
        let position = Position { file: "mangrove.yaml".into(), line: 3, column: 1 };
        members.iter().map(|(key, text)| ((*key).to_owned(), ((*text).to_owned(), position.clone()))).collect()
    }

    fn read(members: &[(&str, &str)]) -> Result<Option<S3Options>, String> {
        options(&section(members), &Settings::new("/r".into())).map_err(|problem| problem.message)
    }

    #[test]
    fn bundles_lie_in_the_state_directory_unless_something_else_is_said() {
        assert!(read(&[]).expect("settings").is_none());
        assert!(read(&[("url", "local")]).expect("settings").is_none());
    }

    #[test]
    fn every_setting_reaches_the_store() {
        let options = read(&[
            ("url", "s3://shop-bundles/team/a"),
            ("endpoint", "http://127.0.0.1:9000"),
            ("allowHttp", "true"),
            ("pathStyle", "false"),
            ("region", "eu-central-1"),
            ("credentials", "instance"),
            ("cacheSize", "500 MiB"),
        ]);
        let options = options.expect("settings").expect("a bucket");
        assert_eq!(options.place.to_string(), "s3://shop-bundles/team/a");
        assert_eq!(options.endpoint.expect("a server").to_string(), "http://127.0.0.1:9000");
        assert_eq!(options.region.as_deref(), Some("eu-central-1"));
        assert_eq!((options.allows_http, options.has_bucket_in_path, options.asks_instance), (true, false, true));
        assert_eq!(options.cache_bytes, 500 << 20);
        assert_eq!(options.cache_directory, std::path::Path::new("/r/.mangrove/bundle-cache"));
    }

    #[test]
    fn what_cannot_be_used_is_named_and_not_repeated() {
        let url = ("url", "s3://b");
        for (members, expected) in [
            (vec![("url", "gs://b")], "such as s3://bucket/prefix"),
            (vec![("url", "s3://user:hunter2@b")], "nothing but a bucket and a prefix"),
            (vec![("url", "s3://b/a//c")], "single slashes"),
            (vec![url, ("endpoint", "https://user:hunter2@s3.example")], "nothing but scheme, host and port"),
            (vec![url, ("endpoint", "http://s3.example")], "allowHttp"),
            (vec![url, ("endpoint", "s3.example")], "such as https://s3.example"),
            (vec![url, ("allowHttp", "yes")], "true or false"),
            (vec![url, ("credentials", "hunter2")], "environment or instance"),
            (vec![url, ("cacheSize", "much")], "500MiB"),
        ] {
            let message = read(&members).expect_err("refused");
            assert!(message.contains(expected), "{message}");
            assert!(message.contains("mangrove.yaml:3") && !message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn the_environment_wins_over_the_marker() {
        let mut settings = Settings::new("/r".into());
        settings.environment.insert(VARIABLE.to_owned(), "s3://other".to_owned());
        let section = section(&[("url", "s3://b"), ("region", "eu-west-1")]);
        let shown = shown(&section, &settings).expect("settings");
        let shown: Vec<(&str, &str, &str)> =
            shown.iter().map(|setting| (setting.key, setting.value.as_str(), setting.source.as_str())).collect();
        assert_eq!(
            shown,
            [
                ("bundles", "s3://other", VARIABLE),
                ("bundles.region", "eu-west-1", "mangrove.yaml:3"),
                ("bundles.cacheSize", "2.1 GB", "default"),
            ]
        );
    }
}
