//! References to secrets that stand in data in place of sensitive values.

use futures::future::BoxFuture;
use mangrove_domain::json::Json;

use crate::secrets::Secrets;

/// The value with the secrets in place of what refers to them, at any depth. What cannot be found stays as it is.
pub(super) fn resolved(secrets: &dyn Secrets, value: Json) -> BoxFuture<'_, Json> {
    Box::pin(async move {
        match value {
            Json::String(text) => match reference(&text) {
                Some((vault, key)) => {
                    secrets.get(vault, key).await.map_or_else(|_| Json::from(text.as_str()), Json::from)
                }
                None => Json::String(text),
            },
            Json::Array(items) => {
                let mut made = Vec::with_capacity(items.len());
                for item in items {
                    made.push(resolved(secrets, item).await);
                }
                Json::Array(made)
            }
            Json::Object(members) => {
                let mut made = Vec::with_capacity(members.len());
                for (name, member) in members {
                    made.push((name, resolved(secrets, member).await));
                }
                Json::Object(made)
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => value,
        }
    })
}

/// True if the value has a reference in it.
pub(super) fn has_reference(value: &Json) -> bool {
    match value {
        Json::String(text) => reference(text).is_some(),
        Json::Array(items) => items.iter().any(has_reference),
        Json::Object(members) => members.iter().any(|(_, member)| has_reference(member)),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

/// The vault and the key of a text that is nothing but `${{ vault.get('VAULT', 'KEY') }}`.
fn reference(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix("${{")?.strip_suffix("}}")?.trim();
    let arguments = inside.strip_prefix("vault.get(")?.strip_suffix(')')?;
    let quoted = |text: &'_ str| -> Option<(usize, usize)> {
        let quote = text.chars().next().filter(|quote| ['\'', '"'].contains(quote))?;
        Some((1, 1 + text.get(1..)?.find(quote)?))
    };
    let arguments = arguments.trim();
    let (from, to) = quoted(arguments)?;
    let (vault, rest) = (arguments.get(from..to)?, arguments.get(to + 1..)?);
    let rest = rest.trim_start().strip_prefix(',')?.trim();
    let (from, to) = quoted(rest)?;
    (to + 1 == rest.len()).then(|| Some((vault, rest.get(from..to)?)))?
}

#[cfg(test)]
mod tests {
    use super::reference;

    #[test]
    fn only_a_whole_text_refers_to_a_secret() {
        assert_eq!(reference("${{ vault.get('V', 't-db-ID-create-cred.pw') }}"), Some(("V", "t-db-ID-create-cred.pw")));
        assert_eq!(reference("${{vault.get(\"a b\",'c')}}"), Some(("a b", "c")));
        for none in [
            "x ${{ vault.get('V', 'K') }}",
            "${{ vault.get('V') }}",
            "${{ vault.get(V, K) }}",
            "${{ vault.get('V', 'K') + 'x' }}",
            "${{ vault.get('V', 'K'), 'L') }}",
        ] {
            assert_eq!(reference(none), None, "{none}");
        }
    }
}
