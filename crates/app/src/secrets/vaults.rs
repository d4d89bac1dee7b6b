//! Secrets inside of values that are not handed over yet.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use mangrove_domain::json::Json;

/// Begins and ends what stands for a secret: a character that Unicode gives no meaning.
const MARK: char = '\u{F8D7}';

/// Gives the secrets that expressions ask for.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// The secret `key` of the vault, or why it cannot be had.
    async fn get(&self, vault: &str, key: &str) -> Result<String, String>;
}

/// Where a secret is kept. Shown as `vault/key`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VaultKey {
    /// The name of the vault.
    pub vault: String,
    /// The name of the secret in it.
    pub key: String,
}

impl VaultKey {
    /// The secret of this key of this vault.
    #[must_use]
    pub fn new(vault: &str, key: &str) -> Self {
        Self { vault: vault.to_owned(), key: key.to_owned() }
    }
}

impl fmt::Display for VaultKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.vault, self.key)
    }
}

/// There are no vaults.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSecrets;

#[async_trait]
impl Secrets for NoSecrets {
    async fn get(&self, vault: &str, _key: &str) -> Result<String, String> {
        Err(format!("there is no vault `{vault}`"))
    }
}

/// Secrets, each with the text that stands for it in values until they are handed over.
#[derive(Default)]
pub struct Placeholders {
    secrets: Mutex<Vec<String>>,
}

/// One part of a text that may hold secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextPart<'a> {
    /// As it stands.
    Text(&'a str),
    /// A secret.
    Secret(String),
}

impl Placeholders {
    /// What stands for this secret from now on.
    #[must_use]
    pub fn put(&self, secret: String) -> String {
        let mut secrets = self.secrets();
        secrets.push(secret);
        Self::text(secrets.len() - 1)
    }

    /// What stands for the secret of this number.
    pub(crate) fn text(number: usize) -> String {
        format!("{MARK}{number}{MARK}")
    }

    /// The text with its secrets.
    #[must_use]
    pub fn reveal(&self, text: &str) -> String {
        let parts = self.parts(text).into_iter();
        parts
            .map(|part| match part {
                TextPart::Text(text) => text.to_owned(),
                TextPart::Secret(secret) => secret,
            })
            .collect()
    }

    /// The value with its secrets.
    #[must_use]
    pub fn reveal_in(&self, value: &Json) -> Json {
        self.replace_in(value, &|secret| secret)
    }

    /// The value with `replacement` in place of what stands for secrets.
    pub(crate) fn replace_in(&self, value: &Json, replacement: &dyn Fn(String) -> String) -> Json {
        let text = |text: &str| -> String {
            let parts = self.parts(text).into_iter();
            parts
                .map(|part| match part {
                    TextPart::Text(text) => text.to_owned(),
                    TextPart::Secret(secret) => replacement(secret),
                })
                .collect()
        };
        match value {
            Json::String(value) => Json::String(text(value)),
            Json::Array(items) => Json::Array(items.iter().map(|item| self.replace_in(item, replacement)).collect()),
            Json::Object(members) => {
                Json::object(members.iter().map(|(key, value)| (text(key), self.replace_in(value, replacement))))
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => value.clone(),
        }
    }

    /// The parts of a text, in order.
    #[must_use]
    pub fn parts<'a>(&self, text: &'a str) -> Vec<TextPart<'a>> {
        let secrets = self.secrets();
        let mut parts = Vec::new();
        let mut from = 0;
        while let Some(open) = text[from..].find(MARK).map(|open| from + open) {
            let inside = open + MARK.len_utf8();
            let Some(close) = text[inside..].find(MARK).map(|close| inside + close) else { break };
            let secret = text[inside..close].parse::<usize>().ok().and_then(|number| secrets.get(number));
            let Some(secret) = secret else {
                parts.push(TextPart::Text(&text[from..close]));
                from = close;
                continue;
            };
            parts.push(TextPart::Text(&text[from..open]));
            parts.push(TextPart::Secret(secret.clone()));
            from = close + MARK.len_utf8();
        }
        parts.push(TextPart::Text(&text[from..]));
        parts.retain(|part| *part != TextPart::Text(""));
        parts
    }

    fn secrets(&self) -> MutexGuard<'_, Vec<String>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stand_where_their_placeholders_stood() {
        let placeholders = Placeholders::default();
        let (one, two) = (placeholders.put("s3cret".to_owned()), placeholders.put("other".to_owned()));
        let text = format!("a {one}{two} b{one}");
        assert_eq!(placeholders.reveal(&text), "a s3cretother bs3cret");
        assert!(!text.contains("s3cret"));
        let value = Json::object([("key", Json::Array(vec![Json::from(two.as_str())]))]);
        assert_eq!(placeholders.reveal_in(&value).to_string(), r#"{"key":["other"]}"#);
        let parts = placeholders.parts(&text);
        assert_eq!(parts[0], TextPart::Text("a "));
        assert_eq!(parts[1], TextPart::Secret("s3cret".to_owned()));
        assert_eq!(parts.len(), 5);
    }

    #[test]
    fn what_is_no_placeholder_stays() {
        let placeholders = Placeholders::default();
        let one = placeholders.put("s".to_owned());
        for text in ["", "plain", "\u{F8D7}", "\u{F8D7}7\u{F8D7}", "\u{F8D7}x\u{F8D7}\u{F8D7}"] {
            assert_eq!(placeholders.reveal(text), text);
        }
        assert_eq!(placeholders.reveal(&format!("\u{F8D7}x{one}")), "\u{F8D7}xs");
    }
}
