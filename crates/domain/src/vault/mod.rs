//! Vaults: where secrets are kept, as the repository configures them (`vaults/**/*.yaml`).

mod sensitive;

pub use sensitive::{SensitiveField, at, may_be_sensitive, redacted, replaced, sensitive_fields, sensitive_paths};

use crate::{
    document::{Document, Node},
    form::{Form, Located, Parsed},
    json::Json,
    position::Position,
};

const KEYS: [&str; 6] = ["id", "name", "type", "config", "createdAt", "auditReads"];

/// The type whose secrets lie in encrypted files.
pub const LOCAL_ENCRYPTION: &str = "local_encryption";

/// The names that types of vaults had once, and what they are called now.
const RENAMED: [(&str, &str); 5] = [
    ("aws", "@swamp/aws-sm"),
    ("aws-sm", "@swamp/aws-sm"),
    ("azure", "@swamp/azure-kv"),
    ("azure-kv", "@swamp/azure-kv"),
    ("1password", "@swamp/1password"),
];

/// A configured vault.
#[derive(Clone, Debug, PartialEq)]
pub struct VaultConfiguration {
    /// Its file, as people name it.
    pub file: String,
    /// A UUID.
    pub id: String,
    /// What expressions call it.
    pub name: Located<String>,
    /// What kind of vault it is, by the name that it has today: a built-in one, or the type of an extension.
    pub type_name: String,
    /// What its type is told, an object.
    pub config: Json,
    /// When it was made, as the file says it.
    pub created_at: Option<String>,
}

impl VaultConfiguration {
    /// Where it is configured.
    #[must_use]
    pub fn position(&self) -> Position {
        self.name.position(&self.file)
    }
}

/// Today's name of a type of vaults.
#[must_use]
pub fn current_type(name: &str) -> &str {
    RENAMED.iter().find(|(old, _)| *old == name).map_or(name, |(_, new)| new)
}

/// Reads the configuration of a vault.
#[must_use]
pub fn parse(document: &Document) -> Parsed<VaultConfiguration> {
    let mut form = Form::new(document);
    let value = read(&mut form, document);
    form.finish(value)
}

fn read(form: &mut Form<'_>, document: &Document) -> Option<VaultConfiguration> {
    let members = form.members(&document.root, "vault", &KEYS)?;
    let id = form.required_text(members, "id");
    let name = form.required_text(members, "name");
    let type_name = form.required_text(members, "type");
    let config = form.mapping(members, "config").map_or(Json::Object(Vec::new()), Node::to_json);
    let created_at = form.optional_text(members, "createdAt").map(|text| text.value);
    Some(VaultConfiguration {
        file: document.name.clone(),
        id: id?.value,
        name: name?,
        type_name: current_type(&type_name?.value).to_owned(),
        config,
        created_at,
    })
}

/// The name under which a sensitive value of a resource is kept, where nothing else is said: what leads to it, joined by
/// dashes.
///
/// `@` and NUL are left out, slashes become dashes, `..` a dot, so that it is a key in every vault.
#[must_use]
pub fn sensitive_key(parts: &[&str]) -> String {
    let joined = parts.join("/");
    let plain: String = joined.chars().filter(|character| !matches!(character, '@' | '\0')).collect();
    plain.replace(['/', '\\'], "-").replace("..", ".")
}

/// The text that stands in a resource instead of a value that a vault keeps.
#[must_use]
pub fn reference(vault: &str, key: &str) -> String {
    let quoted = |text: &str| {
        let quote = ['\'', '"', '`'].into_iter().find(|quote| !text.contains(*quote)).unwrap_or('\'');
        format!("{quote}{text}{quote}")
    };
    format!("${{{{ vault.get({}, {}) }}}}", quoted(vault), quoted(key))
}

/// The vault and the key that a text names which is exactly such a reference.
#[must_use]
pub fn referenced(text: &str) -> Option<(&str, &str)> {
    let inside = text.trim().strip_prefix("${{")?.strip_suffix("}}")?.trim();
    let arguments = inside.strip_prefix("vault.get(")?.strip_suffix(')')?;
    let (vault, rest) = quoted(arguments.trim_start())?;
    let (key, rest) = quoted(rest.trim_start().strip_prefix(',')?.trim_start())?;
    rest.trim().is_empty().then_some((vault, key))
}

/// The text between quotes at the beginning, and what follows them.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|first| matches!(first, '\'' | '"' | '`'))?;
    text[1..].split_once(quote)
}

#[cfg(test)]
mod tests {
    use super::referenced;

    #[test]
    fn only_a_whole_text_refers_to_a_secret() {
        assert_eq!(
            referenced("${{ vault.get('V', 't-db-ID-create-cred.pw') }}"),
            Some(("V", "t-db-ID-create-cred.pw"))
        );
        assert_eq!(referenced("${{vault.get(\"a b\",'c')}}"), Some(("a b", "c")));
        for none in [
            "x ${{ vault.get('V', 'K') }}",
            "${{ vault.get('V') }}",
            "${{ vault.get(V, K) }}",
            "${{ vault.get('V', 'K') + 'x' }}",
            "${{ vault.get('V', 'K'), 'L') }}",
        ] {
            assert_eq!(referenced(none), None, "{none}");
        }
    }
}
