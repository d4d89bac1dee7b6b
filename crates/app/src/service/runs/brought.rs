//! Expressions that a person brings on the command line for the definition of an instance.

use mangrove_domain::{
    ports::Expressions,
    workflow::{
        rewrites,
        template::{self, Part},
    },
};

/// Those in a text that read `env` or a vault and nothing else, as they are written: they mean the same wherever they stand.
pub(super) fn expressions(text: &str, reader: &dyn Expressions) -> Vec<String> {
    template::split(text)
        .into_iter()
        .filter_map(|part| match part {
            Part::Expression(span) if stands_alone(span.expression, reader) => Some(span.raw.to_owned()),
            Part::Expression(_) | Part::Text(_) => None,
        })
        .collect()
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
