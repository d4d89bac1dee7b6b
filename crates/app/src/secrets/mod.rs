//! The environment as expressions see it, secrets, and the mask over both.
//!
//! Expressions get only the variables that they name. Every secret, and each value of a variable whose name says that it is
//! one, is masked as `***` in everything that is logged, recorded or reported after it was given out, also in the forms that
//! code makes of it (`forms`). Values shorter than three characters are not, nor those of variables like `HOME`: masking
//! every `1` and every `/root` would make output unreadable and hide nothing.

mod forms;
#[cfg(test)]
mod properties;
mod spelling;
mod vaults;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use mangrove_domain::{
    json::Json,
    permission::Grant,
    run::{RunProblem, without_styles},
    vault,
    workflow::template::{self, Part},
};

#[expect(clippy::module_name_repetitions, reason = "it stands where there are none")]
pub use vaults::{NoSecrets, Placeholders, Secrets, TextPart, VaultKey};

use forms::Finder;

/// What stands where a secret stood.
pub const MASK: &str = "***";
/// The shortest value that is masked, in characters.
const SHORTEST: usize = 3;

/// How many lines may stand between two of a value that was folded.
const MOST_BETWEEN: usize = 50;

/// How a value goes on that a line of a log has the beginning of.
#[derive(Debug, Default)]
pub(crate) struct Folded {
    rest: String,
    /// How many other lines there were since.
    between: usize,
}

/// What the name of a variable contains whose value is a secret.
const SECRET_NAMES: [&str; 7] = ["token", "key", "secret", "password", "passwd", "passphrase", "credential"];

/// Environment variables, the secrets that were given out, and which expressions wait for a later stage.
#[derive(Debug, Default)]
pub struct Environment {
    variables: Vec<(String, String)>,
    /// What finds each secret, by value.
    given: Mutex<BTreeMap<String, Finder>>,
    /// Those of them that came of a vault, with where they are kept.
    of_vaults: Mutex<BTreeMap<String, BTreeSet<VaultKey>>>,
    /// Expressions as they are written, with `${{ }}`.
    left: Mutex<BTreeSet<String>>,
    /// The same, of those that whoever calls brings for a definition.
    brought: Mutex<BTreeSet<String>>,
    /// Of the inputs of the run.
    hidden_inputs: Mutex<HiddenInputs>,
}

/// Inputs of a run that are shown to nobody, and written down nowhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum HiddenInputs {
    #[default]
    None,
    /// Nobody knows yet which are sensitive.
    All,
    /// By the members that lead to them.
    At(Vec<Vec<String>>),
}

impl Environment {
    /// These variables, none of them given out yet.
    #[must_use]
    pub fn new(variables: Vec<(String, String)>) -> Self {
        Self { variables, ..Self::default() }
    }

    /// The object `env` for an expression with these references. From now on those of its values are masked whose names say
    /// that they are secrets.
    /// An expression that uses `env` other than by the name of a variable gets all of them.
    #[must_use]
    pub fn give(&self, references: &[Vec<String>]) -> Json {
        let mut wanted = BTreeSet::new();
        let mut everything = false;
        for path in references.iter().filter(|path| path.first().is_some_and(|root| root == "env")) {
            match path.get(1) {
                Some(name) => {
                    wanted.insert(name.as_str());
                }
                None => everything = true,
            }
        }
        let given = self.variables.iter().filter(|(name, _)| everything || wanted.contains(name.as_str()));
        Json::object(given.map(|(name, value)| {
            if names_a_secret(name) {
                self.mask_from_now_on(value);
            }
            (name.as_str(), Json::from(value.as_str()))
        }))
    }

    /// The variables that a grant opens to code, as far as they are set. From now on the values of those that it names
    /// are masked if their names say that they are secrets; those of a grant of everything are not.
    #[must_use]
    pub fn granted(&self, grant: Option<&Grant>) -> BTreeMap<String, String> {
        let Some(grant) = grant else { return BTreeMap::new() };
        let granted: BTreeMap<String, String> =
            self.variables.iter().filter(|(name, _)| grant.names(name)).cloned().collect();
        if let Grant::Only(_) = grant {
            for (_, value) in granted.iter().filter(|(name, _)| names_a_secret(name)) {
                self.mask_from_now_on(value);
            }
        }
        granted
    }

    /// Masks this secret of a vault from now on.
    pub fn conceal(&self, secret: &str, kept_at: VaultKey) {
        self.mask_from_now_on(secret);
        self.of_vaults().entry(secret.to_owned()).or_default().insert(kept_at);
    }

    /// Masks from now on what is about to be put into a vault.
    pub(crate) fn conceal_before(&self, secret: &str) {
        self.mask_from_now_on(secret);
        self.of_vaults().entry(secret.to_owned()).or_default();
    }

    fn of_vaults(&self) -> MutexGuard<'_, BTreeMap<String, BTreeSet<VaultKey>>> {
        self.of_vaults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The secrets that came of vaults.
    fn vault_secrets(&self) -> BTreeSet<String> {
        self.of_vaults().keys().cloned().collect()
    }

    fn mask_from_now_on(&self, value: &str) {
        if value.chars().count() >= SHORTEST && !self.given().contains_key(value) {
            let finder = Finder::new(value);
            self.given().insert(value.to_owned(), finder);
        }
    }

    /// Leaves an expression that a file of the author says, as it is written, for a later stage.
    pub(crate) fn leave(&self, raw: &str) {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).insert(raw.to_owned());
    }

    /// Whether an expression was left for a later stage. Text from elsewhere that only looks like one was not.
    pub(crate) fn is_left(&self, raw: &str) -> bool {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).contains(raw)
    }

    /// Lets an expression that whoever calls brings become one of the definition of an instance, as it is written. Nothing else that
    /// looks like it is evaluated for that.
    pub(crate) fn bring(&self, raw: String) {
        self.brought.lock().unwrap_or_else(PoisonError::into_inner).insert(raw);
    }

    /// Whether whoever calls brings this expression for a definition.
    pub(crate) fn is_brought(&self, raw: &str) -> bool {
        self.brought.lock().unwrap_or_else(PoisonError::into_inner).contains(raw)
    }

    /// True if a value has an expression in it that was left for a later stage.
    pub(crate) fn waits(&self, value: &Json) -> bool {
        match value {
            Json::String(text) => template::split(text)
                .into_iter()
                .any(|part| matches!(part, Part::Expression(span) if self.is_left(span.raw))),
            Json::Array(items) => items.iter().any(|item| self.waits(item)),
            Json::Object(members) => members.iter().any(|(_, value)| self.waits(value)),
            Json::Null | Json::Bool(_) | Json::Number(_) => false,
        }
    }

    /// True if anything was given out that is masked.
    pub(crate) fn has_secrets(&self) -> bool {
        !self.given().is_empty()
    }

    /// True if anything was given out that is masked, other than these variables: a grant has them masked in every run.
    pub(crate) fn has_secrets_beyond(&self, variables: &BTreeMap<String, String>) -> bool {
        self.given().keys().any(|secret| !variables.values().any(|value| value == secret))
    }

    fn given(&self) -> MutexGuard<'_, BTreeMap<String, Finder>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The text with every given value masked, the longest first.
    #[must_use]
    pub fn mask(&self, text: &str) -> String {
        self.mask_those(text, |_| true)
    }

    /// The line of a log with every given value masked, also one that a program has folded, so that it goes on in a later line.
    pub(crate) fn mask_line(&self, line: &str, folded: &mut Folded) -> String {
        let plain = without_styles(line);
        let trimmed = plain.trim();
        let begun = std::mem::take(&mut folded.rest);
        let is_enough = trimmed.chars().count() >= SHORTEST || folded.between == 0;
        if !trimmed.is_empty()
            && is_enough
            && let Some(further) = begun.strip_prefix(trimmed)
        {
            *folded = Folded { rest: further.to_owned(), between: 0 };
            return MASK.to_owned();
        }
        // Its end, and something behind it.
        if begun.chars().count() >= SHORTEST
            && let Some(behind) = trimmed.strip_prefix(begun.as_str())
        {
            folded.between = 0;
            return format!("{MASK}{}", self.mask(behind));
        }
        let masked = self.mask(line);
        let shown = without_styles(&masked).into_owned();
        let given = self.given();
        let found = given.values().filter_map(|finder| finder.folded(&shown)).max_by_key(|(_, further)| further.len());
        match found {
            Some((at, further)) => {
                *folded = Folded { rest: further, between: 0 };
                format!("{}{MASK}", shown.get(..at).unwrap_or_default())
            }
            None => {
                // Another stream, or another task, may have written it.
                folded.between += 1;
                if folded.between <= MOST_BETWEEN {
                    folded.rest = begun;
                }
                masked
            }
        }
    }

    /// A style in the middle of a value would hide it from whoever looks for it, and show it to whoever leaves styles out.
    fn mask_those(&self, text: &str, is_masked: impl Fn(&str) -> bool) -> String {
        if let Cow::Owned(plain) = without_styles(text) {
            let masked = self.mask_plain(&plain, &is_masked);
            if masked != plain {
                return masked;
            }
        }
        self.mask_plain(text, &is_masked)
    }

    fn mask_plain(&self, text: &str, is_masked: &dyn Fn(&str) -> bool) -> String {
        let given = self.given();
        let mut finders: Vec<(&String, &Finder)> = given.iter().filter(|(value, _)| is_masked(value)).collect();
        finders.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        finders.into_iter().fold(text.to_owned(), |text, (_, finder)| finder.replace(text, MASK))
    }

    /// What a method stores, with the secrets of vaults in its texts masked: they must not reach the disk. Nothing else of it
    /// is changed; a value of the environment is the method's own to keep.
    #[must_use]
    pub fn without_vault_secrets(&self, data: &Json) -> Json {
        let secrets = self.vault_secrets();
        if secrets.is_empty() { data.clone() } else { self.texts_without(data, &secrets) }
    }

    /// True if a value has a secret of a vault in it. Expressions that wait for a later stage have none, whatever the names in
    /// them look like; of a number, only the whole of it counts.
    pub(crate) fn holds_vault_secret(&self, value: &Json) -> bool {
        let secrets = self.vault_secrets();
        !secrets.is_empty() && self.has_any(value, &secrets)
    }

    /// Where the secrets of vaults are kept that a value has in it, found as by [`holds_vault_secret`](Self::holds_vault_secret).
    pub(crate) fn vault_secrets_in(&self, value: &Json) -> BTreeSet<VaultKey> {
        let known = self.of_vaults().clone();
        let is_in = |secret: &String| self.has_any(value, &BTreeSet::from([secret.clone()]));
        known.into_iter().filter(|(secret, _)| is_in(secret)).flat_map(|(_, kept_at)| kept_at).collect()
    }

    fn has_any(&self, value: &Json, secrets: &BTreeSet<String>) -> bool {
        let is_found = |text: &str| self.mask_those(text, |value| secrets.contains(value)) != text;
        match value {
            Json::String(text) => template::split(text).into_iter().any(|part| match part {
                Part::Expression(span) => !self.is_left(span.raw) && is_found(span.raw),
                Part::Text(text) => is_found(text),
            }),
            Json::Array(items) => items.iter().any(|item| self.has_any(item, secrets)),
            Json::Object(members) => members.iter().any(|(key, value)| is_found(key) || self.has_any(value, secrets)),
            Json::Number(_) => secrets.contains(&value.to_string()),
            Json::Null | Json::Bool(_) => false,
        }
    }

    fn texts_without(&self, data: &Json, secrets: &BTreeSet<String>) -> Json {
        let mask = |text: &str| self.mask_those(text, |value| secrets.contains(value));
        match data {
            // What stands for a secret is none, whatever the names in it look like.
            Json::String(text) if vault::referenced(text).is_some() => data.clone(),
            Json::String(text) => Json::String(mask(text)),
            Json::Array(items) => Json::Array(items.iter().map(|item| self.texts_without(item, secrets)).collect()),
            Json::Object(members) => {
                Json::object(members.iter().map(|(key, value)| (mask(key), self.texts_without(value, secrets))))
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => data.clone(),
        }
    }

    /// From now on these inputs are hidden, and no others.
    pub(crate) fn hide_inputs(&self, hidden: HiddenInputs) {
        *self.hidden_inputs.lock().unwrap_or_else(PoisonError::into_inner) = hidden;
    }

    /// The inputs of the run as they are written down and shown.
    pub(crate) fn shown_inputs(&self, inputs: &Json) -> Json {
        let hidden = self.hidden_inputs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let shown = match &hidden {
            HiddenInputs::None => inputs.clone(),
            HiddenInputs::At(paths) => vault::redacted(inputs, paths, MASK),
            HiddenInputs::All => {
                let names = inputs.as_object().unwrap_or_default().iter().map(|(name, _)| vec![name.clone()]);
                vault::redacted(inputs, &names.collect::<Vec<_>>(), MASK)
            }
        };
        self.mask_json(&shown)
    }

    /// The value with every text in it masked, keys too.
    #[must_use]
    pub fn mask_json(&self, value: &Json) -> Json {
        match value {
            Json::String(text) => Json::String(self.mask(text)),
            Json::Array(items) => Json::Array(items.iter().map(|item| self.mask_json(item)).collect()),
            Json::Object(members) => {
                Json::object(members.iter().map(|(key, value)| (self.mask(key), self.mask_json(value))))
            }
            Json::Number(_) => match self.mask(&value.to_string()) {
                text if text.contains(MASK) => Json::String(text),
                _ => value.clone(),
            },
            Json::Null | Json::Bool(_) => value.clone(),
        }
    }

    /// The problem with its message masked.
    #[must_use]
    pub fn mask_problem(&self, problem: RunProblem) -> RunProblem {
        // A secret in a name that is advised would be one in a command that somebody copies.
        let advice = problem.advice.filter(|advice| {
            let text = advice.to_string();
            self.mask(&text) == text
        });
        RunProblem { message: self.mask(&problem.message), advice, ..problem }
    }
}

fn names_a_secret(variable: &str) -> bool {
    let name = variable.to_lowercase();
    SECRET_NAMES.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use mangrove_domain::{
        advice::{Advice, UserAction},
        problem::Code,
    };

    use super::*;

    #[test]
    fn f09_a_secret_that_is_folded_over_lines_of_a_log_is_masked() {
        use base64::{Engine as _, engine::general_purpose::STANDARD};

        let secret = "Tr0ub4dor-zebra-quilt-0123456789-marmalade-teapot-9876543210";
        let environment = Environment::default();
        environment.conceal(secret, VaultKey::new("v", "k"));
        let encoded = STANDARD.encode(secret.repeat(3));
        environment.conceal(&secret.repeat(3), VaultKey::new("v", "long"));
        for (text, width) in [(secret.to_owned(), 20), (secret.to_owned(), 59), (encoded, 76)] {
            let lines: Vec<&str> =
                text.as_bytes().chunks(width).filter_map(|line| std::str::from_utf8(line).ok()).collect();
            let mut rest = Folded::default();
            let first = format!("key: {}", lines[0]);
            let masked: Vec<String> = [first.as_str()]
                .into_iter()
                .chain(lines[1..].iter().copied())
                .chain(["done"])
                .map(|line| environment.mask_line(line, &mut rest))
                .collect();
            assert_eq!(masked[0], "key: ***");
            let between = &masked[1..masked.len() - 1];
            assert!(between.iter().all(|line| line.trim_end_matches('=') == "***"), "{masked:?}");
            assert_eq!(masked.last().map(String::as_str), Some("done"));
        }
        let mut rest = Folded::default();
        assert_eq!(environment.mask_line("ends with Tr0ub4dor-zebra-q", &mut rest), "ends with ***");
        assert_eq!(
            environment.mask_line("and goes on with something else", &mut rest),
            "and goes on with something else"
        );
        assert_eq!(environment.mask_line("    uilt-0123456789", &mut rest), "***", "it goes on behind other lines");
        let end = "  -marmalade-teapot-9876543210".to_owned();
        let rest_of = [secret; 2].concat();
        let last = format!("{end}{rest_of}, and more");
        assert_eq!(environment.mask_line(&last, &mut rest), "***, and more");
    }

    #[test]
    fn f09_a_style_inside_of_a_secret_hides_it_from_nobody() {
        let environment = Environment::default();
        environment.conceal("s3cret-value", VaultKey::new("v", "k"));
        let coloured = "found \u{1b}[1;31ms3cret\u{1b}[0m-value \u{1b}[32mhere\u{1b}[0m";
        assert_eq!(environment.mask(coloured), "found *** here");
        assert!(environment.holds_vault_secret(&Json::from(coloured)));
        let harmless = "\u{1b}[32mhere\u{1b}[0m";
        assert_eq!(environment.mask(harmless), harmless);
    }

    fn environment() -> Environment {
        let pairs = [("TOKEN", "s3cret"), ("LONG_KEY", "s3cret-and-more"), ("PASSWORD", "ab"), ("HOME", "unused")];
        Environment::new(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec())
    }

    fn path(parts: &[&str]) -> Vec<String> {
        parts.iter().map(|part| (*part).to_owned()).collect()
    }

    #[test]
    fn only_what_was_named_is_given_and_masked() {
        let environment = environment();
        let given = environment.give(&[path(&["env", "TOKEN"]), path(&["inputs", "HOME"])]);
        assert_eq!(given.to_string(), r#"{"TOKEN":"s3cret"}"#);
        assert_eq!(environment.mask("Bearer s3cret, unused"), "Bearer ***, unused");
        let _ = environment.give(&[path(&["env"])]);
        assert_eq!(environment.mask("s3cret-and-more s3cret ab unused"), "*** *** ab unused", "a home is no secret");
        let value = Json::object([("a s3cret", Json::Array(vec![Json::from("xs3cretx"), Json::from(3)]))]);
        assert_eq!(environment.mask_json(&value).to_string(), r#"{"a ***":["x***x",3]}"#);
    }

    #[test]
    fn what_helps_is_not_told_where_it_would_name_a_secret() {
        let environment = environment();
        let _ = environment.give(&[path(&["env", "TOKEN"])]);
        let masked = |name: &str| {
            let advice = Advice::new(UserAction::CreateDefinition { name: name.to_owned() });
            environment.mask_problem(RunProblem::new(Code::UNKNOWN_NAME, name.to_owned()).advise_if(Some(advice)))
        };
        assert!(masked("plain").advice.is_some());
        let secret = masked("s3cret");
        assert_eq!((secret.message.as_str(), secret.advice), ("***", None));
    }

    #[test]
    fn only_what_is_named_like_a_secret_is_masked() {
        for name in ["GITHUB_TOKEN", "apiKey", "DB_PASSWORD", "AWS_SECRET_ACCESS_KEY", "Credentials"] {
            assert!(names_a_secret(name), "{name}");
        }
        for name in ["HOME", "PATH", "USER", "LANG", "REGION"] {
            assert!(!names_a_secret(name), "{name}");
        }
        let environment = environment();
        let kept_at = VaultKey::new("safe", "key");
        environment.conceal("v4ult", kept_at.clone());
        environment.conceal("v4", kept_at);
        assert_eq!(environment.mask("v4ult v4"), "*** v4");

        // Of what a method stores, only secrets of vaults are taken out, and only out of texts.
        let _ = environment.give(&[path(&["env", "TOKEN"])]);
        environment.conceal("123", VaultKey::new("safe", "number"));
        let data = Json::object([("a", Json::from("s3cret v4ult 123")), ("n", Json::from(123))]);
        assert_eq!(environment.without_vault_secrets(&data).to_string(), r#"{"a":"s3cret *** ***","n":123}"#);
        let found = |value: &Json| -> Vec<String> {
            environment.vault_secrets_in(value).iter().map(ToString::to_string).collect()
        };
        assert_eq!(found(&data), ["safe/key", "safe/number"]);
        assert_eq!(found(&Json::from("in v4ult")), ["safe/key"]);
        assert_eq!(found(&Json::from("s3cret")), [""; 0], "a variable of the environment is none of a vault");
    }

    #[test]
    fn granted_variables_are_those_that_the_grant_names_and_are_masked() {
        let environment = environment();
        assert!(environment.granted(None).is_empty());
        let only = Grant::Only(vec!["TOKEN".to_owned(), "ABSENT".to_owned()]);
        let granted = environment.granted(Some(&only));
        assert_eq!(granted.into_iter().collect::<Vec<_>>(), [("TOKEN".to_owned(), "s3cret".to_owned())]);
        assert_eq!(environment.mask("s3cret unused"), "*** unused");
        assert_eq!(environment.granted(Some(&Grant::All)).len(), 4);
        assert_eq!(environment.mask("s3cret unused"), "*** unused");
    }
}
