//! Expressions that a person brings on the command line for the definition of an instance.

use mangrove_domain::{
    json::Json,
    ports::Expressions,
    workflow::{
        rewrites,
        template::{self, Part},
    },
};

/// Those in a value that read `env` or a vault and nothing else, as they are written: they mean the same wherever they stand.
pub(super) fn expressions(value: &Json, reader: &dyn Expressions) -> Vec<String> {
    match value {
        Json::String(text) => template::split(text)
            .into_iter()
            .filter_map(|part| match part {
                Part::Expression(span) if stands_alone(span.expression, reader) => Some(span.raw.to_owned()),
                Part::Expression(_) | Part::Text(_) => None,
            })
            .collect(),
        Json::Array(items) => items.iter().flat_map(|item| expressions(item, reader)).collect(),
        Json::Object(members) => members.iter().flat_map(|(_, member)| expressions(member, reader)).collect(),
        Json::Null | Json::Bool(_) | Json::Number(_) => Vec::new(),
    }
}

fn stands_alone(expression: &str, reader: &dyn Expressions) -> bool {
    let calls = rewrites::vault_calls(expression);
    let rest = rewrites::replace_calls(expression, &calls, |_| "\"\"".to_owned());
    reader.parse(&rest).is_ok_and(|parsed| {
        let references = parsed.references();
        let reads_only_env = references.iter().all(|path| path.first().is_some_and(|root| root == "env"));
        parsed.functions().is_empty() && reads_only_env && !(calls.is_empty() && references.is_empty())
    })
}
