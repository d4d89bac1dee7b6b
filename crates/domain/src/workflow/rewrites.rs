//! What is done to the text of an expression before it is read as CEL: `vault.get(…)` is taken out, names of models that have
//! a dash are put into brackets.
//!
//! Both go by how the text looks, as people write them: `vault.get(my-vault, API_KEY)` names a vault and a key, and is no
//! subtraction. Text literals and comments of the expression are left alone.

use std::{borrow::Cow, ops::Range};

/// A secret that an expression asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultCall {
    /// The name of the vault, never evaluated.
    pub vault: String,
    /// The name of the secret, never evaluated.
    pub key: String,
    /// Where the call stands, in bytes.
    pub range: Range<usize>,
}

/// The calls of `vault.get` with exactly two names, in their order.
#[must_use]
pub fn vault_calls(expression: &str) -> Vec<VaultCall> {
    let mut calls = Vec::new();
    let mut from = 0;
    while let Some(start) = find_word(expression, "vault.get(", from) {
        let arguments = start + "vault.get(".len();
        match vault_arguments(&expression[arguments..]) {
            Some((vault, key, length)) => {
                calls.push(VaultCall { vault, key, range: start..arguments + length });
                from = arguments + length;
            }
            None => from = arguments,
        }
    }
    calls
}

/// The expression with each of these calls, which are its own, replaced by what `literal` gives for its number.
pub fn replace_calls(expression: &str, calls: &[VaultCall], literal: impl Fn(usize) -> String) -> String {
    let mut replaced = String::with_capacity(expression.len());
    let mut from = 0;
    for (number, call) in calls.iter().enumerate() {
        replaced.push_str(&expression[from..call.range.start]);
        replaced.push_str(&literal(number));
        from = call.range.end;
    }
    replaced.push_str(&expression[from..]);
    replaced
}

/// `model.a-b.resource` as CEL reads it: `model["a-b"].resource`. Only names that are followed by a member of a model.
#[must_use]
pub fn dashed_models(expression: &str) -> Cow<'_, str> {
    const MEMBERS: [&str; 5] = ["input", "resource", "file", "execution", "definition"];
    if !expression.contains("model.") {
        return Cow::Borrowed(expression);
    }
    let mut rewritten = String::new();
    let mut from = 0;
    let mut kept = 0;
    while let Some(start) = find_word(expression, "model.", from) {
        let name_at = start + "model.".len();
        let rest = &expression[name_at..];
        let is_name = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
        let length = rest.find(|character| !is_name(character)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(length);
        let is_model = after.strip_prefix('.').is_some_and(|after| MEMBERS.iter().any(|it| after.starts_with(it)));
        if name.contains('-') && is_model {
            rewritten.push_str(&expression[kept..name_at - 1]);
            rewritten.push_str(&format!("[\"{name}\"]"));
            kept = name_at + length;
        }
        from = name_at + length;
    }
    if kept == 0 {
        return Cow::Borrowed(expression);
    }
    rewritten.push_str(&expression[kept..]);
    Cow::Owned(rewritten)
}

/// Vault, key and the length of the text up to and with the closing bracket, of `a, b)`.
fn vault_arguments(text: &str) -> Option<(String, String, usize)> {
    let (vault, rest) = vault_argument(text)?;
    let (key, rest) = vault_argument(rest.trim_start().strip_prefix(',')?)?;
    let rest = rest.trim_start().strip_prefix(')')?;
    Some((vault.to_owned(), key.to_owned(), text.len() - rest.len()))
}

fn vault_argument(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    if let Some(quote) = text.chars().next().filter(|first| matches!(first, '\'' | '"' | '`')) {
        return text[1..].split_once(quote);
    }
    let end = text.find(|character: char| character.is_whitespace() || matches!(character, ',' | ')'))?;
    Some(text.split_at(end)).filter(|(name, _)| !name.is_empty())
}

/// Where `word` begins next, at a place that is neither inside of a text literal or a comment nor the end of another name.
fn find_word(expression: &str, word: &str, from: usize) -> Option<usize> {
    let mut found = from;
    loop {
        found += expression[found..].find(word)?;
        let before = expression[..found].chars().next_back();
        let continues = before.is_some_and(|it| it.is_alphanumeric() || matches!(it, '_' | '.' | '$'));
        if !continues && !is_quoted(expression, found) {
            return Some(found);
        }
        found += word.len();
    }
}

/// Whether the place lies inside of a text literal or a comment. Arguments of `vault.get` are no literals of CEL: a quote in
/// a bare name opens none.
fn is_quoted(expression: &str, place: usize) -> bool {
    let mut at = 0;
    while at < place {
        let rest = &expression[at..];
        if let Some(arguments) = rest.strip_prefix("vault.get(")
            && let Some((_, _, length)) = vault_arguments(arguments)
        {
            at += "vault.get(".len() + length;
            continue;
        }
        let length = literal_length(expression, at).unwrap_or_else(|| rest.chars().next().map_or(1, char::len_utf8));
        if length > 1 && at + length > place {
            return true;
        }
        at += length;
    }
    false
}

/// The length of the text literal or the comment that begins here.
fn literal_length(expression: &str, at: usize) -> Option<usize> {
    let rest = &expression[at..];
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    let quote = ["'''", "\"\"\"", "'", "\""].into_iter().find(|quote| rest.starts_with(quote))?;
    let name = expression[..at].trim_end_matches(['r', 'R', 'b', 'B']);
    let is_raw = expression[name.len()..at].contains(['r', 'R'])
        && !name.ends_with(|before: char| before.is_alphanumeric() || before == '_');
    let mut inside = quote.len();
    while !rest[inside..].starts_with(quote) {
        let character = rest[inside..].chars().next()?;
        inside += character.len_utf8();
        if character == '\\' && !is_raw {
            inside += rest[inside..].chars().next().map_or(0, char::len_utf8);
        }
    }
    Some(inside + quote.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn calls(expression: &str) -> Vec<(String, String)> {
        vault_calls(expression).into_iter().map(|call| (call.vault, call.key)).collect()
    }

    fn one(vault: &str, key: &str) -> Vec<(String, String)> {
        vec![(vault.to_owned(), key.to_owned())]
    }

    #[test]
    fn vault_calls_are_found_as_they_are_written() {
        for text in
            ["vault.get(my-vault, API_KEY)", "vault.get(\"my-vault\", API_KEY)", "vault.get(`my-vault`,`API_KEY`)"]
        {
            assert_eq!(calls(text), one("my-vault", "API_KEY"), "V1 {text}");
        }
        assert_eq!(calls("vault.get(v, 'Client ID')"), one("v", "Client ID"), "V2");
        assert_eq!(calls("vault.get( v ,\n op://x/y )"), one("v", "op://x/y"), "V3");
        assert_eq!(calls("vault.get(inputs.v, K)"), one("inputs.v", "K"), "V4");
        for text in ["vault.get(v)", "vault.get(v, a b)", "vault.get(v, k, x)", "vault.get()", "vault.get(, k)"] {
            assert_eq!(calls(text), [], "V5 {text}");
        }
        assert_eq!(calls("vault.get(v, \"a)b\")"), one("v", "a)b"), "V6");
        assert_eq!(calls("\"Bearer \" + vault.get(v, K)"), one("v", "K"), "V7");
        assert_eq!(calls("vault.get(a, it's) + vault.get(b, c)").len(), 2, "a quote in a bare name opens nothing");
        assert_eq!(calls("'vault.get(a, b)' + myvault.get(a, b) + x.vault.get(a, b) // vault.get(a, b)"), []);
        assert_eq!(calls("vault.get(v) + vault.get(v, k)"), one("v", "k"));
    }

    #[test]
    fn calls_are_replaced_by_their_numbers() {
        let text = "vault.get(a, b) + '-' + vault.get(c, d) + x";
        let replaced = replace_calls(text, &vault_calls(text), |number| format!("'{number}'"));
        assert_eq!(replaced, "'0' + '-' + '1' + x");
    }

    #[test]
    fn names_of_models_with_a_dash_are_put_into_brackets() {
        let v8 = "model.a-b.resource.s.i.attributes.x";
        assert_eq!(dashed_models(v8), "model[\"a-b\"].resource.s.i.attributes.x", "V8");
        for text in ["model.ab.resource.s", "model.a-b.foo", "my.model.a-b.resource", "'model.a-b.resource'"] {
            assert_eq!(dashed_models(text), text, "V9 {text}");
        }
        let two = "model.a-b.input.x + model.c-1.file.y";
        assert_eq!(dashed_models(two), "model[\"a-b\"].input.x + model[\"c-1\"].file.y");
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "(vault\\.get\\(|model\\.|[a-c'\"`é,)\\-\\\\ r/.\n]){0,24}") {
            let calls = vault_calls(&text);
            let _ = replace_calls(&text, &calls, |number| number.to_string());
            let _ = dashed_models(&text);
        }
    }
}
