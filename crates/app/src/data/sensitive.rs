//! References to secrets that stand in data in place of sensitive values.

use futures::future::BoxFuture;
use mangrove_domain::{json::Json, vault::referenced};

use crate::secrets::Secrets;

/// The value with the secrets in place of what refers to them, at any depth. What cannot be found stays as it is.
pub(super) fn resolved(secrets: &dyn Secrets, value: Json) -> BoxFuture<'_, Json> {
    Box::pin(async move {
        match value {
            Json::String(text) => match referenced(&text) {
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
        Json::String(text) => referenced(text).is_some(),
        Json::Array(items) => items.iter().any(has_reference),
        Json::Object(members) => members.iter().any(|(_, member)| has_reference(member)),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}
